//! Reading a JSON object from a client.

use serde_json::{Map, Value};

/// Parses a JSON object; the error says where it stops being one.
///
/// `serde_json` turns an integer beyond 64 bits into a floating point number. IoT Hub refuses
/// such integers, so they are looked for in the text.
pub(crate) fn parse_object(body: &[u8]) -> Result<Map<String, Value>, String> {
    let value: Value =
        serde_json::from_slice(body).map_err(|e| format!("body is not JSON: {e}"))?;
    let Value::Object(object) = value else {
        return Err("body is not a JSON object".into());
    };
    match oversized_integer(body) {
        Some(offset) => Err(format!("integer at byte {offset} is outside ±2^52")),
        None => Ok(object),
    }
}

/// Offset of the first integer literal that does not fit 64 bits, in text known to be JSON.
fn oversized_integer(json: &[u8]) -> Option<usize> {
    let mut bytes = json.iter().copied().enumerate().peekable();
    while let Some((start, byte)) = bytes.next() {
        match byte {
            b'"' => {
                while let Some((_, byte)) = bytes.next().filter(|(_, byte)| *byte != b'"') {
                    if byte == b'\\' {
                        bytes.next();
                    }
                }
            }
            b'-' | b'0'..=b'9' => {
                let mut literal = String::from(char::from(byte));
                while let Some((_, byte)) = bytes.next_if(|(_, b)| is_number_byte(*b)) {
                    literal.push(char::from(byte));
                }
                let integer = !literal.contains(['.', 'e', 'E']);
                if integer && literal.parse::<i64>().is_err() && literal.parse::<u64>().is_err() {
                    return Some(start);
                }
            }
            _ => {}
        }
    }
    None
}

const fn is_number_byte(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')
}
