//! OCI image layouts: an index of manifests, and everything under its SHA-256.

use std::collections::VecDeque;
use std::io::{Read, Seek};

use serde_json::Value;

use super::archive::Archive;
use super::{Found, ImageError};
use crate::evidence::layers::Sha256;

const INDEX: &str = "index.json";
/// Indices and manifests that are read.
const MAX_DOCUMENTS: usize = 1000;
const NAMES: [&str; 2] = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

/// The images that the index leads to: of several platforms, those for linux/amd64.
pub fn images(archive: &mut Archive<impl Read + Seek>) -> Result<Vec<Found>, ImageError> {
    let mut found = Vec::new();
    let mut others = Vec::new();
    // Documents to read, and what their images are called.
    let mut waiting = VecDeque::from([(INDEX.to_owned(), None)]);
    let mut queued = 1;
    while let Some((name, called)) = waiting.pop_front() {
        let document = archive.json(&name)?;
        let Some(manifests) = document.get("manifests").and_then(Value::as_array) else {
            found.push(image(&name, &document, called)?);
            continue;
        };
        for descriptor in manifests {
            match platform(descriptor) {
                Some(platform) if platform != "linux/amd64" => others.push(platform),
                _ => {
                    let annotation = |key: &&str| descriptor.get("annotations")?.get(key)?.as_str();
                    let called = NAMES.iter().find_map(annotation).map(str::to_owned).or_else(|| called.clone());
                    waiting.push_back((blob(&name, descriptor)?, called));
                }
            }
            queued += 1;
            if queued > MAX_DOCUMENTS {
                return Err(ImageError::malformed(name, "it leads to more than 1000 manifests"));
            }
        }
    }
    // Attestations that builders add are of an unknown platform.
    others.retain(|platform| platform != "unknown/unknown");
    if found.is_empty() && !others.is_empty() {
        let what = format!("no image for linux/amd64, but for {}", others.join(", "));
        return Err(ImageError::malformed(INDEX, what));
    }
    Ok(found)
}

/// Where the parts of the image with this manifest are.
fn image(name: &str, manifest: &Value, called: Option<String>) -> Result<Found, ImageError> {
    let malformed = |what: &str| ImageError::malformed(name, what);
    let config = manifest.get("config").ok_or_else(|| malformed("it has no config"))?;
    let layers = manifest.get("layers").and_then(Value::as_array).ok_or_else(|| malformed("it has no layers"))?;
    Ok(Found {
        names: called.into_iter().collect(),
        config: blob(name, config)?,
        layers: layers.iter().map(|layer| blob(name, layer)).collect::<Result<_, _>>()?,
    })
}

/// `os/architecture` of a descriptor that gives them.
fn platform(descriptor: &Value) -> Option<String> {
    let part = |key| descriptor.get("platform")?.get(key)?.as_str();
    Some(format!("{}/{}", part("os")?, part("architecture")?))
}

/// Where the content of a descriptor is.
fn blob(name: &str, descriptor: &Value) -> Result<String, ImageError> {
    let digest = descriptor.get("digest").and_then(Value::as_str).unwrap_or_default();
    match digest.strip_prefix("sha256:").map(str::parse::<Sha256>) {
        Some(Ok(digest)) => Ok(format!("blobs/sha256/{digest}")),
        _ => Err(ImageError::malformed(name, format!("{digest:?} is not sha256: and 64 lowercase hexadecimal digits"))),
    }
}
