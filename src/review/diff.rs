//! What differs between two texts, line by line, for a person.

use std::time::{Duration, Instant};

use similar::{Algorithm, DiffTag, capture_diff_slices_deadline};

use crate::text::visible;

/// Longer lines are compared piece by piece, so that a change in minified code is seen, and seen whole.
const LONG_LINE: usize = 160;
/// How long a smallest difference is looked for; a larger one, which is as true, is found at once.
const TIME: Duration = Duration::from_secs(1);

/// What differs between two texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    removed: usize,
    added: usize,
    lines: Vec<String>,
}

impl Diff {
    /// What changed from `old` to `new`.
    pub fn between(old: &str, new: &str) -> Self {
        let (old, new) = (pieces(old), pieces(new));
        let texts = |pieces: &[Piece<'_>]| pieces.iter().map(|p| p.text.to_owned()).collect::<Vec<_>>();
        let end = Some(Instant::now() + TIME);
        let mut diff = Self { removed: 0, added: 0, lines: Vec::new() };
        for change in capture_diff_slices_deadline(Algorithm::Myers, &texts(&old), &texts(&new), end) {
            if change.tag() == DiffTag::Equal {
                continue;
            }
            let (gone, come) = (&old[change.old_range()], &new[change.new_range()]);
            diff.removed += lines(gone);
            diff.added += lines(come);
            diff.lines.extend(gone.iter().map(|p| p.shown('-')));
            diff.lines.extend(come.iter().map(|p| p.shown('+')));
        }
        diff
    }

    /// Whether the texts are the same.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// In a few words: `identical`, `identical but for 1 line`, `2 lines removed, 5 added`.
    pub fn title(&self) -> String {
        let lines = |n: usize| if n == 1 { "1 line".to_owned() } else { format!("{n} lines") };
        match (self.removed, self.added) {
            (0, 0) => "identical".into(),
            (removed, added) if removed == added => format!("identical but for {}", lines(added)),
            (0, added) => format!("{} added", lines(added)),
            (removed, 0) => format!("{} removed", lines(removed)),
            (removed, added) => format!("{} removed, {added} added", lines(removed)),
        }
    }

    /// Every changed line with its number in its own text, `-` for the old and `+` for the new; at most `limit`, and
    /// then how many are left out. Nothing in them can move a terminal's cursor or hide text.
    pub fn lines(&self, limit: usize) -> Vec<String> {
        let mut lines: Vec<String> = self.lines.iter().take(limit).cloned().collect();
        let more = self.lines.len() - lines.len();
        if more > 0 {
            lines.push(format!("{more} more {}: -v shows them", if more == 1 { "line" } else { "lines" }));
        }
        lines
    }
}

/// A line with its end, or a part of a long one.
#[derive(Clone, Copy)]
struct Piece<'a> {
    line: usize,
    text: &'a str,
    last: bool,
}

impl Piece<'_> {
    fn shown(&self, sign: char) -> String {
        let end = match self.text.strip_suffix('\n') {
            Some(_) => "",
            None if self.last => "  (no line break at the end)",
            None => " …",
        };
        format!("{:>5} {sign} {}{end}", self.line, visible(self.text.strip_suffix('\n').unwrap_or(self.text)))
    }
}

/// How many lines these pieces are of.
fn lines(pieces: &[Piece<'_>]) -> usize {
    let mut numbers: Vec<usize> = pieces.iter().map(|p| p.line).collect();
    numbers.dedup();
    numbers.len()
}

/// The text in pieces, of which nothing is missing: so two texts are the same if their pieces are.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let mut rest = line;
        while rest.len() > LONG_LINE {
            let end = rest.char_indices().find(|(at, c)| *at >= LONG_LINE || matches!(c, ';' | '{' | '}'));
            let end = end.map_or(rest.len(), |(at, c)| at + c.len_utf8());
            let (piece, more) = rest.split_at(end);
            pieces.push(Piece { line: at + 1, text: piece, last: false });
            rest = more;
        }
        if !rest.is_empty() {
            pieces.push(Piece { line: at + 1, text: rest, last: false });
        }
    }
    if let Some(last) = pieces.last_mut() {
        last.last = true;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_changed_line_is_found_among_many() {
        let old: String = (0..1700).map(|n| format!("line {n}\n")).collect();
        let new = old.replace("line 1679\n", "line >= 1679\n");
        let diff = Diff::between(&old, &new);
        assert_eq!(diff.title(), "identical but for 1 line");
        assert_eq!(diff.lines(10), [" 1680 - line 1679", " 1680 + line >= 1679"]);
        assert!(Diff::between(&old, &old).is_empty());
        let longer = Diff::between(&old, &format!("{old}a\nb\n"));
        assert_eq!(
            (longer.title().as_str(), longer.lines(1).as_slice()),
            ("2 lines added", [" 1701 + a".to_owned(), "1 more line: -v shows them".to_owned()].as_slice(),)
        );
        assert_eq!(Diff::between("a\nb\nc\n", "x\n").title(), "3 lines removed, 1 added");
    }

    #[test]
    fn a_change_in_a_line_of_any_length_is_shown() {
        let before = "const a = 1; ".repeat(4000);
        let (old, new) = (format!("{before}if (votes > half) {{ pass(); }}{before}"), before.clone());
        let new = format!("{new}if (votes >= half) {{ pass(); }}{before}");
        let diff = Diff::between(&old, &new);
        assert_eq!(diff.title(), "identical but for 1 line");
        let lines = diff.lines(10);
        assert!(lines.len() == 2 && lines[1].contains("votes >= half") && lines[1].len() < 250, "{lines:?}");
        let unbroken = "x".repeat(10_000);
        assert!(!Diff::between(&unbroken, &format!("{unbroken}y")).is_empty());
    }

    #[test]
    fn what_cannot_be_seen_is_a_difference_too() {
        for (old, new) in [
            ("a\n", "a"),
            ("a\n", "a\r\n"),
            ("a\nb\n", "a\rb\n"),
            ("a\n", "a \n"),
            ("a\n", "a\u{200b}\n"),
            ("// a\u{2028}b\n", "// a b\n"),
        ] {
            let lines = Diff::between(old, new).lines(10);
            assert!(lines.len() >= 2 && lines.iter().all(|l| !l.contains(['\r', '\u{200b}', '\u{2028}'])), "{lines:?}");
        }
        // A comment that ends earlier, in a line that is cut into pieces.
        let comment = format!("// {};", "word ".repeat(50));
        assert!(!Diff::between(&format!("{comment} evil()\n"), &format!("{comment}\n evil()\n")).is_empty());
    }

    #[test]
    fn hostile_texts_are_compared_in_time() {
        let started = Instant::now();
        let old: String = (0..200_000).map(|n| format!("{n}\n")).collect();
        let new: String = (0..200_000).rev().map(|n| format!("{n}\n")).collect();
        assert!(!Diff::between(&old, &new).is_empty());
        assert!(started.elapsed() < Duration::from_secs(60));
    }
}
