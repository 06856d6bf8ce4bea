//! Exact ballots and numbers in two JavaScript engines: ours, and Node.js. What they read is what the tool takes them to read.

use std::process::Command;

use ccf_gov::json::{as_javascript, is_exact, same};
use ccf_gov::proposal::Proposal;
use ccf_gov::proposal::ballot::{self, BallotKind};
use rquickjs::{Context, Function, Module, Runtime};
use serde_json::{Number, json};

use crate::support::skip::missing;

/// How many random numbers.
const COUNT: usize = 4000;

/// A fixed sequence that looks random (xorshift), so that a failure can be seen again.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn digits(&mut self, count: u64) -> String {
        (0..count).map(|_| char::from(b'0' + self.next(10) as u8)).collect()
    }

    /// A number as somebody may write it.
    fn number(&mut self) -> String {
        let sign = if self.next(4) == 0 { "-" } else { "" };
        let positive = match self.next(6) {
            // As JavaScript prints what Math.random() gives.
            0 => ((self.next(1 << 53)) as f64 / (1u64 << 53) as f64).to_string(),
            // Any double, by its bits.
            1 => match f64::from_bits(self.next(u64::MAX)).abs() {
                any if any.is_finite() => format!("{any:e}"),
                _ => "1e400".into(),
            },
            2 => ((1u64 << 53) - 500 + self.next(1000)).to_string(),
            3 => self.next(100_000).to_string(),
            4 => {
                let count = 1 + self.next(20);
                format!("{}.{}", self.next(1000), self.digits(count))
            }
            _ => {
                let (count, exponent) = (1 + self.next(25), self.next(700) as i64 - 350);
                format!("{}.{}{}{exponent}", self.next(10), self.digits(count), ["e", "E"][self.next(2) as usize])
            }
        };
        format!("{sign}{positive}")
    }
}

/// Numbers that have been read wrongly, or are at a border, and random ones.
fn numbers() -> Vec<String> {
    let known = [
        "0.9382359288434663",
        "0.9382359288434664",
        "123456789012345.678",
        "2.2250738585072011e-308",
        "9007199254740991",
        "9007199254740993",
        "1e400",
        "1e-400",
        "5e-324",
        "-0",
        "0",
        "1.0",
        "1e0",
        "1E2",
        "-0.0",
        "1.7976931348623157e308",
        "0.1000000000000000055511151231257827",
        "17976931348623158079372897140530341507993413271003782693617377898044e241",
    ];
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    known.map(String::from).into_iter().chain((0..COUNT).map(|_| random.number())).collect()
}

fn proposal(number: &str) -> String {
    format!(r#"{{"actions":[{{"name":"set_member_data","args":{{"member_data":{{"n":{number}}}}}}}]}}"#)
}

/// A number, what it is taken for, the exact ballot for it if there is one, and other proposals with what that must answer.
struct Case {
    number: String,
    bits: u64,
    script: Option<String>,
    others: Vec<(String, bool)>,
}

fn cases() -> Vec<Case> {
    let numbers = numbers();
    let case = |(at, number): (usize, &String)| {
        let parsed: Number = number.parse().unwrap();
        let read = as_javascript(&parsed);
        let wanted = Proposal::parse(proposal(number).as_bytes()).unwrap();
        let script = ballot::exact(&wanted).ok().map(|ballot| ballot.script().to_owned());
        assert_eq!(script.is_some(), is_exact(&parsed), "{number}");
        assert!(script.as_ref().is_none_or(|script| ballot::kind(script) == BallotKind::Exact), "{number}");
        let neighbours = [read.next_up(), read.next_down(), read, -read];
        let neighbours = neighbours.into_iter().filter(|n| n.is_finite()).map(|n| format!("{n:e}"));
        let another = numbers[(at * 7 + 1) % numbers.len()].clone();
        let others = neighbours.chain([number.clone(), another]).map(|other| {
            let other = Proposal::parse(proposal(&other).as_bytes()).unwrap();
            (String::from_utf8(other.bytes().to_vec()).unwrap(), same(wanted.value(), other.value()))
        });
        Case { number: number.clone(), bits: read.to_bits(), script, others: others.collect() }
    };
    numbers.iter().enumerate().map(case).collect()
}

#[test]
fn our_engine_reads_numbers_as_they_are_taken_and_exact_ballots_tell_them_apart() {
    let runtime = Runtime::new().unwrap();
    for case in cases() {
        let context = Context::full(&runtime).unwrap();
        context.with(|ctx| {
            let read: f64 = ctx.eval(format!("JSON.parse('{}')", case.number)).unwrap();
            assert_eq!(read.to_bits(), case.bits, "{}", case.number);
            let Some(script) = &case.script else { return };
            let (module, _) = Module::declare(ctx.clone(), "ballot", script.as_str()).unwrap().eval().unwrap();
            let vote: Function<'_> = module.get("vote").unwrap();
            for (other, expected) in &case.others {
                assert_eq!(
                    vote.call::<_, bool>((other.as_str(), "ab")).unwrap(),
                    *expected,
                    "{}: {other}",
                    case.number
                );
            }
        });
    }
}

/// Reads the cases, and prints what goes otherwise than they say.
const RUNNER: &str = r"
import { readFileSync } from 'node:fs';
const view = new DataView(new ArrayBuffer(8));
let seen = 0;
for (const { number, bits, script, others } of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  view.setFloat64(0, JSON.parse(number));
  if (view.getBigUint64(0).toString(16) !== bits) console.log(`${number} is read as ${JSON.parse(number)}`);
  seen += 1;
  if (script === null) continue;
  const { vote } = await import('data:text/javascript,' + encodeURIComponent(script));
  for (const [other, expected] of others) {
    if (vote(other, 'ab') !== expected) console.log(`${number}: ${other} gets ${!expected}`);
  }
}
console.log(`${seen} numbers`);
";

#[test]
fn node_reads_numbers_as_they_are_taken_and_exact_ballots_tell_them_apart() {
    let Some(node) = ["node", "nodejs"].into_iter().find(|name| Command::new(name).arg("--version").output().is_ok())
    else {
        return missing("Node.js (apt-get install nodejs)");
    };
    let cases = cases();
    let folder = tempfile::tempdir().unwrap();
    let list: Vec<_> = cases
        .iter()
        .map(|c| json!({"number": c.number, "bits": format!("{:x}", c.bits), "script": c.script, "others": c.others}))
        .collect();
    std::fs::write(folder.path().join("cases.json"), json!(list).to_string()).unwrap();
    std::fs::write(folder.path().join("run.mjs"), RUNNER).unwrap();
    let run = Command::new(node).current_dir(folder.path()).args(["run.mjs", "cases.json"]).output().unwrap();
    let printed = String::from_utf8_lossy(&run.stdout);
    assert_eq!(printed.trim(), format!("{} numbers", cases.len()), "{}", String::from_utf8_lossy(&run.stderr));
}
