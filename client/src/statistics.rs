//! What a module has done so far, in numbers.

use twinguard_core::module::Statistics as EngineStatistics;

/// Plain counters since the client was built. They only grow, except where said.
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
    /// Desired notifications received.
    pub notifications: u64,
    /// Times a desired notification was missing, and the whole twin was read instead.
    pub gaps: u64,
    /// Events merged with later ones because the host had not taken them.
    pub events_merged: u64,
    /// Events that wait for the host now.
    pub events_waiting: u64,
    /// Bytes read from the network, TLS included.
    pub bytes_in: u64,
    /// Bytes written to the network, TLS included.
    pub bytes_out: u64,
    /// Records saved.
    pub records_saved: u64,
    /// How long the last outage took, from the loss to running again, in milliseconds. The first
    /// connection and planned renewals are no outages.
    pub last_outage_ms: u64,
}

impl Statistics {
    /// What the engine has counted; the rest is the driver's.
    pub(crate) fn from_engine(engine: &EngineStatistics) -> Self {
        Self {
            connect_attempts: engine.connect_attempts,
            connections: engine.connections,
            connections_lost: engine.connections_lost,
            refusals: engine.refusals,
            planned_renewals: engine.planned_renewals,
            twin_reads: engine.twin_reads,
            patches_sent: engine.patches_sent,
            patches_acknowledged: engine.patches_acknowledged,
            patches_refused: engine.patches_refused,
            requests_timed_out: engine.requests_timed_out,
            notifications: engine.notifications,
            gaps: engine.gaps,
            ..Self::default()
        }
    }
}
