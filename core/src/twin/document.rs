//! The desired section as the module knows it: one value, one version, and the rules that keep
//! an old or a missing notification from doing harm.

use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value};

use super::json::serialized_len;
use super::patch;
use super::pointer;

/// A desired section larger than this (bytes of JSON) is refused. It bounds what a run of patches can
/// pile up. The hub keeps a section within 32 KB by its own count and sends it in one MQTT message,
/// which is at most 256 KB (IoT Hub docs: quotas and throttling), so no real section comes near.
pub const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// Members of a section that the hub owns; they are not configuration (IoT Hub docs: device twins).
const RESERVED: [&str; 3] = ["$version", "$metadata", "$etag"];

/// The desired section: the value in normal form, and the version the hub gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredDocument {
    value: Arc<Value>,
    version: Option<u64>,
}

/// How far a full document is to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It may have been overtaken: an older version than the known one is [`Applied::Stale`].
    NotOlder,
    /// It is the answer to our own GET on a new connection and therefore the truth, even when its
    /// version went back (fail-over, re-created identity).
    Authoritative,
}

/// What applying a document or a patch did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Applied {
    /// The value is different now.
    Changed,
    /// Taken, but the value is what it was; the version may have moved.
    Same,
    /// Older than what is known (a patch also: as old as). Nothing changed.
    Stale,
    /// A patch between the known version and this one is missing, or no version is known yet that
    /// the patch could follow. Nothing changed; the full document has to be read.
    Gap,
}

impl DesiredDocument {
    /// The empty section of unknown version.
    #[must_use]
    pub fn new() -> Self {
        static EMPTY: LazyLock<Arc<Value>> = LazyLock::new(|| Arc::new(Value::Object(Map::new())));
        Self {
            value: Arc::clone(&EMPTY),
            version: None,
        }
    }

    /// A section from a stored record.
    ///
    /// # Errors
    /// As for [`apply_full`](Self::apply_full). A `$version` inside `value` is ignored in favour of
    /// `version`.
    pub fn from_parts(value: Value, version: Option<u64>) -> Result<Self, DocumentError> {
        let (mut value, _) = section(value)?;
        patch::strip_nulls(&mut value);
        Ok(Self {
            value: Arc::new(bounded(value)?),
            version,
        })
    }

    /// Replaces the section by `doc`, the `desired` member of a GET answer.
    ///
    /// A document without `$version` is taken as it comes and leaves the version as it is.
    ///
    /// # Errors
    /// [`DocumentError`] when `doc` is not an object, its `$version` is not a whole number, or it is
    /// larger than [`MAX_DOCUMENT_BYTES`]. Then nothing changed.
    pub fn apply_full(
        &mut self,
        doc: Value,
        freshness: Freshness,
    ) -> Result<Applied, DocumentError> {
        let (mut value, version) = section(doc)?;
        let older = matches!((version, self.version), (Some(new), Some(known)) if new < known);
        if older && freshness == Freshness::NotOlder {
            return Ok(Applied::Stale);
        }
        patch::strip_nulls(&mut value);
        Ok(self.take(bounded(value)?, version))
    }

    /// Merges `patch`, the body of a desired notification.
    ///
    /// A patch without `$version` is applied as it comes and leaves the version as it is.
    ///
    /// # Errors
    /// As for [`apply_full`](Self::apply_full); the size is that of the merged section.
    pub fn apply_patch(&mut self, patch: &Value) -> Result<Applied, DocumentError> {
        let (patch, version) = section(patch.clone())?;
        if let Some(new) = version {
            match self.version {
                Some(known) if new <= known => return Ok(Applied::Stale),
                Some(known) if known.checked_add(1) == Some(new) => {}
                _ => return Ok(Applied::Gap),
            }
        }
        let mut merged = Value::clone(&self.value);
        patch::merge(&mut merged, &patch);
        Ok(self.take(bounded(merged)?, version))
    }

    /// The section: an object in normal form, without `$version` and the other members of the hub.
    #[must_use]
    pub fn value(&self) -> &Arc<Value> {
        &self.value
    }

    /// The hub's version of the section, when one is known.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    fn take(&mut self, value: Value, version: Option<u64>) -> Applied {
        self.version = version.or(self.version);
        if *self.value == value {
            return Applied::Same;
        }
        self.value = Arc::new(value);
        Applied::Changed
    }
}

impl Default for DesiredDocument {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a document or patch was refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The section is not a JSON object.
    #[error("desired section: expected a JSON object, found {found}")]
    NotAnObject {
        /// The JSON type found.
        found: &'static str,
    },
    /// `$version` is not a whole number from 0.
    #[error("desired section, /$version: expected a whole number from 0, found {found}")]
    Version {
        /// What stands there: the number, or the JSON type of something else.
        found: String,
    },
    /// The section would be larger than [`MAX_DOCUMENT_BYTES`].
    #[error("desired section of {actual} bytes of JSON, at most {limit} allowed")]
    TooLarge {
        /// Bytes of JSON allowed.
        limit: usize,
        /// Bytes of JSON it would be.
        actual: usize,
    },
}

/// Takes the hub's own members out of a section or patch and reads its version.
fn section(mut value: Value) -> Result<(Value, Option<u64>), DocumentError> {
    let Value::Object(members) = &mut value else {
        return Err(DocumentError::NotAnObject {
            found: pointer::type_name(&value),
        });
    };
    let version = members.get("$version").map(read_version).transpose()?;
    for key in RESERVED {
        members.remove(key);
    }
    Ok((value, version))
}

fn read_version(value: &Value) -> Result<u64, DocumentError> {
    value.as_u64().ok_or_else(|| {
        let found = match value {
            Value::Number(number) => number.to_string(),
            other => pointer::type_name(other).to_owned(),
        };
        DocumentError::Version { found }
    })
}

fn bounded(value: Value) -> Result<Value, DocumentError> {
    let actual = serialized_len(&value);
    if actual > MAX_DOCUMENT_BYTES {
        return Err(DocumentError::TooLarge {
            limit: MAX_DOCUMENT_BYTES,
            actual,
        });
    }
    Ok(value)
}

#[cfg(test)]
mod tests;
