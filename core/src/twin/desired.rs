//! Following the desired section of one hub over many connections.
//!
//! The order that loses nothing (IoT Hub docs, "Understand and use device twins": subscribe, then
//! read, then drop what is not newer): notifications that come before the first read of a
//! connection wait for it; what it already contains is dropped, the rest is merged in order of
//! version. A version that is missing in between makes the module read the whole twin again.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{Applied, DesiredDocument, DocumentError, Freshness};
use super::json::{self, JsonError};

/// Largest payload that is looked at. The hub takes part in no larger message (IoT Hub docs:
/// quotas, 256 KB per message), and a twin of two full sections is well below it.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 256 * 1024;

/// Notifications that wait for a read: how many, and how many bytes of payload.
const MAX_WAITING: usize = 256;
const MAX_WAITING_BYTES: usize = 256 * 1024;

/// Reads in a row that may leave a gap before what waits behind it is given up as wrong.
const MAX_FRUITLESS_READS: u32 = 3;

/// What a read or a notification has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The document is as new as all that has been heard.
    Current,
    /// A read is needed, or has to answer first.
    Behind,
    /// A notification is missing: a read is needed.
    Gap,
    /// The hub names versions that its twin does not have. What it sent is forgotten and the twin
    /// taken as read.
    GaveUp,
}

/// Why a notification is no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotificationError {
    #[error("desired notification: {0}")]
    Json(#[from] JsonError),
    #[error("desired notification: {0}")]
    Document(#[from] DocumentError),
    #[error("desired notification: topic says version {topic}, payload says {payload}")]
    Versions { topic: u64, payload: u64 },
    #[error("desired notification: no $version in payload or topic")]
    NoVersion,
}

/// The desired section, and what it takes to keep it in step with the hub.
pub(crate) struct DesiredSync {
    document: DesiredDocument,
    /// Whether the document came from the hub or a record, rather than being the empty beginning.
    known: bool,
    in_step: bool,
    /// The next read is the first of its connection, and therefore the truth.
    first_read: bool,
    waiting: BTreeMap<u64, (Value, usize)>,
    waiting_bytes: usize,
    /// The newest version that had to be dropped because too many waited.
    dropped: Option<u64>,
    fruitless: u32,
}

impl DesiredSync {
    pub(crate) fn new() -> Self {
        Self {
            document: DesiredDocument::new(),
            known: false,
            in_step: false,
            first_read: true,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            dropped: None,
            fruitless: 0,
        }
    }

    /// Takes the document of a stored record.
    pub(crate) fn restore(&mut self, document: DesiredDocument) {
        self.document = document;
        self.known = true;
    }

    pub(crate) fn document(&self) -> &DesiredDocument {
        &self.document
    }

    /// Whether there is a document from the hub or a record.
    pub(crate) fn is_known(&self) -> bool {
        self.known
    }

    /// Whether the document is as new as all that has been heard on this connection.
    pub(crate) fn is_in_step(&self) -> bool {
        self.in_step
    }

    /// The connection is gone: what waited is of no use, and the next read is the truth.
    pub(crate) fn disconnected(&mut self) {
        self.in_step = false;
        self.first_read = true;
        self.fruitless = 0;
        self.forget();
    }

    /// Takes the `desired` member of the answer to a read.
    pub(crate) fn read(&mut self, desired: Value) -> Result<Heard, DocumentError> {
        let freshness = if self.first_read {
            Freshness::Authoritative
        } else {
            Freshness::NotOlder
        };
        let _: Applied = self.document.apply_full(desired, freshness)?;
        self.known = true;
        self.first_read = false;
        let step = self.catch_up()?;
        if step == Heard::Current || self.fruitless.saturating_add(1) < MAX_FRUITLESS_READS {
            self.fruitless = if step == Heard::Current {
                0
            } else {
                self.fruitless.saturating_add(1)
            };
            return Ok(step);
        }
        self.fruitless = 0;
        self.forget();
        self.in_step = true;
        Ok(Heard::GaveUp)
    }

    /// Takes a notification: a merge patch with its `$version` inside, also in the topic.
    pub(crate) fn notified(
        &mut self,
        payload: &[u8],
        topic: Option<u64>,
    ) -> Result<Heard, NotificationError> {
        let result = self.take(payload, topic);
        if result.is_err() {
            // Something was said and not understood; only a read can tell what.
            self.in_step = false;
        }
        result
    }

    fn take(&mut self, payload: &[u8], topic: Option<u64>) -> Result<Heard, NotificationError> {
        let mut patch = json::parse_object(payload, MAX_PAYLOAD_BYTES)?;
        let version = agreed_version(&mut patch, topic)?;
        if !self.in_step {
            self.wait(version, patch, payload.len());
            return Ok(Heard::Behind);
        }
        if self.document.apply_patch(&patch)? == Applied::Gap {
            self.in_step = false;
            self.wait(version, patch, payload.len());
            return Ok(Heard::Gap);
        }
        Ok(Heard::Current)
    }

    fn wait(&mut self, version: u64, patch: Value, bytes: usize) {
        let full = self.waiting.len() >= MAX_WAITING
            || self.waiting_bytes.saturating_add(bytes) > MAX_WAITING_BYTES;
        if full {
            let newest = self.waiting.keys().next_back().copied();
            let dropped = newest.max(Some(version)).max(self.dropped);
            self.forget();
            self.dropped = dropped;
            return;
        }
        if let Some((_, before)) = self.waiting.insert(version, (patch, bytes)) {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(before);
        }
        self.waiting_bytes = self.waiting_bytes.saturating_add(bytes);
    }

    /// Merges what waits, as far as it follows the document.
    fn catch_up(&mut self) -> Result<Heard, DocumentError> {
        while let Some((version, (patch, bytes))) = self.waiting.pop_first() {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
            if self.document.apply_patch(&patch)? == Applied::Gap {
                self.wait(version, patch, bytes);
                self.in_step = false;
                return Ok(Heard::Gap);
            }
        }
        self.in_step = self.dropped <= self.document.version();
        if !self.in_step {
            return Ok(Heard::Gap);
        }
        self.dropped = None;
        Ok(Heard::Current)
    }

    fn forget(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.dropped = None;
    }
}

/// The version a notification carries, made sure to stand in the patch.
fn agreed_version(patch: &mut Value, topic: Option<u64>) -> Result<u64, NotificationError> {
    let inside = patch.get("$version").and_then(Value::as_u64);
    match (inside, topic) {
        (Some(payload), Some(topic)) if payload != topic => {
            Err(NotificationError::Versions { topic, payload })
        }
        (Some(version), _) => Ok(version),
        (None, Some(version)) => {
            if let Value::Object(members) = patch {
                members.insert("$version".to_owned(), version.into());
            }
            Ok(version)
        }
        (None, None) => Err(NotificationError::NoVersion),
    }
}

#[cfg(test)]
mod tests;
