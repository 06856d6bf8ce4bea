//! What stands among an archive's images and is none: signatures, attestations, fragments, charts, other platforms.

use crate::text::clip;
use serde::Serialize;
use serde_json::Value;

/// A manifest that was passed over, as it is no image for linux/amd64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct PassedOver {
    /// The manifest's digest, as the archive writes it.
    pub digest: String,
    /// What it is.
    pub what: String,
}

/// Characters of a foreign text that are shown.
const SHOWN: usize = 120;

/// The media types of manifests and of indices.
const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];
const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
const LAYERS: [&str; 3] = [
    "application/vnd.oci.image.layer.",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
];

/// What a descriptor says that its manifest is, if that is no image for linux/amd64.
pub(super) fn by_descriptor(descriptor: &Value) -> Option<String> {
    let annotation = |key| descriptor.get("annotations")?.get(key)?.as_str();
    if annotation("vnd.docker.reference.type") == Some("attestation-manifest") {
        return Some("an attestation by the builder".into());
    }
    let cosign = annotation("kind").and_then(|kind| kind.strip_prefix("dev.cosignproject.cosign/"));
    match cosign {
        Some("sigs") => return Some("signatures of cosign".into()),
        Some("atts") => return Some("attestations of cosign".into()),
        Some("sboms") => return Some("lists of contents (SBOM) of cosign".into()),
        _ => {}
    }
    if let Some(kind) = artefact_type(descriptor) {
        return Some(kind);
    }
    let kind = descriptor.get("mediaType").and_then(Value::as_str).filter(|kind| !MANIFESTS.contains(kind));
    if let Some(kind) = kind {
        return Some(format!("something of the media type {}", clip(kind, SHOWN)));
    }
    match platform(descriptor) {
        None => None,
        // Signatures have no platform, and the empty one says so.
        Some((os, architecture)) if os.is_empty() && architecture.is_empty() => None,
        Some(("linux", "amd64")) => None,
        Some(("unknown", "unknown")) => Some("a manifest of an unknown platform, as attestations are".into()),
        Some((os, architecture)) => Some(format!("an image for {}/{}", clip(os, SHOWN), clip(architecture, SHOWN))),
    }
}

/// What a manifest is, if it is no image's.
pub(super) fn by_manifest(manifest: &Value) -> Option<String> {
    if let Some(kind) = artefact_type(manifest) {
        return Some(kind);
    }
    let config = manifest.pointer("/config/mediaType").and_then(Value::as_str).filter(|kind| !CONFIGS.contains(kind));
    if let Some(kind) = config {
        return Some(format!("an artefact whose configuration is {}", clip(kind, SHOWN)));
    }
    let layers = manifest.get("layers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let kinds: Option<Vec<&str>> = layers.iter().map(|layer| layer.get("mediaType")?.as_str()).collect();
    let is_layer = |kind: &&str| LAYERS.iter().any(|known| kind.starts_with(known));
    match kinds.as_deref() {
        Some([first, ..]) if !kinds.iter().flatten().any(is_layer) => {
            return Some(format!("an artefact whose contents are {}", clip(first, SHOWN)));
        }
        _ => {}
    }
    let subject = manifest.pointer("/subject/digest").and_then(Value::as_str);
    subject.map(|subject| format!("something attached to {}", clip(subject, SHOWN)))
}

/// Whether a manifest's layers are compressed in a way that is not read here.
pub(super) fn is_zstd(manifest: &Value) -> bool {
    let layers = manifest.get("layers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let kind = |layer: &Value| layer.get("mediaType").and_then(Value::as_str).map(str::to_owned);
    layers.iter().filter_map(kind).any(|kind| kind.ends_with("zstd"))
}

/// A digest as an archive writes it, for people.
pub(super) fn digest(descriptor: &Value) -> String {
    clip(descriptor.get("digest").and_then(Value::as_str).unwrap_or_default(), SHOWN)
}

fn artefact_type(value: &Value) -> Option<String> {
    let kind = value.get("artifactType").and_then(Value::as_str).filter(|kind| !kind.is_empty());
    kind.filter(|kind| !CONFIGS.contains(kind)).map(|kind| format!("an artefact of type {}", clip(kind, SHOWN)))
}

/// The system and architecture of a descriptor that gives them.
fn platform(descriptor: &Value) -> Option<(&str, &str)> {
    let part = |key| descriptor.get("platform")?.get(key)?.as_str();
    Some((part("os")?, part("architecture")?))
}
