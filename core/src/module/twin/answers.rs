//! What the hub says about the twin.

use fastrand::Rng;
use serde_json::Value;

use super::*;
use crate::twin::document::DesiredDocument;

/// Characters of the hub's words that are passed on.
const MAX_WORDS: usize = 256;

impl TwinSync {
    pub(super) fn read_answered(
        &mut self,
        now: Now,
        status: u16,
        payload: &[u8],
        rng: &mut Rng,
        out: &mut Outbox,
    ) {
        if TwinStatus::from_code(status) != TwinStatus::Ok {
            let message = format!("twin read {}", words(status, payload));
            let trouble = Trouble::new(TroubleKind::Twin, message, Some(status));
            return self.read_failed(now, trouble, rng, out);
        }
        let taken = parse_twin(payload).and_then(|(desired, reported)| {
            let step = self.desired.read(desired).map_err(|e| e.to_string())?;
            Ok((step, reported))
        });
        let (step, reported) = match taken {
            Ok(taken) => taken,
            Err(message) => {
                let message = format!("twin read: {message}");
                let trouble = Trouble::new(TroubleKind::Protocol, message, None);
                return self.read_failed(now, trouble, rng, out);
            }
        };
        self.desired_moved(Origin::Hub, out);
        self.reported_read(reported, out);
        self.last_trouble = None;
        if let Some(refresh) = self.reads.succeeded(now) {
            out.events.push(Event::Read(ReadOutcome {
                refresh,
                trouble: None,
            }));
        }
        match step {
            Heard::Current | Heard::Behind => {}
            Heard::Gap => {
                out.statistics.gaps = out.statistics.gaps.saturating_add(1);
                self.reads.again_later(now, rng);
            }
            Heard::GaveUp => {
                let message = "the hub announced desired versions that its twin does not have";
                self.trouble(Trouble::new(TroubleKind::Protocol, message, None), out);
            }
        }
    }

    /// The hub's reported section, if the answer can be believed about it.
    fn reported_read(&mut self, reported: DesiredDocument, out: &mut Outbox) {
        if self.read_sees_reported {
            if let Some(outcome) = self.reported.read(reported) {
                self.unsaved = true;
                self.tell_outcome(outcome, out);
            }
        } else if self.reported.is_in_doubt() && !self.requests.is_patching() {
            self.reads.need();
        }
    }

    pub(super) fn read_failed(
        &mut self,
        now: Now,
        trouble: Trouble,
        rng: &mut Rng,
        out: &mut Outbox,
    ) {
        out.statistics.requests_failed = out.statistics.requests_failed.saturating_add(1);
        if let Some(refresh) = self.reads.failed(now, rng) {
            out.events.push(Event::Read(ReadOutcome {
                refresh,
                trouble: Some(trouble.clone()),
            }));
        }
        self.trouble(trouble, out);
    }

    pub(super) fn patch_answered(
        &mut self,
        now: Now,
        status: u16,
        version: Option<u64>,
        payload: &[u8],
        rng: &mut Rng,
        out: &mut Outbox,
    ) {
        let outcome = match (status, TwinStatus::from_code(status)) {
            (200..=299, _) => {
                let taken = &mut out.statistics.patches_acknowledged;
                *taken = taken.saturating_add(1);
                self.patch_failures = 0;
                self.last_trouble = None;
                self.reported.acknowledged(version)
            }
            // 408: the hub gave up in the middle; whether it was carried out is anyone's guess.
            (400..=407 | 409..=499, TwinStatus::BadRequest) => {
                let refused = &mut out.statistics.patches_refused;
                *refused = refused.saturating_add(1);
                self.reported.refused(status, words(status, payload))
            }
            (_, meaning) => {
                self.patch_failed(now, meaning, rng, out);
                let message = format!("reported patch {}", words(status, payload));
                self.trouble(Trouble::new(TroubleKind::Twin, message, Some(status)), out);
                None
            }
        };
        if let Some(outcome) = outcome {
            self.tell_outcome(outcome, out);
        }
        if self.reported.is_in_doubt() {
            self.reads.need();
        }
    }

    /// The patch may succeed later. Unless it was throttled, it may also have been carried out.
    fn patch_failed(&mut self, now: Now, meaning: TwinStatus, rng: &mut Rng, out: &mut Outbox) {
        out.statistics.requests_failed = out.statistics.requests_failed.saturating_add(1);
        let pause = backoff::full_jitter(rng, self.patch_failures, self.backoff_max_ms);
        self.patch_failures = self.patch_failures.saturating_add(1);
        self.patch_not_before = now.mono_ms.saturating_add(pause);
        if meaning == TwinStatus::Throttled {
            self.reported.postponed();
        } else {
            self.reported.doubt();
        }
    }

    pub(super) fn notified(
        &mut self,
        now: Now,
        payload: &[u8],
        version: Option<u64>,
        rng: &mut Rng,
        out: &mut Outbox,
    ) {
        out.statistics.notifications = out.statistics.notifications.saturating_add(1);
        match self.desired.notified(payload, version) {
            Ok(Heard::Current) => self.desired_moved(Origin::Hub, out),
            Ok(Heard::Gap) => {
                out.statistics.gaps = out.statistics.gaps.saturating_add(1);
                self.reads.need();
            }
            // A read is under way or planned, and will answer this too.
            Ok(Heard::Behind | Heard::GaveUp) => {}
            Err(error) => {
                self.reads.again_later(now, rng);
                let trouble = Trouble::new(TroubleKind::Protocol, error.to_string(), None);
                self.trouble(trouble, out);
            }
        }
    }
}

/// The two sections of a twin. An answer that has not both, or no desired version, is not one.
fn parse_twin(payload: &[u8]) -> Result<(Value, DesiredDocument), String> {
    let mut twin = json::parse_object(payload, MAX_PAYLOAD_BYTES).map_err(|e| e.to_string())?;
    let mut section = |name: &str| {
        let section = twin.get_mut(name).map(Value::take).filter(Value::is_object);
        section.ok_or_else(|| format!("not a twin: /{name} is not an object"))
    };
    let (desired, reported) = (section("desired")?, section("reported")?);
    if desired.get("$version").is_none() {
        return Err("not a twin: /desired/$version is missing".to_owned());
    }
    let reported = ReportedSync::parse(reported).map_err(|e| format!("reported: {e}"))?;
    Ok((desired, reported))
}

/// The status in words, and the hub's own, on one line.
fn words(status: u16, payload: &[u8]) -> String {
    let meaning = TwinStatus::from_code(status);
    let text = match ErrorBody::parse(payload) {
        Some(body) => format!("{meaning} ({status}); {body}"),
        None => format!("{meaning} ({status})"),
    };
    text.chars().take(MAX_WORDS).collect()
}
