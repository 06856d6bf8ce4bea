//! A SoftHSM token of a test's own, in a temporary folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use ccf_gov::cose::Algorithm;
use ccf_gov::signer::NewKeys;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, CertificateType, KeyType, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use p256::pkcs8::DecodePrivateKey;

use super::skip::missing;

/// The user PIN: a text that nothing else holds.
pub const PIN: &str = "pin-7f3c9a51";
pub const TOKEN: &str = "a token";
const FOLDER: &str = "CCF_GOV_TEST_TOKEN";

/// Runs `body` in a process of its own, where `SOFTHSM2_CONF` leads to an empty temporary folder: SoftHSM reads that
/// variable once, and a process has it once. `test` is the calling test's full name.
pub fn in_child(test: &str, environment: &[(&str, &str)], body: impl FnOnce(&Path)) {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return body(Path::new(&folder));
    }
    if module().is_none() {
        return missing("SoftHSM (apt-get install softhsm2)");
    }
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env("SOFTHSM2_CONF", configure(folder.path()))
        .env(FOLDER, folder.path())
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{test}: {}\n{text}", output.status);
}

/// SoftHSM's configuration for tokens in `folder`.
pub fn configure(folder: &Path) -> PathBuf {
    let tokens = folder.join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let file = folder.join("softhsm2.conf");
    let text = format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display());
    std::fs::write(&file, text).unwrap();
    file
}

/// SoftHSM's module, if it is installed.
pub fn module() -> Option<PathBuf> {
    [
        "/usr/lib/softhsm",
        "/usr/lib/x86_64-linux-gnu/softhsm",
        "/usr/lib64",
        "/usr/local/lib/softhsm",
        "/opt/homebrew/lib/softhsm",
    ]
    .into_iter()
    .map(|folder| Path::new(folder).join("libsofthsm2.so"))
    .find(|path| path.exists())
}

/// A token, as its owner sets it up: through PKCS#11 itself.
pub struct Token {
    module: Pkcs11,
    /// The owner's session.
    pub session: Session,
}

/// How a key on a token is.
pub struct Kind {
    pub sign: bool,
    pub always_authenticate: bool,
    pub certificate: bool,
    pub public_key: bool,
}

pub const PLAIN: Kind = Kind { sign: true, always_authenticate: false, certificate: true, public_key: false };

impl Token {
    /// Initialises the next free slot.
    pub fn new(label: &str) -> Self {
        let module = Pkcs11::new(module().unwrap()).unwrap();
        let _ = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
        let slots = module.get_slots_with_token().unwrap();
        let free = slots.into_iter().find(|s| !module.get_token_info(*s).unwrap().token_initialized()).unwrap();
        let officer: AuthPin = "officer-1234".into();
        module.init_token(free, &officer, label).unwrap();
        let session = module.open_rw_session(free).unwrap();
        session.login(UserType::So, Some(&officer)).unwrap();
        session.init_pin(&PIN.into()).unwrap();
        session.logout().unwrap();
        session.login(UserType::User, Some(&PIN.into())).unwrap();
        Self { module, session }
    }

    /// Puts a key and its certificate on the token.
    pub fn add(&self, keys: &NewKeys, label: &str, id: u8, kind: &Kind) {
        self.add_named(keys, label, &[id], kind);
    }

    /// As [`Self::add`], with an id of any length.
    pub fn add_named(&self, keys: &NewKeys, label: &str, id: &[u8], kind: &Kind) {
        let folder = tempfile::tempdir().unwrap();
        let pem = std::fs::read_to_string(keys.write(folder.path(), false).unwrap().private_key).unwrap();
        let certificate = keys.certificate();
        let (oid, scalar) = match certificate.algorithm() {
            Algorithm::ES256 => {
                ("06082a8648ce3d030107", p256::SecretKey::from_pkcs8_pem(&pem).unwrap().to_bytes().to_vec())
            }
            Algorithm::ES384 => ("06052b81040022", p384::SecretKey::from_pkcs8_pem(&pem).unwrap().to_bytes().to_vec()),
            Algorithm::ES512 => ("06052b81040023", p521::SecretKey::from_pkcs8_pem(&pem).unwrap().to_bytes().to_vec()),
        };
        let mut private = common(ObjectClass::PRIVATE_KEY, label, id);
        private.extend([
            Attribute::KeyType(KeyType::EC),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(kind.sign),
            Attribute::EcParams(hex::decode(oid).unwrap()),
            Attribute::Value(scalar),
        ]);
        if kind.always_authenticate {
            private.push(Attribute::AlwaysAuthenticate(true));
        }
        self.session.create_object(&private).unwrap();
        if kind.public_key {
            let point = certificate.public_key();
            let head: &[u8] =
                if point.len() > 127 { &[0x04, 0x81, point.len() as u8] } else { &[0x04, point.len() as u8] };
            let mut public = common(ObjectClass::PUBLIC_KEY, label, id);
            public.extend([
                Attribute::KeyType(KeyType::EC),
                Attribute::Private(false),
                Attribute::Verify(true),
                Attribute::EcParams(hex::decode(oid).unwrap()),
                Attribute::EcPoint([head, point].concat()),
            ]);
            self.session.create_object(&public).unwrap();
        }
        if kind.certificate {
            self.add_certificate(keys, label, id);
        }
    }

    /// Puts a certificate on the token.
    pub fn add_certificate(&self, keys: &NewKeys, label: &str, id: &[u8]) {
        let mut object = common(ObjectClass::CERTIFICATE, label, id);
        object.extend([
            Attribute::CertificateType(CertificateType::X_509),
            Attribute::Private(false),
            Attribute::Subject(vec![0x30, 0]),
            Attribute::Value(keys.certificate().der().to_vec()),
        ]);
        self.session.create_object(&object).unwrap();
    }

    /// Ends the owner's log-in, which would otherwise count for everything in this process.
    pub fn log_out(self) {
        self.session.logout().unwrap();
        drop(self.module);
    }
}

fn common(class: ObjectClass, label: &str, id: &[u8]) -> Vec<Attribute> {
    vec![Attribute::Class(class), Attribute::Token(true), Attribute::Label(label.into()), Attribute::Id(id.to_vec())]
}
