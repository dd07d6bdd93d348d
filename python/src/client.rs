//! The client as the two Python fronts use it: calls that wait with the interpreter released, and
//! calls that only look.

use std::collections::HashMap;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use twinguard_client::{
    ClientOptions, Error, ErrorKind, LogLevel, ModuleClient, RootMode, Runtime as NativeRuntime,
    Statistics, Twin,
};
use twinguard_core::identity::ConnectionString;
use twinguard_core::module::EventQueue;

use crate::errors::{guard, raise};
use crate::events::{self, Raw};
use crate::json;
use crate::log::{LogQueue, Record};
use crate::pure::{AgentWords, agent_options, evaluation, section};

/// How long a call waits before it looks whether Python has a signal (Ctrl-C) for it.
const SLICE: Duration = Duration::from_millis(200);

/// Unread events that are kept, unless the program says otherwise; the library's own default.
const DEFAULT_CAPACITY: usize = 64;

/// One I/O thread for any number of clients. It starts with the first that connects, and ends
/// when the last one and the last reference to this object are gone.
///
/// >>> from twinguard import Runtime
/// >>> Runtime().thread_count
/// 0
#[pyclass(frozen, module = "twinguard")]
pub(crate) struct Runtime(NativeRuntime);

#[pymethods]
impl Runtime {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        guard(py, || {
            NativeRuntime::new()
                .map(Self)
                .map_err(|error| raise(py, &error))
        })
    }

    /// Threads of this runtime now.
    #[getter]
    fn thread_count(&self, py: Python<'_>) -> PyResult<usize> {
        guard(py, || Ok(py.detach(|| self.0.thread_count())))
    }
}

/// One module.
#[pyclass(frozen, module = "twinguard._native")]
pub(crate) struct Client {
    client: ModuleClient,
    /// Events taken off the client so that its descriptor falls silent; see `pump`.
    moved: Mutex<EventQueue>,
    logs: Arc<LogQueue>,
    /// `device/module`.
    #[pyo3(get)]
    module: String,
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(signature = (
        connection_string, *, root_certificates, root_mode, store, agent, durations,
        event_capacity, report_configuration, report_status, runtime, log_level
    ))]
    #[expect(
        clippy::too_many_arguments,
        reason = "keyword arguments of one Python call"
    )]
    fn new(
        py: Python<'_>,
        connection_string: &str,
        root_certificates: Option<&str>,
        root_mode: &str,
        store: Option<PathBuf>,
        agent: AgentWords,
        durations: HashMap<String, f64>,
        event_capacity: Option<i64>,
        report_configuration: bool,
        report_status: bool,
        runtime: Option<&Bound<'_, Runtime>>,
        log_level: i32,
    ) -> PyResult<Self> {
        guard(py, || {
            let agent = agent_options(py, agent)?;
            let logs = Arc::new(LogQueue::default());
            let make = || {
                let mut options = ClientOptions::from_connection_string(connection_string)?;
                if let Some(pem) = root_certificates {
                    options.root_certificates_pem(pem.as_bytes(), read_mode(root_mode)?)?;
                }
                if let Some(directory) = store {
                    options.store_directory(directory);
                }
                set_durations(&mut options, &durations)?;
                options.agent(agent);
                options.report_configuration(report_configuration);
                options.report_status(report_status);
                let capacity = event_capacity.map_or(Ok(DEFAULT_CAPACITY), read_capacity)?;
                options.event_capacity(capacity);
                if let Some(runtime) = runtime {
                    options.runtime(&runtime.get().0);
                }
                options.log_sink(read_level(log_level), logs.clone());
                let moved = Mutex::new(EventQueue::new(capacity));
                let module = module_of(connection_string);
                Ok(Self {
                    client: options.build()?,
                    moved,
                    logs: logs.clone(),
                    module,
                })
            };
            make().map_err(|error: Error| raise(py, &error))
        })
    }

    /// The descriptor that is readable while the client has events, or is closed.
    fn event_fd(&self) -> i32 {
        self.client.event_fd().as_raw_fd()
    }

    fn state(&self, py: Python<'_>) -> PyResult<i32> {
        guard(py, || Ok(py.detach(|| self.client.state()) as i32))
    }

    fn twin<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        guard(py, || twin(py, &py.detach(|| self.client.twin())))
    }

    fn configuration<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        guard(py, || {
            evaluation(py, &py.detach(|| self.client.configuration()))
        })
    }

    fn connect(&self, py: Python<'_>) -> PyResult<()> {
        self.call(py, ModuleClient::connect)
    }

    fn wait_running(&self, py: Python<'_>, limit: Option<f64>) -> PyResult<()> {
        guard(py, || {
            wait(py, limit, |slice| self.client.wait_running(slice))
        })
    }

    fn poll_running(&self, py: Python<'_>) -> PyResult<Option<bool>> {
        self.poll(py, |client| {
            client.wait_running(Duration::ZERO).map(|()| true)
        })
    }

    fn start_read(&self, py: Python<'_>) -> PyResult<u64> {
        self.call(py, ModuleClient::request_twin)
    }

    fn wait_read<'py>(
        &self,
        py: Python<'py>,
        number: u64,
        limit: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(py, || {
            let found = wait(py, limit, |slice| self.client.wait_twin(number, slice))?;
            twin(py, &found)
        })
    }

    fn poll_read<'py>(&self, py: Python<'py>, number: u64) -> PyResult<Option<Bound<'py, PyAny>>> {
        guard(py, || {
            let found = self.poll(py, |client| client.wait_twin(number, Duration::ZERO))?;
            found.map(|found| twin(py, &found)).transpose()
        })
    }

    fn patch_reported(&self, py: Python<'_>, patch: &Bound<'_, PyAny>) -> PyResult<u64> {
        guard(py, || {
            let patch = json::document(patch)?;
            self.call(py, |client| client.patch_reported(&patch))
        })
    }

    fn set_reported(&self, py: Python<'_>, document: &Bound<'_, PyAny>) -> PyResult<u64> {
        guard(py, || {
            let document = json::document(document)?;
            self.call(py, |client| client.set_reported(document))
        })
    }

    fn wait_reported(&self, py: Python<'_>, generation: u64, limit: Option<f64>) -> PyResult<()> {
        guard(py, || {
            wait(py, limit, |slice| {
                self.client.wait_reported(generation, slice).map(|_| ())
            })
        })
    }

    fn poll_reported(&self, py: Python<'_>, generation: u64) -> PyResult<Option<bool>> {
        self.poll(py, |client| {
            client
                .wait_reported(generation, Duration::ZERO)
                .map(|_| true)
        })
    }

    /// The next event, without waiting for one.
    fn next_event<'py>(&self, py: Python<'py>) -> PyResult<Option<Raw<'py>>> {
        guard(py, || {
            loop {
                let event = self.call(py, |client| {
                    let moved = self.moved().pop();
                    moved.map_or_else(
                        || client.next_event(Duration::ZERO),
                        |event| Ok(Some(event)),
                    )
                })?;
                let Some(event) = event else { return Ok(None) };
                if let Some(raw) = events::raw(py, &event)? {
                    return Ok(Some(raw));
                }
            }
        })
    }

    /// Moves the client's events to a queue of our own, which merges like the client's, so that the
    /// descriptor falls silent although the program has not taken them. Tells whether more can come.
    fn pump(&self, py: Python<'_>) -> PyResult<bool> {
        let moved = self.call(py, |client| {
            while let Some(event) = client.next_event(Duration::ZERO)? {
                self.moved().push(event);
            }
            Ok(true)
        });
        match moved {
            Err(error) if is_kind(py, &error, ErrorKind::Closed) => Ok(false),
            other => other,
        }
    }

    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        guard(py, || {
            statistics(py, &py.detach(|| self.client.statistics()))
        })
    }

    fn close(&self, py: Python<'_>, limit: f64) -> PyResult<()> {
        self.call(py, |client| client.close(duration("timeout", limit)?))
    }

    /// Begins to close, and tells when that is done.
    fn poll_closed(&self, py: Python<'_>) -> PyResult<Option<bool>> {
        self.poll(py, |client| client.close(Duration::ZERO).map(|()| true))
    }

    fn take_logs(&self) -> Vec<Record> {
        self.logs.take()
    }
}

impl Client {
    fn moved(&self) -> MutexGuard<'_, EventQueue> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call that returns at once or in the time it was given, detached from the interpreter.
    fn call<T: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&ModuleClient) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        guard(py, || {
            py.detach(|| call(&self.client))
                .map_err(|error| raise(py, &error))
        })
    }

    /// A look at something that is being waited for: `None` when it is not there yet.
    fn poll<T: Send>(
        &self,
        py: Python<'_>,
        look: impl FnOnce(&ModuleClient) -> Result<T, Error> + Send,
    ) -> PyResult<Option<T>> {
        self.call(py, |client| match look(client) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.kind() == ErrorKind::Timeout => Ok(None),
            Err(error) => Err(error),
        })
    }
}

/// Waits in slices, so that Ctrl-C ends the wait; without a limit, for ever.
fn wait<T: Send>(
    py: Python<'_>,
    limit: Option<f64>,
    call: impl Fn(Duration) -> Result<T, Error> + Sync,
) -> PyResult<T> {
    let limit = limit.map(|limit| duration("timeout", limit)).transpose();
    let limit = limit.map_err(|error| raise(py, &error))?;
    let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let slice = left.map_or(SLICE, |left| left.min(SLICE));
        match py.detach(|| call(slice)) {
            Err(error)
                if error.kind() == ErrorKind::Timeout && left.is_none_or(|left| left > SLICE) =>
            {
                py.check_signals()?;
            }
            answer => return answer.map_err(|error| raise(py, &error)),
        }
    }
}

/// Both sections of a twin, each with its `$version`.
fn twin<'py>(py: Python<'py>, twin: &Twin) -> PyResult<Bound<'py, PyAny>> {
    let sections = PyDict::new(py);
    sections.set_item("desired", section(py, &twin.desired, twin.desired_version)?)?;
    let nothing = serde_json::Value::Object(serde_json::Map::new());
    let reported = twin.reported.as_deref().unwrap_or(&nothing);
    sections.set_item("reported", section(py, reported, twin.reported_version)?)?;
    Ok(sections.into_any())
}

fn set_durations(options: &mut ClientOptions, given: &HashMap<String, f64>) -> Result<(), Error> {
    for (name, seconds) in given {
        let value = duration(name, *seconds)?;
        match name.as_str() {
            "keep_alive" => options.keep_alive(value),
            "token_lifetime" => options.token_lifetime(value),
            "connect_timeout" => options.connect_timeout(value),
            "request_timeout" => options.request_timeout(value),
            "backoff_max" => options.backoff_max(value),
            _ => {
                return Err(Error::new(
                    ErrorKind::Internal,
                    format!("no duration {name:?}"),
                ));
            }
        };
    }
    Ok(())
}

fn duration(name: &str, seconds: f64) -> Result<Duration, Error> {
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        let message = format!("{name}: expected seconds from 0, found {seconds}");
        Error::new(ErrorKind::InvalidArgument, message)
    })
}

fn read_mode(word: &str) -> Result<RootMode, Error> {
    match word {
        "add" => Ok(RootMode::Add),
        "replace" => Ok(RootMode::Replace),
        _ => {
            let message =
                format!("root_certificates_mode: expected add or replace, found {word:?}");
            Err(Error::new(ErrorKind::InvalidArgument, message))
        }
    }
}

fn read_capacity(capacity: i64) -> Result<usize, Error> {
    usize::try_from(capacity).map_err(|_| {
        let message = format!("event_capacity: expected 8 to 65536, found {capacity}");
        Error::new(ErrorKind::InvalidArgument, message)
    })
}

/// `device/module` of a connection string that has been accepted.
fn module_of(connection_string: &str) -> String {
    let parsed = ConnectionString::parse(connection_string);
    parsed.map_or_else(
        |_| String::new(),
        |parsed| {
            let module = parsed
                .identity
                .module()
                .map_or("", |module| module.as_str());
            format!("{}/{module}", parsed.identity.device())
        },
    )
}

fn read_level(level: i32) -> LogLevel {
    match level {
        ..=1 => LogLevel::Error,
        2 => LogLevel::Warn,
        3 => LogLevel::Info,
        4 => LogLevel::Debug,
        _ => LogLevel::Trace,
    }
}

fn is_kind(py: Python<'_>, error: &PyErr, kind: ErrorKind) -> bool {
    let status = error
        .value(py)
        .getattr("status")
        .and_then(|status| status.extract::<i32>());
    status.is_ok_and(|status| status == kind.code())
}

/// Every counter by its name.
fn statistics<'py>(py: Python<'py>, found: &Statistics) -> PyResult<Bound<'py, PyDict>> {
    let counters = PyDict::new(py);
    macro_rules! count {
        ($($name:ident)*) => { $(counters.set_item(stringify!($name), found.$name)?;)* };
    }
    count! {
        connect_attempts connections connections_lost refusals planned_renewals twin_reads
        patches_sent patches_acknowledged patches_refused requests_timed_out notifications gaps
        events_merged events_waiting bytes_in bytes_out records_saved last_outage_ms
    }
    Ok(counters)
}
