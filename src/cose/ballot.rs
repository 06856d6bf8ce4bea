//! Whether a ballot's script exports a function `vote`, read from its text.
//!
//! This looks at words outside comments and literals, and so finds a script that cannot be a ballot before it is
//! signed. Whether the script compiles and what it answers is the constitution engine's to say.

/// Whether `script` is a module that exports `vote`.
pub(super) fn exports_vote(script: &str) -> bool {
    let words = words(script);
    words.iter().enumerate().filter(|(_, word)| **word == "export").any(|(at, _)| match &words[at + 1..] {
        ["async", "function", "vote", ..] | ["function", "vote", ..] => true,
        ["const" | "let" | "var", rest @ ..] => {
            let names = until(rest, &[";", "export"]);
            let bound = |w: &[&str]| matches!(w, ["," | "{" | "[" | ":", "vote", "=" | "," | "}" | "]"]);
            rest.first() == Some(&"vote") || names.windows(3).any(bound)
        }
        // A name in quotes may be any.
        ["{", rest @ ..] => until(rest, &["}", "{", "export"])
            .split(|w| *w == ",")
            .any(|entry| matches!(entry, [.., "vote"] | [.., "as", QUOTED])),
        _ => false,
    })
}

/// The words before the first of `ends`, each of which ends every such search: reading a script takes time in proportion.
fn until<'a, 'b>(words: &'b [&'a str], ends: &[&str]) -> &'b [&'a str] {
    &words[..words.iter().position(|w| ends.contains(w)).unwrap_or(words.len())]
}

/// What stands for a string, a template or a regular expression.
const QUOTED: &str = "\"\"";

/// The script's words and signs, one by one, without comments.
fn words(script: &str) -> Vec<&str> {
    let mut words: Vec<&str> = Vec::new();
    let mut rest = script;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_whitespace() {
            first.len_utf8()
        } else if rest.starts_with("//") {
            rest.find(['\n', '\r', '\u{2028}', '\u{2029}']).unwrap_or(rest.len())
        } else if let Some(body) = rest.strip_prefix("/*") {
            body.find("*/").map_or(rest.len(), |end| end + 4)
        } else if first == '`' {
            words.push(QUOTED);
            template(rest)
        } else if matches!(first, '"' | '\'') || (first == '/' && begins_regex(words.last().copied())) {
            words.push(QUOTED);
            literal(rest, first)
        } else if is_word(first) {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            words.push(&rest[..length]);
            length
        } else {
            words.push(&rest[..first.len_utf8()]);
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    words
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

/// A `/` after a value divides; after anything else it begins a regular expression.
fn begins_regex(before: Option<&str>) -> bool {
    match before {
        None => true,
        Some("return" | "typeof" | "case" | "in" | "of" | "void" | "delete") => true,
        Some(")" | "]" | "}" | QUOTED) => false,
        Some(word) => !word.starts_with(is_word),
    }
}

/// The length in bytes of the template that begins `text`: its substitutions may hold templates again.
fn template(text: &str) -> usize {
    // For every template that is open, how many braces are open in its substitution; 0 in its text.
    let mut open: Vec<usize> = Vec::new();
    let mut escaped = false;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match (c, open.last_mut()) {
            _ if escaped => escaped = false,
            ('\\', _) => escaped = true,
            ('`', Some(0)) => {
                open.pop();
                if open.is_empty() {
                    return at + 1;
                }
            }
            ('`', _) => open.push(0),
            ('{', Some(braces)) if *braces > 0 || before == '$' => *braces += 1,
            ('}', Some(braces)) => *braces = braces.saturating_sub(1),
            _ => {}
        }
        before = c;
    }
    text.len()
}

/// The length in bytes of the literal that begins `text`, with its delimiters.
fn literal(text: &str, delimiter: char) -> usize {
    let mut escaped = false;
    let mut class = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => return at,
            '[' if delimiter == '/' => class = true,
            ']' if delimiter == '/' => class = false,
            c if c == delimiter && !class => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_export_vote_is_seen() {
        for script in [
            "export function vote (rawProposal, proposerId) { return true }",
            "export async function vote(){}",
            "export const vote = (p) => true;",
            "export let a = 1, vote = () => true",
            "function vote() {}\nexport { vote };",
            "function f() {}\nexport { f as vote, g };",
            "const r = /\"/; export function vote() { return 1 / 2 / 3 }",
            "/* a ballot */ // yes\nexport /* really */ function\n vote\n(p) {}",
            "const s = `it's`; export function vote() {}",
            "const s = `a ${b + `c ${1} d`} e`; export function vote() {}",
            "// yes\rexport function vote() {}",
            "export const {vote} = {vote: p => true}",
            "export const [a, vote] = [1, p => true]",
            "export const {a: vote = 1} = {}",
            "function v() {}\nexport { v as 'vote' }",
        ] {
            assert!(exports_vote(script), "{script}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_not() {
        for script in [
            "",
            "function vote() {}",
            "// export function vote() {}",
            "/* export function vote() {} */",
            "const x = 'export function vote() {}'",
            "const x = `export function vote() {}`",
            "const x = /export function vote/",
            "export function vote2() {}",
            "export default function vote() {}",
            "export { vote as ballot }",
            "export const {vote: ballot} = {}",
            "const s = `${`export function vote() {}`}`",
            "export function resolve() { vote() }",
            "/* export function vote() {}",
            "export",
        ] {
            assert!(!exports_vote(script), "{script}");
        }
    }

    #[test]
    fn a_long_script_is_read_in_time() {
        let started = std::time::Instant::now();
        for piece in ["export { ", "export const ", "`${", "export const {vote:", "/", "\""] {
            assert!(!exports_vote(&piece.repeat(200_000)), "{piece}");
        }
        // Many minutes where it was quadratic.
        assert!(started.elapsed().as_secs() < 60);
    }
}
