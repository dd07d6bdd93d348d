//! A layout is a table of keys; reading a document is one walk over it.

use serde_json::{Map, Value};

use super::evaluation::{ErrorKind, Outcome, PropertyOutcome, Refusal, Warning};
use super::setting::Expected;
use crate::twin::pointer;

/// At most so many unknown keys are kept by name; all are counted.
pub const MAX_UNKNOWN_KEYS: usize = 64;

/// At most so many bytes of an unknown key are kept. The hub allows keys of 1 KB (IoT Hub docs:
/// device twins).
pub const MAX_UNKNOWN_KEY_BYTES: usize = 1024;

/// One key of a configuration: its name and the way to its field.
pub(super) struct Key<C: 'static> {
    pub(super) name: &'static str,
    /// Sets the field from a JSON value, or says what was expected.
    pub(super) set: fn(&mut C, &Value) -> Result<(), Expected>,
    /// Copies the field from another configuration.
    pub(super) copy: fn(&mut C, &C),
    /// The field as JSON; `null` when it is not set.
    pub(super) get: fn(&C) -> Value,
}

/// A configuration with its table.
pub(super) trait Layout: Clone + Default + PartialEq + 'static {
    /// Every key with a field of its own, in schema order.
    const KEYS: &'static [Key<Self>];
    /// Keys that stand for several fields. What a field's own key says wins over them.
    const ALIASES: &'static [Key<Self>] = &[];

    /// The contradictions in it, in a fixed order.
    fn warnings(&self) -> Vec<Warning>;
}

/// Where the members of a document are and what they look like.
pub(super) struct Place<'a> {
    /// JSON pointer of the object that has the keys.
    pub(super) pointer: &'a str,
    /// A property is `{"value": …}` and not the bare value.
    pub(super) wrapped: bool,
    /// Keys that begin with `$` are the hub's and not unknown.
    pub(super) beside_system_keys: bool,
}

/// What a document says.
pub(super) struct Reading<C> {
    /// The good properties over the defaults; a refused one keeps what is in force.
    pub(super) wanted: C,
    pub(super) properties: Vec<PropertyOutcome>,
    pub(super) unknown: Vec<String>,
    pub(super) unknown_count: usize,
}

impl<C: Layout> Reading<C> {
    pub(super) fn new(members: &Map<String, Value>, place: &Place<'_>, in_force: &C) -> Self {
        let mut wanted = C::default();
        let mut walk = |keys: &[Key<C>]| -> Vec<PropertyOutcome> {
            keys.iter()
                .map(|key| read_property(key, members, place, &mut wanted, in_force))
                .collect()
        };
        let aliases = walk(C::ALIASES);
        let mut properties = walk(C::KEYS);
        properties.extend(aliases);
        let (unknown, unknown_count) = unknown_keys::<C>(members, place);
        Self {
            wanted,
            properties,
            unknown,
            unknown_count,
        }
    }

    pub(super) fn refused(&self) -> impl Iterator<Item = &PropertyOutcome> {
        self.properties
            .iter()
            .filter(|property| matches!(property.outcome, Outcome::Refused(_)))
    }
}

/// The flat form: every key with a field, in no wrapper.
pub(super) fn to_json<C: Layout>(configuration: &C) -> Value {
    let members = C::KEYS
        .iter()
        .map(|key| (key.name.to_owned(), (key.get)(configuration)));
    Value::Object(members.collect())
}

/// The value of a key as JSON, `None` when there is no such key.
pub(super) fn get<C: Layout>(configuration: &C, name: &str) -> Option<Value> {
    let mut keys = C::KEYS.iter().chain(C::ALIASES);
    let key = keys.find(|key| key.name == name)?;
    Some((key.get)(configuration))
}

fn read_property<C>(
    key: &Key<C>,
    members: &Map<String, Value>,
    place: &Place<'_>,
    wanted: &mut C,
    in_force: &C,
) -> PropertyOutcome {
    let mut at = place.pointer.to_owned();
    pointer::push_key(&mut at, key.name);
    let outcome = match members.get(key.name) {
        None | Some(Value::Null) => Outcome::Default,
        Some(property) => match unwrap(property, place.wrapped, &mut at)
            .and_then(|value| (key.set)(wanted, value))
        {
            Ok(()) => Outcome::Applied,
            Err(expected) => {
                (key.copy)(wanted, in_force);
                Outcome::Refused(Refusal::new(ErrorKind::TypeMismatch, key.name, expected))
            }
        },
    };
    PropertyOutcome {
        key: key.name.to_owned(),
        pointer: at,
        outcome,
    }
}

/// The value of a property; `at` then points to it.
fn unwrap<'a>(property: &'a Value, wrapped: bool, at: &mut String) -> Result<&'a Value, Expected> {
    if !wrapped {
        return Ok(property);
    }
    let value = property
        .as_object()
        .and_then(|members| members.get("value"));
    match value {
        None | Some(Value::Null) => Err(Expected::Borrowed("an object with a member \"value\"")),
        Some(value) => {
            pointer::push_key(at, "value");
            Ok(value)
        }
    }
}

fn unknown_keys<C: Layout>(
    members: &Map<String, Value>,
    place: &Place<'_>,
) -> (Vec<String>, usize) {
    let is_known = |name: &str| {
        C::KEYS.iter().chain(C::ALIASES).any(|key| key.name == name)
            || (place.beside_system_keys && name.starts_with('$'))
    };
    let unknown = || members.keys().filter(|name| !is_known(name));
    let kept = unknown()
        .take(MAX_UNKNOWN_KEYS)
        .map(|name| cut(name).to_owned());
    (kept.collect(), unknown().count())
}

fn cut(name: &str) -> &str {
    let whole_characters = |end| name.get(..end);
    if name.len() <= MAX_UNKNOWN_KEY_BYTES {
        return name;
    }
    (0..=MAX_UNKNOWN_KEY_BYTES)
        .rev()
        .find_map(whole_characters)
        .unwrap_or_default()
}

/// Declares a configuration once: field, type, default, key and kind of value. Makes the struct, its
/// defaults and its table.
macro_rules! layout {
    (
        $(#[$meta:meta])*
        $name:ident, $keys:ident {
            $($(#[$doc:meta])* $field:ident: $kind:ty = $default:expr, $key:literal, $parse:expr;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[$doc])*
                #[doc = concat!("Key `", $key, "`.")]
                pub $field: $kind,
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        const $keys: &[$crate::agent::layout::Key<$name>] = &[$(
            $crate::agent::layout::Key {
                name: $key,
                set: |configuration, value| {
                    configuration.$field = ($parse)(value)?;
                    Ok(())
                },
                copy: |configuration, from| configuration.$field.clone_from(&from.$field),
                get: |configuration| {
                    $crate::agent::setting::ToJson::to_json(&configuration.$field)
                },
            },
        )*];
    };
}

pub(super) use layout;
