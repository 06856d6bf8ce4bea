//! The members of a sandbox when nobody names others. They are compiled in, so that an installed binary has them too.

use serde_json::Value;

use super::options::Member;
use crate::cose::MemberCertificate;

const MEMBERS: [[&str; 2]; 3] = [
    [include_str!("../../keys-example/member0_cert.pem"), include_str!("../../keys-example/member0_enc_pubk.pem")],
    [include_str!("../../keys-example/member1_cert.pem"), include_str!("../../keys-example/member1_enc_pubk.pem")],
    [include_str!("../../keys-example/member2_cert.pem"), include_str!("../../keys-example/member2_enc_pubk.pem")],
];

/// The three members whose keys are in `keys-example/`. Everybody has their private keys.
pub fn example_members() -> Vec<Member> {
    let member = |[certificate, key]: &[&str; 2]| {
        let certificate = MemberCertificate::from_pem(certificate.as_bytes()).ok()?;
        Some(Member { certificate, encryption_key: Some((*key).to_owned()), data: Value::Null })
    };
    MEMBERS.iter().filter_map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_members_are_there() {
        assert_eq!(example_members().len(), 3);
    }
}
