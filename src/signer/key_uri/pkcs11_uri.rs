//! `pkcs11:` URIs (RFC 7512).

use std::fmt;
use std::path::PathBuf;

use super::{KeyUriError, decode, decode_label, decode_text, encode, encode_path};

/// A key on a token, named by what it is known by there. What is absent is not asked for.
///
/// | attribute | names |
/// |---|---|
/// | `token`, `manufacturer`, `model`, `serial` | the token |
/// | `slot-id` | the slot that holds the token (decimal) |
/// | `object` | the key's label (CKA_LABEL); empty for a key that has none |
/// | `id` | the key's CKA_ID, as percent-encoded bytes; empty for a key that has none |
/// | `type` | always `private`, if it is there |
/// | `module-path` | the PKCS#11 module, as an absolute path |
/// | `module-name` | or its name, looked for in the system's library folders |
/// | `pin-source` | a file with the PIN: `file:PATH`, or a path |
///
/// The last three follow the `?`, divided by `&`; the others come before it, divided by `;`.
/// The other attributes of RFC 7512 are refused by name, and so is one that comes twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pkcs11Uri {
    /// The token's label.
    pub token: Option<String>,
    /// The token's manufacturer.
    pub manufacturer: Option<String>,
    /// The token's model.
    pub model: Option<String>,
    /// The token's serial number.
    pub serial: Option<String>,
    /// The slot.
    pub slot_id: Option<u64>,
    /// The key's label.
    pub object: Option<String>,
    /// The key's CKA_ID.
    pub id: Option<Vec<u8>>,
    /// The PKCS#11 module.
    pub module: Option<ModuleName>,
    /// The file that holds the PIN.
    pub pin_source: Option<PathBuf>,
}

/// How a PKCS#11 module is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleName {
    /// `module-path`: the shared library itself; an absolute path.
    Path(PathBuf),
    /// `module-name`: a library's name with or without `lib` and `.so`; no path.
    Name(String),
}

impl Pkcs11Uri {
    /// Reads what follows `pkcs11:`.
    pub(super) fn parse(text: &str) -> Result<Self, KeyUriError> {
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, query),
            None => (text, ""),
        };
        let mut uri = Self::default();
        let mut seen = Vec::new();
        for (attributes, divider) in [(path, ';'), (query, '&')] {
            if attributes.is_empty() {
                continue;
            }
            for attribute in attributes.split(divider) {
                let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
                if name == "pin-value" {
                    return Err(KeyUriError::PinValue);
                }
                if seen.contains(&name) {
                    return Err(KeyUriError::part(shown(name), "comes twice"));
                }
                seen.push(name);
                if !attribute.contains('=') {
                    return Err(KeyUriError::part(shown(name), "has no value; an attribute is NAME=VALUE"));
                }
                uri.set(name, value, divider)?;
            }
        }
        Ok(uri)
    }

    fn set(&mut self, name: &str, value: &str, divider: char) -> Result<(), KeyUriError> {
        let text = || decode_text(name, value);
        let label = || decode_label(name, value);
        let in_query = matches!(name, "module-path" | "module-name" | "pin-source");
        match name {
            "token" | "manufacturer" | "model" | "serial" | "slot-id" | "object" | "id" | "type" | "module-path"
            | "module-name" | "pin-source"
                if in_query != (divider == '&') =>
            {
                let place = if in_query { "belongs behind the ?" } else { "belongs before the ?" };
                return Err(KeyUriError::part(name, place));
            }
            "token" => self.token = Some(label()?),
            "manufacturer" => self.manufacturer = Some(label()?),
            "model" => self.model = Some(label()?),
            "serial" => self.serial = Some(label()?),
            "object" => self.object = Some(label()?),
            "id" => self.id = Some(decode(name, value)?),
            "slot-id" => {
                let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
                let number = digits.then(|| value.parse().ok()).flatten();
                self.slot_id = Some(number.ok_or_else(|| KeyUriError::part(name, "is not a decimal number"))?);
            }
            "type" if value == "private" => {}
            "type" => return Err(KeyUriError::part(name, "must be private: a signature needs the private key")),
            "module-path" | "module-name" if self.module.is_some() => {
                return Err(KeyUriError::part(
                    name,
                    "is given together with another name for the module; give one of the two",
                ));
            }
            "module-path" => self.module = Some(ModuleName::Path(module_path(text()?)?)),
            "module-name" => self.module = Some(ModuleName::Name(module_name(text()?)?)),
            "pin-source" => self.pin_source = Some(pin_source(text()?)?),
            _ => {
                let known = "token, manufacturer, model, serial, slot-id, object, id, type; \
                             and behind the ?: module-path, module-name, pin-source";
                return Err(KeyUriError::part(shown(name), format!("is not an attribute that is read here ({known})")));
            }
        }
        Ok(())
    }
}

fn module_path(path: String) -> Result<PathBuf, KeyUriError> {
    let path = PathBuf::from(path);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(KeyUriError::part("module-path", "is not absolute; the module's code is run, so it is named from / on"))
    }
}

fn module_name(name: String) -> Result<String, KeyUriError> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b));
    if plain && !name.is_empty() && !name.starts_with('.') {
        Ok(name)
    } else {
        Err(KeyUriError::part(
            "module-name",
            "is not a library's name (letters, digits, - _ . +); a path is module-path",
        ))
    }
}

/// The path in `file:PATH`, `file:///PATH` or `PATH`; it was percent-decoded already.
fn pin_source(text: String) -> Result<PathBuf, KeyUriError> {
    if text.starts_with('|') {
        return Err(KeyUriError::part("pin-source", "is a program, and only a file is read"));
    }
    let path = match text.strip_prefix("file:") {
        Some(path) => path.strip_prefix("//").map_or(path, |after| after.strip_prefix("localhost").unwrap_or(after)),
        None if super::split_scheme(&text).is_some() => {
            return Err(KeyUriError::part("pin-source", "is not a file; write file:PATH"));
        }
        None => &text,
    };
    if path.is_empty() {
        return Err(KeyUriError::part("pin-source", "names no file"));
    }
    if text.starts_with("file://") && !path.starts_with('/') {
        return Err(KeyUriError::part("pin-source", "names another machine; write file:PATH"));
    }
    Ok(path.into())
}

/// A name that somebody else wrote, short and without control characters.
fn shown(name: &str) -> String {
    if name.is_empty() {
        return "an attribute".into();
    }
    name.chars().take(40).flat_map(char::escape_debug).collect()
}

impl fmt::Display for Pkcs11Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut path = Vec::new();
        let texts = [
            ("token", &self.token),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("serial", &self.serial),
        ];
        path.extend(texts.iter().filter_map(|(name, value)| Some(format!("{name}={}", encode(value.as_deref()?)))));
        path.extend(self.slot_id.map(|slot| format!("slot-id={slot}")));
        path.extend(self.object.as_deref().map(|label| format!("object={}", encode(label))));
        let escaped = |bytes: &[u8]| bytes.iter().map(|b| format!("%{b:02x}")).collect::<String>();
        path.extend(self.id.as_deref().map(|id| format!("id={}", escaped(id))));
        let mut query = Vec::new();
        query.extend(self.module.as_ref().map(|module| match module {
            ModuleName::Path(path) => format!("module-path={}", encode_path(path)),
            ModuleName::Name(name) => format!("module-name={}", encode(name)),
        }));
        query.extend(self.pin_source.as_deref().map(|path| match encode_path(path) {
            path if path.starts_with("//") => format!("pin-source=file://{path}"),
            path => format!("pin-source=file:{path}"),
        }));
        write!(f, "pkcs11:{}", path.join(";"))?;
        if query.is_empty() { Ok(()) } else { write!(f, "?{}", query.join("&")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signer::KeyUri;

    fn parse(text: &str) -> Result<Pkcs11Uri, KeyUriError> {
        match text.parse()? {
            KeyUri::Pkcs11(uri) => Ok(*uri),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_attribute_is_read_and_written_back() {
        let text = "pkcs11:token=My%20token;manufacturer=M;model=X%3b;serial=01;slot-id=7;object=%C3%A4;id=%01%ff\
                    ?module-path=/usr/lib/x.so&pin-source=file:/run/a%20pin";
        let uri = parse(text).unwrap();
        assert_eq!(uri.token.as_deref(), Some("My token"));
        assert_eq!(uri.model.as_deref(), Some("X;"));
        assert_eq!(uri.slot_id, Some(7));
        assert_eq!(uri.object.as_deref(), Some("ä"));
        assert_eq!(uri.id.as_deref(), Some(&[1, 255][..]));
        assert_eq!(uri.module, Some(ModuleName::Path("/usr/lib/x.so".into())));
        assert_eq!(uri.pin_source, Some("/run/a pin".into()));
        assert_eq!(parse(&uri.to_string()), Ok(uri));
        assert_eq!(parse("pkcs11:type=private?module-name=softhsm2").unwrap().token, None);
        assert_eq!(parse("pkcs11:"), Ok(Pkcs11Uri::default()));
        let nameless = parse("pkcs11:object=;id=").unwrap();
        assert_eq!((nameless.object.as_deref(), nameless.id.as_deref()), (Some(""), Some(&[][..])));
        assert_eq!(nameless.to_string(), "pkcs11:object=;id=");
        for same in ["file:/p", "file:///p", "file://localhost/p", "/p"] {
            let uri = parse(&format!("pkcs11:?pin-source={same}")).unwrap();
            assert_eq!(uri.pin_source, Some("/p".into()), "{same}");
        }
    }

    #[test]
    fn names_that_a_token_pads_are_read_without_their_padding() {
        let uri = parse("pkcs11:token=a%00%00;object=b%00;serial=01%20%00").unwrap();
        assert_eq!((uri.token.as_deref(), uri.object.as_deref()), (Some("a"), Some("b")));
        assert_eq!(uri.to_string(), "pkcs11:token=a;serial=01;object=b");
        // A NUL inside is part of the name, and is only compared.
        let inside = parse("pkcs11:token=a%00b").unwrap();
        assert_eq!(parse(&inside.to_string()), Ok(inside));
        assert!(parse("pkcs11:?pin-source=file:a%00b").is_err());
    }

    #[test]
    fn errors_name_the_attribute() {
        for (text, part) in [
            ("pkcs11:token", "token"),
            ("pkcs11:token=a;token=b", "token"),
            ("pkcs11:token=%f", "token"),
            ("pkcs11:token=%ff", "token"),
            ("pkcs11:id=%0", "id"),
            ("pkcs11:slot-id=+1", "slot-id"),
            ("pkcs11:slot-id=99999999999999999999", "slot-id"),
            ("pkcs11:type=cert", "type"),
            ("pkcs11:library-version=2", "library-version"),
            ("pkcs11:token=a;", "an attribute"),
            ("pkcs11:module-path=/x", "module-path"),
            ("pkcs11:?token=a", "token"),
            ("pkcs11:?module-path=x.so", "module-path"),
            ("pkcs11:?module-name=../x", "module-name"),
            ("pkcs11:?module-name=x&module-path=/x", "module-path"),
            ("pkcs11:?pin-source=%7c/bin/pin", "pin-source"),
            ("pkcs11:?pin-source=https://x", "pin-source"),
            ("pkcs11:?pin-source=file://host/x", "pin-source"),
            ("pkcs11:?pin-source=file:", "pin-source"),
        ] {
            match parse(text) {
                Err(KeyUriError::Part { part: found, .. }) => assert_eq!(found, part, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_pin_is_refused_and_not_repeated() {
        for text in
            ["pkcs11:token=a?pin-value=1234", "pkcs11:pin-value=1234", "pkcs11:?pin-value", "pkcs11:?pinvalue=1234"]
        {
            let message = parse(text).unwrap_err().to_string();
            assert!(!message.contains("1234"), "{message}");
            assert!(message.contains("pin"), "{message}");
        }
    }
}
