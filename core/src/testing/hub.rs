//! The hub of the simulation: identities, twins, versions, subscriptions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value, json};

/// A token is taken for this long after its expiry (IoT Hub docs: clocks may be off by 5 minutes).
const TOKEN_GRACE_S: u64 = 300;
const RESPONSES: &str = "$iothub/twin/res/#";
const NOTIFICATIONS: &str = "$iothub/twin/PATCH/properties/desired/#";

/// One module identity and its twin.
#[derive(Clone, Debug)]
pub struct SimTwin {
    /// The desired section.
    pub desired: Map<String, Value>,
    /// Its `$version`.
    pub desired_version: u64,
    /// The reported section.
    pub reported: Map<String, Value>,
    /// Its `$version`.
    pub reported_version: u64,
    /// A disabled identity is refused.
    pub enabled: bool,
    subscriptions: BTreeSet<String>,
    /// The link that is signed in, and when its token runs out.
    session: Option<(u64, u64)>,
}

/// What the hub does with a twin request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What the rules say.
    Normal,
    /// Carries the request out and says nothing.
    Silence,
    /// Does nothing and answers with this status and body.
    Status(u16, Vec<u8>),
    /// Carries the request out, and answers with this status all the same.
    StatusAfterAll(u16),
    /// Carries a patch out as it should; answers a read with 200 and this body.
    Garbage(Vec<u8>),
    /// Closes the connection without carrying the request out.
    Close,
}

/// What a packet makes the hub do: send messages (topic, payload), or close.
pub(super) type Reaction = Result<Vec<(String, Vec<u8>)>, &'static str>;

/// A hub with any number of module identities.
#[derive(Debug)]
pub struct SimHub {
    host: String,
    twins: BTreeMap<String, SimTwin>,
    /// What to do with the next twin requests, in order; then [`Answer::Normal`].
    pub script: VecDeque<Answer>,
    /// Whether subscriptions outlive a connection, as the real hub's do.
    pub keeps_subscriptions: bool,
    /// Messages for links, in the order they were made.
    outbox: VecDeque<(u64, String, Vec<u8>)>,
    /// Links the hub has closed.
    closed: VecDeque<u64>,
    /// Twin reads answered or not.
    pub reads: u64,
    /// Reported patches received.
    pub patches: u64,
}

impl SimHub {
    /// An empty hub of this host name.
    #[must_use]
    pub fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            twins: BTreeMap::new(),
            script: VecDeque::new(),
            keeps_subscriptions: true,
            outbox: VecDeque::new(),
            closed: VecDeque::new(),
            reads: 0,
            patches: 0,
        }
    }

    /// Creates an identity (`device/module`) with an empty twin.
    pub fn register(&mut self, client_id: &str) {
        let twin = SimTwin {
            desired: Map::new(),
            desired_version: 1,
            reported: Map::new(),
            reported_version: 1,
            enabled: true,
            subscriptions: BTreeSet::new(),
            session: None,
        };
        self.twins.insert(client_id.to_owned(), twin);
    }

    /// The twin of an identity.
    ///
    /// # Panics
    /// When there is no such identity.
    #[must_use]
    pub fn twin(&self, client_id: &str) -> &SimTwin {
        self.twins.get(client_id).expect("registered identity")
    }

    /// The twin of an identity, to be changed behind everyone's back.
    ///
    /// # Panics
    /// When there is no such identity.
    pub fn twin_mut(&mut self, client_id: &str) -> &mut SimTwin {
        self.twins.get_mut(client_id).expect("registered identity")
    }

    /// An operator patches the desired section.
    pub fn patch_desired(&mut self, client_id: &str, patch: Value) -> u64 {
        let twin = self.twin_mut(client_id);
        twin.desired = object(merged(Some(Value::Object(twin.desired.clone())), &patch));
        self.notify(client_id, object(patch))
    }

    /// The same, and the notification is lost.
    pub fn patch_desired_silently(&mut self, client_id: &str, patch: Value) -> u64 {
        let before = self.outbox.len();
        let version = self.patch_desired(client_id, patch);
        self.outbox.truncate(before);
        version
    }

    /// An operator replaces the desired section. It reaches the module as a patch: the new section,
    /// and `null` for all that has vanished.
    pub fn replace_desired(&mut self, client_id: &str, section: Value) -> u64 {
        let twin = self.twin_mut(client_id);
        let mut patch = section.clone();
        null_the_vanished(&Value::Object(twin.desired.clone()), &mut patch);
        twin.desired = object(section);
        self.notify(client_id, object(patch))
    }

    fn notify(&mut self, client_id: &str, mut patch: Map<String, Value>) -> u64 {
        let twin = self.twin_mut(client_id);
        twin.desired_version += 1;
        let version = twin.desired_version;
        if let (Some((link, _)), true) = (twin.session, twin.subscriptions.contains(NOTIFICATIONS))
        {
            patch.insert("$version".to_owned(), version.into());
            let topic = format!("$iothub/twin/PATCH/properties/desired/?$version={version}");
            self.outbox
                .push_back((link, topic, Value::Object(patch).to_string().into_bytes()));
        }
        version
    }

    /// CONNECT. Gives the return code.
    pub fn connect(&mut self, link: u64, username: &str, password: &str, unix_s: u64) -> u8 {
        let Some((host, rest)) = username.split_once('/') else {
            return 5;
        };
        let Some((client_id, tail)) = rest.split_once("/?") else {
            return 5;
        };
        let keeps = self.keeps_subscriptions;
        let known = self.twins.get_mut(client_id).filter(|twin| twin.enabled);
        let (Some(twin), Some(expiry)) = (known, token_expiry(password, host, client_id)) else {
            return 5;
        };
        let valid = host == self.host
            && tail.starts_with("api-version=")
            && expiry.saturating_add(TOKEN_GRACE_S) >= unix_s;
        if !valid {
            return 5;
        }
        if !keeps {
            twin.subscriptions.clear();
        }
        if let Some((older, _)) = twin.session.replace((link, expiry)) {
            self.closed.push_back(older);
        }
        0
    }

    /// SUBSCRIBE. A filter outside the documented set closes the connection.
    pub fn subscribe(&mut self, link: u64, filters: &[String]) -> Result<(), &'static str> {
        let Some((_, twin)) = self.session(link) else {
            return Err("not signed in");
        };
        for filter in filters {
            if ![RESPONSES, NOTIFICATIONS].contains(&filter.as_str()) {
                return Err("topic filter not allowed");
            }
            twin.subscriptions.insert(filter.clone());
        }
        Ok(())
    }

    /// PUBLISH.
    pub fn publish(&mut self, link: u64, topic: &str, payload: &[u8], answer: Answer) -> Reaction {
        if self.session(link).is_none() {
            return Err("not signed in");
        }
        if let Some(rid) = topic.strip_prefix("$iothub/twin/GET/?$rid=") {
            self.reads += 1;
            return self.answer(link, rid, answer, Self::read);
        }
        if let Some(rid) = topic.strip_prefix("$iothub/twin/PATCH/properties/reported/?$rid=") {
            self.patches += 1;
            let payload = payload.to_vec();
            return self.answer(link, rid, answer, |twin| Self::report(twin, &payload));
        }
        Err("topic not allowed")
    }

    /// DISCONNECT, or the end of a connection.
    pub fn disconnect(&mut self, link: u64) {
        if let Some((_, twin)) = self.session(link) {
            twin.session = None;
        }
    }

    /// Closes connections whose token has run out.
    pub fn expire(&mut self, unix_s: u64) {
        for twin in self.twins.values_mut() {
            let expired = |(_, expiry): &mut (u64, u64)| *expiry + TOKEN_GRACE_S < unix_s;
            if let Some((link, _)) = twin.session.take_if(expired) {
                self.closed.push_back(link);
            }
        }
    }

    /// When the next token runs out.
    #[must_use]
    pub fn next_expiry(&self) -> Option<u64> {
        let sessions = self.twins.values().filter_map(|twin| twin.session);
        sessions
            .map(|(_, expiry)| expiry.saturating_add(TOKEN_GRACE_S + 1))
            .min()
    }

    pub(super) fn disconnect_all(&mut self) {
        let sessions = self
            .twins
            .values_mut()
            .filter_map(|twin| twin.session.take());
        self.closed.extend(sessions.map(|(link, _)| link));
    }

    /// Whether this identity is signed in.
    #[must_use]
    pub fn is_connected(&self, client_id: &str) -> bool {
        self.twin(client_id).session.is_some()
    }

    pub(super) fn next_message(&mut self) -> Option<(u64, String, Vec<u8>)> {
        self.outbox.pop_front()
    }

    pub(super) fn next_closed(&mut self) -> Option<u64> {
        self.closed.pop_front()
    }

    fn session(&mut self, link: u64) -> Option<(&String, &mut SimTwin)> {
        self.twins
            .iter_mut()
            .find(|(_, twin)| matches!(twin.session, Some((l, _)) if l == link))
    }

    fn answer(
        &mut self,
        link: u64,
        rid: &str,
        answer: Answer,
        carry_out: impl Fn(&mut SimTwin) -> (u16, Option<u64>, Vec<u8>),
    ) -> Reaction {
        let Some((_, twin)) = self.session(link) else {
            return Err("not signed in");
        };
        let (status, version, body) = match answer {
            Answer::Close => return Err("closed by the script"),
            Answer::Status(status, body) => (status, None, body),
            Answer::Normal => carry_out(twin),
            Answer::Garbage(body) => match carry_out(twin) {
                (200, ..) => (200, None, body),
                patched => patched,
            },
            Answer::StatusAfterAll(status) => {
                carry_out(twin);
                (status, None, Vec::new())
            }
            Answer::Silence => {
                carry_out(twin);
                return Ok(Vec::new());
            }
        };
        if !twin.subscriptions.contains(RESPONSES) {
            return Ok(Vec::new());
        }
        let version = version
            .map(|v| format!("&$version={v}"))
            .unwrap_or_default();
        Ok(vec![(
            format!("$iothub/twin/res/{status}/?$rid={rid}{version}"),
            body,
        )])
    }

    fn read(twin: &mut SimTwin) -> (u16, Option<u64>, Vec<u8>) {
        let mut desired = twin.desired.clone();
        desired.insert("$version".to_owned(), twin.desired_version.into());
        let mut reported = twin.reported.clone();
        reported.insert("$version".to_owned(), twin.reported_version.into());
        let body = json!({"desired": desired, "reported": reported});
        (200, None, body.to_string().into_bytes())
    }

    fn report(twin: &mut SimTwin, payload: &[u8]) -> (u16, Option<u64>, Vec<u8>) {
        let refused = |message: &str| {
            let body = json!({"errorCode": 400_004, "trackingId": "T-1", "message": message});
            (400, None, body.to_string().into_bytes())
        };
        let Ok(patch @ Value::Object(_)) = serde_json::from_slice(payload) else {
            return refused("not a JSON object");
        };
        // Azure IoT Edge's validator looks at the patch, before it is merged.
        if payload.len() > 32 * 1024 {
            return refused("reported patch larger than 32 KB");
        }
        let section = object(merged(Some(Value::Object(twin.reported.clone())), &patch));
        if Value::Object(section.clone()).to_string().len() > 32 * 1024 {
            return refused("reported section larger than 32 KB");
        }
        if section.contains_key("refuse-me") {
            return refused("a rule that only the hub knows");
        }
        twin.reported = section;
        twin.reported_version += 1;
        (204, Some(twin.reported_version), Vec::new())
    }
}

/// RFC 7396, written down as its pseudocode has it.
fn merged(target: Option<Value>, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut result = match target {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    for (name, value) in patch {
        let before = result.remove(name);
        if *value != Value::Null {
            result.insert(name.clone(), merged(before, value));
        }
    }
    Value::Object(result)
}

fn null_the_vanished(old: &Value, new: &mut Value) {
    if let (Value::Object(old), Value::Object(new)) = (old, new) {
        for (name, value) in old {
            match new.get_mut(name) {
                Some(there) => null_the_vanished(value, there),
                None => {
                    new.insert(name.clone(), Value::Null);
                }
            }
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("a section is an object, not {other}"),
    }
}

/// The expiry of a token of the right shape for this identity.
fn token_expiry(token: &str, host: &str, client_id: &str) -> Option<u64> {
    let fields: BTreeMap<&str, &str> = token
        .strip_prefix("SharedAccessSignature ")?
        .split('&')
        .filter_map(|field| field.split_once('='))
        .collect();
    let (device, module) = client_id.split_once('/')?;
    let resource = format!("{host}%2Fdevices%2F{device}%2Fmodules%2F{module}");
    let named = fields.get("sr").is_some_and(|sr| *sr == resource);
    let signed = fields.get("sig").is_some_and(|sig| sig.len() > 40);
    (named && signed).then(|| fields.get("se")?.parse().ok())?
}
