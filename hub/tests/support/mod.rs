//! A small raw MQTT client and REST caller, so that tests can say exactly what goes on the wire.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support; each test file uses a part of it"
)]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;
use serde_json::Value;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version,
};
use twinguard_hub::{Hub, HubOptions};

pub const DEVICE: &str = "dev-1";
pub const MODULE: &str = "azureiotsecurity";
pub const RES: &str = "$iothub/twin/res/#";
pub const DESIRED: &str = "$iothub/twin/PATCH/properties/desired/#";
/// Generous: a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub type Tls = StreamOwned<ClientConnection, TcpStream>;

pub fn start() -> Hub {
    start_with(HubOptions::memory())
}

pub fn start_with(options: HubOptions) -> Hub {
    let hub = Hub::start(options).unwrap();
    hub.create_module(DEVICE, MODULE).unwrap();
    hub
}

pub fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// The value of one key of a connection string.
pub fn part<'a>(connection_string: &'a str, key: &str) -> &'a str {
    connection_string
        .split(';')
        .find_map(|pair| {
            pair.split_once('=')
                .filter(|(k, _)| *k == key)
                .map(|(_, v)| v)
        })
        .unwrap()
}

pub fn token(key: &str, resource: &str, expiry: u64, policy: Option<&str>) -> String {
    let sr = utf8_percent_encode(resource, NON_ALPHANUMERIC);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key).unwrap());
    let signature = STANDARD.encode(hmac::sign(&key, format!("{sr}\n{expiry}").as_bytes()));
    let signature = utf8_percent_encode(&signature, NON_ALPHANUMERIC);
    let policy = policy
        .map(|policy| format!("&skn={policy}"))
        .unwrap_or_default();
    format!("SharedAccessSignature sr={sr}&sig={signature}&se={expiry}{policy}")
}

pub fn connect_tls(
    hub: &Hub,
    address: SocketAddr,
    versions: &[&'static SupportedProtocolVersion],
) -> Tls {
    connect_tls_with(hub, address, versions, None)
}

/// With a client certificate and its PKCS #8 key.
pub fn connect_tls_with(
    hub: &Hub,
    address: SocketAddr,
    versions: &[&'static SupportedProtocolVersion],
    certificate: Option<(CertificateDer<'static>, Vec<u8>)>,
) -> Tls {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(hub.ca_pem().as_bytes()).unwrap())
        .unwrap();
    let builder =
        ClientConfig::builder_with_protocol_versions(versions).with_root_certificates(roots);
    let config = match certificate {
        Some((certificate, key)) => builder
            .with_client_auth_cert(vec![certificate], PrivatePkcs8KeyDer::from(key).into())
            .unwrap(),
        None => builder.with_no_client_auth(),
    };
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    StreamOwned::new(connection, socket)
}

/// A CONNECT with the fields a test may want to change.
#[derive(Clone)]
pub struct Login {
    pub client_id: String,
    pub username: String,
    pub password: String,
    pub clean_session: bool,
    pub keep_alive: u16,
    pub will: Option<(String, Vec<u8>)>,
}

impl Login {
    pub fn new(hub: &Hub) -> Self {
        Self::until(hub, unix_now() + 3600)
    }

    pub fn until(hub: &Hub, expiry: u64) -> Self {
        let connection_string = hub.create_module(DEVICE, MODULE).unwrap();
        let resource = format!("localhost/devices/{DEVICE}/modules/{MODULE}");
        Self {
            client_id: format!("{DEVICE}/{MODULE}"),
            username: format!("localhost/{DEVICE}/{MODULE}/?api-version=2021-04-12"),
            password: token(
                part(&connection_string, "SharedAccessKey"),
                &resource,
                expiry,
                None,
            ),
            clean_session: false,
            keep_alive: 60,
            will: None,
        }
    }

    pub fn packet(&self) -> Vec<u8> {
        let mut flags = 0xC0 | u8::from(self.clean_session) << 1;
        let mut tail = string(self.client_id.as_bytes());
        if let Some((topic, payload)) = &self.will {
            flags |= 0b0000_1100;
            tail.extend(string(topic.as_bytes()));
            tail.extend(string(payload));
        }
        tail.extend(string(self.username.as_bytes()));
        tail.extend(string(self.password.as_bytes()));
        let mut body = b"\0\x04MQTT\x04".to_vec();
        body.push(flags);
        body.extend(self.keep_alive.to_be_bytes());
        body.extend(tail);
        packet(0x10, &body)
    }
}

pub fn string(bytes: &[u8]) -> Vec<u8> {
    let mut out = u16::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    out.extend(bytes);
    out
}

pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut length = body.len();
    loop {
        let digit = (length % 128) as u8;
        length /= 128;
        out.push(if length > 0 { digit | 0x80 } else { digit });
        if length == 0 {
            break;
        }
    }
    out.extend(body);
    out
}

pub fn publish(topic: &str, payload: &[u8], qos: u8, id: u16) -> Vec<u8> {
    let mut body = string(topic.as_bytes());
    if qos > 0 {
        body.extend(id.to_be_bytes());
    }
    body.extend(payload);
    packet(0x30 | qos << 1, &body)
}

/// How a connection ended, as the client sees it.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    Closed,
    Reset,
}

pub struct Client {
    pub tls: Tls,
}

impl Client {
    /// TLS only.
    pub fn raw(hub: &Hub) -> Self {
        Self {
            tls: connect_tls(hub, hub.mqtt_addr(), &[&version::TLS13, &version::TLS12]),
        }
    }

    /// TLS and CONNECT; returns session-present and the return code.
    pub fn login(hub: &Hub, login: &Login) -> (Self, u8, u8) {
        let mut client = Self::raw(hub);
        client.send(&login.packet());
        let (first, body) = client.receive();
        assert_eq!((first, body.len()), (0x20, 2));
        (client, body[0], body[1])
    }

    pub fn connect(hub: &Hub) -> Self {
        let (client, _, code) = Self::login(hub, &Login::new(hub));
        assert_eq!(code, 0);
        client
    }

    /// Connected and subscribed to twin answers and desired changes.
    pub fn ready(hub: &Hub) -> Self {
        let mut client = Self::connect(hub);
        assert_eq!(client.subscribe(&[(RES, 0), (DESIRED, 0)]), [0, 0]);
        client
    }

    pub fn send(&mut self, bytes: &[u8]) {
        // The hub may have closed already; that shows when reading.
        let _ = self.tls.write_all(bytes).and_then(|()| self.tls.flush());
    }

    pub fn receive(&mut self) -> (u8, Vec<u8>) {
        self.try_receive()
            .unwrap_or_else(|end| panic!("connection ended: {end:?}"))
    }

    pub fn try_receive(&mut self) -> Result<(u8, Vec<u8>), Ended> {
        let first = self.read(1)?[0];
        let (mut length, mut shift) = (0, 0);
        loop {
            let digit = self.read(1)?[0];
            length |= usize::from(digit & 0x7F) << shift;
            shift += 7;
            if digit & 0x80 == 0 {
                break;
            }
        }
        Ok((first, self.read(length)?))
    }

    fn read(&mut self, length: usize) -> Result<Vec<u8>, Ended> {
        let mut bytes = vec![0; length];
        match self.tls.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(e) => match e.kind() {
                ErrorKind::UnexpectedEof => Err(Ended::Closed),
                ErrorKind::ConnectionReset
                | ErrorKind::BrokenPipe
                | ErrorKind::ConnectionAborted => Err(Ended::Reset),
                _ => panic!("no answer within {PATIENCE:?}: {e}"),
            },
        }
    }

    /// Reads until the connection ends; panics if packets other than `expected` come before.
    pub fn ended(&mut self) -> Ended {
        match self.try_receive() {
            Err(end) => end,
            Ok((first, body)) => panic!("unexpected packet {first:#x} {body:?}"),
        }
    }

    pub fn subscribe(&mut self, filters: &[(&str, u8)]) -> Vec<u8> {
        self.send(&subscribe(7, filters));
        let (first, body) = self.receive();
        assert_eq!((first, &body[..2]), (0x90, &[0, 7][..]));
        body[2..].to_vec()
    }

    /// The next PUBLISH: topic and body.
    pub fn message(&mut self) -> (String, Vec<u8>) {
        let (first, body) = self.receive();
        assert_eq!(first, 0x30, "QoS 0, not retained, not a duplicate");
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = String::from_utf8(body[2..2 + length].to_vec()).unwrap();
        (topic, body[2 + length..].to_vec())
    }

    pub fn get_twin(&mut self) -> Value {
        self.send(&publish("$iothub/twin/GET/?$rid=get", b" ", 0, 0));
        let (topic, body) = self.message();
        assert_eq!(topic, "$iothub/twin/res/200/?$rid=get");
        serde_json::from_slice(&body).unwrap()
    }

    /// Reports and returns the topic and body of the answer.
    pub fn report(&mut self, patch: &[u8]) -> (String, Vec<u8>) {
        self.send(&publish(
            "$iothub/twin/PATCH/properties/reported/?$rid=r",
            patch,
            0,
            0,
        ));
        self.message()
    }

    /// Whether the connection works.
    pub fn ping(&mut self) {
        self.send(&[0xC0, 0]);
        assert_eq!(self.receive(), (0xD0, vec![]));
    }
}

pub fn subscribe(id: u16, filters: &[(&str, u8)]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    for (filter, qos) in filters {
        body.extend(string(filter.as_bytes()));
        body.push(*qos);
    }
    packet(0x82, &body)
}

pub fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// One REST call; returns status, the header `iothub-errorcode` and the body.
pub fn rest(
    hub: &Hub,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String, Value) {
    let mut tls = connect_tls(hub, hub.https_addr(), &[&version::TLS13]);
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    tls.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = tls.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let code = head
        .lines()
        .find_map(|line| line.strip_prefix("iothub-errorcode: "))
        .unwrap_or_default();
    (
        status,
        code.to_owned(),
        serde_json::from_str(body).unwrap_or(Value::Null),
    )
}

/// A token of the policy `iothubowner`.
pub fn owner(hub: &Hub) -> String {
    let connection_string = hub.service_connection_string();
    let key = part(&connection_string, "SharedAccessKey");
    token(
        key,
        part(&connection_string, "HostName"),
        unix_now() + 60,
        Some("iothubowner"),
    )
}
