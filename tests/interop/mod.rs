//! Against CCF's own Python package, in both directions: their envelopes are valid here, ours are valid there, and the
//! protected headers are equal byte for byte for the same input.
//!
//! The interpreter is `CCF_GOV_PYTHON`, or the one in target/venv, which scripts/test makes.

mod pipeline;
mod walk;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ccf_gov::cose::{Algorithm, Envelope, MemberCertificate, MessageType};

use crate::support::skip::missing;

pub const PROPOSAL_ID: &str = "7777777777777777777777777777777777777777777777777777777777777777";
pub const CREATED_AT: &str = "2026-11-22T14:00:00+00:00";

/// A place with keys for one algorithm and a content file for each message type, and CCF's tools.
pub struct Peer {
    python: PathBuf,
    pub folder: tempfile::TempDir,
}

impl Peer {
    /// Checks a member's envelope with CCF's package, where it is installed.
    pub fn check(certificate: &MemberCertificate, envelope: &[u8]) {
        let Some(this) = Self::empty() else { return };
        std::fs::write(this.path("member_cert.pem"), certificate.to_pem()).unwrap();
        std::fs::write(this.path("envelope.cose"), envelope).unwrap();
        this.verifies("envelope.cose");
    }

    /// `None` where CCF's package is missing.
    pub fn new(algorithm: Algorithm) -> Option<Self> {
        let this = Self::empty()?;
        let curve = algorithm.curve().name().to_lowercase().replace('-', "");
        let made = this.ccf_gov(&["keys", "generate", "member", "--curve", &curve]);
        assert!(made.status.success(), "{made:?}");
        for kind in MessageType::ALL {
            std::fs::write(this.path(kind.name()), content(kind)).unwrap();
        }
        Some(this)
    }

    fn empty() -> Option<Self> {
        let Some(python) = python() else {
            missing("CCF's Python package (scripts/test installs it; CCF_GOV_PYTHON names a Python that has it)");
            return None;
        };
        Some(Self { python, folder: tempfile::tempdir().unwrap() })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn certificate(&self) -> MemberCertificate {
        MemberCertificate::from_pem(&std::fs::read(self.path("member_cert.pem")).unwrap()).unwrap()
    }

    /// The options that describe one request, as CCF's documentation spells them.
    pub fn options(&self, kind: MessageType) -> Vec<String> {
        let mut options = vec![
            "--content".into(),
            kind.name().into(),
            "--signing-cert".into(),
            "member_cert.pem".into(),
            "--ccf-gov-msg-type".into(),
            kind.name().into(),
            "--ccf-gov-msg-created_at".into(),
            CREATED_AT.into(),
        ];
        if kind.names_proposal() {
            options.extend(["--ccf-gov-msg-proposal_id".into(), PROPOSAL_ID.into()]);
        }
        options
    }

    pub fn ccf_gov(&self, args: &[impl AsRef<std::ffi::OsStr>]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_ccf-gov")).args(args).current_dir(self.folder.path()).output().unwrap()
    }

    /// One of CCF's commands, for example `ccf_cose_sign1_prepare`.
    pub fn theirs(&self, command: &str, args: &[impl AsRef<std::ffi::OsStr>]) -> Output {
        let program = self.python.with_file_name(command);
        Command::new(program).args(args).current_dir(self.folder.path()).output().unwrap()
    }

    /// Runs a Python program in the folder; its output.
    pub fn python(&self, program: &str, args: &[&str]) -> Vec<u8> {
        let run = Command::new(&self.python)
            .arg("-c")
            .arg(program)
            .args(args)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        run.stdout
    }

    /// Whether the package encodes headers deterministically: 7.0 does, 6.0 puts the proposal id before the time.
    pub fn sorts_headers(&self) -> bool {
        let version = self.python("import importlib.metadata as m; print(m.version('ccf').split('.')[0])", &[]);
        String::from_utf8(version).unwrap().trim().parse::<u32>().unwrap() >= 7
    }

    /// Checks an envelope with the package's own library.
    pub fn verifies(&self, file: &str) {
        // pycose, which CCF 6 uses, wants a list and a dict inside the tag; since its version 6 cbor2 gives frozen ones.
        const VERIFY: &str = "
import sys, cbor2, ccf.cose
from cryptography.x509 import load_pem_x509_certificate
loads = cbor2.loads
def with_list(data):
    item = loads(data)
    if not isinstance(item, cbor2.CBORTag):
        return item
    return cbor2.CBORTag(item.tag, [x if isinstance(x, bytes) else dict(x) for x in item.value])
pem = open('member_cert.pem', 'rb').read()
envelope = open(sys.argv[1], 'rb').read()
if hasattr(ccf.cose, 'validate_cose_sign1'):
    cbor2.loads = with_list
    ccf.cose.validate_cose_sign1(load_pem_x509_certificate(pem).public_key(), envelope)
else:
    ccf.cose.verify_cose_sign1_with_cert(pem, envelope, use_key=False)
";
        self.python(VERIFY, &[file]);
    }

    /// Checks an envelope here, and that it is the request of this kind.
    pub fn is_valid_here(&self, bytes: &[u8], kind: MessageType) -> Envelope {
        let envelope = Envelope::from_bytes(bytes).unwrap();
        envelope.verify(&self.certificate()).unwrap();
        let message = envelope.message();
        assert_eq!((message.kind(), message.created_at().seconds()), (kind, 1_795_356_000));
        assert_eq!(message.payload(), content(kind).as_bytes());
        envelope
    }
}

pub fn output(run: Output) -> Vec<u8> {
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    run.stdout
}

fn content(kind: MessageType) -> &'static str {
    match kind {
        MessageType::Proposal => {
            r#"{"actions": [{"name": "set_recovery_threshold", "args": {"recovery_threshold": 1}}]}"#
        }
        MessageType::Ballot => r#"{"ballot": "export function vote (rawProposal, proposerId) { return true }"}"#,
        MessageType::Ack => r#"{"stateDigest": "0c869f8e4c3b58f42ea0ea6293e5645f3ae764dd565b8f4461f1e339b186e654"}"#,
        MessageType::RecoveryShare => r#"{"share": "c2hhcmU="}"#,
        MessageType::Withdrawal | MessageType::StateDigest | MessageType::EncryptedRecoveryShare => "",
    }
}

fn python() -> Option<PathBuf> {
    let named = std::env::var_os("CCF_GOV_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python"));
    let probe = Command::new(&python).args(["-c", "import ccf.cose"]).output().ok()?;
    probe.status.success().then_some(python)
}
