//! Certificates as AMD and the signer of utility VMs have them: `rcgen` knows no RSA-PSS with SHA-384.

use der::asn1::ObjectIdentifier;
use der::{Encode, TagNumber};

use super::key::Key;
use crate::der::{Tag, write, write_bit_string, write_integer, write_sequence};
use crate::sandbox::SandboxError;

/// From before any report of these, to the last day that a UTCTime can name.
const DATES: [&[u8]; 2] = [b"240101000000Z", b"491231235959Z"];
/// Who issues them all.
const ORGANIZATION: &str = "ccf-gov sandbox";

const COMMON_NAME: &str = "2.5.4.3";
const ORGANIZATION_NAME: &str = "2.5.4.10";
const ECDSA_SHA384: &str = "1.2.840.10045.4.3.3";
const RSA_PSS: &str = "1.2.840.113549.1.1.10";
const MGF1: &str = "1.2.840.113549.1.1.8";
const SHA384: &str = "2.16.840.1.101.3.4.2.2";

/// The DER of a certificate, version 3.
pub(super) fn certificate(
    issuer: (&str, &Key),
    subject: (&str, &Key),
    serial: u8,
    extensions: &[Vec<u8>],
) -> Result<Vec<u8>, SandboxError> {
    let algorithm = algorithm(issuer.1)?;
    let [from, until] = [element(Tag::UtcTime, DATES[0])?, element(Tag::UtcTime, DATES[1])?];
    let signed = sequence(&[
        &explicit(0, &integer(&[2])?)?,
        &integer(&[serial])?,
        &algorithm,
        &name(issuer.0)?,
        &sequence(&[&from, &until])?,
        &name(subject.0)?,
        &subject.1.spki()?,
        &explicit(3, &sequence(&extensions.iter().map(Vec::as_slice).collect::<Vec<_>>())?)?,
    ])?;
    let signature = issuer.1.sign(&signed)?;
    let signature = match issuer.1 {
        Key::Rsa(_) => signature,
        Key::P384(_) => sequence(&[&integer(&signature[..48])?, &integer(&signature[48..])?])?,
    };
    sequence(&[&signed, &algorithm, &write_bit_string(&signature).ok_or_else(too_long)?])
}

/// An extension of this id whose value has these contents.
pub(super) fn extension(id: &str, critical: bool, contents: &[u8]) -> Result<Vec<u8>, SandboxError> {
    let critical = if critical { element(Tag::Boolean, &[0xff])? } else { Vec::new() };
    sequence(&[&oid(id)?, &critical, &element(Tag::OctetString, contents)?])
}

/// Basic constraints and key usage of something that may issue certificates.
pub(super) fn authority() -> Result<Vec<Vec<u8>>, SandboxError> {
    let may_issue = sequence(&[&element(Tag::Boolean, &[0xff])?])?;
    let cert_and_crl_sign = element(Tag::BitString, &[1, 0x06])?;
    Ok(vec![extension("2.5.29.19", true, &may_issue)?, extension("2.5.29.15", true, &cert_and_crl_sign)?])
}

pub(super) fn element(tag: Tag, contents: &[u8]) -> Result<Vec<u8>, SandboxError> {
    write(tag, contents).ok_or_else(too_long)
}

pub(super) fn sequence(parts: &[&[u8]]) -> Result<Vec<u8>, SandboxError> {
    write_sequence(parts).ok_or_else(too_long)
}

/// The non-negative INTEGER whose big-endian bytes these are.
pub(super) fn integer(bytes: &[u8]) -> Result<Vec<u8>, SandboxError> {
    write_integer(crate::der::significant(bytes)).ok_or_else(too_long)
}

pub(super) fn oid(id: &str) -> Result<Vec<u8>, SandboxError> {
    let id = ObjectIdentifier::new(id).map_err(SandboxError::certificate)?;
    id.to_der().map_err(SandboxError::certificate)
}

fn explicit(number: u32, contents: &[u8]) -> Result<Vec<u8>, SandboxError> {
    element(Tag::ContextSpecific { constructed: true, number: TagNumber(number) }, contents)
}

/// Organization and common name.
fn name(common_name: &str) -> Result<Vec<u8>, SandboxError> {
    let part = |id: &str, text: &str| {
        let pair = sequence(&[&oid(id)?, &element(Tag::Utf8String, text.as_bytes())?])?;
        element(Tag::Set, &pair)
    };
    sequence(&[&part(ORGANIZATION_NAME, ORGANIZATION)?, &part(COMMON_NAME, common_name)?])
}

/// How a key signs: RSA-PSS with SHA-384 and a salt of 48 bytes, or ECDSA with SHA-384.
fn algorithm(key: &Key) -> Result<Vec<u8>, SandboxError> {
    match key {
        Key::P384(_) => sequence(&[&oid(ECDSA_SHA384)?]),
        Key::Rsa(_) => {
            let sha384 = sequence(&[&oid(SHA384)?, &element(Tag::Null, &[])?])?;
            let parameters = sequence(&[
                &explicit(0, &sha384)?,
                &explicit(1, &sequence(&[&oid(MGF1)?, &sha384])?)?,
                &explicit(2, &integer(&[48])?)?,
                &explicit(3, &integer(&[1])?)?,
            ])?;
            sequence(&[&oid(RSA_PSS)?, &parameters])
        }
    }
}

fn too_long() -> SandboxError {
    SandboxError::Certificate("a part of it is too long".into())
}
