//! The way to the broker: look-up, TCP, TLS. Every phase has a name, a limit, and words for what can go wrong in it.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::{AlertDescription, ClientConfig, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::settings::Settings;
use super::stream::{Clear, Counted, Traffic};
use super::{Ended, Outcome, network, tls};
use crate::time::rfc3339;

/// The longest a phase before the PUBLISH takes; the answer gets what is left of the whole.
const PHASE: Duration = Duration::from_secs(10);

/// The part of a delivery that something happened in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Lookup,
    Tcp,
    Tls,
    Connect,
    Subscribe,
    Publish,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lookup => "DNS",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Connect => "CONNECT",
            Self::Subscribe => "SUBSCRIBE",
            Self::Publish => "PUBLISH",
        })
    }
}

/// A way to the broker, as it is tried.
#[derive(Clone, Copy)]
pub struct Way<'a> {
    /// Where to, and as whom.
    pub settings: &'a Settings,
    /// How TLS is done; `None` without TLS.
    pub tls: Option<&'a Arc<ClientConfig>>,
    /// When all must be over.
    pub deadline: Instant,
    /// What it is told, step by step.
    pub tell: &'a dyn Fn(&str),
}

/// A phase that is under way.
#[derive(Clone, Copy)]
pub(super) struct Running {
    pub(super) phase: Phase,
    start: Instant,
    /// When it must be over.
    pub(super) deadline: Instant,
}

impl Way<'_> {
    /// Begins a phase.
    pub(super) fn begin(self, phase: Phase) -> Running {
        let deadline = match phase {
            Phase::Publish => self.deadline,
            _ => self.deadline.min(later(PHASE)),
        };
        Running { phase, start: Instant::now(), deadline }
    }

    /// How it ends when a phase before the PUBLISH fails for this reason.
    pub(super) fn lost(self, phase: Phase, reason: &str) -> Ended {
        Ended::before_publish(Outcome::Lost, format!("{phase}: {}: {reason}", self.settings.endpoint))
    }
}

impl Running {
    /// How long it has taken so far, in words.
    pub(super) fn took(self) -> String {
        shown(self.start.elapsed())
    }

    /// That it took too long.
    pub(super) fn timed_out(self) -> String {
        match self.start.elapsed() {
            none if none < Duration::from_millis(1) => "no time was left for it".to_owned(),
            elapsed => format!("no answer within {}", shown(elapsed)),
        }
    }
}

/// Either kind of stream.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// Look-up, TCP and TLS.
pub(super) async fn connect(way: Way<'_>) -> Result<(Box<dyn Stream>, Rc<Traffic>), Ended> {
    let addresses = look_up(way).await?;
    let running = way.begin(Phase::Tcp);
    let mut failures = Vec::new();
    let connected = timeout_at(running.deadline, network::connect(&addresses, &mut failures)).await;
    let Ok(Some((stream, address))) = connected else {
        let mut reasons: Vec<String> = failures.iter().map(|(address, error)| format!("{address}: {error}")).collect();
        if connected.is_err() {
            let silent = addresses.iter().filter(|address| failures.iter().all(|(failed, _)| failed != *address));
            let silent: Vec<String> = silent.map(ToString::to_string).collect();
            reasons.push(format!("{}: {}", silent.join(", "), running.timed_out()));
        }
        let unreachable =
            |error: &io::Error| matches!(error.kind(), ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable);
        let hint = if !failures.is_empty() && failures.iter().all(|(_, error)| unreachable(error)) {
            "is this machine connected, and has it a route there?"
        } else {
            "is the port right, and does a firewall let it through?"
        };
        return Err(way.lost(Phase::Tcp, &reasons.join("; ")).hint(hint));
    };
    let _only_slower = stream.set_nodelay(true);
    for (address, error) in &failures {
        (way.tell)(&format!("TCP: {address}: {error}"));
    }
    (way.tell)(&format!("TCP: connected to {address} in {}", running.took()));
    let (stream, traffic) = Counted::new(stream);
    let Some(config) = way.tls else { return Ok((Box::new(Clear::new(stream, Rc::clone(&traffic))), traffic)) };
    let stream = shake_hands(way, config, stream, &traffic).await?;
    Ok((Box::new(Clear::new(stream, Rc::clone(&traffic))), traffic))
}

/// The addresses of the endpoint, at least one; without TLS only those of this machine.
async fn look_up(way: Way<'_>) -> Result<Vec<SocketAddr>, Ended> {
    let running = way.begin(Phase::Lookup);
    let failed = |reason: &str, hint: &str| Err(way.lost(Phase::Lookup, reason).hint(hint));
    let mut addresses = match timeout_at(running.deadline, network::look_up(&way.settings.endpoint)).await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => return failed(&error.to_string(), "check --endpoint, and the resolver"),
        Err(_) => return failed(&running.timed_out(), "are the resolvers in /etc/resolv.conf reachable?"),
    };
    let list = addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ");
    if way.tls.is_none() {
        addresses.retain(|address| address.ip().to_canonical().is_loopback());
    }
    if addresses.is_empty() {
        let reason = format!("the name has the addresses {list}, and none is a loopback address");
        return failed(&reason, "leave out --insecure-plaintext, or put the name right in /etc/hosts");
    }
    (way.tell)(&format!("DNS: {list} in {}", running.took()));
    Ok(addresses)
}

/// The TLS handshake.
async fn shake_hands(
    way: Way<'_>,
    config: &Arc<ClientConfig>,
    stream: Counted,
    traffic: &Traffic,
) -> Result<TlsStream<Counted>, Ended> {
    let host = &way.settings.endpoint.host;
    let running = way.begin(Phase::Tls);
    let handshake = TlsConnector::from(Arc::clone(config)).connect(host.clone(), stream);
    let result = timeout_at(running.deadline, handshake).await;
    if let Ok(Ok(stream)) = result {
        describe(way, stream.get_ref().1, running);
        return Ok(stream);
    }
    if let Some(stranger) = traffic.instead_of_tls() {
        let reason = format!("no TLS server, but {stranger}");
        return Err(way.lost(Phase::Tls, &reason).hint("is this the right endpoint and port?"));
    }
    let Ok(Err(error)) = result else {
        return Err(way.lost(Phase::Tls, &running.timed_out()).hint("is this a port for TLS?"));
    };
    if about_our_certificate(&error).is_some() {
        return Err(certificate_refused(way.settings, &error));
    }
    let lost = |reason: &str, hint: &str| way.lost(Phase::Tls, reason).hint(hint);
    Err(match tls::error_within(&error) {
        Some(rustls::Error::InvalidCertificate(reason)) => {
            let ca = way.settings.files.as_ref().and_then(|files| files.ca.as_deref());
            let (why, hint) = tls::refusal(reason, ca, &host.to_str());
            lost(&format!("the server's certificate is not accepted: {why}"), &hint)
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            let hint = match alert {
                AlertDescription::NoApplicationProtocol => {
                    "is this AWS IoT? On port 443 ALPN x-amzn-mqtt-ca is asked for"
                }
                AlertDescription::UnrecognisedName => "does the server know this name? Give the endpoint's own",
                _ => "look into the broker's log",
            };
            lost(&format!("the server refused: alert {alert:?}"), hint)
        }
        Some(reason) => lost(&reason.to_string(), "look into the broker's log"),
        None if error.kind() == ErrorKind::UnexpectedEof => lost(
            "the connection was closed in the middle of the handshake",
            "is this a port for TLS, and the right endpoint?",
        ),
        None => lost(&error.to_string(), "is this a port for TLS, and the right endpoint?"),
    })
}

/// Tells what was negotiated.
fn describe(way: Way<'_>, connection: &rustls::ClientConnection, running: Running) {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS of an unknown version",
    };
    let cipher = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or("unknown");
    let alpn =
        connection.alpn_protocol().map_or(String::new(), |name| format!(", ALPN {}", String::from_utf8_lossy(name)));
    (way.tell)(&format!("TLS: {version}, {cipher}{alpn}, in {}", running.took()));
    let certificate =
        connection.peer_certificates().and_then(<[_]>::first).and_then(|der| tls::Certificate::parse(der));
    if let Some(certificate) = certificate {
        let until = rfc3339(certificate.not_after);
        (way.tell)(&format!("TLS: the server's certificate is `{}`, valid until {until}", certificate.subject));
    }
}

/// How it ends when the other side does not accept our certificate.
pub(super) fn certificate_refused(settings: &Settings, error: &io::Error) -> Ended {
    let alert = about_our_certificate(error).unwrap_or_default();
    let text = format!("TLS: {} does not accept our certificate: alert {alert}", settings.endpoint);
    let hint =
        "the certificate must be registered and active there, signed by a CA that the broker trusts, and valid now";
    Ended::before_publish(Outcome::NotAuthorized, text).hint(hint)
}

/// The alert about our certificate in an error, if it is one.
pub(super) fn about_our_certificate(error: &io::Error) -> Option<String> {
    match tls::error_within(error)? {
        rustls::Error::AlertReceived(alert) if tls::is_about_our_certificate(*alert) => Some(format!("{alert:?}")),
        _ => None,
    }
}

/// A moment from now.
pub(super) fn later(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).unwrap_or(now)
}

/// A duration, in words.
fn shown(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "under 1 ms".to_owned(),
        milliseconds @ 1..=9_999 => format!("{milliseconds} ms"),
        _ => format!("{} s", duration.as_secs()),
    }
}
