//! What goes into the engine and what comes out of it: the wall between the state machine and
//! whoever drives it.
//!
//! Everything here is plain data. A driver carries out each [`Action`] and feeds back what
//! happened as an [`Input`]; the engine never waits, so an action may be answered at any later
//! time, or never (the engine has its own deadlines).

use std::fmt;

use crate::identity::{HostName, SasToken, SignError};

/// The time of an input, as the driver reads it from its clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic milliseconds from any fixed origin; should go on while the machine sleeps
    /// (`CLOCK_BOOTTIME` on Linux). All deadlines are in this clock. Must never go back.
    pub mono_ms: u64,
    /// Wall clock, milliseconds since 1970-01-01 UTC. Used for token expiry only; may jump.
    pub unix_ms: u64,
}

/// Names one connection attempt and what comes of it. Inputs that carry another connection than
/// the engine's current one are late news and are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u32);

/// Names one signature the engine has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignId(pub u32);

/// Names one SUBSCRIBE or one QoS 1 PUBLISH, within a connection. It is not the MQTT packet
/// identifier, which belongs to the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(pub u32);

/// MQTT quality of service, as far as IoT Hub supports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QoS {
    /// At most once: no acknowledgement.
    AtMostOnce,
    /// At least once: acknowledged with a PUBACK, reported as [`Input::Acknowledged`].
    AtLeastOnce,
}

/// Where and how to connect. The driver resolves, dials, does TLS and sends MQTT CONNECT with
/// CleanSession 0 and no will.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectRequest {
    /// The connection this request opens.
    pub connection: ConnectionId,
    /// The TCP and TLS peer: the gateway if there is one, else the hub. Port 8883 unless named.
    pub host: HostName,
    /// MQTT client identifier.
    pub client_id: String,
    /// MQTT user name.
    pub username: String,
    /// MQTT password: the SAS token, wiped when dropped. `None` for a client certificate.
    pub password: Option<SasToken>,
    /// MQTT keep-alive in seconds, 1…1177.
    pub keep_alive_s: u16,
    /// The attempt, from name resolution to CONNACK, has to end within this many milliseconds;
    /// the driver then reports [`Input::Closed`] with [`CloseKind::Timeout`].
    pub timeout_ms: u64,
}

/// What the driver has to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Sign these bytes with the module's key (HMAC-SHA256) and answer [`Input::Signed`].
    Sign {
        /// Goes back with the answer.
        id: SignId,
        /// The bytes to sign.
        data: Vec<u8>,
    },
    /// Open a connection and answer [`Input::Connected`], [`Input::Refused`] or
    /// [`Input::Closed`]. The connection before it, if any, is finished: a [`Action::Disconnect`]
    /// came first.
    Connect(ConnectRequest),
    /// Send one SUBSCRIBE and answer [`Input::Subscribed`].
    Subscribe {
        /// The connection to send on.
        connection: ConnectionId,
        /// Goes back with the answer.
        id: PacketId,
        /// Topic filters with the QoS asked for, in one packet.
        filters: Vec<(String, QoS)>,
    },
    /// Send one PUBLISH; with [`QoS::AtLeastOnce`] answer [`Input::Acknowledged`].
    Publish {
        /// The connection to send on.
        connection: ConnectionId,
        /// Goes back with the answer.
        id: PacketId,
        /// Topic name.
        topic: String,
        /// Payload.
        payload: Vec<u8>,
        /// Quality of service.
        qos: QoS,
    },
    /// Send DISCONNECT and close, without waiting for anything. No input is expected for this
    /// connection any more; one that comes is ignored.
    Disconnect {
        /// The connection to close.
        connection: ConnectionId,
    },
    /// Keep this record in place of the one before; it is what [`crate::module::Module::restore`]
    /// takes after a restart. A failure is reported as [`Input::PersistFailed`].
    Persist(
        /// Opaque bytes of at most [`crate::module::MAX_RECORD_BYTES`].
        Vec<u8>,
    ),
}

/// Why a connection ended or could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseKind {
    /// The host name could not be resolved.
    Dns,
    /// TCP: refused, unreachable, or another error of the system before TLS.
    Network,
    /// TLS: the peer's certificate was not accepted.
    Certificate,
    /// TLS: any other failure.
    Tls,
    /// The peer broke MQTT, or sent more than the bounds allow.
    Protocol,
    /// The peer closed or reset the connection.
    Peer,
    /// Not connected in time, or silent for longer than the keep-alive allows.
    Timeout,
    /// The driver itself could not go on (no descriptor, no memory, no thread).
    Local,
}

/// Why a connection ended: a kind for programs and one line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseCause {
    /// The kind.
    pub kind: CloseKind,
    /// One line that names the host or the step at fault; never a secret.
    pub detail: String,
}

/// What happened. Its `Debug` does not show a signature: with it and the public rest of a SAS token
/// anybody could sign in.
#[non_exhaustive]
pub enum Input<'a> {
    /// The answer to [`Action::Sign`].
    Signed {
        /// From the action.
        id: SignId,
        /// HMAC-SHA256 of the bytes, or why there is none.
        result: Result<[u8; 32], SignError>,
    },
    /// CONNACK with return code 0.
    Connected {
        /// From the action.
        connection: ConnectionId,
        /// The session-present flag.
        session_present: bool,
    },
    /// CONNACK with another return code. The connection is closed; no [`Input::Closed`] follows.
    Refused {
        /// From the action.
        connection: ConnectionId,
        /// The MQTT 3.1.1 return code, 1…255.
        code: u8,
    },
    /// The connection ended, or could not be opened.
    Closed {
        /// From the action.
        connection: ConnectionId,
        /// Why.
        cause: CloseCause,
    },
    /// SUBACK.
    Subscribed {
        /// From the action.
        connection: ConnectionId,
        /// From the action.
        id: PacketId,
        /// Whether every filter was granted (no 0x80 among the return codes).
        granted: bool,
    },
    /// PUBACK.
    Acknowledged {
        /// From the action.
        connection: ConnectionId,
        /// From the action.
        id: PacketId,
    },
    /// PUBLISH from the hub. The driver has sent or will send the PUBACK that QoS 1 asks for.
    Message {
        /// The connection it came on.
        connection: ConnectionId,
        /// Topic name.
        topic: &'a str,
        /// Payload.
        payload: &'a [u8],
    },
    /// The record of [`Action::Persist`] could not be kept. The engine goes on and tells the host.
    PersistFailed {
        /// One line: file, operation, cause.
        detail: &'a str,
    },
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signed { id, result } => {
                let result = result.as_ref().map(|_| "hidden");
                write!(f, "Signed({id:?}, {result:?})")
            }
            Self::Connected {
                connection,
                session_present,
            } => write!(
                f,
                "Connected({connection:?}, session_present: {session_present})"
            ),
            Self::Refused { connection, code } => write!(f, "Refused({connection:?}, {code})"),
            Self::Closed { connection, cause } => write!(f, "Closed({connection:?}, {cause:?})"),
            Self::Subscribed {
                connection,
                id,
                granted,
            } => write!(f, "Subscribed({connection:?}, {id:?}, granted: {granted})"),
            Self::Acknowledged { connection, id } => {
                write!(f, "Acknowledged({connection:?}, {id:?})")
            }
            Self::Message {
                connection,
                topic,
                payload,
            } => {
                let bytes = payload.len();
                write!(f, "Message({connection:?}, {topic:?}, {bytes} bytes)")
            }
            Self::PersistFailed { detail } => write!(f, "PersistFailed({detail:?})"),
        }
    }
}
