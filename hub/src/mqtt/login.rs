//! Who a CONNECT is, and whether to believe it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::keys::{Policies, Right};
use crate::mqtt::codec::Connect;
use crate::names::{HostNames, Name};
use crate::sas::{CLOCK_SKEW, SasError, Token};
use crate::state::State;

/// A believed CONNECT.
pub(crate) struct Login {
    pub(crate) name: Name,
    /// Who signed: `device`, `module` or `hub` (a policy).
    pub(crate) scope: &'static str,
    /// Seconds since 1970 at which the token no longer holds.
    expiry: u64,
}

impl Login {
    /// How long the connection may live: to the expiry of its token plus `grace`. A token that is
    /// past it already, within the clock skew, holds until the skew is used up.
    pub(crate) fn remaining(&self, grace: Duration) -> Duration {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let expiry = Duration::from_secs(self.expiry);
        let grace = if expiry > now {
            grace
        } else {
            Duration::from_secs(CLOCK_SKEW)
        };
        expiry.saturating_add(grace).saturating_sub(now)
    }
}

/// Why a CONNECT is refused; the client only sees return code 5.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    #[error("user name is missing")]
    NoUsername,
    #[error("user name is not host/device[/module]/?api-version=…")]
    Username,
    #[error("user name is for another hub")]
    Host,
    #[error("client id is not the identity of the user name")]
    ClientId,
    #[error("identity does not exist")]
    Unknown,
    #[error("device is disabled")]
    Disabled,
    #[error("identity does not take tokens")]
    NoTokens,
    #[error("password is missing")]
    NoPassword,
    #[error("password is not text")]
    Password,
    #[error("token names an unknown policy or one without DeviceConnect")]
    Policy,
    #[error(transparent)]
    Token(#[from] SasError),
}

/// The identity a CONNECT claims, with its user name and client id in order.
pub(crate) fn claimed_name(hosts: &HostNames, connect: &Connect) -> Result<Name, Denied> {
    let username = connect.username.as_deref().ok_or(Denied::NoUsername)?;
    let segments: Vec<&str> = username.split('/').collect();
    let (host, name, properties) = match segments[..] {
        [host, device, properties] => (host, Name::device(device), properties),
        [host, device, module, properties] => (host, Name::module(device, module), properties),
        _ => return Err(Denied::Username),
    };
    let properties = properties.strip_prefix('?').unwrap_or(properties);
    if !properties
        .split('&')
        .any(|pair| pair.starts_with("api-version="))
    {
        return Err(Denied::Username);
    }
    if !hosts.contains(host) {
        return Err(Denied::Host);
    }
    if connect.client_id != name.to_string() {
        return Err(Denied::ClientId);
    }
    Ok(name)
}

/// Checks the token of a CONNECT against the keys of the identity or of a policy.
pub(crate) fn authenticate(
    state: &State,
    hosts: &HostNames,
    name: Name,
    connect: &Connect,
    now: u64,
) -> Result<Login, Denied> {
    let record = state.record(&name).map_err(|_| Denied::Unknown)?;
    if !state.is_enabled(&name) {
        return Err(Denied::Disabled);
    }
    let password = connect.password.as_deref().filter(|p| !p.is_empty());
    let password = password.ok_or(Denied::NoPassword)?;
    let token = Token::parse(std::str::from_utf8(password).map_err(|_| Denied::Password)?)?;
    let (keys, scope) = match &token.policy {
        Some(policy) if Policies::grants(policy, Right::DeviceConnect) => {
            (state.policies.keys(policy).ok_or(Denied::Policy)?, "hub")
        }
        Some(_) => return Err(Denied::Policy),
        None if !record.takes_tokens() => return Err(Denied::NoTokens),
        None => (
            &record.keys,
            if name.module.is_some() {
                "module"
            } else {
                "device"
            },
        ),
    };
    token.verify(keys.both(), hosts, &name.resource(), now)?;
    Ok(Login {
        scope,
        expiry: token.expiry,
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(username: &str, client_id: &str) -> Result<Name, Denied> {
        let hosts = HostNames::new(["localhost".to_owned()]);
        let connect = Connect {
            client_id: client_id.to_owned(),
            username: Some(username.to_owned()),
            password: None,
            clean_session: false,
            keep_alive: 0,
            will: None,
        };
        claimed_name(&hosts, &connect)
    }

    #[test]
    fn user_names_of_all_clients() {
        let module = Ok(Name::module("d", "m$x"));
        for tail in [
            "?api-version=2019-10-01&DeviceClientType=azure-iot-device-iothub-py%2F2.14.0%283.11",
            "?api-version=2021-04-12&model-id=dtmi%3Aa%3B1&DeviceClientType=x%20(node%20v20)",
            "?DeviceClientType=x&api-version=anything",
            "api-version=2016-11-14",
        ] {
            for host in ["localhost", "LOCALHOST", "localhost:8883"] {
                assert_eq!(
                    claim(&format!("{host}/d/m$x/{tail}"), "d/m$x"),
                    module,
                    "{tail}"
                );
            }
        }
        assert_eq!(
            claim("localhost/d/?api-version=1", "d"),
            Ok(Name::device("d"))
        );
    }

    #[test]
    fn other_user_names_are_denied() {
        assert_eq!(claim("localhost/d/m/", "d/m"), Err(Denied::Username));
        assert_eq!(claim("localhost/d/m", "d/m"), Err(Denied::Username));
        assert_eq!(claim("", ""), Err(Denied::Username));
        assert_eq!(
            claim("a/b/c/d/e/?api-version=1", "b/c"),
            Err(Denied::Username)
        );
        assert_eq!(
            claim("example/d/m/?api-version=1", "d/m"),
            Err(Denied::Host)
        );
        assert_eq!(
            claim("localhost/d/m/?api-version=1", "d/M"),
            Err(Denied::ClientId)
        );
        assert_eq!(
            claim("localhost/d/m/?api-version=1", "d"),
            Err(Denied::ClientId)
        );
    }

    #[test]
    fn a_connection_lives_as_long_as_its_token() {
        let now = crate::clock::unix_now();
        let left = |expiry, grace| {
            let login = Login {
                name: Name::device("d"),
                scope: "device",
                expiry,
            };
            login.remaining(Duration::from_secs(grace)).as_secs_f64()
        };
        assert!((98.0..=100.0).contains(&left(now + 100, 0)));
        assert!((158.0..=160.0).contains(&left(now + 100, 60)));
        assert!((198.0..=200.0).contains(&left(now - 100, 0)));
        assert!(left(u64::MAX, 60) > 1e9);
    }
}
