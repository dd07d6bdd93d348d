//! Merge patches (RFC 7396), and changes told one by one.
//!
//! The recursion here is bounded by the depth of the documents, which
//! [`parse_object`](super::json::parse_object) bounds.

use serde_json::{Map, Value};

use super::json::serialized_len;
use super::pointer::{self, Place};

/// Merges `patch` into `target`: objects member by member, `null` deletes, anything else replaces
/// (RFC 7396). A target in normal form stays in normal form.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            members.remove(key);
        } else {
            merge(members.entry(key.as_str()).or_insert(Value::Null), value);
        }
    }
}

/// The smallest merge patch that turns `from` into `to`; `None` when they are equal.
///
/// Both are in normal form: a merge patch cannot put a `null` into an object.
#[must_use]
pub fn diff(from: &Value, to: &Value) -> Option<Value> {
    if from == to {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (from, to) else {
        return Some(to.clone());
    };
    let mut patch = Map::new();
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in new {
        let part = match old.get(key) {
            Some(before) => diff(before, value),
            None => Some(value.clone()),
        };
        if let Some(part) = part {
            patch.insert(key.clone(), part);
        }
    }
    Some(Value::Object(patch))
}

/// The deletions of a patch made by [`diff`], in all about `max_bytes` of JSON: the one that reaches
/// it is the last. `None` when there is none.
pub(crate) fn some_deletions(patch: &Value, max_bytes: usize) -> Option<Value> {
    let mut left = max_bytes;
    collect_deletions(patch, &mut left)
}

fn collect_deletions(patch: &Value, left: &mut usize) -> Option<Value> {
    /// JSON of a member beside its quoted key: colon, null, comma.
    const AROUND: usize = 6;
    let Value::Object(members) = patch else {
        return patch.is_null().then_some(Value::Null);
    };
    let mut deletions = Map::new();
    for (key, value) in members {
        let before = *left;
        if before == 0 {
            break;
        }
        let name = serialized_len(&Value::String(key.clone()));
        *left = left.saturating_sub(name.saturating_add(AROUND));
        match collect_deletions(value, left) {
            Some(part) => drop(deletions.insert(key.clone(), part)),
            None => *left = before,
        }
    }
    (!deletions.is_empty()).then_some(Value::Object(deletions))
}

/// Brings `value` into the normal form of a twin section: object members that are `null` vanish.
/// Arrays are left as they are, because a merge patch replaces them whole.
pub fn strip_nulls(value: &mut Value) {
    if let Value::Object(members) = value {
        members.retain(|_, member| !member.is_null());
        members.values_mut().for_each(strip_nulls);
    }
}

/// One difference between two documents.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Where: JSON pointer (RFC 6901); empty for the document itself.
    pub pointer: String,
    /// The value before; `None` when the member is new.
    pub old: Option<Value>,
    /// The value now; `None` when the member was deleted.
    pub new: Option<Value>,
}

impl Change {
    /// Whether the member is gone.
    #[must_use]
    pub fn is_deletion(&self) -> bool {
        self.new.is_none()
    }
}

/// What differs between `from` and `to`, sorted by pointer.
///
/// Goes down only where both sides are objects; everything else is one change with the whole old
/// and new value. No pointer lies inside another, so the order of applying them does not matter.
#[must_use]
pub fn changes(from: &Value, to: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    collect(&mut String::new(), Some(from), Some(to), &mut found);
    found.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    found
}

fn collect(at: &mut String, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<Change>) {
    if from == to {
        return;
    }
    let (Some(Value::Object(old)), Some(Value::Object(new))) = (from, to) else {
        let change = Change {
            pointer: at.clone(),
            old: from.cloned(),
            new: to.cloned(),
        };
        found.push(change);
        return;
    };
    let here = at.len();
    let vanished = old.keys().filter(|key| !new.contains_key(*key));
    for key in vanished.chain(new.keys()) {
        pointer::push_key(at, key);
        collect(at, old.get(key), new.get(key), found);
        at.truncate(here);
    }
}

/// Applies one change, so that a host can keep its own view from events alone.
///
/// # Errors
/// [`ApplyError`] when the change does not fit `target`: its parent is not an object there, or what
/// it deletes is not there. Then `target` is unchanged, and the view was not the one the change was
/// made for.
pub fn apply_change(target: &mut Value, change: &Change) -> Result<(), ApplyError> {
    let misfit = |reason| ApplyError {
        pointer: change.pointer.clone(),
        reason,
    };
    let mut keys = pointer::keys(&change.pointer).ok_or_else(|| misfit(Misfit::NotAPointer))?;
    let Some(last) = keys.pop() else {
        *target = change
            .new
            .clone()
            .ok_or_else(|| misfit(Misfit::DeletesDocument))?;
        return Ok(());
    };
    let parent = keys
        .iter()
        .try_fold(target, |node, key| node.as_object_mut()?.get_mut(key))
        .and_then(Value::as_object_mut)
        .ok_or_else(|| misfit(Misfit::NoParent))?;
    match &change.new {
        Some(value) => {
            parent.insert(last, value.clone());
        }
        None => {
            parent
                .remove(&last)
                .ok_or_else(|| misfit(Misfit::NothingToDelete))?;
        }
    }
    Ok(())
}

/// A change that does not fit the document it was applied to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("change does not fit: {} {reason}", Place(pointer))]
#[non_exhaustive]
pub struct ApplyError {
    /// The pointer of the change.
    pub pointer: String,
    /// Why it does not fit.
    pub reason: Misfit,
}

/// Why a change does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// The pointer is not written as RFC 6901 says.
    #[error("is not a JSON pointer")]
    NotAPointer,
    /// The document itself cannot be deleted.
    #[error("cannot be deleted")]
    DeletesDocument,
    /// The member's parent is missing or not an object.
    #[error("has no parent object in this document")]
    NoParent,
    /// The member to delete is not there.
    #[error("is to be deleted but is not in this document")]
    NothingToDelete,
}

#[cfg(test)]
pub(super) mod tests;
