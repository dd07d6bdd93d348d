//! One TCP connection with TLS and MQTT on it, from the handshake to its end.

use std::io::{self, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::{ClientConfig, ClientConnection};
use twinguard_core::module::{CloseCause, CloseKind, ConnectRequest, Input, PacketId, QoS};
use zeroize::Zeroize;

use crate::log::LogLevel;
use crate::transport::dial::Dialed;
use crate::transport::mqtt::{Broken, Incoming, Mqtt};
use crate::transport::quiet::Quiet;
use crate::transport::tls;
use crate::transport::{Context, Traffic};

/// Bytes read for one module before others have their turn.
const READ_BUDGET: usize = 128 * 1024;

/// Bytes that wait for a peer who does not read. The engine has one request in flight per kind,
/// so this is far more than it ever needs.
const MAX_UNSENT: usize = 1024 * 1024;

/// Longest wait for any sign of life after a PINGREQ; with short keep-alives it is half of it, so
/// that a dead peer is noticed within one and a half keep-alives.
const MAX_PING_WAIT_MS: u64 = 30_000;

pub(crate) struct Wire {
    socket: TcpStream,
    slot: usize,
    host: String,
    tls: ClientConnection,
    mqtt: Mqtt,
    /// MQTT bytes that TLS has not taken yet.
    unsent: Vec<u8>,
    readable: bool,
    writable: bool,
    stage: Stage,
    alive: KeepAlive,
    traffic: Traffic,
    /// The codec refused what the engine asked for; told at the next turn.
    broken: Option<Broken>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Handshake,
    WaitingForConnack,
    SignedIn,
}

/// How a connection ended.
pub(crate) enum End {
    Refused(u8),
    Closed(CloseCause),
}

impl Wire {
    pub(crate) fn new(
        config: &Arc<ClientConfig>,
        dialed: Dialed,
        request: &ConnectRequest,
        now_ms: u64,
    ) -> Result<Self, End> {
        let host = request.host.host().to_owned();
        let tls = tls::client(config, &host).map_err(End::Closed)?;
        // Requests are small and each waits for its answer: Nagle's algorithm would only delay.
        // A socket that cannot do it still works.
        let _ = dialed.socket.set_nodelay(true);
        Ok(Self {
            socket: dialed.socket,
            slot: dialed.slot,
            host,
            tls,
            mqtt: Mqtt::new(),
            unsent: Vec::new(),
            readable: true,
            writable: true,
            stage: Stage::Handshake,
            alive: KeepAlive::new(request.keep_alive_s, now_ms),
            traffic: Traffic::default(),
            broken: None,
        })
    }

    pub(crate) fn is_signed_in(&self) -> bool {
        self.stage == Stage::SignedIn
    }

    pub(crate) fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// What has not come in time.
    pub(crate) fn waiting_for(&self) -> &'static str {
        match self.stage {
            Stage::Handshake => "TCP stands, but no TLS handshake in time",
            Stage::WaitingForConnack | Stage::SignedIn => "no CONNACK in time",
        }
    }

    pub(crate) fn ready(&mut self, slot: usize, readable: bool, writable: bool) {
        if slot == self.slot {
            self.readable |= readable;
            self.writable |= writable;
        }
    }

    /// When keep-alive wants a turn; `None` before CONNACK.
    pub(crate) fn deadline(&self) -> Option<u64> {
        (self.stage == Stage::SignedIn).then(|| self.alive.deadline())
    }

    pub(crate) fn subscribe(&mut self, id: PacketId, filters: &[(String, QoS)], now_ms: u64) {
        let sent = self.mqtt.subscribe(id, filters, &mut self.unsent);
        self.noted(sent, now_ms);
    }

    pub(crate) fn publish(
        &mut self,
        id: PacketId,
        topic: &str,
        payload: Vec<u8>,
        qos: QoS,
        now_ms: u64,
    ) {
        let sent = self.mqtt.publish(id, topic, payload, qos, &mut self.unsent);
        self.noted(sent, now_ms);
    }

    fn noted(&mut self, sent: Result<(), Broken>, now_ms: u64) {
        match sent {
            Ok(()) => self.alive.sent(now_ms),
            Err(broken) => self.broken = Some(broken),
        }
    }

    /// Sends what is waiting, DISCONNECT and TLS's own goodbye as far as the socket takes them
    /// now. Errors do not matter any more.
    pub(crate) fn say_goodbye(&mut self) {
        if self.stage == Stage::SignedIn {
            let _ = self.mqtt.disconnect(&mut self.unsent);
        }
        let _ = self.hand_to_tls();
        self.tls.send_close_notify();
        let _ = self.write();
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }

    /// Reads, answers, watches keep-alive, writes. True when more could be read at once.
    pub(crate) fn turn(
        &mut self,
        request: &ConnectRequest,
        context: &mut Context<'_>,
        feed: &mut dyn FnMut(Input<'_>),
    ) -> Result<bool, End> {
        self.read_all(request, context, feed)?;
        if let Some(broken) = self.broken.take() {
            return Err(self.closed(CloseKind::Local, &broken));
        }
        if self.stage == Stage::SignedIn {
            self.keep_alive(context.now_ms)?;
        }
        if let Err(error) = self.flush() {
            // The reason may still lie unread: a refusal, or TLS's own alert.
            self.readable = true;
            self.read_all(request, context, feed)?;
            return Err(self.network(&error));
        }
        if self.unsent.len() > MAX_UNSENT {
            return Err(self.closed(CloseKind::Timeout, "the hub does not read"));
        }
        Ok(self.readable)
    }

    fn read_all(
        &mut self,
        request: &ConnectRequest,
        context: &mut Context<'_>,
        feed: &mut dyn FnMut(Input<'_>),
    ) -> Result<(), End> {
        let before = self.traffic.bytes_in;
        while self.readable && self.traffic.bytes_in - before < READ_BUDGET as u64 {
            let ended = self.read()?;
            if self.traffic.bytes_in > before {
                self.alive.heard(context.now_ms);
            }
            let closed = self.process(request, context, feed)?;
            if ended || closed {
                return Err(self.closed(CloseKind::Peer, "the hub closed the connection"));
            }
        }
        Ok(())
    }

    /// One read into TLS. True at the end of the stream.
    fn read(&mut self) -> Result<bool, End> {
        loop {
            return match self.tls.read_tls(&mut self.socket) {
                Ok(0) => Ok(true),
                Ok(count) => {
                    self.traffic.bytes_in += count as u64;
                    Ok(false)
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    Ok(false)
                }
                Err(e) => Err(self.network(&e)),
            };
        }
    }

    /// What TLS makes of the bytes read. True when the peer said goodbye in TLS.
    fn process(
        &mut self,
        request: &ConnectRequest,
        context: &mut Context<'_>,
        feed: &mut dyn FnMut(Input<'_>),
    ) -> Result<bool, End> {
        let state = self.tls.process_new_packets().map_err(|error| {
            // The alert tells the peer why; whether it arrives does not matter to us.
            let _ = self.write();
            End::Closed(tls::cause(&self.host, &error))
        })?;
        let mut plain = vec![0; state.plaintext_bytes_to_read()];
        if !plain.is_empty() && self.tls.reader().read_exact(&mut plain).is_ok() {
            self.take(&plain, request, context, feed)?;
        }
        if self.stage == Stage::Handshake && !self.tls.is_handshaking() {
            self.sign_in(request, context)?;
        }
        Ok(state.peer_has_closed())
    }

    /// The token leaves only after the peer has shown who it is.
    fn sign_in(&mut self, request: &ConnectRequest, context: &Context<'_>) -> Result<(), End> {
        context.log.log(
            LogLevel::Debug,
            "net",
            format_args!(
                "{}: {:?}, signing in",
                self.host,
                self.tls.protocol_version()
            ),
        );
        self.stage = Stage::WaitingForConnack;
        let sent = self.mqtt.connect(request, &mut self.unsent);
        sent.map_err(|broken| self.closed(CloseKind::Local, &broken))?;
        let handed = self.hand_to_tls();
        handed.map_err(|error| self.network(&error))?;
        Ok(())
    }

    fn take(
        &mut self,
        plain: &[u8],
        request: &ConnectRequest,
        context: &mut Context<'_>,
        feed: &mut dyn FnMut(Input<'_>),
    ) -> Result<(), End> {
        let connection = request.connection;
        let (packets, whole) = self.mqtt.receive(plain, &mut self.unsent);
        for packet in packets {
            context
                .log
                .log(LogLevel::Trace, "net", format_args!("received {packet}"));
            match packet {
                Incoming::Refused(code) => return Err(End::Refused(code)),
                Incoming::Accepted { session_present } => {
                    self.stage = Stage::SignedIn;
                    feed(Input::Connected {
                        connection,
                        session_present,
                    });
                }
                Incoming::Subscribed { id, granted } => {
                    feed(Input::Subscribed {
                        connection,
                        id,
                        granted,
                    });
                }
                Incoming::Acknowledged(id) => feed(Input::Acknowledged { connection, id }),
                Incoming::Message(message) => feed(Input::Message {
                    connection,
                    topic: message.topic(),
                    payload: message.payload(),
                }),
                Incoming::Pong => {}
            }
        }
        whole.map_err(|broken| self.closed(CloseKind::Protocol, &broken))
    }

    fn keep_alive(&mut self, now_ms: u64) -> Result<(), End> {
        match self.alive.check(now_ms) {
            Check::Nothing => Ok(()),
            Check::Ping => {
                let sent = self.mqtt.ping(&mut self.unsent);
                sent.map_err(|broken| self.closed(CloseKind::Local, &broken))
            }
            Check::Dead { silent_ms } => {
                let text = format!("the hub has been silent for {} s", silent_ms / 1000);
                Err(self.closed(CloseKind::Timeout, &text))
            }
        }
    }

    /// Hands everything to TLS and the socket, as far as they take it.
    fn flush(&mut self) -> io::Result<()> {
        loop {
            let handed = self.hand_to_tls()?;
            self.write()?;
            if handed == 0 || !self.writable {
                return Ok(());
            }
        }
    }

    /// Bytes that TLS has taken; its own buffer is bounded, so that may be fewer than there are.
    fn hand_to_tls(&mut self) -> io::Result<usize> {
        if self.unsent.is_empty() || self.stage == Stage::Handshake {
            return Ok(0);
        }
        let taken = self.tls.writer().write(&self.unsent)?;
        if taken == self.unsent.len() {
            // CONNECT holds the token.
            self.unsent.zeroize();
        } else {
            self.unsent.drain(..taken);
        }
        Ok(taken)
    }

    fn write(&mut self) -> io::Result<()> {
        while self.writable && self.tls.wants_write() {
            match self.tls.write_tls(&mut Quiet(&self.socket)) {
                Ok(count) => self.traffic.bytes_out += count as u64,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.writable = false,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn closed(&self, kind: CloseKind, detail: &str) -> End {
        End::closed(kind, format!("{}: {detail}", self.host))
    }

    /// An error of the socket after the connection stood.
    fn network(&self, error: &io::Error) -> End {
        use io::ErrorKind as K;
        let kind = match error.kind() {
            K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe => CloseKind::Peer,
            K::TimedOut => CloseKind::Timeout,
            _ => CloseKind::Network,
        };
        End::closed(kind, format!("{}: {error}", self.host))
    }
}

/// When to ping and when to give up. MQTT asks for a packet of ours per keep-alive; a peer that
/// has died without a word (half-open connection) is only noticed by *its* silence, so a ping is
/// due after a keep-alive of silence of either side.
struct KeepAlive {
    interval_ms: u64,
    sent_ms: u64,
    heard_ms: u64,
    /// When the ping that has not been followed by any byte of the peer was sent.
    ping_ms: Option<u64>,
}

enum Check {
    Nothing,
    Ping,
    Dead { silent_ms: u64 },
}

impl KeepAlive {
    fn new(keep_alive_s: u16, now_ms: u64) -> Self {
        let interval_ms = u64::from(keep_alive_s.max(1)) * 1000;
        Self {
            interval_ms,
            sent_ms: now_ms,
            heard_ms: now_ms,
            ping_ms: None,
        }
    }

    fn sent(&mut self, now_ms: u64) {
        self.sent_ms = now_ms;
    }

    fn heard(&mut self, now_ms: u64) {
        self.heard_ms = now_ms;
        self.ping_ms = None;
    }

    fn deadline(&self) -> u64 {
        match self.ping_ms {
            Some(ping) => ping + (self.interval_ms / 2).min(MAX_PING_WAIT_MS),
            None => self.sent_ms.min(self.heard_ms) + self.interval_ms,
        }
    }

    fn check(&mut self, now_ms: u64) -> Check {
        if now_ms < self.deadline() {
            return Check::Nothing;
        }
        if self.ping_ms.is_some() {
            return Check::Dead {
                silent_ms: now_ms - self.heard_ms,
            };
        }
        self.ping_ms = Some(now_ms);
        self.sent_ms = now_ms;
        Check::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ping(check: Check) -> bool {
        matches!(check, Check::Ping)
    }

    #[test]
    fn a_ping_answers_our_own_silence() {
        let mut alive = KeepAlive::new(10, 0);
        alive.heard(9_000);
        assert_eq!(alive.deadline(), 10_000);
        assert!(is_ping(alive.check(10_000)));
        alive.heard(10_050);
        assert_eq!(alive.deadline(), 20_000);
        assert!(matches!(alive.check(19_999), Check::Nothing));
    }

    #[test]
    fn a_busy_sender_notices_a_dead_peer_within_one_and_a_half_keep_alives() {
        let mut alive = KeepAlive::new(10, 0);
        let mut pings = 0;
        for now_ms in (0..).step_by(500) {
            alive.sent(now_ms);
            match alive.check(now_ms) {
                Check::Nothing => {}
                Check::Ping => pings += 1,
                Check::Dead { silent_ms } => {
                    assert!(now_ms <= 15_000, "noticed after {now_ms} ms");
                    assert_eq!((pings, silent_ms), (1, now_ms));
                    return;
                }
            }
        }
    }

    #[test]
    fn a_long_sleep_costs_a_ping_and_not_the_connection() {
        let mut alive = KeepAlive::new(230, 0);
        assert!(is_ping(alive.check(36_000_000)));
        alive.heard(36_000_040);
        assert!(matches!(alive.check(36_000_041), Check::Nothing));
    }
}
