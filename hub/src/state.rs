//! The hub's state: identities, who is connected, policies, messages. One lock guards it; every
//! operation is short and writes to the store before anybody can see its effect.

use std::collections::{BTreeMap, HashMap};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::clock::timestamp;
use crate::error::{ErrorCode, Refusal};
use crate::faults::{Fault, Faults};
use crate::keys::Policies;
use crate::messages::MessageLog;
use crate::mqtt::Live;
use crate::mqtt::outbox::Close;
use crate::names::Name;
use crate::registry::{IdentityRequest, IfMatch, Presence, Record};
use crate::store::{Loaded, Store};
use crate::twin::{Mode, Update};

/// IoT Hub docs, quotas: modules per device.
const MAX_MODULES: usize = 50;

pub(crate) struct State {
    records: BTreeMap<Name, Record>,
    store: Store,
    pub(crate) policies: Policies,
    pub(crate) live: HashMap<Name, Live>,
    /// When each identity last came or went.
    pub(crate) changed: HashMap<Name, String>,
    pub(crate) messages: MessageLog,
    pub(crate) faults: Faults,
    pub(crate) connections: u64,
}

impl State {
    pub(crate) fn new(loaded: Loaded, max_message_bytes: usize) -> Self {
        Self {
            records: loaded.records,
            store: loaded.store,
            policies: loaded.policies,
            live: HashMap::new(),
            changed: HashMap::new(),
            messages: MessageLog::new(max_message_bytes),
            faults: Faults::default(),
            connections: 0,
        }
    }

    pub(crate) fn record(&self, name: &Name) -> Result<&Record, Refusal> {
        self.records.get(name).ok_or_else(|| self.not_found(name))
    }

    fn not_found(&self, name: &Name) -> Refusal {
        let device = Name::device(&name.device);
        let code = if name.module.is_some() && self.records.contains_key(&device) {
            ErrorCode::ModuleNotFound
        } else {
            ErrorCode::DeviceNotFound
        };
        Refusal::new(code, format!("{name}: no such identity"))
    }

    /// Modules have no status of their own: the device's counts.
    pub(crate) fn is_enabled(&self, name: &Name) -> bool {
        self.records
            .get(&Name::device(&name.device))
            .is_some_and(Record::enabled)
    }

    /// Stores a record, then makes it visible.
    pub(crate) fn save(&mut self, name: &Name, record: Record) -> Result<(), Refusal> {
        self.store.write(&[(name, Some(&record))])?;
        self.records.insert(name.clone(), record);
        Ok(())
    }

    pub(crate) fn identity(&self, name: &Name) -> Result<Value, Refusal> {
        Ok(self.record(name)?.identity_view(name, &self.presence(name)))
    }

    /// All devices in order of their ids, at most `top`.
    pub(crate) fn devices(&self, top: usize) -> Vec<Value> {
        let devices = self
            .records
            .iter()
            .filter(|(name, _)| name.module.is_none())
            .take(top);
        devices
            .map(|(name, record)| record.identity_view(name, &self.presence(name)))
            .collect()
    }

    pub(crate) fn modules(&self, device: &str) -> Result<Vec<Value>, Refusal> {
        self.record(&Name::device(device))?;
        let modules = self
            .family(device)
            .filter(|(name, _)| name.module.is_some());
        Ok(modules
            .map(|(n, record)| record.identity_view(n, &self.presence(n)))
            .collect())
    }

    /// A device and its modules, which directly follow it in the order of names.
    fn family(&self, device: &str) -> impl Iterator<Item = (&Name, &Record)> {
        let first = Name::device(device);
        self.records
            .range(first.clone()..)
            .take_while(move |(n, _)| n.device == first.device)
    }

    /// Creates an identity, or with `if_match` updates an existing one.
    pub(crate) fn put_identity(
        &mut self,
        name: &Name,
        request: &IdentityRequest,
        if_match: Option<&IfMatch>,
    ) -> Result<Value, Refusal> {
        name.validate()?;
        let now = timestamp();
        let record = match (self.records.get(name), if_match) {
            (Some(_), None) => return Err(already_exists(name)),
            (Some(record), Some(_)) => {
                IfMatch::check(if_match, &record.etag())?;
                let mut record = record.clone();
                record.update(name, request, &now)?;
                record
            }
            (None, Some(_)) => return Err(self.not_found(name)),
            (None, None) => {
                self.check_room(name)?;
                Record::new(name, request, generation(), &now)?
            }
        };
        self.save(name, record)?;
        if !self.is_enabled(name) {
            self.close_family(&name.device);
        }
        self.identity(name)
    }

    fn check_room(&self, name: &Name) -> Result<(), Refusal> {
        if name.module.is_none() {
            return Ok(());
        }
        self.record(&Name::device(&name.device))?;
        if self.family(&name.device).count() > MAX_MODULES {
            return Err(Refusal::new(
                ErrorCode::TooManyModulesOnDevice,
                format!(
                    "{}: has {MAX_MODULES} modules, the most a device may have",
                    name.device
                ),
            ));
        }
        Ok(())
    }

    /// Deletes an identity; a device takes its modules along.
    pub(crate) fn delete(
        &mut self,
        name: &Name,
        if_match: Option<&IfMatch>,
    ) -> Result<(), Refusal> {
        IfMatch::check(if_match, &self.record(name)?.etag())?;
        let doomed: Vec<Name> = match &name.module {
            Some(_) => vec![name.clone()],
            None => self
                .family(&name.device)
                .map(|(name, _)| name.clone())
                .collect(),
        };
        let changes: Vec<_> = doomed.iter().map(|name| (name, None)).collect();
        self.store.write(&changes)?;
        for name in &doomed {
            self.records.remove(name);
            self.changed.remove(name);
            self.close(name, Close::Gone);
        }
        Ok(())
    }

    pub(crate) fn twin(&self, name: &Name) -> Result<Value, Refusal> {
        let record = self.record(name)?;
        let device = self.record(&Name::device(&name.device))?;
        Ok(record.twin_view(name, device, &self.presence(name)))
    }

    /// Changes tags and desired properties and notifies the device.
    pub(crate) fn update_twin(
        &mut self,
        name: &Name,
        mode: Mode,
        update: Update,
        if_match: Option<&IfMatch>,
    ) -> Result<Value, Refusal> {
        let mut record = self.record(name)?.clone();
        IfMatch::check(if_match, &record.twin.etag())?;
        let notification = record
            .twin
            .update(mode, update, &timestamp())
            .map_err(|violation| Refusal::invalid(violation.to_string()))?;
        self.save(name, record)?;
        if let Some(notification) = notification {
            self.notify_desired(name, &notification);
        }
        self.twin(name)
    }

    /// Arms a fault; see [`Fault`].
    pub(crate) fn inject(&mut self, name: &Name, fault: &Fault) -> Result<(), Refusal> {
        fault.check()?;
        let record = self.record(name)?;
        match fault {
            Fault::Cut => self.close(name, Close::Reset),
            Fault::ClearSession => {
                let mut record = record.clone();
                record.session = None;
                self.save(name, record)?;
                self.close(name, Close::SessionCleared);
            }
            _ => self.faults.arm(name, fault),
        }
        Ok(())
    }

    fn presence(&self, name: &Name) -> Presence {
        match self.changed.get(name) {
            Some(changed) => Presence {
                connected: self.live.contains_key(name),
                changed: changed.clone(),
            },
            None => Presence::default(),
        }
    }

    fn close(&mut self, name: &Name, why: Close) {
        if let Some(mut live) = self.live.remove(name) {
            self.changed.insert(name.clone(), timestamp());
            live.outbox.close(why);
        }
    }

    fn close_family(&mut self, device: &str) {
        let names: Vec<Name> = self.family(device).map(|(name, _)| name.clone()).collect();
        names.iter().for_each(|name| self.close(name, Close::Gone));
    }
}

fn already_exists(name: &Name) -> Refusal {
    let code = match name.module {
        Some(_) => ErrorCode::ModuleAlreadyExistsOnDevice,
        None => ErrorCode::DeviceAlreadyExists,
    };
    Refusal::new(code, format!("{name}: exists already"))
}

/// Tells an identity from an earlier one of the same name: 100 ns since 1970, as text.
fn generation() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    (since.as_nanos() / 100).to_string()
}
