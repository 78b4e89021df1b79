//! rustls's errors in words: why this program refuses a server, with the certificate concerned, and what to do.
//!
//! The texts of rustls and webpki are mostly the names of their variants, and both may get more variants. What has no text
//! here is shown as its name in words.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, ExtendedKeyPurpose, PeerIncompatible};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode, SliceReader};

use super::credentials::Certificate;
use super::settings::{AwsEndpoint, aws_endpoint};
use crate::delivery::error::{Cause, SEE_LOG};
use crate::text::{MAX_SHOWN, truncate};
use crate::time::rfc3339;

/// What a connection asked for, as far as a refusal depends on it.
pub(super) struct Expected<'a> {
    pub(super) host: &'a str,
    /// The file with the certificates to trust; `None`: those of the system.
    pub(super) ca: Option<&'a Path>,
}

/// A fault of a certificate: what is wrong, as the rest of a sentence, and what to do.
struct Fault {
    reason: String,
    hint: String,
}

fn fault(reason: impl Into<String>, hint: impl Into<String>) -> Fault {
    Fault { reason: reason.into(), hint: hint.into() }
}

/// The cause of a failed handshake. `chain` is what the server sent, its own certificate first; empty if it is unknown.
pub(super) fn cause(error: &Error, chain: &[Certificate], expected: &Expected<'_>) -> Cause {
    match error {
        Error::InvalidCertificate(error) => {
            let concerned = concerned(error, chain);
            let certificate = concerned.map_or_else(String::new, |index| format!("; {}", describe(chain, index)));
            let subject = if concerned.is_some_and(|index| index > 0) { "an intermediate certificate" } else { "it" };
            let Fault { reason, hint } = certificate_fault(error, subject, chain, expected);
            Cause::ServerCertificate {
                key: format!("{}{certificate}", name(error)),
                reason: reason + &certificate,
                hint,
            }
        }
        Error::AlertReceived(alert) => Cause::TlsAlert {
            alert: alert_in_words(*alert),
            hint: match alert {
                AlertDescription::NoApplicationProtocol => {
                    "is this AWS IoT? On port 443 this program asks for ALPN x-amzn-mqtt-ca"
                }
                AlertDescription::UnrecognisedName => "does the server know this name? Give the endpoint's own name",
                _ => SEE_LOG,
            },
        },
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => Cause::Handshake { reason: in_words(error), hint: "enable TLS 1.2 or TLS 1.3 on the broker" },
        Error::PeerIncompatible(PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon) => Cause::Handshake {
            reason: in_words(error),
            hint: "give a key of another type: RSA of 2048 bits, or EC on P-256",
        },
        error => Cause::Handshake { reason: in_words(error), hint: SEE_LOG },
    }
}

/// A rustls error in words.
pub(super) fn in_words(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => {
            certificate_fault(error, "it", &[], &Expected { host: "", ca: None }).reason
        }
        Error::AlertReceived(alert) => format!("the server sent the alert {}", alert_in_words(*alert)),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => "the server speaks neither TLS 1.2 nor TLS 1.3".to_owned(),
        Error::PeerIncompatible(PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon) => {
            "the server accepts no signature that this device's key can make".to_owned()
        }
        Error::PeerIncompatible(reason) => format!("the server's TLS is incompatible: {}", words(reason)),
        Error::PeerMisbehaved(reason) => format!("the server violates the TLS protocol: {}", words(reason)),
        Error::InvalidMessage(reason) => format!("the server sent a malformed TLS message: {}", words(reason)),
        Error::InappropriateMessage { got_type, .. } => unexpected_message(got_type.as_str()),
        Error::InappropriateHandshakeMessage { got_type, .. } => unexpected_message(got_type.as_str()),
        Error::InvalidCertRevocationList(reason) => format!("a revocation list is invalid: {}", words(reason)),
        Error::InvalidEncryptedClientHello(reason) => words(reason),
        Error::InconsistentKeys(reason) => words(reason),
        Error::NoCertificatesPresented => "the server sent no certificate".to_owned(),
        Error::DecryptError => "a message of the server cannot be decrypted".to_owned(),
        Error::General(reason) => reason.clone(),
        Error::Other(error) => words(&error.0),
        error => words(error),
    }
}

fn unexpected_message(kind: Option<&str>) -> String {
    format!("the server sent an unexpected TLS message: {}", words_of(kind.unwrap_or("unknown")))
}

/// An I/O error of a TLS connection in words.
pub(super) fn io_in_words(error: &io::Error) -> String {
    tls_error(error).map_or_else(|| error.to_string(), in_words)
}

/// The rustls error inside an I/O error.
pub(super) fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// An alert with its number (RFC 8446, section 6.2), by which the logs of other programs name it.
pub(super) fn alert_in_words(alert: AlertDescription) -> String {
    format!("{} ({})", words_of(alert.as_str().unwrap_or("unknown")), u8::from(alert))
}

/// The certificate that an error is about, as its place in the chain. Only a time distinguishes it from the others;
/// otherwise it is taken to be the server's own.
fn concerned(error: &CertificateError, chain: &[Certificate]) -> Option<usize> {
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let found = match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            chain.iter().position(|certificate| seconds(certificate.not_after) == not_after.as_secs())
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            chain.iter().position(|certificate| seconds(certificate.not_before) == not_before.as_secs())
        }
        _ => None,
    };
    found.or_else(|| (!chain.is_empty()).then_some(0))
}

/// A certificate of the chain for people. Its issuer distinguishes a firewall that inspects TLS from a wrong `--ca-file`.
fn describe(chain: &[Certificate], index: usize) -> String {
    let Some(certificate) = chain.get(index) else { return String::new() };
    let Certificate { subject, issuer, not_before, not_after, .. } = certificate;
    let top = top_issuer(chain).filter(|top| *top != issuer);
    let top = top.map_or_else(String::new, |top| format!(", whose chain ends at the issuer `{top}`"));
    let (from, until) = (rfc3339(*not_before), rfc3339(*not_after));
    format!("subject `{subject}`, valid from {from} until {until}, issuer `{issuer}`{top}")
}

/// The issuer of the last certificate that the server sent, which must be trusted.
fn top_issuer(chain: &[Certificate]) -> Option<&String> {
    chain.last().map(|last| &last.issuer)
}

fn certificate_fault(error: &CertificateError, subject: &str, chain: &[Certificate], expected: &Expected<'_>) -> Fault {
    const AGAIN: &str = "issue the broker's certificate again";
    match error {
        CertificateError::UnknownIssuer => unknown_issuer(chain, expected),
        CertificateError::ExpiredContext { time, not_after } => fault(
            format!("{subject} expired at {}, and this machine's clock shows {}", at(*not_after), at(*time)),
            "renew the broker's certificate, if the clock is right",
        ),
        CertificateError::Expired => fault("its validity ends before it begins", AGAIN),
        CertificateError::NotValidYetContext { time, not_before } => fault(
            format!("{subject} is not valid before {}, and this machine's clock shows {}", at(*not_before), at(*time)),
            "set this machine's clock, if it is wrong",
        ),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<&str> = presented.iter().filter_map(|name| alternative_name(name)).collect();
            let names = match names.as_slice() {
                [] => "no host name at all".to_owned(),
                names => truncate(&names.join(", "), MAX_SHOWN),
            };
            fault(
                format!("it is not for `{}`, but for {names}", expected.host),
                "give --endpoint a name that the certificate has (subjectAltName; the common name does not count)",
            )
        }
        CertificateError::InvalidPurposeContext { presented, .. } => {
            let purposes: Vec<String> = presented.iter().map(purpose).collect();
            fault(
                format!("it is not for servers, but for {}", truncate(&purposes.join(", "), MAX_SHOWN)),
                "issue it again with server authentication in its extended key usage (serverAuth)",
            )
        }
        CertificateError::BadSignature => fault(
            "a signature in its chain is wrong",
            "is the CA in --ca-file an older one of the same name? Give the one that issued the broker's certificate",
        ),
        CertificateError::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. } => fault(
            format!("a signature in its chain is of an unsupported kind, {}", algorithm(signature_algorithm_id)),
            "supported are ECDSA on P-256 and P-384, RSA with at least 2048 bits, and Ed25519, with SHA-256 or better",
        ),
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id,
            public_key_algorithm_id,
        } => {
            let (signature, key) = (algorithm(signature_algorithm_id), algorithm(public_key_algorithm_id));
            fault(
                format!("a signature in its chain, {signature}, does not fit the key that is to verify it, {key}"),
                "supported are ECDSA on P-256 and P-384, RSA with at least 2048 bits, and Ed25519, with SHA-256 or better",
            )
        }
        CertificateError::BadEncoding => fault("it is malformed (X.509)", AGAIN),
        CertificateError::Revoked => fault("it was revoked", AGAIN),
        CertificateError::Other(error) => webpki_fault(&name(&error.0)),
        CertificateError::UnhandledCriticalExtension => webpki_fault("UnsupportedCriticalExtension"),
        error => fault(format!("verification failed: {}", words(error)), "look at the broker's certificate"),
    }
}

/// The faults that rustls passes on from webpki, by their names.
fn webpki_fault(name: &str) -> Fault {
    match name {
        "UnsupportedCertVersion" => fault("it is X.509 version 1", "issue it again as version 3 with subjectAltName"),
        "CaUsedAsEndEntity" => fault(
            "it is a CA certificate, as self-signed ones are by default",
            "give the broker a certificate that is not a CA's (basicConstraints CA:FALSE)",
        ),
        "EndEntityUsedAsCa" => fault(
            "a certificate that is not a CA's issued it",
            "the issuer's certificate needs basicConstraints CA:TRUE",
        ),
        "PathLenConstraintViolated" => fault(
            "there are more intermediate certificates than a CA in its chain allows (pathlen in basicConstraints)",
            "issue the broker's certificate from a CA that is higher in the chain",
        ),
        "NameConstraintViolation" => fault(
            "a CA in its chain may not issue certificates for its names (nameConstraints)",
            "issue the broker's certificate from another CA",
        ),
        "UnsupportedCriticalExtension" => fault(
            "it has a critical extension that this program does not know",
            "issue the broker's certificate again, without that extension",
        ),
        "SignatureAlgorithmMismatch" => {
            fault("it names two different signature algorithms", "issue the broker's certificate again")
        }
        "MaximumPathBuildCallsExceeded"
        | "MaximumPathDepthExceeded"
        | "MaximumSignatureChecksExceeded"
        | "MaximumNameConstraintComparisonsExceeded" => fault(
            "its chain is too long or too complicated to verify",
            "let the broker send only its certificate and the intermediates up to the CA",
        ),
        other => fault(format!("verification failed: {}", words_of(other)), "issue the broker's certificate again"),
    }
}

fn unknown_issuer(chain: &[Certificate], Expected { host, ca }: &Expected<'_>) -> Fault {
    let trusted = ca.map_or("the system's certificates".to_owned(), |file| format!("those in {}", file.display()));
    let is_amazon = |issuer: &String| issuer.contains("Amazon") || issuer.contains("Starfield");
    let hint = match aws_endpoint(host) {
        Some(AwsEndpoint::Legacy) => {
            "use the endpoint that describe-endpoint --endpoint-type iot:Data-ATS prints; this one is a legacy endpoint"
        }
        Some(_) if top_issuer(chain).is_some_and(|issuer| !is_amazon(issuer)) => {
            "Amazon did not issue it: a firewall that inspects TLS must exempt this endpoint"
        }
        Some(_) => "give Amazon Root CA 1 and 3 with --ca-file",
        None => {
            "give the CA that issued it with --ca-file; if the issuer is not the broker's, a firewall may be inspecting TLS"
        }
    };
    fault(format!("none of the trusted certificates ({trusted}) issued it"), hint)
}

/// A name of a certificate, which webpki writes as `DnsName("broker.example.net")` or `IpAddress(192.0.2.1)`.
fn alternative_name(name: &str) -> Option<&str> {
    let (_, name) = name.split_once('(')?;
    Some(name.strip_suffix(')')?.trim_matches('"'))
}

fn purpose(purpose: &ExtendedKeyPurpose) -> String {
    match purpose {
        ExtendedKeyPurpose::Other(numbers) => numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join("."),
        known => known.to_string(),
    }
}

/// The name of an algorithm, given as the content of an `AlgorithmIdentifier` (RFC 5280).
fn algorithm(der: &[u8]) -> String {
    let decode = |mut reader| -> x509_cert::der::Result<ObjectIdentifier> { ObjectIdentifier::decode(&mut reader) };
    let Ok(oid) = SliceReader::new(der).and_then(decode).map(|oid| oid.to_string()) else {
        return "unknown".to_owned();
    };
    match oid.as_str() {
        "1.2.840.113549.1.1.1" => "RSA",
        "1.2.840.113549.1.1.4" => "RSA with MD5",
        "1.2.840.113549.1.1.5" => "RSA with SHA-1",
        "1.2.840.113549.1.1.10" => "RSASSA-PSS",
        "1.2.840.113549.1.1.11" => "RSA with SHA-256",
        "1.2.840.113549.1.1.12" => "RSA with SHA-384",
        "1.2.840.113549.1.1.13" => "RSA with SHA-512",
        "1.2.840.10040.4.1" | "1.2.840.10040.4.3" | "2.16.840.1.101.3.4.3.2" => "DSA",
        "1.2.840.10045.2.1" => "EC on another curve",
        "1.2.840.10045.4.1" => "ECDSA with SHA-1",
        "1.2.840.10045.4.3.2" => "ECDSA with SHA-256",
        "1.2.840.10045.4.3.3" => "ECDSA with SHA-384",
        "1.2.840.10045.4.3.4" => "ECDSA with SHA-512",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        other => other,
    }
    .to_owned()
}

/// The name of an enum's variant.
fn name(value: &impl Debug) -> String {
    format!("{value:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}

fn words(value: &impl Debug) -> String {
    words_of(&name(value))
}

/// A name such as `UnknownCA` in words: "unknown CA".
fn words_of(name: &str) -> String {
    let name = name.replace("Tls12", "TLS1.2").replace("Tls13", "TLS1.3");
    let characters: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = Vec::new();
    for (index, &c) in characters.iter().enumerate() {
        let at = |index: Option<usize>| index.and_then(|index| characters.get(index));
        let (before, after) = (at(index.checked_sub(1)), at(index.checked_add(1)));
        let is_start = c.is_ascii_uppercase()
            && (before.is_none_or(|before| !before.is_ascii_uppercase())
                || after.is_some_and(char::is_ascii_lowercase));
        match words.last_mut() {
            Some(word) if !is_start => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let lower = |word: &String| {
        let is_acronym = word.len() > 1 && !word.contains(|c: char| c.is_ascii_lowercase());
        if is_acronym { word.clone() } else { word.to_ascii_lowercase() }
    };
    words.iter().map(lower).collect::<Vec<_>>().join(" ")
}

fn at(time: UnixTime) -> String {
    rfc3339(UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs())).unwrap_or(UNIX_EPOCH))
}

#[cfg(test)]
mod tests;
