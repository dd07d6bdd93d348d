//! The default transport: our own look-up, TCP, rustls and a sans-I/O MQTT codec.

use std::sync::Arc;

use rustls::ClientConfig;
use twinguard_core::module::{Action, CloseCause, CloseKind, ConnectRequest, ConnectionId, Input};

use crate::dns::{Endpoint, Resolved};
use crate::log::LogLevel;
use crate::transport::dial::Dial;
use crate::transport::wire::{End, Wire};
use crate::transport::{Context, Traffic, Transport, endpoint, list};

pub(crate) struct Native {
    tls: Arc<ClientConfig>,
    attempt: Option<Attempt>,
    /// Of the connections before this one.
    traffic: Traffic,
}

/// One connection, from the look-up to its end.
struct Attempt {
    request: ConnectRequest,
    /// Until CONNACK.
    give_up_at_ms: u64,
    stage: Stage,
}

enum Stage {
    Resolving,
    Resolved(Resolved),
    Dialing(Dial),
    Up(Box<Wire>),
}

impl Native {
    pub(crate) fn new(tls: Arc<ClientConfig>) -> Self {
        Self {
            tls,
            attempt: None,
            traffic: Traffic::default(),
        }
    }

    fn connect(&mut self, context: &mut Context<'_>, request: ConnectRequest) {
        self.drop_attempt();
        let (host, port) = endpoint(&request);
        context.log.log(
            LogLevel::Debug,
            "net",
            format_args!("looking up {host}:{port}"),
        );
        let stage = match context.resolver.resolve(context.slots.0, &host, port) {
            Some(resolved) => Stage::Resolved(resolved),
            None => Stage::Resolving,
        };
        let give_up_at_ms = context.now_ms.saturating_add(request.timeout_ms);
        self.attempt = Some(Attempt {
            request,
            give_up_at_ms,
            stage,
        });
    }

    fn disconnect(&mut self, connection: ConnectionId) {
        if let Some(attempt) = &mut self.attempt
            && attempt.request.connection == connection
        {
            if let Stage::Up(wire) = &mut attempt.stage {
                wire.say_goodbye();
            }
            self.drop_attempt();
        }
    }

    fn drop_attempt(&mut self) {
        if let Some(Attempt {
            stage: Stage::Up(wire),
            ..
        }) = self.attempt.take()
        {
            let traffic = wire.traffic();
            self.traffic.bytes_in += traffic.bytes_in;
            self.traffic.bytes_out += traffic.bytes_out;
        }
    }

    /// The wire of `connection`, when that is the one that is up.
    fn wire(&mut self, connection: ConnectionId) -> Option<&mut Wire> {
        match &mut self.attempt {
            Some(Attempt {
                request,
                stage: Stage::Up(wire),
                ..
            }) if request.connection == connection => Some(wire),
            _ => None,
        }
    }
}

impl Transport for Native {
    fn act(&mut self, context: &mut Context<'_>, action: Action) {
        match action {
            Action::Connect(request) => self.connect(context, request),
            Action::Disconnect { connection } => self.disconnect(connection),
            Action::Subscribe {
                connection,
                id,
                filters,
            } => {
                if let Some(wire) = self.wire(connection) {
                    wire.subscribe(id, &filters, context.now_ms);
                }
            }
            Action::Publish {
                connection,
                id,
                topic,
                payload,
                qos,
            } => {
                if let Some(wire) = self.wire(connection) {
                    wire.publish(id, &topic, payload, qos, context.now_ms);
                }
            }
            _ => {}
        }
    }

    fn ready(&mut self, slot: usize, readable: bool, writable: bool) {
        if let Some(Attempt {
            stage: Stage::Up(wire),
            ..
        }) = &mut self.attempt
        {
            wire.ready(slot, readable, writable);
        }
    }

    fn resolved(&mut self, to: &Endpoint, addresses: &Resolved) {
        if let Some(Attempt { request, stage, .. }) = &mut self.attempt
            && matches!(stage, Stage::Resolving)
            && endpoint(request) == *to
        {
            *stage = Stage::Resolved(addresses.clone());
        }
    }

    fn turn(&mut self, context: &mut Context<'_>, feed: &mut dyn FnMut(Input<'_>)) -> bool {
        let Some(attempt) = &mut self.attempt else {
            return false;
        };
        let connection = attempt.request.connection;
        match attempt.turn(&self.tls, context, feed) {
            Ok(more) => more,
            Err(end) => {
                self.drop_attempt();
                match end {
                    End::Refused(code) => feed(Input::Refused { connection, code }),
                    End::Closed(cause) => feed(Input::Closed { connection, cause }),
                }
                false
            }
        }
    }

    fn deadline(&self) -> Option<u64> {
        let attempt = self.attempt.as_ref()?;
        match &attempt.stage {
            Stage::Resolved(_) => Some(0),
            Stage::Resolving => Some(attempt.give_up_at_ms),
            Stage::Dialing(dial) => {
                let next = dial.deadline().unwrap_or(attempt.give_up_at_ms);
                Some(next.min(attempt.give_up_at_ms))
            }
            Stage::Up(wire) => Some(wire.deadline().unwrap_or(attempt.give_up_at_ms)),
        }
    }

    fn traffic(&self) -> Traffic {
        let now = match &self.attempt {
            Some(Attempt {
                stage: Stage::Up(wire),
                ..
            }) => wire.traffic(),
            _ => Traffic::default(),
        };
        Traffic {
            bytes_in: self.traffic.bytes_in + now.bytes_in,
            bytes_out: self.traffic.bytes_out + now.bytes_out,
        }
    }
}

impl Attempt {
    fn turn(
        &mut self,
        tls: &Arc<ClientConfig>,
        context: &mut Context<'_>,
        feed: &mut dyn FnMut(Input<'_>),
    ) -> Result<bool, End> {
        if let Stage::Resolved(resolved) = &mut self.stage {
            let resolved = std::mem::replace(resolved, Ok(Vec::new()));
            self.stage = Stage::Dialing(self.dial(context, resolved)?);
        }
        if let Stage::Dialing(dial) = &mut self.stage
            && let Some(dialed) = dial.turn(context.registry, context.slots, context.now_ms)
        {
            let dialed = dialed.map_err(End::Closed)?;
            context.log.log(
                LogLevel::Debug,
                "net",
                format_args!("TCP connection to {}", dialed.address),
            );
            let wire = Wire::new(tls, dialed, &self.request, context.now_ms)?;
            self.stage = Stage::Up(Box::new(wire));
        }
        let more = match &mut self.stage {
            Stage::Up(wire) => wire.turn(&self.request, context, feed)?,
            _ => false,
        };
        let signed_in = matches!(&self.stage, Stage::Up(wire) if wire.is_signed_in());
        if !signed_in && context.now_ms >= self.give_up_at_ms {
            return Err(End::closed(CloseKind::Timeout, self.timed_out()));
        }
        Ok(more)
    }

    fn dial(&self, context: &Context<'_>, resolved: Resolved) -> Result<Dial, End> {
        let addresses = resolved.map_err(|detail| End::closed(CloseKind::Dns, detail))?;
        let host = self.request.host.host();
        if addresses.is_empty() {
            return Err(End::closed(
                CloseKind::Dns,
                format!("{host}: the name has no address"),
            ));
        }
        context.log.log(
            LogLevel::Debug,
            "net",
            format_args!("{host} is {}", list(&addresses)),
        );
        Ok(Dial::new(host, addresses, context.now_ms))
    }

    fn timed_out(&self) -> String {
        let host = self.request.host.host();
        match &self.stage {
            Stage::Resolving | Stage::Resolved(_) => format!("{host}: the look-up takes too long"),
            Stage::Dialing(dial) => dial.timed_out(),
            Stage::Up(wire) => format!("{host}: {}", wire.waiting_for()),
        }
    }
}

impl End {
    pub(crate) fn closed(kind: CloseKind, detail: impl Into<String>) -> Self {
        Self::Closed(CloseCause {
            kind,
            detail: detail.into(),
        })
    }
}
