//! A network in memory with virtual time, on which members and an operator repeat their step while things go wrong.
//!
//! Every schedule is made from a seed: `CCF_GOV_SEED=17` runs one and tells its story, `CCF_GOV_SCHEDULES=100000` runs so many.

use std::collections::BTreeMap;

use schedule::Schedule;

mod bench;
mod end;
mod exact;
mod faults;
mod guard;
mod look;
mod mutation;
mod network;
mod oracle;
mod proposals;
mod random;
mod schedule;
mod state;
mod steps;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn random_schedules_end_well() {
    if let Some(seed) = number("CCF_GOV_SEED") {
        let mut schedule = Schedule::new(seed);
        let end = schedule.run();
        eprintln!("{}\n{end:?}", schedule.story.join("\n"));
        assert!(end.is_ok());
        return;
    }
    run(FOUND.into_iter());
    let count = number("CCF_GOV_SCHEDULES").unwrap_or(1000);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()) as u64;
    let ends = std::thread::scope(|scope| {
        let each = |first: u64| scope.spawn(move || run((first..count).step_by(threads as usize)));
        let running: Vec<_> = (0..threads).map(each).collect();
        let mut ends: BTreeMap<String, usize> = BTreeMap::new();
        for (end, times) in running.into_iter().flat_map(|thread| thread.join().unwrap()) {
            *ends.entry(end).or_default() += times;
        }
        ends
    });
    eprintln!("{ends:?}");
    let of = |end: &str| ends.get(end).copied().unwrap_or(0);
    assert!(2 * of("Done") > ends.values().sum(), "most schedules come to the end: {ends:?}");
}

/// Schedules that once ended wrong. 56209: nobody leads for good, and a member went on to withdraw a proposal. 71194: the model ended while
/// its operator had a node to start.
const FOUND: [u64; 2] = [56_209, 71_194];

fn run(seeds: impl Iterator<Item = u64>) -> BTreeMap<String, usize> {
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for seed in seeds {
        let mut schedule = Schedule::new(seed);
        match schedule.run() {
            Ok(end) => *ends.entry(format!("{end:?}")).or_default() += 1,
            Err(wrong) => {
                panic!("schedule {seed}:\n{}\n{wrong}\nCCF_GOV_SEED={seed} repeats it", schedule.story.join("\n"))
            }
        }
    }
    ends
}
