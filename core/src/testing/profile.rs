//! How bad the network and the hub are.

use std::ops::RangeInclusive;

use fastrand::Rng;

/// Chances (0.0 to 1.0) of everything that can go wrong, and delays in milliseconds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Profile {
    /// One way through the network.
    pub latency_ms: RangeInclusive<u64>,
    /// A packet that takes up to this much longer, and all behind it.
    pub spike: f64,
    /// How much longer.
    pub spike_ms: u64,
    /// An attempt that ends with an error below MQTT.
    pub dial_fails: f64,
    /// An attempt that nobody ever answers.
    pub dial_silent: f64,
    /// CONNACK 3.
    pub busy: f64,
    /// CONNACK 5, although the credential is good.
    pub unauthorized: f64,
    /// The connection is cut while a packet is on its way, in either direction.
    pub cut: f64,
    /// A message from the hub that comes twice.
    pub duplicate: f64,
    /// A message from the hub that overtakes others.
    pub reorder: f64,
    /// A twin request that is carried out and not answered.
    pub silence: f64,
    /// A twin request that is throttled.
    pub throttle: f64,
    /// A twin request that fails with 500, carried out or not.
    pub fault: f64,
    /// A twin request that is answered with something that is not a twin.
    pub garbage: f64,
    /// A signature that fails, or never comes.
    pub sign_fails: f64,
}

impl Profile {
    /// Nothing goes wrong.
    #[must_use]
    pub fn calm() -> Self {
        Self {
            latency_ms: 1..=40,
            spike: 0.0,
            spike_ms: 0,
            dial_fails: 0.0,
            dial_silent: 0.0,
            busy: 0.0,
            unauthorized: 0.0,
            cut: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            silence: 0.0,
            throttle: 0.0,
            fault: 0.0,
            garbage: 0.0,
            sign_fails: 0.0,
        }
    }

    /// Things go wrong, each with a chance of its own, some not at all.
    #[must_use]
    pub fn rough(rng: &mut Rng) -> Self {
        let mut chance = |most: f64| if rng.bool() { rng.f64() * most } else { 0.0 };
        Self {
            spike: chance(0.1),
            dial_fails: chance(0.5),
            dial_silent: chance(0.2),
            busy: chance(0.3),
            unauthorized: chance(0.2),
            cut: chance(0.25),
            duplicate: chance(0.3),
            reorder: chance(0.5),
            silence: chance(0.3),
            throttle: chance(0.3),
            fault: chance(0.3),
            garbage: chance(0.3),
            sign_fails: chance(0.3),
            latency_ms: 1..=rng.u64(2..=3_000),
            spike_ms: rng.u64(100..=60_000),
        }
    }

    /// The network is good; the hub answers late, out of order, twice, not at all, or with errors.
    #[must_use]
    pub fn unruly_hub(rng: &mut Rng) -> Self {
        let rough = Self::rough(rng);
        Self {
            latency_ms: rough.latency_ms,
            spike: rough.spike,
            spike_ms: rough.spike_ms,
            duplicate: rough.duplicate,
            reorder: rough.reorder,
            silence: rough.silence,
            throttle: rough.throttle,
            fault: rough.fault,
            ..Self::calm()
        }
    }
}
