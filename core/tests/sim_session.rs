//! Connections in a simulated world: back-off, refusals, renewal, trouble of every kind.

use serde_json::json;
use twinguard_core::identity::SasToken;
use twinguard_core::module::{Authentication, State, TroubleKind};
use twinguard_core::testing::{Answer, World};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

fn running(world: &mut World) {
    world.connect();
    world.run_for(5 * SECOND);
    assert_eq!(world.host.state, State::Running);
}

fn troubles(world: &World, kind: TroubleKind) -> usize {
    world
        .host
        .troubles
        .iter()
        .filter(|t| t.kind == kind)
        .count()
}

#[test]
fn a_life_goes_from_starting_to_closed() {
    let mut world = World::new(1);
    assert_eq!(world.module().state(), State::Starting);
    running(&mut world);
    let (client, events) = (world.client_id(), world.host.events);
    world.connect();
    assert_eq!(world.host.events, events, "connecting again does nothing");
    world.close();
    world.run_for(MINUTE);
    let order = [
        State::Connecting,
        State::WaitingForTwin,
        State::Running,
        State::Closed,
    ];
    assert_eq!(world.host.states, order);
    assert!(!world.hub.is_connected(client));
    assert_eq!(world.module().next_deadline(), None);
    world.connect();
    world.refresh();
    world.close();
    world.run_for(HOUR);
    assert_eq!(world.host.states, order, "nothing follows Closed");
}

#[test]
fn a_good_connection_that_is_lost_is_replaced_at_once() {
    let mut world = World::new(2);
    running(&mut world);
    world.run_for(HOUR / 2);
    let before = world.now_ms();
    world.cut();
    world.run_for(5 * SECOND);
    assert_eq!(world.host.state, State::Running);
    let again = *world.attempts.last().unwrap();
    assert!(
        again - before < 200,
        "{again} is not at once after {before}"
    );
}

/// From the loss of the connection to the next attempt.
fn pause_after_cut(world: &mut World) -> u64 {
    let (cut_at, attempts) = (world.now_ms(), world.attempts.len());
    world.cut();
    while world.attempts.len() == attempts {
        world.run_for(10);
    }
    let next = world.attempts.last();
    next.map_or(u64::MAX, |next| next.saturating_sub(cut_at))
}

#[test]
fn a_young_connection_that_is_lost_is_replaced_at_once_and_the_next_is_not() {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for seed in 0..40 {
        let mut world = World::new(seed);
        running(&mut world);
        first.push(pause_after_cut(&mut world));
        while world.host.state != State::Running {
            world.run_for(10);
        }
        second.push(pause_after_cut(&mut world));
    }
    assert!(first.iter().all(|pause| *pause < 200), "{first:?}");
    // Uniform in 0…2 s, less what the network takes to tell.
    assert!(second.iter().any(|pause| *pause > 1_000), "{second:?}");
}

#[test]
fn a_good_connection_makes_the_next_loss_the_first_again() {
    let mut world = World::new(21);
    running(&mut world);
    for _ in 0..3 {
        assert!(pause_after_cut(&mut world) < 200);
        world.run_for(MINUTE);
        assert_eq!(world.host.state, State::Running);
    }
}

/// Accepted, in step, and closed: at most one attempt without a pause.
#[test]
fn a_hub_that_serves_the_twin_and_closes_is_not_hammered() {
    let mut world = World::new(22);
    world.connect();
    for _ in 0..600 {
        world.run_for(100);
        world.hub_closes();
    }
    assert!(
        world.attempts.len() < 20,
        "{} attempts in the first minute",
        world.attempts.len()
    );
}

#[test]
fn a_network_that_is_down_for_a_day_is_tried_with_growing_pauses() {
    let mut world = World::new(3);
    world.profile.dial_fails = 1.0;
    world.connect();
    world.run_for(MINUTE);
    assert!(
        world.attempts.len() < 20,
        "{} attempts in the first minute",
        world.attempts.len()
    );
    world.run_for(DAY);
    // Uniform pauses of up to a minute: about 2,900 a day.
    assert!(
        (2_000..4_500).contains(&world.attempts.len()),
        "{}",
        world.attempts.len()
    );
    let longest = world.attempts.windows(2).map(|w| w[1] - w[0]).max();
    assert!(longest < Some(62 * SECOND), "{longest:?}");
    world.profile.dial_fails = 0.0;
    world.run_for(2 * MINUTE);
    assert_eq!(world.host.state, State::Running);
}

#[test]
fn an_outage_of_five_minutes_ends_within_one_pause_and_loses_nothing() {
    for seed in 0..40 {
        let mut world = World::new(seed);
        running(&mut world);
        world.profile.dial_fails = 1.0;
        world.cut();
        world.run_for(10 * SECOND);
        let id = world.client_id();
        world.hub.patch_desired(id, json!({"changed": "meanwhile"}));
        world.set_reported(json!({"set": "meanwhile"})).unwrap();
        world.run_for(290 * SECOND);
        world.profile.dial_fails = 0.0;
        world.run_for(world.options().backoff_max_ms + 5 * SECOND);
        assert_eq!(world.host.state, State::Running, "seed {seed}");
        assert_eq!(world.host.desired["changed"], "meanwhile");
        let twin = world.hub.twin(id);
        assert_eq!(twin.reported["set"], "meanwhile");
    }
}

#[test]
fn a_hub_that_accepts_and_closes_is_not_hammered() {
    let mut world = World::new(4);
    world.hub.script.extend(vec![Answer::Close; 100_000]);
    world.connect();
    world.run_for(MINUTE);
    assert!(
        world.attempts.len() < 20,
        "{} attempts in the first minute",
        world.attempts.len()
    );
    world.run_for(DAY);
    assert!(world.attempts.len() < 4_500, "{}", world.attempts.len());
    world.hub.script.clear();
    world.run_for(3 * MINUTE);
    assert_eq!(world.host.state, State::Running);
}

#[test]
fn a_refused_credential_is_told_once_and_tried_rarely() {
    let mut world = World::new(5);
    let client = world.client_id();
    world.hub.twin_mut(client).enabled = false;
    world.connect();
    world.run_for(DAY);
    assert!(
        (90..220).contains(&world.attempts.len()),
        "{}",
        world.attempts.len()
    );
    let shortest = world.attempts.windows(2).map(|w| w[1] - w[0]).min();
    assert!(shortest >= Some(30 * SECOND), "{shortest:?}");
    assert_eq!(troubles(&world, TroubleKind::Unauthorized), 1);
    assert_eq!(
        world.module().statistics().refusals,
        world.attempts.len() as u64
    );
    world.hub.twin_mut(client).enabled = true;
    world.run_for(20 * MINUTE);
    assert_eq!(world.host.state, State::Running);
}

#[test]
fn the_first_refusal_after_success_is_answered_with_a_fresh_token_soon() {
    let mut world = World::new(6);
    running(&mut world);
    let client = world.client_id();
    world.run_for(MINUTE);
    world.profile.unauthorized = 1.0;
    let signed = world.module().statistics().tokens_signed;
    let before = world.attempts.len();
    world.cut();
    world.run_for(25 * SECOND);
    assert_eq!(
        world.attempts.len() - before,
        2,
        "one attempt, and one more with a fresh token"
    );
    assert_eq!(world.module().statistics().tokens_signed - signed, 2);
    assert_eq!(world.host.state, State::Disconnected);
    world.profile.unauthorized = 0.0;
    world.run_for(2 * MINUTE);
    assert_eq!(world.host.state, State::Running);
    assert_eq!(troubles(&world, TroubleKind::Unauthorized), 1);
    assert!(world.hub.is_connected(client));
}

#[test]
fn a_busy_hub_is_given_time() {
    let mut world = World::new(7);
    world.profile.busy = 1.0;
    world.connect();
    world.run_for(HOUR);
    let shortest = world.attempts.windows(2).map(|w| w[1] - w[0]).min();
    assert!(shortest >= Some(5 * SECOND), "{shortest:?}");
    assert_eq!(troubles(&world, TroubleKind::Refused), 1);
    assert_eq!(world.host.troubles[0].status, Some(3));
}

/// For every life the pace of renewals is that of the life, and the host notices nothing.
#[test]
fn renewal_is_planned_quiet_and_keeps_its_pace() {
    for (seed, life_s) in [(8, 60), (9, 61), (10, 300), (11, 3_600), (12, 86_400)] {
        let mut world = World::with(seed, |options| options.token_lifetime_s = life_s);
        running(&mut world);
        let events = world.host.events;
        let span = (DAY).max(5 * life_s * SECOND);
        world.run_for(span);
        let renewals = world.module().statistics().planned_renewals;
        let expected = span / (life_s * 800);
        let tolerance = expected / 10 + 1;
        assert!(
            renewals.abs_diff(expected) <= tolerance,
            "{life_s} s: {renewals}, not {expected}"
        );
        assert_eq!(
            world.host.events, events,
            "{life_s} s: the host was told something"
        );
        assert_eq!(world.module().statistics().connections_lost, 0);
        assert_eq!(world.attempts.len() as u64, renewals + 1);
    }
}

#[test]
fn a_change_during_a_renewal_is_not_lost() {
    let mut world = World::with(13, |options| options.token_lifetime_s = 60);
    running(&mut world);
    let client = world.client_id();
    while world.module().synced() {
        world.run_for(10);
    }
    world
        .hub
        .patch_desired(client, json!({"during": "renewal"}));
    world.run_for(2 * SECOND);
    assert_eq!(world.host.desired, json!({"during": "renewal"}));
    assert_eq!(world.host.states.last(), Some(&State::Running));
    assert_eq!(world.host.states.len(), 3, "the renewal did not show");
}

#[test]
fn a_renewal_that_fails_or_takes_long_shows() {
    let mut fails = World::with(14, |options| options.token_lifetime_s = 60);
    running(&mut fails);
    fails.profile.dial_fails = 1.0;
    fails.run_for(MINUTE);
    assert_eq!(fails.host.states[3], State::Disconnected);

    let mut slow = World::with(15, |options| {
        options.token_lifetime_s = 600;
        options.request_timeout_ms = 2_000;
        options.connect_timeout_ms = 60_000;
    });
    running(&mut slow);
    while slow.module().synced() {
        slow.profile.latency_ms = 3_000..=3_001;
        slow.run_for(10);
    }
    slow.run_for(2_000);
    assert_eq!(
        slow.host.states[3..],
        [State::Disconnected, State::Connecting]
    );
    slow.profile.latency_ms = 1..=2;
    slow.run_for(20 * SECOND);
    assert_eq!(slow.host.state, State::Running);
    assert_eq!(
        slow.attempts.len(),
        2,
        "the slow attempt was not thrown away"
    );
}

#[test]
fn a_signer_that_fails_does_not_end_a_connection_that_works() {
    let mut world = World::with(16, |options| options.token_lifetime_s = 600);
    running(&mut world);
    world.profile.sign_fails = 1.0;
    world.run_for(9 * MINUTE);
    assert_eq!(world.host.state, State::Running);
    assert_eq!(troubles(&world, TroubleKind::Signer), 1);
    // The hub ends the connection when the token does.
    world.run_for(10 * MINUTE);
    assert!(world.host.states[3..].contains(&State::Disconnected));
    assert_ne!(world.host.state, State::Running);
    let signed = world.module().statistics().tokens_signed;
    world.run_for(HOUR);
    assert!(world.module().statistics().tokens_signed - signed < 300);
    world.profile.sign_fails = 0.0;
    world.run_for(2 * MINUTE);
    assert_eq!(world.host.state, State::Running);
}

#[test]
fn a_jumping_clock_costs_one_renewal_each() {
    let mut world = World::new(17);
    running(&mut world);
    world.run_for(5 * MINUTE);
    let client = world.client_id();
    for (jump_ms, renewals) in [(7_200_000, 1), (0, 1), (-7_200_000, 1), (0, 1)] {
        world.wall_offset_ms = jump_ms;
        // Anything that wakes the module makes it look at the clock.
        for n in 0..5 {
            world.hub.patch_desired(client, json!({"n": n}));
            world.run_for(20 * SECOND);
        }
        let done = world.module().statistics().planned_renewals;
        assert_eq!(done, renewals, "after a jump to {jump_ms} ms");
        assert_eq!(world.host.state, State::Running);
    }
}

#[test]
fn a_machine_that_slept_is_back_soon() {
    let mut world = World::new(18);
    running(&mut world);
    let client = world.client_id();
    world.sleep(3 * DAY);
    world.hub.patch_desired(client, json!({"a": 1}));
    world.run_for(5 * SECOND);
    assert_eq!(world.host.state, State::Running);
    assert_eq!(world.host.desired, json!({"a": 1}));
}

#[test]
fn a_supplied_token_is_used_until_it_expires_and_then_nothing_is_tried() {
    let expiry = World::new(0).unix_s() + 600;
    let signature = "B".repeat(42);
    let resource = "hub.example%2Fdevices%2Fdev%2Fmodules%2Fazureiotsecurity";
    let text = format!("SharedAccessSignature sr={resource}&sig={signature}A%3D&se={expiry}");
    let token = SasToken::parse(&text).unwrap();
    let mut world = World::with(19, |options| {
        options.authentication = Authentication::Token(token)
    });
    running(&mut world);
    assert_eq!(world.module().statistics().tokens_signed, 0);
    world.run_for(DAY);
    assert_eq!(
        world.attempts.len(),
        1,
        "the hub closed it, and there is nothing to try with"
    );
    assert_eq!(world.host.state, State::Disconnected);
    assert_eq!(troubles(&world, TroubleKind::TokenExpired), 1);
    // The clock says that the token is good after all: worth asking the hub.
    world.wall_offset_ms = -(DAY as i64) - 600_000;
    world.run_for(16 * MINUTE);
    assert!(world.attempts.len() > 1);
    assert_eq!(troubles(&world, TroubleKind::Unauthorized), 1);
}

#[test]
fn a_driver_that_never_answers_is_not_waited_for() {
    let mut world = World::new(20);
    world.profile.dial_silent = 1.0;
    world.connect();
    world.run_for(HOUR);
    assert!(world.attempts.len() > 30, "{}", world.attempts.len());
    world.profile.dial_silent = 0.0;
    world.run_for(3 * MINUTE);
    assert_eq!(world.host.state, State::Running);
}
