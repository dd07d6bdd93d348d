//! What a module has done so far, in numbers.

/// Plain counters since the module was made. They only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Connection attempts, planned renewals included.
    pub connect_attempts: u64,
    /// Connections the hub accepted.
    pub connections: u64,
    /// Connections that ended without being asked to, and attempts that failed.
    pub connections_lost: u64,
    /// Connection attempts the hub refused with a return code.
    pub refusals: u64,
    /// Reconnects that the module made by itself to renew its token.
    pub planned_renewals: u64,
    /// Tokens the module asked its signer for.
    pub tokens_signed: u64,
    /// Twin reads sent.
    pub twin_reads: u64,
    /// Reported patches sent.
    pub patches_sent: u64,
    /// Reported patches the hub took.
    pub patches_acknowledged: u64,
    /// Reported patches the hub refused for good.
    pub patches_refused: u64,
    /// Twin requests that were not answered in time.
    pub requests_timed_out: u64,
    /// Twin requests that ended with an error status or an answer that is not a twin.
    pub requests_failed: u64,
    /// Desired notifications received.
    pub notifications: u64,
    /// Times a desired notification was missing, and the whole twin was read instead.
    pub gaps: u64,
    /// Messages that fit nothing the module asked for: late answers, unknown topics.
    pub messages_ignored: u64,
    /// Events that were merged with a later one because the host had not taken them.
    pub events_merged: u64,
}
