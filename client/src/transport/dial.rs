//! From addresses to one TCP connection, as RFC 8305 ("happy eyeballs") has it: families in turn,
//! a new attempt every 250 ms or as soon as one fails, the first that stands wins.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry};
use twinguard_core::module::{CloseCause, CloseKind};

use crate::transport::Slots;

/// RFC 8305 section 8: recommended connection attempt delay.
const STAGGER_MS: u64 = 250;

/// Attempts at most, so that a name with a hundred addresses does not take a hundred sockets.
pub(crate) const MAX_ATTEMPTS: usize = 8;

pub(crate) struct Dial {
    host: String,
    waiting: VecDeque<SocketAddr>,
    racing: Vec<Attempt>,
    next_at_ms: u64,
    next_slot: usize,
    last_error: Option<(SocketAddr, io::Error)>,
}

struct Attempt {
    socket: TcpStream,
    address: SocketAddr,
    slot: usize,
}

/// A connection that stands.
pub(crate) struct Dialed {
    pub(crate) socket: TcpStream,
    pub(crate) address: SocketAddr,
    pub(crate) slot: usize,
}

impl Dial {
    pub(crate) fn new(host: &str, addresses: Vec<SocketAddr>, now_ms: u64) -> Self {
        Self {
            host: host.to_owned(),
            waiting: interleave(addresses),
            racing: Vec::new(),
            next_at_ms: now_ms,
            next_slot: 0,
            last_error: None,
        }
    }

    /// Goes as far as possible now: `None` while attempts are under way.
    pub(crate) fn turn(
        &mut self,
        registry: &Registry,
        slots: Slots,
        now_ms: u64,
    ) -> Option<Result<Dialed, CloseCause>> {
        loop {
            if let Some(dialed) = self.winner() {
                return Some(Ok(dialed));
            }
            let start = self.racing.is_empty() || now_ms >= self.next_at_ms;
            if !start {
                return None;
            }
            let Some(address) = self.waiting.pop_front() else {
                return if self.racing.is_empty() {
                    Some(Err(self.failed()))
                } else {
                    None
                };
            };
            self.next_at_ms = now_ms + STAGGER_MS;
            match self.start(registry, slots, address) {
                Ok(()) => {}
                // Without a descriptor no other address will do better.
                Err(e) if is_local(&e) => {
                    let detail = format!("{}: no socket: {e}", self.host);
                    return Some(Err(CloseCause {
                        kind: CloseKind::Local,
                        detail,
                    }));
                }
                Err(e) => self.last_error = Some((address, e)),
            }
        }
    }

    /// When the next address has its turn.
    pub(crate) fn deadline(&self) -> Option<u64> {
        (!self.waiting.is_empty()).then_some(self.next_at_ms)
    }

    /// What an attempt that takes too long is called.
    pub(crate) fn timed_out(&self) -> String {
        let under_way: Vec<String> = self.racing.iter().map(|a| a.address.to_string()).collect();
        format!(
            "{}: no TCP connection in time ({})",
            self.host,
            under_way.join(", ")
        )
    }

    fn start(&mut self, registry: &Registry, slots: Slots, address: SocketAddr) -> io::Result<()> {
        let mut socket = TcpStream::connect(address)?;
        let slot = self.next_slot;
        self.next_slot += 1;
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut socket, slots.token(slot), interest)?;
        self.racing.push(Attempt {
            socket,
            address,
            slot,
        });
        Ok(())
    }

    /// The first attempt that has connected; those that have failed are dropped.
    fn winner(&mut self) -> Option<Dialed> {
        let mut index = 0;
        while let Some(attempt) = self.racing.get(index) {
            match outcome(&attempt.socket) {
                Ok(true) => {
                    let Attempt {
                        socket,
                        address,
                        slot,
                    } = self.racing.swap_remove(index);
                    return Some(Dialed {
                        socket,
                        address,
                        slot,
                    });
                }
                Ok(false) => index += 1,
                Err(e) => {
                    let failed = self.racing.remove(index);
                    self.last_error = Some((failed.address, e));
                }
            }
        }
        None
    }

    fn failed(&mut self) -> CloseCause {
        let detail = match self.last_error.take() {
            Some((address, e)) => format!("{}: {address}: {e}", self.host),
            None => format!("{}: the name has no address", self.host),
        };
        let kind = CloseKind::Network;
        CloseCause { kind, detail }
    }
}

/// Whether a non-blocking connect has come to an end. A spurious wake-up changes nothing.
fn outcome(socket: &TcpStream) -> io::Result<bool> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(e) => Err(e),
    }
}

fn is_local(error: &io::Error) -> bool {
    use nix::libc::{EMFILE, ENFILE, ENOBUFS, ENOMEM};
    matches!(
        error.raw_os_error(),
        Some(EMFILE | ENFILE | ENOBUFS | ENOMEM)
    )
}

/// The resolver's order (RFC 6724), with the families taking turns (RFC 8305 section 4).
fn interleave(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut mixed = VecDeque::new();
    while mixed.len() < MAX_ATTEMPTS && !(first.is_empty() && second.is_empty()) {
        mixed.extend(first.pop_front());
        mixed.extend(second.pop_front());
    }
    mixed.truncate(MAX_ATTEMPTS);
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_attempts_are_bounded() {
        let v6 = |n: u16| SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, n], 8883));
        let v4 = |n: u8| SocketAddr::from(([192, 0, 2, n], 8883));
        let mixed = interleave(vec![v6(1), v6(2), v6(3), v4(1), v4(2)]);
        assert_eq!(mixed, [v6(1), v4(1), v6(2), v4(2), v6(3)]);
        assert_eq!(interleave((0..100).map(v4).collect()).len(), MAX_ATTEMPTS);
        assert!(interleave(Vec::new()).is_empty());
    }

    /// Dials until there is an outcome, woken by readiness and by the dial's own deadline.
    fn dial(addresses: Vec<SocketAddr>) -> Result<Dialed, CloseCause> {
        let mut poll = mio::Poll::new().unwrap();
        let mut events = mio::Events::with_capacity(8);
        let slots = Slots(crate::runtime::ModuleKey(1));
        let mut dial = Dial::new("hub", addresses, crate::sys::now().mono_ms);
        loop {
            let now_ms = crate::sys::now().mono_ms;
            if let Some(outcome) = dial.turn(poll.registry(), slots, now_ms) {
                return outcome;
            }
            let wait = dial
                .deadline()
                .map_or(20_000, |at| at.saturating_sub(now_ms) + 1);
            poll.poll(&mut events, Some(std::time::Duration::from_millis(wait)))
                .unwrap();
        }
    }

    /// A listener whose queue is full: further connections hang, as with a lost SYN.
    fn silent() -> (SocketAddr, Vec<socket2::Socket>) {
        use socket2::{Domain, Socket, Type};
        let make = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let listener = make();
        listener
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut held = vec![listener];
        for _ in 0..4 {
            let client = make();
            client.set_nonblocking(true).unwrap();
            // In progress, which is what is wanted.
            let _ = client.connect(&address.into());
            held.push(client);
        }
        (address, held)
    }

    #[test]
    fn an_address_that_does_not_answer_does_not_keep_the_next_one_waiting() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let closed = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let (silent, _held) = silent();
        for (first, least_ms) in [(silent, STAGGER_MS), (closed, 0)] {
            let started = std::time::Instant::now();
            let dialed = dial(vec![first, good])
                .map_err(|cause| cause.detail)
                .unwrap();
            assert_eq!((dialed.address, dialed.slot), (good, 1));
            assert!(started.elapsed().as_millis() + 5 >= u128::from(least_ms));
            assert!(started.elapsed().as_secs() < 10);
        }
        let cause = dial(vec![closed]).err().unwrap();
        assert_eq!(cause.kind, CloseKind::Network);
        assert!(
            cause.detail.contains(&closed.to_string()),
            "{}",
            cause.detail
        );
    }
}
