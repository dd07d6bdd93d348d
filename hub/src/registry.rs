//! Identities: what the hub stores of a device or module, and how REST shows it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::clock::NEVER;
use crate::error::{ErrorCode, Refusal};
use crate::keys::{KeyPair, validate_key};
use crate::names::Name;
use crate::twin::{Twin, parse_object};

/// Everything the hub keeps of one identity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    generation: String,
    etag: u64,
    pub(crate) keys: KeyPair,
    authentication: AuthenticationType,
    thumbprints: [Option<String>; 2],
    enabled: bool,
    status_reason: Option<String>,
    status_updated: String,
    managed_by: Option<String>,
    edge: bool,
    pub(crate) twin: Twin,
    /// Present when a client with CleanSession=0 has connected: its kept subscriptions.
    pub(crate) session: Option<Subscriptions>,
}

/// Topic filters with the granted QoS.
pub(crate) type Subscriptions = BTreeMap<String, u8>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum AuthenticationType {
    Sas,
    SelfSigned,
    CertificateAuthority,
    None,
}

/// Whether the identity is connected now, and when it last was heard of.
pub(crate) struct Presence {
    pub(crate) connected: bool,
    pub(crate) changed: String,
}

impl Default for Presence {
    fn default() -> Self {
        Self {
            connected: false,
            changed: NEVER.into(),
        }
    }
}

/// A device or module object as clients send it; fields the hub owns are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct IdentityRequest {
    device_id: Option<String>,
    module_id: Option<String>,
    status: Option<String>,
    status_reason: Option<String>,
    managed_by: Option<String>,
    authentication: Option<AuthenticationRequest>,
    capabilities: Option<Capabilities>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AuthenticationRequest {
    symmetric_key: Option<KeysRequest>,
    x509_thumbprint: Option<ThumbprintRequest>,
    #[serde(rename = "type")]
    kind: Option<AuthenticationType>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KeysRequest {
    primary_key: Option<String>,
    secondary_key: Option<String>,
}

impl std::fmt::Debug for KeysRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeysRequest(..)")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ThumbprintRequest {
    primary_thumbprint: Option<String>,
    secondary_thumbprint: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Capabilities {
    iot_edge: Option<bool>,
}

impl IdentityRequest {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        // Not straight from the text: an array would do for a structure, too.
        let body = parse_object(body).map_err(Refusal::invalid)?;
        serde_json::from_value(body.into()).map_err(|e| Refusal::invalid(format!("body: {e}")))
    }

    /// Ids in the body, where given, have to be those of the address.
    fn check_name(&self, name: &Name) -> Result<(), Refusal> {
        let given = [("deviceId", &self.device_id), ("moduleId", &self.module_id)];
        let expected = [Some(&name.device), name.module.as_ref()];
        for ((what, given), expected) in given.into_iter().zip(expected) {
            if given.is_some() && given.as_ref() != expected {
                return Err(Refusal::invalid(format!(
                    "{what}: differs from the address"
                )));
            }
        }
        Ok(())
    }
}

impl Record {
    pub(crate) fn new(
        name: &Name,
        request: &IdentityRequest,
        generation: String,
        now: &str,
    ) -> Result<Self, Refusal> {
        let mut record = Self {
            generation,
            etag: 0,
            keys: KeyPair::generate()?,
            authentication: AuthenticationType::Sas,
            thumbprints: [None, None],
            enabled: true,
            status_reason: None,
            status_updated: NEVER.into(),
            managed_by: None,
            edge: false,
            twin: Twin::new(now),
            session: None,
        };
        record.update(name, request, now)?;
        Ok(record)
    }

    /// Takes over what the request names; what it leaves out stays.
    pub(crate) fn update(
        &mut self,
        name: &Name,
        request: &IdentityRequest,
        now: &str,
    ) -> Result<(), Refusal> {
        request.check_name(name)?;
        if name.module.is_none() {
            self.update_status(request, now)?;
        } else if request.managed_by.is_some() {
            self.managed_by.clone_from(&request.managed_by);
        }
        if let Some(edge) = request.capabilities.as_ref().and_then(|c| c.iot_edge) {
            self.edge = edge;
        }
        if let Some(authentication) = &request.authentication {
            self.update_authentication(authentication)?;
        }
        self.etag += 1;
        Ok(())
    }

    fn update_status(&mut self, request: &IdentityRequest, now: &str) -> Result<(), Refusal> {
        let enabled = match request.status.as_deref() {
            None => self.enabled,
            Some(text) if text.eq_ignore_ascii_case("enabled") => true,
            Some(text) if text.eq_ignore_ascii_case("disabled") => false,
            Some(_) => return Err(Refusal::invalid("status: expected enabled or disabled")),
        };
        if enabled != self.enabled {
            self.enabled = enabled;
            self.status_updated = now.to_owned();
        }
        if request.status_reason.is_some() {
            self.status_reason.clone_from(&request.status_reason);
        }
        Ok(())
    }

    /// An empty key counts as absent (IoT Hub docs: identity registry), so a key stays as it is.
    fn update_authentication(&mut self, request: &AuthenticationRequest) -> Result<(), Refusal> {
        if let Some(kind) = request.kind {
            self.authentication = kind;
        }
        if let Some(keys) = &request.symmetric_key {
            let slots = [
                ("primaryKey", &keys.primary_key, &mut self.keys.primary),
                (
                    "secondaryKey",
                    &keys.secondary_key,
                    &mut self.keys.secondary,
                ),
            ];
            for (what, key, slot) in slots {
                if let Some(key) = key.as_ref().filter(|key| !key.is_empty()) {
                    validate_key(what, key)?;
                    slot.clone_from(key);
                }
            }
        }
        if let Some(thumbprints) = &request.x509_thumbprint {
            let [primary, secondary] = &mut self.thumbprints;
            primary.clone_from(&thumbprints.primary_thumbprint);
            secondary.clone_from(&thumbprints.secondary_thumbprint);
        }
        Ok(())
    }

    pub(crate) fn etag(&self) -> String {
        STANDARD.encode(self.etag.to_string())
    }

    pub(crate) fn generation(&self) -> &str {
        &self.generation
    }

    pub(crate) fn enabled(&self) -> bool {
        self.enabled
    }

    pub(crate) fn takes_tokens(&self) -> bool {
        self.authentication == AuthenticationType::Sas
    }

    /// The Device or Module object of the REST API.
    pub(crate) fn identity_view(&self, name: &Name, presence: &Presence) -> Value {
        let mut view = json!({
            "deviceId": name.device,
            "generationId": self.generation,
            "etag": self.etag(),
            "connectionState": connection_state(presence),
            "connectionStateUpdatedTime": presence.changed,
            "lastActivityTime": presence.changed,
            "cloudToDeviceMessageCount": 0,
            "authentication": {
                "symmetricKey": self.keys_view(),
                "x509Thumbprint": self.thumbprints_view(),
                "type": self.authentication,
            },
        });
        let own = match &name.module {
            Some(module) => json!({ "moduleId": module, "managedBy": self.managed_by }),
            None => json!({
                "status": self.status(),
                "statusReason": self.status_reason,
                "statusUpdatedTime": self.status_updated,
                "capabilities": { "iotEdge": self.edge },
            }),
        };
        extend(&mut view, own);
        view
    }

    /// The Twin object of the REST API; `device` is the record of the device.
    pub(crate) fn twin_view(&self, name: &Name, device: &Self, presence: &Presence) -> Value {
        let mut view = json!({
            "deviceId": name.device,
            "deviceEtag": device.etag(),
            "status": device.status(),
            "statusReason": device.status_reason,
            "statusUpdateTime": device.status_updated,
            "connectionState": connection_state(presence),
            "lastActivityTime": presence.changed,
            "cloudToDeviceMessageCount": 0,
            "authenticationType": self.authentication,
            "x509Thumbprint": self.thumbprints_view(),
            "modelId": "",
        });
        let own = match &name.module {
            Some(module) => json!({ "moduleId": module }),
            None => json!({ "capabilities": { "iotEdge": self.edge } }),
        };
        extend(&mut view, own);
        extend(&mut view, Value::Object(self.twin.service_view()));
        view
    }

    fn keys_view(&self) -> Value {
        match self.authentication {
            AuthenticationType::Sas => json!({
                "primaryKey": self.keys.primary,
                "secondaryKey": self.keys.secondary,
            }),
            _ => json!({ "primaryKey": null, "secondaryKey": null }),
        }
    }

    fn thumbprints_view(&self) -> Value {
        let [primary, secondary] = &self.thumbprints;
        json!({ "primaryThumbprint": primary, "secondaryThumbprint": secondary })
    }

    fn status(&self) -> &'static str {
        if self.enabled { "enabled" } else { "disabled" }
    }
}

fn connection_state(presence: &Presence) -> &'static str {
    if presence.connected {
        "Connected"
    } else {
        "Disconnected"
    }
}

fn extend(view: &mut Value, more: Value) {
    if let (Value::Object(view), Value::Object(more)) = (view, more) {
        let more: Map<String, Value> = more;
        view.extend(more);
    }
}

/// What a request says about the version it expects (`If-Match`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// `*` or `"*"`; the official Python service client quotes it.
    Any,
    Etag(String),
}

impl IfMatch {
    pub(crate) fn parse(header: &str) -> Self {
        let header = header.trim();
        match header
            .strip_prefix("W/")
            .unwrap_or(header)
            .trim_matches('"')
        {
            "*" => Self::Any,
            etag => Self::Etag(etag.to_owned()),
        }
    }

    pub(crate) fn check(expected: Option<&Self>, etag: &str) -> Result<(), Refusal> {
        match expected {
            Some(Self::Etag(expected)) if expected != etag => Err(Refusal::new(
                ErrorCode::PreconditionFailed,
                format!("If-Match: the current etag is {etag:?}"),
            )),
            _ => Ok(()),
        }
    }
}
