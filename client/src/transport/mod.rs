//! How the actions of one module reach the hub, and how what happens comes back.

pub(crate) mod dial;
pub(crate) mod mqtt;
pub(crate) mod native;
mod quiet;
pub(crate) mod tls;
mod wire;

use std::net::SocketAddr;

use mio::{Registry, Token};
use twinguard_core::module::{Action, ConnectRequest, Input};

use crate::dns::{Endpoint, Resolved, Resolver};
use crate::log::Logger;
use crate::runtime::ModuleKey;

/// Carries out the actions of one module and feeds back what happens. Nothing here blocks.
pub(crate) trait Transport: Send {
    /// Carries out `Connect`, `Subscribe`, `Publish` or `Disconnect`; others are not its business.
    fn act(&mut self, context: &mut Context<'_>, action: Action);

    /// A descriptor registered with `slot` became readable or writable.
    fn ready(&mut self, slot: usize, readable: bool, writable: bool);

    /// A look-up asked of the resolver has ended.
    fn resolved(&mut self, endpoint: &Endpoint, addresses: &Resolved);

    /// Reads, writes and watches its time-outs as far as that goes now. True when it stopped only
    /// to let other modules have their turn.
    fn turn(&mut self, context: &mut Context<'_>, feed: &mut dyn FnMut(Input<'_>)) -> bool;

    /// When it wants a turn even if nothing happens, in milliseconds of the engine's clock.
    fn deadline(&self) -> Option<u64>;

    /// Bytes read and written since the start, as seen on TCP.
    fn traffic(&self) -> Traffic;
}

/// Bytes on the wire.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

/// What a transport gets from the I/O thread for one turn.
pub(crate) struct Context<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) resolver: &'a mut Resolver,
    pub(crate) slots: Slots,
    pub(crate) now_ms: u64,
    pub(crate) log: &'a Logger,
}

/// The tokens that belong to one module: one per descriptor it may have at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots(pub(crate) ModuleKey);

/// A power of two that is at least [`dial::MAX_ATTEMPTS`].
const PER_MODULE: usize = 8;

impl Slots {
    pub(crate) fn token(self, slot: usize) -> Token {
        Token(self.0.0 as usize * PER_MODULE + slot % PER_MODULE)
    }

    /// The module and the slot of a token.
    pub(crate) fn parse(token: Token) -> (ModuleKey, usize) {
        let key = u32::try_from(token.0 / PER_MODULE).unwrap_or(u32::MAX);
        (ModuleKey(key), token.0 % PER_MODULE)
    }
}

/// IoT Hub's port for MQTT over TLS.
const MQTT_PORT: u16 = 8883;

/// Where a request wants to go.
fn endpoint(request: &ConnectRequest) -> Endpoint {
    (
        request.host.host().to_owned(),
        request.host.port().unwrap_or(MQTT_PORT),
    )
}

/// Addresses in one line.
fn list(addresses: &[SocketAddr]) -> String {
    addresses
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
