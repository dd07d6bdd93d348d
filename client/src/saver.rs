//! Saves records without holding up anybody.
//!
//! `fsync` takes milliseconds on a good day and seconds on a worn flash, which the I/O thread must
//! not spend while other modules wait. So a save has a thread of its own, which ends when there is
//! nothing left to save; a record that comes meanwhile replaces the one that waits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use crate::shared::{Shared, mark_own_thread};
use crate::store::Store;
use crate::sys;

#[derive(Default)]
pub(crate) struct Saver {
    state: Mutex<State>,
    idle: Condvar,
}

#[derive(Default)]
struct State {
    /// Away while the thread saves; `None` as well when there is no store.
    store: Option<Box<dyn Store>>,
    waiting: Option<Vec<u8>>,
    /// There is a thread.
    busy: bool,
    saved: u64,
}

impl Saver {
    pub(crate) fn new(store: Option<Box<dyn Store>>) -> Self {
        Self {
            state: Mutex::new(State {
                store,
                ..State::default()
            }),
            idle: Condvar::new(),
        }
    }

    /// Records saved so far.
    pub(crate) fn saved(&self) -> u64 {
        self.lock().saved
    }

    /// Saves soon; without a store, never.
    ///
    /// # Errors
    /// One line when there is no thread to be had.
    pub(crate) fn save(shared: &Arc<Shared>, record: Vec<u8>) -> Result<(), String> {
        let mut state = shared.saver.lock();
        if state.busy {
            state.waiting = Some(record);
            return Ok(());
        }
        if state.store.is_none() {
            return Ok(());
        }
        state.waiting = Some(record);
        let saver = shared.clone();
        let spawn = || {
            thread::Builder::new()
                .name("twinguard-store".into())
                .spawn(move || run(&saver))
        };
        let spawned = sys::with_signals_blocked(spawn).map_err(std::io::Error::from);
        let started = spawned.and_then(|thread| thread);
        state.busy = started.is_ok();
        started.map(drop).map_err(|e| {
            state.waiting = None;
            format!("no thread to save the record: {e}")
        })
    }

    /// Waits until nothing is left to save and closes the store. False when the time is over.
    pub(crate) fn close(&self, deadline: Instant) -> bool {
        let mut state = self.lock();
        while state.busy {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = match self.idle.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        drop(state.store.take());
        true
    }

    /// Nothing that can panic happens under this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn run(shared: &Arc<Shared>) {
    mark_own_thread();
    let mut state = shared.saver.lock();
    while let Some(record) = state.waiting.take() {
        let Some(mut store) = state.store.take() else {
            break;
        };
        drop(state);
        let saved = catch_unwind(AssertUnwindSafe(|| store.save(&record)));
        let failed = match saved {
            Ok(Ok(())) => None,
            Ok(Err(e)) => Some(e.to_string()),
            Err(_) => Some("the store panicked".to_owned()),
        };
        if let Some(detail) = &failed {
            // The log sink is the host's; its panic must not take the store along.
            let _ = catch_unwind(AssertUnwindSafe(|| shared.persist_failed(detail)));
        }
        state = shared.saver.lock();
        state.store = Some(store);
        state.saved += u64::from(failed.is_none());
    }
    state.busy = false;
    drop(state);
    shared.saver.idle.notify_all();
}
