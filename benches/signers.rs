//! Signatures per second through SoftHSM: bare PKCS#11 calls, our signer, and `pkcs11-tool`, in one run.
//! Without SoftHSM nothing is measured.
//!
//! The kinds take turns, many times in a run, so that what else the machine does hits all alike; the rate is that of
//! the median turn, and the share the median of the shares that the turns had of the bare turn beside them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    dead_code
)]

#[path = "../tests/support/skip.rs"]
mod skip;
#[path = "../tests/support/softhsm.rs"]
mod softhsm;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use ccf_gov::cose::{Algorithm, CreatedAt, Message, MessageType};
use ccf_gov::id::ProposalId;
use ccf_gov::signer::{KeyUri, NewKeys, PinSource, PinTries, Pkcs11Signer, Signer, SignerError, sign_all};
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

/// How often the kinds take their turns.
const TURNS: usize = 21;
/// Signatures in a turn, by curve: about as long a turn for each.
const SIGNATURES: [usize; 3] = [400, 60, 120];

fn measure(folder: &Path, module: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let token = Token::new(TOKEN);
    let script = br#"{"ballot": "export function vote (rawProposal, proposerId) { return true }"}"#.to_vec();
    let created_at = CreatedAt::from_seconds(1_795_356_000).unwrap();
    let ballot = Message::new(MessageType::Ballot, created_at, Some(ProposalId::from_bytes([7; 32])), script).unwrap();
    println!("signatures a second, and the share of the bare rate:");
    for (id, algorithm) in Algorithm::ALL.into_iter().enumerate() {
        let keys = NewKeys::generate("member", algorithm, 30, false).unwrap();
        token.add(&keys, algorithm.name(), id as u8, &PLAIN);
        let uri = format!("pkcs11:token=a%20token;id=%0{id}?module-path={}", module.display());
        let KeyUri::Pkcs11(uri) = uri.parse().unwrap() else { panic!() };
        let signer = runtime.block_on(Pkcs11Signer::open(&uri, None, &Pin)).unwrap();
        let to_be_signed = ccf_gov::cose::Envelope::to_be_signed(&ballot, signer.certificate());
        let wanted = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Id(vec![id as u8])];
        let key = token.session.find_objects(&wanted).unwrap()[0];
        let digest = folder.join("digest");
        std::fs::write(&digest, algorithm.digest(&to_be_signed)).unwrap();
        let tool = || {
            let mut tool = Command::new("pkcs11-tool");
            tool.arg("--module").arg(module).args(["--token-label", TOKEN, "--login", "--pin", PIN, "--sign"]);
            tool.args(["-m", "ECDSA", "--id", &format!("0{id}"), "-i"]).arg(&digest).arg("-o").arg(folder.join("out"));
            tool.output().is_ok_and(|output| output.status.success())
        };
        let has_tool = tool();

        let count = SIGNATURES[id];
        let rate = |count: usize, work: &dyn Fn()| {
            let start = Instant::now();
            work();
            count as f64 / start.elapsed().as_secs_f64()
        };
        let mut rates: [Vec<f64>; 4] = Default::default();
        for _ in 0..TURNS {
            rates[0].push(rate(count, &|| {
                for _ in 0..count {
                    token.session.sign(&Mechanism::Ecdsa, key, &algorithm.digest(&to_be_signed)).unwrap();
                }
            }));
            rates[1].push(rate(count, &|| {
                let done = |_| Ok::<_, SignerError>(());
                runtime.block_on(sign_all(&signer, vec![ballot.clone(); count], done)).unwrap();
            }));
            rates[2].push(rate(count, &|| {
                for _ in 0..count {
                    runtime.block_on(signer.sign(&to_be_signed)).unwrap();
                }
            }));
            if has_tool {
                rates[3].push(rate(1, &|| assert!(tool())));
            }
        }
        let names = ["bare calls", "a batch, verified", "one at a time", "pkcs11-tool --sign"];
        for (name, own) in names.into_iter().zip(&rates).filter(|(_, own)| !own.is_empty()) {
            let share = median(own.iter().zip(&rates[0]).map(|(own, bare)| own / bare).collect());
            println!("{algorithm}  {name:<18} {:>8.0}  {:>4.0} %", median(own.clone()), share * 100.0);
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
