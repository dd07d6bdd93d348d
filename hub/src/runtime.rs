//! The hub's thread: two listeners, a task per connection, and an orderly end.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use crate::error::HubError;
use crate::mqtt;
use crate::mqtt::outbox::Close;
use crate::names::HostNames;
use crate::options::HubOptions;
use crate::rest;
use crate::state::State;

/// After an accept that failed (out of descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Time for connections to end when the hub stops.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// Characters of a log line.
const MAX_LOG_LINE: usize = 500;

/// What every connection shares.
pub(crate) struct Core {
    pub(crate) options: HubOptions,
    pub(crate) hosts: HostNames,
    state: Mutex<State>,
}

impl Core {
    pub(crate) fn new(options: HubOptions, hosts: HostNames, state: State) -> Self {
        Self {
            options,
            hosts,
            state: Mutex::new(state),
        }
    }

    /// The state. A panic elsewhere does not lock everybody out: operations store first and
    /// change memory last, so the state is whole at any time.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands one line to the sink. Clients can write parts of it, so it is made harmless for a
    /// terminal and short.
    pub(crate) fn log(&self, line: impl FnOnce() -> String) {
        if let Some(log) = &self.options.log {
            let harmless = |c: char| if c.is_control() { '\u{fffd}' } else { c };
            log(&line()
                .chars()
                .take(MAX_LOG_LINE)
                .map(harmless)
                .collect::<String>());
        }
    }
}

/// A listening socket and the TLS it speaks.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) tls: Arc<ServerConfig>,
}

/// Binds before any thread exists, so that a taken port is the caller's error.
pub(crate) fn bind(service: &'static str, address: SocketAddr) -> Result<TcpListener, HubError> {
    let bound = TcpListener::bind(address).and_then(|socket| {
        socket.set_nonblocking(true)?;
        Ok(socket)
    });
    bound.map_err(|source| HubError::Bind {
        service,
        address,
        source,
    })
}

/// Runs both servers until `stop` turns true.
pub(crate) async fn run(
    core: Arc<Core>,
    mqtt: Listener,
    https: Listener,
    mut stop: watch::Receiver<bool>,
) {
    let most = core.options.max_connections.min(Semaphore::MAX_PERMITS);
    let permits = Arc::new(Semaphore::new(most));
    let devices = accept_all(Arc::clone(&core), mqtt, Arc::clone(&permits), mqtt::serve);
    let service = accept_all(
        Arc::clone(&core),
        https,
        Arc::new(Semaphore::new(most)),
        rest::serve,
    );
    tokio::select! {
        () = devices => {}
        () = service => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    core.lock()
        .live
        .values_mut()
        .for_each(|live| live.outbox.close(Close::Stopping));
    // All permits are back when all connections have said goodbye.
    let all = u32::try_from(most).unwrap_or(u32::MAX);
    let _ = timeout(GOODBYE_TIMEOUT, permits.acquire_many(all)).await;
}

async fn accept_all<S, F>(core: Arc<Core>, listener: Listener, permits: Arc<Semaphore>, serve: S)
where
    S: Fn(Arc<Core>, TlsStream<TcpStream>) -> F + Send + Sync + Copy + 'static,
    F: Future<Output = ()> + Send,
{
    let Ok(socket) = tokio::net::TcpListener::from_std(listener.socket) else {
        return;
    };
    let acceptor = TlsAcceptor::from(listener.tls);
    loop {
        let Ok((stream, _)) = socket.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            core.log(|| "connection dropped: too many are open".to_owned());
            continue;
        };
        let (core, acceptor) = (Arc::clone(&core), acceptor.clone());
        tokio::spawn(async move {
            let _permit = permit;
            // Small packets must not wait for the peer's acknowledgement.
            let _ = stream.set_nodelay(true);
            match timeout(core.options.handshake_timeout, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => serve(core, stream).await,
                Ok(Err(e)) => core.log(|| format!("TLS handshake: {e}")),
                Err(_) => core.log(|| "TLS handshake: took too long".to_owned()),
            }
        });
    }
}
