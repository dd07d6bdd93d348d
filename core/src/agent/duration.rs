//! Durations as the agent configuration writes them: ISO 8601 text.

use std::fmt;
use std::str::FromStr;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Designators in the order the grammar wants them, with their length in milliseconds. A month has
/// 30 days and a year 365: a frequency has no calendar.
const DATE_UNITS: [(char, u64); 4] = [
    ('Y', 365 * DAY),
    ('M', 30 * DAY),
    ('W', 7 * DAY),
    ('D', DAY),
];
const TIME_UNITS: [(char, u64); 3] = [('H', HOUR), ('M', MINUTE), ('S', SECOND)];

/// More significant digits than this behind the point never make a whole number of milliseconds:
/// the longest unit, a year, has ten factors of two and fewer of five.
const MAX_FRACTION_DIGITS: usize = 10;

/// A time span from one second to 366 days, in whole milliseconds.
///
/// Text form in: `P[nY][nM][nW][nD][T[nH][nM][nS]]`, upper case, at least one part, a fraction only
/// in the last part, no signs, no blanks (pattern of the published schema,
/// `azureiotsecurity_schema_definitions.json` of Azure/Azure-IoT-Security). Text form out:
/// `P{d}DT{h}H{m}M{s}S` without the parts that are zero, with a fraction only in the seconds.
///
/// ```
/// use twinguard_core::agent::Duration;
///
/// let week: Duration = "P1W".parse()?;
/// assert_eq!(week.as_millis(), 604_800_000);
/// assert_eq!(week.to_string(), "P7D");
/// # Ok::<(), twinguard_core::agent::DurationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

impl Duration {
    /// The shortest duration: one second.
    pub const MIN: Self = Self(SECOND);
    /// The longest duration: 366 days.
    pub const MAX: Self = Self(366 * DAY);

    /// A duration of `millis` milliseconds.
    ///
    /// # Errors
    /// [`DurationError::OutOfRange`] outside [`MIN`](Self::MIN) … [`MAX`](Self::MAX).
    pub const fn from_millis(millis: u64) -> Result<Self, DurationError> {
        if millis < Self::MIN.0 || millis > Self::MAX.0 {
            return Err(DurationError::OutOfRange);
        }
        Ok(Self(millis))
    }

    /// Its length in milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The same span as the standard library writes it.
    #[must_use]
    pub const fn as_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }

    pub(super) const fn minutes(count: u32) -> Self {
        Self(MINUTE.saturating_mul(count as u64))
    }

    pub(super) const fn hours(count: u32) -> Self {
        Self(HOUR.saturating_mul(count as u64))
    }
}

/// Why a text is no [`Duration`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DurationError {
    /// Not of the form `P[nY][nM][nW][nD][T[nH][nM][nS]]`.
    #[error("expected an ISO 8601 duration")]
    Grammar,
    /// Shorter than one second or longer than 366 days.
    #[error("expected an ISO 8601 duration from PT1S to P366D")]
    OutOfRange,
    /// Well formed, but with a part of a millisecond.
    #[error("expected an ISO 8601 duration of whole milliseconds")]
    NotWholeMilliseconds,
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let parts = text.strip_prefix('P').ok_or(DurationError::Grammar)?;
        let millis = match parts.split_once('T') {
            Some((date, time)) if !time.is_empty() => sum(date, &DATE_UNITS, false)?
                .checked_add(sum(time, &TIME_UNITS, true)?)
                .ok_or(DurationError::OutOfRange)?,
            None if !parts.is_empty() => sum(parts, &DATE_UNITS, true)?,
            _ => return Err(DurationError::Grammar),
        };
        Self::from_millis(millis)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0 / DAY, self.0 % DAY);
        f.write_str("P")?;
        write_part(f, days, 'D')?;
        if rest == 0 {
            return Ok(());
        }
        f.write_str("T")?;
        write_part(f, rest / HOUR, 'H')?;
        write_part(f, rest % HOUR / MINUTE, 'M')?;
        let (seconds, millis) = (rest % MINUTE / SECOND, rest % SECOND);
        if millis == 0 {
            return write_part(f, seconds, 'S');
        }
        let fraction = format!("{millis:03}");
        write!(f, "{seconds}.{}S", fraction.trim_end_matches('0'))
    }
}

fn write_part(f: &mut fmt::Formatter<'_>, count: u64, designator: char) -> fmt::Result {
    if count == 0 {
        return Ok(());
    }
    write!(f, "{count}{designator}")
}

/// The milliseconds of one half of the text. `at_end`: its last part is the last of the whole text
/// and may have a fraction.
fn sum(mut text: &str, units: &[(char, u64)], at_end: bool) -> Result<u64, DurationError> {
    // Searching goes on where the last part was found: that is what keeps parts in order and
    // apart.
    let mut units = units.iter();
    let mut total = 0_u64;
    while !text.is_empty() {
        let number_end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or(DurationError::Grammar)?;
        let (number, tail) = text.split_at(number_end);
        let mut tail = tail.chars();
        let designator = tail.next();
        text = tail.as_str();
        let (_, unit) = units
            .find(|(name, _)| Some(*name) == designator)
            .ok_or(DurationError::Grammar)?;
        total = amount(number, *unit, at_end && text.is_empty())?
            .checked_add(total)
            .ok_or(DurationError::OutOfRange)?;
    }
    Ok(total)
}

/// `number` units in milliseconds. `number` has digits and points only.
fn amount(number: &str, unit: u64, may_have_fraction: bool) -> Result<u64, DurationError> {
    let (whole, fraction) = match number.split_once('.') {
        None => (number, None),
        Some((whole, fraction)) => (whole, Some(fraction)),
    };
    let fraction = match fraction {
        None => 0,
        Some(digits) if may_have_fraction && !digits.contains('.') => part(digits, unit)?,
        Some(_) => return Err(DurationError::Grammar),
    };
    if whole.is_empty() {
        return Err(DurationError::Grammar);
    }
    let whole: u64 = whole.parse().map_err(|_| DurationError::OutOfRange)?;
    unit.checked_mul(whole)
        .and_then(|millis| millis.checked_add(fraction))
        .ok_or(DurationError::OutOfRange)
}

/// `0.digits` units in milliseconds.
fn part(digits: &str, unit: u64) -> Result<u64, DurationError> {
    if digits.is_empty() {
        return Err(DurationError::Grammar);
    }
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return Ok(0);
    }
    if digits.len() > MAX_FRACTION_DIGITS {
        return Err(DurationError::NotWholeMilliseconds);
    }
    let exact = || {
        let places = u32::try_from(digits.len()).ok()?;
        let scale = 10_u128.checked_pow(places)?;
        let scaled = digits.parse::<u128>().ok()?.checked_mul(u128::from(unit))?;
        let millis = scaled.checked_div(scale)?;
        (scaled.checked_rem(scale)? == 0)
            .then(|| u64::try_from(millis).ok())
            .flatten()
    };
    exact().ok_or(DurationError::NotWholeMilliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> Result<u64, DurationError> {
        text.parse::<Duration>().map(Duration::as_millis)
    }

    #[test]
    fn every_unit_has_its_length() {
        for (text, expected) in [
            ("P1Y", 365 * DAY),
            ("P1M", 30 * DAY),
            ("P1W", 7 * DAY),
            ("P1D", DAY),
            ("PT1H", HOUR),
            ("PT1M", MINUTE),
            ("PT1S", SECOND),
            ("P1M1W1DT1H1M1S", 38 * DAY + HOUR + MINUTE + SECOND),
            ("PT0000000000000000000000000000001S", SECOND),
        ] {
            assert_eq!(millis(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_fraction_stands_in_the_last_part_only() {
        for (text, expected) in [
            ("PT1.5H", 90 * MINUTE),
            ("PT1.5M", 90 * SECOND),
            ("PT1.001S", 1_001),
            ("P1.5D", 36 * HOUR),
            ("P0.5Y", 182 * DAY + 12 * HOUR),
            ("P0.1M", 3 * DAY),
            ("PT1.50000000000000000000000000000000S", 1_500),
            ("P1DT0.5S", DAY + 500),
            // Ten digits are as many as a unit can use up.
            ("P0.0009765625Y", 30_796_875),
        ] {
            assert_eq!(millis(text), Ok(expected), "{text}");
        }
        for text in [
            "PT1.5H1M", "P1.5DT1H", "P1.0DT1H", "PT1.5.5S", "PT.5H", "PT5.H", "PT1,5S",
        ] {
            assert_eq!(millis(text), Err(DurationError::Grammar), "{text}");
        }
        for text in [
            "PT1.0005S",
            "PT0.00001M",
            "PT1.000000000000000000000000000001S",
        ] {
            assert_eq!(
                millis(text),
                Err(DurationError::NotWholeMilliseconds),
                "{text}"
            );
        }
    }

    #[test]
    fn the_range_ends_at_a_second_and_at_366_days() {
        assert_eq!(millis("PT1S"), Ok(SECOND));
        assert_eq!(millis("P366D"), Ok(366 * DAY));
        assert_eq!(millis("P1Y1D"), Ok(366 * DAY));
        for text in [
            "PT0S",
            "P0D",
            "PT0.999S",
            "P366DT0.001S",
            "P367D",
            "P2Y",
            "PT18446744073709551615S",
            "PT18446744073709551616S",
            "P9223372036854775807DT9223372036854775807H",
        ] {
            assert_eq!(millis(text), Err(DurationError::OutOfRange), "{text}");
        }
        assert!(Duration::from_millis(999).is_err());
        assert_eq!(Duration::from_millis(1_000), Ok(Duration::MIN));
    }

    #[test]
    fn what_the_grammar_does_not_name_is_refused() {
        for text in [
            "",
            "P",
            "PT",
            "P1DT",
            "T1H",
            "1H",
            "P1",
            "PT1",
            "PH",
            "PTS",
            "P1S",
            "PT1D",
            "P1H",
            "PT1H1H",
            "PT1M1H",
            "P1D1W",
            "p1d",
            "PT1h",
            "pt1H",
            "-PT5S",
            "+PT5S",
            "PT-5S",
            "PT+5S",
            "PT 5S",
            " PT5S",
            "PT5S ",
            "PT5S\n",
            "PT1HX",
            "PT1HT1M",
            "PT٣S",
            "PT5\u{a0}S",
            "00:07:00",
            "7",
            "PT1e3S",
            "PT0x5S",
            "PTinfS",
            "P1DT1H1D",
        ] {
            assert_eq!(millis(text), Err(DurationError::Grammar), "{text:?}");
        }
    }

    #[test]
    fn text_out_is_normal_and_reads_back() {
        for (text, normal) in [
            ("P1W", "P7D"),
            ("P1Y", "P365D"),
            ("P2M", "P60D"),
            ("PT24H", "P1D"),
            ("PT1.5H", "PT1H30M"),
            ("PT3600S", "PT1H"),
            ("PT1.5S", "PT1.5S"),
            ("PT1.010S", "PT1.01S"),
            ("PT60.001S", "PT1M0.001S"),
            ("P1DT1S", "P1DT1S"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.to_string(), normal);
            assert_eq!(normal.parse(), Ok(duration));
        }
    }

    #[test]
    fn a_megabyte_of_digits_is_refused_and_not_kept() {
        let long = format!("PT{}S", "9".repeat(1 << 20));
        assert_eq!(millis(&long), Err(DurationError::OutOfRange));
        assert_eq!(millis(&long.replace('S', "")), Err(DurationError::Grammar));
    }
}
