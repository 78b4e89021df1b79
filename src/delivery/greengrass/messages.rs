//! Event stream RPC: requests to the nucleus, and what it sends back.
//!
//! A connection has streams, numbered by the client from 1. Each carries one request, its response, and for a subscription
//! the messages after it. Stream 0 is the connection itself. Source: AWS IoT Greengrass developer guide, "Interprocess
//! communication", and the service model of its SDKs (`PublishToIoTCore`, `SubscribeToIoTCore`).

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::frames::{Frame, HeaderValue};
use crate::text::{MAX_SHOWN, truncate};

/// Values of `:message-type`.
const APPLICATION_MESSAGE: i32 = 0;
const APPLICATION_ERROR: i32 = 1;
const PING: i32 = 2;
const PING_RESPONSE: i32 = 3;
const CONNECT: i32 = 4;
const CONNECT_ACK: i32 = 5;
const PROTOCOL_ERROR: i32 = 6;
const INTERNAL_ERROR: i32 = 7;

/// The bit of `:message-flags` in a `CONNECT_ACK` that says yes.
const ACCEPTED: i32 = 1;

const VERSION: &str = "0.1.0";

/// The namespace of operations and errors.
const NAMESPACE: &str = "aws.greengrass#";

/// An operation of the nucleus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Publish,
    Subscribe,
}

impl Operation {
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "PublishToIoTCore",
            Self::Subscribe => "SubscribeToIoTCore",
        }
    }
}

/// What the nucleus sends. Texts are at most 200 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    Connected {
        accepted: bool,
    },
    /// The request on this stream was done.
    Response {
        stream: i32,
    },
    /// A message to a topic that the request on this stream subscribed to.
    Message {
        stream: i32,
        payload: Vec<u8>,
    },
    /// The request on this stream failed.
    Failed {
        stream: i32,
        /// Such as `UnauthorizedError`.
        name: String,
        message: String,
    },
    Ping,
    /// The nucleus did not understand what it was sent.
    Fault(String),
    /// Anything else, for people.
    Other(String),
}

/// The `message` of an `IoTCoreMessage`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IotCoreMessage {
    payload: String,
}

pub(crate) fn connect(token: &str) -> Frame {
    let version = (":version".to_owned(), HeaderValue::Text(VERSION.to_owned()));
    frame(CONNECT, 0, [version], json!({ "authToken": token }).to_string())
}

pub(crate) fn subscribe(stream: i32, topic: &str) -> Frame {
    request(stream, Operation::Subscribe, &json!({ "topicName": topic, "qos": "1" }))
}

/// Publishes with quality of service 0: a nucleus spools 1 while it is offline, and an outage must not end in a burst of old
/// reports.
pub(crate) fn publish(stream: i32, topic: &str, payload: &[u8]) -> Frame {
    let payload = BASE64_STANDARD.encode(payload);
    request(stream, Operation::Publish, &json!({ "topicName": topic, "qos": "0", "payload": payload }))
}

pub(crate) fn ping_response() -> Frame {
    frame(PING_RESPONSE, 0, [], String::new())
}

fn request(stream: i32, operation: Operation, body: &Value) -> Frame {
    let text = |name: &str, value: String| (name.to_owned(), HeaderValue::Text(value));
    let name = format!("{NAMESPACE}{}", operation.name());
    let headers = [text("service-model-type", format!("{name}Request")), text("operation", name)];
    frame(APPLICATION_MESSAGE, stream, headers, body.to_string())
}

fn frame<const N: usize>(kind: i32, stream: i32, others: [(String, HeaderValue); N], payload: String) -> Frame {
    let int = |name: &str, value| (name.to_owned(), HeaderValue::Int(value));
    let mut headers = vec![int(":message-type", kind), int(":message-flags", 0), int(":stream-id", stream)];
    headers.extend(others);
    Frame { headers, payload: payload.into_bytes() }
}

impl Incoming {
    pub fn of(frame: &Frame) -> Self {
        let stream = frame.int(":stream-id").unwrap_or_default();
        let model = frame.text("service-model-type").unwrap_or_default();
        let body: Value = serde_json::from_slice(&frame.payload).unwrap_or_default();
        match frame.int(":message-type") {
            Some(CONNECT_ACK) => {
                let flags = frame.int(":message-flags").unwrap_or_default();
                Self::Connected { accepted: flags & ACCEPTED != 0 }
            }
            Some(APPLICATION_MESSAGE) => match body.get("message").map(IotCoreMessage::deserialize) {
                None => Self::Response { stream },
                Some(message) => match message.map(|message| BASE64_STANDARD.decode(message.payload)) {
                    Ok(Ok(payload)) => Self::Message { stream, payload },
                    _ => Self::Other("a message without a payload in base64".to_owned()),
                },
            },
            Some(APPLICATION_ERROR) => {
                let name = truncate(model.strip_prefix(NAMESPACE).unwrap_or(model), MAX_SHOWN);
                Self::Failed { stream, name, message: message_of(&body) }
            }
            Some(PING) => Self::Ping,
            Some(PROTOCOL_ERROR | INTERNAL_ERROR) => Self::Fault(match message_of(&body).as_str() {
                "" => truncate(&String::from_utf8_lossy(&frame.payload), MAX_SHOWN),
                message => message.to_owned(),
            }),
            Some(other) => Self::Other(format!("a frame of type {other}")),
            None => Self::Other("a frame without a type".to_owned()),
        }
    }
}

impl fmt::Display for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { .. } => f.write_str("CONNECT_ACK"),
            Self::Response { stream } => write!(f, "a response on stream {stream}"),
            Self::Message { stream, .. } => write!(f, "a message on stream {stream}"),
            Self::Failed { stream, name, .. } => write!(f, "{name} on stream {stream}"),
            Self::Ping => f.write_str("a ping"),
            Self::Fault(message) => write!(f, "an error: {message}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// The text of an error: `_message` in nucleus lite, `message` in the nucleus.
fn message_of(body: &Value) -> String {
    let text = ["_message", "message"].iter().find_map(|name| body.get(name)?.as_str());
    truncate(text.unwrap_or_default(), MAX_SHOWN)
}
