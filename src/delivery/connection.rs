//! The way to the broker: look-up, TCP, TLS. Every phase has a name, a limit, and words for what can go wrong in it.

use std::fmt;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::network::{self, Counted, Traffic};
use super::settings::Settings;
use super::{Ended, Outcome, tls};
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

/// Either kind of stream.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// Look-up, TCP and TLS.
pub(super) async fn connect(way: Way<'_>) -> Result<(Box<dyn Stream>, Rc<Traffic>), Ended> {
    let endpoint = &way.settings.endpoint;
    let start = Instant::now();
    let failed =
        |phase: Phase, reason: String| Ended::before_publish(Outcome::Lost, format!("{phase}: {endpoint}: {reason}"));
    let mut addresses = match timeout_at(limit(way, Phase::Lookup), network::look_up(endpoint)).await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => {
            return Err(failed(Phase::Lookup, error.to_string()).hint("check --endpoint, and the resolver"));
        }
        Err(_) => {
            let reason = format!("no answer within {}", took(start));
            return Err(failed(Phase::Lookup, reason).hint("are the resolvers in /etc/resolv.conf reachable?"));
        }
    };
    if way.tls.is_none() {
        addresses.retain(|address| address.ip().to_canonical().is_loopback());
    }
    let list: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    (way.tell)(&format!("DNS: {} in {}", list.join(", "), took(start)));

    let start = Instant::now();
    let mut failures = Vec::new();
    let connected = timeout_at(limit(way, Phase::Tcp), network::connect(&addresses, &mut failures)).await;
    let Ok(Some((stream, address))) = connected else {
        let mut reasons: Vec<String> = failures.iter().map(|(address, error)| format!("{address}: {error}")).collect();
        if connected.is_err() {
            reasons.push(format!("no connection to {} within {}", list.join(", "), took(start)));
        }
        if addresses.is_empty() {
            reasons.push("the name has no address".to_owned());
        }
        let hint = "is the port right, and does a firewall let it through?";
        return Err(failed(Phase::Tcp, reasons.join("; ")).hint(hint));
    };
    let _only_slower = stream.set_nodelay(true);
    for (address, error) in &failures {
        (way.tell)(&format!("TCP: {address}: {error}"));
    }
    (way.tell)(&format!("TCP: connected to {address} in {}", took(start)));
    let (stream, traffic) = Counted::new(stream);
    match way.tls {
        None => Ok((Box::new(stream), traffic)),
        Some(config) => {
            let stream = shake_hands(way, config, stream, &traffic).await?;
            Ok((stream, traffic))
        }
    }
}

/// The TLS handshake.
async fn shake_hands(
    way: Way<'_>,
    config: &Arc<ClientConfig>,
    stream: Counted,
    traffic: &Traffic,
) -> Result<Box<dyn Stream>, Ended> {
    let endpoint = &way.settings.endpoint;
    let start = Instant::now();
    let handshake = TlsConnector::from(Arc::clone(config)).connect(endpoint.host.clone(), stream);
    let error = match timeout_at(limit(way, Phase::Tls), handshake).await {
        Ok(Ok(stream)) => {
            describe(way, stream.get_ref().1, start);
            return Ok(Box::new(stream));
        }
        Ok(Err(error)) => error,
        Err(_) => {
            let text = format!("TLS: {endpoint}: no answer within {}", took(start));
            return Err(Ended::before_publish(Outcome::Lost, text).hint("is this a port for TLS?"));
        }
    };
    if about_our_certificate(&error).is_some() {
        return Err(certificate_refused(way.settings, &error));
    }
    let lost = |text: String| Ended::before_publish(Outcome::Lost, format!("TLS: {endpoint}{text}"));
    Err(match (tls::error_within(&error), traffic.stranger(true)) {
        (Some(rustls::Error::InvalidCertificate(reason)), _) => {
            let ca = way.settings.files.as_ref().and_then(|files| files.ca.as_deref());
            let (why, hint) = tls::refusal(reason, ca, &endpoint.host.to_str());
            lost(format!(": the server's certificate is not accepted: {why}")).hint(hint)
        }
        (_, Some(stranger)) => lost(format!(" is no TLS server, but {stranger}")),
        (Some(rustls::Error::AlertReceived(alert)), _) => lost(format!(": the server refused: alert {alert:?}"))
            .hint("on port 443 AWS IoT wants its own endpoint name and ALPN; is this the right endpoint and port?"),
        (Some(reason), _) => lost(format!(": {reason}")),
        (None, _) if error.kind() == ErrorKind::UnexpectedEof => {
            lost(" closed the connection in the middle of the handshake".to_owned())
                .hint("is this a port for TLS, and the right endpoint?")
        }
        (None, _) => lost(format!(": {error}")),
    })
}

/// Tells what was negotiated.
fn describe(way: Way<'_>, connection: &rustls::ClientConnection, start: Instant) {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS of an unknown version",
    };
    let cipher = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or("unknown");
    let alpn =
        connection.alpn_protocol().map_or(String::new(), |name| format!(", ALPN {}", String::from_utf8_lossy(name)));
    (way.tell)(&format!("TLS: {version}, {cipher}{alpn}, in {}", took(start)));
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

/// When a phase must be over.
pub(super) fn limit(way: Way<'_>, phase: Phase) -> Instant {
    match phase {
        Phase::Publish => way.deadline,
        _ => way.deadline.min(later(PHASE)),
    }
}

pub(super) fn later(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).unwrap_or(now)
}

/// How long something took, in words.
pub(super) fn took(start: Instant) -> String {
    shown(start.elapsed())
}

pub(super) fn shown(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "under 1 ms".to_owned(),
        milliseconds @ 1..=9_999 => format!("{milliseconds} ms"),
        _ => format!("{} s", duration.as_secs()),
    }
}
