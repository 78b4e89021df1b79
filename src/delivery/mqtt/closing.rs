//! What it means that a broker closed the connection without a reason.
//!
//! AWS IoT does so with MQTT 3.1.1 after CONNECT, SUBSCRIBE or PUBLISH when a policy forbids it (developer guide, "MQTT").

use super::reason::connect_hint;
use super::version::Version;
use crate::delivery::error::{Acknowledgment, Kind, MAYBE, SEE_LOG};
use crate::delivery::phase::Phase;

/// A connection that the broker closed without a reason, instead of answering CONNECT, SUBSCRIBE, or PUBLISH, or after its
/// acknowledgment.
#[derive(Debug)]
pub(crate) struct Closing {
    pub(crate) client_id: String,
    /// The topic that is subscribed or published to.
    pub(crate) topic: String,
    pub(crate) is_aws: bool,
    /// The version that a setting asked for.
    pub(crate) only: Option<Version>,
    pub(crate) acknowledgment: Acknowledgment,
}

impl Closing {
    /// What it means for the report, the message, and all likely causes, the broker's own first.
    pub(in crate::delivery) fn describe(&self, phase: Phase) -> (Kind, String, String) {
        let Self { client_id, topic, is_aws, only, acknowledgment } = self;
        if *acknowledgment != Acknowledgment::None {
            return (
                Kind::Unanswered,
                format!("the broker closed the connection, without a reason; {acknowledgment}"),
                format!(
                    "{SEE_LOG}; likely causes: the broker is shutting down, or another client connected as {client_id}; {MAYBE}"
                ),
            );
        }
        let (when, own, policy) = match phase {
            Phase::Connect => (
                "instead of answering",
                "the broker does not admit this client, or is shutting down; a proxy does so when its broker is down",
                format!("it does not accept a client: {}", connect_hint(client_id)),
            ),
            Phase::Subscribe => (
                "instead of answering",
                "the broker does not allow subscriptions to $aws topics, or is shutting down",
                format!("no policy allows iot:Subscribe on {topic}"),
            ),
            _ => (
                "after the PUBLISH",
                "the report is larger than the broker takes (--max-bytes), its QoS 1 is not allowed, or the broker is shutting \
                 down",
                format!("no policy allows iot:Publish on {topic}"),
            ),
        };
        let older = match only {
            Some(Version::V5) if phase == Phase::Connect => {
                "the broker speaks only MQTT 3.1.1 (then give --mqtt-version 3.1.1 or auto); "
            }
            _ => "",
        };
        let mut hint = if *is_aws {
            format!("AWS IoT does so when {policy}")
        } else {
            format!("{SEE_LOG}; likely causes: {older}{own}; AWS IoT does so when {policy}")
        };
        if *only == Some(Version::V311) {
            hint.push_str("; with --mqtt-version 5 brokers give the reason");
        }
        (Kind::NotAuthorized, format!("the broker closed the connection {when}, without a reason"), hint)
    }
}
