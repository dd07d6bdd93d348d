//! One MQTT connection from handshake to end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_rustls::server::TlsStream;

use crate::clock::unix_now;
use crate::mqtt::codec::{self, Connect, Decoder, Fault, Packet, Publish};
use crate::mqtt::login::{self, Denied};
use crate::mqtt::outbox::{self, Close, Outlet};
use crate::mqtt::session::Caller;
use crate::names::Name;
use crate::runtime::Core;

/// IoT Hub docs, MQTT support: 29.45 minutes, also for clients that ask for no limit.
const MAX_KEEP_ALIVE: Duration = Duration::from_secs(1767);
/// Time to say goodbye on a connection that ends.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

type Stream = TlsStream<TcpStream>;

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the client disconnected")]
    Disconnected,
    #[error("the client went away")]
    Lost,
    #[error("the client was silent for longer than its keep-alive allows")]
    Silent,
    #[error("no CONNECT came in time")]
    NoConnect,
    #[error("the token expired")]
    Expired,
    #[error("{0}")]
    Fault(#[from] Fault),
    #[error("{0}")]
    Closed(Close),
    #[error("refused: {0}")]
    Denied(Denied),
    #[error("refused with return code {0}: a fault was injected")]
    Refused(u8),
    #[error("refused: {0}")]
    Trouble(crate::error::Refusal),
}

impl From<std::io::Error> for End {
    fn from(_: std::io::Error) -> Self {
        Self::Lost
    }
}

/// Serves one connection; returns when it is over.
pub(crate) async fn serve(core: Arc<Core>, stream: Stream) {
    let (read, mut write) = tokio::io::split(stream);
    let mut reader = Reader::new(read);
    let (who, end) = match accept(&core, &mut reader).await {
        Ok((accepted, outlet)) => {
            let end = run(&core, &accepted, outlet, &mut reader, &mut write).await;
            finish(&core, &accepted, &end);
            (accepted.caller.name.to_string(), end)
        }
        Err((who, end)) => (who, end),
    };
    if !matches!(end, End::Disconnected | End::Closed(Close::Stopping)) {
        core.log(|| format!("{who}: {end}"));
    }
    close(reader.stream, write, &end).await;
}

/// An accepted CONNECT.
struct Accepted {
    caller: Caller,
    silence: Duration,
    remaining: Duration,
    will: Option<Publish>,
}

async fn accept(
    core: &Core,
    reader: &mut Reader<ReadHalf<Stream>>,
) -> Result<(Accepted, Outlet), (String, End)> {
    let nobody = || "somebody".to_owned();
    let first = timeout(core.options.request_timeout, reader.next()).await;
    let connect = match first.map_err(|_| (nobody(), End::NoConnect))? {
        Ok(Packet::Connect(connect)) => connect,
        Ok(_) => return Err((nobody(), Fault("first packet is not CONNECT").into())),
        Err(end) => return Err((nobody(), end)),
    };
    reader.decoder.allow_messages();
    let who = connect.client_id.clone();
    admit(core, connect).map_err(|end| (who, end))
}

fn admit(core: &Core, connect: Connect) -> Result<(Accepted, Outlet), End> {
    let mut state = core.lock();
    let name = login::claimed_name(&core.hosts, &connect).map_err(End::Denied)?;
    if let Some(code) = state.faults.of(&name).and_then(|active| active.refuse_with) {
        return Err(End::Refused(code));
    }
    let login = login::authenticate(&state, &core.hosts, name, &connect, unix_now())
        .map_err(End::Denied)?;
    let (outbox, outlet) = outbox::channel(core.options.max_queued_bytes);
    let caller = state
        .connect(&login, connect.clean_session, outbox)
        .map_err(End::Trouble)?;
    let accepted = Accepted {
        caller,
        silence: silence(connect.keep_alive),
        remaining: login.remaining(core.options.token_grace),
        will: connect.will,
    };
    Ok((accepted, outlet))
}

/// 1.5 times the keep-alive, at most the hub's maximum.
fn silence(keep_alive: u16) -> Duration {
    match keep_alive {
        0 => MAX_KEEP_ALIVE,
        seconds => Duration::from_millis(u64::from(seconds) * 1500).min(MAX_KEEP_ALIVE),
    }
}

async fn run(
    core: &Core,
    accepted: &Accepted,
    mut outlet: Outlet,
    reader: &mut Reader<ReadHalf<Stream>>,
    write: &mut WriteHalf<Stream>,
) -> End {
    let Outlet {
        receiver,
        queued,
        close,
    } = &mut outlet;
    let written = async {
        while let Some(packet) = receiver.recv().await {
            if let Some(instant) = packet.not_before {
                sleep_until(instant).await;
            }
            write.write_all(&packet.bytes).await?;
            queued.fetch_sub(packet.bytes.len(), Ordering::Relaxed);
            if packet.then_reset || receiver.is_empty() {
                write.flush().await?;
            }
            if packet.then_reset {
                return Ok(End::Closed(Close::Reset));
            }
        }
        // The hub let go of the connection; `close` says why.
        std::future::pending::<Result<End, End>>().await
    };
    tokio::select! {
        end = read_packets(core, accepted, reader) => end,
        end = written => end.unwrap_or_else(|end| end),
        why = close => why.map_or(End::Closed(Close::Stopping), End::Closed),
        () = sleep(accepted.remaining) => End::Expired,
    }
}

async fn read_packets(
    core: &Core,
    accepted: &Accepted,
    reader: &mut Reader<impl AsyncRead + Unpin>,
) -> End {
    loop {
        let packet = match timeout(accepted.silence, reader.next()).await {
            Ok(Ok(packet)) => packet,
            Ok(Err(end)) => return end,
            Err(_) => return End::Silent,
        };
        match handle(core, &accepted.caller, packet) {
            Ok(None) => {}
            Ok(Some(end)) => return end,
            Err(fault) => return End::Fault(fault),
        }
    }
}

fn handle(core: &Core, caller: &Caller, packet: Packet) -> Result<Option<End>, Fault> {
    let mut state = core.lock();
    if !state.is_current(caller) {
        // Taken over, deleted or disabled a moment ago; the reason is on its way.
        return Ok(None);
    }
    match packet {
        Packet::Connect(_) => return Err(Fault("second CONNECT")),
        Packet::Publish(publish) => state.publish(caller, &publish)?,
        Packet::Subscribe { id, filters } => state.subscribe(caller, id, filters)?,
        Packet::Unsubscribe { id, filters } => state.unsubscribe(caller, id, &filters)?,
        Packet::Pingreq => state.ping(caller),
        // Everything goes out with QoS 0, so there is nothing to acknowledge.
        Packet::Puback => {}
        Packet::Disconnect => return Ok(Some(End::Disconnected)),
    }
    Ok(None)
}

fn finish(core: &Core, accepted: &Accepted, end: &End) {
    let Accepted { caller, will, .. } = accepted;
    let mut state = core.lock();
    state.disconnect(caller);
    if let (Some(will), false) = (will, matches!(end, End::Disconnected))
        && let Err(fault) = state.will(caller, will)
    {
        let name: &Name = &caller.name;
        core.log(|| format!("{name}: will dropped: {fault}"));
    }
}

async fn close(read: ReadHalf<Stream>, write: WriteHalf<Stream>, end: &End) {
    let mut stream = read.unsplit(write);
    let code = match end {
        End::Denied(_) => Some(5),
        End::Refused(code) => Some(*code),
        End::Trouble(_) => Some(3),
        _ => None,
    };
    if matches!(end, End::Closed(Close::Reset)) {
        // Nothing left to say about a failure: the stream is dropped either way.
        let _ = socket2::SockRef::from(stream.get_ref().0).set_linger(Some(Duration::ZERO));
        return;
    }
    let goodbye = async {
        if let Some(code) = code {
            stream.write_all(&codec::connack(false, code)).await?;
        }
        stream.shutdown().await
    };
    let _ = timeout(SHUTDOWN_TIMEOUT, goodbye).await;
}

/// Packets from a byte stream.
struct Reader<R> {
    stream: R,
    decoder: Decoder,
    chunk: Vec<u8>,
    start: usize,
    end: usize,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    fn new(stream: R) -> Self {
        Self {
            stream,
            decoder: Decoder::new(),
            chunk: vec![0; 4096],
            start: 0,
            end: 0,
        }
    }

    async fn next(&mut self) -> Result<Packet, End> {
        loop {
            let mut bytes = self.chunk.get(self.start..self.end).unwrap_or_default();
            if !bytes.is_empty() {
                let packet = self.decoder.next(&mut bytes)?;
                self.start = self.end - bytes.len();
                if let Some(packet) = packet {
                    return Ok(packet);
                }
            }
            self.start = 0;
            self.end = self.stream.read(&mut self.chunk).await?;
            if self.end == 0 {
                return Err(End::Lost);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_one_and_a_half_keep_alives_up_to_the_cap() {
        assert_eq!(silence(60), Duration::from_secs(90));
        assert_eq!(silence(1), Duration::from_millis(1500));
        assert_eq!(silence(1177), Duration::from_millis(1_765_500));
        assert_eq!(silence(1178), Duration::from_secs(1767));
        assert_eq!(silence(u16::MAX), Duration::from_secs(1767));
        assert_eq!(silence(0), Duration::from_secs(1767));
    }
}
