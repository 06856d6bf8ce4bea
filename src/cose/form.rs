//! Envelopes in other forms than CCF's own tools write: what CCF reads all the same is told from what it refuses.

use super::sign1::COSE_SIGN1;
use super::{CoseError, Envelope, EnvelopeError, Header, MAX_ENVELOPE, Sign1};
use crate::cbor::{ARRAY, BSTR, CborError, MAP, NINT, Reader, TAG, TSTR, UINT};

/// A form that CCF reads, and that neither its tools nor this library write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Form {
    /// An array or map that ends with a break instead of stating its length.
    #[error("its {0} has an indefinite length")]
    Indefinite(&'static str),
    /// A number in more bytes than it needs.
    #[error("a number in its {0} is encoded in more bytes than it needs")]
    NotShortest(&'static str),
    /// Parameters that no signature covers; their labels.
    #[error("its unprotected header is not empty ({}), and its content is not signed", .0.join(", "))]
    Unprotected(Vec<String>),
}

/// A COSE_Sign1 message in whatever form, as far as it can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// Its parts; empty where they could not be read.
    pub cose: Sign1,
    /// Unusual forms, which CCF reads.
    pub forms: Vec<Form>,
    /// Why CCF refuses it, whatever it says.
    pub faults: Vec<CoseError>,
}

impl Sign1 {
    /// Reads a COSE_Sign1 message in any form, as far as possible.
    ///
    /// # Errors
    /// If it is nothing like a COSE_Sign1 message, so that there is nothing to show.
    pub fn examine(bytes: &[u8]) -> Result<Examined, CoseError> {
        if bytes.len() as u64 > MAX_ENVELOPE {
            return Err(CoseError::TooLarge);
        }
        Examiner { reader: Reader::lenient(bytes), forms: Vec::new(), faults: Vec::new() }.message()
    }
}

impl Envelope {
    /// Reads an envelope in any form that CCF takes, with what is unusual about it. It is written in the usual form again: what is
    /// signed, and the signature, by which a service knows a proposal again, are the same.
    ///
    /// # Errors
    /// As [`Envelope::from_bytes`], for what CCF refuses.
    pub fn from_any_form(bytes: &[u8]) -> Result<(Self, Vec<Form>), EnvelopeError> {
        let Examined { cose, forms, faults } = Sign1::examine(bytes)?;
        match faults.into_iter().next() {
            Some(fault) => Err(fault.into()),
            None => Ok((Self::from_sign1(cose)?, forms)),
        }
    }
}

const OUTER: &str = "outer array";
const PROTECTED: &str = "protected header";
const UNPROTECTED: &str = "unprotected header";

/// More parameters than any header has.
const MAX_PARAMETERS: usize = 64;
const MAX_DEPTH: u32 = 16;

struct Examiner<'a> {
    reader: Reader<'a>,
    forms: Vec<Form>,
    faults: Vec<CoseError>,
}

impl<'a> Examiner<'a> {
    fn message(mut self) -> Result<Examined, CoseError> {
        let malformed = |part| move |error| CoseError::Cbor { part, error };
        match self.reader.peek() {
            Some(TAG) => {
                if self.count(TAG, "a tag", "tag").map_err(malformed("tag"))? != Some(COSE_SIGN1) {
                    self.faults.push(CoseError::Tag);
                }
            }
            Some(ARRAY) => self.faults.push(CoseError::Tag),
            _ => return Err(CoseError::Tag),
        }
        let parts = self.count(ARRAY, "an array", OUTER).map_err(malformed(OUTER))?;
        if let Some(parts) = parts.filter(|parts| *parts != 4) {
            return Err(CoseError::Parts(parts));
        }
        let nothing = Sign1 { header: Header::default(), protected: vec![], payload: vec![], signature: vec![] };
        let mut cose = nothing.clone();
        match self.parts(&mut cose, parts.is_none()) {
            // A header that is cut off is one fault.
            Err(fault) if !self.faults.contains(&fault) => self.faults.push(fault),
            _ => {}
        }
        match self.faults.last() {
            Some(fault) if cose == nothing => Err(fault.clone()),
            _ => Ok(Examined { cose, forms: self.forms, faults: self.faults }),
        }
    }

    fn parts(&mut self, cose: &mut Sign1, is_indefinite: bool) -> Result<(), CoseError> {
        let malformed = |part| move |error| CoseError::Cbor { part, error };
        let protected = self.bytes(PROTECTED, &mut cose.protected);
        // What there is of a header that is cut off says something too.
        cose.header = self.header(&cose.protected.clone());
        protected?;
        let labels = self.unprotected().map_err(malformed(UNPROTECTED))?;
        if !labels.is_empty() {
            self.forms.push(Form::Unprotected(labels));
        }
        if self.reader.rest().first() == Some(&0xf6) {
            return Err(CoseError::Detached);
        }
        self.bytes("payload", &mut cose.payload)?;
        self.bytes("signature", &mut cose.signature)?;
        if is_indefinite && !self.reader.end() {
            return Err(CoseError::Cbor { part: OUTER, error: CborError::Expected("ended after four parts") });
        }
        match self.reader.rest().len() {
            0 => Ok(()),
            length => Err(CoseError::Trailing(length)),
        }
    }

    /// An item's argument; `None` for an indefinite length.
    fn count(&mut self, major: u8, what: &'static str, part: &'static str) -> Result<Option<u64>, CborError> {
        if matches!(major, ARRAY | MAP) && self.reader.begin_indefinite(major) {
            self.forms.push(Form::Indefinite(part));
            return Ok(None);
        }
        self.note_number(part);
        self.reader.argument(major, what).map(Some)
    }

    /// A byte string. Of one that is cut off what there is; one in chunks is read, though CCF does not.
    fn bytes(&mut self, part: &'static str, into: &mut Vec<u8>) -> Result<(), CoseError> {
        let malformed = |error| CoseError::Cbor { part, error };
        if self.reader.begin_indefinite(BSTR) {
            self.faults.push(malformed(CborError::Indefinite));
            while !self.reader.end() {
                into.extend(self.reader.bytes().map_err(malformed)?);
            }
            return Ok(());
        }
        self.note_number(part);
        let length = self.reader.argument(BSTR, "a byte string").map_err(malformed)?;
        let rest = self.reader.rest();
        match self.reader.take(length) {
            Ok(bytes) => into.extend(bytes),
            Err(error) => {
                into.extend(rest);
                return Err(malformed(error));
            }
        }
        Ok(())
    }

    /// The labels in the unprotected header.
    fn unprotected(&mut self) -> Result<Vec<String>, CborError> {
        let count = self.count(MAP, "a map", UNPROTECTED)?;
        let mut labels = Vec::new();
        while self.has_more(count, labels.len()) {
            labels.push(label(&mut self.reader)?);
            self.reader.skip(MAX_DEPTH)?;
            if labels.len() > MAX_PARAMETERS {
                return Err(CborError::Entries);
            }
        }
        Ok(labels)
    }

    /// The protected header's parameters, as many as can be read. Of two with one label the first counts.
    fn header(&mut self, bytes: &[u8]) -> Header {
        let mut header = Header::default();
        let mut inner = Examiner { reader: Reader::lenient(bytes), forms: Vec::new(), faults: Vec::new() };
        if let Err(fault) = inner.parameters(&mut header) {
            inner.faults.push(fault);
        }
        self.forms.append(&mut inner.forms);
        self.forms.dedup();
        self.faults.append(&mut inner.faults);
        header
    }

    fn parameters(&mut self, header: &mut Header) -> Result<(), CoseError> {
        let malformed = |error| CoseError::Cbor { part: PROTECTED, error };
        let count = self.count(MAP, "a map", PROTECTED).map_err(malformed)?;
        let mut seen: Vec<String> = Vec::new();
        while self.has_more(count, seen.len()) {
            self.note_number(PROTECTED);
            let label = label(&mut self.reader).map_err(|error| match error {
                CborError::Expected(_) => CoseError::Label,
                error => malformed(error),
            })?;
            self.note_number(PROTECTED);
            let value = self.reader.clone();
            let read = match seen.contains(&label) {
                true => Err(CoseError::Duplicate(label.clone())),
                false => header.parameter(&label, &mut self.reader),
            };
            if let Err(fault) = read {
                self.faults.push(fault);
                self.reader = value;
                self.reader.skip(MAX_DEPTH).map_err(malformed)?;
            }
            seen.push(label);
            if seen.len() > MAX_PARAMETERS {
                return Err(malformed(CborError::Entries));
            }
        }
        if self.reader.rest().is_empty() { Ok(()) } else { Err(malformed(CborError::Expected("one map alone"))) }
    }

    /// Whether there is another entry after `read` of them, in a map of `count` or one that ends with a break.
    fn has_more(&mut self, count: Option<u64>, read: usize) -> bool {
        match count {
            Some(count) => (read as u64) < count,
            None => !self.reader.end(),
        }
    }

    /// Notes a number, which comes next, in more bytes than it needs.
    fn note_number(&mut self, part: &'static str) {
        if !self.reader.is_shortest() && !self.forms.contains(&Form::NotShortest(part)) {
            self.forms.push(Form::NotShortest(part));
        }
    }
}

/// A parameter's label, as [`Header`] writes it.
pub(super) fn label(reader: &mut Reader<'_>) -> Result<String, CborError> {
    match reader.peek() {
        Some(UINT | NINT) => Ok(reader.integer()?.to_string()),
        Some(TSTR) => Ok(format!("{:?}", reader.text()?)),
        Some(_) => Err(CborError::Expected("an integer or a text")),
        None => Err(CborError::Truncated),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cose::{CreatedAt, MemberCertificate, Message, MessageType, Signature};

    /// A withdrawal in the usual form, and the offsets of its parts behind the tag and the array's head.
    fn usual() -> Vec<u8> {
        let certificate = MemberCertificate::from_pem(include_bytes!("../../keys-example/member0_cert.pem")).unwrap();
        let at = CreatedAt::from_seconds(1_795_355_000).unwrap();
        let message = Message::new(MessageType::StateDigest, at, None, Vec::new()).unwrap();
        let signature = Signature::from_fixed(certificate.algorithm(), &[7; 96]).unwrap();
        Envelope::unverified(message, &certificate, signature).to_bytes()
    }

    fn case(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/vectors/envelopes/{name}.cose", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn forms_that_ccf_takes_are_named_and_read() {
        let certificate = MemberCertificate::from_pem(include_bytes!("../../keys-example/member0_cert.pem")).unwrap();
        for (name, form) in [
            ("indef_array", Form::Indefinite(OUTER)),
            ("wide_tag", Form::NotShortest("tag")),
            ("unprot_extra", Form::Unprotected(vec!["33".into()])),
        ] {
            let bytes = case(name);
            let (envelope, forms) = Envelope::from_any_form(&bytes).unwrap();
            assert_eq!(forms, [form], "{name}");
            envelope.verify(&certificate).unwrap();
            // It is never written so.
            Envelope::from_bytes(&envelope.to_bytes()).unwrap();
            assert!(Envelope::from_bytes(&bytes).is_err(), "{name}");
        }
        let (envelope, forms) = Envelope::from_any_form(&usual()).unwrap();
        assert_eq!((envelope.to_bytes(), forms), (usual(), vec![]));
    }

    #[test]
    fn what_ccf_refuses_is_shown_as_far_as_it_can_be() {
        let usual = usual();
        let full = Sign1::examine(&usual).unwrap().cose;
        let faults = |bytes: &[u8]| {
            let examined = Sign1::examine(bytes).unwrap();
            assert_eq!(examined.cose.header, full.header, "{bytes:02x?}");
            examined.faults
        };
        assert_eq!(faults(&usual[1..]), [CoseError::Tag]);
        assert_eq!(faults(&[&usual[..], b"x"].concat()), [CoseError::Trailing(1)]);
        assert_eq!(
            faults(&usual[..usual.len() - 1]),
            [CoseError::Cbor { part: "signature", error: CborError::Truncated }]
        );
        for bytes in [
            &b"{\"actions\": []}"[..],
            b"",
            b"\xd2",
            b"\xd2\x83\x40\xa0\x40",
            b"\xd2\x84\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert!(Sign1::examine(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_label_that_appears_twice_hides_nothing() {
        let header = b"\xa3\x01\x26\x01\x38\x22\x04\x41x";
        let bytes = [&b"\xd2\x84\x49"[..], header, b"\xa0\x40\x40"].concat();
        let examined = Sign1::examine(&bytes).unwrap();
        assert_eq!(examined.faults, [CoseError::Duplicate("1".into())]);
        assert_eq!((examined.cose.header.alg, examined.cose.header.kid), (Some(-7), Some(b"x".to_vec())));
    }

    proptest! {
        #[test]
        fn strict_and_lenient_readers_agree_on_the_usual_form(cut in 0..400_usize, at in 0..400_usize, byte: u8) {
            let mut bytes = usual();
            if let Some(there) = bytes.get_mut(at) { *there = byte; }
            bytes.truncate(cut.max(1));
            match (Sign1::from_bytes(&bytes), Sign1::examine(&bytes)) {
                (Ok(strict), Ok(any)) => prop_assert_eq!((strict, vec![], vec![]), (any.cose, any.forms, any.faults)),
                (Ok(_), Err(error)) => prop_assert!(false, "{}", error),
                (Err(_), Ok(any)) => prop_assert!(!any.forms.is_empty() || !any.faults.is_empty()),
                (Err(_), Err(_)) => {}
            }
        }
    }
}
