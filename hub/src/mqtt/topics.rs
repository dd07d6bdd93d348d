//! The topics IoT Hub knows (IoT Hub docs: MQTT support). Everything else ends a connection.

use crate::names::Name;

pub(crate) const TWIN_RESPONSES: &str = "$iothub/twin/res/#";
pub(crate) const DESIRED_CHANGES: &str = "$iothub/twin/PATCH/properties/desired/#";
const METHODS: &str = "$iothub/methods/POST/#";

/// What a client published.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Inbound<'a> {
    /// Read the twin.
    TwinGet { rid: &'a str },
    /// Merge into reported; without a request id nobody is told the outcome.
    TwinReported { rid: Option<&'a str> },
    /// A message with this property bag.
    Telemetry { bag: &'a str },
    /// Answer to a direct method.
    MethodResponse,
}

/// Reads the topic of a PUBLISH from `name`; `None` for a topic the hub does not take.
pub(crate) fn parse<'a>(name: &Name, topic: &'a str) -> Option<Inbound<'a>> {
    if let Some(rest) = topic.strip_prefix("$iothub/") {
        return parse_system(rest);
    }
    let rest = topic
        .strip_prefix("devices/")?
        .strip_prefix(name.device.as_str())?;
    let rest = match &name.module {
        Some(module) => rest
            .strip_prefix("/modules/")?
            .strip_prefix(module.as_str())?,
        None => rest,
    };
    let bag = match rest.strip_prefix("/messages/events")? {
        "" => "",
        rest => rest.strip_prefix('/')?,
    };
    let bag = bag.strip_suffix('/').unwrap_or(bag);
    (!bag.contains('/')).then_some(Inbound::Telemetry { bag })
}

fn parse_system(topic: &str) -> Option<Inbound<'_>> {
    if let Some(tail) = topic.strip_prefix("twin/GET/") {
        return Some(Inbound::TwinGet {
            rid: request_id(tail)?,
        });
    }
    if let Some(tail) = topic.strip_prefix("twin/PATCH/properties/reported/") {
        return Some(Inbound::TwinReported {
            rid: request_id(tail),
        });
    }
    let (status, tail) = topic.strip_prefix("methods/res/")?.split_once('/')?;
    status.parse::<i32>().ok()?;
    request_id(tail)?;
    Some(Inbound::MethodResponse)
}

/// The `$rid` of `?$rid=…&…`.
fn request_id(tail: &str) -> Option<&str> {
    tail.strip_prefix('?')?
        .split('&')
        .find_map(|pair| pair.strip_prefix("$rid="))
        .filter(|rid| !rid.is_empty() && !rid.contains(['/', '?']))
}

/// Whether IoT Hub lets this identity subscribe to a filter.
pub(crate) fn is_allowed_filter(name: &Name, filter: &str) -> bool {
    if matches!(filter, TWIN_RESPONSES | DESIRED_CHANGES | METHODS) {
        return true;
    }
    let device = &name.device;
    match &name.module {
        None => {
            filter == format!("devices/{device}/messages/devicebound/#")
                || filter == "devices/+/messages/devicebound/#"
        }
        Some(module) => {
            filter == format!("devices/{device}/modules/{module}/inputs/#")
                || filter == format!("devices/{device}/modules/{module}/#")
        }
    }
}

pub(crate) fn twin_response(status: u16, rid: &str, version: Option<u64>) -> String {
    match version {
        Some(version) => format!("$iothub/twin/res/{status}/?$rid={rid}&$version={version}"),
        None => format!("$iothub/twin/res/{status}/?$rid={rid}"),
    }
}

pub(crate) fn desired_change(version: u64) -> String {
    format!("$iothub/twin/PATCH/properties/desired/?$version={version}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::messages::Properties;
    use crate::sas::Token;

    proptest! {
        #[test]
        fn hostile_text_never_panics(text in "(\\PC|%[0-9a-f]{0,2}|[&=/?$]|rid|sig|se|sr){0,30}") {
            let name = Name::module("d", "m");
            for prefix in ["", "$iothub/twin/GET/", "devices/d/modules/m/messages/events/"] {
                let topic = format!("{prefix}{text}");
                if let Some(Inbound::Telemetry { bag }) = parse(&name, &topic) {
                    let _ = Properties::parse(bag);
                }
                let _ = is_allowed_filter(&name, &topic);
            }
            let _ = Token::parse(&format!("SharedAccessSignature {text}"));
            let _ = Name::parse(&text);
        }
    }

    #[test]
    fn documented_topics_are_read() {
        let m = Name::module("d", "m$x");
        assert_eq!(
            parse(&m, "$iothub/twin/GET/?$rid=a1"),
            Some(Inbound::TwinGet { rid: "a1" })
        );
        assert_eq!(
            parse(&m, "$iothub/twin/PATCH/properties/reported/?x=1&$rid=7"),
            Some(Inbound::TwinReported { rid: Some("7") })
        );
        assert_eq!(
            parse(&m, "$iothub/twin/PATCH/properties/reported/"),
            Some(Inbound::TwinReported { rid: None })
        );
        assert_eq!(
            parse(&m, "$iothub/methods/res/200/?$rid=1"),
            Some(Inbound::MethodResponse)
        );
        for (topic, bag) in [
            ("devices/d/modules/m$x/messages/events", ""),
            ("devices/d/modules/m$x/messages/events/", ""),
            ("devices/d/modules/m$x/messages/events/a=b&c", "a=b&c"),
            (
                "devices/d/modules/m$x/messages/events/%24.on=out1/",
                "%24.on=out1",
            ),
        ] {
            assert_eq!(
                parse(&m, topic),
                Some(Inbound::Telemetry { bag }),
                "{topic}"
            );
        }
        assert!(parse(&Name::device("d"), "devices/d/messages/events/").is_some());
    }

    #[test]
    fn other_topics_are_refused() {
        let m = Name::module("d", "m");
        for topic in [
            "",
            "a",
            "$iothub/twin/GET/",
            "$iothub/twin/GET/?$rid=",
            "$iothub/twin/GET/?$rid=a/b",
            "$iothub/twin/get/?$rid=1",
            "$iothub/twin/PATCH/properties/desired/?$rid=1",
            "$iothub/methods/res/x/?$rid=1",
            "$iothub/methods/res/200/",
            "devices/d/messages/events/",
            "devices/d2/modules/m/messages/events/",
            "devices/d/modules/m2/messages/events/",
            "devices/d/modules/m/messages/eventsx",
            "devices/d/modules/m/messages/events/a/b",
            "devices/d/modules/m/inputs/a",
        ] {
            assert_eq!(parse(&m, topic), None, "{topic}");
        }
        assert_eq!(
            parse(&Name::device("d"), "devices/d/modules/m/messages/events/"),
            None
        );
    }

    #[test]
    fn only_documented_filters_are_allowed() {
        let (d, m) = (Name::device("d"), Name::module("d", "m"));
        for filter in [TWIN_RESPONSES, DESIRED_CHANGES, METHODS] {
            assert!(is_allowed_filter(&d, filter) && is_allowed_filter(&m, filter));
        }
        assert!(is_allowed_filter(&m, "devices/d/modules/m/#"));
        assert!(is_allowed_filter(&m, "devices/d/modules/m/inputs/#"));
        assert!(is_allowed_filter(&d, "devices/d/messages/devicebound/#"));
        for filter in [
            "#",
            "$iothub/#",
            "devices/d/#",
            "devices/+/modules/m/#",
            "",
            "$SYS/#",
        ] {
            assert!(
                !is_allowed_filter(&d, filter) && !is_allowed_filter(&m, filter),
                "{filter}"
            );
        }
    }
}
