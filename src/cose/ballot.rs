//! Whether a ballot's script exports a function `vote`, read from its text.
//!
//! This looks at words outside comments and literals, and so finds a script that cannot be a ballot before it is
//! signed. Whether the script compiles and what it answers is the constitution engine's to say.

/// Whether `script` is a module that exports `vote`.
pub(super) fn exports_vote(script: &str) -> bool {
    let words = words(script);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.iter().enumerate().filter(|(_, word)| **word == "export").any(|(at, _)| match &words[at + 1..] {
        ["async", "function", "vote", ..] | ["function", "vote", ..] => true,
        ["const" | "let" | "var", rest @ ..] => {
            let end = rest.iter().position(|w| matches!(*w, ";" | "export")).unwrap_or(rest.len());
            rest.first() == Some(&"vote") || rest[..end].windows(3).any(|w| w == [",", "vote", "="])
        }
        ["{", rest @ ..] => {
            let end = rest.iter().position(|w| *w == "}").unwrap_or(rest.len());
            rest[..end].split(|w| *w == ",").any(|entry| entry.last() == Some(&"vote"))
        }
        _ => false,
    })
}

/// The script's words and signs, one by one, without comments, strings, templates and regular expressions.
fn words(script: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut rest = script;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_whitespace() {
            first.len_utf8()
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(body) = rest.strip_prefix("/*") {
            body.find("*/").map_or(rest.len(), |end| end + 4)
        } else if matches!(first, '"' | '\'' | '`') || (first == '/' && begins_regex(words.last())) {
            words.push("\"\"".into());
            literal(rest, first)
        } else if is_word(first) {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            words.push(rest[..length].into());
            length
        } else {
            words.push(first.into());
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
fn begins_regex(before: Option<&String>) -> bool {
    match before.map(String::as_str) {
        None => true,
        Some("return" | "typeof" | "case" | "in" | "of" | "void" | "delete") => true,
        Some(")" | "]" | "}" | "\"\"") => false,
        Some(word) => !word.starts_with(is_word),
    }
}

/// The length in bytes of the literal that begins `text`, with its delimiters.
fn literal(text: &str, delimiter: char) -> usize {
    let mut escaped = false;
    let mut class = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' if delimiter != '`' => return at,
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
            "export function resolve() { vote() }",
            "/* export function vote() {}",
            "export",
        ] {
            assert!(!exports_vote(script), "{script}");
        }
    }
}
