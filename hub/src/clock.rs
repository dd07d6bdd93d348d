//! The wall clock, as the hub writes it.

use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// What the hub writes for "never".
pub(crate) const NEVER: &str = "0001-01-01T00:00:00Z";

/// Whole seconds since 1970, as in tokens.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Now, ISO 8601 in UTC with seven fraction digits.
pub(crate) fn timestamp() -> String {
    format(OffsetDateTime::now_utc())
}

fn format(t: OffsetDateTime) -> String {
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:07}Z",
        t.year(),
        u8::from(t.month()),
        t.day(),
        t.hour(),
        t.minute(),
        t.second(),
        t.nanosecond() / 100
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_fraction_digits() {
        let t = OffsetDateTime::from_unix_timestamp_nanos(1_767_323_045_123_456_789).unwrap();
        assert_eq!(format(t), "2026-01-02T03:04:05.1234567Z");
    }
}
