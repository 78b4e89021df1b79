//! Certificates and keys in PEM (RFC 7468), as tolerant as OpenSSL: a byte order mark, indented lines, other text between the
//! sections, and a key whose label names another format than it has. What is not used is named, with the command that converts
//! it.

use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SigningKey;

use crate::delivery::transport::CredentialErrorKind;
use crate::files::without_byte_order_mark;
use crate::sniff;

type Fault = (CredentialErrorKind, String);

/// The certificates in a file, at least one.
pub(crate) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let pem = normalized(text);
    match CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>() {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err((CredentialErrorKind::Missing, why_no_certificate(text))),
        Err(error) => Err(malformed(text, &error)),
    }
}

/// The first private key in a file.
pub(crate) fn private_key(text: &[u8]) -> Result<Arc<dyn SigningKey>, Fault> {
    const ENCRYPTED: &str = "the key is encrypted, and there is nobody to ask for its password; decrypt it with openssl \
                             pkey, into a file that only this user can read";
    let key = PrivateKeyDer::from_pem_slice(&normalized(text));
    if let Some(key) = key.as_ref().ok().and_then(signing_key) {
        return Ok(key);
    }
    match key {
        _ if has(text, "BEGIN ENCRYPTED PRIVATE KEY") || has(text, "Proc-Type: 4,ENCRYPTED") => {
            Err((CredentialErrorKind::Unsupported, ENCRYPTED.to_owned()))
        }
        Ok(key) => Err((CredentialErrorKind::Unsupported, why_unsupported(key.secret_der()))),
        Err(pem::Error::NoItemsFound) => Err((CredentialErrorKind::Missing, why_no_key(text))),
        Err(error) => Err(malformed(text, &error)),
    }
}

/// The text without its byte order mark and without blanks at the start and end of lines.
fn normalized(text: &[u8]) -> Vec<u8> {
    let lines = without_byte_order_mark(text).split(|byte| *byte == b'\n');
    lines.map(<[u8]>::trim_ascii).collect::<Vec<_>>().join(&b'\n')
}

/// A key to sign with, whichever of the formats its label names. OpenSSL reads such files, too.
fn signing_key(key: &PrivateKeyDer<'_>) -> Option<Arc<dyn SigningKey>> {
    let der = key.secret_der();
    let formats = [PrivateKeyDer::Pkcs8(der.into()), PrivateKeyDer::Sec1(der.into()), PrivateKeyDer::Pkcs1(der.into())];
    formats.iter().find_map(|key| any_supported_type(key).ok())
}

/// Why a key that can be read cannot be used. Object identifiers are compared in DER, which is unambiguous enough for a
/// message.
fn why_unsupported(der: &[u8]) -> String {
    const SUPPORTED: &str = "supported are RSA of 2048 to 8192 bits, and EC on P-256 or P-384";
    const PRIME_FIELD: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x01\x01";
    const P256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    const P384: &[u8] = b"\x06\x05\x2b\x81\x04\x00\x22";
    const P521: &[u8] = b"\x06\x05\x2b\x81\x04\x00\x23";
    let has = |identifier| memchr::memmem::find(der, identifier).is_some();
    if has(PRIME_FIELD) {
        "the key has the parameters of its curve instead of the name; write it with the name: openssl ec -param_enc \
         named_curve -in OLD -out NEW"
            .to_owned()
    } else if has(P521) {
        format!("EC keys on P-521 are not supported; {SUPPORTED}")
    } else if has(P256) || has(P384) {
        "the EC key is damaged, or lacks the public key that belongs to it".to_owned()
    } else {
        format!("this key is not supported; {SUPPORTED}")
    }
}

fn why_no_certificate(text: &[u8]) -> String {
    let known = [
        ("BEGIN TRUSTED CERTIFICATE", "it has OpenSSL's trust settings; run openssl x509 -in OLD -out NEW"),
        ("BEGIN X509 CERTIFICATE", "it has an old label; run openssl x509 -in OLD -out NEW"),
        ("CERTIFICATE REQUEST", "this is a certificate request; give the certificate that was made from it"),
        ("BEGIN PKCS7", "this is PKCS #7; run openssl pkcs7 -print_certs -in OLD -out NEW"),
        ("PRIVATE KEY-----", "this is a private key"),
        ("PUBLIC KEY-----", "this is a public key"),
    ];
    let found = what_it_is(text, "openssl x509 -inform DER -in OLD -out NEW", &known);
    format!("no certificate found; expected PEM, with a line BEGIN CERTIFICATE{found}")
}

fn why_no_key(text: &[u8]) -> String {
    let known = [
        (
            "BEGIN OPENSSH PRIVATE KEY",
            "this is the format of OpenSSH; run ssh-keygen -p -m PKCS8 -f COPY, which converts COPY",
        ),
        ("BEGIN CERTIFICATE", "this is a certificate"),
        ("PUBLIC KEY-----", "this is a public key"),
    ];
    let found = what_it_is(text, "openssl pkey -inform DER -in OLD -out NEW", &known);
    format!("no private key found; expected PEM, with a line BEGIN PRIVATE KEY (or RSA, EC){found}")
}

/// What a file is that has nothing of use, as the rest of a sentence.
fn what_it_is(text: &[u8], convert_der: &str, known: &[(&str, &str)]) -> String {
    let known = || known.iter().find(|(label, _)| has(text, label)).map(|(_, what)| (*what).to_owned());
    let found = match (sniff::foreign_kind(text), text) {
        // A sequence of DER, which begins as no text does. The first element of PKCS #12 is the number 3, that of a key 0 or 1.
        (_, [0x30, 0x82, _, _, 2, 1, 3, ..]) => {
            Some("this is PKCS #12; run openssl pkcs12 -nodes -in OLD -out NEW".to_owned())
        }
        (_, [0x30, 0x81 | 0x82, ..] | [0x30, _, 2, 1, ..]) => Some(format!("this is DER; run {convert_der}")),
        (Some(kind), _) => Some(format!("this is {kind}")),
        _ if has_escaped_lines(text) => Some(ESCAPED_LINES.to_owned()),
        _ => known(),
    };
    found.map_or_else(String::new, |found| format!(", but {found}"))
}

fn malformed(text: &[u8], error: &pem::Error) -> Fault {
    let reason = match error {
        _ if has_escaped_lines(text) => ESCAPED_LINES,
        pem::Error::MissingSectionEnd { .. } => "a section has no end line; is the file cut off?",
        pem::Error::IllegalSectionStart { .. } => "the first line of a section is malformed",
        pem::Error::Base64Decode(_) => "a section is not base64",
        _ => "it cannot be read",
    };
    (CredentialErrorKind::Malformed, format!("broken PEM: {reason}"))
}

const ESCAPED_LINES: &str =
    "the line breaks are written as \\n, as in a JSON string; write the text itself, with jq -r";

/// Whether line breaks are escaped, as in a JSON string.
fn has_escaped_lines(text: &[u8]) -> bool {
    has(text, "-----\\n")
}

fn has(text: &[u8], part: &str) -> bool {
    memchr::memmem::find(text, part.as_bytes()).is_some()
}
