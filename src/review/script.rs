//! A script in a proposal that is being written, compiled by the engine that runs constitutions here.

use crate::constitution::{ScriptFault, check_constitution, check_join_policy};
use crate::proposal::{Script, ScriptRefusal};

/// Checks the script as one that `action` would put in force.
///
/// # Errors
/// What is wrong with it, and in which line of which file.
pub fn check_script(action: &str, script: &Script) -> Result<(), ScriptRefusal> {
    let check = match action {
        "set_constitution" => check_constitution(&script.text),
        "set_node_join_policy" => check_join_policy(&script.text),
        _ => Ok(()),
    };
    match check {
        // Lint reports that; it is no fault of the script.
        Err(fault) if fault.is_of_engine() => Ok(()),
        Err(ScriptFault { reason, line }) => {
            Err(ScriptRefusal { place: line.map(|line| script.place(line as usize)), reason })
        }
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proposal::ValueSource;

    #[test]
    fn a_fault_is_placed_in_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            ValueSource::File(path)
        };
        let good = write("a.js", "export function validate(i) {}\nexport function resolve(p, i, v) {}\n");
        let bad = write("b.js", "\nexport function apply(p) {}\n");
        let script = Script::read(&[good.clone(), bad]).unwrap();
        let refusal = check_script("set_constitution", &script).unwrap_err();
        assert!(refusal.place.unwrap().ends_with("b.js, line 2") && refusal.reason.contains("apply with 1 arg"));
        assert_eq!(check_script("set_node_join_policy", &script), Ok(()));
        let text = Script::read(&[ValueSource::Text("export function apply( {".into())]).unwrap();
        assert_eq!(check_script("set_node_join_policy", &text).unwrap_err().place.as_deref(), Some("line 1"));
        let apply = ValueSource::Text("export function apply(p, i) {}".into());
        assert_eq!(check_script("set_constitution", &Script::read(&[good, apply]).unwrap()), Ok(()));
    }
}
