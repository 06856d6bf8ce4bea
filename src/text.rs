//! Text that others wrote, made fit to be read by a person.

/// `text` with everything escaped that a terminal would obey, that can't be seen, or that would change the order of what is read.
///
/// Line breaks are escaped too: one line of foreign text stays one line. Tabs are left.
pub fn visible(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { c.escape_unicode().to_string() } else { c.into() }).collect()
}

/// As [`visible`], line by line.
pub fn visible_lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

/// Control characters, and Unicode's format characters: marks of direction, joiners, tags, blanks without width.
fn is_hidden(c: char) -> bool {
    let format = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    format || (c.is_control() && c != '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hides_or_moves_the_cursor() {
        for hidden in
            ['\u{1b}', '\n', '\r', '\u{7f}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{200d}', '\u{feff}', '\u{e0041}']
        {
            let text = visible(&format!("a{hidden}b"));
            assert_eq!(text, format!("a{}b", hidden.escape_unicode()));
        }
        assert_eq!(visible("a\tb é 中"), "a\tb é 中");
        assert_eq!(visible_lines("a\r\nb\u{1b}\n"), "a\nb\\u{1b}");
    }
}
