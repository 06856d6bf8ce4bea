//! Container images in archives, as commands open and show them.

use std::path::Path;

use super::error::CliError;
use ccf_gov::evidence::hash;
use ccf_gov::evidence::layers::image::{self, Image, Images, PassedOver};
use ccf_gov::evidence::policy::command_line;
use ccf_gov::text::visible;

/// The images in an archive; nothing if the file is none, but perhaps a layer.
pub fn open(path: &Path) -> Result<Option<Images>, CliError> {
    let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
        CliError::usage(format!("cannot read the images in {}", path.display())).because(e)
    };
    if path.is_dir() {
        return Err(CliError::usage(format!("{} is a folder, but images are read from archives", path.display()))
            .hint(format!("make an archive of an OCI layout: tar -cf image.tar -C {} .", path.display())));
    }
    let mut file = hash::open(path).map_err(|e| failed(e.into()))?;
    if !file.metadata().map_err(|e| failed(e.into()))?.is_file() {
        return Ok(None);
    }
    image::images(&mut file).map_err(|e| failed(e.into()))
}

/// What an image is, for a person.
pub fn show(image: &Image) -> String {
    let mut text = format!("Image        {}\n", visible(&image.title()));
    let mut line = |name: &str, value: String| text += &format!("    {name:<12} {}\n", visible(&value));
    for name in image.names.iter().skip(1) {
        line("also", name.clone());
    }
    line("id", format!("sha256:{}", image.id));
    line("command", command_line(&image.command_line()));
    line("in", image.working_dir.clone());
    if !image.user.is_empty() {
        line("as", image.user.clone());
    }
    for variable in &image.environment {
        line("environment", variable.clone());
    }
    for layer in &image.layers {
        line("layer", layer.hash.to_string());
    }
    text
}

/// What was passed over, for a person.
pub fn show_passed_over(other: &PassedOver) -> String {
    format!("Passed over  {}\n    digest       {}\n", visible(&other.what), visible(&other.digest))
}
