//! Log records to a sink that the host gives. There is none by default, and nothing is written
//! anywhere else.

use std::fmt;
use std::sync::Arc;

/// How much a record matters; a sink gets the records of its level and of those above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i32)]
pub enum LogLevel {
    /// Something does not work and will not by itself.
    Error = 1,
    /// Something does not work; the module goes on trying.
    Warn = 2,
    /// The steps of a life: connected, configuration in force, closed.
    Info = 3,
    /// What the module does, one line per step.
    Debug = 4,
    /// Every packet, by its kind and size; never its content.
    Trace = 5,
}

/// One record. It never holds a key, a token or the content of a document.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LogRecord<'a> {
    /// How much it matters.
    pub level: LogLevel,
    /// The part of the library: `client`, `net`, `twin`, `store`.
    pub target: &'static str,
    /// `device/module`.
    pub module: &'a str,
    /// One line.
    pub message: &'a str,
}

/// Where records go. Called on the thread that logs, which may be the I/O thread: it must not
/// block, and calls that wait for the module end with [`crate::ErrorKind::Reentrant`] there.
pub trait LogSink: Send + Sync {
    /// Takes one record.
    fn log(&self, record: &LogRecord<'_>);
}

/// The sink of one module; a disabled level costs one comparison.
#[derive(Clone, Default)]
pub(crate) struct Logger {
    /// 0 when there is no sink.
    level: i32,
    sink: Option<Arc<dyn LogSink>>,
    module: Arc<str>,
}

impl Logger {
    pub(crate) fn new(sink: Option<(LogLevel, Arc<dyn LogSink>)>, module: &str) -> Self {
        let (level, sink) = sink.map_or((0, None), |(level, sink)| (level as i32, Some(sink)));
        Self {
            level,
            sink,
            module: module.into(),
        }
    }

    pub(crate) fn log(&self, level: LogLevel, target: &'static str, text: fmt::Arguments<'_>) {
        if level as i32 > self.level {
            return;
        }
        if let Some(sink) = &self.sink {
            let message = text.to_string();
            sink.log(&LogRecord {
                level,
                target,
                module: &self.module,
                message: &message,
            });
        }
    }
}
