//! The network between the module and the hub, and the hub's moods.

use super::*;

impl World {
    pub(super) fn dialled(&mut self, link: u64, username: &str, password: &str) {
        if !self.links.get(&link).is_some_and(|l| l.module_up) {
            return;
        }
        let code = if self.chance(self.profile.busy) {
            3
        } else if self.chance(self.profile.unauthorized) {
            5
        } else {
            self.hub.connect(link, username, password, self.unix_s())
        };
        self.send_down(link, Down::Connack(code));
        self.links
            .get_mut(&link)
            .into_iter()
            .for_each(|l| l.hub_up = code == 0);
        self.flush_hub();
    }

    pub(super) fn at_hub(&mut self, link: u64, up: Up) {
        if !self.links.get(&link).is_some_and(|l| l.hub_up) {
            return;
        }
        match up {
            Up::Disconnect => {
                self.hub.disconnect(link);
                self.links
                    .get_mut(&link)
                    .into_iter()
                    .for_each(|l| l.hub_up = false);
            }
            Up::Subscribe { id, filters } => match self.hub.subscribe(link, &filters) {
                Ok(()) => self.send_down(link, Down::Suback { id, granted: true }),
                Err(_) => self.hub_closes_link(link),
            },
            Up::Publish { topic, payload } => {
                let answer = self.answer();
                match self.hub.publish(link, &topic, &payload, answer) {
                    Ok(messages) => messages.into_iter().for_each(|(topic, payload)| {
                        self.send_down(link, Down::Message { topic, payload });
                    }),
                    Err(_) => self.hub_closes_link(link),
                }
            }
        }
        self.flush_hub();
    }

    pub(super) fn at_module(&mut self, link: u64, down: Down) {
        let Some(there) = self.links.get_mut(&link).filter(|l| l.module_up) else {
            return;
        };
        let connection = there.connection;
        let ends = matches!(down, Down::Closed(_)) || matches!(down, Down::Connack(1..));
        there.module_up = !ends;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>9} input {}", self.now_ms, describe(&down)));
        }
        let now = self.now();
        match down {
            Down::Connack(0) => {
                self.module.handle(
                    now,
                    Input::Connected {
                        connection,
                        session_present: true,
                    },
                );
            }
            Down::Connack(code) => self.module.handle(now, Input::Refused { connection, code }),
            Down::Suback { id, granted } => {
                self.module.handle(
                    now,
                    Input::Subscribed {
                        connection,
                        id,
                        granted,
                    },
                );
            }
            Down::Message { topic, payload } => {
                let message = Input::Message {
                    connection,
                    topic: &topic,
                    payload: &payload,
                };
                self.module.handle(now, message);
            }
            Down::Closed(kind) => {
                let cause = CloseCause {
                    kind,
                    detail: format!("{HUB}: {kind:?}"),
                };
                self.module.handle(now, Input::Closed { connection, cause });
            }
        }
    }

    pub(super) fn dial(&mut self, request: ConnectRequest) {
        self.attempts.push(self.now_ms);
        let link = self.sequence;
        self.sequence += 1;
        let there = Link {
            connection: request.connection,
            module_up: true,
            hub_up: false,
            cut: false,
            last_up: 0,
            last_down: 0,
        };
        self.links.retain(|_, l| l.module_up || l.hub_up);
        self.links.insert(link, there);
        if self.chance(self.profile.dial_silent) {
            if self.rng.bool() {
                let at = self.now_ms + request.timeout_ms;
                self.schedule(at, Delivery::Down(link, Down::Closed(CloseKind::Timeout)));
            }
        } else if self.chance(self.profile.dial_fails) {
            let kinds = [
                CloseKind::Dns,
                CloseKind::Network,
                CloseKind::Tls,
                CloseKind::Peer,
            ];
            let kind = self.rng.choice(kinds).unwrap_or(CloseKind::Network);
            let at = self.now_ms + self.latency();
            self.schedule(at, Delivery::Down(link, Down::Closed(kind)));
        } else {
            let password = request
                .password
                .as_ref()
                .map(|token| token.as_str().to_owned());
            let (username, password) = (request.username, password.unwrap_or_default());
            let at = self.now_ms + 3 * self.latency();
            self.schedule(
                at,
                Delivery::Dial {
                    link,
                    username,
                    password,
                },
            );
        }
    }

    pub(super) fn send_up(&mut self, connection: ConnectionId, up: Up) {
        let Some(link) = self.link_of(connection) else {
            return;
        };
        let latency = self.latency();
        let Some(there) = self.links.get_mut(&link).filter(|l| !l.cut) else {
            return;
        };
        there.last_up = there.last_up.max(self.now_ms + latency);
        let at = there.last_up;
        self.schedule(at, Delivery::Up(link, up));
        if self.chance(self.profile.cut) {
            self.cut_link(link);
        }
    }

    pub(super) fn send_down(&mut self, link: u64, down: Down) {
        let latency = self.latency();
        let message = matches!(down, Down::Message { .. });
        let overtakes = message && self.chance(self.profile.reorder);
        let twice = message && self.chance(self.profile.duplicate);
        let Some(there) = self.links.get_mut(&link).filter(|l| !l.cut) else {
            return;
        };
        let mut at = self.now_ms + latency;
        if !overtakes {
            there.last_down = there.last_down.max(at);
            at = there.last_down;
        }
        if twice {
            let again = at + self.rng.u64(0..2_000);
            self.schedule(again, Delivery::Down(link, down.clone()));
        }
        self.schedule(at, Delivery::Down(link, down));
        if message && self.chance(self.profile.cut) {
            self.cut_link(link);
        }
    }

    /// Loses a tail of what is on its way in each direction; then both ends learn of it.
    pub(super) fn cut_link(&mut self, link: u64) {
        let Some(there) = self.links.get_mut(&link).filter(|l| !l.cut) else {
            return;
        };
        there.cut = true;
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for (key, delivery) in &self.deliveries {
            match delivery {
                Delivery::Up(l, _) | Delivery::Dial { link: l, .. } if *l == link => up.push(*key),
                Delivery::Down(l, _) if *l == link => down.push(*key),
                _ => {}
            }
        }
        let mut last = [self.now_ms; 2];
        for (way, last) in [up, down].iter().zip(&mut last) {
            let kept = self.rng.usize(0..=way.len());
            way.iter()
                .skip(kept)
                .for_each(|key| drop(self.deliveries.remove(key)));
            *last = way
                .iter()
                .take(kept)
                .map(|(at, _)| *at)
                .fold(*last, u64::max);
        }
        let [up, down] = last;
        self.schedule(up, Delivery::Gone(link));
        self.schedule(down, Delivery::Down(link, Down::Closed(CloseKind::Peer)));
    }

    pub(super) fn hub_closes_link(&mut self, link: u64) {
        self.hub.disconnect(link);
        self.links
            .get_mut(&link)
            .into_iter()
            .for_each(|l| l.hub_up = false);
        self.send_down(link, Down::Closed(CloseKind::Peer));
    }

    /// Puts on the wire what the hub has to say.
    pub(super) fn flush_hub(&mut self) {
        while let Some((link, topic, payload)) = self.hub.next_message() {
            self.send_down(link, Down::Message { topic, payload });
        }
        while let Some(link) = self.hub.next_closed() {
            self.hub_closes_link(link);
        }
    }

    pub(super) fn answer(&mut self) -> Answer {
        if let Some(answer) = self.hub.script.pop_front() {
            return answer;
        }
        let garbage: [&[u8]; 6] = [
            b"",
            b"{",
            b"[]",
            b"\xff",
            b"{\"desired\":{}}",
            b"{\"desired\":{\"a\":1},\"reported\":{}}",
        ];
        if self.chance(self.profile.silence) {
            Answer::Silence
        } else if self.chance(self.profile.throttle) {
            Answer::Status(429, Vec::new())
        } else if self.chance(self.profile.fault) {
            let status = self.rng.choice([500, 503, 408]).unwrap_or(500);
            if self.rng.bool() {
                Answer::Status(status, Vec::new())
            } else {
                Answer::StatusAfterAll(status)
            }
        } else if self.chance(self.profile.garbage) {
            // As the answer to a patch this says "taken", so it is garbage only to a read.
            let body = self.rng.choice(garbage).unwrap_or_default();
            Answer::Garbage(body.to_vec())
        } else {
            Answer::Normal
        }
    }

    pub(super) fn schedule(&mut self, at: u64, delivery: Delivery) {
        self.sequence += 1;
        self.deliveries
            .insert((at.max(self.now_ms), self.sequence), delivery);
    }

    pub(super) fn link_of(&self, connection: ConnectionId) -> Option<u64> {
        let mut links = self.links.iter().rev();
        links
            .find(|(_, l)| l.module_up && l.connection == connection)
            .map(|(link, _)| *link)
    }

    pub(super) fn latency(&mut self) -> u64 {
        let spike = if self.chance(self.profile.spike) {
            self.rng.u64(0..=self.profile.spike_ms)
        } else {
            0
        };
        self.rng.u64(self.profile.latency_ms.clone()) + spike
    }

    pub(super) fn chance(&mut self, chance: f64) -> bool {
        chance > 0.0 && self.rng.f64() < chance
    }
}
