//! The configuration in force over time.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::configuration::AgentConfiguration;
use super::evaluation::{
    Effective, ErrorKind, Evaluation, EvaluationState, Outcome, PropertyOutcome, Refusal,
};
use super::layout::{Layout, Place, Reading};
use super::micro_agent::MicroAgentConfiguration;
use super::options::{Acceptance, AgentOptions, Profile};
use super::setting::Expected;
use crate::twin::pointer;

/// The form of [`Configurator::to_record`].
const RECORD_FORMAT: u64 = 1;

/// What an evaluation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum Verdict {
    /// The configuration in force or the status changed; also the first good document, whatever it
    /// says.
    Applied,
    /// Neither changed: nothing has to be told or reported, except a new desired version. A refused
    /// document counts as unchanged only when it is the very one refused before.
    Unchanged,
    /// The document was refused; the configuration in force is what it was.
    Rejected,
}

/// Holds the configuration in force and evaluates desired documents against it.
#[derive(Debug, Clone)]
pub struct Configurator {
    options: AgentOptions,
    evaluation: Arc<Evaluation>,
    /// Whether the evaluation is one of a document, and not the starting point.
    evaluated: bool,
    /// What was refused last, while it is the newest: the same again is no news.
    refused: Option<Value>,
}

impl Configurator {
    /// A configurator with the defaults in force.
    #[must_use]
    pub fn new(options: AgentOptions) -> Self {
        let effective = match options.profile {
            Profile::Current | Profile::Legacy => AgentConfiguration::default().into(),
            Profile::MicroAgent => MicroAgentConfiguration::default().into(),
        };
        Self {
            options,
            evaluation: Arc::new(starting_point(effective)),
            evaluated: false,
            refused: None,
        }
    }

    /// Evaluates the whole desired document: an object, as the hub sends it or with the `$` members
    /// left out. `version` is its `$version`.
    ///
    /// Nothing outside the section is looked at. A document that is no object is refused.
    pub fn evaluate(&mut self, desired: &Value, version: Option<u64>) -> Verdict {
        let next = match &self.evaluation.effective {
            Effective::Agent(in_force) => self.judge(in_force, desired),
            Effective::MicroAgent(in_force) => self.judge(in_force, desired),
        };
        let verdict = self.verdict(&next, desired);
        self.refused = next.rejected.then(|| self.subject(desired).clone());
        self.evaluated = true;
        self.evaluation = Arc::new(Evaluation {
            desired_version: version,
            ..next.evaluation
        });
        verdict
    }

    /// The result of the last evaluation, with the configuration in force.
    #[must_use]
    pub const fn evaluation(&self) -> &Arc<Evaluation> {
        &self.evaluation
    }

    /// The options it was made with.
    #[must_use]
    pub const fn options(&self) -> &AgentOptions {
        &self.options
    }

    /// What to report: [`Evaluation::reported_section`] under the section's name, or as it is in the
    /// profile `MicroAgent`.
    #[must_use]
    pub fn reported(&self) -> Value {
        let section = self.evaluation.reported_section();
        match self.options.section_name() {
            Some(name) => Value::Object(Map::from_iter([(name.to_owned(), section)])),
            None => section,
        }
    }

    /// The configuration in force as a record to store, for [`restore`](Self::restore) after a
    /// restart: `format` (1), `layout` (`agent` or `micro_agent`), `configuration` (flat).
    #[must_use]
    pub fn to_record(&self) -> Value {
        json!({
            "format": RECORD_FORMAT,
            "layout": self.layout_name(),
            "configuration": self.evaluation.effective.to_json(),
        })
    }

    /// Puts a stored configuration in force, before the first evaluation of this run.
    ///
    /// The record is read like a document from outside: every value must be good. Keys it does not
    /// have get their defaults, keys it has too many are ignored, so that records outlive versions
    /// of this library.
    ///
    /// # Errors
    /// [`RestoreError`] when it is not such a record or has a bad value. Then nothing changed.
    pub fn restore(&mut self, record: &Value) -> Result<(), RestoreError> {
        let expect = |member: &'static str, expected: String| match record.get(member) {
            Some(found) if *found == expected.as_str() => Ok(()),
            _ => Err(RestoreError::Form { member, expected }),
        };
        if record.get("format") != Some(&RECORD_FORMAT.into()) {
            return Err(RestoreError::Form {
                member: "format",
                expected: RECORD_FORMAT.to_string(),
            });
        }
        expect("layout", self.layout_name().to_owned())?;
        let members = record
            .get("configuration")
            .and_then(Value::as_object)
            .ok_or_else(|| RestoreError::Form {
                member: "configuration",
                expected: "an object".to_owned(),
            })?;
        let effective = match self.options.profile {
            Profile::Current | Profile::Legacy => restored::<AgentConfiguration>(members)?.into(),
            Profile::MicroAgent => restored::<MicroAgentConfiguration>(members)?.into(),
        };
        self.evaluation = Arc::new(starting_point(effective));
        self.evaluated = false;
        self.refused = None;
        Ok(())
    }

    const fn layout_name(&self) -> &'static str {
        match self.options.profile {
            Profile::Current | Profile::Legacy => "agent",
            Profile::MicroAgent => "micro_agent",
        }
    }

    /// The part of a document that is looked at.
    fn subject<'a>(&self, desired: &'a Value) -> &'a Value {
        match (self.options.section_name(), desired) {
            (Some(name), Value::Object(members)) => members.get(name).unwrap_or(&Value::Null),
            _ => desired,
        }
    }

    fn judge<C: Layout + Into<Effective>>(&self, in_force: &C, desired: &Value) -> Judgement {
        let section = self.options.section_name();
        let mut at = String::new();
        if let (Some(name), Value::Object(_)) = (section, desired) {
            pointer::push_key(&mut at, name);
        }
        let nothing = Map::new();
        let members = match self.subject(desired) {
            Value::Object(members) => members,
            Value::Null if desired.is_object() => &nothing,
            _ => return no_object(section.unwrap_or("desired"), at, in_force),
        };
        let place = Place {
            pointer: &at,
            wrapped: self.options.profile == Profile::Current,
            beside_system_keys: section.is_none(),
        };
        let reading = Reading::new(members, &place, in_force);
        self.accept(reading, in_force)
    }

    fn accept<C: Layout + Into<Effective>>(
        &self,
        mut reading: Reading<C>,
        in_force: &C,
    ) -> Judgement {
        let failed = reading.refused().next().is_some();
        let rejected = failed && self.options.acceptance == Acceptance::Whole;
        if rejected {
            reading.wanted.clone_from(in_force);
            for property in &mut reading.properties {
                if property.outcome == Outcome::Applied {
                    property.outcome = Outcome::Withheld;
                }
            }
        }
        Judgement {
            rejected,
            evaluation: Evaluation {
                state: if failed {
                    EvaluationState::Failed
                } else {
                    EvaluationState::Success
                },
                properties: reading.properties,
                unknown: reading.unknown,
                unknown_count: reading.unknown_count,
                ..starting_point(reading.wanted.into())
            },
        }
    }

    fn verdict(&self, next: &Judgement, desired: &Value) -> Verdict {
        let old = &self.evaluation;
        if next.rejected {
            return match &self.refused {
                Some(refused) if refused == self.subject(desired) => Verdict::Unchanged,
                _ => Verdict::Rejected,
            };
        }
        let same = self.evaluated
            && next.evaluation.state == old.state
            && next.evaluation.effective == old.effective
            && next.evaluation.errors().eq(old.errors());
        if same {
            Verdict::Unchanged
        } else {
            Verdict::Applied
        }
    }
}

/// Why a stored configuration was not put in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// It is not a record of this form and layout.
    #[error("configuration record, /{member}: expected {expected}")]
    Form {
        /// The member at fault.
        member: &'static str,
        /// What it should be.
        expected: String,
    },
    /// A value is bad.
    #[error("configuration record, {pointer}: expected {expected}")]
    Refused {
        /// JSON pointer into the record.
        pointer: String,
        /// What it should be.
        expected: String,
    },
}

/// A document weighed against what is in force.
struct Judgement {
    rejected: bool,
    evaluation: Evaluation,
}

fn no_object<C: Layout + Into<Effective>>(name: &str, at: String, in_force: &C) -> Judgement {
    let expected = Expected::Borrowed("an object");
    Judgement {
        rejected: true,
        evaluation: Evaluation {
            state: EvaluationState::Failed,
            properties: vec![PropertyOutcome {
                key: name.to_owned(),
                pointer: at,
                outcome: Outcome::Refused(Refusal::new(ErrorKind::TypeMismatch, name, expected)),
            }],
            ..starting_point(in_force.clone().into())
        },
    }
}

/// A configuration without a document behind it.
fn starting_point(effective: Effective) -> Evaluation {
    Evaluation {
        warnings: effective.warnings(),
        effective,
        desired_version: None,
        state: EvaluationState::Success,
        properties: Vec::new(),
        unknown: Vec::new(),
        unknown_count: 0,
    }
}

fn restored<C: Layout>(members: &Map<String, Value>) -> Result<C, RestoreError> {
    let place = Place {
        pointer: "/configuration",
        wrapped: false,
        beside_system_keys: false,
    };
    let reading = Reading::new(members, &place, &C::default());
    if let Some(property) = reading.refused().next()
        && let Some(refusal) = property.refusal()
    {
        return Err(RestoreError::Refused {
            pointer: property.pointer.clone(),
            expected: refusal.expected.clone(),
        });
    }
    Ok(reading.wanted)
}
