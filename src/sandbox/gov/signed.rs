//! Who signed a request: CCF's two authentication policies for members.

use super::envelope::SignedRequest;
use crate::cose::{Algorithm, MemberCertificate, Signature};
use crate::id::MemberId;
use crate::kv::row::{read, read_text};
use crate::kv::table::COSE_HISTORY;
use crate::kv::{Tables, table};
use crate::sandbox::reply::Fault;
use crate::sandbox::router::Call;
use crate::text::clip;

/// The member who signed a request, and what was signed.
pub(super) struct Signer {
    pub(super) member: MemberId,
    pub(super) request: SignedRequest,
    /// The whole request, as it came.
    pub(super) envelope: Vec<u8>,
}

/// A request of this type by a member, active or not.
pub(super) fn by_member(call: &Call<'_>, tables: &Tables, kind: &str) -> Result<Signer, Fault> {
    signed(call, tables, kind, "member_cose_sign1")
}

/// A request of this type by an active member.
pub(super) fn by_active_member(call: &Call<'_>, tables: &Tables, kind: &str) -> Result<Signer, Fault> {
    let policy = "active_member_cose_sign1";
    let signer = signed(call, tables, kind, policy)?;
    match read(tables, table::MEMBER_INFO, &signer.member.to_string()) {
        Some(row) if row["status"] == "Active" => Ok(signer),
        _ => Err(Fault::unauthenticated(policy, "The signer is not an active member.")),
    }
}

impl Signer {
    /// Keeps the request in the table that auditors read.
    pub(super) fn record(&self, tables: &mut Tables) {
        use base64::Engine;
        let envelope = base64::engine::general_purpose::STANDARD.encode(&self.envelope);
        let text = serde_json::Value::from(envelope).to_string();
        tables.put(COSE_HISTORY, self.member.to_string().as_bytes(), text);
    }

    /// Refuses a path that names another proposal than the signed header does.
    pub(super) fn check_proposal(&self, id: &str) -> Result<(), Fault> {
        if self.request.proposal_id.as_deref() == Some(id) {
            return Ok(());
        }
        Err(Fault::bad_name("The proposal id in the path is not the one that was signed."))
    }

    /// Refuses a path that names another member than the signer.
    pub(super) fn check_member(&self, id: &str) -> Result<(), Fault> {
        if self.member.to_string() == id {
            return Ok(());
        }
        Err(Fault::bad_name("The member id in the path is not the signer's."))
    }
}

fn signed(call: &Call<'_>, tables: &Tables, kind: &str, policy: &'static str) -> Result<Signer, Fault> {
    let refuse = |reason: String| Err(Fault::unauthenticated(policy, reason));
    match call.request.content_type.as_deref() {
        Some("application/cose") => {}
        None => return refuse("There is no content-type header.".into()),
        Some(_) => return refuse("The content-type is not application/cose.".into()),
    }
    let request = SignedRequest::read(&call.request.body)?;
    let Some(algorithm) = Algorithm::from_cose_id(request.alg) else {
        return refuse(format!("The algorithm {} is not supported.", request.alg));
    };
    let known = read_text(tables, table::MEMBER_CERTS, &request.kid);
    let (Some(pem), Ok(member)) = (known, request.kid.parse()) else {
        return refuse("The signer is not a member of this service.".into());
    };
    let certificate = MemberCertificate::from_pem(pem.as_bytes());
    let certificate = certificate.map_err(|e| Fault::internal(format!("The member's certificate is unusable: {e}")))?;
    let message = request.to_be_signed()?;
    let signature = Signature::from_fixed(algorithm, &request.signature);
    if signature.and_then(|s| certificate.verify(&message, &s)).is_err() {
        return refuse("The signature is not valid.".into());
    }
    match request.kind.as_deref() {
        Some(found) if found == kind => {}
        Some(found) => {
            let found = clip(found, 80);
            return refuse(format!("The message type is {found:?}, and this call takes {kind}."));
        }
        None => return refuse(format!("There is no message type, and this call takes {kind}.")),
    }
    Ok(Signer { member, request, envelope: call.request.body.to_vec() })
}
