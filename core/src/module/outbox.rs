//! What the parts of the engine have to say: actions for the driver, events for the host.

use std::collections::VecDeque;

use crate::module::event::{Event, Trouble};
use crate::module::io::{Action, ConnectionId};
use crate::module::queue::EventQueue;
use crate::module::statistics::Statistics;

/// The way out, shared by all parts of a module.
pub(crate) struct Outbox {
    actions: VecDeque<Action>,
    pub(crate) events: EventQueue,
    pub(crate) statistics: Statistics,
}

impl Outbox {
    pub(crate) fn new(event_capacity: usize) -> Self {
        Self {
            actions: VecDeque::new(),
            events: EventQueue::new(event_capacity),
            statistics: Statistics::default(),
        }
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub(crate) fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub(crate) fn trouble(&mut self, trouble: Trouble) {
        self.events.push(Event::Trouble(trouble));
    }

    /// Asks for a signature. One that the driver has not fetched yet is no longer wanted.
    pub(crate) fn sign(&mut self, action: Action) {
        self.actions.retain(|a| !matches!(a, Action::Sign { .. }));
        self.act(action);
    }

    /// Ends a connection. What the driver has not fetched for it is withdrawn, so that a driver
    /// that stands still does not make the queue grow.
    pub(crate) fn disconnect(&mut self, connection: ConnectionId) {
        let unseen = self
            .actions
            .iter()
            .any(|a| matches!(a, Action::Connect(c) if c.connection == connection));
        self.withdraw(connection);
        if !unseen {
            self.act(Action::Disconnect { connection });
        }
    }

    /// Withdraws what the driver has not fetched for a connection that is gone.
    pub(crate) fn withdraw(&mut self, connection: ConnectionId) {
        self.actions.retain(|action| match action {
            Action::Connect(request) => request.connection != connection,
            Action::Subscribe { connection: c, .. } | Action::Publish { connection: c, .. } => {
                *c != connection
            }
            _ => true,
        });
    }
}
