//! Property bags: the properties of a message, in the last part of its topic.

use std::collections::BTreeMap;

use crate::identity::percent::{self, PercentError};
use crate::twin::pointer::Shown;

/// Bytes of an encoded bag. It is part of a topic, which MQTT limits to 65535 bytes (MQTT 3.1.1,
/// section 1.5.3); the rest is left for the ids in front of it.
pub const MAX_BAG_BYTES: usize = 64 * 1024 - 1024;

/// The properties of a message. System properties have names that begin with `$.`.
///
/// A property has a value, an empty value (`name=` on the wire), or none (`name`). The order on the
/// wire means nothing; ours is by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PropertyBag(BTreeMap<String, Option<String>>);

impl PropertyBag {
    /// The empty bag.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a property; `None` for one without a value.
    pub fn set(&mut self, name: impl Into<String>, value: Option<&str>) {
        self.0.insert(name.into(), value.map(str::to_owned));
    }

    /// The value of `name`: `None` when it is not there, `Some(None)` when it has no value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Option<&str>> {
        self.0.get(name).map(Option::as_deref)
    }

    /// All properties, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// How many properties there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bag as it stands in a topic: names and values percent-encoded, so that it holds nothing
    /// that means something to MQTT.
    ///
    /// # Errors
    /// [`BagError::EmptyName`] and [`BagError::TooLong`].
    pub fn encode(&self) -> Result<String, BagError> {
        let mut text = String::new();
        for (name, value) in self.iter() {
            if name.is_empty() {
                return Err(BagError::EmptyName);
            }
            if !text.is_empty() {
                text.push('&');
            }
            percent::encode_into(&mut text, name);
            if let Some(value) = value {
                text.push('=');
                percent::encode_into(&mut text, value);
            }
        }
        checked_len(&text)?;
        Ok(text)
    }

    /// Reads a bag from a topic, as any client writes it: hex in either case, a `?` in front, and
    /// characters that need no encoding to be understood left raw.
    ///
    /// # Errors
    /// [`BagError`] names what is wrong and where.
    pub fn decode(text: &str) -> Result<Self, BagError> {
        checked_len(text)?;
        let text = text.strip_prefix('?').unwrap_or(text);
        let mut bag = Self::new();
        if text.is_empty() {
            return Ok(bag);
        }
        for pair in text.split('&') {
            let (name, value) = match pair.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (pair, None),
            };
            let decode = |text: &str| {
                percent::decode(text).map_err(|reason| BagError::Encoding {
                    name: name.to_owned(),
                    reason,
                })
            };
            let key = decode(name)?;
            if key.is_empty() {
                return Err(BagError::EmptyName);
            }
            if bag.0.contains_key(&key) {
                return Err(BagError::Duplicate { name: key });
            }
            bag.0.insert(key, value.map(decode).transpose()?);
        }
        Ok(bag)
    }
}

/// Why a bag cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BagError {
    /// More than [`MAX_BAG_BYTES`] in encoded form.
    #[error("property bag of {actual} bytes, at most {MAX_BAG_BYTES} allowed")]
    TooLong {
        /// Bytes it has.
        actual: usize,
    },
    /// A property without a name.
    #[error("property bag holds a property without a name")]
    EmptyName,
    /// A property stands there twice.
    #[error("property {} given twice", Shown(name))]
    Duplicate {
        /// Its name, decoded.
        name: String,
    },
    /// The name or value of a property is not percent-encoded UTF-8.
    #[error("property {}: {reason}", Shown(name))]
    Encoding {
        /// Its name, as it stands there.
        name: String,
        /// What is wrong.
        reason: PercentError,
    },
}

fn checked_len(text: &str) -> Result<(), BagError> {
    if text.len() > MAX_BAG_BYTES {
        return Err(BagError::TooLong { actual: text.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
