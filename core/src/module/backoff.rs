//! How long to wait before the next attempt.

use fastrand::Rng;

/// The first pause of the exponential back-off (IoT Hub docs, "Manage connectivity and reliable
/// messaging": retry with exponential back-off and jitter).
const BASE_MS: u64 = 1_000;
/// First pause after the hub said that it has no room.
const BUSY_MS: u64 = 5_000;
/// Shortest and longest pause after the hub refused the credential: an operator has to act, and a
/// refused device must not load the hub.
const REFUSED_MIN_MS: u64 = 30_000;
const REFUSED_MAX_MS: u64 = 15 * 60_000;

/// How often a supplied token that has expired is looked at again; the clock may have been wrong.
pub(crate) const EXPIRED_MS: u64 = REFUSED_MAX_MS;

/// Full jitter over a doubling range: uniform in 0…min(`cap_ms`, 1 s · 2^`failures`).
pub(crate) fn full_jitter(rng: &mut Rng, failures: u32, cap_ms: u64) -> u64 {
    rng.u64(0..=doubled(BASE_MS, failures).min(cap_ms))
}

/// After "server unavailable": 5 s (or the cap, if that is less) to min(`cap_ms`, 5 s · 2^n).
pub(crate) fn busy(rng: &mut Rng, failures: u32, cap_ms: u64) -> u64 {
    let least = BUSY_MS.min(cap_ms);
    let most = doubled(BUSY_MS, failures.saturating_add(1)).min(cap_ms);
    rng.u64(least..=most.max(least))
}

/// After a refused credential: at least 30 s, half of a range that doubles up to 15 min.
pub(crate) fn refused(rng: &mut Rng, refusals: u32) -> u64 {
    let most = doubled(REFUSED_MIN_MS, refusals.saturating_add(1)).min(REFUSED_MAX_MS);
    rng.u64((most / 2).max(REFUSED_MIN_MS)..=most)
}

fn doubled(base_ms: u64, times: u32) -> u64 {
    base_ms.saturating_mul(2_u64.saturating_pow(times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_double_up_to_their_caps_and_never_overflow() {
        let mut rng = Rng::with_seed(1);
        for failures in [0, 1, 5, 40, u32::MAX] {
            for _ in 0..200 {
                assert!(
                    full_jitter(&mut rng, failures, 60_000) <= doubled(1_000, failures).min(60_000)
                );
                assert!((5_000..=60_000).contains(&busy(&mut rng, failures, 60_000)));
                assert_eq!(busy(&mut rng, failures, 1_000), 1_000);
                assert!((30_000..=900_000).contains(&refused(&mut rng, failures)));
            }
        }
        assert!((0..200).all(|_| refused(&mut rng, u32::MAX) >= 450_000));
        assert!((0..200).any(|_| full_jitter(&mut rng, 9, 60_000) > 50_000));
    }
}
