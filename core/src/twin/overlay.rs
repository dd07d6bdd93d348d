//! Changes to a document that is not known yet.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

use super::patch;

/// What a run of merge patches does to any document. One merge patch cannot always say what two in
/// a row do (`{"a":null}` then `{"a":{"b":1}}` leaves nothing of an old `a`); this can.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Overlay {
    /// The member vanishes.
    Delete,
    /// The member becomes this value, in normal form.
    Replace(Value),
    /// The member is an object, and these of its members change.
    Merge(BTreeMap<String, Self>),
}

impl Overlay {
    /// Changes nothing.
    pub(crate) fn new() -> Self {
        Self::Merge(BTreeMap::new())
    }

    /// Puts one more merge patch (RFC 7396) on top.
    pub(crate) fn patch(&mut self, patch: &Value) {
        let Value::Object(members) = patch else {
            *self = if patch.is_null() {
                Self::Delete
            } else {
                Self::Replace(patch.clone())
            };
            return;
        };
        match self {
            Self::Merge(below) => {
                for (key, value) in members {
                    below
                        .entry(key.clone())
                        .or_insert_with(Self::new)
                        .patch(value);
                }
            }
            Self::Replace(value) => patch::merge(value, patch),
            Self::Delete => {
                let mut value = Value::Object(Map::new());
                patch::merge(&mut value, patch);
                *self = Self::Replace(value);
            }
        }
    }

    /// What becomes of `below`. `None` when nothing is left.
    pub(crate) fn apply(&self, below: Option<Value>) -> Option<Value> {
        match self {
            Self::Delete => None,
            Self::Replace(value) => Some(value.clone()),
            Self::Merge(changes) => {
                let mut members = match below {
                    Some(Value::Object(members)) => members,
                    _ => Map::new(),
                };
                for (key, change) in changes {
                    if let Some(value) = change.apply(members.remove(key)) {
                        members.insert(key.clone(), value);
                    }
                }
                Some(Value::Object(members))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Every patch of the run, then one overlay of all of them: the same document.
    #[test]
    fn an_overlay_does_what_its_patches_do_one_by_one() {
        let bases = [
            json!({}),
            json!({"a": 1}),
            json!({"a": {"x": {"y": 1}, "z": 2}, "b": [1]}),
        ];
        let patches = [
            json!({}),
            json!({"a": null}),
            json!({"a": {"b": 1}}),
            json!({"a": {"x": null}}),
            json!({"a": {"x": {"n": 5, "m": null}}}),
            json!({"a": 7, "c": {}}),
            json!({"b": {"deep": {"er": [null]}}}),
        ];
        for base in &bases {
            for (a, b, c) in triples(&patches) {
                let mut expected = base.clone();
                let mut overlay = Overlay::new();
                for patch in [a, b, c] {
                    patch::merge(&mut expected, patch);
                    overlay.patch(patch);
                }
                let text = serde_json::to_string(&overlay).unwrap();
                let overlay: Overlay = serde_json::from_str(&text).unwrap();
                assert_eq!(
                    overlay.apply(Some(base.clone())),
                    Some(expected),
                    "{a} {b} {c}"
                );
            }
        }
    }

    fn triples(all: &[Value]) -> impl Iterator<Item = (&Value, &Value, &Value)> {
        all.iter().flat_map(move |a| {
            all.iter()
                .flat_map(move |b| all.iter().map(move |c| (a, b, c)))
        })
    }
}
