//! One module, its driver, the network and the hub, in virtual time.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::Value;

use super::host::HostView;
use super::hub::{Answer, SimHub};
use super::profile::Profile;
use crate::identity::{Identity, SignError};
use crate::module::{
    Action, Authentication, CloseCause, CloseKind, ConnectRequest, ConnectionId, Input,
    MAX_RECORD_BYTES, Module, ModuleOptions, Now, PacketId, SignId,
};
use crate::twin::limits::LimitError;

mod network;

const HUB: &str = "hub.example";
const CLIENT: &str = "dev/azureiotsecurity";
/// The true wall clock when the world begins: 2026-01-01.
const EPOCH_MS: u64 = 1_767_225_600_000;
/// More timeouts than this without time going on are a busy loop.
const MAX_TIMEOUTS_AT_ONCE: u32 = 20;

/// What is on its way.
enum Delivery {
    Dial {
        link: u64,
        username: String,
        password: String,
    },
    Up(u64, Up),
    Down(u64, Down),
    /// The hub learns that a connection is gone.
    Gone(u64),
    Signed {
        life: u32,
        id: SignId,
        works: bool,
    },
}

/// From module to hub.
enum Up {
    Subscribe { id: PacketId, filters: Vec<String> },
    Publish { topic: String, payload: Vec<u8> },
    Disconnect,
}

/// From hub to module.
#[derive(Clone)]
enum Down {
    Connack(u8),
    Suback { id: PacketId, granted: bool },
    Message { topic: String, payload: Vec<u8> },
    Closed(CloseKind),
}

/// One connection, as the network sees it.
struct Link {
    connection: ConnectionId,
    /// The module still listens to it.
    module_up: bool,
    /// The hub still listens to it.
    hub_up: bool,
    /// Nothing that is sent from now on arrives.
    cut: bool,
    last_up: u64,
    last_down: u64,
}

/// A module and the world around it.
pub struct World {
    /// The hub.
    pub hub: SimHub,
    /// The host of the module.
    pub host: HostView,
    /// What goes wrong.
    pub profile: Profile,
    /// How far the module's wall clock is off.
    pub wall_offset_ms: i64,
    /// Whether the host takes its events.
    pub host_polls: bool,
    /// Whether records cannot be kept.
    pub store_fails: bool,
    /// The record kept last.
    pub record: Option<Vec<u8>>,
    /// How many records were kept.
    pub records: u64,
    /// Every attempt to connect: when.
    pub attempts: Vec<u64>,
    /// Everything that happened, if this is `Some`.
    pub trace: Option<Vec<String>>,
    options: ModuleOptions,
    module: Module,
    life: u32,
    now_ms: u64,
    rng: Rng,
    deliveries: BTreeMap<(u64, u64), Delivery>,
    sequence: u64,
    links: BTreeMap<u64, Link>,
    at_once: u32,
}

impl World {
    /// A calm world with one registered module that signs with a key.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with(seed, |_| {})
    }

    /// The same, with other settings for the module.
    ///
    /// # Panics
    /// When the settings are out of range.
    #[must_use]
    pub fn with(seed: u64, change: impl FnOnce(&mut ModuleOptions)) -> Self {
        let module = CLIENT
            .split_once('/')
            .map(|(_, m)| m.parse().expect("module id"));
        let device = CLIENT.split('/').next().unwrap_or_default();
        let identity = Identity::new(
            HUB.parse().expect("host"),
            device.parse().expect("device id"),
            module,
        );
        let mut options = ModuleOptions::new(identity, Authentication::Key, seed);
        change(&mut options);
        let now = Now {
            mono_ms: 0,
            unix_ms: EPOCH_MS,
        };
        let mut hub = SimHub::new(HUB);
        hub.register(CLIENT);
        Self {
            hub,
            host: HostView::default(),
            profile: Profile::calm(),
            wall_offset_ms: 0,
            host_polls: true,
            store_fails: false,
            record: None,
            records: 0,
            attempts: Vec::new(),
            trace: None,
            module: Module::new(options.clone(), now).expect("settings in range"),
            options,
            life: 0,
            now_ms: 0,
            rng: Rng::with_seed(seed ^ 0x5eed),
            deliveries: BTreeMap::new(),
            sequence: 0,
            links: BTreeMap::new(),
            at_once: 0,
        }
    }

    /// The client id of the module.
    #[must_use]
    pub fn client_id(&self) -> &'static str {
        CLIENT
    }

    /// The module.
    #[must_use]
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// The settings of the module.
    #[must_use]
    pub fn options(&self) -> &ModuleOptions {
        &self.options
    }

    /// Virtual milliseconds since the world began.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The true wall clock in seconds.
    #[must_use]
    pub fn unix_s(&self) -> u64 {
        (EPOCH_MS + self.now_ms) / 1_000
    }

    /// The clocks as the module sees them.
    #[must_use]
    pub fn now(&self) -> Now {
        let unix_ms = (EPOCH_MS + self.now_ms).saturating_add_signed(self.wall_offset_ms);
        Now {
            mono_ms: self.now_ms,
            unix_ms,
        }
    }

    /// The host connects the module.
    pub fn connect(&mut self) {
        self.module.connect(self.now());
        self.pump();
    }

    /// The host closes the module.
    pub fn close(&mut self) {
        self.module.close(self.now());
        self.pump();
    }

    /// The host sets its reported document.
    ///
    /// # Errors
    /// As [`Module::set_reported`].
    pub fn set_reported(&mut self, document: Value) -> Result<u64, LimitError> {
        let generation = self.module.set_reported(self.now(), document);
        self.pump();
        generation
    }

    /// The host patches its reported document.
    ///
    /// # Errors
    /// As [`Module::patch_reported`].
    pub fn patch_reported(&mut self, patch: &Value) -> Result<u64, LimitError> {
        let generation = self.module.patch_reported(self.now(), patch);
        self.pump();
        generation
    }

    /// The host asks for a read.
    pub fn refresh(&mut self) -> u64 {
        let refresh = self.module.refresh(self.now());
        self.pump();
        refresh
    }

    /// An input that no network made.
    pub fn inject(&mut self, input: Input<'_>) {
        self.module.handle(self.now(), input);
        self.pump();
    }

    /// A message on the current connection that the hub did not send.
    pub fn inject_message(&mut self, topic: &str, payload: &[u8]) {
        let current = self.links.values().rev().find(|link| link.module_up);
        if let Some(connection) = current.map(|link| link.connection) {
            self.inject(Input::Message {
                connection,
                topic,
                payload,
            });
        }
    }

    /// The host takes all its events now.
    pub fn poll_host(&mut self) {
        while let Some(event) = self.module.poll_event() {
            if let Some(trace) = &mut self.trace {
                trace.push(format!("{:>9} event {event:?}", self.now_ms));
            }
            self.host.take(event);
        }
    }

    /// The process of the host dies and starts again, with what was stored. Not connected yet.
    ///
    /// # Panics
    /// When the stored record is refused.
    pub fn restart(&mut self) {
        self.cut();
        self.links
            .values_mut()
            .for_each(|link| link.module_up = false);
        self.life += 1;
        let versions_may_go_back = self.host.versions_may_go_back;
        self.host = HostView::default();
        self.host.versions_may_go_back = versions_may_go_back;
        self.options.seed = self.rng.u64(..);
        self.module = Module::new(self.options.clone(), self.now()).expect("settings in range");
        if let Some(record) = &self.record {
            self.module.restore(record).expect("our own record");
        }
        self.pump();
    }

    /// Cuts the connection: any tail of what is on its way is lost, in each direction.
    pub fn cut(&mut self) {
        let up: Vec<u64> = self
            .links
            .iter()
            .filter(|(_, l)| l.module_up)
            .map(|(l, _)| *l)
            .collect();
        up.into_iter().for_each(|link| self.cut_link(link));
    }

    /// The hub goes down: it closes every connection.
    pub fn hub_closes(&mut self) {
        self.hub.disconnect_all();
        self.flush_hub();
    }

    /// The machine sleeps: time passes and nobody does anything.
    pub fn sleep(&mut self, ms: u64) {
        self.now_ms += ms;
        self.run_for(0);
    }

    /// Lets time pass.
    pub fn run_for(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        self.flush_hub();
        while let Some(at) = self.next_thing().filter(|at| *at <= end) {
            if at > self.now_ms {
                self.now_ms = at;
                self.at_once = 0;
            }
            self.step();
        }
        self.now_ms = end;
    }

    fn next_thing(&self) -> Option<u64> {
        let delivery = self.deliveries.keys().next().map(|(at, _)| *at);
        let expiry = self
            .hub
            .next_expiry()
            .map(|s| (s * 1_000).saturating_sub(EPOCH_MS));
        [delivery, expiry, self.module.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    fn step(&mut self) {
        self.hub.expire(self.unix_s());
        self.flush_hub();
        let due = self
            .deliveries
            .first_key_value()
            .is_some_and(|((at, _), _)| *at <= self.now_ms);
        if due && let Some((_, delivery)) = self.deliveries.pop_first() {
            self.deliver(delivery);
        }
        if self
            .module
            .next_deadline()
            .is_some_and(|at| at <= self.now_ms)
        {
            self.at_once += 1;
            assert!(
                self.at_once < MAX_TIMEOUTS_AT_ONCE,
                "busy loop at {} ms",
                self.now_ms
            );
            self.module.handle_timeout(self.now());
        }
        self.pump();
    }

    fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Dial {
                link,
                username,
                password,
            } => self.dialled(link, &username, &password),
            Delivery::Up(link, up) => self.at_hub(link, up),
            Delivery::Down(link, down) => self.at_module(link, down),
            Delivery::Gone(link) => {
                self.hub.disconnect(link);
                self.links
                    .get_mut(&link)
                    .into_iter()
                    .for_each(|l| l.hub_up = false);
            }
            Delivery::Signed { life, id, works } if life == self.life => {
                let result = if works {
                    Ok([7; 32])
                } else {
                    Err(SignError::new("the key is gone"))
                };
                self.module.handle(self.now(), Input::Signed { id, result });
            }
            Delivery::Signed { .. } => {}
        }
    }

    /// Does what the module asks for, as its driver.
    fn pump(&mut self) {
        while let Some(action) = self.module.poll_action() {
            if let Some(trace) = &mut self.trace {
                trace.push(format!(
                    "{:>9} action {}",
                    self.now_ms,
                    describe_action(&action)
                ));
            }
            self.act(action);
        }
        assert!(
            self.module.requests_in_flight() <= 2,
            "at most two requests in flight"
        );
        if self.host_polls {
            self.poll_host();
        }
        self.flush_hub();
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Sign { id, .. } => {
                let fails = self.chance(self.profile.sign_fails);
                if !(fails && self.rng.bool()) {
                    let at = self.now_ms + self.rng.u64(0..50);
                    self.schedule(
                        at,
                        Delivery::Signed {
                            life: self.life,
                            id,
                            works: !fails,
                        },
                    );
                }
            }
            Action::Connect(request) => self.dial(request),
            Action::Subscribe {
                connection,
                id,
                filters,
            } => {
                let filters = filters.into_iter().map(|(filter, _)| filter).collect();
                self.send_up(connection, Up::Subscribe { id, filters });
            }
            Action::Publish {
                connection,
                topic,
                payload,
                ..
            } => {
                self.send_up(connection, Up::Publish { topic, payload });
            }
            Action::Disconnect { connection } => {
                self.send_up(connection, Up::Disconnect);
                if let Some(link) = self.link_of(connection) {
                    self.links
                        .get_mut(&link)
                        .into_iter()
                        .for_each(|l| l.module_up = false);
                }
            }
            Action::Persist(record) => {
                assert!(
                    record.len() <= MAX_RECORD_BYTES,
                    "record of {} bytes",
                    record.len()
                );
                if self.store_fails {
                    let detail = "/store/record: no space left on device";
                    self.module
                        .handle(self.now(), Input::PersistFailed { detail });
                } else {
                    self.record = Some(record);
                    self.records += 1;
                }
            }
        }
    }
}

fn describe(down: &Down) -> String {
    match down {
        Down::Connack(code) => format!("CONNACK {code}"),
        Down::Suback { granted, .. } => format!("SUBACK {granted}"),
        Down::Message { topic, payload } => {
            format!("{topic} {}", String::from_utf8_lossy(payload))
        }
        Down::Closed(kind) => format!("closed {kind:?}"),
    }
}

fn describe_action(action: &Action) -> String {
    match action {
        Action::Publish { topic, payload, .. } => {
            format!("{topic} {}", String::from_utf8_lossy(payload))
        }
        Action::Persist(record) => format!("persist {}", String::from_utf8_lossy(record)),
        other => format!("{other:?}"),
    }
}
