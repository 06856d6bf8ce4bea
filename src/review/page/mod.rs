//! Reports as one page of HTML: nothing is loaded, nothing runs, and no foreign text is markup.

use std::fmt::{self, Write};

use crate::check::Checks;
use crate::text::visible;

const TEMPLATE: &str = include_str!("../../../templates/page.html");
/// Where the title stands in the template.
const TITLE: &str = "TITLE";
/// Where the content stands in it.
const PLACE: &str = "BODY";

/// The whole page; all foreign text in `body` has gone through [`text`].
pub fn page(title: &'static str, body: &str) -> String {
    TEMPLATE.replacen(TITLE, title, 1).replacen(PLACE, body, 1)
}

/// Foreign text as text: line breaks stay, and whatever is hidden is shown.
pub fn text(foreign: &str) -> String {
    let mut escaped = String::with_capacity(foreign.len());
    for line in foreign.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        for c in visible(line).chars() {
            match c {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                c => escaped.push(c),
            }
        }
        escaped.push_str(end);
    }
    escaped
}

/// A table of checks: the verdict, the name, and what was found.
///
/// # Errors
/// None: writing into a text cannot fail.
pub fn checks(html: &mut String, checks: &Checks) -> fmt::Result {
    write!(html, "<table><tbody>")?;
    for check in checks {
        let verdict = check.verdict.to_string();
        let (name, detail) = (text(check.name), text(&check.detail));
        write!(html, "<tr><td class=\"{verdict}\">{verdict}</td><td class=\"name\">{name}</td><td>{detail}</td></tr>")?;
    }
    write!(html, "</tbody></table>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_never_markup() {
        assert_eq!(text("<script>alert('1')</script>"), "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;");
        assert_eq!(text("\" onload=\"x"), "&quot; onload=&quot;x");
        assert!(!text("a\u{202e}b\u{1b}[31m").contains(['\u{202e}', '\u{1b}']));
        assert_eq!(text("{\n  1\n}"), "{\n  1\n}");
    }

    #[test]
    fn the_template_has_one_place_and_lets_nothing_be_loaded() {
        assert_eq!((TEMPLATE.matches(TITLE).count(), TEMPLATE.matches(PLACE).count()), (1, 1));
        assert!(TEMPLATE.find(TITLE) < TEMPLATE.find(PLACE));
        assert!(TEMPLATE.contains("default-src 'none'"));
        for loads in ["<script", "<img", "<link", "http:", "https:", "url("] {
            assert!(!TEMPLATE.contains(loads), "{loads}");
        }
    }
}
