//! The seam between what is delivered and how: every transport takes an [`Attempt`] and a [`Message`], and returns a
//! [`Receipt`] or an [`Error`].

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::error::Error;
use super::phase::{Phase, PhaseTimer};
use super::reply::{Answer, Reply};
use crate::report::encode::Encoding;
use crate::thing::ThingName;
use crate::warning::Warning;

/// A transport that is ready to connect, and what its credentials are.
pub(crate) struct Loaded {
    pub(crate) transport: Box<dyn Transport>,
    /// What is wrong with the credentials without being an obstacle.
    pub(crate) warnings: Vec<Warning>,
    /// What the credentials are, a line each, for people.
    pub(crate) summary: Vec<String>,
}

/// A file with credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CredentialFile {
    pub(crate) path: PathBuf,
    /// The setting that names it, for people.
    pub(crate) setting: String,
}

/// A file with credentials that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CredentialError {
    /// `None` for the certificates of the system.
    pub(crate) file: Option<CredentialFile>,
    pub(crate) kind: CredentialErrorKind,
    pub(crate) reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CredentialErrorKind {
    Unreadable(io::ErrorKind),
    /// There is no certificate or key in the file.
    Missing,
    Malformed,
    Expired,
    NotYetValid,
    /// The key does not belong to the certificate.
    Mismatch,
    /// It cannot be used for TLS.
    Unsupported,
}

#[derive(Debug)]
pub(crate) struct Message {
    /// The id in the report, by which its answer is recognized.
    pub(crate) report_id: u64,
    pub(crate) encoding: Encoding,
    pub(crate) payload: Vec<u8>,
}

/// What a delivery waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitFor {
    /// Device Defender's answer.
    Answer,
    /// The broker's acknowledgment (PUBACK); no answer is subscribed to.
    Acknowledgment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// By Device Defender.
    Accepted,
    /// By the broker.
    Acknowledged,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Receipt {
    pub(crate) confirmation: Confirmation,
    /// When the report was sent: not before the PUBLISH was written, and not after it arrived.
    pub(crate) published: Instant,
}

/// One attempt to deliver a report.
#[derive(Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) thing_name: &'a ThingName,
    pub(crate) encoding: Encoding,
    pub(crate) wait_for: WaitFor,
    /// The most that the whole delivery may take.
    pub(crate) timeout: Duration,
    /// When the attempt must be over.
    pub(crate) deadline: Instant,
    /// Takes a line of the transcript (`-v`).
    pub(crate) trace: &'a dyn Fn(&str),
    pub(crate) keepalive: Keepalive<'a>,
}

/// Watchdog hook, called every `every` while an attempt waits.
#[derive(Clone, Copy)]
pub(crate) struct Keepalive<'a> {
    pub(crate) every: Duration,
    pub(crate) call: &'a dyn Fn(),
}

pub(crate) trait Transport {
    /// Connects, and subscribes to the answers if they are waited for. Publishes nothing.
    fn connect<'a>(&'a self, attempt: Attempt<'a>) -> Result<Box<dyn Session + 'a>, Error>;
}

/// A connection that is ready for a report.
pub(crate) trait Session {
    /// The most bytes of a report that the other side takes; `None`: it did not say.
    fn max_payload(&self) -> Option<usize>;

    /// Fails when it is known already that a report would not be confirmed.
    fn check(&self) -> Result<(), Error>;

    /// Publishes the report and waits for its confirmation. An error has the time of the PUBLISH as far as it was written.
    fn send(&mut self, message: Message) -> Result<Receipt, Error>;

    /// Disconnects in good order, if the other side lets it.
    fn close(self: Box<Self>);
}

/// The answers, by the last level of their topics.
pub(crate) const ANSWERS: [&str; 2] = ["accepted", "rejected"];

impl Attempt<'_> {
    pub(crate) fn topic(&self) -> String {
        topic(self.thing_name, self.encoding)
    }

    pub(crate) fn answer_topic(&self, answer: &str) -> String {
        format!("{}/{answer}", self.topic())
    }

    pub(crate) fn start(&self, phase: Phase) -> PhaseTimer {
        PhaseTimer::start(phase, self.timeout, self.deadline.into())
    }

    pub(crate) fn trace(&self, line: &str) {
        (self.trace)(line);
    }

    /// Reads a message on an answer's topic, shown as `topic`; `None` when it does not answer this report.
    pub(crate) fn reply(&self, topic: &str, answer: &Answer<'_>, report_id: u64, timer: PhaseTimer) -> Option<Reply> {
        let reply = Reply::parse(answer, self.thing_name, report_id);
        self.trace(&match &reply {
            Ok(Reply::Accepted) => format!("accepted after {}", timer.took()),
            Ok(Reply::Rejected(_)) => format!("rejected after {}", timer.took()),
            Err(reason) => format!("ignored: an answer on {topic}: {reason}"),
        });
        reply.ok()
    }
}

/// The topic that reports about `thing` are published to in this encoding. Answers come on the topics below.
pub(crate) fn topic(thing: &ThingName, encoding: Encoding) -> String {
    let level = match encoding {
        Encoding::Json => "json",
        Encoding::Cbor => "cbor",
    };
    format!("$aws/things/{thing}/defender/metrics/{level}")
}
