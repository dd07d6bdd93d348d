//! The hub's limits on a reported section, checked before anything is sent.
//!
//! The hub refuses a patch that breaks one limit as a whole, without saying where. Checked here, the
//! error names the member. Numbers: IoT Hub docs, "Understand and use device twins". Two sizes are
//! checked, and both have to hold:
//!
//! * the documented count: keys and string values by their length without control characters, a
//!   number as 8, a boolean as 4. Lengths are taken in UTF-8 bytes, which is never less than the hub
//!   counts;
//! * the JSON text: Azure IoT Edge's validator of reported properties refuses more than 32 KiB of it.
//!   A module cannot know whether it talks to the cloud or to an edge hub, so the stricter rule is
//!   the safe one.
//!
//! For the same reason `#` and every white space in a key are refused: the documentation names
//! control characters, `.`, `$` and space, the edge validator those two as well.

use std::fmt;

use serde_json::{Map, Number, Value};

use super::json::serialized_len;
use super::pointer::{self, Place};

/// Bytes of a reported section, by either way of counting.
pub const MAX_SECTION_BYTES: usize = 32 * 1024;
/// Containers inside the section may nest this deep; the section itself is level 0.
pub const MAX_DEPTH: usize = 10;
/// UTF-8 bytes of a key.
pub const MAX_KEY_BYTES: usize = 1024;
/// UTF-8 bytes of a string value.
pub const MAX_STRING_BYTES: usize = 4096;
/// The least integer: −2^52.
pub const MIN_INTEGER: i64 = -4_503_599_627_370_496;
/// The greatest integer: 2^52 − 1.
pub const MAX_INTEGER: i64 = 4_503_599_627_370_495;

/// Checks a whole reported section: an object in normal form within every limit.
///
/// # Errors
/// The first [`LimitError`] found; sizes are looked at last.
pub fn check_reported(document: &Value) -> Result<(), LimitError> {
    check(document, Members::Values)
}

/// Checks a reported merge patch: like [`check_reported`], but a member may be `null` (a deletion).
///
/// # Errors
/// The first [`LimitError`] found; sizes are looked at last.
pub fn check_reported_patch(patch: &Value) -> Result<(), LimitError> {
    check(patch, Members::ValuesAndDeletions)
}

/// A reported section that the hub would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitError {
    /// Where: JSON pointer (RFC 6901) of the member; empty for the section as a whole.
    pub pointer: String,
    /// Which limit.
    pub kind: LimitKind,
    /// The limit: bytes, levels or the integer bound; 0 where nothing of the kind is allowed.
    pub limit: i128,
    /// What was found: bytes, levels, the integer, the code point of a character, or 1.
    pub actual: i128,
}

/// Which limit was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitKind {
    /// The section is not a JSON object.
    NotAnObject,
    /// The section is too large by the hub's documented count.
    SectionSize,
    /// The section is too large as JSON text.
    SectionText,
    /// Too many levels of containers.
    Depth,
    /// A key is too long.
    KeyLength,
    /// A key holds a character that the hub refuses.
    KeyCharacter(char),
    /// A string value is too long.
    StringLength,
    /// An integer is out of range.
    Integer,
    /// `null` inside an array.
    NullInArray,
    /// A member is `null` in a whole document, where there is nothing to delete.
    NullMember,
    /// The member belongs to the library, which reports the configuration in force there.
    Reserved,
}

impl std::error::Error for LimitError {}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pointer,
            kind,
            limit,
            actual,
        } = self;
        write!(f, "reported properties, {}: ", Place(pointer))?;
        match kind {
            LimitKind::NotAnObject => f.write_str("expected a JSON object"),
            LimitKind::SectionSize => {
                write!(
                    f,
                    "counts {actual} bytes (keys and values), at most {limit} allowed"
                )
            }
            LimitKind::SectionText => {
                write!(f, "is {actual} bytes of JSON text, at most {limit} allowed")
            }
            LimitKind::Depth => write!(f, "nested {actual} levels deep, at most {limit} allowed"),
            LimitKind::KeyLength => {
                write!(f, "key of {actual} bytes (UTF-8), at most {limit} allowed")
            }
            LimitKind::KeyCharacter(c) => write!(
                f,
                "key holds {} (U+{actual:04X}); control characters, white space, '.', '$' and '#' \
                 are not allowed",
                c.escape_debug()
            ),
            LimitKind::StringLength => {
                write!(
                    f,
                    "string of {actual} bytes (UTF-8), at most {limit} allowed"
                )
            }
            LimitKind::Integer => {
                write!(
                    f,
                    "integer {actual}, allowed are {MIN_INTEGER} to {MAX_INTEGER}"
                )
            }
            LimitKind::NullInArray => f.write_str("null inside an array is not allowed"),
            LimitKind::NullMember => {
                f.write_str("null is not a value of a twin; leave the member out to delete it")
            }
            LimitKind::Reserved => f.write_str("written by the library itself, not by the host"),
        }
    }
}

/// The error for a top-level member that only the library writes.
pub(crate) fn reserved(key: &str) -> LimitError {
    let mut pointer = String::new();
    pointer::push_key(&mut pointer, key);
    limit_error(&pointer, LimitKind::Reserved, 0, 1)
}

/// Checks the JSON text of changes to a section that is not known yet. They may take twice the
/// section: each member is wrapped in what happens to it.
pub(crate) fn check_changes_text(actual: usize) -> Result<(), LimitError> {
    let limit = MAX_SECTION_BYTES.saturating_mul(2);
    if actual > limit {
        return Err(limit_error("", LimitKind::SectionText, limit, actual));
    }
    Ok(())
}

/// What a member of an object may be.
#[derive(Clone, Copy, PartialEq)]
enum Members {
    Values,
    ValuesAndDeletions,
    /// Somewhere below an array: a merge patch has no meaning there.
    InArray,
}

fn check(root: &Value, members: Members) -> Result<(), LimitError> {
    let Value::Object(object) = root else {
        return Err(limit_error("", LimitKind::NotAnObject, 0, 1));
    };
    let mut walk = Walk {
        pointer: String::new(),
        counted: 0,
    };
    walk.object(object, members, 0)?;
    if walk.counted > MAX_SECTION_BYTES {
        let kind = LimitKind::SectionSize;
        return Err(limit_error("", kind, MAX_SECTION_BYTES, walk.counted));
    }
    let text = serialized_len(root);
    if text > MAX_SECTION_BYTES {
        return Err(limit_error(
            "",
            LimitKind::SectionText,
            MAX_SECTION_BYTES,
            text,
        ));
    }
    Ok(())
}

/// One pass over a section: where it is, and the documented size so far.
struct Walk {
    pointer: String,
    counted: usize,
}

impl Walk {
    fn object(
        &mut self,
        object: &Map<String, Value>,
        members: Members,
        depth: usize,
    ) -> Result<(), LimitError> {
        let here = self.pointer.len();
        for (key, value) in object {
            pointer::push_key(&mut self.pointer, key);
            self.key(key)?;
            if value.is_null() && members == Members::Values {
                return Err(self.error(LimitKind::NullMember, 0, 1));
            }
            self.value(value, members, depth.saturating_add(1))?;
            self.pointer.truncate(here);
        }
        Ok(())
    }

    /// `depth` is the level `value` has if it is a container.
    fn value(&mut self, value: &Value, members: Members, depth: usize) -> Result<(), LimitError> {
        if depth > MAX_DEPTH && (value.is_object() || value.is_array()) {
            return Err(self.error(LimitKind::Depth, MAX_DEPTH, depth));
        }
        match value {
            Value::Null if members == Members::InArray => {
                Err(self.error(LimitKind::NullInArray, 0, 1))
            }
            Value::Null => Ok(()),
            Value::Bool(_) => self.count(4),
            Value::Number(number) => self.number(number),
            Value::String(text) => self.string(text),
            Value::Array(items) => self.array(items, depth),
            Value::Object(object) => self.object(object, members, depth),
        }
    }

    fn array(&mut self, items: &[Value], depth: usize) -> Result<(), LimitError> {
        let here = self.pointer.len();
        for (index, item) in items.iter().enumerate() {
            pointer::push_index(&mut self.pointer, index);
            self.value(item, Members::InArray, depth.saturating_add(1))?;
            self.pointer.truncate(here);
        }
        Ok(())
    }

    fn key(&mut self, key: &str) -> Result<(), LimitError> {
        if key.len() > MAX_KEY_BYTES {
            return Err(self.error(LimitKind::KeyLength, MAX_KEY_BYTES, key.len()));
        }
        let refused =
            |c: &char| c.is_control() || c.is_whitespace() || matches!(c, '.' | '$' | '#');
        if let Some(c) = key.chars().find(refused) {
            let mut error = self.error(LimitKind::KeyCharacter(c), 0, 0);
            error.actual = i128::from(u32::from(c));
            return Err(error);
        }
        self.count(key.len())
    }

    fn string(&mut self, text: &str) -> Result<(), LimitError> {
        if text.len() > MAX_STRING_BYTES {
            return Err(self.error(LimitKind::StringLength, MAX_STRING_BYTES, text.len()));
        }
        let controls: usize = text
            .chars()
            .filter(|c| c.is_control())
            .map(char::len_utf8)
            .sum();
        self.count(text.len().saturating_sub(controls))
    }

    fn number(&mut self, number: &Number) -> Result<(), LimitError> {
        // Fractions and what only a double holds have no documented range.
        let integer = number
            .as_i64()
            .map(i128::from)
            .or_else(|| number.as_u64().map(i128::from));
        if let Some(actual) = integer {
            let (least, greatest) = (i128::from(MIN_INTEGER), i128::from(MAX_INTEGER));
            if !(least..=greatest).contains(&actual) {
                let limit = if actual < 0 { least } else { greatest };
                let pointer = self.pointer.clone();
                return Err(LimitError {
                    pointer,
                    kind: LimitKind::Integer,
                    limit,
                    actual,
                });
            }
        }
        self.count(8)
    }

    fn count(&mut self, bytes: usize) -> Result<(), LimitError> {
        self.counted = self.counted.saturating_add(bytes);
        Ok(())
    }

    fn error(&self, kind: LimitKind, limit: usize, actual: usize) -> LimitError {
        limit_error(&self.pointer, kind, limit, actual)
    }
}

fn limit_error(pointer: &str, kind: LimitKind, limit: usize, actual: usize) -> LimitError {
    // Sizes in memory always fit; the conversion is only fallible on paper.
    let whole = |n: usize| i128::try_from(n).unwrap_or(i128::MAX);
    LimitError {
        pointer: pointer.to_owned(),
        kind,
        limit: whole(limit),
        actual: whole(actual),
    }
}

#[cfg(test)]
mod tests;
