//! What of the twin survives a restart.

use super::*;
use crate::identity::Identity;
use crate::module::record::{Record, RecordError, Section};

impl TwinSync {
    /// Puts a stored record in force and tells the host.
    pub(crate) fn restore(&mut self, record: Record, out: &mut Outbox) -> Result<(), RecordError> {
        let desired = record.desired.map(Section::into_document).transpose()?;
        let reported = record.reported.map(Section::into_document).transpose()?;
        let mut configurator = self.configurator.clone();
        if desired.is_some() {
            configurator.restore(&record.configuration)?;
        }
        self.reported.restore(record.wanted, reported)?;
        // From here on nothing fails.
        self.configurator = configurator;
        if let Some(document) = desired {
            self.desired.restore(document);
            self.desired_moved(Origin::Stored, out);
        }
        self.unsaved = false;
        Ok(())
    }

    /// The record, if there is something new in it.
    pub(crate) fn take_record(&mut self, identity: &Identity, out: &mut Outbox) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.unsaved) {
            return None;
        }
        let document = self.desired.document();
        let desired = self
            .desired
            .is_known()
            .then(|| Section::new(document.value(), document.version()));
        let reported = self
            .reported
            .hub()
            .map(|(value, version)| Section::new(value, version));
        let configuration = self.configurator.to_record();
        let wanted = self.reported.wanted().clone();
        let record = Record::new(identity, desired, configuration, reported, wanted);
        record
            .to_bytes()
            .map_err(|message| out.trouble(Trouble::new(TroubleKind::Store, message, None)))
            .ok()
    }
}
