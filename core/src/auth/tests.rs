use super::*;

const NOW: Now = Now {
    mono_ms: 50_000,
    unix_ms: 1_000_000_500,
};

fn credentials(source: Authentication, lifetime_s: u64) -> Credentials {
    let identity = Identity::new("h".parse().unwrap(), "d".parse().unwrap(), None);
    Credentials::new(source, &identity, lifetime_s)
}

fn token(expires_s: u64) -> SasToken {
    let signature = format!("{}A%3D", "B".repeat(42));
    SasToken::parse(&format!(
        "SharedAccessSignature sr=x&sig={signature}&se={expires_s}"
    ))
    .unwrap()
}

#[test]
fn a_key_signs_for_the_resource_until_the_end_of_the_life() {
    let credentials = credentials(Authentication::Key, 3_600);
    let Credential::Sign(request) = credentials.next(NOW) else {
        panic!("a key signs")
    };
    assert_eq!(request.string_to_sign(), "h%2Fdevices%2Fd\n1003600");
    assert!(credentials.can_renew());
}

#[test]
fn a_supplied_token_is_ready_until_the_second_it_expires() {
    let credentials = credentials(Authentication::Token(token(1_000_001)), 60);
    assert!(matches!(credentials.next(NOW), Credential::Ready(_)));
    let later = Now {
        unix_ms: 1_000_001_000,
        ..NOW
    };
    assert!(matches!(credentials.next(later), Credential::Expired));
    assert!(!credentials.can_renew());
}

#[test]
fn renewal_is_at_four_fifths_of_the_life_give_or_take_a_twentieth() {
    let mut rng = Rng::with_seed(1);
    for life_s in [60, 3_600, 31_536_000, u64::MAX] {
        let credentials = credentials(Authentication::Key, life_s);
        let life_ms = life_s.saturating_mul(1_000);
        let spread: Vec<u64> = (0..100)
            .map(|_| credentials.lease(NOW, &mut rng).renew_at - NOW.mono_ms)
            .collect();
        let (least, most) = (life_ms / 20 * 15, life_ms / 20 * 17);
        assert!(
            spread.iter().all(|at| (least..=most + 20).contains(at)),
            "{life_s}"
        );
        assert!(
            spread.iter().min() != spread.iter().max(),
            "{life_s}: no jitter"
        );
    }
}

#[test]
fn the_wall_clock_counts_only_on_a_connection_that_has_lasted() {
    let credentials = credentials(Authentication::Key, 60);
    let lease = credentials.lease(NOW, &mut Rng::with_seed(1));
    let at = |mono_ms, unix_ms| Now {
        mono_ms: NOW.mono_ms + mono_ms,
        unix_ms,
    };
    assert!(!lease.is_due(at(0, NOW.unix_ms), NOW.mono_ms));
    assert!(
        !lease.is_due(at(29_999, NOW.unix_ms + 60_000), NOW.mono_ms),
        "too young"
    );
    assert!(lease.is_due(at(30_000, NOW.unix_ms + 60_000), NOW.mono_ms));
    assert!(
        !lease.is_due(at(30_000, 0), NOW.mono_ms),
        "a clock that went back"
    );
    assert!(
        lease.is_due(at(51_000, 0), NOW.mono_ms),
        "time passes all the same"
    );
    let postponed = Lease::postponed(70_000);
    assert!(!postponed.is_due(at(10_000, u64::MAX - 1), 0));
    assert!(postponed.is_due(at(20_000, 0), 0));
}
