//! Certificates and keys: from files to a rustls configuration, after every check that is possible before connecting.
//!
//! TLS 1.2 and 1.3 with ring; the server is always verified. On port 443 AWS IoT distinguishes MQTT from HTTPS by ALPN
//! ("Device communication protocols").

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::RootCertStore;
use rustls::client::ClientConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::Decode;
use x509_cert::name::Name;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::pem;
use super::refusal;
use super::settings::CredentialFiles;
use super::tls::Tls;
use super::verifier::Verifier;
use crate::delivery::transport::{CredentialError, CredentialErrorKind, CredentialFile};
use crate::files;
use crate::text::{MAX_SHOWN, truncate};
use crate::time::rfc3339;
use crate::warning::{Warning, WarningKind};

/// The protocol that AWS IoT expects on port 443 for MQTT with a client certificate.
const ALPN_443: &[u8] = b"x-amzn-mqtt-ca";

/// No correct clock shows a time before this program was written: 2026-11-01.
const CLOCK_FLOOR: Duration = Duration::from_secs(1_793_491_200);

/// A certificate that expires within this time is worth a warning.
const EXPIRES_SOON: Duration = Duration::from_secs(14 * 86400);

/// The most bytes of a credential file: far more than any has.
const MAX_FILE: u64 = 8 << 20;

/// A certificate, as far as this program looks at it.
pub(crate) struct Certificate {
    /// The subject's common name, unit and organization.
    pub(crate) subject: String,
    /// The same of its issuer.
    pub(super) issuer: String,
    pub(super) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
    pub(super) public_key: Vec<u8>,
}

impl Certificate {
    /// Reads a certificate of any X.509 version; plain `openssl x509 -req` still makes version 1.
    pub(crate) fn parse(der: &[u8]) -> Option<Self> {
        let certificate = CertificateInner::<Raw>::from_der(der).ok()?;
        let tbs = certificate.tbs_certificate();
        Some(Self {
            subject: truncate(&in_words(tbs.subject()), MAX_SHOWN),
            issuer: truncate(&in_words(tbs.issuer()), MAX_SHOWN),
            not_before: tbs.validity().not_before.to_system_time(),
            not_after: tbs.validity().not_after.to_system_time(),
            public_key: tbs.subject_public_key_info().subject_public_key.raw_bytes().to_vec(),
        })
    }

    /// Why the certificate is not valid at a time, the text as the rest of a sentence; `None` when it is.
    fn invalid_at(&self, now: SystemTime) -> Option<(CredentialErrorKind, String)> {
        let (kind, reason) = if now < self.not_before {
            (CredentialErrorKind::NotYetValid, format!("is not valid before {}", rfc3339(self.not_before)))
        } else if now > self.not_after {
            (CredentialErrorKind::Expired, format!("expired at {}", rfc3339(self.not_after)))
        } else {
            return None;
        };
        let wrong = if is_clock_wrong(now) { ", which is wrong; set it" } else { "" };
        Some((kind, format!("{reason}; this machine's clock shows {}{wrong}", rfc3339(now))))
    }
}

fn is_clock_wrong(now: SystemTime) -> bool {
    now.duration_since(UNIX_EPOCH).unwrap_or_default() < CLOCK_FLOOR
}

/// The parts of a name that distinguish it from others, as RFC 4514 writes them. (The library's own `Display` links a table
/// of a thousand object identifiers, and every start of the program pays for it.)
fn in_words(name: &Name) -> String {
    let parts = [("CN", name.common_name()), ("OU", name.organization_unit()), ("O", name.organization())];
    let parts = parts.into_iter().filter_map(|(kind, value)| Some(format!("{kind}={}", value.ok()??.value())));
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { "without a name".to_owned() } else { parts.join(",") }
}

/// Credentials that can be used.
#[derive(Default)]
pub(super) struct Credentials {
    /// `None`: without TLS.
    pub(super) tls: Option<Tls>,
    pub(super) warnings: Vec<Warning>,
    pub(super) summary: Vec<String>,
}

/// Reads the files and checks them: that they hold certificates and a key, that the key belongs to the certificate, that the
/// certificates are valid now.
pub(super) fn load(files: &CredentialFiles, port: u16, now: SystemTime) -> Result<Credentials, Vec<CredentialError>> {
    let mut loader = Loader { now, errors: Vec::new(), warnings: Vec::new(), summary: Vec::new() };
    if is_clock_wrong(now) {
        let text = format!(
            "this machine's clock shows {}, which is wrong: certificates may seem not valid yet; set the clock",
            rfc3339(now)
        );
        loader.warn("clock", text);
    }
    let roots = match &files.ca {
        Some(file) => loader.roots(file),
        None => loader.system_roots(),
    };
    let chain = loader.chain(&files.certificate);
    let key = loader.key(&files.key);
    if let (Some((_, leaf)), Some(key)) = (&chain, &key)
        && public_key(key.as_ref()).is_some_and(|public_key| public_key != leaf.public_key)
    {
        loader.error(&files.key, CredentialErrorKind::Mismatch, "this key does not belong to the certificate");
        let subject = &leaf.subject;
        let reason =
            format!("the certificate is `{subject}`; give the key it was made with, or put it first in the file");
        loader.error(&files.certificate, CredentialErrorKind::Mismatch, &reason);
    }
    let Loader { mut errors, warnings, summary, .. } = loader;
    if let (Some(roots), Some((chain, _)), Some(key), true) = (roots, chain, key, errors.is_empty()) {
        match config(roots, chain, key, port) {
            Ok(tls) => return Ok(Credentials { tls: Some(tls), warnings, summary }),
            Err(error) => errors.push(CredentialError {
                file: None,
                kind: CredentialErrorKind::Unsupported,
                reason: format!("TLS: {}", refusal::in_words(&error)),
            }),
        }
    }
    Err(errors)
}

fn config(
    roots: RootCertStore,
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn SigningKey>,
    port: u16,
) -> Result<Tls, rustls::Error> {
    // rustls itself refuses a version 1 certificate for the client; whether to accept it is the server's decision.
    let identity = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let provider = Arc::new(default_provider());
    let verifier = Arc::new(Verifier::new(roots, &provider)?);
    let builder = ClientConfig::builder_with_provider(provider);
    let mut config = builder
        .with_safe_default_protocol_versions()?
        .dangerous() // what it verifies with is rustls's own
        .with_custom_certificate_verifier(Arc::<Verifier>::clone(&verifier))
        .with_client_cert_resolver(Arc::new(identity));
    if port == 443 {
        config.alpn_protocols = vec![ALPN_443.to_vec()];
    }
    Ok(Tls { config: Arc::new(config), verifier })
}

/// The public half of a private key, as a certificate holds it.
fn public_key(key: &dyn SigningKey) -> Option<Vec<u8>> {
    let info = SubjectPublicKeyInfoOwned::from_der(key.public_key()?.as_ref()).ok()?;
    Some(info.subject_public_key.raw_bytes().to_vec())
}

/// Reads the files, and collects everything that is wrong with them.
struct Loader {
    now: SystemTime,
    errors: Vec<CredentialError>,
    warnings: Vec<Warning>,
    summary: Vec<String>,
}

impl Loader {
    fn error(&mut self, file: &CredentialFile, kind: CredentialErrorKind, reason: &str) {
        self.errors.push(CredentialError { file: Some(file.clone()), kind, reason: reason.to_owned() });
    }

    fn warn(&mut self, subject: impl Into<String>, text: String) {
        self.warnings.push(Warning { kind: WarningKind::Credentials, subject: subject.into(), text });
    }

    fn read(&mut self, file: &CredentialFile) -> Option<Vec<u8>> {
        files::read(&file.path, MAX_FILE)
            .map_err(|error| {
                self.error(file, CredentialErrorKind::Unreadable(error.kind()), &files::explain(&file.path, &error));
            })
            .ok()
    }

    /// The certificates in a PEM file, at least one.
    fn certificates(&mut self, file: &CredentialFile) -> Option<Vec<CertificateDer<'static>>> {
        let text = self.read(file)?;
        pem::certificates(&text).map_err(|(kind, reason)| self.error(file, kind, &reason)).ok()
    }

    /// The certificates to trust: those in the file that are valid now.
    fn roots(&mut self, file: &CredentialFile) -> Option<RootCertStore> {
        let mut roots = RootCertStore::empty();
        let mut trusted = Vec::new();
        let mut distrusted = Vec::new();
        for certificate in self.certificates(file)? {
            let parsed = Certificate::parse(&certificate);
            let invalid = parsed.as_ref().and_then(|parsed| parsed.invalid_at(self.now));
            let subject = parsed.map_or_else(|| "a certificate".to_owned(), |parsed| format!("`{}`", parsed.subject));
            if let Some((kind, reason)) = invalid {
                distrusted.push((kind, format!("{subject} {reason}")));
            } else if let Err(error) = roots.add(certificate) {
                let reason = format!("{subject} cannot be trusted: {}", refusal::in_words(&error));
                distrusted.push((CredentialErrorKind::Unsupported, reason));
            } else {
                trusted.push(subject);
            }
        }
        let name = file.path.display();
        self.summary.push(match trusted.as_slice() {
            [one] => format!("{name}: trusting {one}"),
            many => format!("{name}: trusting {} certificates", many.len()),
        });
        if roots.is_empty() {
            for (kind, reason) in &distrusted {
                self.error(file, *kind, reason);
            }
            return None;
        }
        for (kind, reason) in distrusted {
            self.warn(format!("{kind:?} {name}"), format!("{name}: {reason}"));
        }
        Some(roots)
    }

    fn system_roots(&mut self) -> Option<RootCertStore> {
        const INSTALL: &str = "install ca-certificates, or give --ca-file";
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let errors = found.errors.iter().map(ToString::to_string);
            let parts: Vec<String> = errors.chain([INSTALL.to_owned()]).collect();
            let reason = format!("this system has no certificates to trust; {}", parts.join("; "));
            self.errors.push(CredentialError { file: None, kind: CredentialErrorKind::Missing, reason });
            return None;
        }
        self.summary.push(format!("trusting {added} certificates of the system"));
        Some(roots)
    }

    /// This device's certificate with the intermediates after it; the certificate itself is also parsed.
    fn chain(&mut self, file: &CredentialFile) -> Option<(Vec<CertificateDer<'static>>, Certificate)> {
        let chain = self.certificates(file)?;
        let Some(leaf) = chain.first().and_then(|der| Certificate::parse(der)) else {
            self.error(file, CredentialErrorKind::Malformed, "the certificate cannot be parsed (X.509)");
            return None;
        };
        if let Some((kind, reason)) = leaf.invalid_at(self.now) {
            self.error(file, kind, &format!("the certificate {reason}"));
        } else {
            let left = leaf.not_after.duration_since(self.now).unwrap_or_default();
            let until = rfc3339(leaf.not_after);
            let name = file.path.display();
            if left < EXPIRES_SOON {
                self.warn(format!("expires {name}"), format!("{name}: the certificate expires soon, at {until}"));
            }
            self.summary.push(format!("{name}: certificate `{}`, valid until {until}", leaf.subject));
        }
        Some((chain, leaf))
    }

    fn key(&mut self, file: &CredentialFile) -> Option<Arc<dyn SigningKey>> {
        let text = self.read(file)?;
        if let Some(mode) = files::world_readable_mode(&file.path) {
            let file = file.path.display();
            let text = format!("{file}: any user can read this key (mode {mode:04o}); run chmod 600 {file}");
            self.warn(format!("readable {file}"), text);
        }
        pem::private_key(&text).map_err(|(kind, reason)| self.error(file, kind, &reason)).ok()
    }
}
