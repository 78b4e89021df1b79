//! Device Defender's answers: what came on `.../accepted` and `.../rejected`.
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

use ciborium::Value as Cbor;
use serde_json::Value as Json;

use crate::escape::shortened;
use crate::report::Encoding;
use crate::thing::ThingName;

/// An answer to our report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It was accepted: understood, which does not mean that it conforms to a profile.
    Accepted,
    /// It was rejected.
    Rejected {
        /// The error code, whatever it is; empty when there is none.
        code: String,
        /// What the service says about it; empty when there is nothing.
        message: String,
    },
}

/// Why an answer is not one to our report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// It is about another report.
    #[error("it is about report {0}")]
    OtherReport(String),
    /// It is about another thing.
    #[error("it is about thing {0}")]
    OtherThing(String),
    /// It names no report, and was kept by the broker from earlier.
    #[error("the broker kept it from earlier (retained), and it names no report")]
    Retained,
    /// It is no answer at all.
    #[error("it is not understood: {0}")]
    Garbled(String),
}

impl Reply {
    /// Whether the report came too soon.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        matches!(self, Self::Rejected { code, .. } if code.to_ascii_lowercase().contains("throttl"))
    }

    /// Reads an answer to the report `report_id` of `thing`.
    ///
    /// # Errors
    /// [`NotOurs`] when it is none.
    pub fn parse(answer: &Answer<'_>, thing: &ThingName, report_id: u64) -> Result<Self, NotOurs> {
        let document = decode(answer.payload, answer.encoding)?;
        if !document.is_object() {
            return Err(NotOurs::Garbled("not an object".to_owned()));
        }
        if let Some(name) = document.get("thingName").and_then(Json::as_str)
            && name != thing.as_str()
        {
            return Err(NotOurs::OtherThing(shortened(name)));
        }
        match document.get("reportId") {
            Some(id @ (Json::Number(_) | Json::String(_))) => {
                let text = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
                if text.trim_end_matches(".0") != report_id.to_string() {
                    return Err(NotOurs::OtherReport(shortened(&text)));
                }
            }
            _ if answer.retained => return Err(NotOurs::Retained),
            _ => {}
        }
        if answer.accepted {
            return Ok(Self::Accepted);
        }
        let detail = |name: &str| {
            let value = document.get("statusDetails").and_then(|details| details.get(name)).or(document.get(name));
            match value {
                None | Some(Json::Null) => String::new(),
                Some(Json::String(text)) => shortened(text),
                Some(other) => shortened(&other.to_string()),
            }
        };
        Ok(Self::Rejected { code: detail("ErrorCode"), message: detail("ErrorMessage") })
    }
}

/// An answer as it came.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Whether it came on `.../accepted`, not on `.../rejected`.
    pub accepted: bool,
    /// What it is encoded in.
    pub encoding: Encoding,
    /// Whether the broker had kept it.
    pub retained: bool,
    /// Its bytes.
    pub payload: &'a [u8],
}

fn decode(payload: &[u8], encoding: Encoding) -> Result<Json, NotOurs> {
    match encoding {
        Encoding::Json => serde_json::from_slice(payload).map_err(|error| NotOurs::Garbled(error.to_string())),
        Encoding::Cbor => match ciborium::from_reader(payload) {
            Ok(cbor) => Ok(as_json(cbor)),
            Err(_) => Err(NotOurs::Garbled("no CBOR".to_owned())),
        },
    }
}

/// CBOR as JSON. What JSON has no word for, a byte string for one, is null: it may stand in a field that nobody asks for.
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
