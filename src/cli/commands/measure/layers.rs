//! `measure layers`: the layer hashes that a security policy must list.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::images;
use ccf_gov::evidence::hash;
use ccf_gov::evidence::layers::image::{Image, PassedOver};
use ccf_gov::evidence::layers::{self, Layer};
use ccf_gov::files;

/// The layer hashes of container images, which a security policy lists
///
/// They are the dm-verity root hashes of the disks that Azure's confidential containers make of an image's layers. Of an image,
/// every digest is checked on the way.
#[derive(Args)]
#[command(after_help = "Examples:
  docker save example.org/node:1 -o node.tar
  ccf-gov measure layers node.tar
  ccf-gov measure layers layer.tar.gz

Layers may be compressed with gzip; an archive of images may not. Of an image for several platforms, linux/amd64 is taken; what is \
no image (signatures, attestations) is passed over and named. \
Compare a policy with its images: `ccf-gov policy show POLICY --image node.tar`.")]
pub struct Layers {
    /// Archives of images (docker save, or an OCI layout as tar), or single layers (tar, tar.gz); - for a layer on standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Measured {
    /// Those in archives of images.
    images: Vec<InFile<Image>>,
    /// The files that are single layers.
    layers: Vec<InFile<Layer>>,
    /// Other manifests than images for linux/amd64: signatures, attestations, other platforms.
    passed_over: Vec<InFile<PassedOver>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct InFile<T> {
    file: String,
    #[serde(flatten)]
    of: T,
}

impl Layers {
    pub fn run(self, context: &Context) -> Result<Exit, CliError> {
        let (mut images, mut layers, mut passed_over) = (Vec::new(), Vec::new(), Vec::new());
        let mut text = String::new();
        for path in &self.files {
            let name = files::shown(path);
            match if path == Path::new("-") { None } else { images::open(path)? } {
                Some(found) => {
                    text.extend(found.images.iter().map(images::show));
                    text.extend(found.passed_over.iter().map(images::show_passed_over));
                    let file = || name.to_string();
                    images.extend(found.images.into_iter().map(|of| InFile { file: file(), of }));
                    passed_over.extend(found.passed_over.into_iter().map(|of| InFile { file: file(), of }));
                }
                None => {
                    let layer = measure(path)?;
                    text += &format!("{}  {name}\n", layer.hash);
                    layers.push(InFile { file: name.into_owned(), of: layer });
                }
            }
        }
        context.output.result(&Measured { images, layers, passed_over }, || text)?;
        Ok(Exit::Done)
    }
}

fn measure(path: &Path) -> Result<Layer, CliError> {
    let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
        CliError::usage(format!("cannot measure {}", files::shown(path))).because(e)
    };
    let reader: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(hash::open(path).map_err(|e| failed(e.into()))?)
    };
    let layer = layers::measure(reader).map_err(|e| failed(e.into()))?;
    if layer.diff_id.0 == ccf_gov::digest::sha256(b"") {
        return Err(CliError::usage(format!("{} is empty", files::shown(path))));
    }
    if layer.holds_images {
        return Err(CliError::usage(format!("{} is not a layer, but an archive of whole images", files::shown(path)))
            .hint("give it uncompressed, as a file"));
    }
    Ok(layer)
}
