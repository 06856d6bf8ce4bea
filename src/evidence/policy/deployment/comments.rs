//! The comments that Azure Resource Manager accepts in templates, which JSON has not.

/// JSON with every comment outside of its strings blanked, so that what is left stands where it stood.
///
/// `//` reaches to the end of the line, `/*` to `*/`; one without an end is left for the reader to refuse.
pub(super) fn blanked(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    let mut at = 0;
    let mut in_string = false;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = match rest {
            [b'\\', ..] if in_string => 2,
            [b'"', ..] => {
                in_string = !in_string;
                1
            }
            [b'/', b'/', ..] if !in_string => {
                let length = rest.iter().position(|b| b"\r\n".contains(b)).unwrap_or(rest.len());
                blank(&mut out, at, length);
                length
            }
            [b'/', b'*', inner @ ..] if !in_string => match inner.windows(2).position(|two| two == b"*/") {
                Some(end) => {
                    blank(&mut out, at, end + 4);
                    end + 4
                }
                None => return out,
            },
            _ => 1,
        };
        at += length;
    }
    out
}

fn blank(out: &mut [u8], at: usize, length: usize) {
    for byte in out.iter_mut().skip(at).take(length).filter(|byte| !b"\r\n".contains(byte)) {
        *byte = b' ';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_outside_of_strings_become_blanks() {
        for (text, expected) in [
            ("{} // a", "{}     "),
            ("// a\r\n{}", "    \r\n{}"),
            ("{/* a\n * \" */\"b\": 1}", "{    \n       \"b\": 1}"),
            ("{\"a\": \"http://x /* y */\"} /**/", "{\"a\": \"http://x /* y */\"}     "),
            ("{\"a\\\"//\": \"\\\\\"//\n}", "{\"a\\\"//\": \"\\\\\"  \n}"),
            ("{} /* a", "{} /* a"),
            ("{} /*/", "{} /*/"),
            ("{} /", "{} /"),
            ("\"\\", "\"\\"),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8(blanked(text.as_bytes())).unwrap(), expected, "{text}");
        }
    }
}
