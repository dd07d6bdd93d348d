//! The one I/O thread of a runtime: it sleeps until a descriptor, a timer or a caller wakes it,
//! and gives each module that has something to do its turn.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use rustls::ClientConfig;
use twinguard_core::identity::SharedAccessKey;

use crate::dns::{Endpoint, Resolved, Resolver};
use crate::driver::{Driver, Turn};
use crate::error::{Error, ErrorKind};
use crate::log::LogLevel;
use crate::shared::{Shared, mark_own_thread};
use crate::sys::{self, Alarm};
use crate::transport::Slots;

/// One I/O thread for any number of modules. A clone is another handle to the same thread.
///
/// The thread starts with the first [`connect`](crate::ModuleClient::connect) and ends when the
/// last handle and the last open module are gone.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    mailbox: Arc<Mailbox>,
    thread: Mutex<Thread>,
    pid: u32,
}

enum Thread {
    Waiting(Box<IoThread>),
    Running(JoinHandle<()>),
    Gone,
}

/// Names a module within its runtime; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ModuleKey(pub(crate) u32);

/// How everybody else talks to the I/O thread.
pub(crate) struct Mailbox {
    commands: Mutex<Vec<Command>>,
    waker: Waker,
    next_key: AtomicU32,
    alive: AtomicBool,
    ended: Mutex<bool>,
    ended_changed: Condvar,
}

pub(crate) enum Command {
    Attach(Box<Attach>),
    Kick(ModuleKey),
    Resolved {
        endpoint: Endpoint,
        result: Resolved,
    },
    HandlesGone,
}

/// A module that wants to be served.
pub(crate) struct Attach {
    pub(crate) shared: Arc<Shared>,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) signing_key: Option<SharedAccessKey>,
}

const WAKER: Token = Token(usize::MAX);
const ALARM: Token = Token(usize::MAX - 1);

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("threads", &self.thread_count())
            .finish()
    }
}

impl Runtime {
    /// A runtime without a thread yet.
    ///
    /// # Errors
    /// [`ErrorKind::Resources`] when the system gives no descriptor.
    pub fn new() -> Result<Self, Error> {
        let io = IoThread::new().map_err(|e| {
            Error::new(ErrorKind::Resources, format!("no event loop: {e}")).with_source(e)
        })?;
        let mailbox = io.mailbox.clone();
        let thread = Mutex::new(Thread::Waiting(Box::new(io)));
        let pid = std::process::id();
        Ok(Self {
            inner: Arc::new(Inner {
                mailbox,
                thread,
                pid,
            }),
        })
    }

    /// How many I/O threads this runtime has now: none or one.
    pub fn thread_count(&self) -> usize {
        usize::from(self.inner.mailbox.alive.load(Ordering::Acquire))
    }

    pub(crate) fn next_key(&self) -> ModuleKey {
        ModuleKey(self.inner.mailbox.next_key.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.inner.mailbox
    }

    /// Serves a module from now on; starts the thread if there is none.
    pub(crate) fn attach(&self, attach: Attach) -> Result<(), Error> {
        // A forked child has no such thread, and the lock may be held by one.
        if self.inner.pid != std::process::id() {
            let message = "the runtime belongs to the process before fork; make one of your own";
            return Err(Error::new(ErrorKind::Forked, message));
        }
        let mut thread = lock(&self.inner.thread);
        if let Thread::Waiting(_) = *thread {
            let Thread::Waiting(io) = std::mem::replace(&mut *thread, Thread::Gone) else {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "the I/O thread changed its state",
                ));
            };
            *thread = Thread::Running(start(io)?);
        }
        if !self.inner.mailbox.alive.load(Ordering::Acquire) {
            let message = "the I/O thread of this runtime has ended; make another runtime";
            return Err(Error::new(ErrorKind::Resources, message));
        }
        self.inner.mailbox.post(Command::Attach(Box::new(attach)));
        Ok(())
    }

    /// Gives up this handle. The last one waits for the end of the thread, until `deadline`; a
    /// thread that takes longer ends by itself.
    pub(crate) fn release(self, deadline: Instant) {
        let Some(inner) = Arc::into_inner(self.inner) else {
            return;
        };
        let thread = std::mem::replace(&mut *lock(&inner.thread), Thread::Gone);
        let Thread::Running(thread) = thread else {
            return;
        };
        let mailbox = inner.mailbox.clone();
        drop(inner);
        if mailbox.wait_for_end(deadline) {
            // Panics of modules are caught inside; what is left has been told already.
            let _ = thread.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // In a forked child the lock may be held by a thread that does not exist there.
        if self.pid == std::process::id() {
            self.mailbox.post(Command::HandlesGone);
        }
    }
}

impl Mailbox {
    pub(crate) fn post(&self, command: Command) {
        let mut commands = lock(&self.commands);
        commands.push(command);
        if commands.len() == 1 {
            // Only a closed descriptor could make this fail, and it is ours.
            let _ = self.waker.wake();
        }
    }

    /// Tells the I/O thread to look at a module, unless it knows already.
    pub(crate) fn kick(&self, shared: &Shared) {
        if !shared.kicked.swap(true, Ordering::AcqRel) {
            self.post(Command::Kick(shared.key));
        }
    }

    fn take(&self) -> Vec<Command> {
        std::mem::take(&mut *lock(&self.commands))
    }

    fn wait_for_end(&self, deadline: Instant) -> bool {
        let ended = lock(&self.ended);
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = self
            .ended_changed
            .wait_timeout_while(ended, left, |ended| !*ended);
        waited.is_ok_and(|(ended, _)| *ended)
    }

    fn end(&self) {
        self.alive.store(false, Ordering::Release);
        *lock(&self.ended) = true;
        self.ended_changed.notify_all();
    }
}

/// No code that can panic runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn start(io: Box<IoThread>) -> Result<JoinHandle<()>, Error> {
    let mailbox = io.mailbox.clone();
    mailbox.alive.store(true, Ordering::Release);
    let spawn = || {
        thread::Builder::new()
            .name("twinguard".into())
            .spawn(move || io.run())
    };
    let spawned = sys::with_signals_blocked(spawn).map_err(io::Error::from);
    spawned.and_then(|thread| thread).map_err(|e| {
        mailbox.end();
        Error::new(ErrorKind::Resources, format!("no I/O thread: {e}")).with_source(e)
    })
}

/// What belongs to the thread alone.
struct IoThread {
    poll: Poll,
    mailbox: Arc<Mailbox>,
    alarm: Alarm,
    resolver: Resolver,
    drivers: HashMap<ModuleKey, Driver>,
    /// When each driver wants its turn; at most one entry per driver.
    timers: BTreeSet<(u64, ModuleKey)>,
    /// Who has something to do now.
    due: BTreeSet<ModuleKey>,
    handles_gone: bool,
}

impl IoThread {
    fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let alarm = Alarm::new()?;
        poll.registry()
            .register(&mut SourceFd(&alarm.raw()), ALARM, Interest::READABLE)?;
        let mailbox = Arc::new(Mailbox {
            commands: Mutex::new(Vec::new()),
            waker,
            next_key: AtomicU32::new(0),
            alive: AtomicBool::new(false),
            ended: Mutex::new(false),
            ended_changed: Condvar::new(),
        });
        Ok(Self {
            poll,
            resolver: Resolver::new(mailbox.clone()),
            mailbox,
            alarm,
            drivers: HashMap::new(),
            timers: BTreeSet::new(),
            due: BTreeSet::new(),
            handles_gone: false,
        })
    }

    fn run(mut self: Box<Self>) {
        mark_own_thread();
        let mailbox = self.mailbox.clone();
        let ended = catch_unwind(AssertUnwindSafe(|| self.serve()));
        if !matches!(ended, Ok(Ok(()))) {
            // The event loop itself is broken: nobody may wait for it.
            for driver in self.drivers.values() {
                driver.shared.fail();
            }
        }
        // Descriptors are closed before anybody hears that the thread has ended.
        drop(self);
        mailbox.end();
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        while !(self.handles_gone && self.drivers.is_empty()) {
            self.sleep(&mut events)?;
            for event in &events {
                self.wake(event);
            }
            for command in self.mailbox.take() {
                self.obey(command);
            }
            self.ring(sys::now().mono_ms);
            for key in std::mem::take(&mut self.due) {
                self.turn(key);
            }
        }
        Ok(())
    }

    /// Until something happens; not at all while somebody has been interrupted for fairness.
    fn sleep(&mut self, events: &mut Events) -> io::Result<()> {
        self.alarm.arm(self.timers.first().map(|(at, _)| *at))?;
        let timeout = (!self.due.is_empty()).then_some(Duration::ZERO);
        match self.poll.poll(events, timeout) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            other => other,
        }
    }

    fn wake(&mut self, event: &mio::event::Event) {
        match event.token() {
            WAKER => {}
            ALARM => self.alarm.fired(),
            token => {
                let (key, slot) = Slots::parse(token);
                if let Some(driver) = self.drivers.get_mut(&key) {
                    let ended = event.is_error() || event.is_read_closed();
                    let readable = event.is_readable() || ended;
                    let writable = event.is_writable() || event.is_write_closed() || ended;
                    driver.transport.ready(slot, readable, writable);
                    self.due.insert(key);
                }
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Attach(attach) => {
                let key = attach.shared.key;
                self.drivers.insert(key, Driver::new(*attach));
                self.due.insert(key);
            }
            Command::Kick(key) => {
                if let Some(driver) = self.drivers.get(&key) {
                    driver.shared.kicked.store(false, Ordering::Release);
                    self.due.insert(key);
                }
            }
            Command::Resolved { endpoint, result } => {
                for key in self.resolver.finish(&endpoint) {
                    if let Some(driver) = self.drivers.get_mut(&key) {
                        driver.transport.resolved(&endpoint, &result);
                        self.due.insert(key);
                    }
                }
            }
            Command::HandlesGone => self.handles_gone = true,
        }
    }

    /// Timers that are due.
    fn ring(&mut self, now_ms: u64) {
        while let Some((at, key)) = self.timers.first().copied()
            && at <= now_ms
        {
            self.timers.pop_first();
            if let Some(driver) = self.drivers.get_mut(&key) {
                driver.timer_ms = None;
            }
            self.due.insert(key);
        }
    }

    fn turn(&mut self, key: ModuleKey) {
        let Some(driver) = self.drivers.get_mut(&key) else {
            return;
        };
        let (registry, resolver) = (self.poll.registry(), &mut self.resolver);
        // One module's panic is the end of that module, not of its neighbours.
        let turn = catch_unwind(AssertUnwindSafe(|| driver.turn(registry, resolver)));
        let deadline = match turn {
            Ok(Ok(Turn {
                more,
                deadline_ms,
                over: false,
            })) => {
                if more {
                    self.due.insert(key);
                }
                deadline_ms
            }
            Ok(Ok(_)) => return self.remove(key),
            Ok(Err(_)) | Err(_) => {
                driver.shared.fail();
                let log = &driver.shared.log;
                let tell = || log.log(LogLevel::Error, "client", format_args!("dropped: a panic"));
                // The panic may have been the sink's, and it may panic again.
                let _ = catch_unwind(AssertUnwindSafe(tell));
                return self.remove(key);
            }
        };
        if driver.timer_ms != deadline {
            if let Some(before) = driver.timer_ms {
                self.timers.remove(&(before, key));
            }
            driver.timer_ms = deadline;
            self.timers.extend(deadline.map(|at| (at, key)));
        }
    }

    /// The module is closed: its descriptors are, before anybody is told.
    fn remove(&mut self, key: ModuleKey) {
        if let Some(driver) = self.drivers.remove(&key) {
            if let Some(at) = driver.timer_ms {
                self.timers.remove(&(at, key));
            }
            driver.end();
        }
    }
}
