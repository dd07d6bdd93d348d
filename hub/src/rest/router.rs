//! Which call a request is, whether its token allows it, and what it does.

use std::collections::HashMap;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Response, Uri};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer;
use crate::clock::unix_now;
use crate::error::{ErrorCode, Refusal};
use crate::faults::Fault;
use crate::keys::{Policies, Right};
use crate::messages::MessageFilter;
use crate::names::Name;
use crate::registry::{IdentityRequest, IfMatch};
use crate::runtime::Core;
use crate::sas::Token;
use crate::state::State;
use crate::twin::{Mode, Update, parse_object};

/// IoT Hub docs, identity registry: one list holds at most 1000 devices. Messages likewise.
const MAX_LIST: usize = 1000;

type Outcome = Result<Response<Full<Bytes>>, Refusal>;

/// The address of a request, for which its token holds.
pub(super) struct Address<'a> {
    method: &'a Method,
    uri: &'a Uri,
    path: Vec<String>,
    /// The policy that signed the token.
    policy: String,
}

enum Action {
    ListDevices { top: usize },
    ListModules { device: String },
    GetIdentity(Name),
    PutIdentity(Name, IdentityRequest),
    DeleteIdentity(Name),
    GetTwin(Name),
    UpdateTwin(Name, Mode, Update),
    ListMessages(MessageFilter),
    ClearMessages(MessageFilter),
    InjectFault(Name, Fault),
}

impl<'a> Address<'a> {
    /// Before the body is read: a client without a valid token gets no further.
    pub(super) fn authenticate(
        core: &Core,
        method: &'a Method,
        uri: &'a Uri,
        authorization: Option<&str>,
    ) -> Result<Self, Refusal> {
        let path = segments(uri.path())?;
        let policy = authenticate(core, &path, authorization)?;
        Ok(Self {
            method,
            uri,
            path,
            policy,
        })
    }

    /// Carries out the request, if the policy has the right to.
    pub(super) fn carry_out(&self, core: &Core, if_match: Option<&str>, body: &[u8]) -> Outcome {
        let action = self.action(body)?;
        let right = action.right();
        if !Policies::grants(&self.policy, right) {
            return Err(unauthorized(format!(
                "policy {} has no {right:?}",
                self.policy
            )));
        }
        let if_match = if_match.map(IfMatch::parse);
        action.carry_out(&mut core.lock(), if_match.as_ref())
    }

    fn action(&self, body: &[u8]) -> Result<Action, Refusal> {
        let method = self.method;
        let query = query(self.uri.query().unwrap_or_default());
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        match path[..] {
            ["devices"] if method == Method::GET => {
                let top = number(&query, "top", MAX_LIST)?.min(MAX_LIST);
                Ok(Action::ListDevices { top })
            }
            ["devices", device, "modules"] if method == Method::GET => Ok(Action::ListModules {
                device: device.to_owned(),
            }),
            ["devices", device] => identity(method, Name::device(device), body),
            ["devices", device, "modules", module] => {
                identity(method, Name::module(device, module), body)
            }
            ["twins", device] => twin(method, Name::device(device), body),
            ["twins", device, "modules", module] => {
                twin(method, Name::module(device, module), body)
            }
            ["twinguard", "messages"] => messages(method, &query),
            ["twinguard", "faults"] if method == Method::POST => fault(body),
            _ => Err(unknown()),
        }
    }
}

impl Action {
    /// IoT Hub docs, control access: the permission each call needs.
    fn right(&self) -> Right {
        match self {
            Self::ListDevices { .. } | Self::ListModules { .. } | Self::GetIdentity(_) => {
                Right::RegistryRead
            }
            Self::PutIdentity(..) | Self::DeleteIdentity(_) => Right::RegistryWrite,
            Self::GetTwin(_)
            | Self::UpdateTwin(..)
            | Self::ListMessages(_)
            | Self::ClearMessages(_)
            | Self::InjectFault(..) => Right::ServiceConnect,
        }
    }

    fn carry_out(self, state: &mut State, if_match: Option<&IfMatch>) -> Outcome {
        let value = match self {
            Self::ListDevices { top } => state.devices(top).into(),
            Self::ListModules { device } => state.modules(&device)?.into(),
            Self::GetIdentity(name) => state.identity(&name)?,
            Self::PutIdentity(name, request) => state.put_identity(&name, &request, if_match)?,
            Self::DeleteIdentity(name) => {
                state.delete(&name, if_match)?;
                return Ok(answer::no_content());
            }
            Self::GetTwin(name) => state.twin(&name)?,
            Self::UpdateTwin(name, mode, update) => {
                state.update_twin(&name, mode, update, if_match)?
            }
            Self::ListMessages(filter) => state.messages.list(&filter).into(),
            Self::ClearMessages(filter) => json!({ "cleared": state.messages.clear(&filter) }),
            Self::InjectFault(name, fault) => {
                state.inject(&name, &fault)?;
                return Ok(answer::no_content());
            }
        };
        Ok(answer::json(&value))
    }
}

/// Checks the token and returns the policy that signed it.
fn authenticate(
    core: &Core,
    path: &[String],
    authorization: Option<&str>,
) -> Result<String, Refusal> {
    let text = authorization.ok_or_else(|| unauthorized("header is missing"))?;
    let token = Token::parse(text).map_err(unauthorized)?;
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let state = core.lock();
    let policy = token
        .policy
        .as_deref()
        .ok_or_else(|| unauthorized("token names no policy (skn)"))?;
    let keys = state
        .policies
        .keys(policy)
        .ok_or_else(|| unauthorized("token names no known policy"))?;
    token
        .verify(keys.both(), &core.hosts, &path, unix_now())
        .map_err(unauthorized)?;
    Ok(policy.to_owned())
}

fn unauthorized(why: impl std::fmt::Display) -> Refusal {
    Refusal::new(ErrorCode::Unauthorized, format!("Authorization: {why}"))
}

fn identity(method: &Method, name: Name, body: &[u8]) -> Result<Action, Refusal> {
    match *method {
        Method::GET => Ok(Action::GetIdentity(name)),
        Method::PUT => Ok(Action::PutIdentity(name, IdentityRequest::parse(body)?)),
        Method::DELETE => Ok(Action::DeleteIdentity(name)),
        _ => Err(unknown()),
    }
}

fn twin(method: &Method, name: Name, body: &[u8]) -> Result<Action, Refusal> {
    let mode = match *method {
        Method::GET => return Ok(Action::GetTwin(name)),
        Method::PATCH => Mode::Patch,
        Method::PUT => Mode::Replace,
        _ => return Err(unknown()),
    };
    let body = parse_object(body).map_err(Refusal::invalid)?;
    Ok(Action::UpdateTwin(name, mode, parse_update(body)?))
}

/// `tags` and `properties.desired` of a Twin object; the rest of it is the hub's own. Tools that
/// send back what they read include `$metadata` and `$version`, which are the hub's own too.
pub(crate) fn parse_update(mut body: Map<String, Value>) -> Result<Update, Refusal> {
    let desired = match body.remove("properties") {
        None | Some(Value::Null) => None,
        Some(Value::Object(mut properties)) => section(properties.remove("desired"), "desired")?,
        Some(_) => return Err(Refusal::invalid("\"/properties\": expected an object")),
    };
    Ok(Update {
        tags: section(body.remove("tags"), "tags")?,
        desired,
    })
}

fn section(value: Option<Value>, what: &str) -> Result<Option<Map<String, Value>>, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(mut section)) => {
            ["$metadata", "$version", "$etag"]
                .iter()
                .for_each(|own| drop(section.remove(*own)));
            Ok(Some(section))
        }
        Some(_) => Err(Refusal::invalid(format!("{what}: expected an object"))),
    }
}

fn messages(method: &Method, query: &HashMap<String, String>) -> Result<Action, Refusal> {
    let filter = MessageFilter {
        device: query.get("deviceId").cloned(),
        module: query.get("moduleId").cloned(),
        after: number(query, "after", 0)?,
        top: None,
    };
    match *method {
        Method::GET => {
            let top = Some(number(query, "top", MAX_LIST)?.min(MAX_LIST));
            Ok(Action::ListMessages(MessageFilter { top, ..filter }))
        }
        Method::DELETE => Ok(Action::ClearMessages(filter)),
        _ => Err(unknown()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FaultRequest {
    device_id: String,
    module_id: Option<String>,
    fault: Fault,
}

fn fault(body: &[u8]) -> Result<Action, Refusal> {
    let body = parse_object(body).map_err(Refusal::invalid)?;
    let request: FaultRequest =
        serde_json::from_value(body.into()).map_err(|e| Refusal::invalid(format!("body: {e}")))?;
    let name = Name::new(&request.device_id, request.module_id.as_deref());
    Ok(Action::InjectFault(name, request.fault))
}

fn segments(path: &str) -> Result<Vec<String>, Refusal> {
    path.trim_matches('/')
        .split('/')
        .map(|segment| {
            percent_decode_str(segment)
                .decode_utf8()
                .map(|text| text.into_owned())
        })
        .collect::<Result<_, _>>()
        .map_err(|_| Refusal::invalid("address is not UTF-8"))
}

fn query(text: &str) -> HashMap<String, String> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn number<T: std::str::FromStr>(
    query: &HashMap<String, String>,
    name: &str,
    default: T,
) -> Result<T, Refusal> {
    query.get(name).map_or(Ok(default), |text| {
        text.parse()
            .map_err(|_| Refusal::invalid(format!("{name}: expected a number")))
    })
}

fn unknown() -> Refusal {
    Refusal::new(ErrorCode::UnknownAddress, "the hub has no such call")
}
