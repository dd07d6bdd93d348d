//! The service side: REST over HTTPS.
//!
//! IoT Hub's own calls (IoT Hub docs: REST API) are `/devices/{d}`, `/devices/{d}/modules/{m}`
//! and `/twins/{d}[/modules/{m}]`. Ours are below `/twinguard`, for the policy right
//! ServiceConnect:
//!
//! * `GET /twinguard/messages?deviceId=&moduleId=&after=&top=`: messages received, oldest first,
//!   at most 1000; `after` is the sequence number of the last one seen. `DELETE` forgets them.
//! * `POST /twinguard/faults`: see `faults`.

mod answer;
mod router;

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, IF_MATCH};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

pub(crate) use answer::device_error_body;
use router::Address;

use crate::error::{ErrorCode, Refusal};
use crate::runtime::Core;

/// Largest request body: a twin of 32 KiB that a client sends back with all its metadata is far
/// below.
const MAX_BODY: usize = 4 << 20;

/// Serves one connection; returns when it is over.
pub(crate) async fn serve(core: Arc<Core>, stream: TlsStream<TcpStream>) {
    let request_timeout = core.options.request_timeout;
    let service = service_fn(move |request| {
        let core = Arc::clone(&core);
        async move { Ok::<_, Infallible>(respond(&core, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(request_timeout)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // A client that breaks off or sends no HTTP is its own trouble.
    drop(served);
}

async fn respond(core: &Core, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let outcome = carry_out(core, &head, body).await;
    outcome.unwrap_or_else(|refusal| {
        core.log(|| format!("{} {}: {refusal}", head.method, head.uri.path()));
        answer::refusal(&refusal)
    })
}

async fn carry_out(
    core: &Core,
    head: &Parts,
    body: Incoming,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let authorization = header(&head.headers, &AUTHORIZATION);
    let address = Address::authenticate(core, &head.method, &head.uri, authorization)?;
    let body = read_body(core, body).await?;
    address.carry_out(core, header(&head.headers, &IF_MATCH), &body)
}

async fn read_body(core: &Core, body: Incoming) -> Result<Bytes, Refusal> {
    let body = Limited::new(body, MAX_BODY).collect();
    match timeout(core.options.request_timeout, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(Refusal::new(
            ErrorCode::MessageTooLarge,
            format!("body is larger than {MAX_BODY} bytes or broke off"),
        )),
        Err(_) => Err(Refusal::invalid("body did not arrive in time")),
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
