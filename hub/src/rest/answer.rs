//! Answers and error bodies.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use crate::clock::timestamp;
use crate::error::Refusal;
use crate::keys::random_hex;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

pub(super) fn json(value: &Value) -> Response<Full<Bytes>> {
    response(StatusCode::OK, Some(value))
}

pub(super) fn no_content() -> Response<Full<Bytes>> {
    response(StatusCode::NO_CONTENT, None)
}

/// The form IoT Hub's REST API uses (IoT Hub docs: error codes).
pub(super) fn refusal(refusal: &Refusal) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(refusal.code.status());
    let tracking = random_hex();
    let body = json!({
        "Message": format!("ErrorCode:{};{}", refusal.code.name(), refusal.message),
        "ExceptionMessage": format!("Tracking ID:{tracking}-G:0-TimeStamp:{}", timestamp()),
    });
    let mut response = response(
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        Some(&body),
    );
    let name = HeaderValue::from_static(refusal.code.name());
    response.headers_mut().insert("iothub-errorcode", name);
    response
}

/// The form of a failed twin request over MQTT (azure-sdk-for-c, mqtt_state_machine.md).
pub(crate) fn device_error_body(refusal: &Refusal) -> String {
    json!({
        "errorCode": refusal.code.number(),
        "trackingId": random_hex(),
        "message": refusal.message,
        "timestampUtc": timestamp(),
    })
    .to_string()
}

fn response(status: StatusCode, body: Option<&Value>) -> Response<Full<Bytes>> {
    let bytes = body
        .map(|body| Bytes::from(body.to_string()))
        .unwrap_or_default();
    let mut response = Response::new(Full::new(bytes));
    *response.status_mut() = status;
    if body.is_some() {
        response.headers_mut().insert(CONTENT_TYPE, JSON);
    }
    response
}
