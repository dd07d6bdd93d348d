//! A host that knows only what it is told.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::agent::Evaluation;
use crate::module::{DesiredChange, Event, ReportedOutcome, State, Trouble, TroubleKind};
use crate::twin::patch;

/// What a host can know from events alone. Taking an event checks that it fits what came before.
#[derive(Debug)]
pub struct HostView {
    /// The desired section, built change by change.
    pub desired: Value,
    /// The version that came with the last change.
    pub desired_version: Option<u64>,
    /// Whether versions may go back (fail-over of the hub).
    pub versions_may_go_back: bool,
    /// The state.
    pub state: State,
    /// Every state told, in order.
    pub states: Vec<State>,
    /// The configuration.
    pub configuration: Option<Arc<Evaluation>>,
    /// The newest generation acknowledged, and the newest refused with its status.
    pub acknowledged: u64,
    /// The newest generation refused, with its status.
    pub refused: Option<(u64, u16)>,
    /// The newest refresh that has ended, and whether it ended well.
    pub read: Option<(u64, bool)>,
    /// Every trouble told on its own.
    pub troubles: Vec<Trouble>,
    /// How many changes of the desired section were told.
    pub changes: u64,
    /// How many configurations were told.
    pub configurations: u64,
    /// How many events in all.
    pub events: u64,
    overflown: bool,
}

impl Default for HostView {
    fn default() -> Self {
        Self {
            desired: json!({}),
            desired_version: None,
            versions_may_go_back: false,
            state: State::Starting,
            states: Vec::new(),
            configuration: None,
            acknowledged: 0,
            refused: None,
            read: None,
            troubles: Vec::new(),
            changes: 0,
            configurations: 0,
            events: 0,
            overflown: false,
        }
    }
}

impl HostView {
    /// Takes an event.
    ///
    /// # Panics
    /// When it does not fit what was told before.
    pub fn take(&mut self, event: Event) {
        self.events += 1;
        match event {
            Event::State(change) => {
                assert_ne!(self.state, State::Closed, "nothing follows Closed");
                // After merging, the newest state may be the one known already.
                let again = self.overflown || change.state == State::Disconnected;
                assert!(
                    again || self.state != change.state,
                    "{:?} told twice",
                    change.state
                );
                self.state = change.state;
                self.states.push(change.state);
            }
            Event::Desired(change) => self.change(&change),
            Event::Configuration(evaluation) => {
                self.configuration = Some(evaluation);
                self.configurations += 1;
            }
            Event::Reported(ReportedOutcome::Acknowledged { generation, .. }) => {
                assert!(
                    generation > self.acknowledged,
                    "{generation} acknowledged again"
                );
                self.acknowledged = generation;
            }
            Event::Reported(ReportedOutcome::Refused {
                generation, status, ..
            }) => {
                assert!(
                    self.refused.is_none_or(|(older, _)| generation > older),
                    "{generation} refused again"
                );
                self.refused = Some((generation, status));
            }
            Event::Read(outcome) => {
                assert!(
                    self.read.is_none_or(|(older, _)| outcome.refresh > older),
                    "{} ended again",
                    outcome.refresh
                );
                self.read = Some((outcome.refresh, outcome.trouble.is_none()));
            }
            Event::Trouble(trouble) => {
                self.overflown |= trouble.kind == TroubleKind::Overflow;
                self.troubles.push(trouble);
            }
        }
    }

    fn change(&mut self, change: &DesiredChange) {
        assert_eq!(
            *change.from, self.desired,
            "a change starts where the last one ended"
        );
        assert_ne!(change.from, change.to, "a change that changes nothing");
        if !self.versions_may_go_back {
            assert!(
                change.version > self.desired_version,
                "versions rise: {change:?}"
            );
        }
        for single in change.changes() {
            patch::apply_change(&mut self.desired, &single).expect("a change that fits");
        }
        assert_eq!(
            self.desired, *change.to,
            "the changes lead to the new document"
        );
        self.desired_version = change.version;
        self.changes += 1;
    }
}
