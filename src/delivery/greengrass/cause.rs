//! Everything that can go wrong between this program and the nucleus, next to the answers of Device Defender.
//!
//! The facts about errors are those of nucleus lite 2.6 and of the nucleus's sources: a wrong token is not answered but
//! closed, an outage is a `ServiceError`, a missing permission an `UnauthorizedError`.

use std::io::ErrorKind;

use super::messages::Operation;
use crate::delivery::error::Kind;

/// The most bytes of a report that nucleus lite takes, whatever the thing name: its buffer for a request has 10,000 bytes.
pub(crate) const LITE_MAX_BYTES: usize = 7200;

const SEE_NUCLEUS: &str = "look at the nucleus's log";

#[derive(Debug)]
pub(crate) enum Cause {
    /// The socket does not accept a connection.
    Unreachable { error: ErrorKind, reason: String },
    /// The nucleus closed the connection instead of answering CONNECT, or said no.
    TokenRefused,
    /// The component may not do this on the topic.
    Unauthorized { operation: Operation, topic: String },
    /// The nucleus could not do what was asked for.
    Failed { operation: Operation, name: String, message: String },
    /// The phase took too long, in words.
    TimedOut(String),
    /// The connection was lost before the report was sent.
    Lost(String),
    /// What was received is not event stream RPC.
    NotEventStream(String),
    /// The connection was lost when a report of so many bytes was sent. A request that was not sent whole is not carried out.
    LostAtPublish { reason: String, bytes: usize, is_whole: bool },
    /// The nucleus took the report, and no answer came, in words.
    NoAnswer(String),
    /// The nucleus took the report, and the connection was lost while waiting for the answer.
    LostAfterPublish(String),
    /// The nucleus did not say in time whether it took the report, in words.
    NotTaken(String),
}

impl Cause {
    /// Whether the report may have been too large for nucleus lite, which says nothing then.
    pub(crate) fn is_too_large(&self) -> bool {
        matches!(self, Self::LostAtPublish { bytes, .. } if *bytes > LITE_MAX_BYTES)
    }

    /// Whether the nucleus does not accept this component's token.
    pub(crate) fn is_token_refused(&self) -> bool {
        matches!(self, Self::TokenRefused)
    }

    /// What it means for the report, the message, and what to do next.
    pub(crate) fn describe(&self) -> (Kind, String, String) {
        const MAYBE: &str =
            "the report may have arrived; the next one counts its traffic again. Try again in 5 minutes";
        let not_sent = |message: String, hint: &str| (Kind::NotSent, message, hint.to_owned());
        let unanswered = |message: String, hint: &str| (Kind::Unanswered, message, hint.to_owned());
        match self {
            Self::Unreachable { error, reason } => {
                let hint = match error {
                    ErrorKind::NotFound | ErrorKind::ConnectionRefused => "is the nucleus running?",
                    ErrorKind::PermissionDenied => "run this as the nucleus runs its components",
                    _ => SEE_NUCLEUS,
                };
                not_sent(reason.clone(), hint)
            }
            Self::TokenRefused => not_sent(
                "the nucleus does not accept this component's token (SVCUID)".to_owned(),
                "the token is valid until the nucleus restarts: start the component again. Nucleus lite also refuses the \
                 51st connection",
            ),
            Self::Unauthorized { operation, topic } => (
                Kind::NotAuthorized,
                "the component is not authorized".to_owned(),
                format!(
                    "its recipe must allow aws.greengrass#{} on {topic} (accessControl, aws.greengrass.ipc.mqttproxy); a \
                     deployment keeps an accessControl that the device already has, unless it resets it",
                    operation.name()
                ),
            ),
            Self::Failed { operation, name, message } => {
                let message = if message.is_empty() { String::new() } else { format!(": {message}") };
                not_sent(
                    format!("{} failed with {name}{message}", operation.name()),
                    "the nucleus is offline or refuses; nothing was sent. Look at its log",
                )
            }
            Self::TimedOut(reason) | Self::Lost(reason) => not_sent(reason.clone(), SEE_NUCLEUS),
            Self::NotEventStream(reason) => {
                not_sent(format!("the answer is not EventStream RPC: {reason}"), "is this the socket of a nucleus?")
            }
            Self::LostAtPublish { reason, bytes, is_whole } => {
                let kind = if *is_whole { Kind::Unanswered } else { Kind::NotSent };
                let hint = match (*bytes > LITE_MAX_BYTES, is_whole) {
                    (true, _) => "nucleus lite does so for more than 7290 bytes: give --max-bytes 7200",
                    (false, true) => MAYBE,
                    (false, false) => SEE_NUCLEUS,
                };
                (kind, format!("{reason} when the report of {bytes} bytes was sent"), hint.to_owned())
            }
            Self::NoAnswer(reason) => unanswered(
                format!("{reason}; the nucleus took the report"),
                "is the core online, is Device Defender in use in this account, and does the core's IoT policy allow \
                 iot:Publish, iot:Subscribe and iot:Receive on these topics? Try again in 5 minutes",
            ),
            Self::LostAfterPublish(reason) => unanswered(format!("{reason}; the nucleus took the report"), MAYBE),
            Self::NotTaken(reason) => {
                unanswered(format!("{reason}; it is unknown whether the nucleus took the report"), MAYBE)
            }
        }
    }

    /// What distinguishes two failures with the same cause, as in [`crate::delivery::error::Cause::detail`].
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Unreachable { error, .. } => format!("unreachable {error:?}"),
            Self::TokenRefused => "token refused".to_owned(),
            Self::Unauthorized { operation, topic } => format!("unauthorized {} {topic}", operation.name()),
            Self::Failed { operation, name, .. } => format!("{} {name}", operation.name()),
            Self::TimedOut(_) => "timed out".to_owned(),
            Self::Lost(reason) => reason.clone(),
            Self::NotEventStream(_) => "not EventStream".to_owned(),
            Self::LostAtPublish { bytes, .. } => format!("lost {}", *bytes > LITE_MAX_BYTES),
            Self::NoAnswer(_) => "no answer".to_owned(),
            Self::LostAfterPublish(reason) => format!("after publish {reason}"),
            Self::NotTaken(_) => "not taken".to_owned(),
        }
    }
}
