//! The TLS handshake.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use rustls::{AlertDescription, ClientConfig, ProtocolVersion};
use tokio::net::TcpStream;
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::context::ConnectContext;
use super::credentials::Certificate;
use super::refusal::{self, Expected, alert_in_words, tls_error};
use super::stream::{MeteredStream, Traffic};
use super::verifier::Verifier;
use crate::delivery::error::{Cause, Error, Wait};
use crate::delivery::phase::{Phase, PhaseTimer};
use crate::time::rfc3339;

/// What a TLS connection needs.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    /// The one of the configuration.
    pub(super) verifier: Arc<Verifier>,
}

pub(super) async fn handshake(
    context: ConnectContext<'_>,
    tls: &Tls,
    stream: MeteredStream<TcpStream>,
    traffic: &Traffic,
) -> Result<TlsStream<MeteredStream<TcpStream>>, Error> {
    const CLOSED: &str = "is this a port for TLS, and the right endpoint? A proxy or load balancer closes like this when its backend is down";
    let host = &context.settings.endpoint.host;
    let timer = context.attempt.start(Phase::Tls);
    let handshake = TlsConnector::from(Arc::clone(&tls.config)).connect(host.clone(), stream);
    let result = timeout_at(timer.deadline, handshake).await;
    if let Ok(Ok(stream)) = result {
        describe(context, stream.get_ref().1, timer);
        return Ok(stream);
    }
    if let Some(found) = traffic.instead_of_tls() {
        return Err(context.error(Phase::Tls, Cause::WrongProtocol { expected: "a TLS server", found }));
    }
    let Ok(Err(error)) = result else {
        let wait = if traffic.received.get() == 0 { Wait::Silent } else { Wait::Other };
        return Err(context.timed_out_after(timer, wait));
    };
    if let Some(alert) = certificate_alert(&error) {
        return Err(context.error(Phase::Tls, Cause::CertificateRefused { alert }));
    }
    let cause = match tls_error(&error) {
        Some(error) => {
            let ca =
                context.settings.credentials.as_ref().and_then(|files| files.ca.as_ref()).map(|ca| ca.path.as_path());
            let refused = tls.verifier.take_refused();
            let chain: Vec<Certificate> = refused.iter().filter_map(|der| Certificate::parse(der)).collect();
            refusal::cause(error, &chain, &Expected { host: &host.to_str(), ca })
        }
        None if error.kind() == ErrorKind::UnexpectedEof => {
            Cause::Handshake { reason: "the connection was closed during the handshake".to_owned(), hint: CLOSED }
        }
        None => Cause::Handshake { reason: error.to_string(), hint: CLOSED },
    };
    Err(context.error(Phase::Tls, cause))
}

/// Traces what was negotiated.
fn describe(context: ConnectContext<'_>, connection: &rustls::ClientConnection, timer: PhaseTimer) {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS of an unknown version",
    };
    let cipher = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or("unknown");
    let alpn = connection.alpn_protocol().map(|name| format!(", ALPN {}", String::from_utf8_lossy(name)));
    let alpn = alpn.unwrap_or_default();
    context.attempt.trace(&format!("TLS: {version}, {cipher}{alpn}, in {}", timer.took()));
    if let Some([leaf, ..]) = connection.peer_certificates()
        && let Some(certificate) = Certificate::parse(leaf)
    {
        let until = rfc3339(certificate.not_after);
        context
            .attempt
            .trace(&format!("TLS: the server's certificate is `{}`, valid until {until}", certificate.subject));
    }
}

/// The alert inside an error, if it is about this device's certificate (RFC 8446, section 6.2).
pub(super) fn certificate_alert(error: &io::Error) -> Option<String> {
    use AlertDescription as Alert;
    let rustls::Error::AlertReceived(alert) = tls_error(error)? else { return None };
    matches!(
        alert,
        Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
            | Alert::CertificateRequired
    )
    .then(|| alert_in_words(*alert))
}
