//! The result of one evaluation of the agent configuration.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use twinguard_client::ErrorKind;
use twinguard_core::agent::{Duration, Evaluation, EvaluationState, Priority};
use twinguard_core::events;

use crate::boundary::{self, Required as _};
use crate::error::{Failure, twinguard_error};
use crate::status::twinguard_status;
use crate::text::{Text, twinguard_buf, twinguard_str};

/// How soon an event of the agent is sent.
#[repr(i32)]
pub enum twinguard_priorities {
    /// Not collected at all.
    TWINGUARD_PRIORITY_OFF = 0,
    /// Within lowPriorityMessageFrequency.
    TWINGUARD_PRIORITY_LOW = 1,
    /// Within highPriorityMessageFrequency.
    TWINGUARD_PRIORITY_HIGH = 2,
}

/// The agent configuration in force, and what became of each property of the desired document.
/// Never changes: a new evaluation is a new object.
pub struct twinguard_configuration {
    evaluation: Arc<Evaluation>,
    // Texts are made when they are first asked for.
    settings: OnceLock<BTreeMap<String, Setting>>,
    json: OnceLock<Text>,
    evaluation_json: OnceLock<Text>,
    refused: OnceLock<Vec<Refused>>,
}

/// One setting in force.
struct Setting {
    key: Text,
    value: Value,
    text: Option<Text>,
    json: Text,
}

/// One refused property.
struct Refused {
    key: Text,
    pointer: Text,
    expected: Text,
    message: Text,
}

impl twinguard_configuration {
    pub(crate) fn new(evaluation: Arc<Evaluation>) -> Self {
        Self {
            evaluation,
            settings: OnceLock::new(),
            json: OnceLock::new(),
            evaluation_json: OnceLock::new(),
            refused: OnceLock::new(),
        }
    }

    fn settings(&self) -> &BTreeMap<String, Setting> {
        self.settings.get_or_init(|| settings(&self.evaluation))
    }

    fn setting(&self, key: twinguard_str) -> Result<&Setting, Failure> {
        let key = key.text("key")?;
        self.settings().get(key).ok_or_else(|| {
            let message = format!("key: no setting '{}' in this profile", key.escape_debug());
            Failure::new(ErrorKind::InvalidArgument, message)
        })
    }

    fn refused(&self, index: usize) -> Option<&Refused> {
        self.refused
            .get_or_init(|| refused(&self.evaluation))
            .get(index)
    }
}

fn settings(evaluation: &Evaluation) -> BTreeMap<String, Setting> {
    let Value::Object(members) = evaluation.effective.to_json() else {
        return BTreeMap::new();
    };
    let setting = |(key, value): (String, Value)| {
        let text = (!value.is_null()).then(|| Text::from(evaluation.used(&key)));
        let json = Text::from(&value);
        (
            key.clone(),
            Setting {
                key: Text::from(key),
                value,
                text,
                json,
            },
        )
    };
    members.into_iter().map(setting).collect()
}

fn refused(evaluation: &Evaluation) -> Vec<Refused> {
    let row = evaluation.errors().map(|(property, refusal)| Refused {
        key: Text::from(property.key.as_str()),
        pointer: Text::from(property.pointer.as_str()),
        expected: Text::from(refusal.expected.as_str()),
        message: Text::from(refusal.message.as_str()),
    });
    row.collect()
}

/// A setting of another type than the caller asked for.
fn wrong_type(key: twinguard_str, expected: &str) -> Failure {
    let key = key.text("key").unwrap_or_default();
    Failure::new(
        ErrorKind::InvalidArgument,
        format!("key: '{key}' is not {expected}"),
    )
}

/// Whether the desired document that was evaluated last is good.
///
/// False when a known property, or the section itself, was refused; what is in force is then in
/// the settings, and what was wrong in the refused properties.
///
/// @param[in] configuration  may be NULL.
/// @return true or false; false for NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_refused_count()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_is_success(
    configuration: Option<&twinguard_configuration>,
) -> bool {
    boundary::value(false, || {
        configuration.is_some_and(|c| c.evaluation.state == EvaluationState::Success)
    })
}

/// The version of the desired document that was evaluated last.
///
/// Tells which change of the operator this result answers.
///
/// @param[in] configuration  may be NULL.
/// @param[out] out_version  not NULL; "$version", written when true comes back.
/// @return true when the version is known; false otherwise, or for NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_twin_desired_version()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_desired_version(
    configuration: Option<&twinguard_configuration>,
    out_version: Option<&mut MaybeUninit<u64>>,
) -> bool {
    boundary::value(false, || {
        boundary::put(
            configuration.and_then(|c| c.evaluation.desired_version),
            out_version,
        )
    })
}

/// The configuration in force as JSON.
///
/// One flat object: every key with its value, durations and priorities as text, null for a text
/// that is not set.
///
/// @param[in] configuration  may be NULL.
/// @return a JSON object as text, NUL-ended; none for NULL.
/// @note Ownership: borrowed from `configuration` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_evaluation_json()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_json(
    configuration: Option<&twinguard_configuration>,
) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        let make = |c: &twinguard_configuration| Text::from(&c.evaluation.effective.to_json());
        twinguard_str::of_option(configuration.map(|c| c.json.get_or_init(|| make(c))))
    })
}

/// The whole result of the evaluation as JSON.
///
/// Members: state ("success" or "failed"), desired_version (or null), effective (as
/// twinguard_configuration_json()), properties (list of key, pointer, outcome), errors (list of key,
/// pointer, error, expected, message, used), warnings (list of key, error, message, used),
/// unknown_keys, unknown_count.
///
/// @param[in] configuration  may be NULL.
/// @return a JSON object as text, NUL-ended; none for NULL.
/// @note Ownership: borrowed from `configuration` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_errors()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_evaluation_json(
    configuration: Option<&twinguard_configuration>,
) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        let make = |c: &twinguard_configuration| Text::from(&c.evaluation.to_json());
        twinguard_str::of_option(configuration.map(|c| c.evaluation_json.get_or_init(|| make(c))))
    })
}

/// The payloads of the ConfigurationError event for this evaluation.
///
/// One per refused property and one per contradiction, in the published shape: ConfigurationName,
/// ErrorType, UsedConfiguration, Message. Send no event when the list is empty.
///
/// @param[in] configuration  not NULL.
/// @param[out] out_payloads  not NULL; a JSON array as text, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  the list is made, perhaps empty ("[]").
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `configuration` or `out_payloads` is NULL.
/// @note Ownership: the caller frees `*out_payloads` with twinguard_buf_free().
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_evaluation_json()
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_errors(
    configuration: Option<&twinguard_configuration>,
    out_payloads: Option<&mut MaybeUninit<Option<Box<twinguard_buf>>>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let configuration = configuration.required("configuration")?;
        let out = out_payloads.required("out_payloads")?;
        let errors = events::configuration_errors(&configuration.evaluation);
        let list: Value = errors
            .iter()
            .map(events::ConfigurationError::to_json)
            .collect();
        out.write(twinguard_buf::boxed(Text::from(&list)));
        Ok(())
    })
}

/// A duration in force.
///
/// For keys such as "highPriorityMessageFrequency" and "aggregationIntervalProcessCreate".
///
/// @param[in] configuration  not NULL.
/// @param[in] key  the setting's key, in its exact case.
/// @param[out] out_ms  not NULL; milliseconds, 1000 … 31622400000, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  there it is.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `configuration` or `out_ms` is NULL.
/// @retval TWINGUARD_ERR_INVALID_ARGUMENT  no setting of that name in this profile, or not a
///         duration.
/// @retval TWINGUARD_ERR_ENCODING  `key` is not UTF-8.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_text()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_duration_ms(
    configuration: Option<&twinguard_configuration>,
    key: twinguard_str,
    out_ms: Option<&mut MaybeUninit<u64>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let setting = configuration.required("configuration")?.setting(key)?;
        let out = out_ms.required("out_ms")?;
        let duration = setting
            .value
            .as_str()
            .and_then(|text| text.parse::<Duration>().ok());
        out.write(
            duration
                .ok_or_else(|| wrong_type(key, "a duration"))?
                .as_millis(),
        );
        Ok(())
    })
}

/// A number in force.
///
/// For keys such as "maxMessageSizeInBytes" and "maxLocalCacheSizeInBytes", both in bytes.
///
/// @param[in] configuration  not NULL.
/// @param[in] key  the setting's key, in its exact case.
/// @param[out] out_number  not NULL; in the setting's unit, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  there it is.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `configuration` or `out_number` is NULL.
/// @retval TWINGUARD_ERR_INVALID_ARGUMENT  no setting of that name in this profile, or not a
///         number.
/// @retval TWINGUARD_ERR_ENCODING  `key` is not UTF-8.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_text()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_number(
    configuration: Option<&twinguard_configuration>,
    key: twinguard_str,
    out_number: Option<&mut MaybeUninit<u64>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let setting = configuration.required("configuration")?.setting(key)?;
        let out = out_number.required("out_number")?;
        out.write(
            setting
                .value
                .as_u64()
                .ok_or_else(|| wrong_type(key, "a number"))?,
        );
        Ok(())
    })
}

/// A switch in force.
///
/// For keys such as "aggregationEnabledProcessCreate" and "baselineCustomChecksEnabled".
///
/// @param[in] configuration  not NULL.
/// @param[in] key  the setting's key, in its exact case.
/// @param[out] out_flag  not NULL; written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  there it is.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `configuration` or `out_flag` is NULL.
/// @retval TWINGUARD_ERR_INVALID_ARGUMENT  no setting of that name in this profile, or not a
///         switch.
/// @retval TWINGUARD_ERR_ENCODING  `key` is not UTF-8.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_text()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_flag(
    configuration: Option<&twinguard_configuration>,
    key: twinguard_str,
    out_flag: Option<&mut MaybeUninit<bool>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let setting = configuration.required("configuration")?.setting(key)?;
        let out = out_flag.required("out_flag")?;
        out.write(
            setting
                .value
                .as_bool()
                .ok_or_else(|| wrong_type(key, "a switch"))?,
        );
        Ok(())
    })
}

/// The priority of an event in force.
///
/// Ask by the event's name, as "Login" or "ProcessCreate", not by the setting's key.
///
/// @param[in] configuration  not NULL.
/// @param[in] event  the event's name, in its exact case.
/// @param[out] out_priority  not NULL; one of twinguard_priorities, written on success only.
/// @param[out] error  may be NULL; the detail of a failure, else NULL is written.
/// @retval TWINGUARD_OK  there it is.
/// @retval TWINGUARD_ERR_NULL_ARGUMENT  `configuration` or `out_priority` is NULL.
/// @retval TWINGUARD_ERR_INVALID_ARGUMENT  no event of that name has a priority in this profile.
/// @retval TWINGUARD_ERR_ENCODING  `event` is not UTF-8.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_text()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_priority(
    configuration: Option<&twinguard_configuration>,
    event: twinguard_str,
    out_priority: Option<&mut MaybeUninit<i32>>,
    error: Option<&mut MaybeUninit<Option<Box<twinguard_error>>>>,
) -> twinguard_status {
    boundary::call(error, || {
        let configuration = configuration.required("configuration")?;
        let out = out_priority.required("out_priority")?;
        let event = event.text("event")?;
        let agent = configuration.evaluation.effective.agent();
        let priority = agent.and_then(|a| a.priority_of(event)).ok_or_else(|| {
            let message = format!("event: '{}' has no priority", event.escape_debug());
            Failure::new(ErrorKind::InvalidArgument, message)
        })?;
        out.write(priority_number(priority) as i32);
        Ok(())
    })
}

fn priority_number(priority: Priority) -> twinguard_priorities {
    match priority {
        Priority::Off => twinguard_priorities::TWINGUARD_PRIORITY_OFF,
        Priority::Low => twinguard_priorities::TWINGUARD_PRIORITY_LOW,
        Priority::High => twinguard_priorities::TWINGUARD_PRIORITY_HIGH,
    }
}

/// Any setting in force, as text.
///
/// Durations in their normal form ("PT7M"), numbers in decimal, switches as "true" and "false",
/// priorities as "High", "Low", "Off", texts as they are.
///
/// @param[in] configuration  may be NULL.
/// @param[in] key  the setting's key, in its exact case.
/// @return the text, NUL-ended; none when the setting is not set or not known, or for NULL.
/// @note Ownership: borrowed from `configuration` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_json()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_text(
    configuration: Option<&twinguard_configuration>,
    key: twinguard_str,
) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        let setting = configuration.and_then(|c| c.setting(key).ok());
        twinguard_str::of_option(setting.and_then(|s| s.text.as_ref()))
    })
}

/// Any setting in force, as JSON.
///
/// For comparing, or for passing it on; twinguard_configuration_text() is for people.
///
/// @param[in] configuration  may be NULL.
/// @param[in] key  the setting's key, in its exact case.
/// @return JSON text, NUL-ended, "null" when the setting is not set; none when it is not known, or
///         for NULL.
/// @note Ownership: borrowed from `configuration` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_key()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_setting_json(
    configuration: Option<&twinguard_configuration>,
    key: twinguard_str,
) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        let setting = configuration.and_then(|c| c.setting(key).ok());
        twinguard_str::of_option(setting.map(|s| &s.json))
    })
}

/// How many settings there are.
///
/// With twinguard_configuration_key() this walks through them, in byte order of the keys.
///
/// @param[in] configuration  may be NULL.
/// @return the number; 0 for NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_key()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_count(
    configuration: Option<&twinguard_configuration>,
) -> usize {
    boundary::value(0, || configuration.map_or(0, |c| c.settings().len()))
}

/// The key of a setting.
///
/// For the accessors that take a key.
///
/// @param[in] configuration  may be NULL.
/// @param[in] index  from 0.
/// @return the key, NUL-ended; none past the end, or for NULL.
/// @note Ownership: borrowed from `configuration` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_count()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_key(
    configuration: Option<&twinguard_configuration>,
    index: usize,
) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        let setting = configuration.and_then(|c| c.settings().values().nth(index));
        twinguard_str::of_option(setting.map(|s| &s.key))
    })
}

/// How many properties of the desired document were refused.
///
/// With the accessors that follow, this walks through them in the order of the schema.
///
/// @param[in] configuration  may be NULL.
/// @return the number; 0 for NULL.
/// @note Ownership: nothing changes hands.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_refused_key()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_refused_count(
    configuration: Option<&twinguard_configuration>,
) -> usize {
    boundary::value(0, || {
        configuration.map_or(0, |c| c.evaluation.errors().count())
    })
}

/// The key of a refused property.
///
/// The section's own name when the section itself was refused.
///
/// @param[in] configuration  may be NULL.
/// @param[in] index  from 0.
/// @return the key, NUL-ended; none past the end, or for NULL.
/// @note Ownership: borrowed from `configuration` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_refused_count()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_refused_key(
    configuration: Option<&twinguard_configuration>,
    index: usize,
) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        let row = configuration.and_then(|c| c.refused(index));
        twinguard_str::of_option(row.map(|r| &r.key))
    })
}

/// Where in the desired document a refused property stands.
///
/// Points at the value that was read, or at the property when its wrapper is bad.
///
/// @param[in] configuration  may be NULL.
/// @param[in] index  from 0.
/// @return a JSON pointer (RFC 6901), NUL-ended; none past the end, or for NULL.
/// @note Ownership: borrowed from `configuration` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_refused_count()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_refused_pointer(
    configuration: Option<&twinguard_configuration>,
    index: usize,
) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        let row = configuration.and_then(|c| c.refused(index));
        twinguard_str::of_option(row.map(|r| &r.pointer))
    })
}

/// What a refused property should have been.
///
/// A phrase for people, as "an integer from 1 to 262144".
///
/// @param[in] configuration  may be NULL.
/// @param[in] index  from 0.
/// @return the phrase, NUL-ended; none past the end, or for NULL.
/// @note Ownership: borrowed from `configuration` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_refused_count()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_refused_expected(
    configuration: Option<&twinguard_configuration>,
    index: usize,
) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        let row = configuration.and_then(|c| c.refused(index));
        twinguard_str::of_option(row.map(|r| &r.expected))
    })
}

/// Why a property was refused, in one line.
///
/// Key and expectation together; the refused value is not in it.
///
/// @param[in] configuration  may be NULL.
/// @param[in] index  from 0.
/// @return the line, NUL-ended; none past the end, or for NULL.
/// @note Ownership: borrowed from `configuration` until it is freed.
/// @note Threads: from several at once.
/// @since 0.1.0
/// @see twinguard_configuration_refused_count()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_refused_message(
    configuration: Option<&twinguard_configuration>,
    index: usize,
) -> twinguard_str {
    boundary::value(twinguard_str::NONE, || {
        let row = configuration.and_then(|c| c.refused(index));
        twinguard_str::of_option(row.map(|r| &r.message))
    })
}

/// Frees a configuration.
///
/// Call it once for every configuration that a call gave; not for one borrowed from an event.
///
/// @param[in] configuration  may be NULL: nothing happens.
/// @return nothing.
/// @note Ownership: takes `configuration`; text borrowed from it ends.
/// @note Threads: no other call on `configuration` at the same time.
/// @since 0.1.0
/// @see twinguard_client_configuration()
#[unsafe(no_mangle)]
pub extern "C" fn twinguard_configuration_free(
    configuration: Option<Box<twinguard_configuration>>,
) {
    boundary::free(configuration);
}
