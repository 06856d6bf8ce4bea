//! Images in archives: what `docker save` writes, and OCI layouts in a tar archive.

mod archive;
mod attached;
mod config;
mod docker;
mod error;
mod oci;

use std::io::{Read, Seek};

use serde::Serialize;

use self::archive::Archive;
use super::{Layer, Sha256};
pub use attached::PassedOver;
pub use error::ImageError;

/// Images in one archive beyond which it is refused.
const MAX_IMAGES: usize = 100;
/// Layers of one image beyond which it is refused; Docker makes at most 127.
const MAX_LAYERS: usize = 512;

/// An image for Linux, its digests checked: configuration and manifest by their names, each layer by its digest and `diff_id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Image {
    /// The names under which it was saved; there may be none.
    pub names: Vec<String>,
    /// SHA-256 of its configuration: what Docker calls the image's id.
    pub id: Sha256,
    /// From the lowest to the topmost, as a security policy lists them.
    pub layers: Vec<Layer>,
    /// What it runs, before [`Self::command`].
    pub entrypoint: Vec<String>,
    /// What it runs, or the arguments of [`Self::entrypoint`].
    pub command: Vec<String>,
    /// `NAME=value`.
    pub environment: Vec<String>,
    /// The folder in which it starts; `/` if the image gives none.
    pub working_dir: String,
    /// As whom it runs; empty if the image does not say.
    pub user: String,
}

impl Image {
    /// The command line: entrypoint and command.
    pub fn command_line(&self) -> Vec<String> {
        [&self.entrypoint[..], &self.command[..]].concat()
    }

    /// How a person would call it: by its first name, else by its id.
    pub fn title(&self) -> String {
        self.names.first().cloned().unwrap_or_else(|| format!("sha256:{}", self.id))
    }
}

/// What an archive of images holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// The images for linux/amd64, measured.
    pub images: Vec<Image>,
    /// What else is among them: signatures, attestations, images for other platforms.
    pub passed_over: Vec<PassedOver>,
}

/// The images in `file`; nothing if it is no archive of images, but perhaps a layer.
///
/// Layers are measured as they are found, each once; see [`super::measure`] for what that takes. The archive itself must not be
/// compressed, for its parts are read in their own order. Of an index of several platforms, linux/amd64 is taken.
///
/// # Errors
/// It cannot be read, something is missing or malformed, a digest is wrong, a layer cannot be measured, or no name tells
/// two images apart.
pub fn images(file: &mut (impl Read + Seek)) -> Result<Option<Images>, ImageError> {
    let Some(mut archive) = Archive::open(file)? else { return Ok(None) };
    let (found, passed_over) = match docker::manifest(&mut archive)? {
        Some(found) => (found, Vec::new()),
        None if archive.has("oci-layout") && archive.has("index.json") => oci::images(&mut archive)?,
        None => return Ok(None),
    };
    archive.check_names()?;
    if found.is_empty() || found.len() > MAX_IMAGES {
        return Err(ImageError::malformed("the archive", format!("it has {} images", found.len())));
    }
    let images = found.into_iter().map(|found| found.read(&mut archive)).collect::<Result<_, _>>()?;
    Ok(Some(Images { images, passed_over }))
}

/// Where an archive has an image's parts.
struct FoundImage {
    names: Vec<String>,
    /// The configuration's name in the archive.
    config: String,
    /// The layers' names in the archive.
    layers: Vec<String>,
}

impl FoundImage {
    fn read(self, archive: &mut Archive<impl Read + Seek>) -> Result<Image, ImageError> {
        let Self { names, config: name, layers } = self;
        let (bytes, id) = archive.document(&name)?;
        let config = config::read(&name, &bytes)?;
        if layers.len() > MAX_LAYERS || layers.len() != config.diff_ids.len() {
            let what = format!("it has {} layers, and its configuration {}", layers.len(), config.diff_ids.len());
            return Err(ImageError::malformed(&name, what));
        }
        let mut measured = Vec::new();
        for (layer, diff_id) in layers.iter().zip(&config.diff_ids) {
            let found = archive.layer(layer)?;
            if found.diff_id != *diff_id {
                return Err(ImageError::Digest { name: layer.clone(), stated: *diff_id, found: found.diff_id });
            }
            measured.push(found);
        }
        Ok(Image { names, id, layers: measured, ..config.image })
    }
}

#[cfg(test)]
mod tests;
