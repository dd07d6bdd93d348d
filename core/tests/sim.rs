//! Thousands of histories of a module on a bad network, each from one seed.
//!
//! `TWINGUARD_SIM_SEEDS` sets how many seeds run. A failure names its seed;
//! `TWINGUARD_SIM_SEED=<seed>` runs that one alone and prints all that happened.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a test; the walls of the engine are for the engine"
)]

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use fastrand::Rng;
use serde_json::{Map, Value, json};
use twinguard_core::agent::{AgentOptions, Profile as AgentProfile, SECTION};
use twinguard_core::module::{STATUS_KEY, State};
use twinguard_core::testing::{Profile, World};
use twinguard_core::twin::patch;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}: {text:?} is not a number")),
    )
}

#[test]
fn after_the_network_heals_everyone_agrees() {
    if let Some(seed) = setting("TWINGUARD_SIM_SEED") {
        let mut history = History::new(seed);
        history.world.trace = Some(Vec::new());
        let result = catch_unwind(AssertUnwindSafe(|| history.run()));
        history
            .world
            .trace
            .iter()
            .flatten()
            .for_each(|line| println!("{line}"));
        return result.unwrap_or_else(|cause| resume_unwind(cause));
    }
    let seeds = setting("TWINGUARD_SIM_SEEDS").unwrap_or(2_000);
    let shards = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for shard in 0..shards {
            scope.spawn(move || (shard as u64..seeds).step_by(shards).for_each(run_seed));
        }
    });
}

fn run_seed(seed: u64) {
    if let Err(cause) = catch_unwind(AssertUnwindSafe(|| History::new(seed).run())) {
        eprintln!("seed {seed} fails; replay it with TWINGUARD_SIM_SEED={seed}");
        resume_unwind(cause);
    }
}

#[test]
fn the_same_seed_is_the_same_history() {
    let trace = |seed| {
        let mut history = History::new(seed);
        history.world.trace = Some(Vec::new());
        history.run();
        history.world.trace
    };
    for seed in 0..20 {
        let (one, two) = (trace(seed), trace(seed));
        assert!(
            one.as_ref().is_some_and(|lines| lines.len() > 8),
            "seed {seed}: too quiet"
        );
        assert_eq!(one, two, "seed {seed}");
    }
    assert_ne!(trace(1), trace(2));
}

/// One history: a world, and what has to come out of it.
struct History {
    world: World,
    rng: Rng,
    /// The host's part of the reported section, once all is said and done.
    reported: Value,
    /// The newest generation and refresh of this life of the host.
    generation: u64,
    refresh: u64,
    connected: bool,
    /// A store that fails and a process that dies do not go together.
    may_restart: bool,
    clock_was_wrong: bool,
    /// Much is said in little time over a connection that lasts, so that requests overlap and
    /// nothing is put right by the next read of a new connection.
    chatty: bool,
    /// Which kinds of things happen.
    focus: Range<u8>,
}

impl History {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut world = World::with(seed, |options| {
            options.token_lifetime_s = pick(&mut rng, &[60, 600, 3_600, 86_400]);
            options.request_timeout_ms = pick(&mut rng, &[1_000, 5_000, 20_000]);
            options.connect_timeout_ms = pick(&mut rng, &[5_000, 30_000]);
            options.event_capacity = pick(&mut rng, &[8, 64]);
            options.report_configuration = rng.u8(0..4) > 0;
            options.report_status = rng.bool();
            if rng.u8(0..6) == 0 {
                options.agent = AgentOptions::default().with_profile(AgentProfile::MicroAgent);
            }
        });
        let client = world.client_id();
        let twin = world.hub.twin_mut(client);
        twin.reported = object(&mut rng, 2);
        let reported = Value::Object(twin.reported.clone());
        twin.desired = object(&mut rng, 2);
        twin.desired_version = rng.u64(1..9);
        world.hub.keeps_subscriptions = rng.bool();
        let chatty = rng.bool();
        let focus = match rng.u8(0..3) {
            _ if !chatty => 0..25,
            0 => 0..17,
            1 => 3..10,
            _ => 10..15,
        };
        world.profile = if chatty {
            Profile::unruly_hub(&mut rng)
        } else {
            Profile::rough(&mut rng)
        };
        let may_restart = rng.bool();
        Self {
            world,
            rng,
            reported,
            generation: 0,
            refresh: 0,
            connected: false,
            may_restart,
            clock_was_wrong: false,
            chatty,
            focus,
        }
    }

    fn run(&mut self) {
        if self.chatty {
            self.connected = true;
            self.world.connect();
        }
        for _ in 0..self.rng.usize(4..40) {
            self.something_happens();
            let most = match self.chatty {
                true => pick(&mut self.rng, &[0, 50, 2_000, MINUTE]),
                false => pick(&mut self.rng, &[50, 2_000, MINUTE, 10 * MINUTE]),
            };
            self.world.run_for(self.rng.u64(0..=most));
        }
        self.heal();
        // The longest pause of all, after a refused credential, is a quarter of an hour.
        self.world.run_for(40 * MINUTE);
        self.check_agreement();
        if self.clock_was_wrong {
            // A token made by a wrong clock may end early, and nobody can know before it does.
            self.world.cut();
            self.world.run_for(MINUTE);
            self.check_agreement();
        }
        self.check_quiet();
    }

    fn something_happens(&mut self) {
        let client = self.world.client_id();
        match self.rng.u8(self.focus.clone()) {
            0..=2 => {
                self.connected = true;
                self.world.connect();
            }
            3..=8 => {
                let patch = self.desired_patch();
                self.world.hub.patch_desired(client, patch);
            }
            9 => {
                let section = Value::Object(object(&mut self.rng, 2));
                self.world.hub.replace_desired(client, section);
            }
            10 | 11 => {
                let document = Value::Object(object(&mut self.rng, 3));
                self.generation = self.world.set_reported(document.clone()).unwrap();
                self.reported = document;
            }
            12..=14 => {
                let change = with_deletions(&mut self.rng, 2);
                self.generation = self.world.patch_reported(&change).unwrap();
                patch::merge(&mut self.reported, &change);
            }
            15 | 16 => self.refresh = self.world.refresh(),
            17 => self.world.cut(),
            18 if self.may_restart => self.restart(),
            18 => self.world.store_fails = self.rng.bool(),
            19 => self.world.sleep(self.rng.u64(0..3 * HOUR)),
            20 => {
                self.clock_was_wrong = true;
                self.world.wall_offset_ms = self.rng.i64(-8_000_000..8_000_000);
            }
            21 => self.world.host_polls = self.rng.bool(),
            22 => self.world.hub.twin_mut(client).enabled = self.rng.bool(),
            23 => self.world.hub_closes(),
            _ => self.fail_over(),
        }
    }

    fn restart(&mut self) {
        self.world.restart();
        (self.generation, self.refresh) = (0, 0);
        if self.connected {
            self.world.connect();
        }
    }

    /// Another hub takes over, with a twin that is some minutes old.
    fn fail_over(&mut self) {
        self.world.host.versions_may_go_back = true;
        let client = self.world.client_id();
        let twin = self.world.hub.twin_mut(client);
        twin.desired_version = twin
            .desired_version
            .saturating_sub(self.rng.u64(0..4))
            .max(1);
        twin.desired = object(&mut self.rng, 2);
        self.world.hub_closes();
    }

    /// A patch by an operator: any properties, now and then the configuration, good or bad.
    fn desired_patch(&mut self) -> Value {
        let mut patch = with_deletions(&mut self.rng, 3);
        let section = match self.rng.u8(0..8) {
            0 => json!({"maxLocalCacheSizeInBytes": {"value": self.rng.u32(100_000..200_000)}}),
            1 => json!({"highPriorityMessageFrequency": {"value": "PT7M"}}),
            2 => json!({"highPriorityMessageFrequency": {"value": "soon"}}),
            3 => Value::Null,
            _ => return patch,
        };
        patch[SECTION] = section;
        patch
    }

    fn heal(&mut self) {
        self.world.profile = Profile::calm();
        self.world.wall_offset_ms = 0;
        self.world.host_polls = true;
        self.world.store_fails = false;
        let client = self.world.client_id();
        self.world.hub.twin_mut(client).enabled = true;
        self.world.connect();
        self.world.poll_host();
    }

    /// A planned reconnect may be under way at any time.
    fn finish_renewal(&mut self) {
        if !self.world.module().synced() {
            self.world.run_for(5_000);
        }
    }

    fn check_agreement(&mut self) {
        self.finish_renewal();
        let (world, module) = (&self.world, self.world.module());
        let twin = world.hub.twin(world.client_id());
        let desired = Value::Object(twin.desired.clone());
        assert_eq!(module.state(), State::Running);
        assert!(module.synced());
        assert_eq!(
            **module.desired().value(),
            desired,
            "the module knows the desired section"
        );
        assert_eq!(module.desired().version(), Some(twin.desired_version));
        assert_eq!(
            world.host.desired, desired,
            "the host knows it from events alone"
        );
        assert_eq!(world.host.state, State::Running);
        let told = world
            .host
            .configuration
            .as_ref()
            .expect("told a configuration");
        assert_eq!(told.effective, module.evaluation().effective);
        assert_eq!(
            Value::Object(twin.reported.clone()),
            self.expected_reported()
        );
        let known = module
            .reported()
            .map(|(value, version)| ((**value).clone(), version));
        assert_eq!(
            known,
            Some((self.expected_reported(), Some(twin.reported_version)))
        );
        assert_eq!(
            world.host.acknowledged, self.generation,
            "acknowledged to the host"
        );
        assert_eq!(
            world.host.read.map_or(0, |(refresh, _)| refresh),
            self.refresh
        );
        assert_eq!(module.requests_in_flight(), 0);
    }

    /// When all agree there is nothing to tell, to send or to store, however often tokens renew.
    fn check_quiet(&mut self) {
        let client = self.world.client_id();
        let before = (
            self.world.host.events,
            self.world.records,
            self.world.hub.patches,
        );
        let lost = self.world.module().statistics().connections_lost;
        let life = self.world.options().token_lifetime_s * 1_000;
        self.world.run_for((3 * life).min(2 * HOUR));
        let after = (
            self.world.host.events,
            self.world.records,
            self.world.hub.patches,
        );
        assert_eq!(before, after, "events, records, patches");
        assert_eq!(self.world.module().statistics().connections_lost, lost);
        self.finish_renewal();
        assert!(self.world.hub.is_connected(client));
    }

    fn expected_reported(&self) -> Value {
        let module = self.world.module();
        let mut expected = self.reported.clone();
        if self.reports(SECTION) {
            expected[SECTION] = module.evaluation().reported_section();
        } else if self.reports("latest_state") {
            let section = module.evaluation().reported_section();
            section
                .as_object()
                .unwrap()
                .iter()
                .for_each(|(k, v)| expected[k] = v.clone());
        }
        if self.reports(STATUS_KEY) {
            expected[STATUS_KEY] = module.evaluation().status();
        }
        expected
    }

    /// Whether the library reports under this key: the host may not.
    fn reports(&self, key: &str) -> bool {
        let mut copy = World::with(0, |options| *options = self.world.options().clone());
        copy.set_reported(json!({key: 1})).is_err()
    }
}

fn pick<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())]
}

/// A small object of few keys, so that histories touch the same members again and again.
fn object(rng: &mut Rng, depth: u32) -> Map<String, Value> {
    let keys = ["a", "b", "c"];
    let mut members = Map::new();
    for _ in 0..rng.usize(0..4) {
        let value = match rng.u8(0..6) {
            0 if depth > 0 => Value::Object(object(rng, depth - 1)),
            1 => json!([rng.u8(..), {"deep": rng.bool()}]),
            2 => json!("text"),
            3 => json!(rng.bool()),
            _ => json!(rng.u8(0..3)),
        };
        members.insert(pick(rng, &keys).to_owned(), value);
    }
    members
}

/// A merge patch: an object with some members `null`, at any depth.
fn with_deletions(rng: &mut Rng, depth: u32) -> Value {
    let mut patch = object(rng, depth);
    delete_some(rng, &mut patch);
    if rng.bool() {
        patch.insert(pick(rng, &["a", "b", "c"]).to_owned(), Value::Null);
    }
    Value::Object(patch)
}

fn delete_some(rng: &mut Rng, members: &mut Map<String, Value>) {
    for value in members.values_mut() {
        match value {
            Value::Object(inner) => delete_some(rng, inner),
            _ if rng.u8(0..4) == 0 => *value = Value::Null,
            _ => {}
        }
    }
}
