//! The part of Rego in which security policies are generated: definitions of plain values and references.
//!
//! Whatever else a policy holds is kept as a statement that was not understood, never passed over in silence.

mod reader;
mod term;

use reader::Reader;
pub use term::Term;

/// How many statements that are not understood are kept; the others are counted.
pub const MAX_STATEMENTS: usize = 100;

/// A policy's statements.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Module {
    /// The package, if the file names one first.
    pub package: Option<String>,
    /// `name := value`, in order.
    pub definitions: Vec<Definition>,
    /// The first [`MAX_STATEMENTS`] statements that are none of these.
    pub not_understood: Vec<Statement>,
    /// How many more there are.
    pub more_not_understood: usize,
}

/// `name := value` or `default name := value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// The name.
    pub name: String,
    /// The value.
    pub term: Term,
    /// The line on which it begins, from 1.
    pub line: usize,
}

/// Rego that this reader does not understand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// The beginning of its first line.
    pub text: String,
    /// Why not, where its first line does not show it.
    pub why: Option<String>,
}

/// Reads a policy. There is no error: what is not understood is told in the result.
pub fn parse(text: &str) -> Module {
    let mut reader = Reader::new(text);
    let mut module = Module::default();
    while reader.skip_space() {
        let (start, line) = (reader.at(), reader.line());
        if reader.statement(&mut module, line).is_some() {
            continue;
        }
        let why = reader.problem.take();
        reader.go_back(start);
        if module.not_understood.len() < MAX_STATEMENTS {
            module.not_understood.push(Statement { line, text: reader.line_start(160), why });
        } else {
            module.more_not_understood += 1;
        }
        reader.skip_statement();
    }
    module
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_policies_are_read_and_the_rest_is_told() {
        let module = parse(
            "# comment\npackage policy\nimport future.keywords.in\n\napi_version := \"0.10.0\"\ncontainers := [\n  {\n    \"command\": [\"a\", `b\"c`],\n    \"n\": -1.5e3,\n  },\n]\nmount_device := data.framework.mount_device\nallow_it := true # yes\ndefault x := {\"allowed\": false}\nload_fragment := {\"allowed\": true} {\n  input.x == 1\n}\nreason = {\"errors\": data.framework.errors,}\n",
        );
        assert_eq!(module.package.as_deref(), Some("policy"));
        let names: Vec<_> = module.definitions.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["api_version", "containers", "mount_device", "allow_it", "x", "reason"]);
        assert_eq!(module.definitions[1].term.list()[0].get("command").unwrap().list()[1].text(), Some("b\"c"));
        assert_eq!(module.definitions[1].line, 6);
        assert_eq!(module.not_understood.len(), 1);
        assert_eq!(module.not_understood[0].line, 15);
    }

    #[test]
    fn a_body_that_is_always_true_changes_nothing() {
        for body in ["{ true }", "if { true }", "if true", "{\n  true\n}", "{true} # yes"] {
            let module = parse(&format!("x := {{\"allowed\": true}} {body}\ny := 1\n"));
            assert_eq!(module.definitions.len(), 2, "{body}: {:?}", module.not_understood);
        }
        for body in
            ["{ not true }", "{ true; input.x }", "if false", "true", "{ trueish }", "{ true } { false }", "iftrue"]
        {
            let module = parse(&format!("x := {{\"allowed\": true}} {body}\ny := 1\n"));
            assert_eq!((module.definitions.len(), module.not_understood.len()), (1, 1), "{body}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_not_understood_at_any_depth() {
        let module =
            parse("x := {\"allowed\": false, \"allowed\": true}\ny := [{\"a\": {\"b\": 1, \"c\": 2, `b`: 1}}]\n");
        assert!(module.definitions.is_empty());
        let whys: Vec<_> = module.not_understood.iter().filter_map(|s| s.why.as_deref()).collect();
        assert_eq!(
            whys,
            ["the key \"allowed\" appears twice in one object", "the key \"b\" appears twice in one object"]
        );
    }

    #[test]
    fn imports_are_those_of_the_language_alone() {
        let module = parse(
            "package policy\nimport rego.v1\nimport future.keywords\nimport data.evil.data\nimport input.x as data\n",
        );
        assert_eq!(module.not_understood.len(), 2);
    }

    #[test]
    fn nothing_makes_it_hang_or_panic() {
        for text in
            ["", "package", "x :=", "x := \"", "x := `", "x := {\"a\" 1}", "ü := 1", "\u{feff}package policy\n\n"]
        {
            parse(text);
        }
        let module = parse(&format!("x := {}", "[".repeat(100_000)));
        assert_eq!(module.not_understood.len(), 1);
    }

    #[test]
    fn what_is_not_understood_is_counted_and_not_kept() {
        let module = parse(&"?\n".repeat(12_345));
        assert_eq!((module.not_understood.len(), module.more_not_understood), (MAX_STATEMENTS, 12_245));
    }

    #[test]
    fn no_more_values_are_kept_than_any_policy_has() {
        let module = parse(&format!("x := [{}]\ny := 1\n", "0,".repeat(reader::MAX_TERMS)));
        assert!(module.definitions.is_empty());
        assert!(module.not_understood[0].why.as_deref().unwrap().contains("more values"));
        let many: String = (0..reader::MAX_TERMS + 10).map(|n| format!("x{n}:=0\n")).collect();
        let module = parse(&many);
        assert_eq!((module.definitions.len(), module.not_understood.len()), (reader::MAX_TERMS, 10));
    }
}
