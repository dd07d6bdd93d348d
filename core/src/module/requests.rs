//! Twin requests in flight: at most one read and one patch, each with its own deadline.

use crate::module::io::Now;

/// A request that the hub has not answered yet.
struct Pending {
    rid: String,
    deadline: u64,
}

/// Which request an answer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// The read in flight.
    Read,
    /// The patch in flight.
    Patch,
    /// A patch that was given up: its answer tells that it has been carried out after all.
    LatePatch,
    /// Nothing that is waited for.
    Nothing,
}

/// The requests of the current connection.
pub(crate) struct Requests {
    /// Keeps request ids of one process apart from those of the one before, whose answers a hub
    /// with a kept session may still deliver.
    nonce: u32,
    count: u64,
    timeout_ms: u64,
    read: Option<Pending>,
    patch: Option<Pending>,
    late_patch: Option<String>,
    /// Requests that timed out since the hub last answered one.
    unanswered: u32,
}

impl Requests {
    pub(crate) fn new(nonce: u32, timeout_ms: u64) -> Self {
        Self {
            nonce,
            count: 0,
            timeout_ms,
            read: None,
            patch: None,
            late_patch: None,
            unanswered: 0,
        }
    }

    /// The connection is gone, and every answer with it.
    pub(crate) fn clear(&mut self) {
        self.read = None;
        self.patch = None;
        self.late_patch = None;
        self.unanswered = 0;
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.read.is_none() && self.patch.is_none()
    }

    pub(crate) fn is_reading(&self) -> bool {
        self.read.is_some()
    }

    pub(crate) fn is_patching(&self) -> bool {
        self.patch.is_some()
    }

    /// How many are in flight.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn len(&self) -> usize {
        usize::from(self.is_reading()).saturating_add(usize::from(self.is_patching()))
    }

    /// Begins a read and gives its request id.
    pub(crate) fn begin_read(&mut self, now: Now) -> String {
        let rid = self.next_rid();
        self.read = Some(Pending {
            rid: rid.clone(),
            deadline: self.deadline_from(now),
        });
        rid
    }

    /// Begins a patch and gives its request id.
    pub(crate) fn begin_patch(&mut self, now: Now) -> String {
        let rid = self.next_rid();
        self.patch = Some(Pending {
            rid: rid.clone(),
            deadline: self.deadline_from(now),
        });
        rid
    }

    /// Ends the request with this id.
    pub(crate) fn answer(&mut self, rid: &str) -> Answered {
        let answered = self.match_answer(rid);
        if answered != Answered::Nothing {
            self.unanswered = 0;
        }
        answered
    }

    fn match_answer(&mut self, rid: &str) -> Answered {
        if self.read.take_if(|p| p.rid == rid).is_some() {
            Answered::Read
        } else if self.patch.take_if(|p| p.rid == rid).is_some() {
            Answered::Patch
        } else if self.late_patch.take_if(|late| late == rid).is_some() {
            Answered::LatePatch
        } else {
            Answered::Nothing
        }
    }

    /// Gives up the read if its time is over.
    pub(crate) fn expire_read(&mut self, now: Now) -> bool {
        let expired = self.read.take_if(|p| p.deadline <= now.mono_ms).is_some();
        self.unanswered = self.unanswered.saturating_add(u32::from(expired));
        expired
    }

    /// Gives up the patch if its time is over. Whether the hub has carried it out is unknown.
    pub(crate) fn expire_patch(&mut self, now: Now) -> bool {
        let Some(patch) = self.patch.take_if(|p| p.deadline <= now.mono_ms) else {
            return false;
        };
        self.late_patch = Some(patch.rid);
        self.unanswered = self.unanswered.saturating_add(1);
        true
    }

    /// Requests that timed out in a row.
    pub(crate) fn unanswered(&self) -> u32 {
        self.unanswered
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        [&self.read, &self.patch]
            .into_iter()
            .flatten()
            .map(|p| p.deadline)
            .min()
    }

    fn deadline_from(&self, now: Now) -> u64 {
        now.mono_ms.saturating_add(self.timeout_ms)
    }

    fn next_rid(&mut self) -> String {
        self.count = self.count.saturating_add(1);
        format!("{:08x}{:x}", self.nonce, self.count)
    }
}
