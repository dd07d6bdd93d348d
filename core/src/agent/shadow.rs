//! Desired document and configuration together, for hosts with a twin client of their own.

use std::sync::Arc;

use serde_json::Value;

use super::configurator::{Configurator, RestoreError, Verdict};
use super::evaluation::Evaluation;
use super::options::AgentOptions;
use crate::twin::document::{Applied, DesiredDocument, DocumentError, Freshness};

/// The desired document as it is known, and the configuration in force by it.
///
/// The host feeds it what its own twin client receives: the full desired document after each
/// connect, and each desired notification. A refused document stays in the shadow, so that a later
/// patch can repair it.
#[derive(Debug, Clone)]
pub struct Shadow {
    desired: DesiredDocument,
    configurator: Configurator,
}

/// What feeding a [`Shadow`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
#[non_exhaustive]
pub enum Update {
    /// As [`Verdict::Applied`].
    Applied,
    /// As [`Verdict::Unchanged`].
    Unchanged,
    /// As [`Verdict::Rejected`].
    Rejected,
    /// Older than what is known; nothing was done.
    IgnoredStale,
    /// A patch is missing before this one; nothing was done. Get the full document.
    ResyncRequired,
}

impl Update {
    /// In one word: `applied`, `unchanged`, `rejected`, `ignored_stale`, `resync_required`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Rejected => "rejected",
            Self::IgnoredStale => "ignored_stale",
            Self::ResyncRequired => "resync_required",
        }
    }
}

impl From<Verdict> for Update {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Applied => Self::Applied,
            Verdict::Unchanged => Self::Unchanged,
            Verdict::Rejected => Self::Rejected,
        }
    }
}

impl Shadow {
    /// An empty document; the defaults are in force.
    #[must_use]
    pub fn new(options: AgentOptions) -> Self {
        Self {
            desired: DesiredDocument::new(),
            configurator: Configurator::new(options),
        }
    }

    /// Puts a stored configuration in force, before the first document: see
    /// [`Configurator::restore`].
    ///
    /// # Errors
    /// [`RestoreError`] when it is not such a record or has a bad value. Then nothing changed.
    pub fn restore(&mut self, record: &Value) -> Result<(), RestoreError> {
        self.configurator.restore(record)
    }

    /// Takes a full desired document, the `desired` member of a twin, `$version` included.
    ///
    /// # Errors
    /// [`DocumentError`] when it is no desired document. Then nothing changed.
    pub fn apply_full(&mut self, doc: Value) -> Result<Update, DocumentError> {
        let applied = self.desired.apply_full(doc, Freshness::NotOlder)?;
        Ok(self.follow(applied))
    }

    /// Takes a desired notification, a merge patch (RFC 7396), `$version` included.
    ///
    /// # Errors
    /// [`DocumentError`] when it is no patch of a desired document. Then nothing changed.
    pub fn apply_patch(&mut self, patch: &Value) -> Result<Update, DocumentError> {
        let applied = self.desired.apply_patch(patch)?;
        Ok(self.follow(applied))
    }

    /// The result of the last evaluation, with the configuration in force.
    #[must_use]
    pub const fn evaluation(&self) -> &Arc<Evaluation> {
        self.configurator.evaluation()
    }

    /// The desired document as it is known.
    #[must_use]
    pub const fn desired(&self) -> &DesiredDocument {
        &self.desired
    }

    /// The configurator, to read options, the reported section or a record from.
    #[must_use]
    pub const fn configurator(&self) -> &Configurator {
        &self.configurator
    }

    fn follow(&mut self, applied: Applied) -> Update {
        match applied {
            // The same value may come with another version, which the evaluation tells.
            Applied::Changed | Applied::Same => self
                .configurator
                .evaluate(self.desired.value(), self.desired.version())
                .into(),
            Applied::Stale => Update::IgnoredStale,
            Applied::Gap => Update::ResyncRequired,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::agent::{Priority, SECTION};

    #[test]
    fn a_shadow_merges_patches_and_minds_versions() {
        let section = |key: &str, value: &str| json!({ SECTION: { key: { "value": value } } });
        let with_version = |mut doc: Value, version: u64| {
            doc["$version"] = version.into();
            doc
        };
        let mut shadow = Shadow::new(AgentOptions::default());
        let full = with_version(section("snapshotFrequency", "PT1H"), 4);
        assert_eq!(shadow.apply_full(full.clone()), Ok(Update::Applied));
        let patch = with_version(section("eventPriorityLogin", "Off"), 5);
        assert_eq!(shadow.apply_patch(&patch), Ok(Update::Applied));
        let configuration = shadow.evaluation().effective.agent().unwrap();
        assert_eq!(configuration.snapshot_frequency.to_string(), "PT1H");
        assert_eq!(configuration.event_priority_login, Priority::Off);
        assert_eq!(shadow.apply_patch(&patch), Ok(Update::IgnoredStale));
        assert_eq!(shadow.apply_full(full), Ok(Update::IgnoredStale));
        let gap = with_version(section("eventPriorityLogin", "Low"), 7);
        assert_eq!(shadow.apply_patch(&gap), Ok(Update::ResyncRequired));
        let delete = json!({ SECTION: { "snapshotFrequency": null }, "$version": 6 });
        assert_eq!(shadow.apply_patch(&delete), Ok(Update::Applied));
        let configuration = shadow.evaluation().effective.agent().unwrap();
        assert_eq!(configuration.snapshot_frequency.to_string(), "PT13H");
        let foreign = json!({ "other": 1, "$version": 7 });
        assert_eq!(shadow.apply_patch(&foreign), Ok(Update::Unchanged));
        assert_eq!(shadow.evaluation().desired_version, Some(7));
        assert_eq!(shadow.desired().version(), Some(7));
        assert!(shadow.apply_patch(&json!([])).is_err());
    }
}
