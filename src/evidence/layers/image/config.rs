//! An image's configuration.

use serde_json::Value;

use super::{Image, ImageError};
use crate::evidence::layers::Sha256;
use crate::json;

/// What a configuration says.
pub(super) struct Config {
    /// SHA-256 of each layer's uncompressed archive.
    pub diff_ids: Vec<Sha256>,
    /// The image, as far as the configuration tells.
    pub image: Image,
}

/// Reads the configuration `name`.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Config, ImageError> {
    let value = json::parse(bytes).map_err(|source| ImageError::Json { name: name.into(), source })?;
    let malformed = |what: &str| ImageError::malformed(name, what);
    if let Some(system) = value.get("os").and_then(Value::as_str).filter(|os| !matches!(*os, "" | "linux")) {
        return Err(malformed(&format!("the image is for {system}, and layers are measured thus for Linux only")));
    }
    let diff_ids = texts(value.pointer("/rootfs/diff_ids"))
        .ok_or_else(|| malformed("rootfs.diff_ids is not a list of digests"))?;
    let diff_ids = diff_ids
        .iter()
        .map(|id| id.strip_prefix("sha256:").and_then(|hex| hex.parse().ok()))
        .collect::<Option<_>>()
        .ok_or_else(|| malformed("one of rootfs.diff_ids is not sha256: and 64 lowercase hexadecimal digits"))?;
    let member = |key: &str| value.get("config").and_then(|config| config.get(key));
    let list = |key: &str| texts(member(key)).ok_or_else(|| malformed(&format!("config.{key} is not a list of texts")));
    let text = |key: &str| member(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let folder = text("WorkingDir");
    let image = Image {
        names: Vec::new(),
        id: Sha256([0; 32]),
        layers: Vec::new(),
        entrypoint: list("Entrypoint")?,
        command: list("Cmd")?,
        environment: list("Env")?,
        working_dir: if folder.is_empty() { "/".into() } else { folder },
        user: text("User"),
    };
    Ok(Config { diff_ids, image })
}

/// A list of texts; nothing and null are an empty one.
pub(super) fn texts(value: Option<&Value>) -> Option<Vec<String>> {
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        Some(_) => None,
    }
}
