//! What is rehearsed when nobody names a plan: three nodes of the example members that get other code.

use serde_json::{Value, json};

use super::{Rehearsal, Signing};
use crate::constitution::DEFAULT;
use crate::cose::MemberCertificate;
use crate::digest::{HostData, sha256};
use crate::sandbox::{Member, NodeCode, Options};
use crate::signer::{PemSigner, Signer, SignerError};
use crate::upgrade::{Code, Plan};

/// How many nodes there are before and after.
const NODES: usize = 3;

impl Rehearsal {
    /// A service of three nodes whose members have these keys, and a plan that replaces code, constitution and application.
    pub fn example(signers: Vec<Box<dyn Signer>>) -> Self {
        let (old, new) = (HostData(sha256(b"old")), HostData(sha256(b"new")));
        let member =
            |s: &dyn Signer| Member { certificate: s.certificate().clone(), encryption_key: None, data: Value::Null };
        let members = signers.iter().map(|s| member(&**s)).collect();
        let nodes = vec![NodeCode::virtual_node(old); NODES];
        Self {
            plan: Plan {
                constitution: Some(format!("{DEFAULT}\n// Set in a rehearsal.\n")),
                application: Some(application()),
                ..Plan::of(Code::virtual_node(new), NODES)
            },
            sandbox: Options::new(members, DEFAULT.into(), nodes),
            signers,
            new: NodeCode::virtual_node(new),
            nodes: Vec::new(),
            copied: Vec::new(),
            not_copied: Vec::new(),
            signing: Signing::Direct,
            faults: Vec::new(),
            progress: None,
        }
    }
}

/// The keys of the three example members, which come with the sources and are public.
pub fn example_signers() -> Result<Vec<Box<dyn Signer>>, SignerError> {
    let pairs = [
        (
            include_str!("../../../keys-example/member0_privk.pem"),
            include_str!("../../../keys-example/member0_cert.pem"),
        ),
        (
            include_str!("../../../keys-example/member1_privk.pem"),
            include_str!("../../../keys-example/member1_cert.pem"),
        ),
        (
            include_str!("../../../keys-example/member2_privk.pem"),
            include_str!("../../../keys-example/member2_cert.pem"),
        ),
    ];
    let signer = |(key, certificate): (&str, &str)| -> Result<Box<dyn Signer>, SignerError> {
        let certificate = MemberCertificate::from_pem(certificate.as_bytes())?;
        Ok(Box::new(PemSigner::new(key, certificate)?))
    };
    pairs.into_iter().map(signer).collect()
}

/// The smallest application: one endpoint.
fn application() -> Value {
    json!({
        "metadata": {"endpoints": {"/hello": {"get": {
            "js_module": "hello.js",
            "js_function": "hello",
            "forwarding_required": "never",
            "authn_policies": ["no_auth"],
            "mode": "readonly",
            "openapi": {},
        }}}},
        "modules": [{"name": "hello.js", "module": "export function hello() {\n  return { body: { hello: \"new code\" } };\n}\n"}],
    })
}
