//! The TLS handshake, and rustls's errors in words.

use std::io::{self, ErrorKind};
use std::mem::discriminant;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, ClientConfig, ProtocolVersion};
use tokio::net::TcpStream;
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::context::ConnectContext;
use super::credentials::Certificate;
use super::stream::{MeteredStream, Traffic};
use crate::delivery::error::{Cause, Error, SEE_LOG};
use crate::delivery::phase::{Phase, PhaseTimer};
use crate::text::{MAX_SHOWN, truncate};
use crate::time::rfc3339;

pub(super) async fn handshake(
    context: ConnectContext<'_>,
    config: &Arc<ClientConfig>,
    stream: MeteredStream<TcpStream>,
    traffic: &Traffic,
) -> Result<TlsStream<MeteredStream<TcpStream>>, Error> {
    const PORT: &str = "is this a port for TLS, and the right endpoint?";
    let host = &context.settings.endpoint.host;
    let timer = context.start(Phase::Tls);
    let handshake = TlsConnector::from(Arc::clone(config)).connect(host.clone(), stream);
    let result = timeout_at(timer.deadline, handshake).await;
    if let Ok(Ok(stream)) = result {
        describe(context, stream.get_ref().1, timer);
        return Ok(stream);
    }
    if let Some(found) = traffic.instead_of_tls() {
        return Err(context.error(Phase::Tls, Cause::WrongProtocol { expected: "a TLS server", found }));
    }
    let Ok(Err(error)) = result else { return Err(context.timed_out(timer)) };
    if let Some(alert) = certificate_alert(&error) {
        return Err(context.error(Phase::Tls, Cause::CertificateRefused { alert }));
    }
    let cause = match error_within(&error) {
        Some(rustls::Error::InvalidCertificate(error)) => {
            let ca = context.settings.credentials.as_ref().and_then(|files| files.ca.as_deref());
            let (reason, hint) = refusal(error, ca, &host.to_str());
            Cause::ServerCertificate { error: discriminant(error), reason, hint }
        }
        Some(rustls::Error::AlertReceived(alert)) => Cause::TlsAlert(*alert),
        Some(reason) => Cause::Handshake { reason: reason.to_string(), hint: SEE_LOG },
        None if error.kind() == ErrorKind::UnexpectedEof => {
            Cause::Handshake { reason: "the connection was closed during the handshake".to_owned(), hint: PORT }
        }
        None => Cause::Handshake { reason: error.to_string(), hint: PORT },
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
    context.trace(&format!("TLS: {version}, {cipher}{alpn}, in {}", timer.took()));
    if let Some([leaf, ..]) = connection.peer_certificates()
        && let Some(certificate) = Certificate::parse(leaf)
    {
        let until = rfc3339(certificate.not_after);
        context.trace(&format!("TLS: the server's certificate is `{}`, valid until {until}", certificate.subject));
    }
}

/// The rustls error inside an I/O error.
fn error_within(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// The alert inside an error, if it is about this device's certificate (RFC 8446, section 6.2).
pub(super) fn certificate_alert(error: &io::Error) -> Option<String> {
    use AlertDescription as Alert;
    let rustls::Error::AlertReceived(alert) = error_within(error)? else { return None };
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
    .then(|| format!("{alert:?}"))
}

/// Why this program refuses a server's certificate, and what to do.
fn refusal(error: &CertificateError, ca: Option<&Path>, host: &str) -> (String, String) {
    let trusted = ca.map_or("the system's certificates".to_owned(), |file| format!("those in {}", file.display()));
    match error {
        CertificateError::UnknownIssuer => {
            let legacy = host.ends_with(".amazonaws.com") && !host.contains("-ats.");
            let hint = if legacy {
                "use the endpoint that describe-endpoint --endpoint-type iot:Data-ATS prints; this one is a legacy endpoint"
            } else {
                "give the broker's CA with --ca-file (for AWS IoT, Amazon Root CA 1 and 3)"
            };
            (format!("none of the trusted certificates ({trusted}) issued it"), hint.to_owned())
        }
        CertificateError::ExpiredContext { time, not_after } => (
            format!("it expired at {}, and this machine's clock shows {}", at(*not_after), at(*time)),
            "renew the broker's certificate, if the clock is right".to_owned(),
        ),
        CertificateError::NotValidYetContext { time, not_before } => (
            format!("it is not valid before {}, and this machine's clock shows {}", at(*not_before), at(*time)),
            "set this machine's clock, if it is wrong".to_owned(),
        ),
        CertificateError::NotValidForNameContext { presented, .. } => {
            // Each is written as `DnsName("broker.example.net")`.
            let names: Vec<&str> = presented.iter().filter_map(|name| name.split('"').nth(1)).collect();
            let names = match names.as_slice() {
                [] => "no host name at all".to_owned(),
                names => truncate(&names.join(", "), MAX_SHOWN),
            };
            let hint =
                "give --endpoint a name that the certificate has (subjectAltName; the common name does not count)";
            (format!("it is not for `{host}`, but for {names}"), hint.to_owned())
        }
        CertificateError::Other(error) if error.to_string().contains("UnsupportedCertVersion") => {
            ("it is X.509 version 1".to_owned(), "issue it again as version 3 with subjectAltName".to_owned())
        }
        CertificateError::Other(error) if error.to_string().contains("CaUsedAsEndEntity") => (
            "it is a CA certificate, as self-signed ones are by default".to_owned(),
            "give the broker a certificate that is not a CA's (basicConstraints CA:FALSE)".to_owned(),
        ),
        other => (other.to_string(), "look at the broker's certificate".to_owned()),
    }
}

fn at(time: UnixTime) -> String {
    rfc3339(UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs())).unwrap_or(UNIX_EPOCH))
}
