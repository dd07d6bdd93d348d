//! The agent configuration: from the desired section of the module twin to typed settings.
//!
//! A [`Configurator`] reads desired documents and holds the configuration in force. Each reading is
//! an [`Evaluation`], a plain value: what is in force, what became of each key and why, what
//! contradicts itself, what is not known. By default one bad known property refuses the whole update
//! ([`Acceptance`]).
//!
//! ```
//! use serde_json::json;
//! use twinguard_core::agent::{AgentOptions, Configurator, Priority, SECTION, Verdict};
//!
//! let mut configurator = Configurator::new(AgentOptions::default());
//! let desired = json!({ SECTION: { "eventPriorityLogin": { "value": "off" } } });
//! assert_eq!(configurator.evaluate(&desired, Some(4)), Verdict::Applied);
//! let configuration = configurator.evaluation().effective.agent();
//! assert_eq!(configuration.and_then(|it| it.priority_of("Login")), Some(Priority::Off));
//! ```

mod configuration;
mod configurator;
mod duration;
mod evaluation;
mod layout;
mod micro_agent;
mod options;
mod setting;
mod shadow;
#[cfg(test)]
mod tests;

pub use configuration::AgentConfiguration;
pub use configurator::{Configurator, RestoreError, Verdict};
pub use duration::{Duration, DurationError};
pub use evaluation::{
    Effective, ErrorKind, Evaluation, EvaluationState, Outcome, PropertyOutcome, Refusal, Warning,
};
pub use layout::{MAX_UNKNOWN_KEY_BYTES, MAX_UNKNOWN_KEYS};
pub use micro_agent::MicroAgentConfiguration;
pub use options::{Acceptance, AgentOptions, LEGACY_SECTION, Profile, SECTION};
pub use setting::{MAX_TEXT_BYTES, MessageFrequency, Priority, PriorityIntervals, ProcessMode};
pub use shadow::{Shadow, Update};
