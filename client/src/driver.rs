//! One module on the I/O thread: carries actions from the engine to whoever does them, and what
//! happens back.

use std::sync::Arc;

use mio::Registry;
use twinguard_core::identity::{SharedAccessKey, SignError, Signer};
use twinguard_core::module::{Action, Input};

use crate::dns::Resolver;
use crate::error::Error;
use crate::runtime::Attach;
use crate::shared::{Life, Shared};
use crate::sys;
use crate::transport::native::Native;
use crate::transport::{Context, Slots, Transport};

/// Rounds of action and answer before other modules have their turn.
const ROUNDS: usize = 8;

pub(crate) struct Driver {
    pub(crate) shared: Arc<Shared>,
    pub(crate) transport: Box<dyn Transport>,
    /// The timer that is set for it.
    pub(crate) timer_ms: Option<u64>,
    signing_key: Option<SharedAccessKey>,
}

/// What a turn has left.
pub(crate) struct Turn {
    /// There is more to do at once.
    pub(crate) more: bool,
    /// When the next turn is due even if nothing happens.
    pub(crate) deadline_ms: Option<u64>,
    /// The module is closed.
    pub(crate) over: bool,
}

impl Driver {
    pub(crate) fn new(attach: Attach) -> Self {
        let transport = Box::new(Native::new(attach.tls));
        let Attach {
            shared,
            signing_key,
            ..
        } = attach;
        Self {
            shared,
            transport,
            timer_ms: None,
            signing_key,
        }
    }

    /// Goes on until nothing is left to do, or others should have their turn.
    pub(crate) fn turn(
        &mut self,
        registry: &Registry,
        resolver: &mut Resolver,
    ) -> Result<Turn, Error> {
        let shared = self.shared.clone();
        let mut more = true;
        for _ in 0..ROUNDS {
            let now = sys::now();
            let traffic = self.transport.traffic();
            let actions = shared.with(|core| {
                core.traffic = traffic;
                core.step(now)
            })?;
            let slots = Slots(shared.key);
            let log = &shared.log;
            let mut context = Context {
                registry,
                resolver: &mut *resolver,
                slots,
                now_ms: now.mono_ms,
                log,
            };
            let mut fed = !actions.is_empty();
            for action in actions {
                self.act(&mut context, action);
            }
            let mut feed = |input: Input<'_>| {
                fed = true;
                shared.feed(now, input);
            };
            more = self.transport.turn(&mut context, &mut feed);
            if !fed {
                break;
            }
            // What was fed may have led to actions.
            more = true;
        }
        let (over, engine) = shared.with(|core| (core.is_closed(), core.module.next_deadline()))?;
        let deadline_ms = [engine, self.transport.deadline()]
            .into_iter()
            .flatten()
            .min();
        Ok(Turn {
            more,
            deadline_ms,
            over: over && !more,
        })
    }

    fn act(&mut self, context: &mut Context<'_>, action: Action) {
        match action {
            // A key in memory signs in microseconds; nothing slower is held here.
            Action::Sign { id, data } => {
                let result = match &self.signing_key {
                    Some(key) => key.sign(&data),
                    None => Err(SignError::new("there is no key")),
                };
                self.shared.feed(sys::now(), Input::Signed { id, result });
            }
            Action::Persist(record) => self.shared.save(record),
            other => self.transport.act(context, other),
        }
    }

    /// Closes the descriptors, then lets the waiting calls go.
    pub(crate) fn end(self) {
        let Self {
            shared, transport, ..
        } = self;
        let traffic = transport.traffic();
        drop(transport);
        // Of an unusable module nobody expects anything but errors.
        let _ = shared.with(|core| {
            core.traffic = traffic;
            core.life = Life::Gone;
        });
        shared.wake_all();
    }
}
