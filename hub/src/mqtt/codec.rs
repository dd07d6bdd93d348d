//! MQTT 3.1.1 packets: the only place that knows the codec crate.
//!
//! The crate frames and parses; what it leaves to its user (reserved bits, flag rules, NUL and
//! wildcards in topics, packet id 0) is checked here, so that a bad packet is an error by name.

use mqtt_protocol_core::mqtt::common::{Arc, Cursor};
use mqtt_protocol_core::mqtt::connection::{PacketBuildResult, PacketBuilder, RawPacket};
use mqtt_protocol_core::mqtt::packet::{Qos, v3_1_1};
use mqtt_protocol_core::mqtt::result_code::MqttError;

use crate::messages::MAX_MESSAGE;

/// Largest PUBLISH on the wire: a full message, the longest topic, packet id and fixed header.
const MAX_PACKET: u32 = MAX_MESSAGE as u32 + 65_535 + 2 + 2 + 5;
/// Largest CONNECT; a token has less than 4 KiB and a will must fit.
const MAX_FIRST_PACKET: u32 = 128 * 1024;

/// A packet no client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Fault(pub(crate) &'static str);

impl From<MqttError> for Fault {
    fn from(error: MqttError) -> Self {
        match error {
            MqttError::PacketTooLarge => Self("packet is too large"),
            MqttError::UnsupportedProtocolVersion => Self("protocol level is not 4 (MQTT 3.1.1)"),
            _ => Self("malformed packet"),
        }
    }
}

/// A packet from a client.
#[derive(Debug)]
pub(crate) enum Packet {
    Connect(Connect),
    Publish(Publish),
    Puback,
    Subscribe { id: u16, filters: Vec<(String, u8)> },
    Unsubscribe { id: u16, filters: Vec<String> },
    Pingreq,
    Disconnect,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connect {
    pub(crate) client_id: String,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Vec<u8>>,
    pub(crate) clean_session: bool,
    /// Seconds; 0 means the client sets no limit.
    pub(crate) keep_alive: u16,
    pub(crate) will: Option<Publish>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publish {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    /// Set for QoS 1.
    pub(crate) id: Option<u16>,
    pub(crate) retain: bool,
    pub(crate) duplicate: bool,
}

/// Cuts a byte stream into packets; never holds more than one packet of the allowed size.
pub(crate) struct Decoder(PacketBuilder);

impl Decoder {
    pub(crate) fn new() -> Self {
        Self(PacketBuilder::with_maximum_packet_size(MAX_FIRST_PACKET))
    }

    /// After CONNECT full messages are allowed.
    pub(crate) fn allow_messages(&mut self) {
        self.0.set_maximum_packet_size(MAX_PACKET);
    }

    /// Takes one packet from `bytes`, or all of `bytes` if they do not complete one.
    pub(crate) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Packet>, Fault> {
        loop {
            let mut cursor = Cursor::new(*bytes);
            let result = self.0.feed(&mut cursor);
            let consumed = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
            *bytes = bytes.get(consumed..).unwrap_or_default();
            match result {
                PacketBuildResult::Complete(raw) => return parse(&raw).map(Some),
                PacketBuildResult::Error(error) => return Err(error.into()),
                // The builder may stop between header and body, with bytes left.
                PacketBuildResult::Incomplete if bytes.is_empty() || consumed == 0 => {
                    return Ok(None);
                }
                PacketBuildResult::Incomplete => {}
            }
        }
    }
}

fn parse(raw: &RawPacket) -> Result<Packet, Fault> {
    let flags = match raw.packet_type() {
        3 => raw.flags(),
        8 | 10 => 0b0010,
        _ => 0,
    };
    if raw.flags() != flags {
        return Err(Fault("reserved flags are set in the fixed header"));
    }
    match raw.packet_type() {
        1 => parse_connect(raw).map(Packet::Connect),
        3 => parse_publish(raw).map(Packet::Publish),
        4 => raw
            .parse_exact(v3_1_1::Puback::parse)
            .map(|_| Packet::Puback)
            .map_err(Fault::from),
        8 => parse_subscribe(raw),
        10 => parse_unsubscribe(raw),
        12 if raw.remaining_length() == 0 => Ok(Packet::Pingreq),
        14 if raw.remaining_length() == 0 => Ok(Packet::Disconnect),
        _ => Err(Fault("packet type is not one a client may send")),
    }
}

fn parse_connect(raw: &RawPacket) -> Result<Connect, Fault> {
    let connect = raw.parse_exact(v3_1_1::Connect::parse)?;
    // Name (6 bytes) and level (1) were checked by the parser; the flags are ours.
    let flags = raw.data_as_slice().get(7).copied().unwrap_or(0xFF);
    let will = flags & 0b0000_0100 != 0;
    let will_qos = (flags >> 3) & 0b11;
    if flags & 1 != 0 || will_qos == 3 || (!will && flags & 0b0011_1000 != 0) {
        return Err(Fault("CONNECT flags contradict each other"));
    }
    let texts = [
        Some(connect.client_id()),
        connect.user_name(),
        connect.will_topic(),
    ];
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(Fault("CONNECT holds a NUL character"));
    }
    let will = match (connect.will_topic(), connect.will_payload()) {
        (Some(topic), payload) if will => Some(Publish {
            topic: topic_name(topic)?,
            payload: payload.unwrap_or_default().to_vec(),
            id: None,
            retain: connect.will_retain(),
            duplicate: false,
        }),
        _ => None,
    };
    Ok(Connect {
        client_id: connect.client_id().to_owned(),
        username: connect.user_name().map(str::to_owned),
        password: connect.password().map(<[u8]>::to_vec),
        clean_session: connect.clean_session(),
        keep_alive: connect.keep_alive(),
        will,
    })
}

fn parse_publish(raw: &RawPacket) -> Result<Publish, Fault> {
    let body = Arc::from(raw.data_as_slice());
    let (publish, _) = v3_1_1::Publish::parse(raw.flags(), body)?;
    if publish.qos() == Qos::ExactlyOnce {
        return Err(Fault("PUBLISH with QoS 2"));
    }
    if publish.qos() == Qos::AtMostOnce && publish.dup() {
        return Err(Fault("PUBLISH with DUP and QoS 0"));
    }
    Ok(Publish {
        topic: topic_name(publish.topic_name())?,
        payload: publish.payload().as_slice().to_vec(),
        id: publish.packet_id().map(packet_id).transpose()?,
        retain: publish.retain(),
        duplicate: publish.dup(),
    })
}

fn parse_subscribe(raw: &RawPacket) -> Result<Packet, Fault> {
    let subscribe = raw.parse_exact(v3_1_1::Subscribe::parse)?;
    let mut filters = Vec::new();
    for entry in subscribe.entries() {
        // The parser knows MQTT 5 options too; in 3.1.1 all bits but the QoS are reserved.
        let [options] = *entry.sub_opts().to_buffer();
        if options > 2 {
            return Err(Fault("SUBSCRIBE with reserved bits"));
        }
        filters.push((entry.topic_filter().to_owned(), options));
    }
    Ok(Packet::Subscribe {
        id: packet_id(subscribe.packet_id())?,
        filters,
    })
}

fn parse_unsubscribe(raw: &RawPacket) -> Result<Packet, Fault> {
    let unsubscribe = raw.parse_exact(v3_1_1::Unsubscribe::parse)?;
    let filters = unsubscribe
        .entries()
        .iter()
        .map(|filter| filter.as_str().to_owned())
        .collect();
    Ok(Packet::Unsubscribe {
        id: packet_id(unsubscribe.packet_id())?,
        filters,
    })
}

fn topic_name(topic: &str) -> Result<String, Fault> {
    if topic.is_empty() || topic.contains(['\0', '#', '+']) {
        return Err(Fault("topic name is empty or holds NUL, # or +"));
    }
    Ok(topic.to_owned())
}

fn packet_id(id: u16) -> Result<u16, Fault> {
    if id == 0 {
        Err(Fault("packet id is 0"))
    } else {
        Ok(id)
    }
}

pub(crate) fn connack(session_present: bool, code: u8) -> Vec<u8> {
    vec![0x20, 2, u8::from(session_present), code]
}

pub(crate) fn puback(id: u16) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    vec![0x40, 2, high, low]
}

pub(crate) fn suback(id: u16, granted: &[u8]) -> Vec<u8> {
    packet(0x90, &[&id.to_be_bytes(), granted])
}

pub(crate) fn unsuback(id: u16) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    vec![0xB0, 2, high, low]
}

pub(crate) fn pingresp() -> Vec<u8> {
    vec![0xD0, 0]
}

/// A PUBLISH with QoS 0, never retained. Topics are the hub's own and far below 64 KiB, but for
/// a request id a client made up: such a topic is cut, and the client knows it does not match.
pub(crate) fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    let topic = topic.as_bytes();
    let length = u16::try_from(topic.len()).unwrap_or(u16::MAX);
    let topic = topic.get(..usize::from(length)).unwrap_or(topic);
    packet(0x30, &[&length.to_be_bytes(), topic, payload])
}

fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut length: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = Vec::with_capacity(length + 5);
    bytes.push(first);
    loop {
        let digit = (length % 128) as u8;
        length /= 128;
        bytes.push(if length > 0 { digit | 0x80 } else { digit });
        if length == 0 {
            break;
        }
    }
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
