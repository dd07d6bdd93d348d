//! Bringing the reported section of the hub to what is wanted.
//!
//! Two write to it: the host, whole or by patches, and the library, which reports the configuration
//! in force under keys of its own. What the hub has is known from the read of each connection and
//! from every acknowledged patch; only the difference is sent, one patch at a time, until there is
//! none. After a patch whose outcome is unknown the section is read again first.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::document::{DesiredDocument, DocumentError, Freshness};
use super::json;
use super::limits::{self, LimitError};
use super::overlay::Overlay;
use super::patch;

/// What the host wants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wanted {
    /// It never said: what the hub has stays as it is.
    #[default]
    Nothing,
    /// Changes to a section that has not been read yet.
    Changes(Overlay),
    /// This whole document, without the keys of the library.
    Whole(Value),
}

/// One of the two who write to the section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writer {
    Host,
    Library,
}

/// A patch in flight.
struct Sent {
    /// The section once the hub has taken the patch.
    target: Value,
    /// The newest generation in it.
    generation: u64,
    host: bool,
    library: bool,
    /// A first part only; what is missing goes with the next patch.
    part: bool,
}

/// What the host has to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The hub has everything up to this generation.
    Acknowledged {
        generation: u64,
        version: Option<u64>,
    },
    /// The document of this generation was refused.
    Refused {
        generation: u64,
        status: u16,
        message: String,
    },
    /// What the library reports was refused.
    LibraryRefused { status: u16, message: String },
}

/// The reported section: what is wanted, and what the hub has.
pub(crate) struct ReportedSync {
    wanted: Wanted,
    /// The library's members; `null` or missing means not there.
    library: Map<String, Value>,
    /// Keys that only the library writes.
    reserved: Vec<String>,
    hub: DesiredDocument,
    /// Whether `hub` came from the hub or a record at all.
    known: bool,
    /// Whether `hub` is what the hub has now, as far as anyone can tell.
    current: bool,
    sent: Option<Sent>,
    /// Refused writers; they are asked again when they have something else to say.
    refused: [bool; 2],
    /// A patch of both was refused: each goes alone now, to find out whose fault it was.
    apart: bool,
    /// Something has changed since the difference was last worked out.
    dirty: bool,
    generation: u64,
    told: u64,
}

impl ReportedSync {
    /// A section in which the host may write every key but `reserved`.
    pub(crate) fn new(reserved: Vec<String>) -> Self {
        Self {
            wanted: Wanted::Nothing,
            library: Map::new(),
            reserved,
            hub: DesiredDocument::new(),
            known: false,
            current: false,
            sent: None,
            refused: [false; 2],
            apart: false,
            dirty: false,
            generation: 0,
            told: 0,
        }
    }

    /// Takes what a stored record says.
    pub(crate) fn restore(
        &mut self,
        wanted: Wanted,
        hub: Option<DesiredDocument>,
    ) -> Result<(), LimitError> {
        match &wanted {
            Wanted::Nothing => {}
            Wanted::Changes(overlay) => self.check_changes(overlay)?,
            Wanted::Whole(document) => self.check_whole(document)?,
        }
        self.wanted = wanted;
        self.known = hub.is_some();
        self.hub = hub.unwrap_or_default();
        Ok(())
    }

    pub(crate) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// The section as last known at the hub.
    pub(crate) fn hub(&self) -> Option<(&Arc<Value>, Option<u64>)> {
        self.known.then(|| (self.hub.value(), self.hub.version()))
    }

    /// Whether the hub has to be asked what it has before anything can be sent.
    pub(crate) fn is_in_doubt(&self) -> bool {
        !self.current
    }

    /// The host wants this whole document.
    pub(crate) fn set(&mut self, document: Value) -> Result<u64, LimitError> {
        self.check_whole(&document)?;
        Ok(self.want(Wanted::Whole(document)))
    }

    /// The host wants its document changed by a merge patch.
    pub(crate) fn patch(&mut self, patch: &Value) -> Result<u64, LimitError> {
        limits::check_reported_patch(patch)?;
        self.check_keys(patch)?;
        let mut wanted = self.wanted.clone();
        if wanted == Wanted::Nothing && self.current {
            wanted = Wanted::Whole(self.host_part_of_hub());
        }
        let wanted = match wanted {
            Wanted::Whole(mut document) => {
                patch::merge(&mut document, patch);
                self.check_whole(&document)?;
                Wanted::Whole(document)
            }
            Wanted::Changes(mut overlay) => {
                overlay.patch(patch);
                self.check_changes(&overlay)?;
                Wanted::Changes(overlay)
            }
            Wanted::Nothing => {
                let mut overlay = Overlay::new();
                overlay.patch(patch);
                self.check_changes(&overlay)?;
                Wanted::Changes(overlay)
            }
        };
        Ok(self.want(wanted))
    }

    /// The library reports these members.
    pub(crate) fn report(&mut self, members: Map<String, Value>) {
        let mut members = Value::Object(members);
        patch::strip_nulls(&mut members);
        if let Value::Object(members) = members
            && members != self.library
        {
            self.library = members;
            self.allow(Writer::Library);
        }
    }

    /// The connection is gone, or the outcome of what was sent cannot be known: the section has to
    /// be read before anything else is sent.
    pub(crate) fn doubt(&mut self) {
        self.sent = None;
        self.current = false;
    }

    /// Something that was sent and given up has been carried out after all: what the hub has must
    /// be read once the patch in flight, if there is one, is answered.
    pub(crate) fn question(&mut self) {
        self.current = false;
    }

    /// Whether there may be something to send.
    pub(crate) fn is_eager(&self) -> bool {
        self.current && self.dirty && self.sent.is_none()
    }

    /// Checks the `reported` member of the answer to a read.
    pub(crate) fn parse(reported: Value) -> Result<DesiredDocument, DocumentError> {
        let mut section = DesiredDocument::new();
        section
            .apply_full(reported, Freshness::Authoritative)
            .map(|_| section)
    }

    /// Takes what the hub has. No patch may have been in flight since the read was sent.
    pub(crate) fn read(&mut self, section: DesiredDocument) -> Option<Outcome> {
        self.hub = section;
        self.known = true;
        self.current = true;
        self.dirty = true;
        let Wanted::Changes(overlay) = &self.wanted else {
            return None;
        };
        let document = overlay
            .apply(Some(self.host_part_of_hub()))
            .unwrap_or_else(|| Value::Object(Map::new()));
        if let Err(error) = self.check_whole(&document) {
            self.wanted = Wanted::Nothing;
            self.told = self.generation;
            let (generation, message) = (self.generation, error.to_string());
            return Some(Outcome::Refused {
                generation,
                status: 0,
                message,
            });
        }
        self.wanted = Wanted::Whole(document);
        None
    }

    /// The patch to send next, if there is a difference; or that there is none any more.
    pub(crate) fn next(&mut self) -> Next {
        if !self.is_eager() {
            return Next::Nothing;
        }
        let host = self.difference(&[Writer::Host]);
        let library = self.difference(&[Writer::Library]);
        let together = match (&host, &library) {
            (Some(_), Some(_)) if self.apart => self.send(&[Writer::Library]),
            _ => self.send(&[Writer::Host, Writer::Library]),
        };
        if let Some(patch) = together {
            return Next::Patch(patch);
        }
        self.dirty = false;
        self.acknowledge_up_to(self.generation)
            .map_or(Next::Nothing, Next::Outcome)
    }

    /// The hub has taken the patch in flight.
    pub(crate) fn acknowledged(&mut self, version: Option<u64>) -> Option<Outcome> {
        let sent = self.sent.take()?;
        let version = version.or_else(|| self.hub.version());
        self.hub = DesiredDocument::from_parts(sent.target, version).unwrap_or_default();
        if sent.part {
            return None;
        }
        if !sent.host && self.difference(&[Writer::Host]).is_some() {
            return None;
        }
        self.acknowledge_up_to(sent.generation)
    }

    /// The hub has refused the patch in flight for good.
    pub(crate) fn refused(&mut self, status: u16, message: String) -> Option<Outcome> {
        let sent = self.sent.take()?;
        if sent.host && sent.library {
            self.apart = true;
            return None;
        }
        if sent.library {
            self.refuse(Writer::Library);
            return Some(Outcome::LibraryRefused { status, message });
        }
        // A newer document has not been refused; it is asked for in its own right.
        if sent.generation == self.generation {
            self.refuse(Writer::Host);
        }
        self.told = self.told.max(sent.generation);
        Some(Outcome::Refused {
            generation: sent.generation,
            status,
            message,
        })
    }

    /// The patch in flight was not carried out, but may be later.
    pub(crate) fn postponed(&mut self) {
        self.sent = None;
    }

    fn want(&mut self, wanted: Wanted) -> u64 {
        self.wanted = wanted;
        self.generation = self.generation.saturating_add(1);
        self.allow(Writer::Host);
        self.generation
    }

    fn allow(&mut self, writer: Writer) {
        self.set_refused(writer, false);
        self.apart = false;
        self.dirty = true;
    }

    fn refuse(&mut self, writer: Writer) {
        self.set_refused(writer, true);
    }

    fn set_refused(&mut self, writer: Writer, refused: bool) {
        let [host, library] = &mut self.refused;
        *match writer {
            Writer::Host => host,
            Writer::Library => library,
        } = refused;
    }

    fn is_refused(&self, writer: Writer) -> bool {
        let [host, library] = self.refused;
        match writer {
            Writer::Host => host,
            Writer::Library => library,
        }
    }

    /// The section if only `writers` had their way, as far as they are not refused.
    fn target(&self, writers: &[Writer]) -> Value {
        let has_its_way = |writer| writers.contains(&writer) && !self.is_refused(writer);
        let mut host = match &self.wanted {
            Wanted::Whole(document) if has_its_way(Writer::Host) => document.clone(),
            _ => self.host_part_of_hub(),
        };
        let at_hub = self.hub.value();
        if let Value::Object(members) = &mut host {
            for key in &self.reserved {
                let value = match self.library.get(key) {
                    Some(value) if has_its_way(Writer::Library) => Some(value),
                    _ => at_hub.get(key),
                };
                if let Some(value) = value {
                    members.insert(key.clone(), value.clone());
                }
            }
        }
        host
    }

    fn difference(&self, writers: &[Writer]) -> Option<Value> {
        patch::diff(self.hub.value(), &self.target(writers))
    }

    fn send(&mut self, writers: &[Writer]) -> Option<Value> {
        let mut target = self.target(writers);
        let mut patch = patch::diff(self.hub.value(), &target)?;
        let first = first_part(&patch);
        let part = first.is_some();
        if let Some(first) = first {
            target = Value::clone(self.hub.value());
            patch::merge(&mut target, &first);
            patch = first;
        }
        let differs = |writer| writers.contains(&writer) && self.difference(&[writer]).is_some();
        self.sent = Some(Sent {
            target,
            generation: self.generation,
            host: differs(Writer::Host),
            library: differs(Writer::Library),
            part,
        });
        Some(patch)
    }

    /// The host's document is at the hub, unless it was refused.
    fn acknowledge_up_to(&mut self, generation: u64) -> Option<Outcome> {
        if generation <= self.told || self.is_refused(Writer::Host) {
            return None;
        }
        self.told = generation;
        Some(Outcome::Acknowledged {
            generation,
            version: self.hub.version(),
        })
    }

    fn host_part_of_hub(&self) -> Value {
        let mut document = Value::clone(self.hub.value());
        if let Value::Object(members) = &mut document {
            self.reserved
                .iter()
                .for_each(|key| drop(members.remove(key)));
        }
        document
    }

    /// Limits hold for the whole section, with what the library writes into it.
    fn check_whole(&self, document: &Value) -> Result<(), LimitError> {
        limits::check_reported(document)?;
        self.check_keys(document)?;
        let mut whole = document.clone();
        if let Value::Object(members) = &mut whole {
            members.extend(self.library.clone());
        }
        limits::check_reported(&whole)
    }

    /// What changes leave of an empty document bounds them well enough until it is known.
    fn check_changes(&self, overlay: &Overlay) -> Result<(), LimitError> {
        let alone = overlay.apply(None).unwrap_or(Value::Null);
        self.check_whole(&alone)?;
        let text = serde_json::to_value(overlay).map_or(usize::MAX, |v| json::serialized_len(&v));
        limits::check_changes_text(text)
    }

    fn check_keys(&self, document: &Value) -> Result<(), LimitError> {
        let taken = self
            .reserved
            .iter()
            .find(|key| document.get(key.as_str()).is_some());
        taken.map_or(Ok(()), |key| Err(limits::reserved(key)))
    }
}

/// What goes first when a patch is larger than a section may be, which the hub may refuse (Azure IoT
/// Edge's validator measures the patch): deletions, so that no step is larger than the section before
/// it. What is left without deletions is part of a section within the limits, and fits.
fn first_part(patch: &Value) -> Option<Value> {
    if json::serialized_len(patch) <= limits::MAX_SECTION_BYTES {
        return None;
    }
    // Half, because the last key may reach beyond.
    patch::some_deletions(patch, limits::MAX_SECTION_BYTES / 2)
}

/// What [`ReportedSync::next`] asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// Nothing to do now.
    Nothing,
    /// Send this patch.
    Patch(Value),
    /// Tell the host; nothing has to be sent.
    Outcome(Outcome),
}

#[cfg(test)]
mod tests;
