//! Everything that can go wrong with a delivery: what is shown, what to do about it, and what it means for the report.
//!
//! How AWS IoT refuses is described in its developer guide ("MQTT"): with a reason code of MQTT 5; with MQTT 3.1.1 by CONNACK
//! 5 or its own 7, or by closing the connection after CONNECT, SUBSCRIBE or PUBLISH when a policy forbids it.

use std::collections::BTreeSet;
use std::fmt;
use std::io::ErrorKind;
use std::time::Instant;

use super::greengrass;
use super::mqtt::closing::Closing;
use super::mqtt::reason::{Reason, Refusal, subscribe_hint};
use super::mqtt::version::Version;
use super::phase::Phase;
use super::reply::Rejection;

/// The hint where only the other side knows more.
pub(crate) const SEE_LOG: &str = "look at the broker's log";

/// The hint where a report was sent and no answer came.
pub(super) const MAYBE: &str =
    "the report may have arrived; the next one counts its traffic again. Try again in 5 minutes";

/// Why a report was not delivered, or is not known to have been.
#[derive(Debug, thiserror::Error)]
#[error("{phase}: {destination}: {}", self.message())]
pub(crate) struct Error {
    pub(crate) phase: Phase,
    /// Host and port, or the nucleus's socket.
    pub(crate) destination: String,
    /// When the PUBLISH was written, at least in part: from then on the service may have the report. `None`: it was not.
    pub(crate) published: Option<Instant>,
    pub(crate) cause: Cause,
}

/// What an error means for the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    NotSent,
    /// The service refuses this client, or something this client needs.
    NotAuthorized,
    /// The service does not take it now.
    TryLater,
    Rejected,
    /// Rejected, because it came too soon.
    Throttled,
    /// The report was sent; whether it was accepted is unknown.
    Unanswered,
}

/// What happened. Texts may quote foreign text, so they are escaped where they are shown.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The system refused what a connection needs.
    System(String),
    /// The name could not be resolved.
    Lookup(String),
    /// Plaintext is for loopback addresses, and the name has other ones.
    NotLoopback { addresses: String },
    /// No address accepted a connection.
    Unreachable { attempts: String, errors: BTreeSet<ErrorKind> },
    /// The phase took too long.
    TimedOut { reason: String, plaintext: bool, wait: Wait },
    /// The server speaks another protocol than that of the phase.
    WrongProtocol { expected: &'static str, found: String },
    /// The TLS handshake failed on this side or for no stated reason.
    Handshake { reason: String, hint: &'static str },
    /// The server's certificate is not acceptable.
    /// `key` is what distinguishes it from another refusal.
    ServerCertificate { key: String, reason: String, hint: String },
    /// The server ended the handshake with an alert that is not about this device's certificate.
    TlsAlert { alert: String, hint: &'static str },
    /// The server does not accept this device's certificate. Under TLS 1.3 it says so only after the handshake.
    CertificateRefused { alert: String },
    /// What was received is not MQTT of the version that was sent, in words.
    BadPacket(String),
    /// The connection failed. `only` is the version of MQTT that a setting asked for.
    Connection { reason: String, plaintext: bool, only: Option<Version> },
    /// The broker closed the connection in good order, without a reason, instead of answering.
    Closed(Closing),
    /// The broker said no, with a reason.
    Refused(Box<Refusal>),
    /// The subscription to the answers was refused, before anything was sent. `reason` is as for [`Cause::Unconfirmed`].
    NotSubscribed { answers: String, topic: String, reason: Option<Box<Reason>> },
    /// A packet of so many bytes, where the broker takes at most `max`.
    PacketTooLarge { bytes: u32, max: u32 },
    /// The broker answered CONNECT in another version of MQTT.
    OtherVersion(Box<Reason>),
    /// The report is not to be confirmed by an answer, and the broker takes only messages that it does not acknowledge.
    NoAcknowledgment,
    /// A packet that the protocol does not allow at this point.
    UnexpectedPacket { got: String, expected: &'static str },
    /// Device Defender rejected the report.
    Rejected { report_id: u64, rejection: Rejection },
    /// Device Defender rejected the report because it came too soon.
    Throttled { report_id: u64, rejection: Rejection },
    /// The broker took the report, but no answer came in time.
    NoAnswer { reason: String, acknowledgment: Acknowledgment },
    /// The connection was lost while waiting for the answer.
    LostAfterPublish { reason: String, acknowledgment: Acknowledgment },
    /// The subscription to the answers was refused, so none could be received. `reason`: `None` when the broker did not answer
    /// for one of them.
    Unconfirmed { answers: String, topic: String, reason: Option<Box<Reason>>, acknowledgment: Acknowledgment },
    /// Between this program and a Greengrass nucleus.
    Greengrass(greengrass::cause::Cause),
}

/// How a phase that took too long was spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The timeout was over before it began.
    None,
    /// Nothing at all was received on the connection.
    Silent,
    Other,
}

/// Whether the broker has taken a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acknowledgment {
    /// Not as far as is known.
    None,
    Received,
    /// Received, and nobody has subscribed to the topic.
    Unheard,
    /// With QoS 0 there is none.
    Unused,
}

impl fmt::Display for Acknowledgment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no PUBACK came",
            Self::Received => "the broker acknowledged the report (PUBACK)",
            Self::Unheard => "the broker acknowledged the report (PUBACK), to which nobody has subscribed",
            Self::Unused => "the broker takes only QoS 0, which has no acknowledgment (PUBACK)",
        })
    }
}

impl Error {
    pub(crate) fn kind(&self) -> Kind {
        self.describe().0
    }

    /// Whether the report may have been too large for nucleus lite, which says nothing then.
    pub(crate) fn is_too_large(&self) -> bool {
        matches!(&self.cause, Cause::Greengrass(cause) if cause.is_too_large())
    }

    /// Whether a nucleus does not accept this component's token.
    pub(crate) fn is_token_refused(&self) -> bool {
        matches!(&self.cause, Cause::Greengrass(cause) if cause.is_token_refused())
    }

    /// Whether the broker does not speak the version of MQTT that it was spoken to in.
    pub(crate) fn is_version(&self) -> bool {
        match &self.cause {
            Cause::OtherVersion(_) => true,
            Cause::Refused(refusal) => refusal.reason.is_of_version(),
            _ => false,
        }
    }

    /// Whether that may be so: some brokers close the connection without a reason.
    pub(crate) fn may_be_version(&self) -> bool {
        let is_gone = matches!(self.cause, Cause::Closed(_) | Cause::Connection { .. });
        self.is_version() || (self.phase == Phase::Connect && is_gone)
    }

    pub(crate) fn message(&self) -> String {
        self.describe().1
    }

    pub(crate) fn hint(&self) -> String {
        self.describe().2
    }

    /// What the error means for the report, its message, and what to do next.
    #[expect(clippy::too_many_lines, reason = "a catalog: every failure is in one place")]
    fn describe(&self) -> (Kind, String, String) {
        const WRONG_PORT: &str = "check that this is the right endpoint and port";
        const FIREWALL: &str = "is the port right, and does a firewall let it through?";
        const TRY_AGAIN: &str = "nothing was sent; try again later";
        const SLOW: &str = "nothing was sent; try again later, on a slow link with a larger --timeout";
        const SILENT: &str = "is this a port for TLS? A proxy whose backend is down stays silent like this, and so does a path \
                              that drops large packets; then lower the MTU (ip link set dev INTERFACE mtu 1280)";
        const HALFWAY: &str = "the handshake began and then stopped, as on a path that drops large packets: lower the MTU (ip \
                               link set dev INTERFACE mtu 1280); a slow link needs a larger --timeout";
        const NOT_PLAIN: &str = "is this a port for TLS? If so, leave out --insecure-plaintext";
        let not_sent = |message: &str, hint: &str| (Kind::NotSent, message.to_owned(), hint.to_owned());
        let not_authorized = |message: String, hint: String| (Kind::NotAuthorized, message, hint);
        match &self.cause {
            Cause::System(reason) => not_sent(reason, "raise the limits of this process: open files, memory"),
            Cause::Lookup(reason) => not_sent(reason, "check --endpoint and the resolver"),
            Cause::NotLoopback { addresses } => not_sent(
                &format!("the name resolves to {addresses}, and none is a loopback address"),
                "leave out --insecure-plaintext, or correct the name in /etc/hosts",
            ),
            Cause::Unreachable { attempts, errors } => {
                let no_route = |error| matches!(error, &ErrorKind::NetworkUnreachable | &ErrorKind::HostUnreachable);
                let hint = if errors.iter().all(no_route) {
                    "is this machine connected, and does it have a route there?"
                } else {
                    FIREWALL
                };
                not_sent(attempts, hint)
            }
            Cause::TimedOut { reason, plaintext, wait } => not_sent(
                reason,
                match self.phase {
                    _ if *wait == Wait::None => SLOW,
                    Phase::Lookup => "are the resolvers in /etc/resolv.conf reachable?",
                    Phase::Tcp => FIREWALL,
                    Phase::Tls if *wait == Wait::Silent => SILENT,
                    Phase::Tls => HALFWAY,
                    _ if *plaintext => NOT_PLAIN,
                    _ => SLOW,
                },
            ),
            Cause::WrongProtocol { expected, found } => {
                not_sent(&format!("not {expected}, but {found}"), WRONG_PORT)
            }
            Cause::Handshake { reason, hint } => not_sent(reason, hint),
            Cause::ServerCertificate { reason, hint, .. } => {
                not_sent(&format!("the server's certificate is not accepted: {reason}"), hint)
            }
            Cause::TlsAlert { alert, hint } => not_sent(&format!("the server refused: alert {alert}"), hint),
            Cause::CertificateRefused { alert } => not_authorized(
                format!("the server does not accept this device's certificate: alert {alert}"),
                "the certificate must be registered and active there, signed by a CA that the broker trusts, and valid now"
                    .to_owned(),
            ),
            Cause::BadPacket(reason) => not_sent(reason, WRONG_PORT),
            Cause::Connection { reason, only: Some(Version::V5), .. } if self.phase == Phase::Connect => {
                not_sent(reason, "if the broker speaks only MQTT 3.1.1, give --mqtt-version 3.1.1 or auto; else try again later")
            }
            Cause::Connection { reason, plaintext, .. } => {
                not_sent(reason, if *plaintext { NOT_PLAIN } else { TRY_AGAIN })
            }
            Cause::UnexpectedPacket { got, expected } => {
                not_sent(&format!("received {got}, expected {expected}"), "is this an MQTT broker?")
            }
            Cause::Refused(refusal) => refusal.describe(self.phase, self.published.is_some()),
            Cause::Closed(closing) => closing.describe(self.phase),
            Cause::PacketTooLarge { bytes, max } => not_sent(
                &format!("the packet has {bytes} bytes, and the broker takes at most {max}"),
                if self.phase == Phase::Publish {
                    "let the broker take larger packets, or send fewer or shorter custom metrics"
                } else {
                    "let the broker take larger packets"
                },
            ),
            Cause::OtherVersion(reason) => not_sent(
                &format!("the broker answered in {} ({reason})", reason.version),
                "give --mqtt-version 3.1.1 or auto",
            ),
            Cause::NoAcknowledgment => not_sent(
                "the broker takes only QoS 0, which has no acknowledgment (PUBACK) for --no-wait to wait for",
                "leave out --no-wait if Device Defender answers, or let the broker take messages of QoS 1",
            ),
            Cause::Rejected { report_id, rejection } => (
                Kind::Rejected,
                format!("report {report_id} rejected: {rejection}"),
                "look at the report with --dry-run; one like it would be rejected again".to_owned(),
            ),
            Cause::Throttled { report_id, rejection } => (
                Kind::Throttled,
                format!("report {report_id} rejected: {rejection}"),
                "the service takes one report every 5 minutes; try again then".to_owned(),
            ),
            Cause::NoAnswer { reason, acknowledgment } => (
                Kind::Unanswered,
                format!("{reason}; {acknowledgment}"),
                "is Device Defender in use in this account, and may this client receive on .../accepted and .../rejected \
                 (iot:Receive)? For a broker without Device Defender use --no-wait. Try again in 5 minutes"
                    .to_owned(),
            ),
            Cause::LostAfterPublish { reason, acknowledgment } => {
                (Kind::Unanswered, format!("{reason}; {acknowledgment}"), MAYBE.to_owned())
            }
            Cause::NotSubscribed { answers, topic, reason } => not_subscribed(answers, topic, reason.as_deref()),
            Cause::Unconfirmed { answers, topic, reason, acknowledgment } => {
                let (kind, message, hint) = not_subscribed(answers, topic, reason.as_deref());
                (kind, format!("{message}, so the report is not confirmed; {acknowledgment}"), hint)
            }
            Cause::Greengrass(cause) => cause.describe(),
        }
    }
}

impl From<greengrass::cause::Cause> for Cause {
    fn from(cause: greengrass::cause::Cause) -> Self {
        Self::Greengrass(cause)
    }
}

impl Cause {
    pub(crate) fn of_rejection(report_id: u64, rejection: Rejection) -> Self {
        if rejection.is_throttled() {
            Self::Throttled { report_id, rejection }
        } else {
            Self::Rejected { report_id, rejection }
        }
    }

    /// What distinguishes two failures with the same cause. Nothing in it changes from one attempt to the next while the
    /// fault is the same: no time, no address, no report ID.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::System(reason)
            | Self::Lookup(reason)
            | Self::Handshake { reason, .. }
            | Self::Connection { reason, .. } => reason.clone(),
            Self::Unreachable { errors, .. } => format!("{errors:?}"),
            Self::WrongProtocol { found, .. } => found.clone(),
            Self::ServerCertificate { key, .. } => key.clone(),
            Self::TlsAlert { alert, .. } | Self::CertificateRefused { alert } => alert.clone(),
            Self::Refused(refusal) => format!("{:?} {}", refusal.reason.carrier, refusal.reason.code),
            Self::Closed(closing) => format!("{:?}", closing.acknowledgment),
            Self::PacketTooLarge { max, .. } => max.to_string(),
            Self::UnexpectedPacket { expected, .. } => (*expected).to_owned(),
            Self::Rejected { rejection, .. } | Self::Throttled { rejection, .. } => rejection.to_string(),
            Self::LostAfterPublish { acknowledgment, .. } => acknowledgment.to_string(),
            Self::Unconfirmed { answers, reason, .. } | Self::NotSubscribed { answers, reason, .. } => {
                format!("{answers} {:?}", reason.as_ref().map(|reason| reason.code))
            }
            Self::Greengrass(cause) => cause.detail(),
            Self::NotLoopback { .. }
            | Self::TimedOut { .. }
            | Self::BadPacket(_)
            | Self::OtherVersion(_)
            | Self::NoAcknowledgment
            | Self::NoAnswer { .. } => String::new(),
        }
    }
}

fn not_subscribed(answers: &str, topic: &str, reason: Option<&Reason>) -> (Kind, String, String) {
    let with = reason.map(|reason| format!(" with {reason}")).unwrap_or_default();
    let (kind, hint) =
        reason.map_or_else(|| (Kind::NotAuthorized, subscribe_hint(topic)), |reason| reason.of_subscription(topic));
    (kind, format!("the subscription to {answers} was refused{with}"), hint)
}
