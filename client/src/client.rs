//! The client: what the host holds.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use twinguard_core::agent::Evaluation;
use twinguard_core::identity::{Credential, SharedAccessKey};
use twinguard_core::module::{
    Event, EventQueue, Module, ModuleOptions, Now, State, Trouble, TroubleKind,
};
use twinguard_core::twin::limits::LimitError;

use crate::Value;
use crate::error::{Error, ErrorKind};
use crate::log::{LogLevel, Logger};
use crate::options::ClientOptions;
use crate::runtime::{Attach, Runtime};
use crate::saver::Saver;
use crate::shared::{Core, Life, Shared, deadline, refuse_own_thread};
use crate::statistics::Statistics;
use crate::store::Store;
use crate::sys;

/// A security module of the hub, as its host sees it. A clone is another handle to the same
/// module; all methods may be called from any thread.
///
/// When the last handle is dropped the module is closed without waiting.
#[derive(Clone)]
pub struct ModuleClient {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    /// Given up by `close`.
    runtime: Mutex<Option<Runtime>>,
    tls: Arc<ClientConfig>,
    signing_key: Option<SharedAccessKey>,
    /// What an unusable module still answers.
    first_evaluation: Arc<Evaluation>,
    pid: u32,
}

/// The module twin as far as it is known.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Twin {
    /// The desired section without `$version` and `$metadata`.
    pub desired: Arc<Value>,
    /// `$version` of the desired section.
    pub desired_version: Option<u64>,
    /// The reported section as last known at the hub, without `$version` and `$metadata`.
    pub reported: Option<Arc<Value>>,
    /// `$version` of the reported section.
    pub reported_version: Option<u64>,
    /// Whether this is the twin of the connection that stands, and not of an earlier time.
    pub synced: bool,
}

impl std::fmt::Debug for ModuleClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModuleClient")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl ModuleClient {
    pub(crate) fn new(
        options: ClientOptions,
        module_options: ModuleOptions,
        store: Option<Box<dyn Store>>,
        runtime: Runtime,
    ) -> Result<Self, Error> {
        let tls = options.roots.config()?;
        let identity = &options.connection.identity;
        let module_id = identity.module().map_or("", |module| module.as_str());
        let name = format!("{}/{module_id}", identity.device().as_str());
        let log = Logger::new(options.log, &name);
        let signing_key = match options.connection.credential {
            Credential::SharedAccessKey(key) => Some(key),
            _ => None,
        };
        let mut module = Module::new(module_options, sys::now()).map_err(|e| {
            Error::new(ErrorKind::InvalidArgument, format!("client options: {e}")).with_source(e)
        })?;
        let mut queue = EventQueue::new(options.event_capacity);
        let store = store.map(|store| restore(store, &mut module, &mut queue, &log));
        let first_evaluation = module.evaluation().clone();
        let shared = Shared::new(runtime.next_key(), module, queue, Saver::new(store), log)?;
        let runtime = Mutex::new(Some(runtime));
        let pid = std::process::id();
        let inner = Inner {
            shared,
            runtime,
            tls,
            signing_key,
            first_evaluation,
            pid,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Starts to connect, and to stay connected; returns at once. Further calls do nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`]; [`ErrorKind::Resources`] when there is no thread to be had.
    pub fn connect(&self) -> Result<(), Error> {
        self.engine(|core, now| {
            if core.is_closed() {
                return Err(closed());
            }
            if core.life == Life::Idle {
                self.attach()?;
                core.life = Life::Attached;
            }
            core.module.connect(now);
            Ok(())
        })?
    }

    /// Waits until the module runs: signed in, and in step with its twin.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorized`] (or [`ErrorKind::TokenExpired`]) as soon as the hub has refused
    /// the credential; [`ErrorKind::Timeout`] with the last trouble in its text, while the module
    /// goes on trying; [`ErrorKind::WrongState`] before [`connect`](Self::connect);
    /// [`ErrorKind::Closed`].
    pub fn wait_running(&self, timeout: Duration) -> Result<(), Error> {
        let running = self.wait(timeout, |core| match core.module.state() {
            State::Running => Some(Ok(())),
            State::Closed => Some(Err(closed())),
            State::Starting if core.life == Life::Idle => Some(Err(not_connected("wait_running"))),
            _ => core
                .progress
                .refused
                .as_ref()
                .map(|trouble| Err(Error::from_trouble(trouble))),
        })?;
        running.ok_or_else(|| self.not_in_time("wait_running", timeout))
    }

    /// Where the module stands; [`State::Closed`] after `fork` and after a panic.
    pub fn state(&self) -> State {
        self.look(|core| core.module.state(), || State::Closed)
    }

    /// The next event; `None` when `timeout` is over first (zero asks without waiting). Several
    /// threads may wait; each event goes to one of them.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] after [`close`](Self::close), once all events have been taken.
    pub fn next_event(&self, timeout: Duration) -> Result<Option<Event>, Error> {
        self.wait(timeout, |core| match core.queue.pop() {
            Some(event) => Some(Ok(event)),
            None if core.is_closed() => Some(Err(closed())),
            None => None,
        })
    }

    /// A descriptor that is readable exactly while events wait or the module is closed: for poll,
    /// epoll or an event loop. Never read or write it; it lives as long as the client.
    pub fn event_fd(&self) -> BorrowedFd<'_> {
        self.inner.shared.flag.as_fd()
    }

    /// The twin as known now; asks nobody.
    pub fn twin(&self) -> Twin {
        self.look(twin, || Twin {
            desired: Arc::new(Value::Object(serde_json::Map::new())),
            desired_version: None,
            reported: None,
            reported_version: None,
            synced: false,
        })
    }

    /// The twin as the hub has it now.
    ///
    /// # Errors
    /// [`ErrorKind::TwinRead`], [`ErrorKind::Throttled`], or the reason why there is no
    /// connection, when the hub did not answer; [`ErrorKind::Timeout`];
    /// [`ErrorKind::WrongState`] before [`connect`](Self::connect); [`ErrorKind::Closed`].
    pub fn get_twin(&self, timeout: Duration) -> Result<Twin, Error> {
        refuse_own_thread()?;
        let read = self.engine(begin_read)??;
        self.wait_twin(read, timeout)
    }

    /// Asks for the twin as the hub has it now and returns at once, for hosts with an event loop.
    /// [`Event::Read`] tells when there may be an answer; [`wait_twin`](Self::wait_twin) with
    /// this number gives it.
    ///
    /// # Errors
    /// [`ErrorKind::WrongState`] before [`connect`](Self::connect); [`ErrorKind::Closed`].
    pub fn request_twin(&self) -> Result<u64, Error> {
        self.engine(|core, now| {
            let read = begin_read(core, now)?;
            core.progress.read_told_up_to = read;
            Ok(read)
        })?
    }

    /// Waits for the answer to [`request_twin`](Self::request_twin).
    ///
    /// # Errors
    /// As for [`get_twin`](Self::get_twin).
    pub fn wait_twin(&self, read: u64, timeout: Duration) -> Result<Twin, Error> {
        let fresh = self.wait(timeout, |core| {
            if core.progress.read >= read {
                return Some(Ok(twin(core)));
            }
            match &core.progress.read_failed {
                Some((failed, trouble)) if *failed >= read => {
                    Some(Err(Error::from_trouble(trouble)))
                }
                _ if core.is_closed() => Some(Err(closed())),
                _ => None,
            }
        })?;
        fresh.ok_or_else(|| self.not_in_time("get_twin", timeout))
    }

    /// The last reading of the agent configuration: what is in force, and what became of each
    /// property. A stored configuration is there from the start.
    pub fn configuration(&self) -> Arc<Evaluation> {
        self.look(
            |core| core.module.evaluation().clone(),
            || self.inner.first_evaluation.clone(),
        )
    }

    /// Wants the reported section of the host to be this document, whole; what is not in it
    /// vanishes at the hub. Returns at once, connected or not: the newest document is delivered
    /// as soon as that can be, over reconnects and, with a store, restarts. The number is the
    /// generation for [`wait_reported`](Self::wait_reported) and
    /// [`crate::ReportedOutcome`].
    ///
    /// # Errors
    /// [`ErrorKind::TwinLimit`] with the JSON pointer of what the hub would refuse; nothing has
    /// changed then. [`ErrorKind::Closed`].
    pub fn set_reported(&self, document: Value) -> Result<u64, Error> {
        self.report(|module, now| module.set_reported(now, document))
    }

    /// Changes the wanted reported section of the host by a merge patch (RFC 7396). Otherwise like
    /// [`set_reported`](Self::set_reported).
    ///
    /// # Errors
    /// As for [`set_reported`](Self::set_reported).
    pub fn patch_reported(&self, patch: &Value) -> Result<u64, Error> {
        self.report(|module, now| module.patch_reported(now, patch))
    }

    /// Waits until the hub has acknowledged this generation or a newer one; gives the version of
    /// the reported section, if the hub told it.
    ///
    /// # Errors
    /// [`ErrorKind::ReportedRefused`] with the hub's words; [`ErrorKind::InvalidArgument`] for a
    /// generation that was never given; [`ErrorKind::Timeout`]; [`ErrorKind::Closed`].
    pub fn wait_reported(&self, generation: u64, timeout: Duration) -> Result<Option<u64>, Error> {
        let taken = self.wait(timeout, |core| {
            let progress = &core.progress;
            match (&progress.acknowledged, &progress.reported_refused) {
                (Some((up_to, version)), _) if *up_to >= generation => Some(Ok(*version)),
                (_, Some((refused, status, text))) if *refused >= generation => {
                    let text = format!("reported generation {refused}: {status} {text}");
                    Some(Err(Error::new(ErrorKind::ReportedRefused, text)))
                }
                _ if generation > progress.generation => {
                    let newest = progress.generation;
                    let text = format!("generation {generation}: the newest given is {newest}");
                    Some(Err(Error::new(ErrorKind::InvalidArgument, text)))
                }
                _ if core.is_closed() => Some(Err(closed())),
                _ => None,
            }
        })?;
        taken.ok_or_else(|| self.not_in_time("wait_reported", timeout))
    }

    /// What the module has done so far, in numbers. All zero after `fork` and after a panic.
    pub fn statistics(&self) -> Statistics {
        let saved = if self.is_forked() {
            0
        } else {
            self.inner.shared.saver.saved()
        };
        self.look(
            |core| Statistics {
                events_merged: core.queue.merged(),
                events_waiting: core.queue.len() as u64,
                bytes_in: core.traffic.bytes_in,
                bytes_out: core.traffic.bytes_out,
                records_saved: saved,
                last_outage_ms: core.progress.last_outage_ms,
                ..Statistics::from_engine(&core.module.statistics())
            },
            Statistics::default,
        )
    }

    /// Closes the module: signs off if that is possible at once, ends all waiting calls with
    /// [`ErrorKind::Closed`], saves what is to be saved, closes the store, and ends the I/O thread
    /// if this was its last module. Returns within `timeout` whatever the network does. Events
    /// that wait can still be taken. A second call waits for the same end.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] when the store was not finished in time; the module is closed all
    /// the same.
    pub fn close(&self, timeout: Duration) -> Result<(), Error> {
        refuse_own_thread()?;
        let deadline = deadline(timeout);
        let closed = self.inner.begin_close();
        if matches!(&closed, Err(e) if e.kind() == ErrorKind::Forked) {
            return closed;
        }
        let gone = self
            .inner
            .shared
            .wait(timeout, |core| (core.life == Life::Gone).then_some(Ok(())));
        let saved = self.inner.shared.saver.close(deadline);
        let runtime = self
            .inner
            .runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(runtime) = runtime {
            runtime.release(deadline);
        }
        if gone?.is_none() || !saved {
            let text = format!("close: not everything was finished within {timeout:?}");
            return Err(Error::new(ErrorKind::Timeout, text));
        }
        Ok(())
    }

    fn report(
        &self,
        report: impl FnOnce(&mut Module, Now) -> Result<u64, LimitError>,
    ) -> Result<u64, Error> {
        self.engine(|core, now| {
            if core.is_closed() {
                return Err(closed());
            }
            let generation = report(&mut core.module, now).map_err(|e| {
                let error = Error::new(ErrorKind::TwinLimit, e.to_string());
                error.with_pointer(e.pointer.clone()).with_source(e)
            })?;
            core.progress.generation = core.progress.generation.max(generation);
            Ok(generation)
        })?
    }

    /// A call of the engine; the I/O thread then carries out what it led to.
    fn engine<T>(&self, call: impl FnOnce(&mut Core, Now) -> T) -> Result<T, Error> {
        self.refuse_fork()?;
        let now = sys::now();
        let shared = &self.inner.shared;
        let (result, attached) =
            shared.with(|core| (call(core, now), core.life == Life::Attached))?;
        if attached {
            self.inner.kick();
        }
        Ok(result)
    }

    fn wait<T>(
        &self,
        timeout: Duration,
        ready: impl FnMut(&mut Core) -> Option<Result<T, Error>>,
    ) -> Result<Option<T>, Error> {
        self.refuse_fork()?;
        self.inner.shared.wait(timeout, ready)
    }

    fn look<T>(&self, look: impl FnOnce(&Core) -> T, otherwise: impl FnOnce() -> T) -> T {
        if self.is_forked() {
            otherwise()
        } else {
            self.inner.shared.look(look, otherwise)
        }
    }

    fn attach(&self) -> Result<(), Error> {
        let inner = &self.inner;
        let runtime = inner.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = runtime.as_ref().ok_or_else(closed)?;
        runtime.attach(Attach {
            shared: inner.shared.clone(),
            tls: inner.tls.clone(),
            signing_key: inner.signing_key.clone(),
        })
    }

    fn is_forked(&self) -> bool {
        self.inner.pid != std::process::id()
    }

    fn refuse_fork(&self) -> Result<(), Error> {
        if self.is_forked() {
            let message = "the client belongs to the process before fork; make one of your own";
            return Err(Error::new(ErrorKind::Forked, message));
        }
        Ok(())
    }

    fn not_in_time(&self, call: &str, timeout: Duration) -> Error {
        let trouble = self.look(|core| core.progress.last_trouble.clone(), || None);
        let why = trouble.map_or_else(String::new, |t| format!("; last trouble: {}", t.message));
        Error::new(
            ErrorKind::Timeout,
            format!("{call}: not within {timeout:?}{why}"),
        )
    }
}

impl Inner {
    /// Closes the engine; whoever carries out its actions then finishes.
    fn begin_close(&self) -> Result<(), Error> {
        if self.pid != std::process::id() {
            return Err(Error::new(
                ErrorKind::Forked,
                "the client belongs to the process before",
            ));
        }
        let now = sys::now();
        let attached = self.shared.with(|core| {
            core.module.close(now);
            if core.life == Life::Idle {
                core.life = Life::Gone;
            }
            core.life == Life::Attached
        })?;
        self.shared.wake_all();
        if attached {
            self.kick();
        }
        Ok(())
    }

    fn kick(&self) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = runtime.as_ref() {
            runtime.mailbox().kick(&self.shared);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Nothing can be told to anybody any more; a forked child touches nothing.
        let _ = self.begin_close();
    }
}

/// What a store holds goes into the engine; what is wrong with it becomes an event, and the module
/// runs without.
fn restore(
    mut store: Box<dyn Store>,
    module: &mut Module,
    queue: &mut EventQueue,
    log: &Logger,
) -> Box<dyn Store> {
    let trouble = match store.load() {
        Ok(None) => None,
        Ok(Some(record)) => module.restore(&record).err().map(|refused| {
            let kept = store
                .set_aside()
                .err()
                .map_or_else(String::new, |e| format!("; {e}"));
            format!("stored {refused}{kept}")
        }),
        Err(e) => Some(e.to_string()),
    };
    if let Some(text) = trouble {
        log.log(LogLevel::Warn, "store", format_args!("{text}"));
        queue.push(Event::Trouble(Trouble::new(TroubleKind::Store, text, None)));
    }
    store
}

fn begin_read(core: &mut Core, now: Now) -> Result<u64, Error> {
    match core.life {
        _ if core.is_closed() => Err(closed()),
        Life::Idle => Err(not_connected("get_twin")),
        _ => Ok(core.module.refresh(now)),
    }
}

fn twin(core: &Core) -> Twin {
    let desired = core.module.desired();
    let reported = core.module.reported();
    Twin {
        desired: desired.value().clone(),
        desired_version: desired.version(),
        reported: reported.map(|(document, _)| document.clone()),
        reported_version: reported.and_then(|(_, version)| version),
        synced: core.module.synced(),
    }
}

fn not_connected(call: &str) -> Error {
    Error::new(
        ErrorKind::WrongState,
        format!("{call}: the module has not been asked to connect"),
    )
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the module is closed")
}
