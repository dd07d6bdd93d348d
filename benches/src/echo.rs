//! The yardstick: what one round trip over TLS costs on this machine, with nothing else around it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, Stream,
};

const BYTES: usize = 100;

/// Times `count` echoes, after a few to warm up.
pub(crate) fn round_trips(count: usize) -> Vec<Duration> {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let certificate = key.cert.der().clone();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let private = PrivatePkcs8KeyDer::from(key.signing_key.serialize_der());
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], private.into())
        .expect("a server");
    let answering = thread::spawn(move || answer(&listener, server));
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a root");
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().expect("a name");
    let mut tls = ClientConnection::new(Arc::new(client), name).expect("a connection");
    let mut tcp = TcpStream::connect(address).expect("our own port");
    tcp.set_nodelay(true).expect("an option");
    let mut stream = Stream::new(&mut tls, &mut tcp);
    let mut buffer = [7; BYTES];
    let mut once = || {
        let started = Instant::now();
        stream.write_all(&buffer).expect("written");
        stream.read_exact(&mut buffer).expect("read");
        started.elapsed()
    };
    (0..100).for_each(|_| {
        once();
    });
    let times = (0..count).map(|_| once()).collect();
    drop(tcp);
    answering.join().expect("the echo");
    times
}

fn answer(listener: &TcpListener, config: ServerConfig) {
    let (mut tcp, _) = listener.accept().expect("a client");
    tcp.set_nodelay(true).expect("an option");
    let mut tls = ServerConnection::new(Arc::new(config)).expect("a connection");
    let mut stream = Stream::new(&mut tls, &mut tcp);
    let mut buffer = [0; BYTES];
    while stream.read_exact(&mut buffer).is_ok() && stream.write_all(&buffer).is_ok() {}
}
