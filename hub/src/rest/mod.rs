//! The service side: REST over HTTPS.

mod answer;
mod router;

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, HeaderMap, IF_MATCH};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

pub(crate) use answer::device_error_body;
use router::Call;

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
    let what = format!("{} {}", head.method, head.uri.path());
    let outcome = match read_body(core, body).await {
        Ok(body) => Call::parse(&head.method, &head.uri, &body).and_then(|call| {
            let authorization = header(&head.headers, AUTHORIZATION.as_str());
            let if_match = header(&head.headers, IF_MATCH.as_str());
            call.carry_out(core, authorization, if_match)
        }),
        Err(refusal) => Err(refusal),
    };
    outcome.unwrap_or_else(|refusal| {
        core.log(|| format!("{what}: {refusal}"));
        answer::refusal(&refusal)
    })
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

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
