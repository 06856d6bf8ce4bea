//! Engines are made beforehand and modules compiled once: no call sees anything of another, and each has all of its limits.

use super::*;

/// Runs `body` as `validate`; its description is what it returns.
fn validate(constitution: &Constitution, input: &str) -> String {
    constitution.validate(&Tables::new(), input).unwrap().description
}

/// A constitution whose `validate` evaluates its input.
fn evaluator() -> Constitution {
    let rules =
        RULES.replace("return {valid: true, description: ''};", "return {valid: true, description: (0, eval)(input)};");
    Constitution::new(&format!("let calls = 0; globalThis.next = () => String(++calls);\n{rules}")).unwrap()
}

#[test]
fn no_call_sees_what_another_left() {
    let evaluator = evaluator();
    let pollute = "globalThis.left = 1; Object.prototype.left = 1; Array.prototype.push = null; Array.prototype.left = 1;
        Function.prototype.call = null; JSON.parse = () => ({left: 1}); ccf.strToBuf = null; ccf.kv.left = 1; console.left = 1;
        Object.getPrototypeOf(ccf.crypto).left = 1; Symbol.for('left').description + next() + next();";
    let look =
        "[typeof left, ({}).left, [].left, typeof [].push, typeof Function.prototype.call, JSON.parse('{}').left,
        typeof ccf.strToBuf, Object.keys(ccf.kv).join(), console.left, next()].join();";
    for _ in 0..12 {
        assert_eq!(validate(&evaluator, look), "undefined,,,function,function,,function,,,1");
        assert_eq!(validate(&evaluator, pollute), "left12");
        let ballot = "export function vote() { return typeof left === 'undefined' && [].left === undefined && !('next' in globalThis); }";
        assert_eq!(vote(&Tables::new(), ballot), Ok(true));
        // An engine that was made for the constitution has its module: a ballot never runs there.
        let import = "import {validate} from 'public:ccf.gov.constitution[0]'; export const vote = validate;";
        assert_eq!(vote(&Tables::new(), import).unwrap_err().stage, Stage::Load);
    }
}

#[test]
fn modules_of_one_name_are_not_mistaken_for_each_other() {
    let constitutions: Vec<Constitution> = (0..4)
        .map(|n| {
            Constitution::new(&RULES.replace("description: ''", &format!("description: 'constitution {n}'"))).unwrap()
        })
        .collect();
    let tables = Tables::new();
    for round in 0..5 {
        for (n, constitution) in constitutions.iter().enumerate() {
            assert_eq!(validate(constitution, "{}"), format!("constitution {n}"));
            // The same voter and proposal, so the same module name.
            let yes = (round + n) % 2 == 0;
            let ballot = format!("export function vote() {{ return {yes}; }}");
            assert_eq!(constitution.vote(&tables, &proposal("{}"), member(2), &ballot), Ok(yes));
        }
    }
}

#[test]
fn a_call_that_ran_into_a_limit_costs_the_next_ones_nothing() {
    let evaluator = evaluator();
    let fails = |script: &str| evaluator.validate(&Tables::new(), script).unwrap_err().reason;
    let fine = || {
        assert_eq!(validate(&evaluator, "1 + 1 + ''"), "2");
        // All of the memory and of the stack, again.
        assert_eq!(
            validate(
                &evaluator,
                "const a = []; for (let i = 0; i < 90; i++) a.push(new ArrayBuffer(1e6)); a.length + ''"
            ),
            "90"
        );
        assert_eq!(validate(&evaluator, "const f = (n) => n && f(n - 1); f(1000) + ''"), "0");
    };
    for _ in 0..3 {
        assert!(fails("const a = []; for (;;) a.push(new ArrayBuffer(1e6));").contains("memory"));
        fine();
        assert!(fails("const a = []; for (let n = 0; ; n++) a.push(new Array(10000).fill(n));").contains("memory"));
        fine();
        assert!(fails("const f = () => f() + 1; f();").contains("stack"));
        fine();
    }
    assert_eq!(fails("for (;;) {}"), "Operation took too long to complete.");
    fine();
}

#[test]
fn calls_at_the_same_time_do_not_meet() {
    let evaluator = evaluator();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let evaluator = &evaluator;
            scope.spawn(move || {
                for n in 0..20 {
                    let script =
                        format!("const mine = '{thread} {n}'; globalThis.all = (globalThis.all ?? '') + mine; all");
                    assert_eq!(validate(evaluator, &script), format!("{thread} {n}"));
                }
            });
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn many_calls_do_not_grow_memory() {
    let constitution = evaluator();
    let script = "const ring = {}; ring.ring = ring; globalThis.ring = ring; const a = new Array(1000).fill(ring).map((r) => ({r})); a.length + ''";
    let run = |calls: usize| (0..calls).for_each(|_| assert_eq!(validate(&constitution, script), "1000"));
    let pages = || -> u64 {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse().unwrap()
    };
    run(1000);
    let before = pages();
    run(10_000);
    // Other tests run beside this one: what leaked would be a gigabyte, 100 KiB a call.
    let grown = pages().saturating_sub(before) * 4096;
    assert!(grown < 500 << 20, "{grown} bytes");
}
