//! Archives of `docker save`: a `manifest.json` that lists images, their configurations and layers.

use std::io::{Read, Seek};

use serde_json::Value;

use super::archive::Archive;
use super::config::texts;
use super::{FoundImage, ImageError};

const MANIFEST: &str = "manifest.json";

/// The images that the manifest lists; nothing if there is none. A layer may have a `manifest.json` too, but not such a one.
pub(super) fn manifest(archive: &mut Archive<impl Read + Seek>) -> Result<Option<Vec<FoundImage>>, ImageError> {
    if !archive.has(MANIFEST) {
        return Ok(None);
    }
    let Ok(Value::Array(list)) = archive.json(MANIFEST) else { return Ok(None) };
    if !list.iter().all(|image| image.get("Config").is_some() && image.get("Layers").is_some()) {
        return Ok(None);
    }
    let malformed = || ImageError::malformed(MANIFEST, "it is not a list of Config, RepoTags and Layers");
    list.iter()
        .map(|image| {
            Some(FoundImage {
                names: texts(image.get("RepoTags"))?,
                config: image.get("Config")?.as_str()?.to_owned(),
                layers: texts(image.get("Layers"))?,
            })
        })
        .collect::<Option<_>>()
        .ok_or_else(malformed)
        .map(Some)
}
