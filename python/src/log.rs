//! Log records on their way to Python's `logging`.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::{SystemTime, UNIX_EPOCH};

use twinguard_client::{LogLevel, LogRecord, LogSink};

/// Records that wait at most; the newest are dropped and counted.
const CAPACITY: usize = 1024;

/// One record: level, target, module, message, and when it was made (Unix seconds).
pub(crate) type Record = (i32, &'static str, String, String, f64);

/// The sink: it takes records on any thread without waiting for the interpreter.
#[derive(Default)]
pub(crate) struct LogQueue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    records: VecDeque<Record>,
    dropped: u64,
}

impl LogQueue {
    /// Everything that waits. Gives nothing rather than wait for a thread that is writing: after a
    /// fork that thread may not exist.
    pub(crate) fn take(&self) -> Vec<Record> {
        let mut waiting = match self.0.try_lock() {
            Ok(waiting) => waiting,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Vec::new(),
        };
        let dropped = std::mem::take(&mut waiting.dropped);
        let mut records: Vec<Record> = waiting.records.drain(..).collect();
        if let Some((_, _, module, _, _)) = records.last().filter(|_| dropped > 0) {
            let message = format!("{dropped} log records were dropped");
            records.push((LogLevel::Warn as i32, "log", module.clone(), message, now()));
        }
        records
    }
}

impl LogSink for LogQueue {
    fn log(&self, record: &LogRecord<'_>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.records.len() >= CAPACITY {
            waiting.dropped = waiting.dropped.saturating_add(1);
            return;
        }
        let (module, message) = (record.module.to_owned(), record.message.to_owned());
        waiting
            .records
            .push_back((record.level as i32, record.target, module, message, now()));
    }
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
