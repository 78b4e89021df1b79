//! Device Defender's answers: what it publishes to `.../accepted` and `.../rejected`.
//!
//! ```json
//! {"thingName": "T", "reportId": 1542697506, "status": "ACCEPTED", "timestamp": 1542697506269}
//! {"thingName": "T", "status": "REJECTED", "timestamp": 1635802047699,
//!  "statusDetails": {"ErrorCode": "InvalidPayload", "ErrorMessage": "Malformed metrics report"}}
//! ```
//!
//! (AWS IoT Device Defender developer guide, "Sending metrics from devices" and its troubleshooting page.) The topic says
//! which of the two it is. `reportId` may be missing. `ErrorCode` is an open string; `InvalidPayload` and `Throttled` are
//! known. Answers come in the encoding of the report.

use std::fmt;

use ciborium::Value as Cbor;
use serde_json::Value as Json;

use crate::report::encode::Encoding;
use crate::text::{MAX_SHOWN, truncate};
use crate::thing::ThingName;

/// An answer to our report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Accepted: well-formed, which does not mean that it conforms to a security profile.
    Accepted,
    Rejected(Rejection),
}

/// Why a report was rejected, as the service puts it. Empty: it did not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub code: String,
    pub message: String,
}

impl Rejection {
    /// Whether the report came too soon after the one before.
    pub fn is_throttled(&self) -> bool {
        self.code.to_ascii_lowercase().contains("throttl")
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.as_str(), self.message.as_str()) {
            ("", "") => f.write_str("no reason given"),
            (code, "") => f.write_str(code),
            ("", message) => f.write_str(message),
            (code, message) => write!(f, "{code}: {message}"),
        }
    }
}

/// Why a message does not answer our report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    #[error("it is about report {0}")]
    OtherReport(String),
    #[error("it is about thing {0}")]
    OtherThing(String),
    #[error("it is retained from earlier, and it names no report")]
    Retained,
    #[error("it came before the PUBACK, and it names no report")]
    Early,
    #[error("it cannot be parsed: {0}")]
    Malformed(String),
}

/// A message on one of the answer topics.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Whether it was published to `.../accepted` rather than `.../rejected`.
    pub accepted: bool,
    /// That of the report.
    pub encoding: Encoding,
    /// Whether the broker retained it from earlier.
    pub retained: bool,
    /// Whether the broker had acknowledged the report (PUBACK): before that, it may answer an earlier one.
    pub acknowledged: bool,
    pub payload: &'a [u8],
}

impl Reply {
    /// Reads an answer to the report `report_id` of `thing`.
    ///
    /// # Errors
    /// [`ReplyError`] when it is not one.
    pub fn parse(answer: &Answer<'_>, thing: &ThingName, report_id: u64) -> Result<Self, ReplyError> {
        let document = decode(answer.payload, answer.encoding)?;
        if !document.is_object() {
            return Err(ReplyError::Malformed("not an object".to_owned()));
        }
        let name = document.get("thingName").and_then(Json::as_str);
        if let Some(other) = name.filter(|name| *name != thing.as_str()) {
            return Err(ReplyError::OtherThing(truncate(other, MAX_SHOWN)));
        }
        match document.get("reportId") {
            Some(id @ (Json::Number(_) | Json::String(_))) => {
                let text = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
                if text.trim_end_matches(".0") != report_id.to_string() {
                    return Err(ReplyError::OtherReport(truncate(&text, MAX_SHOWN)));
                }
            }
            _ if answer.retained => return Err(ReplyError::Retained),
            _ if !answer.acknowledged => return Err(ReplyError::Early),
            _ => {}
        }
        if answer.accepted {
            return Ok(Self::Accepted);
        }
        let detail = |name: &str| match document.pointer(&format!("/statusDetails/{name}")).or(document.get(name)) {
            None | Some(Json::Null) => String::new(),
            Some(Json::String(text)) => truncate(text, MAX_SHOWN),
            Some(other) => truncate(&other.to_string(), MAX_SHOWN),
        };
        Ok(Self::Rejected(Rejection { code: detail("ErrorCode"), message: detail("ErrorMessage") }))
    }
}

fn decode(payload: &[u8], encoding: Encoding) -> Result<Json, ReplyError> {
    match encoding {
        Encoding::Json => serde_json::from_slice(payload).map_err(|error| error.to_string()),
        Encoding::Cbor => ciborium::from_reader(payload).map(as_json).map_err(|_| "not CBOR".to_owned()),
    }
    .map_err(ReplyError::Malformed)
}

/// CBOR as JSON. What JSON cannot express, such as a byte string, becomes null: only a field that nobody reads can hold it.
fn as_json(cbor: Cbor) -> Json {
    match cbor {
        Cbor::Integer(number) => {
            let number = i128::from(number);
            let unsigned = u64::try_from(number).map(Json::from);
            unsigned.or_else(|_| i64::try_from(number).map(Json::from)).unwrap_or_default()
        }
        Cbor::Float(number) => Json::from(number),
        Cbor::Text(text) => Json::String(text),
        Cbor::Bool(value) => Json::Bool(value),
        Cbor::Tag(_, value) => as_json(*value),
        Cbor::Array(list) => list.into_iter().map(as_json).collect(),
        Cbor::Map(entries) => {
            let named = entries.into_iter().filter_map(|(name, value)| Some((name.into_text().ok()?, as_json(value))));
            Json::Object(named.collect())
        }
        _ => Json::Null,
    }
}
