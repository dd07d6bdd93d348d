//! One module as all threads see it: the engine under a lock, the events that wait, and what the
//! waiting calls wait for.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use twinguard_core::module::{
    Action, Event, EventQueue, Input, Module, Now, ReadOutcome, ReportedOutcome, State,
    StateChange, Trouble, TroubleKind,
};

use crate::error::{Error, ErrorKind};
use crate::log::{LogLevel, Logger};
use crate::runtime::ModuleKey;
use crate::saver::Saver;
use crate::sys::{self, Flag};
use crate::transport::Traffic;

pub(crate) struct Shared {
    pub(crate) key: ModuleKey,
    pub(crate) log: Logger,
    /// Raised exactly while [`Core::has_news`]; changed under the lock of `core`.
    pub(crate) flag: Flag,
    pub(crate) saver: Saver,
    core: Mutex<Core>,
    changed: Condvar,
    /// The I/O thread has dropped the module because of a panic.
    failed: AtomicBool,
    /// The I/O thread has been told and has not looked yet.
    pub(crate) kicked: AtomicBool,
}

/// What the lock protects.
pub(crate) struct Core {
    pub(crate) module: Module,
    pub(crate) queue: EventQueue,
    pub(crate) life: Life,
    pub(crate) progress: Progress,
    pub(crate) traffic: Traffic,
}

/// Who carries out the actions of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Nobody yet: not asked to connect.
    Idle,
    /// The I/O thread.
    Attached,
    /// Nobody any more: closed.
    Gone,
}

/// What the waiting calls look at.
#[derive(Default)]
pub(crate) struct Progress {
    /// The hub refused who we are, and has not taken us since.
    pub(crate) refused: Option<Trouble>,
    pub(crate) last_trouble: Option<Trouble>,
    /// Refreshes up to this one have ended well.
    pub(crate) read: u64,
    pub(crate) read_failed: Option<(u64, Trouble)>,
    /// Refreshes up to this one end with an event, because the host waits for that.
    pub(crate) read_told_up_to: u64,
    /// The newest generation given to the host.
    pub(crate) generation: u64,
    /// Generation and version.
    pub(crate) acknowledged: Option<(u64, Option<u64>)>,
    /// Generation, status and the hub's words.
    pub(crate) reported_refused: Option<(u64, u16, String)>,
    was_running: bool,
    lost_at_ms: Option<u64>,
    pub(crate) last_outage_ms: u64,
}

impl Shared {
    pub(crate) fn new(
        key: ModuleKey,
        module: Module,
        queue: EventQueue,
        saver: Saver,
        log: Logger,
    ) -> Result<Arc<Self>, Error> {
        let flag = Flag::new().map_err(|e| {
            Error::new(ErrorKind::Resources, format!("no event descriptor: {e}")).with_source(e)
        })?;
        let core = Core {
            module,
            queue,
            life: Life::Idle,
            progress: Progress::default(),
            traffic: Traffic::default(),
        };
        let shared = Arc::new(Self {
            key,
            log,
            flag,
            saver,
            core: Mutex::new(core),
            changed: Condvar::new(),
            failed: AtomicBool::new(false),
            kicked: AtomicBool::new(false),
        });
        shared.with(|_| ())?;
        Ok(shared)
    }

    /// Does something with the engine, then hands on what came of it: events to the queue and the
    /// waiting calls, records to the store while there is no I/O thread, lines to the log.
    pub(crate) fn with<T>(self: &Arc<Self>, work: impl FnOnce(&mut Core) -> T) -> Result<T, Error> {
        let mut core = self.lock()?;
        let result = work(&mut core);
        let mut lines = Vec::new();
        let mut news = false;
        while let Some(event) = core.module.poll_event() {
            news = true;
            lines.extend(line(&event));
            core.absorb(event);
        }
        let mut records = Vec::new();
        if core.life != Life::Attached {
            while let Some(action) = core.module.poll_action() {
                if let Action::Persist(record) = action {
                    records.push(record);
                }
            }
        }
        self.flag.set(core.has_news());
        drop(core);
        if news {
            self.changed.notify_all();
        }
        for (level, text) in lines {
            self.log.log(level, "client", format_args!("{text}"));
        }
        for record in records {
            self.save(record);
        }
        Ok(result)
    }

    /// A look at what is known, without handing anything on. The answer of `otherwise` when the
    /// module is unusable.
    pub(crate) fn look<T>(
        &self,
        look: impl FnOnce(&Core) -> T,
        otherwise: impl FnOnce() -> T,
    ) -> T {
        self.lock().map_or_else(|_| otherwise(), |core| look(&core))
    }

    /// Waits until `ready` has an answer; `None` when the time is over.
    pub(crate) fn wait<T>(
        &self,
        timeout: Duration,
        mut ready: impl FnMut(&mut Core) -> Option<Result<T, Error>>,
    ) -> Result<Option<T>, Error> {
        refuse_own_thread()?;
        let deadline = deadline(timeout);
        let mut core = self.lock()?;
        loop {
            if self.failed.load(Ordering::Acquire) {
                return Err(poisoned());
            }
            let answer = ready(&mut core);
            self.flag.set(core.has_news());
            if let Some(answer) = answer {
                return answer.map(Some);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            core = self
                .changed
                .wait_timeout(core, left)
                .map_err(|_| poisoned())?
                .0;
        }
    }

    /// Wakes the waiting calls after a change that is no event.
    pub(crate) fn wake_all(&self) {
        self.changed.notify_all();
    }

    /// Gives the engine an input.
    pub(crate) fn feed(self: &Arc<Self>, now: Now, input: Input<'_>) {
        // An unusable module is noticed by the I/O thread at its next step.
        let _ = self.with(|core| core.module.handle(now, input));
    }

    /// Keeps a record, on a thread of its own; a failure becomes an event.
    pub(crate) fn save(self: &Arc<Self>, record: Vec<u8>) {
        if let Err(text) = Saver::save(self, record) {
            self.persist_failed(&text);
        }
    }

    pub(crate) fn persist_failed(self: &Arc<Self>, detail: &str) {
        self.feed(sys::now(), Input::PersistFailed { detail });
    }

    /// After a panic on the I/O thread: every call ends with an error.
    pub(crate) fn fail(&self) {
        // Under the lock, or a call that is just about to wait would miss it, and another that is
        // setting the flag could undo it.
        let core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        self.failed.store(true, Ordering::Release);
        self.flag.set(true);
        drop(core);
        self.changed.notify_all();
    }

    fn lock(&self) -> Result<MutexGuard<'_, Core>, Error> {
        let core = self.core.lock().map_err(|_| poisoned())?;
        if self.failed.load(Ordering::Acquire) {
            Err(poisoned())
        } else {
            Ok(core)
        }
    }
}

impl Core {
    pub(crate) fn is_closed(&self) -> bool {
        self.module.state() == State::Closed
    }

    fn has_news(&self) -> bool {
        !self.queue.is_empty() || self.is_closed()
    }

    /// Tells the engine the time and takes what it wants done.
    pub(crate) fn step(&mut self, now: Now) -> Vec<Action> {
        self.module.handle_timeout(now);
        std::iter::from_fn(|| self.module.poll_action()).collect()
    }

    fn absorb(&mut self, event: Event) {
        match &event {
            Event::State(change) => self.progress.state(change),
            Event::Trouble(trouble) => self.progress.trouble(trouble),
            Event::Reported(outcome) => self.progress.reported(outcome),
            Event::Read(outcome) if !self.progress.read(outcome) => return,
            _ => {}
        }
        self.queue.push(event);
    }
}

impl Progress {
    fn state(&mut self, change: &StateChange) {
        if let Some(trouble) = &change.trouble {
            self.trouble(trouble);
        }
        match change.state {
            State::WaitingForTwin => self.refused = None,
            State::Running => {
                self.refused = None;
                self.was_running = true;
                if let Some(lost) = self.lost_at_ms.take() {
                    self.last_outage_ms = sys::now().mono_ms.saturating_sub(lost);
                }
            }
            State::Disconnected if self.was_running => {
                self.lost_at_ms.get_or_insert_with(|| sys::now().mono_ms);
            }
            _ => {}
        }
    }

    fn trouble(&mut self, trouble: &Trouble) {
        if matches!(
            trouble.kind,
            TroubleKind::Unauthorized | TroubleKind::TokenExpired
        ) {
            self.refused = Some(trouble.clone());
        }
        self.last_trouble = Some(trouble.clone());
    }

    fn reported(&mut self, outcome: &ReportedOutcome) {
        match outcome {
            ReportedOutcome::Acknowledged {
                generation,
                version,
            } => {
                self.acknowledged = Some((*generation, *version));
            }
            ReportedOutcome::Refused {
                generation,
                status,
                message,
            } => {
                self.reported_refused = Some((*generation, *status, message.clone()));
            }
            _ => {}
        }
    }

    /// Tells whether the host waits for an event of this.
    fn read(&mut self, outcome: &ReadOutcome) -> bool {
        let told = self
            .read
            .max(self.read_failed.as_ref().map_or(0, |(read, _)| *read));
        match &outcome.trouble {
            None => self.read = outcome.refresh,
            Some(trouble) => self.read_failed = Some((outcome.refresh, trouble.clone())),
        }
        told < self.read_told_up_to
    }
}

/// What the log says about an event; never the content of a document.
fn line(event: &Event) -> Option<(LogLevel, String)> {
    Some(match event {
        Event::State(StateChange {
            state,
            trouble,
            retry_in_ms,
            ..
        }) => {
            let why = trouble
                .as_ref()
                .map_or_else(String::new, |t| format!(": {}", t.message));
            let next = retry_in_ms.map_or_else(String::new, |ms| format!(", next try in {ms} ms"));
            let level = if trouble.is_some() {
                LogLevel::Warn
            } else {
                LogLevel::Info
            };
            (level, format!("{state:?}{why}{next}"))
        }
        Event::Desired(change) => {
            let version = change
                .version
                .map_or_else(|| "?".to_owned(), |v| v.to_string());
            (LogLevel::Info, format!("desired version {version}"))
        }
        Event::Configuration(evaluation) => (
            LogLevel::Info,
            format!("configuration {}", evaluation.state.as_str()),
        ),
        Event::Reported(ReportedOutcome::Acknowledged { generation, .. }) => (
            LogLevel::Debug,
            format!("reported generation {generation} is at the hub"),
        ),
        Event::Reported(ReportedOutcome::Refused {
            generation, status, ..
        }) => (
            LogLevel::Warn,
            format!("reported generation {generation} refused with {status}"),
        ),
        Event::Trouble(trouble) => (LogLevel::Warn, trouble.message.clone()),
        _ => return None,
    })
}

/// The end of a time-out; one that is longer than the clock goes is as good as for ever.
pub(crate) fn deadline(timeout: Duration) -> Instant {
    const LONG: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    let now = Instant::now();
    now.checked_add(timeout.min(LONG)).unwrap_or(now)
}

pub(crate) fn poisoned() -> Error {
    Error::new(
        ErrorKind::Poisoned,
        "the module is unusable after a panic; make another client",
    )
}

thread_local! {
    /// Whether this is a thread of the library. Host code that runs here (log sink, store) must
    /// not wait for what the thread itself has to do.
    static OWN_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// To be called first on every thread of the library that may run code of the host.
pub(crate) fn mark_own_thread() {
    OWN_THREAD.set(true);
}

pub(crate) fn refuse_own_thread() -> Result<(), Error> {
    if OWN_THREAD.get() {
        let message = "called from a log sink or a store, on the thread it would wait for";
        return Err(Error::new(ErrorKind::Reentrant, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use twinguard_core::identity::Identity;
    use twinguard_core::module::{Authentication, ModuleOptions};

    use super::*;

    #[test]
    fn a_failure_right_before_a_call_waits_ends_the_waiting() {
        let identity = Identity::new("h".parse().unwrap(), "d".parse().unwrap(), None);
        let options = ModuleOptions::new(identity, Authentication::Key, 1);
        let module = Module::new(options, sys::now()).unwrap();
        let (queue, saver) = (EventQueue::new(8), Saver::new(None));
        let shared = Shared::new(ModuleKey(0), module, queue, saver, Logger::default()).unwrap();
        let (started, mut asked) = (Instant::now(), 0);
        let result = shared.wait(Duration::from_secs(20), |_| {
            asked += 1;
            if asked == 1 {
                let (shared, (begun, has_begun)) = (shared.clone(), std::sync::mpsc::channel());
                std::thread::spawn(move || {
                    begun.send(()).unwrap();
                    shared.fail();
                });
                has_begun.recv().unwrap();
                // Long enough for a failure that does not wait for the lock.
                std::thread::sleep(Duration::from_millis(50));
            }
            None::<Result<(), Error>>
        });
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Poisoned);
        assert!(started.elapsed() < Duration::from_secs(10), "at once");
    }
}
