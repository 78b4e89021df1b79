//! TLS: from files to a rustls configuration, with everything about them checked that can be checked before connecting,
//! and from rustls errors to words.
//!
//! TLS 1.2 and 1.3 with ring; the server is always verified. On port 443 AWS IoT tells MQTT from HTTPS by ALPN ("Device
//! communication protocols").

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{AlertDescription, CertificateError, RootCertStore};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::Decode;
use x509_cert::name::Name;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::files;
use super::settings::{Fault, Files};
use crate::escape::shortened;
use crate::exit::Exit;
use crate::time::rfc3339;

/// What AWS IoT wants to hear on port 443 for MQTT with a client certificate.
const ALPN_443: &[u8] = b"x-amzn-mqtt-ca";

/// No clock that is right shows a time before this program was written: 2026-11-01.
const CLOCK_FLOOR: Duration = Duration::from_secs(1_793_491_200);

/// Warns of a certificate that ends within this time.
const ENDS_SOON: Duration = Duration::from_secs(14 * 86400);

/// A certificate, as far as it is looked at here.
pub struct Certificate {
    /// The subject's common name, unit and organization.
    pub subject: String,
    /// From when it is valid.
    pub not_before: SystemTime,
    /// Until when it is valid.
    pub not_after: SystemTime,
    public_key: Vec<u8>,
}

impl Certificate {
    /// Reads a certificate of any version: of version 1, which plain `openssl x509 -req` makes, too.
    #[must_use]
    pub fn parse(der: &[u8]) -> Option<Self> {
        let certificate = CertificateInner::<Raw>::from_der(der).ok()?;
        let tbs = certificate.tbs_certificate();
        Some(Self {
            subject: shortened(&subject(tbs.subject())),
            not_before: tbs.validity().not_before.to_system_time(),
            not_after: tbs.validity().not_after.to_system_time(),
            public_key: tbs.subject_public_key_info().subject_public_key.raw_bytes().to_vec(),
        })
    }

    /// Why it is not valid at a time; `None` when it is.
    fn not_valid(&self, now: SystemTime) -> Option<String> {
        let clock = if now.duration_since(UNIX_EPOCH).unwrap_or_default() < CLOCK_FLOOR {
            format!("this machine's clock shows {}, which is wrong; set it", rfc3339(now))
        } else {
            format!("this machine's clock shows {}", rfc3339(now))
        };
        if now < self.not_before {
            Some(format!("not valid before {}; {clock}", rfc3339(self.not_before)))
        } else if now > self.not_after {
            Some(format!("expired at {}; {clock}", rfc3339(self.not_after)))
        } else {
            None
        }
    }
}

/// The parts of a name that tell one from another, as RFC 4514 writes them. (The library's own way to show a name brings a
/// table of a thousand object identifiers, and each start of the program pays for it.)
fn subject(name: &Name) -> String {
    let parts = [("CN", name.common_name()), ("OU", name.organization_unit()), ("O", name.organization())];
    let parts = parts.into_iter().filter_map(|(kind, value)| Some(format!("{kind}={}", value.ok()??.value())));
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { "without a name".to_owned() } else { parts.join(",") }
}

/// What the files gave.
pub struct Credentials {
    /// The configuration for one connection or many.
    pub config: Arc<ClientConfig>,
    /// What is not as it should be, but no obstacle.
    pub warnings: Vec<String>,
    /// What is in the files, a line each, for people.
    pub summary: Vec<String>,
}

/// Reads the files and checks them: certificates that are no such, a key that does not belong to the certificate, times
/// that are over or yet to come.
///
/// # Errors
/// Everything that is wrong.
pub fn load(files: &Files, port: u16, now: SystemTime) -> Result<Credentials, Vec<Fault>> {
    let mut loading = Loading { now, faults: Vec::new(), warnings: Vec::new(), summary: Vec::new() };
    if now.duration_since(UNIX_EPOCH).unwrap_or_default() < CLOCK_FLOOR {
        loading.warnings.push(format!(
            "this machine's clock shows {}, which is wrong: certificates may seem not valid yet; set the clock",
            rfc3339(now)
        ));
    }
    let roots = match &files.ca {
        Some(file) => loading.roots(file),
        None => loading.system_roots(),
    };
    let chain = loading.chain(&files.certificate);
    let key = loading.key(&files.key);
    if let (Some((_, leaf)), Some(key)) = (&chain, &key)
        && public_key(key.as_ref()).is_some_and(|public_key| public_key != leaf.public_key)
    {
        loading.fault(Exit::Settings, &files.key, "this key does not belong to the certificate");
        let text = format!("it is `{}`; give the key that it was made with, or put it first in the file", leaf.subject);
        loading.fault(Exit::Settings, &files.certificate, &text);
    }
    let Loading { mut faults, warnings, summary, .. } = loading;
    if let (Some(roots), Some((chain, _)), Some(key), true) = (roots, chain, key, faults.is_empty()) {
        match config(roots, chain, key, port) {
            Ok(config) => return Ok(Credentials { config: Arc::new(config), warnings, summary }),
            Err(error) => faults.push(Fault { exit: Exit::Bug, text: format!("TLS: {error}") }),
        }
    }
    Err(faults)
}

fn config(
    roots: RootCertStore,
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn SigningKey>,
    port: u16,
) -> Result<ClientConfig, rustls::Error> {
    // rustls itself would not take a certificate of version 1 for the client; the server judges it, not we.
    let identity = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let mut config = builder
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(identity));
    if port == 443 {
        config.alpn_protocols = vec![ALPN_443.to_vec()];
    }
    Ok(config)
}

/// The public key that belongs to a private one, as it stands in a certificate.
fn public_key(key: &dyn SigningKey) -> Option<Vec<u8>> {
    let info = SubjectPublicKeyInfoOwned::from_der(key.public_key()?.as_ref()).ok()?;
    Some(info.subject_public_key.raw_bytes().to_vec())
}

/// Reads the files, and keeps account of what is wrong with them.
struct Loading {
    now: SystemTime,
    faults: Vec<Fault>,
    warnings: Vec<String>,
    summary: Vec<String>,
}

impl Loading {
    fn fault(&mut self, exit: Exit, file: &Path, reason: &str) {
        self.faults.push(Fault { exit, text: format!("{}: {reason}", file.display()) });
    }

    fn read(&mut self, file: &Path) -> Option<Vec<u8>> {
        files::read(file).map_err(|reason| self.fault(Exit::NoInput, file, &reason)).ok()
    }

    /// The certificates in a PEM file, at least one.
    fn certificates(&mut self, file: &Path) -> Option<Vec<CertificateDer<'static>>> {
        let text = self.read(file)?;
        match CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>() {
            Ok(certificates) if certificates.is_empty() => {
                self.fault(Exit::Settings, file, "no certificate in it; PEM is wanted, with a line BEGIN CERTIFICATE");
                None
            }
            Ok(certificates) => Some(certificates),
            Err(error) => {
                self.fault(Exit::Settings, file, &broken_pem(&error));
                None
            }
        }
    }

    /// The certificates to trust: those of the file that are valid now.
    fn roots(&mut self, file: &Path) -> Option<RootCertStore> {
        let mut roots = RootCertStore::empty();
        let mut reasons = Vec::new();
        let mut trusted = Vec::new();
        for certificate in self.certificates(file)? {
            let parsed = Certificate::parse(&certificate);
            let not_valid = parsed.as_ref().and_then(|parsed| parsed.not_valid(self.now));
            let subject = parsed.map_or_else(|| "a certificate".to_owned(), |parsed| format!("`{}`", parsed.subject));
            if let Some(reason) = not_valid {
                reasons.push(format!("{subject} is {reason}"));
            } else if let Err(error) = roots.add(certificate) {
                reasons.push(format!("{subject} cannot be trusted: {error}"));
            } else {
                trusted.push(subject);
            }
        }
        self.summary.push(match trusted.as_slice() {
            [one] => format!("{}: trusting {one}", file.display()),
            many => format!("{}: trusting {} certificates", file.display(), many.len()),
        });
        let reasons: Vec<String> = reasons.into_iter().map(|reason| format!("{}: {reason}", file.display())).collect();
        if roots.is_empty() {
            self.faults.extend(reasons.into_iter().map(|text| Fault { exit: Exit::Settings, text }));
            return None;
        }
        self.warnings.extend(reasons);
        Some(roots)
    }

    fn system_roots(&mut self) -> Option<RootCertStore> {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let reasons: Vec<String> = found.errors.iter().map(|error| format!("; {error}")).collect();
            let text = format!(
                "this system has no certificates to trust{}; install ca-certificates, or give --ca-file",
                reasons.concat()
            );
            self.faults.push(Fault { exit: Exit::Settings, text });
            return None;
        }
        self.summary.push(format!("trusting {added} certificates of the system"));
        Some(roots)
    }

    /// The client's certificate with what stands behind it, and the first of them read.
    fn chain(&mut self, file: &Path) -> Option<(Vec<CertificateDer<'static>>, Certificate)> {
        let chain = self.certificates(file)?;
        let Some(leaf) = chain.first().and_then(|der| Certificate::parse(der)) else {
            self.fault(Exit::Settings, file, "the certificate in it is not understood (X.509)");
            return None;
        };
        if let Some(reason) = leaf.not_valid(self.now) {
            self.fault(Exit::Settings, file, &format!("the certificate is {reason}"));
        } else {
            let left = leaf.not_after.duration_since(self.now).unwrap_or_default();
            let until = rfc3339(leaf.not_after);
            let name = file.display();
            if left < ENDS_SOON {
                self.warnings.push(format!("{name}: the certificate expires soon, at {until}"));
            }
            self.summary.push(format!("{name}: certificate `{}`, valid until {until}", leaf.subject));
        }
        Some((chain, leaf))
    }

    fn key(&mut self, file: &Path) -> Option<Arc<dyn SigningKey>> {
        let text = self.read(file)?;
        if let Some(mode) = files::readable_by_all(file) {
            let file = file.display();
            self.warnings.push(format!("{file}: any user can read this key (mode {mode:04o}); do chmod 600 {file}"));
        }
        let key = match PrivateKeyDer::from_pem_slice(&text) {
            Ok(key) => key,
            Err(error) => {
                let reason = why_no_key(&text, &error);
                self.fault(Exit::Settings, file, &reason);
                return None;
            }
        };
        let key = ring::sign::any_supported_type(&key).ok();
        if key.is_none() {
            let reason = "the key cannot be used; RSA of 2048 to 8192 bits, and EC on P-256 or P-384, can";
            self.fault(Exit::Settings, file, reason);
        }
        key
    }
}

const ENCRYPTED: &str = "the key is encrypted, and there is nobody to ask for its password; decrypt it with \
                         openssl pkey, into a file that only this user can read";

fn why_no_key(text: &[u8], error: &pem::Error) -> String {
    let has = |line: &[u8]| memchr::memmem::find(text, line).is_some();
    match error {
        _ if has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED") => ENCRYPTED.to_owned(),
        pem::Error::NoItemsFound if has(b"BEGIN CERTIFICATE") => "a certificate, and no private key in it".to_owned(),
        pem::Error::NoItemsFound => {
            "no private key in it; PEM is wanted, with a line BEGIN PRIVATE KEY (or RSA, EC)".to_owned()
        }
        error => broken_pem(error),
    }
}

fn broken_pem(error: &pem::Error) -> String {
    let reason = match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no end line; is the file cut off?",
        pem::Error::IllegalSectionStart { .. } => "a line that begins a section is malformed",
        pem::Error::Base64Decode(_) => "what is in a section is not base64",
        _ => "it cannot be read",
    };
    format!("broken PEM: {reason}")
}

/// The rustls error inside an I/O error.
#[must_use]
pub fn error_within(error: &std::io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Whether an alert says that our certificate is not accepted (RFC 8446, section 6.2).
#[must_use]
pub fn is_about_our_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
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
}

/// Why we refuse a server's certificate, and what to do.
#[must_use]
pub fn refusal(error: &CertificateError, ca: Option<&Path>, host: &str) -> (String, String) {
    let trusted = ca.map_or("the system's certificates".to_owned(), |file| format!("those in {}", file.display()));
    match error {
        CertificateError::UnknownIssuer => {
            let legacy = host.ends_with(".amazonaws.com") && !host.contains("-ats.");
            let hint = if legacy {
                "use the endpoint that describe-endpoint --endpoint-type iot:Data-ATS prints; this one is of the old kind"
            } else {
                "give the broker's CA with --ca-file (for AWS IoT, Amazon Root CA 1 and 3)"
            };
            (format!("it is issued by none of the certificates to trust, {trusted}"), hint.to_owned())
        }
        CertificateError::ExpiredContext { time, not_after } => (
            format!("it expired at {}, and this machine's clock shows {}", at(*not_after), at(*time)),
            "renew the broker's certificate, if the clock is right".to_owned(),
        ),
        CertificateError::NotValidYetContext { time, not_before } => (
            format!("it is not valid before {}, and this machine's clock shows {}", at(*not_before), at(*time)),
            "set this machine's clock, if that is wrong".to_owned(),
        ),
        CertificateError::NotValidForNameContext { presented, .. } => {
            // Each is written as `DnsName("broker.example.net")`.
            let names: Vec<&str> = presented.iter().filter_map(|name| name.split('"').nth(1)).collect();
            let names = if names.is_empty() { "no host name at all".to_owned() } else { shortened(&names.join(", ")) };
            let hint =
                "give --endpoint a name that the certificate has (subjectAltName; the common name does not count)";
            (format!("it is not for `{host}`, but for {names}"), hint.to_owned())
        }
        CertificateError::Other(error) if error.to_string().contains("UnsupportedCertVersion") => {
            ("it is of X.509 version 1".to_owned(), "issue it again as version 3 with subjectAltName".to_owned())
        }
        CertificateError::Other(error) if error.to_string().contains("CaUsedAsEndEntity") => (
            "it is that of a CA, as self-signed ones are by default".to_owned(),
            "give the broker a certificate that is none (basicConstraints CA:FALSE)".to_owned(),
        ),
        other => (other.to_string(), "look at the broker's certificate".to_owned()),
    }
}

fn at(time: UnixTime) -> String {
    rfc3339(UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs())).unwrap_or(UNIX_EPOCH))
}
