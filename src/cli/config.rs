//! `ccf-gov.toml`: looked for in the current folder and those above it, and read only if nobody else could have written it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::error::CliError;
use super::output::Format;
use ccf_gov::files::{self, FileError};
use ccf_gov::signer::{KeyUri, program_in};

/// The file's name.
pub const NAME: &str = "ccf-gov.toml";
const MAX_CONFIG: u64 = 1 << 20;

/// What the file says. Its relative paths are relative to its folder.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The file, if there is one.
    #[serde(skip)]
    pub path: Option<PathBuf>,
    #[serde(default, deserialize_with = "one_or_several")]
    pub service: Vec<String>,
    pub service_cert: Option<PathBuf>,
    pub key: Option<String>,
    pub cert: Option<PathBuf>,
    pub passphrase_file: Option<PathBuf>,
    pub api_version: Option<String>,
    pub output: Option<Format>,
    #[serde(default)]
    pub templates: Vec<PathBuf>,
    /// Known only to be refused: consent is not taken from a file, which may have come with a folder.
    yes: Option<IgnoredAny>,
    #[serde(default)]
    pub exec: BTreeMap<String, Exec>,
}

/// `[exec.PROGRAM]`: how the program of an `exec:` key is run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// How many seconds it may take; 120 if absent.
    pub timeout: Option<u64>,
}

impl Config {
    /// Reads the nearest file; what is in no file is absent.
    pub fn load() -> Result<Self, CliError> {
        let home = std::env::var_os("HOME").map(PathBuf::from).and_then(|home| home.canonicalize().ok());
        let here = std::env::current_dir().map_err(|e| CliError::failed("cannot determine the current folder", e))?;
        match find(&here, home.as_deref()) {
            None => Ok(Self::default()),
            // Where it is beside us it is called by its name alone, as its paths are.
            Some(folder) if folder == here => Self::read(Path::new(NAME)),
            Some(folder) => Ok(Self::read(&folder.join(NAME))?.relative_to(folder)),
        }
    }

    fn read(path: &Path) -> Result<Self, CliError> {
        let text = files::read_own_text(path, MAX_CONFIG).map_err(|error| match error {
            FileError::NotRegular { .. } => CliError::from(error).hint("remove it, or work in another folder"),
            error => error.into(),
        })?;
        let mut this: Self = toml::from_str(&text).map_err(|e| {
            CliError::usage(format!("cannot read {}", path.display())).because(without_values(&e, &text))
        })?;
        if this.yes.is_some() {
            let message =
                format!("{}: `yes` is not taken from a file, which may have come with a folder", path.display());
            return Err(
                CliError::usage(message).hint("remove it; to sign without being asked give --yes or set CCF_GOV_YES=1")
            );
        }
        this.path = Some(path.into());
        Ok(this)
    }

    fn relative_to(mut self, folder: &Path) -> Self {
        let in_folder = |path: Option<PathBuf>| path.map(|path| folder.join(path));
        self.service_cert = in_folder(self.service_cert);
        self.cert = in_folder(self.cert);
        self.passphrase_file = in_folder(self.passphrase_file);
        self.templates = self.templates.iter().map(|path| folder.join(path)).collect();
        // What is no key URI is told when it is used.
        self.key = self.key.map(|text| match text.parse::<KeyUri>() {
            Ok(uri) => uri.relative_to(folder).to_string(),
            Err(_) => text,
        });
        self.exec = self.exec.into_iter().map(|(program, exec)| (program_in(folder, program), exec)).collect();
        self
    }

    /// Where a setting was looked for in vain.
    pub fn looked(&self) -> String {
        match &self.path {
            Some(path) => format!("{} does not set it", path.display()),
            None => format!("there is no {NAME} in this folder or one above it"),
        }
    }
}

/// The nearest folder with such a file, from `here` up to the home folder, or the root where that is not on the way.
fn find<'p>(here: &'p Path, home: Option<&Path>) -> Option<&'p Path> {
    let mut beyond = false;
    here.ancestors()
        .take_while(|folder| !std::mem::replace(&mut beyond, Some(*folder) == home))
        .find(|folder| folder.join(NAME).symlink_metadata().is_ok())
}

fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct OneOrSeveral;

    impl<'de> Visitor<'de> for OneOrSeveral {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a URL or a list of URLs")
        }

        fn visit_str<E>(self, url: &str) -> Result<Self::Value, E> {
            Ok(vec![url.into()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut urls = Vec::new();
            while let Some(url) = list.next_element()? {
                urls.push(url);
            }
            Ok(urls)
        }
    }
    deserializer.deserialize_any(OneOrSeveral)
}

/// Where the file is wrong, and how, without the line itself: what was put there by mistake may be a secret.
fn without_values(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let message = error.message();
    let said = match (message.split_once(": "), message.rsplit_once(", expected ")) {
        (Some((what, _)), Some((_, expected))) if what.starts_with("invalid ") => {
            format!("{what}, expected {expected}")
        }
        _ => message.to_owned(),
    };
    format!("line {line}: {said}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, CliError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        std::fs::write(&path, text).unwrap();
        Config::read(&path)
    }

    #[test]
    fn the_nearest_file_up_to_the_home_folder_is_read() {
        let top = tempfile::tempdir().unwrap();
        let (home, deep) = (top.path().join("home"), top.path().join("home/a/b"));
        std::fs::create_dir_all(&deep).unwrap();
        let write = |folder: &Path| std::fs::write(folder.join(NAME), "").unwrap();
        write(top.path());
        assert_eq!(find(&deep, Some(&home)), None, "beyond the home folder nothing is looked for");
        assert_eq!(find(&deep, None), Some(top.path()));
        write(&home);
        assert_eq!(find(&deep, Some(&home)), Some(&*home));
        write(&deep);
        assert_eq!(find(&deep, Some(&home)), Some(&*deep));
    }

    #[test]
    fn a_service_is_one_url_or_several() {
        assert_eq!(read("service = \"https://a\"").unwrap().service, ["https://a"]);
        assert_eq!(read("service = [\"https://a\", \"https://b\"]").unwrap().service, ["https://a", "https://b"]);
        let error = read("service = 3").unwrap_err();
        assert!(error.causes[0].contains("a URL or a list of URLs"), "{error:?}");
    }

    #[test]
    fn consent_is_not_taken_from_a_file() {
        for text in ["yes = true", "yes = false", "yes = \"no\""] {
            let error = read(text).unwrap_err();
            assert!(error.message.contains("`yes` is not taken from a file"), "{error:?}");
        }
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let config = read(
            "service-cert = \"s.pem\"\nkey = \"k.pem\"\ncert = \"/abs/c.pem\"\ntemplates = [\"ours\", \"/abs/theirs\"]\n[exec.\"./sign\"]\n[exec.aws]\nargs = [\"x\"]",
        );
        let config = config.unwrap().relative_to(Path::new("/a"));
        assert_eq!(config.service_cert.as_deref(), Some(Path::new("/a/s.pem")));
        assert_eq!(config.key.as_deref(), Some("/a/k.pem"));
        assert_eq!(config.cert.as_deref(), Some(Path::new("/abs/c.pem")));
        assert_eq!(config.templates, [Path::new("/a/ours"), Path::new("/abs/theirs")]);
        assert_eq!(config.exec.keys().collect::<Vec<_>>(), ["/a/./sign", "aws"]);
    }
}
