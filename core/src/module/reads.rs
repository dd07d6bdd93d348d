//! When the twin is read: once per connection, after a gap, after an unknown outcome, and when the
//! host asks.

use fastrand::Rng;

use crate::module::backoff;
use crate::module::io::Now;

/// The plan of reads. One read in flight is the business of the requests; this says when the next
/// one is due and which of the host's wishes it fulfils.
pub(crate) struct Reads {
    timeout_ms: u64,
    backoff_max_ms: u64,
    needed: bool,
    not_before: u64,
    failures: u32,
    /// The newest refresh asked for, covered by the read in flight, and told to the host.
    asked: u64,
    covered: u64,
    told: u64,
    /// When refreshes that no read could be sent for end as failed.
    patience: Option<u64>,
}

impl Reads {
    pub(crate) fn new(timeout_ms: u64, backoff_max_ms: u64) -> Self {
        Self {
            timeout_ms,
            backoff_max_ms,
            needed: false,
            not_before: 0,
            failures: 0,
            asked: 0,
            covered: 0,
            told: 0,
            patience: None,
        }
    }

    /// A new connection, or the end of one: whatever was read before has to be read again.
    pub(crate) fn restart(&mut self, now: Now) {
        self.needed = true;
        self.not_before = 0;
        self.failures = 0;
        self.await_connection(now);
    }

    /// The twin has to be read.
    pub(crate) fn need(&mut self) {
        self.needed = true;
    }

    /// The host wants a read that is sent from now on.
    pub(crate) fn ask(&mut self, now: Now) -> u64 {
        self.asked = self.asked.saturating_add(1);
        self.needed = true;
        self.await_connection(now);
        self.asked
    }

    /// Whether a read may be sent.
    pub(crate) fn is_due(&self, now: Now) -> bool {
        self.needed && now.mono_ms >= self.not_before
    }

    /// A read is being sent.
    pub(crate) fn sent(&mut self) {
        self.needed = false;
        self.covered = self.asked;
        self.patience = None;
    }

    /// The read in flight has ended well. Gives the refresh to tell the host, if one was waiting.
    pub(crate) fn succeeded(&mut self, now: Now) -> Option<u64> {
        self.failures = 0;
        self.not_before = 0;
        self.end(now)
    }

    /// The read in flight has failed, or what it gave is of no use. It is sent again later.
    pub(crate) fn failed(&mut self, now: Now, rng: &mut Rng) -> Option<u64> {
        self.again_later(now, rng);
        self.end(now)
    }

    /// Something is wrong with what the hub sends; reads again, but not at full speed.
    pub(crate) fn again_later(&mut self, now: Now, rng: &mut Rng) {
        let pause = backoff::full_jitter(rng, self.failures, self.backoff_max_ms);
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.mono_ms.saturating_add(pause);
        self.needed = true;
    }

    /// The refresh that has waited too long for a connection, if there is one.
    pub(crate) fn expire(&mut self, now: Now) -> Option<u64> {
        self.patience.take_if(|at| *at <= now.mono_ms)?;
        self.covered = self.asked;
        self.told_up_to()
    }

    /// The next time something has to be done. `free` says whether a read could be sent then.
    pub(crate) fn deadline(&self, free: bool) -> Option<u64> {
        let send = (free && self.needed).then_some(self.not_before);
        [send, self.patience].into_iter().flatten().min()
    }

    fn end(&mut self, now: Now) -> Option<u64> {
        let told = self.told_up_to();
        self.await_connection(now);
        told
    }

    fn told_up_to(&mut self) -> Option<u64> {
        let news = self.covered > self.told;
        self.told = self.told.max(self.covered);
        news.then_some(self.told)
    }

    fn await_connection(&mut self, now: Now) {
        if self.asked > self.told && self.patience.is_none() {
            self.patience = Some(now.mono_ms.saturating_add(self.timeout_ms));
        }
    }
}
