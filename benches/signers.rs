//! Signatures per second through SoftHSM: bare PKCS#11 calls, our signer, and `pkcs11-tool`, in one run.
//! Without SoftHSM nothing is measured.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, missing_docs, dead_code)]

#[path = "../tests/support/softhsm.rs"]
mod softhsm;

use std::path::Path;
use std::process::Command;

use ccf_gov::cose::Algorithm;
use ccf_gov::signer::{KeyUri, NewKeys, PinSource, PinTries, Pkcs11Signer, Signer};
use criterion::{Criterion, Throughput};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use softhsm::{PIN, PLAIN, TOKEN, Token};
use zeroize::Zeroizing;

const FOLDER: &str = "CCF_GOV_BENCH_TOKEN";

struct Pin;

impl PinSource for Pin {
    fn pin(&self, _token: &str, _tries: PinTries) -> std::io::Result<Zeroizing<String>> {
        Ok(Zeroizing::new(PIN.into()))
    }
}

fn main() {
    let Some(module) = softhsm::module() else {
        eprintln!("skipped: SoftHSM is not installed");
        return;
    };
    // SoftHSM reads its configuration from the environment, which a process gets when it starts.
    let Some(folder) = std::env::var_os(FOLDER) else {
        let folder = tempfile::tempdir().unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(std::env::args_os().skip(1))
            .env("SOFTHSM2_CONF", softhsm::configure(folder.path()))
            .env(FOLDER, folder.path())
            .status()
            .unwrap();
        assert!(status.success());
        return;
    };
    measure(Path::new(&folder), &module);
}

fn measure(folder: &Path, module: &Path) {
    let mut criterion = Criterion::default().configure_from_args().without_plots();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let token = Token::new(TOKEN);
    for (id, algorithm) in Algorithm::ALL.into_iter().enumerate() {
        let keys = NewKeys::generate("member", algorithm, 30, false).unwrap();
        token.add(&keys, algorithm.name(), id as u8, &PLAIN);
        let uri = format!("pkcs11:token=a%20token;id=%0{id}?module-path={}", module.display());
        let KeyUri::Pkcs11(uri) = uri.parse().unwrap() else { panic!() };
        let signer = runtime.block_on(Pkcs11Signer::open(&uri, None, &Pin)).unwrap();
        let message = vec![7; 2000];

        let mut group = criterion.benchmark_group(format!("softhsm/{algorithm}"));
        group.throughput(Throughput::Elements(1)).sample_size(30);
        group.bench_function("bare", |b| {
            let wanted = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Id(vec![id as u8])];
            let key = token.session.find_objects(&wanted).unwrap()[0];
            b.iter(|| token.session.sign(&Mechanism::Ecdsa, key, &algorithm.digest(&message)).unwrap());
        });
        group.bench_function("signer", |b| b.iter(|| runtime.block_on(signer.sign(&message)).unwrap()));
        let digest = folder.join("digest");
        std::fs::write(&digest, algorithm.digest(&message)).unwrap();
        let tool = || {
            let mut tool = Command::new("pkcs11-tool");
            tool.arg("--module").arg(module).args(["--token-label", TOKEN, "--login", "--pin", PIN, "--sign"]);
            tool.args(["-m", "ECDSA", "--id", &format!("0{id}"), "-i"]).arg(&digest).arg("-o").arg(folder.join("out"));
            tool.output().is_ok_and(|output| output.status.success())
        };
        if tool() {
            group.sample_size(10).bench_function("pkcs11-tool", |b| b.iter(|| assert!(tool())));
        }
        group.finish();
    }
    criterion.final_summary();
}
