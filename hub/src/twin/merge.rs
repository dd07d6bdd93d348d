//! Merge patch with metadata, and the patch that stands for a replace.
//!
//! IoT Hub tells a device about a replace as a patch: the full new section plus `null` for every
//! key that vanished. For nested objects that is not documented; doing the same there keeps a
//! merging client right.

use serde_json::{Map, Value};

/// What is written into `$metadata` at every place a patch touches.
pub(super) struct Stamp<'a> {
    pub(super) time: &'a str,
    /// Only desired properties carry `$lastUpdatedVersion`.
    pub(super) version: Option<u64>,
}

impl Stamp<'_> {
    fn mark(&self, metadata: &mut Map<String, Value>) {
        metadata.insert("$lastUpdated".into(), self.time.into());
        if let Some(version) = self.version {
            metadata.insert("$lastUpdatedVersion".into(), version.into());
        }
    }
}

/// RFC 7396 over `values`, mirrored in `metadata`.
pub(super) fn merge(
    values: &mut Map<String, Value>,
    metadata: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    stamp: &Stamp<'_>,
) {
    stamp.mark(metadata);
    for (key, value) in patch {
        match value {
            Value::Null => {
                values.remove(key);
                metadata.remove(key);
            }
            Value::Object(patch) => {
                let (mut inner, mut marks) = match (values.remove(key), metadata.remove(key)) {
                    (Some(Value::Object(inner)), Some(Value::Object(marks))) => (inner, marks),
                    (Some(Value::Object(inner)), _) => (inner, Map::new()),
                    _ => Default::default(),
                };
                merge(&mut inner, &mut marks, patch, stamp);
                values.insert(key.clone(), inner.into());
                metadata.insert(key.clone(), marks.into());
            }
            value => {
                values.insert(key.clone(), value.clone());
                metadata.insert(key.clone(), metadata_of(value, stamp).into());
            }
        }
    }
}

/// Metadata of a value written as a whole.
pub(super) fn metadata_of(value: &Value, stamp: &Stamp<'_>) -> Map<String, Value> {
    let mut metadata = Map::new();
    stamp.mark(&mut metadata);
    if let Value::Object(members) = value {
        for (key, value) in members {
            metadata.insert(key.clone(), metadata_of(value, stamp).into());
        }
    }
    metadata
}

/// Whether the hub counts a patch as an update: it compares keys, not values, so the same value
/// again is one, while removing or emptying what is not there is none.
pub(super) fn changes_anything(values: &Map<String, Value>, patch: &Map<String, Value>) -> bool {
    patch
        .iter()
        .any(|(key, value)| match (value, values.get(key)) {
            (Value::Null, present) => present.is_some(),
            (Value::Object(patch), Some(Value::Object(values))) => changes_anything(values, patch),
            (Value::Object(patch), None) => changes_anything(&Map::new(), patch),
            _ => true,
        })
}

/// The new section, plus `null` for everything `old` has and it has not.
pub(super) fn removal_patch(
    old: &Map<String, Value>,
    mut new: Map<String, Value>,
) -> Map<String, Value> {
    for (key, old) in old {
        match (old, new.remove(key)) {
            (_, None) => new.insert(key.clone(), Value::Null),
            (Value::Object(old), Some(Value::Object(inner))) => {
                new.insert(key.clone(), removal_patch(old, inner).into())
            }
            (_, Some(value)) => new.insert(key.clone(), value),
        };
    }
    new
}
