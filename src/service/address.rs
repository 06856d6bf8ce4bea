//! Where a node listens.

use crate::text::clip;
use std::fmt;
use std::str::FromStr;

use url::Url;

/// A node's address: `https://HOST:PORT`, nothing else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeAddress(Box<Url>);

/// A text that is not the address of a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a node's address: {reason}; write https://HOST:PORT")]
pub struct AddressError {
    text: String,
    reason: &'static str,
}

impl NodeAddress {
    /// From a published address, `HOST:PORT`, as the service's own list of nodes has it.
    pub fn from_published(host_and_port: &str) -> Result<Self, AddressError> {
        format!("https://{host_and_port}").parse()
    }

    /// The address with `path` (and query) on it.
    pub(super) fn join(&self, path: &str) -> Result<Url, url::ParseError> {
        self.0.join(path)
    }
}

impl FromStr for NodeAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        // A password that was put there must not show.
        let shown = || match text.rsplit_once('@') {
            Some((_, rest)) => format!("…@{rest}"),
            None => text.to_owned(),
        };
        let wrong = |reason| AddressError { text: clip(&shown(), 120), reason };
        let url = Url::parse(text).map_err(|_| wrong("it is not a URL"))?;
        if url.scheme() != "https" {
            return Err(wrong("a service is reached over https alone"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("it names no host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it carries a user name or password"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("something follows the host and port"));
        }
        Ok(Self(Box::new(url)))
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_host_and_port_and_nothing_else() {
        for good in ["https://127.0.0.1:8000", "https://ccf.example/", "https://[::1]:443"] {
            assert!(good.parse::<NodeAddress>().is_ok(), "{good}");
        }
        assert_eq!(NodeAddress::from_published("127.0.0.1:80").unwrap().to_string(), "https://127.0.0.1:80");
        for bad in [
            "http://a:1",
            "a:1",
            "127.0.0.1:80",
            "https://u:p@a",
            "https://a/gov",
            "https://a?x",
            "https://",
            "",
            "https://a#b",
        ] {
            assert!(bad.parse::<NodeAddress>().is_err(), "{bad}");
        }
        assert!(NodeAddress::from_published("evil/@x").is_err());
        for secret in ["https://u:hunter2@a", "http://u:hunter2@a", "https://u:hunter2@ a", "u:hunter2@a"] {
            let error = secret.parse::<NodeAddress>().unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
