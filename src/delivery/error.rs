//! Everything that can go wrong with a delivery: what is shown, what to do about it, and what it means for the report.
//!
//! How AWS IoT refuses is described in its developer guide: CONNACK 5 or its own 7 ("MQTT"), or a connection that is closed
//! after CONNECT, SUBSCRIBE or PUBLISH when a policy forbids it.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::Instant;

use super::greengrass;
use super::phase::Phase;
use super::reply::Rejection;

/// The hint where only the other side knows more.
pub(crate) const SEE_LOG: &str = "look at the broker's log";

/// Why a report was not delivered, or is not known to have been.
#[derive(Debug, thiserror::Error)]
#[error("{phase}: {destination}: {}", self.describe().1)]
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
    /// What was received is not MQTT 3.1.1.
    BadPacket(String),
    /// The connection failed.
    Connection { reason: String, plaintext: bool },
    /// The broker closed the connection in good order.
    Closed { at: ClosedAt },
    /// The broker refused CONNECT (MQTT 3.1.1, section 3.2.2.3; 7 is AWS's own).
    ConnectRefused { code: u8, client_id: String },
    /// A packet that the protocol does not allow at this point.
    UnexpectedPacket { got: String, expected: &'static str },
    /// Device Defender rejected the report.
    Rejected { report_id: u64, rejection: Rejection },
    /// Device Defender rejected the report because it came too soon.
    Throttled { report_id: u64, rejection: Rejection },
    /// PUBACK came, but no answer in time.
    NoAnswer { reason: String },
    /// The connection was lost while waiting for the answer.
    LostAfterPublish { reason: String, acknowledged: bool },
    /// The subscription to the answers was refused, so none could be received.
    Unconfirmed { answers: String, topic: String, acknowledged: bool },
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

/// What a broker did not answer before it closed the connection: CONNECT, SUBSCRIBE, or PUBLISH.
#[derive(Debug)]
pub(crate) enum ClosedAt {
    Connect { client_id: String, is_aws: bool },
    Subscribe { topic: String },
    Publish { topic: String },
}

impl Error {
    pub(crate) fn kind(&self) -> Kind {
        self.describe().0
    }

    /// Whether the report may have been too large for nucleus lite, which says nothing then.
    pub(crate) fn is_too_large(&self) -> bool {
        use greengrass::cause::{Cause::LostAtPublish, LITE_MAX_BYTES};
        matches!(&self.cause, Cause::Greengrass(LostAtPublish { bytes, .. }) if *bytes > LITE_MAX_BYTES)
    }

    /// Whether a nucleus does not accept this component's token.
    pub(crate) fn is_token_refused(&self) -> bool {
        matches!(self.cause, Cause::Greengrass(greengrass::cause::Cause::TokenRefused))
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
        const MAYBE: &str =
            "the report may have arrived; the next one counts its traffic again. Try again in 5 minutes";
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
            Cause::BadPacket(error) => not_sent(&format!("the answer is not MQTT 3.1.1: {error}"), WRONG_PORT),
            Cause::Connection { reason, plaintext } => not_sent(reason, if *plaintext { NOT_PLAIN } else { TRY_AGAIN }),
            Cause::UnexpectedPacket { got, expected } => {
                not_sent(&format!("received {got}, expected {expected}"), "is this an MQTT 3.1.1 broker?")
            }
            Cause::ConnectRefused { code, client_id } => {
                let refused = |meaning| format!("refused with CONNACK {code}: {meaning}");
                match code {
                    1 => not_sent(&refused("it does not speak MQTT 3.1.1"), "use a broker that speaks MQTT 3.1.1"),
                    2 => not_sent(
                        &refused("it does not accept this client ID"),
                        &format!("give another --client-id than {client_id}"),
                    ),
                    3 => not_sent(&refused("it is not available"), "try again later"),
                    4 | 5 | 7 => not_authorized(refused("not authorized"), connect_hint(client_id)),
                    _ => not_sent(&refused("unknown reason"), SEE_LOG),
                }
            }
            Cause::Closed { at } => {
                let (when, hint) = match at {
                    ClosedAt::Connect { client_id, is_aws } => {
                        let proxy = if *is_aws { "" } else { "; a proxy does so when its broker is down" };
                        let hint = format!("it does not accept a client: {}{proxy}", connect_hint(client_id));
                        ("instead of answering", hint)
                    }
                    ClosedAt::Subscribe { topic } => {
                        ("instead of answering", format!("no policy allows iot:Subscribe on {topic}"))
                    }
                    ClosedAt::Publish { topic } => {
                        ("after the PUBLISH", format!("no policy allows iot:Publish on {topic}"))
                    }
                };
                let hint = format!("AWS IoT does so when {hint}");
                not_authorized(format!("the broker closed the connection {when}"), hint)
            }
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
            Cause::NoAnswer { reason } => (
                Kind::Unanswered,
                format!("{reason}; {}", puback(true)),
                "is Device Defender in use in this account, and may this client receive on .../accepted and .../rejected \
                 (iot:Receive)? For a broker without Device Defender use --no-wait. Try again in 5 minutes"
                    .to_owned(),
            ),
            Cause::LostAfterPublish { reason, acknowledged } => {
                (Kind::Unanswered, format!("{reason}; {}", puback(*acknowledged)), MAYBE.to_owned())
            }
            Cause::Unconfirmed { answers, topic, acknowledged } => {
                let puback = puback(*acknowledged);
                not_authorized(
                    format!("the subscription to {answers} was refused, so the report is not confirmed; {puback}"),
                    format!("a policy must allow iot:Subscribe on {topic} and .../rejected"),
                )
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
            Self::ConnectRefused { code, .. } => code.to_string(),
            Self::UnexpectedPacket { expected, .. } => (*expected).to_owned(),
            Self::Rejected { rejection, .. } | Self::Throttled { rejection, .. } => rejection.to_string(),
            Self::LostAfterPublish { acknowledged, .. } => acknowledged.to_string(),
            Self::Unconfirmed { answers, .. } => answers.clone(),
            Self::Greengrass(cause) => cause.detail(),
            Self::NotLoopback { .. }
            | Self::TimedOut { .. }
            | Self::BadPacket(_)
            | Self::Closed { .. }
            | Self::NoAnswer { .. } => String::new(),
        }
    }
}

fn connect_hint(client_id: &str) -> String {
    format!(
        "a policy of an active certificate must allow iot:Connect for client/{client_id}, and no other client may use that \
         client ID at the same time"
    )
}

fn puback(acknowledged: bool) -> &'static str {
    if acknowledged { "the broker acknowledged the report (PUBACK)" } else { "no PUBACK came" }
}
