//! OCI image layouts: an index of manifests, and everything under its SHA-256.

use std::collections::VecDeque;
use std::io::{Read, Seek};

use serde_json::Value;

use super::archive::Archive;
use super::attached::{self, PassedOver};
use super::{FoundImage, ImageError};
use crate::evidence::layers::Sha256;

const INDEX: &str = "index.json";
/// Indices and manifests that are read.
const MAX_DOCUMENTS: usize = 1000;
const NAMES: [&str; 2] = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

/// An image's manifest, and where it was found.
struct Candidate {
    digest: String,
    is_zstd: bool,
    found: FoundImage,
}

/// The images that the index leads to, those for linux/amd64; and what it leads to beside them.
pub(super) fn images(
    archive: &mut Archive<impl Read + Seek>,
) -> Result<(Vec<FoundImage>, Vec<PassedOver>), ImageError> {
    let (mut candidates, mut passed_over) = (Vec::new(), Vec::new());
    // Documents to read, what their digest is, and what their images are called.
    let mut waiting = VecDeque::from([(INDEX.to_owned(), String::new(), None)]);
    let mut queued = 1;
    while let Some((name, digest, called)) = waiting.pop_front() {
        let document = archive.json(&name)?;
        let Some(manifests) = document.get("manifests").and_then(Value::as_array) else {
            match attached::by_manifest(&document) {
                Some(what) => passed_over.push(PassedOver { digest, what }),
                None => {
                    let is_zstd = attached::is_zstd(&document);
                    candidates.push(Candidate { digest, is_zstd, found: image(&name, &document, called)? });
                }
            }
            continue;
        };
        for descriptor in manifests {
            queued += 1;
            if queued > MAX_DOCUMENTS {
                return Err(ImageError::malformed(name, "it leads to more than 1000 manifests"));
            }
            let digest = attached::digest(descriptor);
            if let Some(what) = attached::by_descriptor(descriptor) {
                passed_over.push(PassedOver { digest, what });
                continue;
            }
            let annotation = |key: &&str| descriptor.get("annotations")?.get(key)?.as_str();
            let called = NAMES.iter().find_map(annotation).map(str::to_owned).or_else(|| called.clone());
            waiting.push_back((blob(&name, descriptor)?, digest, called));
        }
    }
    let candidates = distinct(candidates, &mut passed_over);
    if candidates.is_empty() && !passed_over.is_empty() {
        let listed = list(passed_over.iter().map(|other| format!("{} ({})", other.what, other.digest)));
        return Err(ImageError::malformed(INDEX, format!("no image for linux/amd64, but {listed}")));
    }
    refuse_ambiguous(&candidates)?;
    Ok((candidates.into_iter().map(|candidate| candidate.found).collect(), passed_over))
}

/// Manifests of one configuration are one image, whose layers are compressed in different ways: the one that can be
/// read is taken.
fn distinct(candidates: Vec<Candidate>, passed_over: &mut Vec<PassedOver>) -> Vec<Candidate> {
    let mut images: Vec<Candidate> = Vec::new();
    for mut candidate in candidates {
        let same = |image: &&mut Candidate| {
            image.found.config == candidate.found.config && image.found.names == candidate.found.names
        };
        let Some(image) = images.iter_mut().find(same) else {
            images.push(candidate);
            continue;
        };
        if image.is_zstd {
            std::mem::swap(image, &mut candidate);
        }
        let how = if candidate.is_zstd { ", compressed with zstd" } else { "" };
        passed_over
            .push(PassedOver { what: format!("the same image as {}{how}", image.digest), digest: candidate.digest });
    }
    images
}

/// Images of one platform that no name tells apart: nobody can say which of them runs.
fn refuse_ambiguous(images: &[Candidate]) -> Result<(), ImageError> {
    for image in images {
        let alike: Vec<_> = images.iter().filter(|other| other.found.names == image.found.names).collect();
        if alike.len() > 1 {
            let name = image.found.names.first().map_or("without a name".to_owned(), |name| format!("called {name}"));
            let listed = list(alike.iter().map(|image| image.digest.clone()));
            let what =
                format!("there are {} images for linux/amd64 {name}: {listed}; save the one that runs", alike.len());
            return Err(ImageError::malformed(INDEX, what));
        }
    }
    Ok(())
}

/// The first of many, and how many more there are.
fn list(items: impl ExactSizeIterator<Item = String>) -> String {
    const LISTED: usize = 10;
    let more = items.len().saturating_sub(LISTED);
    let text = items.take(LISTED).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}

/// Where the parts of the image with this manifest are.
fn image(name: &str, manifest: &Value, called: Option<String>) -> Result<FoundImage, ImageError> {
    let malformed = |what: &str| ImageError::malformed(name, what);
    let config = manifest.get("config").ok_or_else(|| malformed("it has no config"))?;
    let layers = manifest.get("layers").and_then(Value::as_array).ok_or_else(|| malformed("it has no layers"))?;
    Ok(FoundImage {
        names: called.into_iter().collect(),
        config: blob(name, config)?,
        layers: layers.iter().map(|layer| blob(name, layer)).collect::<Result<_, _>>()?,
    })
}

/// Where the content of a descriptor is.
fn blob(name: &str, descriptor: &Value) -> Result<String, ImageError> {
    let digest = descriptor.get("digest").and_then(Value::as_str).unwrap_or_default();
    match digest.strip_prefix("sha256:").map(str::parse::<Sha256>) {
        Some(Ok(digest)) => Ok(format!("blobs/sha256/{digest}")),
        _ => Err(ImageError::malformed(name, format!("{digest:?} is not sha256: and 64 lowercase hexadecimal digits"))),
    }
}
