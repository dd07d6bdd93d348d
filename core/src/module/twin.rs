//! The twin of a module over one connection after the other: what is read, what is told to the
//! host, and what is reported.

use std::sync::Arc;

use fastrand::Rng;
use serde_json::{Map, Value};

use crate::agent::{Configurator, Evaluation, Verdict};
use crate::hub::status::{ErrorBody, TwinStatus};
use crate::hub::topic::{self, Incoming};
use crate::module::backoff;
use crate::module::event::{
    DesiredChange, Event, Origin, ReadOutcome, ReportedOutcome, Trouble, TroubleKind,
};
use crate::module::io::{Action, ConnectionId, Now, QoS};
use crate::module::options::ModuleOptions;
use crate::module::outbox::Outbox;
use crate::module::reads::Reads;
use crate::module::requests::{Answered, Requests};
use crate::module::session::Session;
use crate::twin::desired::{DesiredSync, Heard, MAX_PAYLOAD_BYTES};
use crate::twin::json;
use crate::twin::limits::LimitError;
use crate::twin::reported::{Next, Outcome, ReportedSync};

mod answers;
mod keep;

/// The reported member that holds the status object, when it is switched on
/// ([`ModuleOptions::report_status`]): desired version seen, `success` or `failed`, the invalid
/// fields, the version of the library.
pub const STATUS_KEY: &str = "twinguard";

/// Requests in a row that may time out before the connection is given up as dead.
const MAX_UNANSWERED: u32 = 3;

/// The twin, and everything that keeps it in step.
pub(crate) struct TwinSync {
    requests: Requests,
    reads: Reads,
    desired: DesiredSync,
    reported: ReportedSync,
    configurator: Configurator,
    report_configuration: bool,
    report_status: bool,
    backoff_max_ms: u64,
    /// The desired document that the host knows.
    told: Arc<Value>,
    /// The desired document and version that were evaluated last.
    evaluated: Option<(Arc<Value>, Option<u64>)>,
    /// Whether no patch was in flight at any time since the read in flight was sent: only then does
    /// its answer say what the hub has reported now.
    read_sees_reported: bool,
    patch_not_before: u64,
    patch_failures: u32,
    last_trouble: Option<(TroubleKind, Option<u16>)>,
    /// Something has changed that a restart should know.
    unsaved: bool,
}

impl TwinSync {
    pub(crate) fn new(options: &ModuleOptions, nonce: u32) -> Self {
        let configurator = Configurator::new(options.agent.clone());
        let mut reserved = Vec::new();
        if options.report_configuration
            && let Value::Object(members) = configurator.reported()
        {
            reserved.extend(members.into_iter().map(|(key, _)| key));
        }
        if options.report_status {
            reserved.push(STATUS_KEY.to_owned());
        }
        let desired = DesiredSync::new();
        Self {
            requests: Requests::new(nonce, options.request_timeout_ms),
            reads: Reads::new(options.request_timeout_ms, options.backoff_max_ms),
            told: Arc::clone(desired.document().value()),
            desired,
            reported: ReportedSync::new(reserved),
            configurator,
            report_configuration: options.report_configuration,
            report_status: options.report_status,
            backoff_max_ms: options.backoff_max_ms,
            evaluated: None,
            read_sees_reported: false,
            patch_not_before: 0,
            patch_failures: 0,
            last_trouble: None,
            unsaved: false,
        }
    }

    pub(crate) fn desired(&self) -> &DesiredSync {
        &self.desired
    }

    pub(crate) fn reported(&self) -> &ReportedSync {
        &self.reported
    }

    pub(crate) fn evaluation(&self) -> &Arc<Evaluation> {
        self.configurator.evaluation()
    }

    pub(crate) fn requests(&self) -> &Requests {
        &self.requests
    }

    /// A connection begins, or has ended: nothing that was known about the hub is sure any more.
    pub(crate) fn disconnected(&mut self, now: Now) {
        self.requests.clear();
        self.desired.disconnected();
        self.reported.doubt();
        self.reads.restart(now);
        self.patch_not_before = 0;
        self.patch_failures = 0;
    }

    pub(crate) fn set_reported(&mut self, document: Value) -> Result<u64, LimitError> {
        let generation = self.reported.set(document)?;
        self.unsaved = true;
        Ok(generation)
    }

    pub(crate) fn patch_reported(&mut self, patch: &Value) -> Result<u64, LimitError> {
        let generation = self.reported.patch(patch)?;
        self.unsaved = true;
        Ok(generation)
    }

    pub(crate) fn refresh(&mut self, now: Now) -> u64 {
        self.reads.ask(now)
    }

    /// A message from the hub.
    pub(crate) fn message(
        &mut self,
        now: Now,
        topic: &str,
        payload: &[u8],
        rng: &mut Rng,
        out: &mut Outbox,
    ) {
        let ignored = match topic::parse(topic) {
            Incoming::TwinResponse {
                status,
                rid,
                version,
            } => {
                let answered = self.requests.answer(rid);
                match answered {
                    Answered::Read => self.read_answered(now, status, payload, rng, out),
                    Answered::Patch => {
                        self.patch_answered(now, status, version, payload, rng, out);
                    }
                    Answered::LatePatch => {
                        self.reported.question();
                        self.reads.need();
                    }
                    Answered::Nothing => {}
                }
                answered == Answered::Nothing
            }
            Incoming::DesiredPatch { version } => {
                self.notified(now, payload, version, rng, out);
                false
            }
            Incoming::Other => true,
        };
        if ignored {
            out.statistics.messages_ignored = out.statistics.messages_ignored.saturating_add(1);
        }
    }

    /// Ends what has waited too long. Gives the trouble if the hub does not seem to be there.
    pub(crate) fn expire(&mut self, now: Now, rng: &mut Rng, out: &mut Outbox) -> Option<Trouble> {
        let read = self.requests.expire_read(now);
        let patch = self.requests.expire_patch(now);
        let expired = u64::from(read).saturating_add(u64::from(patch));
        out.statistics.requests_timed_out =
            out.statistics.requests_timed_out.saturating_add(expired);
        if read {
            let trouble = Trouble::new(TroubleKind::Twin, "twin read not answered in time", None);
            self.read_failed(now, trouble, rng, out);
        }
        if patch {
            self.reported.doubt();
            self.reads.need();
            let message = "reported patch not answered in time";
            self.trouble(Trouble::new(TroubleKind::Twin, message, None), out);
        }
        if let Some(refresh) = self.reads.expire(now) {
            let trouble = Trouble::new(TroubleKind::Twin, "no connection to read the twin", None);
            out.events.push(Event::Read(ReadOutcome {
                refresh,
                trouble: Some(trouble),
            }));
        }
        (expired > 0 && self.requests.unanswered() >= MAX_UNANSWERED).then(|| {
            let message = format!("{MAX_UNANSWERED} twin requests in a row not answered");
            Trouble::new(TroubleKind::Twin, message, None)
        })
    }

    /// Sends what can be sent.
    pub(crate) fn send(&mut self, now: Now, session: &mut Session, out: &mut Outbox) {
        let Some(connection) = session.free_connection() else {
            return;
        };
        if !self.requests.is_reading() && self.reads.is_due(now) {
            let rid = self.requests.begin_read(now);
            self.reads.sent();
            self.read_sees_reported = !self.requests.is_patching();
            out.statistics.twin_reads = out.statistics.twin_reads.saturating_add(1);
            // Microsoft's clients for Python and Node send one space; the body is ignored.
            publish(
                connection,
                topic::twin_get(rid),
                b" ".to_vec(),
                session,
                out,
            );
        }
        if self.requests.is_patching() || now.mono_ms < self.patch_not_before {
            return;
        }
        match self.reported.next() {
            Next::Nothing => {}
            Next::Outcome(outcome) => self.tell_outcome(outcome, out),
            Next::Patch(patch) => {
                let rid = self.requests.begin_patch(now);
                self.read_sees_reported = false;
                out.statistics.patches_sent = out.statistics.patches_sent.saturating_add(1);
                let payload = patch.to_string().into_bytes();
                publish(
                    connection,
                    topic::twin_patch_reported(rid),
                    payload,
                    session,
                    out,
                );
            }
        }
    }

    /// The next time something is due. `free` says whether requests can be sent.
    pub(crate) fn deadline(&self, free: bool) -> Option<u64> {
        let read = self.reads.deadline(free && !self.requests.is_reading());
        let patch = (free && !self.requests.is_patching() && self.reported.is_eager())
            .then_some(self.patch_not_before);
        [read, patch, self.requests.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Tells the host what has become of the desired document, and evaluates it.
    fn desired_moved(&mut self, origin: Origin, out: &mut Outbox) {
        let (value, version) = (
            self.desired.document().value(),
            self.desired.document().version(),
        );
        let same = |(v, n): &(Arc<Value>, _)| Arc::ptr_eq(v, value) && *n == version;
        if self.evaluated.as_ref().is_some_and(same) {
            return;
        }
        let value = Arc::clone(value);
        self.evaluated = Some((Arc::clone(&value), version));
        if self.told != value {
            let from = std::mem::replace(&mut self.told, Arc::clone(&value));
            let change = DesiredChange {
                version,
                from,
                to: Arc::clone(&value),
                origin,
            };
            out.events.push(Event::Desired(change));
            self.unsaved = true;
        }
        if self.configurator.evaluate(&value, version) != Verdict::Unchanged {
            out.events.push(Event::Configuration(Arc::clone(
                self.configurator.evaluation(),
            )));
            self.unsaved = true;
        }
        self.report();
    }

    /// Hands what the library reports to the reported section.
    fn report(&mut self) {
        let mut members = Map::new();
        if self.report_configuration
            && let Value::Object(section) = self.configurator.reported()
        {
            members = section;
        }
        if self.report_status {
            members.insert(STATUS_KEY.to_owned(), self.evaluation().status());
        }
        self.reported.report(members);
    }

    fn tell_outcome(&mut self, outcome: Outcome, out: &mut Outbox) {
        let outcome = match outcome {
            Outcome::Acknowledged {
                generation,
                version,
            } => ReportedOutcome::Acknowledged {
                generation,
                version,
            },
            Outcome::Refused {
                generation,
                status,
                message,
            } => ReportedOutcome::Refused {
                generation,
                status,
                message,
            },
            Outcome::LibraryRefused { status, message } => {
                let message = format!("the reported configuration was refused: {message}");
                return self.trouble(Trouble::new(TroubleKind::Twin, message, Some(status)), out);
            }
        };
        out.events.push(Event::Reported(outcome));
    }

    /// Tells trouble with the twin, once per cause until a request succeeds.
    fn trouble(&mut self, trouble: Trouble, out: &mut Outbox) {
        let cause = Some((trouble.kind, trouble.status));
        if self.last_trouble != cause {
            self.last_trouble = cause;
            out.trouble(trouble);
        }
    }
}

fn publish(
    connection: ConnectionId,
    topic: String,
    payload: Vec<u8>,
    session: &mut Session,
    out: &mut Outbox,
) {
    let id = session.next_packet();
    out.act(Action::Publish {
        connection,
        id,
        topic,
        payload,
        qos: QoS::AtMostOnce,
    });
}
