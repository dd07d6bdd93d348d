//! What IoT Hub allows in a twin (IoT Hub docs: device twins, limits).

use serde_json::{Map, Number, Value};

/// Tags: 8 KiB.
pub(super) const TAGS_SIZE: usize = 8 * 1024;
/// Desired: 32 KiB.
pub(super) const DESIRED_SIZE: usize = 32 * 1024;
/// Reported: 32 KiB.
pub(super) const REPORTED_SIZE: usize = 32 * 1024;
/// Longest key, in bytes of UTF-8.
const MAX_KEY: usize = 1024;
/// Longest string value, in bytes of UTF-8.
const MAX_STRING: usize = 4096;
/// Deepest object or array; the section itself is level 0.
const MAX_DEPTH: usize = 10;
/// Integers lie in -2^52 ..= 2^52 - 1.
const MIN_INTEGER: i64 = -(1 << 52);
const MAX_INTEGER: i64 = (1 << 52) - 1;

/// A rule of the twin documents that a request breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer:?}: {rule}")]
pub(crate) struct Violation {
    /// JSON pointer to the place.
    pub(crate) pointer: String,
    /// What is wrong and what was expected.
    pub(crate) rule: String,
}

impl Violation {
    pub(super) fn new(pointer: impl Into<String>, rule: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            rule: rule.into(),
        }
    }

    pub(super) fn within(mut self, prefix: &str) -> Self {
        self.pointer.insert_str(0, prefix);
        self
    }
}

/// Keys, values and depth of a merge patch, in which null deletes.
pub(super) fn check_patch(patch: &Map<String, Value>) -> Result<(), Violation> {
    check_object(patch, "", 0, true)
}

/// Keys, values and depth of a whole section. IoT Hub refuses null there: "Value of Property or
/// Tag cannot be null" (azure-iot-cli-extension issue 693).
pub(super) fn check_section(section: &Map<String, Value>) -> Result<(), Violation> {
    check_object(section, "", 0, false)
}

/// The summed size of a section: characters of keys and strings without control characters,
/// 8 for a number, 4 for a boolean.
pub(super) fn check_size(
    section: &Map<String, Value>,
    name: &str,
    limit: usize,
) -> Result<(), Violation> {
    let size = object_size(section);
    if size > limit {
        return Err(Violation::new(
            format!("/{name}"),
            format!("section would hold {size} bytes, at most {limit} are allowed"),
        ));
    }
    Ok(())
}

fn check_object(
    object: &Map<String, Value>,
    pointer: &str,
    depth: usize,
    nulls: bool,
) -> Result<(), Violation> {
    for (key, value) in object {
        let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
        check_key(key).map_err(|rule| Violation::new(&pointer, rule))?;
        check_value(value, &pointer, depth, nulls)?;
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), String> {
    if key.len() > MAX_KEY {
        return Err(format!(
            "key is {} bytes long, at most {MAX_KEY} are allowed",
            key.len()
        ));
    }
    match key
        .chars()
        .find(|c| c.is_control() || matches!(c, '.' | '$' | ' '))
    {
        Some(bad) => Err(format!(
            "key holds {bad:?}; control characters, '.', '$' and space are not allowed"
        )),
        None => Ok(()),
    }
}

fn check_value(value: &Value, pointer: &str, depth: usize, nulls: bool) -> Result<(), Violation> {
    let fail = |rule: String| Err(Violation::new(pointer, rule));
    match value {
        Value::Null if !nulls => fail("null is not allowed in an array or a replacement".into()),
        Value::Null | Value::Bool(_) => Ok(()),
        Value::Number(number) if !in_range(number) => {
            fail(format!("integer is outside {MIN_INTEGER} to {MAX_INTEGER}"))
        }
        Value::Number(_) => Ok(()),
        Value::String(text) if text.len() > MAX_STRING => fail(format!(
            "string is {} bytes long, at most {MAX_STRING} are allowed",
            text.len()
        )),
        Value::String(_) => Ok(()),
        Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => {
            fail(format!("nested deeper than {MAX_DEPTH} levels"))
        }
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            check_value(item, &format!("{pointer}/{index}"), depth + 1, false)
        }),
        Value::Object(object) => check_object(object, pointer, depth + 1, nulls),
    }
}

/// Integers too large for 64 bits never get here: [`super::parse_object`] refuses them.
fn in_range(number: &Number) -> bool {
    match (number.as_i64(), number.as_u64()) {
        (Some(n), _) => (MIN_INTEGER..=MAX_INTEGER).contains(&n),
        (None, Some(_)) => false,
        (None, None) => true,
    }
}

fn object_size(object: &Map<String, Value>) -> usize {
    object
        .iter()
        .map(|(key, value)| text_size(key) + value_size(value))
        .sum()
}

fn value_size(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text_size(text),
        Value::Array(items) => items.iter().map(value_size).sum(),
        Value::Object(object) => object_size(object),
    }
}

fn text_size(text: &str) -> usize {
    text.chars().filter(|c| !c.is_control()).count()
}
