//! Device-to-cloud messages, kept for inspection.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::clock::timestamp;
use crate::names::Name;

/// Body plus property text of one message (IoT Hub docs: quotas, 256 KB).
pub(crate) const MAX_MESSAGE: usize = 256 * 1024;
/// What a kept message costs beside its own bytes.
const OVERHEAD: usize = 512;

/// Wire names of system properties and what the cloud side calls them (IoT Hub docs: message
/// format; IoT Edge SystemProperties.cs).
const SYSTEM_PROPERTIES: [(&str, &str); 15] = [
    ("$.mid", "message-id"),
    ("$.cid", "correlation-id"),
    ("$.uid", "user-id"),
    ("$.to", "to"),
    ("$.ct", "content-type"),
    ("$.ce", "content-encoding"),
    ("$.exp", "absolute-expiry-time"),
    ("$.ctime", "iothub-creation-time-utc"),
    ("$.on", "iothub-outputname"),
    ("$.ifid", "iothub-interface-id"),
    ("$.sub", "dt-subject"),
    ("$.schema", "iothub-message-schema"),
    ("$.diagid", "diagnostic-id"),
    ("$.diagctx", "correlation-context"),
    ("iothub-ack", "iothub-ack"),
];

/// Properties of a message as its topic carries them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Properties {
    pub(crate) system: Map<String, Value>,
    pub(crate) application: Map<String, Value>,
    size: usize,
}

impl Properties {
    /// Decodes `name=value&name&name=`; a name alone has the value null.
    pub(crate) fn parse(bag: &str) -> Result<Self, &'static str> {
        let mut properties = Self::default();
        let bag = bag.strip_prefix('?').unwrap_or(bag);
        for pair in bag.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = match pair.split_once('=') {
                Some((name, value)) => (decode(name)?, Some(decode(value)?)),
                None => (decode(pair)?, None),
            };
            properties.insert(name, value);
        }
        Ok(properties)
    }

    pub(crate) fn insert(&mut self, name: String, value: Option<String>) {
        let length = value.as_ref().map_or(0, String::len);
        let value = value.map_or(Value::Null, Value::String);
        let system = SYSTEM_PROPERTIES.iter().find(|(wire, _)| *wire == name);
        if let Some((_, cloud)) = system {
            self.size += length;
            self.system.insert((*cloud).to_owned(), value);
        } else if name.starts_with("$.") {
            self.size += length;
            self.system.insert(name, value);
        } else {
            self.size += name.len() + length;
            self.application.insert(name, value);
        }
    }

    /// Values of system properties, names and values of the others.
    pub(crate) fn size(&self) -> usize {
        self.size
    }
}

fn decode(text: &str) -> Result<String, &'static str> {
    percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| "property bag is not UTF-8")
}

struct Message {
    sequence: u64,
    name: Name,
    enqueued: String,
    properties: Properties,
    body: Vec<u8>,
}

impl Message {
    fn size(&self) -> usize {
        self.body.len() + self.properties.size() + OVERHEAD
    }

    fn view(&self) -> Value {
        json!({
            "sequenceNumber": self.sequence,
            "deviceId": self.name.device,
            "moduleId": self.name.module,
            "enqueuedTime": self.enqueued,
            "systemProperties": self.properties.system,
            "properties": self.properties.application,
            "body": std::str::from_utf8(&self.body).ok(),
            "bodyBase64": STANDARD.encode(&self.body),
        })
    }
}

/// The newest messages, bounded by bytes.
pub(crate) struct MessageLog {
    messages: VecDeque<Message>,
    bytes: usize,
    limit: usize,
    next: u64,
}

/// Which messages to look at.
#[derive(Debug, Default)]
pub(crate) struct MessageFilter {
    pub(crate) device: Option<String>,
    pub(crate) module: Option<String>,
    /// Only messages with a higher sequence number.
    pub(crate) after: u64,
    pub(crate) top: Option<usize>,
}

impl MessageFilter {
    fn takes(&self, message: &Message) -> bool {
        let same =
            |want: &Option<String>, have: Option<&String>| want.is_none() || want.as_ref() == have;
        message.sequence > self.after
            && same(&self.device, Some(&message.name.device))
            && same(&self.module, message.name.module.as_ref())
    }
}

impl MessageLog {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            messages: VecDeque::new(),
            bytes: 0,
            limit,
            next: 1,
        }
    }

    /// Stamps a message as the hub does and keeps it.
    pub(crate) fn push(
        &mut self,
        name: &Name,
        scope: &str,
        generation: &str,
        mut properties: Properties,
        body: &[u8],
    ) {
        let enqueued = timestamp();
        let method = json!({ "scope": scope, "type": "sas", "issuer": "iothub" }).to_string();
        let stamps = [
            ("iothub-connection-device-id", Some(name.device.clone())),
            ("iothub-connection-module-id", name.module.clone()),
            (
                "iothub-connection-auth-generation-id",
                Some(generation.to_owned()),
            ),
            ("iothub-connection-auth-method", Some(method)),
            ("iothub-enqueuedtime", Some(enqueued.clone())),
            ("iothub-message-source", Some("Telemetry".to_owned())),
        ];
        for (stamp, value) in stamps {
            if let Some(value) = value {
                properties.system.insert(stamp.to_owned(), value.into());
            }
        }
        let message = Message {
            sequence: self.next,
            name: name.clone(),
            enqueued,
            properties,
            body: body.to_vec(),
        };
        self.next += 1;
        self.bytes += message.size();
        self.messages.push_back(message);
        while self.bytes > self.limit {
            let Some(oldest) = self.messages.pop_front() else {
                break;
            };
            self.bytes -= oldest.size();
        }
    }

    pub(crate) fn list(&self, filter: &MessageFilter) -> Vec<Value> {
        let top = filter.top.unwrap_or(usize::MAX);
        self.messages
            .iter()
            .filter(|m| filter.takes(m))
            .take(top)
            .map(Message::view)
            .collect()
    }

    /// Forgets the messages a filter takes; returns how many.
    pub(crate) fn clear(&mut self, filter: &MessageFilter) -> usize {
        let before = self.messages.len();
        self.messages.retain(|message| !filter.takes(message));
        self.bytes = self.messages.iter().map(Message::size).sum();
        before - self.messages.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bags_of_all_clients_decode() {
        let bag = "?%24.mid=m%201&%24.ct=application%2fjson&%24.ifid=urn%3Aa&k&e=&%24.new=x&a=b=c&";
        let properties = Properties::parse(bag).unwrap();
        assert_eq!(
            Value::Object(properties.system),
            json!({"message-id": "m 1", "content-type": "application/json",
                   "iothub-interface-id": "urn:a", "$.new": "x"})
        );
        assert_eq!(
            Value::Object(properties.application),
            json!({"k": null, "e": "", "a": "b=c"})
        );
        assert!(Properties::parse("a=%ff").is_err());
    }

    #[test]
    fn the_log_is_bounded_by_bytes() {
        let mut log = MessageLog::new(10 * (OVERHEAD + 1000));
        let name = Name::module("d", "m");
        for _ in 0..100 {
            log.push(&name, "module", "1", Properties::default(), &[b'x'; 1000]);
        }
        let all = log.list(&MessageFilter::default());
        assert_eq!(all.len(), 10);
        assert_eq!(all[0]["sequenceNumber"], 91);
        let last = MessageFilter {
            after: 99,
            ..MessageFilter::default()
        };
        assert_eq!(log.list(&last).len(), 1);
        let other = MessageFilter {
            device: Some("x".into()),
            ..MessageFilter::default()
        };
        assert_eq!(log.clear(&other), 0);
        assert_eq!(log.clear(&MessageFilter::default()), 10);
        assert_eq!(log.bytes, 0);
    }
}
