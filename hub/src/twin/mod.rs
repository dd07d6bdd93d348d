//! Twin documents as the hub keeps them: tags, desired, reported, their versions and metadata.

mod json;
mod limits;
mod merge;

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub(crate) use json::parse_object;
pub(crate) use limits::Violation;
use limits::{DESIRED_SIZE, REPORTED_SIZE, TAGS_SIZE, check_patch, check_section, check_size};
use merge::{Stamp, changes_anything, merge, metadata_of, removal_patch};

/// One device or module twin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Twin {
    tags: Map<String, Value>,
    desired: Section,
    reported: Section,
    /// Follows tags and desired, as the ETag does.
    version: u64,
    etag: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Section {
    values: Map<String, Value>,
    metadata: Map<String, Value>,
    version: u64,
}

/// What the service asks for: sections that are `None` are not mentioned in the request.
#[derive(Debug, Default)]
pub(crate) struct Update {
    pub(crate) tags: Option<Map<String, Value>>,
    pub(crate) desired: Option<Map<String, Value>>,
}

/// How the service asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Merge patch (HTTP PATCH).
    Patch,
    /// The whole of tags and desired (HTTP PUT).
    Replace,
}

impl Mode {
    fn check(self, section: &Map<String, Value>) -> Result<(), Violation> {
        match self {
            Self::Patch => check_patch(section),
            Self::Replace => check_section(section),
        }
    }
}

impl Twin {
    /// A new twin: both sections empty at version 1, as IoT Hub makes them.
    pub(crate) fn new(now: &str) -> Self {
        Self {
            tags: Map::new(),
            desired: Section::new(&Stamp {
                time: now,
                version: Some(1),
            }),
            reported: Section::new(&Stamp {
                time: now,
                version: None,
            }),
            version: 2,
            etag: 1,
        }
    }

    pub(crate) fn etag(&self) -> String {
        STANDARD.encode(self.etag.to_be_bytes())
    }

    /// The answer to a GET over MQTT: no tags, no metadata.
    pub(crate) fn device_view(&self) -> Value {
        json!({ "desired": self.desired.versioned(), "reported": self.reported.versioned() })
    }

    /// Tags, properties with metadata, version and ETag for the REST API.
    pub(crate) fn service_view(&self) -> Map<String, Value> {
        let mut view = Map::new();
        view.insert("etag".into(), self.etag().into());
        view.insert("version".into(), self.version.into());
        view.insert("tags".into(), self.tags.clone().into());
        let desired = self.desired.with_metadata();
        let reported = self.reported.with_metadata();
        view.insert(
            "properties".into(),
            json!({ "desired": desired, "reported": reported }),
        );
        view
    }

    /// Merges a device's reported patch; returns the new `$version`.
    pub(crate) fn report(
        &mut self,
        patch: &Map<String, Value>,
        now: &str,
    ) -> Result<u64, Violation> {
        check_patch(patch)?;
        let mut next = self.reported.clone();
        next.merge(
            patch,
            &Stamp {
                time: now,
                version: None,
            },
        );
        check_size(&next.values, "reported", REPORTED_SIZE)?;
        self.reported = next;
        Ok(self.reported.version)
    }

    /// Carries out what the service asked for; returns the notification for the device, if the
    /// desired section was touched. On an error nothing has changed.
    pub(crate) fn update(
        &mut self,
        mode: Mode,
        update: Update,
        now: &str,
    ) -> Result<Option<Map<String, Value>>, Violation> {
        let mut next = self.clone();
        let tags_changed = next.update_tags(mode, update.tags)?;
        let notification = next.update_desired(mode, update.desired, now)?;
        if tags_changed || notification.is_some() {
            next.version += 1;
            next.etag += 1;
            *self = next;
        }
        Ok(notification)
    }

    fn update_tags(
        &mut self,
        mode: Mode,
        tags: Option<Map<String, Value>>,
    ) -> Result<bool, Violation> {
        let Some(tags) = tags.or_else(|| (mode == Mode::Replace).then(Map::new)) else {
            return Ok(false);
        };
        mode.check(&tags)
            .map_err(|violation| violation.within("/tags"))?;
        let before = self.tags.clone();
        if mode == Mode::Replace {
            self.tags.clone_from(&tags);
        } else {
            merge(
                &mut self.tags,
                &mut Map::new(),
                &tags,
                &Stamp {
                    time: "",
                    version: None,
                },
            );
        }
        check_size(&self.tags, "tags", TAGS_SIZE)?;
        Ok(before != self.tags || changes_anything(&self.tags, &tags))
    }

    fn update_desired(
        &mut self,
        mode: Mode,
        desired: Option<Map<String, Value>>,
        now: &str,
    ) -> Result<Option<Map<String, Value>>, Violation> {
        let Some(desired) = desired.or_else(|| (mode == Mode::Replace).then(Map::new)) else {
            return Ok(None);
        };
        mode.check(&desired)
            .map_err(|violation| violation.within("/properties/desired"))?;
        let mut notification = match mode {
            Mode::Patch if !changes_anything(&self.desired.values, &desired) => return Ok(None),
            Mode::Patch => desired,
            Mode::Replace if self.desired.values.is_empty() && desired.is_empty() => {
                return Ok(None);
            }
            Mode::Replace => removal_patch(&self.desired.values, desired),
        };
        if mode == Mode::Replace {
            self.desired.clear_metadata();
        }
        let version = self.desired.version + 1;
        self.desired.merge(
            &notification,
            &Stamp {
                time: now,
                version: Some(version),
            },
        );
        check_size(&self.desired.values, "properties/desired", DESIRED_SIZE)?;
        notification.insert("$version".into(), version.into());
        Ok(Some(notification))
    }
}

impl Section {
    fn new(stamp: &Stamp<'_>) -> Self {
        Self {
            values: Map::new(),
            metadata: metadata_of(&Value::Null, stamp),
            version: 1,
        }
    }

    fn merge(&mut self, patch: &Map<String, Value>, stamp: &Stamp<'_>) {
        self.version += 1;
        merge(&mut self.values, &mut self.metadata, patch, stamp);
    }

    /// After a replace every key counts as written anew.
    fn clear_metadata(&mut self) {
        self.metadata.clear();
    }

    fn versioned(&self) -> Map<String, Value> {
        let mut view = self.values.clone();
        view.insert("$version".into(), self.version.into());
        view
    }

    fn with_metadata(&self) -> Map<String, Value> {
        let mut view = self.values.clone();
        view.insert("$metadata".into(), self.metadata.clone().into());
        view.insert("$version".into(), self.version.into());
        view
    }
}
