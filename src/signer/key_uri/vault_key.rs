//! `azurekms:` URIs.

use std::fmt;

use super::KeyUriError;

/// The domains in which Microsoft and its national clouds keep vaults and managed HSMs. A token for a vault is sent
/// to no other place.
const DOMAINS: [&str; 6] = [
    "vault.azure.net",
    "vault.azure.cn",
    "vault.usgovcloudapi.net",
    "managedhsm.azure.net",
    "managedhsm.azure.cn",
    "managedhsm.usgovcloudapi.net",
];

/// A key in an Azure Key Vault: `azurekms://VAULT[.DOMAIN]/KEY[/VERSION]`; the domain is `vault.azure.net` if it is absent.
/// `/keys` may stand before `/KEY`, as in Azure's own identifiers; it does not name a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultKey {
    vault: String,
    domain: &'static str,
    key: String,
    version: Option<String>,
}

impl VaultKey {
    /// Reads what follows `azurekms:`.
    pub(super) fn parse(text: &str) -> Result<Self, KeyUriError> {
        let wrong = |part: &str, problem: &str| KeyUriError::part(part, problem);
        let rest = text
            .strip_prefix("//")
            .ok_or_else(|| wrong("azurekms:", "is not followed by //; write azurekms://VAULT/KEY"))?;
        let mut parts = rest.split('/');
        let host = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (vault, suffix) = host.split_once('.').unwrap_or((&host, DOMAINS[0]));
        if !is_name(vault, 3, 24) || vault.starts_with(|c: char| !c.is_ascii_alphabetic()) {
            return Err(wrong("the vault's name", "is not 3 to 24 letters, digits and hyphens, a letter first"));
        }
        let domain = DOMAINS.into_iter().find(|domain| *domain == suffix).ok_or_else(|| {
            wrong("the vault's domain", &format!("is not one of those that hold key vaults ({})", DOMAINS.join(", ")))
        })?;
        let (key, version) = match parts.collect::<Vec<_>>()[..] {
            // As in the key's identifier in Azure, https://VAULT.vault.azure.net/keys/KEY/VERSION.
            ["keys", key] => (key, None),
            ["keys", _, "versions"] | [_, "versions"] => {
                return Err(wrong("the path", "ends with /versions, and no version follows"));
            }
            ["keys", key, version] | ["keys", key, "versions", version] => (key, Some(version)),
            ["secrets" | "certificates", _, ..] => {
                return Err(wrong("the path", "is a secret's or a certificate's; write azurekms://VAULT/KEY"));
            }
            [] => ("", None),
            [key] => (key, None),
            [key, version] => (key, Some(version)),
            _ => return Err(wrong("the path", "has more parts than /KEY/VERSION or /keys/KEY/VERSION")),
        };
        if !is_name(key, 1, 127) {
            return Err(wrong("the key's name", "is not 1 to 127 letters, digits and hyphens"));
        }
        if version.is_some_and(|v| v.is_empty() || v.len() > 64 || !v.bytes().all(|b| b.is_ascii_alphanumeric())) {
            return Err(wrong("the key's version", "is not letters and digits"));
        }
        Ok(Self { vault: vault.into(), domain, key: key.into(), version: version.map(Into::into) })
    }

    /// The vault's host name, in lowercase.
    pub fn host(&self) -> String {
        format!("{}.{}", self.vault, self.domain)
    }

    /// The domain that the vault is in, which is also whom a token must be for.
    pub fn domain(&self) -> &'static str {
        self.domain
    }

    /// The key's name.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The key's version; the newest if absent.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
}

fn is_name(text: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

impl fmt::Display for VaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Before a version, `keys` would be read as what stands before a key.
        let keys = if self.key == "keys" && self.version.is_some() { "keys/" } else { "" };
        write!(f, "azurekms://{}/{keys}{}", self.host(), self.key)?;
        self.version.iter().try_for_each(|version| write!(f, "/{version}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signer::KeyUri;

    fn parse(text: &str) -> Result<VaultKey, KeyUriError> {
        match text.parse()? {
            KeyUri::AzureKeyVault(key) => Ok(key),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn short_and_long_forms() {
        let short = parse("azurekms://Consortium/member-0").unwrap();
        assert_eq!(short.host(), "consortium.vault.azure.net");
        assert_eq!(short, parse("azurekms://consortium.vault.azure.net/member-0").unwrap());
        let hsm = parse("azurekms://hsm1.managedhsm.usgovcloudapi.net/k/0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!((hsm.domain(), hsm.key()), ("managedhsm.usgovcloudapi.net", "k"));
        assert_eq!(hsm.version(), Some("0123456789abcdef0123456789abcdef"));
    }

    #[test]
    fn the_path_of_azures_own_identifier_is_read() {
        let version = "0123456789abcdef0123456789abcdef";
        assert_eq!(parse("azurekms://vault/keys/member0").unwrap(), parse("azurekms://vault/member0").unwrap());
        let full = parse(&format!("azurekms://vault/member0/{version}")).unwrap();
        assert_eq!(parse(&format!("azurekms://vault/keys/member0/{version}")).unwrap(), full);
        assert_eq!(parse(&format!("azurekms://vault/keys/member0/versions/{version}")).unwrap(), full);
        let odd = parse(&format!("azurekms://vault/keys/keys/{version}")).unwrap();
        assert_eq!((odd.key(), odd.version()), ("keys", Some(version)));
        assert_eq!(parse(&odd.to_string()), Ok(odd));
        assert_eq!(parse("azurekms://vault/keys").unwrap().key(), "keys");
    }

    #[test]
    fn errors_name_the_part() {
        for (text, part) in [
            ("azurekms:vault/key", "azurekms:"),
            ("azurekms:///key", "the vault's name"),
            ("azurekms://v@x/key", "the vault's name"),
            ("azurekms://vault.example.com/key", "the vault's domain"),
            ("azurekms://vault.vault.azure.net.example.com/key", "the vault's domain"),
            ("azurekms://vault.vault.azure.net:8443/key", "the vault's domain"),
            ("azurekms://vault", "the key's name"),
            ("azurekms://vault/k?x=1", "the key's name"),
            ("azurekms://vault/key/", "the key's version"),
            ("azurekms://vault/key/../secrets", "the path"),
            ("azurekms://vault/keys/key/00/11", "the path"),
            ("azurekms://vault/keys/key/versions", "the path"),
            ("azurekms://vault/key/versions", "the path"),
            ("azurekms://vault/secrets/key", "the path"),
            ("azurekms://vault/certificates/key/00", "the path"),
            ("azurekms://vault/keys/", "the key's name"),
            ("azurekms://vault/keys/key/", "the key's version"),
        ] {
            match parse(text) {
                Err(KeyUriError::Part { part: found, .. }) => assert_eq!(found, part, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
