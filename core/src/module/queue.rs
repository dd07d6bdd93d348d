//! Events on their way to the host: bounded, and never without the newest state.

use std::collections::VecDeque;
use std::mem::discriminant;

use crate::module::event::{Event, ReportedOutcome, Trouble, TroubleKind};

/// Events that carry whole documents are merged from this many on, whatever the capacity.
const MAX_DOCUMENTS: usize = 16;

/// Fewest events a queue can be told to hold: one of each kind that must not be lost, and room
/// for trouble.
const MIN_CAPACITY: usize = 8;

/// A queue of events that a slow host cannot make grow.
///
/// When it is full, events of one kind become one that stands for all of them, at the place of
/// the newest: a [`Event::Desired`] from the oldest `from` to the newest `to`; the newest
/// [`Event::State`] and [`Event::Configuration`]; the highest generation of each
/// [`Event::Reported`] outcome; the highest [`Event::Read`]; the newest [`Event::Trouble`] of each
/// kind. The newest state is never lost. A host that finds [`TroubleKind::Overflow`] knows that it
/// happened.
#[derive(Clone, Debug)]
pub struct EventQueue {
    events: VecDeque<Event>,
    capacity: usize,
    merged: u64,
    /// Events merged since the host was last told.
    untold: u64,
}

impl EventQueue {
    /// An empty queue for `capacity` events, at least 8.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            events: VecDeque::new(),
            capacity: capacity.max(MIN_CAPACITY),
            merged: 0,
            untold: 0,
        }
    }

    /// Adds an event, merging what is there if there is no room.
    pub fn push(&mut self, mut event: Event) {
        if carries_document(&event) {
            let mut alike = self.events.iter().filter(|e| same_kind(e, &event));
            if alike.nth(MAX_DOCUMENTS.saturating_sub(1)).is_some() {
                self.absorb_last(&mut event);
            }
        }
        self.put(event);
        if self.events.len() > self.capacity {
            self.compact();
        }
    }

    /// The oldest event. Merging since the last call is told first.
    pub fn pop(&mut self) -> Option<Event> {
        if self.untold > 0 {
            let message = format!("{} unread events were merged with newer ones", self.untold);
            self.untold = 0;
            return Some(Event::Trouble(Trouble::new(
                TroubleKind::Overflow,
                message,
                None,
            )));
        }
        self.events.pop_front()
    }

    /// How many events [`pop`](Self::pop) would give now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events
            .len()
            .saturating_add(usize::from(self.untold > 0))
    }

    /// Whether there is nothing to pop.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many events have been merged into others, or dropped, so far.
    #[must_use]
    pub fn merged(&self) -> u64 {
        self.merged
    }

    fn put(&mut self, event: Event) {
        if !says_nothing(&event) {
            self.events.push_back(event);
        }
    }

    fn count(&mut self) {
        self.merged = self.merged.saturating_add(1);
        self.untold = self.untold.saturating_add(1);
    }

    /// Takes the last event of the kind of `newer` out of the queue and into `newer`.
    fn absorb_last(&mut self, newer: &mut Event) {
        let last = self.events.iter().rposition(|e| same_kind(e, newer));
        if let Some(older) = last.and_then(|index| self.events.remove(index)) {
            absorb(newer, older);
            self.count();
        }
    }

    /// Leaves one event of each kind, then drops the oldest trouble until the rest fits.
    fn compact(&mut self) {
        let mut newest_first: Vec<Event> = Vec::new();
        while let Some(older) = self.events.pop_back() {
            match newest_first.iter_mut().find(|e| same_kind(e, &older)) {
                Some(newer) => {
                    absorb(newer, older);
                    self.count();
                }
                None => newest_first.push(older),
            }
        }
        newest_first
            .into_iter()
            .rev()
            .for_each(|event| self.put(event));
        while self.events.len() > self.capacity {
            let Some(oldest) = self
                .events
                .iter()
                .position(|e| matches!(e, Event::Trouble(_)))
            else {
                break;
            };
            self.events.remove(oldest);
            self.count();
        }
    }
}

fn carries_document(event: &Event) -> bool {
    matches!(event, Event::Desired(_) | Event::Configuration(_))
}

/// Whether one of the two can stand for both.
fn same_kind(a: &Event, b: &Event) -> bool {
    match (a, b) {
        (Event::Trouble(a), Event::Trouble(b)) => discriminant(&a.kind) == discriminant(&b.kind),
        (Event::Reported(a), Event::Reported(b)) => discriminant(a) == discriminant(b),
        _ => discriminant(a) == discriminant(b),
    }
}

/// Makes `newer` stand for `older` too.
fn absorb(newer: &mut Event, older: Event) {
    match (newer, older) {
        (Event::Desired(newer), Event::Desired(older)) => newer.from = older.from,
        (Event::Reported(newer), Event::Reported(older))
            if generation(&older) > generation(newer) =>
        {
            *newer = older;
        }
        (Event::Read(newer), Event::Read(older)) if older.refresh > newer.refresh => {
            *newer = older;
        }
        // The newest says it all.
        _ => {}
    }
}

fn generation(outcome: &ReportedOutcome) -> u64 {
    match outcome {
        ReportedOutcome::Acknowledged { generation, .. }
        | ReportedOutcome::Refused { generation, .. } => *generation,
    }
}

/// Whether merging has left a change that changes nothing.
fn says_nothing(event: &Event) -> bool {
    matches!(event, Event::Desired(change) if change.from == change.to)
}

#[cfg(test)]
mod tests;
