//! What an evaluation found: plain values.

use std::fmt;

use serde_json::{Map, Value, json};

use super::configuration::AgentConfiguration;
use super::layout::{self, Layout as _};
use super::micro_agent::MicroAgentConfiguration;
use super::setting::Expected;

/// A configuration in force, in the layout of the [`Profile`](super::Profile).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effective {
    /// Of the profiles `Current` and `Legacy`.
    Agent(AgentConfiguration),
    /// Of the profile `MicroAgent`.
    MicroAgent(MicroAgentConfiguration),
}

impl Effective {
    /// The agent configuration, unless the profile is `MicroAgent`.
    #[must_use]
    pub const fn agent(&self) -> Option<&AgentConfiguration> {
        match self {
            Self::Agent(configuration) => Some(configuration),
            Self::MicroAgent(_) => None,
        }
    }

    /// The micro agent's configuration, if the profile is `MicroAgent`.
    #[must_use]
    pub const fn micro_agent(&self) -> Option<&MicroAgentConfiguration> {
        match self {
            Self::Agent(_) => None,
            Self::MicroAgent(configuration) => Some(configuration),
        }
    }

    /// The flat JSON form: every key with its value, `null` for a text that is not set.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Agent(configuration) => configuration.to_json(),
            Self::MicroAgent(configuration) => configuration.to_json(),
        }
    }

    pub(super) fn warnings(&self) -> Vec<Warning> {
        match self {
            Self::Agent(configuration) => configuration.warnings(),
            Self::MicroAgent(configuration) => configuration.warnings(),
        }
    }

    fn get(&self, key: &str) -> Option<Value> {
        match self {
            Self::Agent(configuration) => layout::get(configuration, key),
            Self::MicroAgent(configuration) => layout::get(configuration, key),
        }
    }
}

impl From<AgentConfiguration> for Effective {
    fn from(configuration: AgentConfiguration) -> Self {
        Self::Agent(configuration)
    }
}

impl From<MicroAgentConfiguration> for Effective {
    fn from(configuration: MicroAgentConfiguration) -> Self {
        Self::MicroAgent(configuration)
    }
}

/// What kind of fault a configuration has; the words of the message schema for
/// `ConfigurationError` events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value of the wrong type, form or range. It is refused.
    TypeMismatch,
    /// Well formed, but wasteful. It applies.
    NotOptimal,
    /// Two values that contradict each other. They apply.
    Conflict,
}

impl ErrorKind {
    /// The word: `TypeMismatch`, `NotOptimal`, `Conflict`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TypeMismatch => "TypeMismatch",
            Self::NotOptimal => "NotOptimal",
            Self::Conflict => "Conflict",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the document that was evaluated last is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EvaluationState {
    /// Every known property is good. Also before the first evaluation.
    Success,
    /// At least one known property, or the section itself, is refused.
    Failed,
}

impl EvaluationState {
    /// The word in the twin: `success`, `failed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
        }
    }
}

/// What became of one key of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The document's value is in force.
    Applied,
    /// The document does not name the key, or gives `null`: the default goes with the rest of the
    /// document. For the three operational priorities the default is `eventPriorityOperational`,
    /// where the document has it.
    Default,
    /// The value is good, but the update was refused as a whole.
    Withheld,
    /// The value is bad; what was in force stays in force.
    Refused(Refusal),
}

impl Outcome {
    /// In one word: `applied`, `default`, `withheld`, `refused`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Default => "default",
            Self::Withheld => "withheld",
            Self::Refused(_) => "refused",
        }
    }
}

/// Why a value was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The kind of fault.
    pub reason: ErrorKind,
    /// What was expected, as a phrase: `an integer from 1 to 262144`.
    pub expected: String,
    /// Key and expectation in one line. Never has the refused value in it.
    pub message: String,
}

impl Refusal {
    pub(super) fn new(reason: ErrorKind, key: &str, expected: Expected) -> Self {
        Self {
            reason,
            message: format!("{key}: expected {expected}"),
            expected: expected.into_owned(),
        }
    }
}

/// One known key and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PropertyOutcome {
    /// The key, as in `maxMessageSizeInBytes`; the section's name when the section itself is bad.
    pub key: String,
    /// JSON pointer (RFC 6901) into the desired document: to the value that was read, or to the
    /// property when there is none or its wrapper is bad.
    pub pointer: String,
    /// What became of it.
    pub outcome: Outcome,
}

impl PropertyOutcome {
    /// Why it was refused, if it was.
    #[must_use]
    pub const fn refusal(&self) -> Option<&Refusal> {
        match &self.outcome {
            Outcome::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

/// Something in the configuration in force that is well formed but contradicts itself or wastes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// The key at fault.
    pub key: String,
    /// `Conflict` or `NotOptimal`.
    pub kind: ErrorKind,
    /// The value in force, as text.
    pub used: String,
    /// What is wrong, in one line.
    pub message: String,
}

/// The result of evaluating a desired document, and the configuration in force after it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Evaluation {
    /// The configuration in force.
    pub effective: Effective,
    /// `$version` of the document that was evaluated last, where it was known.
    pub desired_version: Option<u64>,
    /// Whether that document is good.
    pub state: EvaluationState,
    /// Every known key in schema order, aliases last; the section alone when it is no object; empty
    /// before the first evaluation.
    pub properties: Vec<PropertyOutcome>,
    /// Keys of the section that are not known, in byte order: the first
    /// [`MAX_UNKNOWN_KEYS`](super::MAX_UNKNOWN_KEYS), each cut to
    /// [`MAX_UNKNOWN_KEY_BYTES`](super::MAX_UNKNOWN_KEY_BYTES).
    pub unknown: Vec<String>,
    /// How many unknown keys there are, with those that are not kept.
    pub unknown_count: usize,
    /// What is contradictory or wasteful in the configuration in force: cache size, message size,
    /// frequencies, in this order.
    pub warnings: Vec<Warning>,
}

impl Evaluation {
    /// The refused properties, in schema order.
    pub fn errors(&self) -> impl Iterator<Item = (&PropertyOutcome, &Refusal)> {
        self.properties
            .iter()
            .filter_map(|property| Some((property, property.refusal()?)))
    }

    /// The value in force of a key, as text: words and durations as they are, numbers in decimal,
    /// the empty text when it is not set. For any other key, as that of the section, the whole
    /// configuration in force as JSON.
    #[must_use]
    pub fn used(&self, key: &str) -> String {
        match self.effective.get(key) {
            Some(Value::String(text)) => text,
            Some(Value::Null) => String::new(),
            Some(value) => value.to_string(),
            None => self.effective.to_json().to_string(),
        }
    }

    /// The whole result as JSON: `state`, `desired_version` (or `null`), `effective` (flat),
    /// `properties` (list of `key`, `pointer`, `outcome`), `errors` (list of `key`, `pointer`,
    /// `error`, `expected`, `message`, `used`), `warnings` (list of `key`, `error`, `message`,
    /// `used`), `unknown_keys`, `unknown_count`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let properties = self.properties.iter().map(|property| {
            json!({
                "key": property.key,
                "pointer": property.pointer,
                "outcome": property.outcome.as_str(),
            })
        });
        let errors = self.errors().map(|(property, refusal)| {
            json!({
                "key": property.key,
                "pointer": property.pointer,
                "error": refusal.reason.as_str(),
                "expected": refusal.expected,
                "message": refusal.message,
                "used": self.used(&property.key),
            })
        });
        let warnings = self.warnings.iter().map(|warning| {
            json!({
                "key": warning.key,
                "error": warning.kind.as_str(),
                "message": warning.message,
                "used": warning.used,
            })
        });
        json!({
            "state": self.state.as_str(),
            "desired_version": self.desired_version,
            "effective": self.effective.to_json(),
            "properties": properties.collect::<Vec<_>>(),
            "errors": errors.collect::<Vec<_>>(),
            "warnings": warnings.collect::<Vec<_>>(),
            "unknown_keys": self.unknown,
            "unknown_count": self.unknown_count,
        })
    }

    /// What to report about the configuration in force, without the section's name around it.
    ///
    /// Profiles `Current` and `Legacy`: every key as `{"value": …}`, priorities as `High`, `Low`,
    /// `Off`, durations normal, texts that are not set left out (a difference to what was reported
    /// before then makes the `null` that deletes). Profile `MicroAgent`: the two documented members,
    /// `latest_state` and `latest_invalid_fields`, which stand in `reported` itself.
    #[must_use]
    pub fn reported_section(&self) -> Value {
        match &self.effective {
            Effective::Agent(configuration) => wrap(configuration.to_json()),
            Effective::MicroAgent(_) => json!({
                "latest_state": self.state.as_str(),
                "latest_invalid_fields": self.invalid_fields(),
            }),
        }
    }

    /// The status object that may be reported beside the section: `desiredVersion` (left out when
    /// not known), `state`, `invalidFields`, `libraryVersion`.
    #[must_use]
    pub fn status(&self) -> Value {
        let mut status = json!({
            "state": self.state.as_str(),
            "invalidFields": self.invalid_fields(),
            "libraryVersion": env!("CARGO_PKG_VERSION"),
        });
        if let (Some(version), Some(members)) = (self.desired_version, status.as_object_mut()) {
            members.insert("desiredVersion".to_owned(), version.into());
        }
        status
    }

    fn invalid_fields(&self) -> Vec<&str> {
        self.errors()
            .map(|(property, _)| property.key.as_str())
            .collect()
    }
}

fn wrap(flat: Value) -> Value {
    let Value::Object(members) = flat else {
        return flat;
    };
    members
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key, json!({ "value": value })))
        .collect::<Map<_, _>>()
        .into()
}
