//! A private key on a token: finding it, its certificate, and signing with it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ccf_gov_pkcs11_sign::SignCall;
use cryptoki::context::{Function, Pkcs11};
use cryptoki::error::{Error, Rv, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};

use super::card::{Card, label, unpadded};
use super::{Pkcs11Error, Pkcs11Uri};
use crate::cose::{Algorithm, MemberCertificate};
use crate::curve::Curve;
use crate::der::{self, Tag};
use crate::signer::SignerError;

/// The most objects of one kind that are looked at on a token.
const MAX_OBJECTS: usize = 4096;

/// A key that was chosen, as it stays with the session.
pub(super) struct Key {
    handle: ObjectHandle,
    /// The module's `C_Sign`, for a key that wants its PIN before each signature (CKA_ALWAYS_AUTHENTICATE).
    call: Option<SignCall>,
}

/// What a token says of one object.
#[derive(Clone, Default)]
pub(super) struct Facts {
    pub(super) label: String,
    pub(super) id: Vec<u8>,
    pub(super) key_type: Option<KeyType>,
    pub(super) curve: Option<Algorithm>,
    pub(super) point: Option<Vec<u8>>,
    pub(super) may_sign: bool,
    pub(super) always_authenticate: bool,
    value: Vec<u8>,
}

/// A key that was chosen, as the rest of the library sees it.
pub(super) struct FoundKey {
    pub(super) token: String,
    pub(super) always_authenticate: bool,
    name: String,
    algorithm: Algorithm,
    point: Option<Vec<u8>>,
    certificates: Vec<MemberCertificate>,
}

impl FoundKey {
    /// The member's certificate: the one that was given, or else the token's, if it is the key's.
    pub(super) fn certificate(&self, given: Option<MemberCertificate>) -> Result<MemberCertificate, SignerError> {
        let (token, key) = (self.token.clone(), self.name.clone());
        let certificate = match (given, &self.certificates[..]) {
            (Some(given), _) => given,
            (None, [one]) => one.clone(),
            (None, []) => return Err(Pkcs11Error::NoCertificate { token, key }.into()),
            (None, several) => return Err(Pkcs11Error::SeveralCertificates { token, key, count: several.len() }.into()),
        };
        if !certificate.fits_key(self.algorithm, self.point.as_deref()) {
            return Err(SignerError::Mismatch);
        }
        Ok(certificate)
    }
}

impl Card {
    /// Finds the one private key that `uri` names, and keeps it. `module` is the file of the module.
    pub(super) fn find_key(&mut self, module: PathBuf, uri: &Pkcs11Uri) -> Result<FoundKey, Pkcs11Error> {
        let token = label(&self.token).to_owned();
        let all = self.objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])?;
        let names = |keys: &[&(ObjectHandle, Facts)]| {
            let mut names: Vec<_> = keys.iter().map(|(_, facts)| facts.name()).collect();
            names.sort();
            names
        };
        let fitting: Vec<_> = all.iter().filter(|(_, facts)| facts.fit(uri)).collect();
        let (handle, facts) = match fitting[..] {
            [one] => one,
            [] => {
                let present = names(&all.iter().collect::<Vec<_>>());
                return Err(Pkcs11Error::KeyNotFound { token, wanted: wanted(uri), present });
            }
            _ => return Err(Pkcs11Error::SeveralKeys { token, present: names(&fitting), advice: advice(&fitting) }),
        };
        let name = facts.name();
        let Some(algorithm) = facts.curve.filter(|_| facts.key_type == Some(KeyType::EC)) else {
            return Err(Pkcs11Error::KeyType { key: name });
        };
        if !facts.may_sign {
            return Err(Pkcs11Error::MayNotSign { key: name });
        }
        let point = self.point(facts)?;
        let mut certificates = self.certificates(facts)?;
        if let (Some(point), true) = (&point, certificates.len() > 1) {
            certificates.retain(|certificate| certificate.has_key(point));
        }
        let always_authenticate = facts.always_authenticate;
        let call = if always_authenticate {
            let call = SignCall::load(&module).map_err(|source| Pkcs11Error::Load { path: module.clone(), source })?;
            Some(call.ok_or_else(|| Pkcs11Error::NoRoomForPin { key: name.clone(), module })?)
        } else {
            self.pin = None;
            None
        };
        self.key = Some(Key { handle: *handle, call });
        Ok(FoundKey { token, always_authenticate, name, algorithm, point, certificates })
    }

    /// A private key's point: its own, or that of the public key with its id and label. A token can hold several such, and
    /// where they differ nothing is known.
    pub(super) fn point(&self, key: &Facts) -> Result<Option<Vec<u8>>, Pkcs11Error> {
        if key.point.is_some() {
            return Ok(key.point.clone());
        }
        let tied = self.objects(&same(ObjectClass::PUBLIC_KEY, key))?;
        let points = |label: Option<&str>| {
            let fitting = tied.iter().filter(|(_, public)| label.is_none_or(|label| public.label == label));
            fitting.filter_map(|(_, public)| public.point.clone()).collect::<BTreeSet<_>>()
        };
        let mut found = points(Some(&key.label));
        if found.is_empty() {
            found = points(None);
        }
        Ok(if found.len() == 1 { found.pop_first() } else { None })
    }

    /// The certificates with a key's CKA_ID that a member could have.
    pub(super) fn certificates(&self, key: &Facts) -> Result<Vec<MemberCertificate>, Pkcs11Error> {
        if key.id.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.objects(&same(ObjectClass::CERTIFICATE, key))?;
        Ok(found.iter().filter_map(|(_, facts)| MemberCertificate::from_der(&facts.value).ok()).collect())
    }

    /// The objects of a kind, with what the token says of them.
    pub(super) fn objects(&self, template: &[Attribute]) -> Result<Vec<(ObjectHandle, Facts)>, Pkcs11Error> {
        let failed = |e| self.failed("looking through the token", e);
        let handles: Result<Vec<_>, _> =
            self.session.iter_objects(template).map_err(failed)?.take(MAX_OBJECTS).collect();
        let mut objects = Vec::new();
        for handle in handles.map_err(failed)? {
            objects.push((handle, Facts::read(&self.session, handle).map_err(failed)?));
        }
        Ok(objects)
    }

    /// Signs a message's digest with the key; the answer is whatever the token gave.
    pub(super) fn sign(
        &mut self,
        module: &Pkcs11,
        algorithm: Algorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, Pkcs11Error> {
        const DOING: &str = "signing";
        let Some(Key { handle, call }) = &self.key else { return Err(Pkcs11Error::ThreadEnded(DOING)) };
        let digest = algorithm.digest(message);
        if call.is_none() {
            return self.session.sign(&Mechanism::Ecdsa, *handle, &digest).map_err(|e| self.sign_failed(e));
        }
        self.session.sign_init(&Mechanism::Ecdsa, *handle).map_err(|e| self.sign_failed(e))?;
        // PKCS#11 v2.40, section 4.9: the log-in stands between the beginning and the end of the operation.
        let log_in = self.log_in(module, UserType::ContextSpecific);
        let Some(Key { call: Some(call), .. }) = &self.key else { return Err(Pkcs11Error::ThreadEnded(DOING)) };
        // DER takes a few bytes more than r ‖ s.
        let max = 2 * algorithm.signature_len();
        let signed = call.sign(self.session.handle(), &digest, max);
        // Without its log-in the operation was only ended, so that another can begin.
        log_in?;
        signed.map_err(|code| match code.map(Rv::from) {
            Some(Rv::Error(error)) => self.sign_failed(Error::Pkcs11(error, Function::Sign)),
            Some(Rv::Ok) | None => Pkcs11Error::SignatureTooLong { token: label(&self.token).into(), max },
        })
    }

    fn sign_failed(&self, error: Error) -> Pkcs11Error {
        match error {
            Error::Pkcs11(RvError::ObjectHandleInvalid | RvError::KeyHandleInvalid, _) => {
                Pkcs11Error::Removed { token: label(&self.token).into(), source: error.into() }
            }
            error => self.failed("signing", error),
        }
    }
}

impl Facts {
    fn read(session: &Session, object: ObjectHandle) -> Result<Self, Error> {
        const WANTED: [AttributeType; 8] = [
            AttributeType::Label,
            AttributeType::Id,
            AttributeType::KeyType,
            AttributeType::EcParams,
            AttributeType::EcPoint,
            AttributeType::Sign,
            AttributeType::AlwaysAuthenticate,
            AttributeType::Value,
        ];
        let mut facts = Self::default();
        let mut point = None;
        // A token leaves out what the object does not have, and never gives a private key's value.
        for attribute in session.get_attributes(object, &WANTED)? {
            match attribute {
                Attribute::Label(label) => facts.label = String::from_utf8_lossy(&label).into_owned(),
                Attribute::Id(id) => facts.id = id,
                Attribute::KeyType(key_type) => facts.key_type = Some(key_type),
                Attribute::EcParams(oid) => facts.curve = curve(&oid),
                Attribute::EcPoint(der) => point = Some(der),
                Attribute::Sign(may) => facts.may_sign = may,
                Attribute::AlwaysAuthenticate(always) => facts.always_authenticate = always,
                Attribute::Value(value) => facts.value = value,
                _ => {}
            }
        }
        facts.point = facts.curve.zip(point).and_then(|(curve, der)| uncompressed_point(curve, &der));
        Ok(facts)
    }

    pub(super) fn fit(&self, uri: &Pkcs11Uri) -> bool {
        uri.object.as_deref().is_none_or(|label| label == unpadded(&self.label))
            && uri.id.as_ref().is_none_or(|id| *id == self.id)
    }

    /// The label and id, as a key URI spells the id.
    pub(super) fn name(&self) -> String {
        let id: String = self.id.iter().map(|b| format!("%{b:02x}")).collect();
        format!("{:?} (id={id})", unpadded(&self.label))
    }
}

/// The template of what belongs to a key: the same CKA_ID, or the same label where there is no id.
fn same(class: ObjectClass, key: &Facts) -> Vec<Attribute> {
    let tie = if key.id.is_empty() {
        Attribute::Label(key.label.clone().into_bytes())
    } else {
        Attribute::Id(key.id.clone())
    };
    vec![Attribute::Class(class), tie]
}

/// The curve that CKA_EC_PARAMS names: the DER of its object identifier.
fn curve(der: &[u8]) -> Option<Algorithm> {
    Curve::ALL.into_iter().find(|curve| curve.oid_der() == der).map(Algorithm::of_curve)
}

/// The point in CKA_EC_POINT: an OCTET STRING by the standard, the bare point on some tokens.
fn uncompressed_point(curve: Algorithm, value: &[u8]) -> Option<Vec<u8>> {
    let bare = 1 + 2 * curve.scalar_len();
    let point = if value.len() == bare { value } else { der::contents(value, Tag::OctetString)? };
    (point.len() == bare && point.first() == Some(&4)).then(|| point.to_vec())
}

/// How one of several keys can be named.
fn advice(keys: &[&(ObjectHandle, Facts)]) -> &'static str {
    let differ = |what: fn(&Facts) -> (&str, &[u8])| {
        keys.iter().map(|(_, facts)| what(facts)).collect::<BTreeSet<_>>().len() == keys.len()
    };
    if differ(|facts| ("", &facts.id)) {
        "add the id of the one you mean"
    } else if differ(|facts| (&facts.label, &[])) {
        "add the label (object) of the one you mean"
    } else if differ(|facts| (&facts.label, &facts.id)) {
        "add the label (object) and the id of the one you mean"
    } else {
        "several keys have the same label and id, so no URI identifies one of them: give it a different id with the token's own tool"
    }
}

/// What the URI says of the key, as a person reads it.
fn wanted(uri: &Pkcs11Uri) -> String {
    let id = uri.id.as_ref().map(|id| format!("of id {}", id.iter().map(|b| format!("%{b:02x}")).collect::<String>()));
    let label = uri.object.as_ref().map(|label| format!("of label {label:?}"));
    label.into_iter().chain(id).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_wrapped_and_bare() {
        for algorithm in Algorithm::ALL {
            let mut bare = vec![4; 1 + 2 * algorithm.scalar_len()];
            bare[1] = 7;
            let mut wrapped =
                if algorithm == Algorithm::ES512 { vec![4, 0x81, 133] } else { vec![4, bare.len() as u8] };
            wrapped.extend(&bare);
            assert_eq!(uncompressed_point(algorithm, &bare), Some(bare.clone()));
            assert_eq!(uncompressed_point(algorithm, &wrapped), Some(bare.clone()));
            assert_eq!(uncompressed_point(algorithm, &wrapped[1..]), None);
            assert_eq!(uncompressed_point(algorithm, &[]), None);
        }
    }
}
