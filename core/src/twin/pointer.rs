//! JSON pointers (RFC 6901): how errors and changes say where.

use std::fmt::{self, Write as _};

use serde_json::Value;

/// How many characters of a pointer or key an error message shows. Keys come from outside and may
/// be as long as the message that carried them.
const SHOWN_CHARS: usize = 200;

/// Appends `/key` to `pointer`, with `~` and `/` of the key written as `~0` and `~1`.
pub fn push_key(pointer: &mut String, key: &str) {
    pointer.push('/');
    for c in key.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// Appends `/index` to `pointer`.
pub fn push_index(pointer: &mut String, index: usize) {
    // Writing to a String cannot fail; the result only exists because of the trait.
    let _ = write!(pointer, "/{index}");
}

/// The keys of a pointer, unescaped: `/a~1b/c` gives `a/b`, `c`; the empty pointer gives none.
/// `None` when it is not a pointer: no leading slash, or a `~` followed by neither `0` nor `1`.
pub fn keys(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    pointer
        .strip_prefix('/')?
        .split('/')
        .map(unescape)
        .collect()
}

fn unescape(text: &str) -> Option<String> {
    let mut key = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '~' => key.push(match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            }),
            other => key.push(other),
        }
    }
    Some(key)
}

/// Text from outside, made fit for one line of an error: control characters escaped, cut when long.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, c) in self.0.chars().enumerate() {
            if count == SHOWN_CHARS {
                return f.write_char('…');
            }
            // U+2028 and U+2029 end a line for many viewers, though they are no control characters.
            if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// Where in a document: the pointer, or the words "the document" for its root.
pub(crate) struct Place<'a>(pub(crate) &'a str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            f.write_str("the document")
        } else {
            Shown(self.0).fmt(f)
        }
    }
}

/// The JSON name of a value's type, for error messages.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_the_way_into_a_pointer_and_back() {
        let mut pointer = String::new();
        for key in ["a/b", "m~n", "", "~1"] {
            push_key(&mut pointer, key);
        }
        push_index(&mut pointer, 7);
        assert_eq!(pointer, "/a~1b/m~0n//~01/7");
        assert_eq!(keys(&pointer).unwrap(), ["a/b", "m~n", "", "~1", "7"]);
        assert_eq!(keys("").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_a_pointer_is_refused() {
        for bad in ["a", "a/b", "/~", "/~2", "/a/b~"] {
            assert_eq!(keys(bad), None, "{bad}");
        }
    }

    #[test]
    fn shown_text_is_one_short_line() {
        assert_eq!(
            Shown("a\nb\u{85}\u{2028}").to_string(),
            "a\\u{a}b\\u{85}\\u{2028}"
        );
        let long = Shown(&"k".repeat(5000)).to_string();
        assert_eq!(long.chars().count(), SHOWN_CHARS + 1);
        assert_eq!(Place("").to_string(), "the document");
    }
}
