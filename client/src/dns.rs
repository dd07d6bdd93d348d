//! Names to addresses, off the I/O thread.
//!
//! `getaddrinfo` is the only resolver that obeys the host's configuration, it blocks, and it
//! cannot be cancelled. So each look-up has a short-lived thread of its own; several modules that
//! ask for the same host share one look-up, and a look-up that hangs is not started again.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;

use crate::runtime::{Command, Mailbox, ModuleKey};

/// Addresses of a host, or one line that says why there are none.
pub(crate) type Resolved = Result<Vec<SocketAddr>, String>;

/// A host and a port.
pub(crate) type Endpoint = (String, u16);

pub(crate) struct Resolver {
    mailbox: Arc<Mailbox>,
    /// Who waits for which look-up.
    waiting: HashMap<Endpoint, Vec<ModuleKey>>,
}

impl Resolver {
    pub(crate) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self {
            mailbox,
            waiting: HashMap::new(),
        }
    }

    /// The addresses at once when `host` is an address itself; otherwise they come later, in a
    /// [`Command::Resolved`].
    pub(crate) fn resolve(&mut self, key: ModuleKey, host: &str, port: u16) -> Option<Resolved> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(Ok(vec![SocketAddr::new(address, port)]));
        }
        match self.waiting.entry((host.to_owned(), port)) {
            Entry::Occupied(mut waiting) => {
                if !waiting.get().contains(&key) {
                    waiting.get_mut().push(key);
                }
                None
            }
            Entry::Vacant(vacant) => match start(vacant.key().clone(), self.mailbox.clone()) {
                Ok(()) => {
                    vacant.insert(vec![key]);
                    None
                }
                Err(e) => Some(Err(format!("{host}: no thread for the look-up: {e}"))),
            },
        }
    }

    /// A look-up has ended: gives back who waited for it.
    pub(crate) fn finish(&mut self, endpoint: &Endpoint) -> Vec<ModuleKey> {
        self.waiting.remove(endpoint).unwrap_or_default()
    }
}

/// The thread inherits the blocked signals of the I/O thread.
fn start(endpoint: Endpoint, mailbox: Arc<Mailbox>) -> std::io::Result<()> {
    let look_up = move || {
        let (host, port) = (endpoint.0.as_str(), endpoint.1);
        let result = match (host, port).to_socket_addrs() {
            Ok(addresses) => Ok(addresses.collect()),
            Err(e) => Err(format!("{host}: {e}")),
        };
        mailbox.post(Command::Resolved { endpoint, result });
    };
    thread::Builder::new()
        .name("twinguard-dns".into())
        .spawn(look_up)
        .map(drop)
}
