//! Text that others wrote, made fit to be read by a person.

/// `text` with everything escaped that a terminal would obey, that can't be seen, or that would change the order of what is read.
///
/// Line breaks are escaped too: one line of foreign text stays one line. Tabs are left.
pub fn visible(text: &str) -> String {
    if !text.contains(is_hidden) {
        return text.into();
    }
    text.chars().map(|c| if is_hidden(c) { c.escape_unicode().to_string() } else { c.into() }).collect()
}

/// As [`visible`], line by line.
pub fn visible_lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
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

    #[test]
    fn nothing_hides_or_moves_the_cursor() {
        for hidden in [
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
        ] {
            let text = visible(&format!("a{hidden}b"));
            assert_eq!(text, format!("a{}b", hidden.escape_unicode()));
        }
        assert_eq!(visible("a\tb é 中"), "a\tb é 中");
        assert_eq!(visible_lines("a\r\nb\u{1b}\n"), "a\nb\\u{1b}");
    }
}
