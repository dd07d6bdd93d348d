//! The seam to the MQTT crate: bytes in, packets out, and the few packets a module sends. Nothing
//! else in the driver knows which crate encodes them.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mqtt::common::Cursor;
use mqtt::connection::{ConnectionOptions, Event};
use mqtt::packet::v3_1_1 as packet;
use mqtt::packet::{GenericPacketTrait, Packet, Qos, SubEntry, SubOpts};
use mqtt::{Connection, Version, role};
use mqtt_protocol_core::mqtt;
use twinguard_core::module::{ConnectRequest, PacketId, QoS};

/// IoT Hub's largest message is 256 KB (IoT Hub docs, "quotas and throttling"); the rest is for
/// the topic with its property bag and for the headers.
pub(crate) const MAX_PACKET_BYTES: u32 = (256 + 16) * 1024;

/// What the hub sent.
pub(crate) enum Incoming {
    Accepted { session_present: bool },
    Refused(u8),
    Subscribed { id: PacketId, granted: bool },
    Acknowledged(PacketId),
    Message(Message),
    Pong,
}

/// Kind and size, for the log; never the content.
impl fmt::Display for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { session_present } => {
                write!(f, "CONNACK, session present: {session_present}")
            }
            Self::Refused(code) => write!(f, "CONNACK with code {code}"),
            Self::Subscribed { granted, .. } => write!(f, "SUBACK, granted: {granted}"),
            Self::Acknowledged(_) => f.write_str("PUBACK"),
            Self::Message(message) => {
                write!(f, "PUBLISH with {} bytes", message.payload().len())
            }
            Self::Pong => f.write_str("PINGRESP"),
        }
    }
}

/// A PUBLISH; the payload is not copied out of the packet.
pub(crate) struct Message(packet::GenericPublish<u16>);

impl Message {
    pub(crate) fn topic(&self) -> &str {
        self.0.topic_name()
    }

    pub(crate) fn payload(&self) -> &[u8] {
        self.0.payload().as_slice()
    }
}

/// What a packet that waits for its answer was.
enum Pending {
    Subscribe(PacketId),
    Publish(PacketId),
}

/// One MQTT 3.1.1 connection, without its bytes' way through the network.
pub(crate) struct Mqtt {
    connection: Connection<role::Client>,
    /// Packet identifiers that wait for SUBACK or PUBACK.
    pending: HashMap<u16, Pending>,
    /// The first byte has come, and it was that of a CONNACK.
    begun: bool,
    /// The CONNACK has come; there is only one.
    greeted: bool,
}

/// The first byte of a CONNACK.
const CONNACK: u8 = 0x20;

/// MQTT was broken, by the peer or by what we were asked to send: one line.
pub(crate) type Broken = String;

impl Mqtt {
    pub(crate) fn new() -> Self {
        let options = ConnectionOptions::new().maximum_packet_size_recv(MAX_PACKET_BYTES);
        let mut connection = Connection::with_options(Version::V3_1_1, options);
        connection.set_auto_pub_response(true);
        Self {
            connection,
            pending: HashMap::new(),
            begun: false,
            greeted: false,
        }
    }

    /// CleanSession 0 and no will, as IoT Hub wants it for QoS 1 subscriptions that last.
    pub(crate) fn connect(
        &mut self,
        request: &ConnectRequest,
        out: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let bad = |e| format!("CONNECT: {e:?}");
        let mut builder = packet::Connect::builder()
            .clean_session(false)
            .keep_alive(request.keep_alive_s)
            .client_id(request.client_id.as_str())
            .and_then(|builder| builder.user_name(request.username.as_str()))
            .map_err(bad)?;
        if let Some(password) = &request.password {
            builder = builder.password(password.as_str()).map_err(bad)?;
        }
        let connect = builder.build().map_err(bad)?;
        let events = self.connection.checked_send(connect);
        self.take(events, out).map(drop)
    }

    pub(crate) fn subscribe(
        &mut self,
        id: PacketId,
        filters: &[(String, QoS)],
        out: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let bad = |e| format!("SUBSCRIBE: {e:?}");
        let mut entries = Vec::with_capacity(filters.len());
        for (filter, qos) in filters {
            let options = SubOpts::new().set_qos(quality(*qos));
            entries.push(SubEntry::new(filter.as_str(), options).map_err(bad)?);
        }
        let number = self.connection.acquire_packet_id().map_err(bad)?;
        let subscribe = packet::Subscribe::builder()
            .packet_id(number)
            .entries(entries)
            .build()
            .map_err(bad)?;
        self.pending.insert(number, Pending::Subscribe(id));
        let events = self.connection.checked_send(subscribe);
        self.take(events, out).map(drop)
    }

    pub(crate) fn publish(
        &mut self,
        id: PacketId,
        topic: &str,
        payload: Vec<u8>,
        qos: QoS,
        out: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let bad = |e| format!("PUBLISH: {e:?}");
        let mut builder = packet::GenericPublish::<u16>::builder()
            .topic_name(topic)
            .map_err(bad)?
            .qos(quality(qos))
            .payload(payload);
        if qos == QoS::AtLeastOnce {
            let number = self.connection.acquire_packet_id().map_err(bad)?;
            self.pending.insert(number, Pending::Publish(id));
            builder = builder.packet_id(number);
        }
        let events = self.connection.checked_send(builder.build().map_err(bad)?);
        self.take(events, out).map(drop)
    }

    pub(crate) fn ping(&mut self, out: &mut Vec<u8>) -> Result<(), Broken> {
        let ping = packet::Pingreq::builder()
            .build()
            .map_err(|e| format!("PINGREQ: {e:?}"))?;
        let events = self.connection.checked_send(ping);
        self.take(events, out).map(drop)
    }

    pub(crate) fn disconnect(&mut self, out: &mut Vec<u8>) -> Result<(), Broken> {
        let bad = |e| format!("DISCONNECT: {e:?}");
        let disconnect = packet::Disconnect::builder().build().map_err(bad)?;
        let events = self.connection.checked_send(disconnect);
        self.take(events, out).map(drop)
    }

    /// Takes bytes of the peer; what is to be answered (PUBACK) goes to `out`. Packets before the
    /// one that breaks the protocol are still given.
    pub(crate) fn receive(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> (Vec<Incoming>, Result<(), Broken>) {
        let mut incoming = Vec::new();
        // Another protocol would otherwise look like a long packet that never ends.
        if !self.begun && bytes.first().is_some_and(|byte| *byte != CONNACK) {
            return (
                incoming,
                Err("the answer to CONNECT is not a CONNACK".to_owned()),
            );
        }
        self.begun = true;
        let mut cursor = Cursor::new(bytes);
        while (cursor.position() as usize) < bytes.len() {
            // The codec is not ours and its input is hostile: a panic in it ends the connection
            // and not the module.
            let received = catch_unwind(AssertUnwindSafe(|| self.connection.recv(&mut cursor)));
            let taken = received
                .map_err(|_| "the hub sent something that the MQTT codec cannot bear".to_owned())
                .and_then(|events| self.take(events, out));
            match taken {
                Ok(packets) => incoming.extend(packets),
                Err(broken) => return (incoming, Err(broken)),
            }
        }
        (incoming, Ok(()))
    }

    /// Carries out what the codec asks for. Its timers are not used: keep-alive is ours, because
    /// it has to look at the peer's silence too.
    fn take(&mut self, events: Vec<Event>, out: &mut Vec<u8>) -> Result<Vec<Incoming>, Broken> {
        let mut incoming = Vec::new();
        let mut closing = false;
        for event in events {
            match event {
                Event::NotifyPacketReceived(packet) => incoming.extend(self.packet(packet)?),
                Event::RequestSendPacket { packet, .. } => {
                    out.extend_from_slice(&packet.to_continuous_buffer());
                }
                Event::NotifyError(e) => return Err(format!("the hub broke MQTT: {e:?}")),
                Event::RequestClose => closing = true,
                Event::NotifyPacketIdReleased(_)
                | Event::RequestTimerReset { .. }
                | Event::RequestTimerCancel(_) => {}
            }
        }
        // After a refusal and after our own DISCONNECT the codec asks for this as well.
        let expected = incoming
            .iter()
            .any(|packet| matches!(packet, Incoming::Refused(_)));
        if closing && !expected && !incoming.is_empty() {
            return Err("the hub broke MQTT".to_owned());
        }
        Ok(incoming)
    }

    fn packet(&mut self, packet: Packet) -> Result<Option<Incoming>, Broken> {
        Ok(match packet {
            Packet::V3_1_1Connack(_) if self.greeted => {
                return Err("the hub sent a second CONNACK".to_owned());
            }
            Packet::V3_1_1Connack(connack) => {
                self.greeted = true;
                Some(match connack.return_code() as u8 {
                    0 => Incoming::Accepted {
                        session_present: connack.session_present(),
                    },
                    code => Incoming::Refused(code),
                })
            }
            Packet::V3_1_1Suback(suback) => match self.pending.remove(&suback.packet_id()) {
                Some(Pending::Subscribe(id)) => {
                    let granted = suback
                        .return_codes()
                        .iter()
                        .all(|code| (*code as u8) < 0x80);
                    Some(Incoming::Subscribed { id, granted })
                }
                _ => return Err("the hub sent a SUBACK that nobody waits for".to_owned()),
            },
            Packet::V3_1_1Puback(puback) => match self.pending.remove(&puback.packet_id()) {
                Some(Pending::Publish(id)) => Some(Incoming::Acknowledged(id)),
                _ => return Err("the hub sent a PUBACK that nobody waits for".to_owned()),
            },
            Packet::V3_1_1Publish(publish) if publish.qos() == Qos::ExactlyOnce => {
                return Err("the hub sent a PUBLISH with QoS 2, which it must not".to_owned());
            }
            Packet::V3_1_1Publish(publish) => Some(Incoming::Message(Message(publish))),
            Packet::V3_1_1Pingresp(_) => Some(Incoming::Pong),
            other => return Err(format!("the hub sent {:?}", other.packet_type())),
        })
    }
}

fn quality(qos: QoS) -> Qos {
    match qos {
        QoS::AtMostOnce => Qos::AtMostOnce,
        QoS::AtLeastOnce => Qos::AtLeastOnce,
    }
}
