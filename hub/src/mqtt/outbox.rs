//! What waits to be written to one client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::faults::Delivery;

/// Why the hub ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Close {
    #[error("a newer connection of the same identity took over")]
    TakenOver,
    #[error("the identity was disabled or deleted")]
    Gone,
    #[error("the client does not read what waits for it")]
    SlowConsumer,
    #[error("a fault was injected")]
    Reset,
    #[error("its session was cleared")]
    SessionCleared,
    #[error("the hub stops")]
    Stopping,
}

/// One packet on its way out.
pub(crate) struct Outgoing {
    pub(crate) bytes: Vec<u8>,
    pub(crate) not_before: Option<Instant>,
    /// Reset the connection once these bytes are out.
    pub(crate) then_reset: bool,
}

/// The hub's end: bounded by bytes, never waits.
pub(crate) struct Outbox {
    sender: mpsc::UnboundedSender<Outgoing>,
    queued: Arc<AtomicUsize>,
    limit: usize,
    close: Option<oneshot::Sender<Close>>,
}

/// The connection's end.
pub(crate) struct Outlet {
    pub(crate) receiver: mpsc::UnboundedReceiver<Outgoing>,
    pub(crate) queued: Arc<AtomicUsize>,
    pub(crate) close: oneshot::Receiver<Close>,
}

pub(crate) fn channel(limit: usize) -> (Outbox, Outlet) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (close, closed) = oneshot::channel();
    let queued = Arc::new(AtomicUsize::new(0));
    let outbox = Outbox {
        sender,
        queued: Arc::clone(&queued),
        limit,
        close: Some(close),
    };
    (
        outbox,
        Outlet {
            receiver,
            queued,
            close: closed,
        },
    )
}

impl Outbox {
    /// Queues a packet; a client too far behind is cut instead.
    pub(crate) fn push(&mut self, mut bytes: Vec<u8>, delay: Option<Duration>, how: Delivery) {
        match how {
            Delivery::Lost => return,
            Delivery::HalfThenReset => bytes.truncate(bytes.len().div_ceil(2)),
            Delivery::Whole => {}
        }
        let waiting = self.queued.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len();
        if waiting > self.limit {
            self.close(Close::SlowConsumer);
            return;
        }
        let not_before = delay.map(|delay| Instant::now() + delay);
        let then_reset = how == Delivery::HalfThenReset;
        // The connection may just have ended; then nobody misses the packet.
        let _ = self.sender.send(Outgoing {
            bytes,
            not_before,
            then_reset,
        });
    }

    /// Ends the connection; only the first reason counts.
    pub(crate) fn close(&mut self, why: Close) {
        if let Some(close) = self.close.take() {
            let _ = close.send(why);
        }
    }
}
