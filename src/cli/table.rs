//! Tables that fit a terminal of 60 columns.

use ccf_gov::text::clip;

/// How wide a table may be.
const WIDTH: usize = 60;
/// What stands between two columns.
const GAP: &str = "  ";

/// A table of short cells, and lines beneath a row where something is to be said.
#[derive(Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    /// The row that each line stands beneath, and the line.
    notes: Vec<(usize, String)>,
}

impl Table {
    /// Begins with these headings.
    pub fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self { rows: vec![headings.map(str::to_owned).to_vec()], notes: Vec::new() }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    /// Adds a line beneath the last row.
    pub fn note(&mut self, text: String) {
        self.notes.push((self.rows.len() - 1, text));
    }

    /// The table; where it is too wide, its widest cells stand beneath their rows.
    pub fn text(mut self) -> String {
        while self.width() > WIDTH {
            let widths = self.widths();
            let Some(widest) = (1..widths.len()).filter(|at| widths[*at] > 8).max_by_key(|at| widths[*at]) else {
                break;
            };
            for (at, row) in self.rows.iter_mut().enumerate() {
                let cell = row.remove(widest);
                if at > 0 && !cell.is_empty() {
                    let before = self.notes.partition_point(|(row, _)| *row < at);
                    self.notes.insert(before, (at, cell));
                }
            }
        }
        let widths = self.widths();
        let mut text = String::new();
        for (at, row) in self.rows.iter().enumerate() {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            text += cells.collect::<Vec<_>>().join(GAP).trim_end();
            text.push('\n');
            for (_, note) in self.notes.iter().filter(|(row, _)| *row == at) {
                text += &wrapped(note);
            }
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        (0..columns).map(width).collect()
    }

    fn width(&self) -> usize {
        let widths = self.widths();
        widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1)
    }
}

/// A line beneath a row, broken between words.
fn wrapped(note: &str) -> String {
    let mut lines = vec![String::new()];
    for word in note.split(' ') {
        let last = lines.len() - 1;
        let room = WIDTH - GAP.len() - if last == 0 { 0 } else { GAP.len() };
        if !lines[last].is_empty() && lines[last].chars().count() + 1 + word.chars().count() > room {
            lines.push(word.to_owned());
        } else {
            let space = if lines[last].is_empty() { "" } else { " " };
            lines[last] += &format!("{space}{word}");
        }
    }
    let indent = |at: usize| if at == 0 { GAP.to_owned() } else { GAP.repeat(2) };
    lines.iter().enumerate().map(|(at, line)| format!("{}{line}\n", indent(at))).collect()
}

/// The ids by their first digits: as many as tell them apart, eight at least; or whole.
pub fn abridged(ids: impl Iterator<Item = String>, whole: bool) -> impl Fn(&str) -> String {
    let mut ids: Vec<String> = ids.collect();
    ids.sort();
    let common = |pair: &[String]| pair[0].bytes().zip(pair[1].bytes()).take_while(|(a, b)| a == b).count();
    let digits = ids.windows(2).filter(|pair| pair[0] != pair[1]).map(|pair| common(pair) + 1).max().unwrap_or(0);
    let digits = if whole { usize::MAX } else { digits.max(ccf_gov::service::SHORTEST) };
    move |id| clip(id, digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_column_goes_beneath() {
        let mut table = Table::new(["Node", "Address", "Status"]);
        table.row(["0fb3aa83".into(), "127.0.0.1:8000".into(), "Trusted".into()]);
        table.note("a note".into());
        assert_eq!(table.text(), "Node      Address         Status\n0fb3aa83  127.0.0.1:8000  Trusted\n  a note\n");
        let mut table = Table::new(["Node", "Address", "Status"]);
        let long = format!("{}.example:443", "n".repeat(60));
        table.row(["0fb3aa83".into(), long.clone(), "Trusted".into()]);
        table.note("a note".into());
        table.row(["1fb3aa83".into(), "b:443".into(), "Retired".into()]);
        let text = format!("Node      Status\n0fb3aa83  Trusted\n  {long}\n  a note\n1fb3aa83  Retired\n  b:443\n");
        assert_eq!(table.text(), text);
    }

    #[test]
    fn a_long_line_is_broken_between_words() {
        assert_eq!(wrapped("a note"), "  a note\n");
        let text = wrapped(&"word ".repeat(30));
        assert!(
            text.lines().count() == 3
                && text.lines().all(|l| l.len() <= 60 && l.starts_with("  w") | l.starts_with("    w")),
            "{text}"
        );
        assert_eq!(wrapped(&"x".repeat(70)), format!("  {}\n", "x".repeat(70)));
    }

    #[test]
    fn ids_are_abridged_to_what_tells_them_apart() {
        let ids = ["0123456789".to_owned(), "0123456788".to_owned(), "ab".repeat(5)];
        let short = abridged(ids.into_iter(), false);
        assert_eq!(short("0123456789"), "0123456789");
        let one = ["ab".repeat(32)];
        assert_eq!(abridged(one.iter().cloned(), false)(&"ab".repeat(32)), "abababab");
        assert_eq!(abridged(one.iter().cloned(), true)(&"ab".repeat(32)), "ab".repeat(32));
    }
}
