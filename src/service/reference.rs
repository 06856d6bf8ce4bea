//! What a person gives where an id is taken: the whole id, its first digits, or another name.

use crate::text::clip;
use std::fmt;
use std::str::FromStr;

use crate::id::{MemberId, NodeId, ProposalId};
use crate::text::visible;

/// The fewest digits of an id that stand for it.
pub const SHORTEST: usize = 8;
/// The longest name that is taken.
const LONGEST: usize = 300;

/// A kind of id that can be given by its first digits.
pub trait Referable: FromStr + fmt::Display + Copy + Eq {
    /// What it is the id of.
    const NOUN: &'static str;
    /// What else it can be given by, to follow the description of an id.
    const OTHERWISE: &'static str;

    /// Whether `text` can be that.
    fn is_other_name(text: &str) -> bool;
}

/// A proposal, node or member as a person gives it. Digits are taken in either case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference<Id> {
    text: String,
    whole: Option<Id>,
}

/// A text that refers to nothing of that kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{:?} does not refer to a {noun}: give its id (64 hexadecimal digits, or at least the first {SHORTEST} of them){otherwise}",
    visible(text)
)]
pub struct ReferenceError {
    text: String,
    noun: &'static str,
    otherwise: &'static str,
}

impl<Id> Reference<Id> {
    /// The id, if all of it was given.
    pub fn whole(&self) -> Option<&Id> {
        self.whole.as_ref()
    }

    /// What was given.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl<Id: Referable> Reference<Id> {
    /// Whether it is this id, or the beginning of it.
    pub fn begins(&self, id: Id) -> bool {
        match self.whole {
            Some(whole) => whole == id,
            None => are_digits(&self.text) && id.to_string().starts_with(&self.text.to_ascii_lowercase()),
        }
    }
}

impl Reference<NodeId> {
    /// Whether it is this published address, `HOST:PORT`, or the port in it.
    pub fn is_address(&self, published: &str) -> bool {
        let given = strip_scheme(&self.text);
        let port = published.rsplit_once(':').map(|(_, port)| port);
        given.eq_ignore_ascii_case(published) || (is_port(given) && port == Some(given))
    }
}

impl Reference<MemberId> {
    /// Whether it is this name, to the letter.
    pub fn is_name(&self, name: &str) -> bool {
        self.text == name
    }
}

impl<Id> From<Id> for Reference<Id>
where
    Id: Referable,
{
    fn from(id: Id) -> Self {
        Self { text: id.to_string(), whole: Some(id) }
    }
}

impl<Id: Referable> FromStr for Reference<Id> {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let whole = text.to_ascii_lowercase().parse().ok();
        let fits = !text.is_empty() && text.len() <= LONGEST && visible(text) == text;
        if whole.is_some() || are_digits(text) || (fits && Id::is_other_name(text)) {
            return Ok(Self { text: text.to_owned(), whole });
        }
        Err(ReferenceError { text: clip(text, 80), noun: Id::NOUN, otherwise: Id::OTHERWISE })
    }
}

impl<Id> fmt::Display for Reference<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&self.text))
    }
}

impl Referable for ProposalId {
    const NOUN: &'static str = "proposal";
    const OTHERWISE: &'static str = "";

    fn is_other_name(_: &str) -> bool {
        false
    }
}

impl Referable for NodeId {
    const NOUN: &'static str = "node";
    const OTHERWISE: &'static str = " or its address, HOST:PORT";

    fn is_other_name(text: &str) -> bool {
        let text = strip_scheme(text);
        is_port(text)
            || text
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && !host.contains('/') && is_port(port))
    }
}

impl Referable for MemberId {
    const NOUN: &'static str = "member";
    const OTHERWISE: &'static str = " or the name in its certificate";

    fn is_other_name(_: &str) -> bool {
        true
    }
}

/// Digits enough to stand for an id, and not more than it has.
fn are_digits(text: &str) -> bool {
    (SHORTEST..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_port(text: &str) -> bool {
    text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn strip_scheme(text: &str) -> &str {
    text.strip_prefix("https://").map_or(text, |rest| rest.strip_suffix('/').unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0c869f8e4c3b58f42ea0ea6293e5645f3ae764dd565b8f4461f1e339b186e654";

    #[test]
    fn an_id_is_given_whole_or_by_its_first_eight_digits_or_more() {
        let id: ProposalId = ID.parse().unwrap();
        for text in [ID, &ID.to_uppercase(), &ID[..8], "0C869F8E4", &ID[..63]] {
            let given: Reference<ProposalId> = text.parse().unwrap();
            assert!(given.begins(id), "{text}");
            assert_eq!(given.whole().is_some(), text.len() == 64, "{text}");
        }
        assert!(!"0c869f8f".parse::<Reference<ProposalId>>().unwrap().begins(id));
        for bad in ["", &ID[..7], "0x0c869f8e", "the only one", "127.0.0.1:80", &format!("{ID}0"), "0c869f8e ", " "] {
            assert!(bad.parse::<Reference<ProposalId>>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_node_is_given_by_its_address_too() {
        let given = |text: &str| text.parse::<Reference<NodeId>>();
        for text in ["127.0.0.1:27002", "https://127.0.0.1:27002", "https://127.0.0.1:27002/", "27002"] {
            assert!(given(text).unwrap().is_address("127.0.0.1:27002"), "{text}");
        }
        assert!(given("CCF.example:443").unwrap().is_address("ccf.example:443"));
        assert!(given("[::1]:443").unwrap().is_address("[::1]:443"));
        assert!(!given("7002").unwrap().is_address("127.0.0.1:27002"));
        assert!(!given("0.0.1:27002").unwrap().is_address("127.0.0.1:27002"));
        // Eight digits are the beginning of an id; no port has as many.
        assert!(!given("00027002").unwrap().is_address("127.0.0.1:00027002"));
        for bad in ["http://127.0.0.1:1", "127.0.0.1", "0", "70000", ":80", "abc", "a:b", "a:1\u{1b}", ""] {
            assert!(given(bad).is_err(), "{bad:?}");
        }
        let error = given("abc").unwrap_err().to_string();
        assert!(error.ends_with("the first 8 of them) or its address, HOST:PORT"), "{error}");
    }

    #[test]
    fn a_member_is_given_by_name_to_the_letter() {
        let given: Reference<MemberId> = "alice".parse().unwrap();
        assert!(given.is_name("alice") && !given.is_name("Alice") && !given.is_name("alice "));
        // A name may look like digits; whether it is one the service's list says.
        let given: Reference<MemberId> = "deadbeef".parse().unwrap();
        assert!(given.is_name("deadbeef") && given.whole().is_none());
        for bad in ["", "al\u{202e}ice", &"x".repeat(301)] {
            assert!(bad.parse::<Reference<MemberId>>().is_err(), "{bad:?}");
        }
    }
}
