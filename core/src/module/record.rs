//! What a module keeps over a restart: the desired section, the configuration in force, and what
//! the host wants reported.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agent::RestoreError;
use crate::identity::Identity;
use crate::twin::document::{DesiredDocument, DocumentError};
use crate::twin::limits::LimitError;
use crate::twin::pointer::Shown;
use crate::twin::reported::Wanted;

/// Largest record, in bytes. Its parts are bounded to less; this bounds what is read back.
pub const MAX_RECORD_BYTES: usize = 2 * 1024 * 1024;

/// The form of the record. A record of a higher number is from a newer library.
const FORMAT: u64 = 1;

/// Why a stored record was not taken. The module runs without it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A record can only be taken before the module connects, and only once.
    #[error("record: taken only before the module connects")]
    TooLate,
    /// More bytes than a record has.
    #[error("record of {actual} bytes, at most {MAX_RECORD_BYTES} allowed")]
    TooLarge {
        /// Bytes given.
        actual: usize,
    },
    /// Not a record: torn, or something else.
    #[error("record is not readable: {0}")]
    Broken(#[source] serde_json::Error),
    /// Written by a newer library.
    #[error("record of format {found}; this library reads format {FORMAT}")]
    Format {
        /// The format it names.
        found: u64,
    },
    /// Written for another module.
    #[error("record of {}, not of {expected}", Shown(found))]
    Foreign {
        /// The identity it names, as the resource `host/devices/d/modules/m`.
        found: String,
        /// The identity of this module.
        expected: String,
    },
    /// The stored twin document is bad.
    #[error("record: {0}")]
    Document(#[from] DocumentError),
    /// The stored configuration is bad.
    #[error("record: {0}")]
    Configuration(#[from] RestoreError),
    /// What was to be reported breaks a limit.
    #[error("record: {0}")]
    Reported(#[from] LimitError),
}

/// What all formats have in common.
#[derive(Deserialize)]
struct Envelope {
    format: u64,
    identity: String,
}

/// Format 1.
#[derive(Serialize, Deserialize)]
pub(crate) struct Record {
    format: u64,
    identity: String,
    pub(crate) desired: Option<Section>,
    pub(crate) configuration: Value,
    /// The reported section as last known at the hub.
    pub(crate) reported: Option<Section>,
    pub(crate) wanted: Wanted,
}

/// A section with its version.
#[derive(Serialize, Deserialize)]
pub(crate) struct Section {
    version: Option<u64>,
    document: Arc<Value>,
}

impl Section {
    pub(crate) fn new(document: &Arc<Value>, version: Option<u64>) -> Self {
        Self {
            version,
            document: Arc::clone(document),
        }
    }

    pub(crate) fn into_document(self) -> Result<DesiredDocument, DocumentError> {
        DesiredDocument::from_parts(Arc::unwrap_or_clone(self.document), self.version)
    }
}

impl Record {
    pub(crate) fn new(
        identity: &Identity,
        desired: Option<Section>,
        configuration: Value,
        reported: Option<Section>,
        wanted: Wanted,
    ) -> Self {
        let identity = identity.resource();
        Self {
            format: FORMAT,
            identity,
            desired,
            configuration,
            reported,
            wanted,
        }
    }

    /// The record as bytes, or how many they would be.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let bytes = serde_json::to_vec(self).map_err(|e| e.to_string())?;
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLarge {
                actual: bytes.len(),
            }
            .to_string());
        }
        Ok(bytes)
    }

    /// Reads a record of this identity.
    pub(crate) fn from_bytes(bytes: &[u8], identity: &Identity) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLarge {
                actual: bytes.len(),
            });
        }
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(RecordError::Broken)?;
        if envelope.format != FORMAT {
            return Err(RecordError::Format {
                found: envelope.format,
            });
        }
        let expected = identity.resource();
        if envelope.identity != expected {
            return Err(RecordError::Foreign {
                found: envelope.identity,
                expected,
            });
        }
        serde_json::from_slice(bytes).map_err(RecordError::Broken)
    }
}
