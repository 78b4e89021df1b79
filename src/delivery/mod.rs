//! Delivery: a report's bytes to AWS IoT Device Defender, or to any MQTT broker, and the answer back.
//!
//! ```text
//! flags, environment, Greengrass root ──> settings ──> tls ──> connection ──> session ──> Ended
//!                                                                                ^
//!                                                                    reply (accepted, rejected)
//! ```
//!
//! One connection a report, one straight line through it. Topics, answers and what a refusal looks like follow the AWS
//! IoT developer guide: "Reserved topics", "MQTT", "Device communication protocols", and "Sending metrics from devices".

mod connection;
pub mod files;
pub mod greengrass;
pub mod network;
pub mod packets;
pub mod reply;
pub mod session;
pub mod settings;
pub mod stream;
pub mod tls;

use std::time::Instant;

use crate::exit::{Exit, Failure};
pub use connection::Way;

/// What came of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Device Defender accepted it.
    Accepted,
    /// The broker took it (PUBACK), and no answer was wanted.
    Acknowledged,
    /// Device Defender rejected it.
    Rejected,
    /// It came too soon after the one before.
    Throttled,
    /// It was sent, and no answer came.
    Unanswered,
    /// The certificate or the client is not let in, or must not do what is needed.
    NotAuthorized,
    /// It was not sent: no connection, or it broke before.
    Lost,
}

impl Outcome {
    /// The exit code it means.
    #[must_use]
    pub fn exit(self) -> Exit {
        match self {
            Self::Accepted | Self::Acknowledged => Exit::Done,
            Self::Rejected => Exit::Rejected,
            Self::Throttled | Self::Unanswered => Exit::TryLater,
            Self::NotAuthorized => Exit::NotAuthorized,
            Self::Lost => Exit::Unavailable,
        }
    }
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What came of the report.
    pub outcome: Outcome,
    /// When the PUBLISH was written, at least in part: the service may have it then. `None` when it was not.
    pub published: Option<Instant>,
    /// What happened: phase, host and reason. Quotes foreign text.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Ended {
    /// An end before the PUBLISH was written.
    fn before_publish(outcome: Outcome, text: impl Into<String>) -> Self {
        Self { outcome, published: None, text: text.into(), hint: None }
    }

    /// The same with a hint.
    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// As a failure to show; `None` when there is nothing wrong.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        let exit = self.outcome.exit();
        let failure = Failure { exit, messages: vec![self.text.clone()], hint: self.hint.clone() };
        (exit != Exit::Done).then_some(failure)
    }
}
