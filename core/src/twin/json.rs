//! Strict JSON: the one way bytes from outside become a document.

use std::fmt;
use std::io;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::pointer::{self, Place};

/// Containers may nest this deep (the document itself is level 1). A twin section allows ten levels
/// (IoT Hub docs: device twins); this leaves room for the envelope around it and bounds every
/// recursion over a parsed document.
pub const MAX_PARSE_DEPTH: usize = 32;

/// Parses `bytes` as one JSON object of at most `max_bytes`.
///
/// Stricter than most parsers: the text is UTF-8, an object names each key once, containers nest at
/// most [`MAX_PARSE_DEPTH`] deep, a number fits a 64-bit integer or a finite double, and nothing but
/// white space follows. The answer is always [`Value::Object`].
///
/// # Errors
/// [`JsonError`] says what, at which line and column, and in which member it was found.
pub fn parse_object(bytes: &[u8], max_bytes: usize) -> Result<Value, JsonError> {
    if bytes.len() > max_bytes {
        let kind = JsonErrorKind::TooLarge {
            limit: max_bytes,
            actual: bytes.len(),
        };
        return Err(JsonError {
            kind,
            pointer: String::new(),
            line: 0,
            column: 0,
        });
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let (line, column) = position(bytes, e.valid_up_to());
        JsonError {
            kind: JsonErrorKind::NotUtf8,
            pointer: String::new(),
            line,
            column,
        }
    })?;
    let mut state = State {
        pointer: String::new(),
        kind: None,
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = Node {
        state: &mut state,
        depth: 1,
    }
    .deserialize(&mut deserializer)
    .map_err(|e| state.error(&e))?;
    deserializer.end().map_err(|e| {
        state.kind = Some(JsonErrorKind::TrailingText);
        state.error(&e)
    })?;
    if parsed.is_object() {
        Ok(parsed)
    } else {
        let kind = JsonErrorKind::NotAnObject {
            found: pointer::type_name(&parsed),
        };
        Err(JsonError {
            kind,
            pointer: String::new(),
            line: 1,
            column: 1,
        })
    }
}

/// How many bytes `value` takes as JSON without white space.
#[must_use]
pub fn serialized_len(value: &Value) -> usize {
    let mut counter = Counter(0);
    // Counting cannot fail; if it ever did, "too large" is the safe answer.
    serde_json::to_writer(&mut counter, value).map_or(usize::MAX, |()| counter.0)
}

/// Why bytes are not a JSON object that twinguard takes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// JSON pointer (RFC 6901) of the innermost member that was being read; empty for the document.
    pub pointer: String,
    /// Line, from 1; 0 when the text was not looked at.
    pub line: usize,
    /// Byte within the line, from 1; 0 when the text was not looked at or the line is empty so far.
    pub column: usize,
}

/// What is wrong with a JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// More bytes than allowed.
    TooLarge {
        /// Bytes allowed.
        limit: usize,
        /// Bytes given.
        actual: usize,
    },
    /// The bytes are not UTF-8.
    NotUtf8,
    /// Not JSON, or a number beyond what a double holds; the text is the parser's.
    Syntax(String),
    /// Containers nest deeper than [`MAX_PARSE_DEPTH`].
    TooDeep,
    /// An object names a key twice; the pointer names the key.
    DuplicateKey,
    /// The document is JSON, but not an object.
    NotAnObject {
        /// The JSON type found.
        found: &'static str,
    },
    /// Something follows the document.
    TrailingText,
}

impl std::error::Error for JsonError {}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = Place(&self.pointer);
        match &self.kind {
            JsonErrorKind::TooLarge { limit, actual } => {
                return write!(f, "JSON of {actual} bytes, at most {limit} allowed");
            }
            JsonErrorKind::NotUtf8 => f.write_str("JSON text is not UTF-8")?,
            JsonErrorKind::Syntax(text) => write!(f, "not valid JSON in {place}: {text}")?,
            JsonErrorKind::TooDeep => {
                write!(
                    f,
                    "JSON nested deeper than {MAX_PARSE_DEPTH} levels in {place}"
                )?;
            }
            JsonErrorKind::DuplicateKey => write!(f, "JSON key given twice: {place}")?,
            JsonErrorKind::NotAnObject { found } => {
                return write!(f, "expected a JSON object, found {found}");
            }
            JsonErrorKind::TrailingText => f.write_str("text after the JSON document")?,
        }
        write!(f, " (line {}, column {})", self.line, self.column)
    }
}

/// Line and column, both from 1, of the byte at `offset`.
fn position(bytes: &[u8], offset: usize) -> (usize, usize) {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line = before
        .iter()
        .filter(|b| **b == b'\n')
        .count()
        .saturating_add(1);
    let in_line = before.iter().rev().take_while(|b| **b != b'\n').count();
    (line, in_line.saturating_add(1))
}

/// What the visitor knows while it walks: where it is, and what it refused.
struct State {
    pointer: String,
    kind: Option<JsonErrorKind>,
}

impl State {
    /// Remembers the reason (serde's errors only carry text) and stops the walk. The pointer is left
    /// as it stands, so that it names the place.
    fn refuse<E: de::Error>(&mut self, kind: JsonErrorKind) -> E {
        self.kind = Some(kind);
        E::custom("refused")
    }

    fn error(&mut self, e: &serde_json::Error) -> JsonError {
        let kind = self.kind.take().unwrap_or_else(|| {
            // serde_json ends its text with the position, which JsonError has as numbers.
            let text = e.to_string();
            let words = text
                .split_once(" at line ")
                .map_or(text.as_str(), |(words, _)| words);
            JsonErrorKind::Syntax(words.to_owned())
        });
        let pointer = std::mem::take(&mut self.pointer);
        JsonError {
            kind,
            pointer,
            line: e.line(),
            column: e.column(),
        }
    }
}

/// Reads one value. `depth` is the level a container here would have.
struct Node<'a> {
    state: &'a mut State,
    depth: usize,
}

impl Node<'_> {
    fn enter<E: de::Error>(&mut self) -> Result<usize, E> {
        if self.depth > MAX_PARSE_DEPTH {
            return Err(self.state.refuse(JsonErrorKind::TooDeep));
        }
        Ok(self.state.pointer.len())
    }

    fn child(&mut self) -> Node<'_> {
        Node {
            state: self.state,
            depth: self.depth.saturating_add(1),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        // The parser refuses what overflows a double; this keeps the promise if it ever changes.
        let not_finite = || JsonErrorKind::Syntax("number out of range".to_owned());
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| self.state.refuse(not_finite()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value, A::Error> {
        let here = self.enter()?;
        let mut items = Vec::new();
        loop {
            pointer::push_index(&mut self.state.pointer, items.len());
            let item = seq.next_element_seed(self.child())?;
            self.state.pointer.truncate(here);
            match item {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let here = self.enter()?;
        let mut members = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            pointer::push_key(&mut self.state.pointer, &key);
            if members.contains_key(&key) {
                return Err(self.state.refuse(JsonErrorKind::DuplicateKey));
            }
            let value = map.next_value_seed(self.child())?;
            self.state.pointer.truncate(here);
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}

/// A sink that only counts.
struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
