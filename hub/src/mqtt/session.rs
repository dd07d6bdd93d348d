//! What packets of an accepted connection do to the hub's state.

use serde_json::{Map, Value};

use crate::clock::timestamp;
use crate::error::{ErrorCode, Refusal};
use crate::faults::{Answer, Delivery, code_for};
use crate::messages::{MAX_MESSAGE, Properties};
use crate::mqtt::codec::{self, Fault, Publish};
use crate::mqtt::login::Login;
use crate::mqtt::outbox::{Close, Outbox};
use crate::mqtt::topics::{self, DESIRED_CHANGES, Inbound, TWIN_RESPONSES};
use crate::names::Name;
use crate::registry::Subscriptions;
use crate::rest;
use crate::state::State;
use crate::twin::parse_object;

/// Azure IoT middleware for FreeRTOS, pull request 89: the hub ends a sixth subscription.
const MAX_SUBSCRIPTIONS: usize = 5;

/// A connection in use.
pub(crate) struct Live {
    id: u64,
    pub(crate) outbox: Outbox,
    subscriptions: Subscriptions,
    /// CleanSession=0: subscriptions outlive the connection.
    persistent: bool,
}

/// Which connection a packet came from; a connection that was taken over is nobody's any more.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) name: Name,
    pub(crate) scope: &'static str,
    id: u64,
}

impl State {
    /// Takes the place of an older connection and answers CONNECT.
    pub(crate) fn connect(
        &mut self,
        login: &Login,
        clean_session: bool,
        outbox: Outbox,
    ) -> Result<Caller, Refusal> {
        let name = &login.name;
        let stored = self.record(name)?.session.clone();
        let kept = if clean_session {
            None
        } else {
            Some(stored.clone().unwrap_or_default())
        };
        if kept != stored {
            let mut record = self.record(name)?.clone();
            record.session.clone_from(&kept);
            self.save(name, record)?;
        }
        if let Some(mut older) = self.live.remove(name) {
            older.outbox.close(Close::TakenOver);
        }
        self.connections += 1;
        let id = self.connections;
        let live = Live {
            id,
            outbox,
            subscriptions: kept.unwrap_or_default(),
            persistent: !clean_session,
        };
        self.live.insert(name.clone(), live);
        self.changed.insert(name.clone(), timestamp());
        let present = !clean_session && stored.is_some();
        self.send(name, codec::connack(present, 0), Delivery::Whole);
        Ok(Caller {
            name: name.clone(),
            scope: login.scope,
            id,
        })
    }

    /// Forgets a connection, unless a newer one took its place.
    pub(crate) fn disconnect(&mut self, caller: &Caller) {
        if self.is_current(caller) {
            self.live.remove(&caller.name);
            self.changed.insert(caller.name.clone(), timestamp());
        }
    }

    pub(crate) fn is_current(&self, caller: &Caller) -> bool {
        self.live
            .get(&caller.name)
            .is_some_and(|live| live.id == caller.id)
    }

    pub(crate) fn ping(&mut self, caller: &Caller) {
        self.send(&caller.name, codec::pingresp(), Delivery::Whole);
    }

    pub(crate) fn subscribe(
        &mut self,
        caller: &Caller,
        id: u16,
        filters: Vec<(String, u8)>,
    ) -> Result<(), Fault> {
        let Some(live) = self.live.get_mut(&caller.name) else {
            return Ok(());
        };
        let mut granted = Vec::new();
        for (filter, qos) in filters {
            if !topics::is_allowed_filter(&caller.name, &filter) {
                return Err(Fault("SUBSCRIBE to a filter the hub does not have"));
            }
            granted.push(qos.min(1));
            live.subscriptions.insert(filter, qos.min(1));
        }
        if live.subscriptions.len() > MAX_SUBSCRIPTIONS {
            return Err(Fault("SUBSCRIBE to more than five filters"));
        }
        self.keep_subscriptions(&caller.name)?;
        self.send(&caller.name, codec::suback(id, &granted), Delivery::Whole);
        Ok(())
    }

    pub(crate) fn unsubscribe(
        &mut self,
        caller: &Caller,
        id: u16,
        filters: &[String],
    ) -> Result<(), Fault> {
        let Some(live) = self.live.get_mut(&caller.name) else {
            return Ok(());
        };
        live.subscriptions
            .retain(|filter, _| !filters.contains(filter));
        self.keep_subscriptions(&caller.name)?;
        self.send(&caller.name, codec::unsuback(id), Delivery::Whole);
        Ok(())
    }

    fn keep_subscriptions(&mut self, name: &Name) -> Result<(), Fault> {
        let Some(live) = self.live.get(name).filter(|live| live.persistent) else {
            return Ok(());
        };
        let kept = Some(live.subscriptions.clone());
        let Ok(record) = self.record(name) else {
            return Ok(());
        };
        if record.session == kept {
            return Ok(());
        }
        let mut record = record.clone();
        record.session = kept;
        self.save(name, record)
            .map_err(|_| Fault("subscription could not be stored"))
    }

    /// Acknowledges and carries out a PUBLISH.
    pub(crate) fn publish(&mut self, caller: &Caller, publish: &Publish) -> Result<(), Fault> {
        let name = &caller.name;
        let inbound = topics::parse(name, &publish.topic)
            .ok_or(Fault("PUBLISH to a topic the hub does not have"))?;
        if publish.payload.len() > MAX_MESSAGE {
            return Err(Fault("PUBLISH larger than 256 KiB"));
        }
        if let Inbound::Telemetry { bag } = inbound {
            self.telemetry(caller, bag, publish, None)?;
        }
        if let Some(id) = publish.id {
            self.send(name, codec::puback(id), Delivery::Whole);
        }
        match inbound {
            Inbound::TwinGet { rid } => self.twin_get(name, rid),
            Inbound::TwinReported { rid } => self.twin_reported(name, rid, &publish.payload),
            // Nothing asks devices for methods yet, so every answer is a late one.
            Inbound::Telemetry { .. } | Inbound::MethodResponse => {}
        }
        Ok(())
    }

    /// A will counts as telemetry with a property of its own.
    pub(crate) fn will(&mut self, caller: &Caller, will: &Publish) -> Result<(), Fault> {
        match topics::parse(&caller.name, &will.topic) {
            Some(Inbound::Telemetry { bag }) => self.telemetry(caller, bag, will, Some("Will")),
            _ => Err(Fault("will topic is not a telemetry topic")),
        }
    }

    fn telemetry(
        &mut self,
        caller: &Caller,
        bag: &str,
        publish: &Publish,
        message_type: Option<&str>,
    ) -> Result<(), Fault> {
        let mut properties = Properties::parse(bag).map_err(Fault)?;
        if properties.size() + publish.payload.len() > MAX_MESSAGE {
            return Err(Fault("message larger than 256 KiB with its properties"));
        }
        let marks = [
            ("mqtt-retain", publish.retain.then_some("true")),
            ("mqtt-dup", publish.duplicate.then_some("true")),
            ("iothub-MessageType", message_type),
        ];
        for (mark, value) in marks {
            if let Some(value) = value {
                properties.insert(mark.to_owned(), Some(value.to_owned()));
            }
        }
        let Some(generation) = self
            .record(&caller.name)
            .map(|r| r.generation().to_owned())
            .ok()
        else {
            return Ok(());
        };
        let Caller { name, scope, .. } = caller;
        self.messages
            .push(name, scope, &generation, properties, &publish.payload);
        Ok(())
    }

    fn twin_get(&mut self, name: &Name, rid: &str) {
        let (status, body) = match self.faults.on_twin_request(name, true) {
            Some(Answer::Status(status)) => injected(status),
            Some(Answer::Garbage) => (200, b"\x00\xFFthis is not JSON{".to_vec()),
            None => match self.record(name) {
                Ok(record) => (200, record.twin.device_view().to_string().into_bytes()),
                Err(refusal) => error_answer(&refusal),
            },
        };
        self.answer(name, topics::twin_response(status, rid, None), &body);
    }

    fn twin_reported(&mut self, name: &Name, rid: Option<&str>, body: &[u8]) {
        let (status, version, body) = match self.faults.on_twin_request(name, false) {
            Some(Answer::Status(status)) => {
                let (status, body) = injected(status);
                (status, None, body)
            }
            _ => match self.report(name, body) {
                Ok(version) => (204, Some(version), Vec::new()),
                Err(refusal) => {
                    let (status, body) = error_answer(&refusal);
                    (status, None, body)
                }
            },
        };
        if let Some(rid) = rid {
            self.answer(name, topics::twin_response(status, rid, version), &body);
        }
    }

    fn report(&mut self, name: &Name, body: &[u8]) -> Result<u64, Refusal> {
        let patch = parse_object(body).map_err(Refusal::invalid)?;
        let mut record = self.record(name)?.clone();
        let version = record
            .twin
            .report(&patch, &timestamp())
            .map_err(|violation| Refusal::invalid(violation.to_string()))?;
        self.save(name, record)?;
        Ok(version)
    }

    fn answer(&mut self, name: &Name, topic: String, body: &[u8]) {
        if self.is_subscribed(name, TWIN_RESPONSES) {
            let how = self.faults.on_twin_reply(name);
            self.send(name, codec::publish(&topic, body), how);
        }
    }

    /// Nothing is queued for who is not there: a device reads the twin when it comes back.
    pub(crate) fn notify_desired(&mut self, name: &Name, patch: &Map<String, Value>) {
        if self.is_subscribed(name, DESIRED_CHANGES) {
            let version = patch
                .get("$version")
                .and_then(Value::as_u64)
                .unwrap_or_default();
            let body = Value::Object(patch.clone()).to_string();
            let how = self.faults.on_notification(name);
            let packet = codec::publish(&topics::desired_change(version), body.as_bytes());
            self.send(name, packet, how);
        }
    }

    fn is_subscribed(&self, name: &Name, filter: &str) -> bool {
        self.live
            .get(name)
            .is_some_and(|live| live.subscriptions.contains_key(filter))
    }

    fn send(&mut self, name: &Name, packet: Vec<u8>, how: Delivery) {
        let delay = self.faults.of(name).and_then(|active| active.delay);
        if let Some(live) = self.live.get_mut(name) {
            live.outbox.push(packet, delay, how);
        }
    }
}

fn injected(status: u16) -> (u16, Vec<u8>) {
    let refusal = Refusal::new(code_for(status), "a fault was injected");
    (status, error_answer(&refusal).1)
}

/// Status and JSON body. Node's SDK takes an answer without `errorCode` for a success, so every
/// error has one.
fn error_answer(refusal: &Refusal) -> (u16, Vec<u8>) {
    let code: ErrorCode = refusal.code;
    (code.status(), rest::device_error_body(refusal).into_bytes())
}
