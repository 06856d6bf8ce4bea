//! Text that others wrote, made fit to be read by a person: the one place through which all foreign text goes.
//!
//! A single value goes through [`visible`] (or [`excerpt`]) where it is put into a sentence; whatever is printed at all goes
//! through [`harmless`], so that a value which was forgotten cannot steer the terminal either.

/// How many blanks in a row are shown within a line. More of them push what follows to where a new line seems to begin.
const BLANKS: usize = 16;
/// How many blanks a line may begin with.
const INDENT: usize = 40;
/// How many columns a tab may take.
const TAB: usize = 8;

/// `text` with everything escaped that a terminal would obey, that cannot be seen, or that would change the order of what is read.
///
/// Line breaks are escaped too: one line of foreign text stays one line. Tabs are left. A long run of blanks is shown as its length.
pub fn visible(text: &str) -> String {
    let text = if text.contains(is_hidden) { escaped(text, |_| false) } else { text.into() };
    abridged(text)
}

/// The first `most` characters of `text`: what an error keeps of a text that may be of any length.
pub fn clip(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// As [`visible`], line by line.
pub fn visible_lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

/// As [`visible`], at most `limit` characters; how many there are is said if some are left out.
pub fn excerpt(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => visible(text),
        Some((end, _)) => format!("{}… ({} characters)", visible(&text[..end]), text.chars().count()),
    }
}

/// Whatever is printed at a terminal: as [`visible`], but the line breaks stay, and all blanks.
pub fn harmless(text: &str) -> String {
    escaped(text, |c| c == '\n')
}

/// A JSON text that says the same, with everything escaped that [`visible`] escapes. Line breaks between its values stay.
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || !is_hidden(c) {
            out.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out += &format!("\\u{unit:04x}"));
        }
    }
    out
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match is_hidden(c) && !stays(c) {
            true => out.extend(c.escape_unicode()),
            false => out.push(c),
        }
    }
    out
}

/// Shows long runs of blanks as their lengths.
fn abridged(text: String) -> String {
    if !text.contains("     ") && !text.contains('\t') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find([' ', '\t']) {
        let (before, run) = rest.split_at(start);
        let length = run.find(|c| c != ' ' && c != '\t').unwrap_or(run.len());
        let (run, after) = run.split_at(length);
        let columns: usize = run.chars().map(|c| if c == '\t' { TAB } else { 1 }).sum();
        let most = if out.is_empty() && before.is_empty() { INDENT } else { BLANKS };
        out += before;
        match columns > most {
            true => out += &format!("[{length} blanks]"),
            false => out += run,
        }
        rest = after;
    }
    out + rest
}

/// Control characters, what Unicode calls default ignorable (marks of direction, joiners, fillers, variation selectors, tags),
/// and every blank but the space itself.
fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control() && c != '\t';
    }
    let ignorable = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}');
    let blank = c == '\u{2800}' || c.is_whitespace();
    ignorable || blank || c.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIDDEN: [char; 15] = [
        '\u{1b}',
        '\n',
        '\r',
        '\u{7f}',
        '\u{9b}',
        '\u{202e}',
        '\u{2066}',
        '\u{200d}',
        '\u{feff}',
        '\u{e0041}',
        '\u{3164}',
        '\u{a0}',
        '\u{2800}',
        '\u{fe0f}',
        '\u{ffa0}',
    ];

    #[test]
    fn nothing_hides_or_moves_the_cursor() {
        for hidden in HIDDEN {
            let text = visible(&format!("a{hidden}b"));
            assert_eq!(text, format!("a{}b", hidden.escape_unicode()));
            assert_eq!(visible(&text), text);
        }
        assert_eq!(visible("a\tb é 中"), "a\tb é 中");
        assert_eq!(visible_lines("a\r\nb\u{1b}\n"), "a\nb\\u{1b}");
        assert_eq!(harmless("a\r\n  b\u{9b}\n"), "a\\u{d}\n  b\\u{9b}\n");
    }

    #[test]
    fn a_long_run_of_blanks_does_not_imitate_a_new_line() {
        assert_eq!(visible(&format!("x{}Verdict: pass", " ".repeat(130))), "x[130 blanks]Verdict: pass");
        assert_eq!(visible("x\t\t\tVerdict: pass"), "x[3 blanks]Verdict: pass");
        assert_eq!(visible(&" ".repeat(99)), "[99 blanks]");
        for kept in [format!("a{}b", " ".repeat(16)), format!("{}b", " ".repeat(40)), "a b  ".into(), "\ta".into()] {
            assert_eq!(visible(&kept), kept);
        }
    }

    #[test]
    fn an_excerpt_says_how_much_there_is() {
        assert_eq!(excerpt("é\u{1b}", 2), "é\\u{1b}");
        assert_eq!(excerpt("éabc", 2), "éa… (4 characters)");
    }

    #[test]
    fn json_says_the_same_without_what_hides() {
        for hidden in HIDDEN {
            let value = serde_json::json!({ format!("a{hidden}"): format!("{hidden}\"\\") });
            let text = json(&serde_json::to_string_pretty(&value).unwrap());
            assert!(!text.contains(|c| is_hidden(c) && c != '\n'), "{text:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        }
    }
}
