//! Topics: building ours, understanding the hub's (IoT Hub docs: connect with MQTT).

use std::fmt::Display;

use crate::identity::Identity;

/// Filter for the answers to twin requests.
pub const TWIN_RESPONSE_FILTER: &str = "$iothub/twin/res/#";
/// Filter for changes of desired properties.
pub const DESIRED_FILTER: &str = "$iothub/twin/PATCH/properties/desired/#";

const TWIN_RESPONSE: &str = "$iothub/twin/res/";
const DESIRED: &str = "$iothub/twin/PATCH/properties/desired";

/// Topic that asks for the twin. `rid` comes back in the answer; it holds none of `/ ? & # +`.
#[must_use]
pub fn twin_get(rid: impl Display) -> String {
    format!("$iothub/twin/GET/?$rid={rid}")
}

/// Topic that sends a merge patch of the reported section. For `rid` see [`twin_get`].
#[must_use]
pub fn twin_patch_reported(rid: impl Display) -> String {
    format!("$iothub/twin/PATCH/properties/reported/?$rid={rid}")
}

/// Topic of a telemetry message of `identity`; `bag` is an encoded property bag, empty for none
/// (see [`PropertyBag::encode`](super::bag::PropertyBag::encode)).
///
/// # Errors
/// [`WildcardId`] when an id holds `+` or `#`: ids stand unencoded in this topic, and MQTT forbids
/// both in the topic of a PUBLISH (MQTT 3.1.1, section 3.3.2.1).
pub fn telemetry(identity: &Identity, bag: &str) -> Result<String, WildcardId> {
    let device = identity.device().as_str();
    let sender = match identity.module() {
        Some(module) => format!("devices/{device}/modules/{module}"),
        None => format!("devices/{device}"),
    };
    match sender.find(['+', '#']) {
        Some(_) => Err(WildcardId(sender)),
        None => Ok(format!("{sender}/messages/events/{bag}")),
    }
}

/// An identity that has a twin but cannot send messages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}: an id with '+' or '#' cannot send messages over MQTT; give it another name")]
pub struct WildcardId(String);

/// What a topic from the hub says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incoming<'a> {
    /// The answer to a twin request.
    TwinResponse {
        /// The status, 100 to 999; [`TwinStatus`](super::status::TwinStatus) tells its meaning.
        status: u16,
        /// The request it answers; never empty.
        rid: &'a str,
        /// The new version of the reported section, with status 204.
        version: Option<u64>,
    },
    /// Desired properties changed.
    DesiredPatch {
        /// The version of the desired section with this change.
        version: Option<u64>,
    },
    /// Anything else, malformed topics of the kinds above included.
    Other,
}

/// Understands a topic. Never fails, whatever it is given; the parts of the tail may come in any
/// order, unknown ones are skipped, and of a part that comes twice the first counts.
#[must_use]
pub fn parse(topic: &str) -> Incoming<'_> {
    if let Some(rest) = topic.strip_prefix(TWIN_RESPONSE) {
        return twin_response(rest).unwrap_or(Incoming::Other);
    }
    match topic.strip_prefix(DESIRED) {
        Some("") => Incoming::DesiredPatch { version: None },
        Some(rest) => match rest.strip_prefix('/') {
            Some(tail) => Incoming::DesiredPatch {
                version: whole(part(tail, "$version")),
            },
            None => Incoming::Other,
        },
        None => Incoming::Other,
    }
}

fn twin_response(rest: &str) -> Option<Incoming<'_>> {
    let (status, tail) = rest.split_once('/')?;
    let status = u16::try_from(whole(Some(status).filter(|s| s.len() == 3))?).ok()?;
    let rid = part(tail, "$rid").filter(|rid| !rid.is_empty())?;
    let version = whole(part(tail, "$version"));
    (status >= 100).then_some(Incoming::TwinResponse {
        status,
        rid,
        version,
    })
}

/// The value of `name` in a tail like `?$rid=7&$version=3`, with or without the question mark.
fn part<'a>(tail: &'a str, name: &str) -> Option<&'a str> {
    let tail = tail.strip_prefix('?').unwrap_or(tail);
    let mut pairs = tail.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

/// Decimal digits as a number: no sign, no space.
fn whole(text: Option<&str>) -> Option<u64> {
    let text = text?;
    if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
