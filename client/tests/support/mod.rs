//! A scripted peer: TLS and just enough MQTT 3.1.1 to be a hub, good or bad, in this process.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program uses a part of it"
)]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use twinguard_client::{ClientOptions, Error, Event, ModuleClient, RootMode, State};

pub const LONG: Duration = Duration::from_secs(20);

/// A certificate authority of its own.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

impl Ca {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    pub fn server(&self, name: &str) -> Arc<ServerConfig> {
        self.server_valid(name, (2020, 2090))
    }

    pub fn server_valid(&self, name: &str, years: (i32, i32)) -> Arc<ServerConfig> {
        self.server_speaking(name, years, rustls::ALL_VERSIONS)
    }

    pub fn server_speaking(
        &self,
        name: &str,
        years: (i32, i32),
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}

pub type Tls = StreamOwned<ServerConnection, TcpStream>;

/// Accepts connections and plays `script` on each, in a thread of its own.
pub struct Peer {
    pub address: SocketAddr,
    pub accepted: Arc<AtomicUsize>,
}

impl Peer {
    pub fn start(
        script: impl Fn(usize, TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let (script, count) = (Arc::new(script), accepted.clone());
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let script = script.clone();
                thread::spawn(move || script(number, socket));
            }
        });
        Self { address, accepted }
    }

    /// The peer as one that speaks TLS.
    pub fn tls(
        config: Arc<ServerConfig>,
        script: impl Fn(usize, Tls) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |number, socket| script(number, tls(&config, socket)?))
    }

    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub fn options(&self, ca: &Ca) -> ClientOptions {
        options(&format!("localhost:{}", self.address.port()), ca)
    }
}

pub fn tls(config: &Arc<ServerConfig>, mut socket: TcpStream) -> io::Result<Tls> {
    socket.set_nodelay(true)?;
    let mut connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(connection, socket))
}

/// A client of `host` with short time-outs and no bundled roots.
pub fn options(host: &str, ca: &Ca) -> ClientOptions {
    let text = format!(
        "HostName={host};DeviceId=pump-7;ModuleId=azureiotsecurity;SharedAccessKey=c2VjcmV0"
    );
    let mut options = ClientOptions::from_connection_string(&text).unwrap();
    options
        .root_certificates_pem(ca.pem.as_bytes(), RootMode::Replace)
        .unwrap();
    options
        .connect_timeout(Duration::from_secs(1))
        .request_timeout(Duration::from_secs(2));
    options
        .backoff_max(Duration::from_secs(1))
        .keep_alive(Duration::from_secs(5));
    options
}

/// One MQTT packet: the first byte and the body.
pub fn packet(stream: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let first = byte[0];
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        stream.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((first, body))
}

pub fn encode(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let more = if length > 0x7f { 0x80 } else { 0 };
        bytes.push((length & 0x7f) as u8 | more);
        length >>= 7;
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

pub fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = (topic.len() as u16).to_be_bytes().to_vec();
    body.extend_from_slice(topic.as_bytes());
    body.extend_from_slice(payload);
    encode(0x30, &body)
}

/// CONNECT comes in, CONNACK goes out.
pub fn accept(stream: &mut (impl Read + Write)) -> io::Result<()> {
    let (first, _) = packet(stream)?;
    assert_eq!(first, 0x10, "the first packet is CONNECT");
    stream.write_all(&encode(0x20, &[0, 0]))?;
    stream.flush()
}

/// The twin of a good hub.
pub struct Twin {
    pub desired: serde_json::Value,
    pub reported: serde_json::Value,
    pub version: u64,
}

impl Twin {
    pub fn new(desired: serde_json::Value) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            desired,
            reported: serde_json::json!({}),
            version: 1,
        }))
    }

    fn document(&self) -> Vec<u8> {
        let (mut desired, mut reported) = (self.desired.clone(), self.reported.clone());
        desired["$version"] = 7.into();
        reported["$version"] = self.version.into();
        serde_json::to_vec(&serde_json::json!({ "desired": desired, "reported": reported }))
            .unwrap()
    }
}

/// Answers one packet as a hub does; `None` after DISCONNECT.
pub fn answer(first: u8, body: &[u8], twin: &Mutex<Twin>) -> Option<Vec<u8>> {
    match first & 0xf0 {
        0x10 => Some(encode(0x20, &[0, 0])),
        0x80 => {
            let filters = filters(&body[2..]);
            let mut granted = body[..2].to_vec();
            granted.extend(std::iter::repeat_n(0, filters));
            Some(encode(0x90, &granted))
        }
        0xc0 => Some(encode(0xd0, &[])),
        0x30 => {
            let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
            let topic = std::str::from_utf8(&body[2..2 + length]).unwrap();
            Some(twin_answer(
                topic,
                &body[2 + length..],
                &mut twin.lock().unwrap(),
            ))
        }
        0xe0 => None,
        other => panic!("unexpected packet {other:#x}"),
    }
}

fn filters(mut body: &[u8]) -> usize {
    let mut count = 0;
    while body.len() > 2 {
        body = &body[3 + usize::from(u16::from_be_bytes([body[0], body[1]]))..];
        count += 1;
    }
    count
}

fn twin_answer(topic: &str, payload: &[u8], twin: &mut Twin) -> Vec<u8> {
    let rid = topic
        .split("$rid=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    if topic.starts_with("$iothub/twin/GET/") {
        return publish(
            &format!("$iothub/twin/res/200/?$rid={rid}"),
            &twin.document(),
        );
    }
    let patch = serde_json::from_slice(payload).unwrap();
    twinguard_client::core::twin::patch::merge(&mut twin.reported, &patch);
    twin.version += 1;
    publish(
        &format!("$iothub/twin/res/204/?$rid={rid}&$version={}", twin.version),
        b"",
    )
}

/// A good hub until the client goes.
pub fn serve(stream: &mut (impl Read + Write), twin: &Mutex<Twin>) -> io::Result<()> {
    loop {
        let (first, body) = packet(stream)?;
        let Some(answer) = answer(first, &body, twin) else {
            return Ok(());
        };
        stream.write_all(&answer)?;
        stream.flush()?;
    }
}

/// A good hub for any number of clients.
pub fn good_hub(ca: &Ca, twin: Arc<Mutex<Twin>>) -> Peer {
    Peer::tls(ca.server("localhost"), move |_, mut stream| {
        serve(&mut stream, &twin)
    })
}

/// The next event that `pick` takes.
pub fn event_where<T>(client: &ModuleClient, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let event = client
            .next_event(left)
            .unwrap()
            .expect("the event comes in time");
        if let Some(found) = pick(&event) {
            return found;
        }
    }
}

/// The trouble with which the connection is lost next.
pub fn lost(client: &ModuleClient) -> twinguard_client::Trouble {
    event_where(client, |event| match event {
        Event::State(change) if change.state == State::Disconnected => change.trouble.clone(),
        _ => None,
    })
}

pub fn running(options: ClientOptions) -> Result<ModuleClient, Error> {
    let client = options.build()?;
    client.connect()?;
    client.wait_running(LONG)?;
    Ok(client)
}

/// Keeps a connection open without a word, until the client closes it.
pub fn hold(mut socket: impl Read) -> io::Result<()> {
    let mut bytes = [0; 4096];
    while socket.read(&mut bytes)? > 0 {}
    Ok(())
}
