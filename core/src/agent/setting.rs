//! The kinds of setting: how a JSON value becomes a typed one, and back.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::duration::{Duration, DurationError};

/// The longest text a setting keeps, in bytes. The hub allows 4 KB per value (IoT Hub docs: device
/// twins).
pub const MAX_TEXT_BYTES: usize = 4096;

/// What a value was expected to be, as a phrase: `an integer`.
pub(super) type Expected = Cow<'static, str>;

/// Where an event goes: the queue of its priority, or nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Priority {
    /// The event is not collected at all.
    Off,
    /// Sent after `lowPriorityMessageFrequency` at the latest.
    Low,
    /// Sent after `highPriorityMessageFrequency` at the latest.
    High,
}

impl Priority {
    /// The word of the published schema: `Off`, `Low`, `High`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "Off",
            Self::Low => "Low",
            Self::High => "High",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How soon the micro agent sends the events of a collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageFrequency {
    /// The first of the three [`PriorityIntervals`].
    High,
    /// The second.
    Medium,
    /// The third.
    Low,
}

impl MessageFrequency {
    /// The documented word: `High`, `Medium`, `Low`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "High",
            Self::Medium => "Medium",
            Self::Low => "Low",
        }
    }
}

impl fmt::Display for MessageFrequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The micro agent's three intervals in minutes, each from 1; as text `high,medium,low`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PriorityIntervals {
    /// Minutes between messages of high frequency.
    pub high: u32,
    /// Minutes between messages of medium frequency.
    pub medium: u32,
    /// Minutes between messages of low frequency.
    pub low: u32,
}

impl PriorityIntervals {
    /// Whether each interval is a multiple of the one before, as the documents advise to save
    /// resources on the device.
    #[must_use]
    pub const fn are_multiples(self) -> bool {
        self.medium.is_multiple_of(self.high) && self.low.is_multiple_of(self.medium)
    }
}

impl fmt::Display for PriorityIntervals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.high, self.medium, self.low)
    }
}

/// How the micro agent watches processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProcessMode {
    /// 1: netlink, and polling where that fails.
    Auto,
    /// 2: netlink.
    Netlink,
    /// 3: polling.
    Polling,
}

/// A typed setting as JSON.
pub(super) trait ToJson {
    fn to_json(&self) -> Value;
}

macro_rules! to_json {
    ($($kind:ty => |$value:ident| $json:expr;)*) => {
        $(impl ToJson for $kind {
            fn to_json(&self) -> Value {
                let $value = self;
                Value::from($json)
            }
        })*
    };
}

to_json! {
    Duration => |value| value.to_string();
    u32 => |value| *value;
    bool => |value| *value;
    String => |value| value.as_str();
    Option<String> => |value| value.as_deref();
    Priority => |value| value.as_str();
    MessageFrequency => |value| value.as_str();
    PriorityIntervals => |value| value.to_string();
    ProcessMode => |value| match value {
        ProcessMode::Auto => 1,
        ProcessMode::Netlink => 2,
        ProcessMode::Polling => 3,
    };
}

pub(super) fn duration(value: &Value) -> Result<Duration, Expected> {
    let refuse = |error: DurationError| match error {
        DurationError::Grammar => Cow::Borrowed("an ISO 8601 duration"),
        DurationError::OutOfRange => Cow::Owned(format!(
            "an ISO 8601 duration from {} to {}",
            Duration::MIN,
            Duration::MAX
        )),
        DurationError::NotWholeMilliseconds => {
            Cow::Borrowed("an ISO 8601 duration of whole milliseconds")
        }
    };
    let text = value
        .as_str()
        .ok_or_else(|| refuse(DurationError::Grammar))?;
    Duration::from_str(text).map_err(refuse)
}

/// A whole number from 1 to `MAX`, also when it is written with a point: `8192.0`.
pub(super) fn positive<const MAX: u32>(value: &Value) -> Result<u32, Expected> {
    let number = value.as_number().ok_or(Cow::Borrowed("an integer"))?;
    let is_whole = number.is_i64()
        || number.is_u64()
        || number.as_f64().is_some_and(|number| number.fract() == 0.0);
    if !is_whole {
        return Err(Cow::Borrowed("an integer"));
    }
    number
        .as_u64()
        .or_else(|| number.as_f64().and_then(whole))
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| (1..=MAX).contains(number))
        .ok_or_else(|| Cow::Owned(format!("an integer from 1 to {MAX}")))
}

pub(super) fn flag(value: &Value) -> Result<bool, Expected> {
    value.as_bool().ok_or(Cow::Borrowed("a boolean"))
}

pub(super) fn text(value: &Value) -> Result<Option<String>, Expected> {
    let text = value.as_str().ok_or(Cow::Borrowed("a string"))?;
    if text.len() > MAX_TEXT_BYTES {
        return Err(Cow::Owned(format!(
            "a string of at most {MAX_TEXT_BYTES} bytes"
        )));
    }
    Ok(Some(text.to_owned()))
}

/// A text of which the empty one means "not set".
pub(super) fn text_unless_empty(value: &Value) -> Result<Option<String>, Expected> {
    Ok(text(value)?.filter(|text| !text.is_empty()))
}

pub(super) fn priority(value: &Value) -> Result<Priority, Expected> {
    word(
        value,
        [Priority::High, Priority::Low, Priority::Off],
        Priority::as_str,
    )
    .ok_or(Cow::Borrowed("High, Low or Off"))
}

pub(super) fn frequency(value: &Value) -> Result<MessageFrequency, Expected> {
    use MessageFrequency::{High, Low, Medium};
    word(value, [High, Medium, Low], MessageFrequency::as_str)
        .ok_or(Cow::Borrowed("High, Medium or Low"))
}

pub(super) fn process_mode(value: &Value) -> Result<ProcessMode, Expected> {
    match positive::<3>(value) {
        Ok(1) => Ok(ProcessMode::Auto),
        Ok(2) => Ok(ProcessMode::Netlink),
        Ok(3) => Ok(ProcessMode::Polling),
        _ => Err(Cow::Borrowed("1, 2 or 3")),
    }
}

pub(super) fn intervals(value: &Value) -> Result<PriorityIntervals, Expected> {
    value
        .as_str()
        .and_then(|text| {
            let mut minutes = text.split(',').map(minutes);
            let intervals = PriorityIntervals {
                high: minutes.next()??,
                medium: minutes.next()??,
                low: minutes.next()??,
            };
            minutes.next().is_none().then_some(intervals)
        })
        .ok_or(Cow::Borrowed("three numbers of minutes: high,medium,low"))
}

/// A whole, non-negative float as an integer, when it fits.
fn whole(number: f64) -> Option<u64> {
    if number.fract() != 0.0 || !(0.0..=f64::from(u32::MAX)).contains(&number) {
        return None;
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and within u32, see above"
    )]
    Some(number as u64)
}

fn word<T: Copy, const N: usize>(
    value: &Value,
    choices: [T; N],
    name: fn(T) -> &'static str,
) -> Option<T> {
    let text = value.as_str()?;
    choices
        .into_iter()
        .find(|choice| name(*choice).eq_ignore_ascii_case(text))
}

fn minutes(text: &str) -> Option<u32> {
    // `parse` alone would take a sign.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|minutes| digits && *minutes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn integers_are_whole_numbers_in_range() {
        for (value, expected) in [
            (json!(1), 1),
            (json!(8192), 8192),
            (json!(8192.0), 8192),
            (json!(8.192e3), 8192),
            (json!(262_144), 262_144),
        ] {
            assert_eq!(positive::<262_144>(&value), Ok(expected), "{value}");
        }
        assert_eq!(
            positive::<{ u32::MAX }>(&json!(4_294_967_295_u64)),
            Ok(u32::MAX)
        );
        assert_eq!(
            positive::<{ u32::MAX }>(&json!(4_294_967_295.0)),
            Ok(u32::MAX)
        );
        for value in [
            json!(0),
            json!(-1),
            json!(-0.0),
            json!(262_145),
            json!(4_294_967_297_u64),
            json!(u64::MAX),
            json!(i64::MIN),
            json!(1e300),
        ] {
            assert_eq!(
                positive::<262_144>(&value).unwrap_err(),
                "an integer from 1 to 262144",
                "{value}"
            );
        }
        for value in [
            json!(8192.7),
            json!("8192"),
            json!(true),
            json!(null),
            json!([1]),
            json!({}),
        ] {
            assert_eq!(
                positive::<262_144>(&value).unwrap_err(),
                "an integer",
                "{value}"
            );
        }
    }

    #[test]
    fn words_come_in_any_case_and_from_their_set_only() {
        for text in ["High", "high", "HIGH", "hIGH"] {
            assert_eq!(priority(&json!(text)), Ok(Priority::High));
        }
        for value in [
            json!("Operational"),
            json!("Medium"),
            json!(""),
            json!("High "),
            json!("Hıgh"),
            json!(0),
            json!(2),
            json!(9),
            json!(true),
            json!(["High"]),
        ] {
            assert_eq!(priority(&value).unwrap_err(), "High, Low or Off", "{value}");
        }
        assert_eq!(frequency(&json!("medium")), Ok(MessageFrequency::Medium));
        assert_eq!(frequency(&json!("Off")).unwrap_err(), "High, Medium or Low");
    }

    #[test]
    fn only_json_booleans_are_booleans() {
        assert_eq!(flag(&json!(false)), Ok(false));
        for value in [
            json!("false"),
            json!(0),
            json!(1),
            json!("true"),
            json!(null),
        ] {
            assert!(flag(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn only_json_strings_of_bounded_length_are_texts() {
        let longest = "ä".repeat(MAX_TEXT_BYTES / 2);
        assert_eq!(text(&json!(longest)), Ok(Some(longest.clone())));
        assert_eq!(
            text(&json!(longest + "x")).unwrap_err(),
            "a string of at most 4096 bytes"
        );
        assert_eq!(text(&json!(5)).unwrap_err(), "a string");
        assert_eq!(text(&json!("")), Ok(Some(String::new())));
        assert_eq!(text_unless_empty(&json!("")), Ok(None));
    }

    #[test]
    fn intervals_are_three_positive_numbers() {
        let parsed = intervals(&json!("60,120,480")).unwrap();
        assert_eq!((parsed.high, parsed.medium, parsed.low), (60, 120, 480));
        assert_eq!(parsed.to_string(), "60,120,480");
        assert!(parsed.are_multiples());
        assert!(!intervals(&json!("50,120,480")).unwrap().are_multiples());
        assert!(!intervals(&json!("60,120,400")).unwrap().are_multiples());
        for value in [
            json!("30,120"),
            json!("30,120,1440,2880"),
            json!("30,120,"),
            json!(""),
            json!(",,"),
            json!("0,120,1440"),
            json!("-30,120,1440"),
            json!("+30,120,1440"),
            json!("30.0,120,1440"),
            json!("30;120;1440"),
            json!("PT30M,PT2H,P1D"),
            json!("30,120,4294967296"),
            json!([30, 120, 1440]),
            json!(30),
        ] {
            assert!(intervals(&value).is_err(), "{value}");
        }
    }
}
