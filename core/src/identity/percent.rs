//! Percent-encoding (RFC 3986, section 2.1) as shared access signatures and property bags use it.

use std::fmt::Write as _;

/// Appends `text` to `out`: letters, digits and `- . _ ~` stay, every other byte of its UTF-8 form
/// becomes `%XX` in capitals.
pub fn encode_into(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail; the result only exists because of the trait.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// `text` percent-encoded, see [`encode_into`].
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode_into(&mut out, text);
    out
}

/// Decodes `%XX` (hex in either case); everything else stands for itself, `+` too.
///
/// # Errors
/// [`PercentError`] when a `%` is not followed by two hex digits, or the bytes are not UTF-8.
pub fn decode(text: &str) -> Result<String, PercentError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = rest.next().and_then(hex).ok_or(PercentError::Escape)?;
        let low = rest.next().and_then(hex).ok_or(PercentError::Escape)?;
        bytes.push(high << 4 | low);
    }
    String::from_utf8(bytes).map_err(|_| PercentError::NotUtf8)
}

/// Why a text cannot be percent-decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PercentError {
    /// `%` without two hex digits after it.
    #[error("'%' is not followed by two hex digits")]
    Escape,
    /// The decoded bytes are not UTF-8.
    #[error("percent-decoded bytes are not UTF-8")]
    NotUtf8,
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreserved_characters_stay_and_the_rest_is_upper_hex() {
        assert_eq!(encode("aZ09-._~"), "aZ09-._~");
        assert_eq!(encode("/ +%é"), "%2F%20%2B%25%C3%A9");
    }

    #[test]
    fn decoding_takes_hex_in_either_case_and_leaves_plus_alone() {
        assert_eq!(decode("%2f%2F+a%c3%A9").unwrap(), "//+aé");
        assert_eq!(decode("").unwrap(), "");
    }

    #[test]
    fn broken_escapes_are_named() {
        for bad in ["%", "%4", "%zz", "a%2", "%+1", "%é"] {
            assert_eq!(decode(bad), Err(PercentError::Escape), "{bad}");
        }
        assert_eq!(decode("%ff"), Err(PercentError::NotUtf8));
    }
}
