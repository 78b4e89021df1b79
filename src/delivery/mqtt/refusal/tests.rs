use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ContentType, HandshakeType, InconsistentKeys, InvalidMessage, OtherError, PeerMisbehaved};
use webpki::Error as WebPki;

use super::*;
use crate::delivery::phase::Phase;

const EXPECTED: Expected<'_> = Expected { host: "broker.test", ca: None };

/// Content of the `AlgorithmIdentifier` of ECDSA with SHA-1.
const ECDSA_SHA1: [u8; 9] = [0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];

fn certificate(subject: &str, issuer: &str, days: [u64; 2]) -> Certificate {
    let [not_before, not_after] = days.map(|day| UNIX_EPOCH.checked_add(Duration::from_secs(day * 86400)).unwrap());
    let (subject, issuer) = (subject.to_owned(), issuer.to_owned());
    Certificate { subject, issuer, not_before, not_after, public_key: Vec::new() }
}

fn chain() -> [Certificate; 2] {
    [certificate("CN=broker", "CN=sub", [10, 20]), certificate("CN=sub", "CN=root", [5, 15])]
}

fn day(day: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(day * 86400))
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> OtherError {
    OtherError(Arc::new(error))
}

/// Every error about a certificate.
#[expect(deprecated, reason = "rustls may still return it")]
fn certificate_errors() -> Vec<CertificateError> {
    use CertificateError as E;
    let time = day(30);
    let presented = vec!["DnsName(\"a.test\")".to_owned(), "IpAddress(192.0.2.1)".to_owned()];
    let purposes = vec![ExtendedKeyPurpose::ClientAuth, ExtendedKeyPurpose::Other(vec![1, 3, 6])];
    let mut errors = vec![
        E::BadEncoding,
        E::Expired,
        E::ExpiredContext { time, not_after: day(20) },
        E::ExpiredContext { time, not_after: day(15) },
        E::NotValidYet,
        E::NotValidYetContext { time: day(1), not_before: day(10) },
        E::Revoked,
        E::UnhandledCriticalExtension,
        E::UnknownIssuer,
        E::UnknownRevocationStatus,
        E::ExpiredRevocationList,
        E::ExpiredRevocationListContext { time, next_update: time },
        E::BadSignature,
        E::UnsupportedSignatureAlgorithm,
        E::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: ECDSA_SHA1.to_vec(),
            supported_algorithms: vec![rustls::pki_types::alg_id::ECDSA_SHA256],
        },
        E::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: ECDSA_SHA1.to_vec(),
            public_key_algorithm_id: vec![1, 2, 3],
        },
        E::NotValidForName,
        E::NotValidForNameContext { expected: ServerName::try_from("broker.test").unwrap(), presented },
        E::InvalidPurpose,
        E::InvalidPurposeContext { required: ExtendedKeyPurpose::ServerAuth, presented: purposes },
        E::InvalidOcspResponse,
        E::ApplicationVerificationFailure,
        E::Other(other(io::Error::other("Strange { context: (1, 2) }"))),
    ];
    errors.extend(webpki_errors().map(|error| E::Other(other(error))));
    errors
}

/// Those that rustls has no variant for.
fn webpki_errors() -> impl Iterator<Item = WebPki> {
    [
        WebPki::CaUsedAsEndEntity,
        WebPki::CertDistrusted,
        WebPki::EmptyEkuExtension,
        WebPki::EndEntityUsedAsCa,
        WebPki::ExtensionValueInvalid,
        WebPki::InvalidCrlNumber,
        WebPki::InvalidNetworkMaskConstraint,
        WebPki::InvalidSerialNumber,
        WebPki::MalformedDnsIdentifier,
        WebPki::MalformedExtensions,
        WebPki::MalformedNameConstraint,
        WebPki::MaximumNameConstraintComparisonsExceeded,
        WebPki::MaximumPathBuildCallsExceeded,
        WebPki::MaximumPathDepthExceeded,
        WebPki::MaximumSignatureChecksExceeded,
        WebPki::NameConstraintViolation,
        WebPki::PathLenConstraintViolated,
        WebPki::SignatureAlgorithmMismatch,
        WebPki::UnsupportedCertVersion,
        WebPki::UnsupportedCriticalExtension,
        WebPki::UnsupportedCrlIssuingDistributionPoint,
        WebPki::UnsupportedCrlVersion,
        WebPki::UnsupportedDeltaCrl,
        WebPki::UnsupportedIndirectCrl,
        WebPki::UnsupportedNameType,
        WebPki::UnsupportedRevocationReason,
        WebPki::UnsupportedRevocationReasonsPartitioning,
    ]
    .into_iter()
}

/// Errors of other kinds, some of each.
fn handshake_errors() -> Vec<Error> {
    vec![
        Error::InappropriateMessage { expect_types: vec![ContentType::Handshake], got_type: ContentType::Alert },
        Error::InappropriateHandshakeMessage { expect_types: vec![], got_type: HandshakeType::Unknown(77) },
        Error::InvalidMessage(InvalidMessage::MissingData("ServerHello")),
        Error::InvalidMessage(InvalidMessage::DuplicateExtension(5)),
        Error::NoCertificatesPresented,
        Error::UnsupportedNameType,
        Error::DecryptError,
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
        Error::PeerIncompatible(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig),
        Error::PeerIncompatible(PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon),
        Error::PeerIncompatible(PeerIncompatible::ServerRejectedEncryptedClientHello(None)),
        Error::PeerMisbehaved(PeerMisbehaved::SelectedTls12UsingTls13VersionExtension),
        Error::AlertReceived(AlertDescription::UnknownCA),
        Error::AlertReceived(AlertDescription::Unknown(200)),
        Error::General("unexpected".to_owned()),
        Error::PeerSentOversizedRecord,
        Error::NoApplicationProtocol,
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch),
        Error::Other(other(WebPki::BadDer)),
    ]
}

/// The message and the hint.
fn shown(error: &Error) -> String {
    let cause = cause(error, &chain(), &EXPECTED);
    let error = crate::delivery::Error { phase: Phase::Tls, destination: String::new(), published: None, cause };
    format!("{error}\n{}", error.hint())
}

#[test]
fn no_text_is_that_of_a_debug_format() {
    let debug = regex::Regex::new(r"[{}]|::|[A-Za-z]\(|\b[A-Z][a-z]+[A-Z]|\bOther\b|Context|, \)|\[\]").unwrap();
    let errors = certificate_errors().into_iter().map(Error::from).chain(handshake_errors());
    for error in errors {
        for text in [shown(&error), in_words(&error)] {
            let found = debug.find(&text).map(|found| found.as_str());
            assert_eq!(found, None, "{error:?}: {text}");
        }
    }
}

#[test]
fn a_refused_certificate_is_shown_with_its_issuer_and_dates() {
    for error in certificate_errors() {
        let text = shown(&error.clone().into());
        let is_intermediate = error == CertificateError::ExpiredContext { time: day(30), not_after: day(15) };
        let certificate = if is_intermediate {
            "an intermediate certificate expired at 1970-01-16T00:00:00Z, and this machine's clock shows \
             1970-01-31T00:00:00Z; subject `CN=sub`, valid from 1970-01-06T00:00:00Z until 1970-01-16T00:00:00Z, \
             issuer `CN=root`"
        } else {
            "; subject `CN=broker`, valid from 1970-01-11T00:00:00Z until 1970-01-21T00:00:00Z, issuer `CN=sub`, \
             whose chain ends at the issuer `CN=root`"
        };
        assert!(text.contains(certificate), "{error:?}: {text}");
    }
}

#[test]
fn the_hint_about_an_unknown_issuer_tells_an_inspecting_firewall_from_a_wrong_ca() {
    const AWS: &str = "a1b2-ats.iot.eu-west-1.amazonaws.com";
    let hint = |host, issuer| {
        let chain = [certificate("CN=*.iot.eu-west-1.amazonaws.com", issuer, [10, 20])];
        unknown_issuer(&chain, &Expected { host, ca: None }).hint
    };
    for (host, issuer, expected) in [
        (AWS, "CN=Amazon RSA 2048 M01,O=Amazon", "Amazon Root CA 1"),
        (AWS, "CN=Inspection CA,O=Example Corp", "a firewall that inspects TLS"),
        ("a1b2.iot.eu-west-1.amazonaws.com", "CN=Other,O=Other", "legacy endpoint"),
        ("broker.test", "CN=Inspection CA", "--ca-file"),
    ] {
        let hint = hint(host, issuer);
        assert!(hint.contains(expected), "{host} {issuer}: {hint}");
    }
}

#[test]
fn names_become_words() {
    for (name, expected) in [
        ("UnknownCA", "unknown CA"),
        ("UnknownPSKIdentity", "unknown PSK identity"),
        ("PathLenConstraintViolated", "path len constraint violated"),
        ("SelectedTls12UsingTls13VersionExtension", "selected TLS1.2 using TLS1.3 version extension"),
        ("", ""),
    ] {
        assert_eq!(words_of(name), expected);
    }
    assert_eq!(alert_in_words(AlertDescription::HandshakeFailure), "handshake failure (40)");
    assert_eq!(alert_in_words(AlertDescription::Unknown(200)), "unknown (200)");
    assert_eq!(algorithm(&ECDSA_SHA1), "ECDSA with SHA-1");
    assert_eq!(algorithm(&[0x06, 0x03, 0x2a, 0x03, 0x04]), "1.2.3.4");
    assert_eq!(algorithm(&[]), "unknown");
}
