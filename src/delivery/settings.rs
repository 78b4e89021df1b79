//! The settings of a delivery: put together from what was given, each with where it came from, and checked before
//! anything is connected to. All that is missing or wrong is told at once.
//!
//! Limits are those of MQTT 3.1.1 (section 1.5.3 and 4.7) and of AWS IoT ("AWS IoT Core limits": 128 bytes for a client
//! id, 8 levels and 256 bytes for a topic, which a thing name of 128 bytes cannot exceed).

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use rustls::pki_types::ServerName;

use super::Encoding;
use super::greengrass::{Core, Field};
use crate::exit::Exit;
use crate::thing::ThingName;

/// The port of MQTT over TLS.
const TLS_PORT: u16 = 8883;

/// The port of MQTT without TLS.
const PLAIN_PORT: u16 = 1883;

/// The most bytes of a client id that AWS IoT takes.
const CLIENT_ID_LENGTH: usize = 128;

/// How long a delivery may take unless it is said otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest it may be said to take: well inside the keep alive of 20 minutes that the session asks for.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(600);

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line: the flag.
    Flag(&'static str),
    /// The environment: the variable of this flag.
    Variable(&'static str),
    /// The environment: this variable, which is AWS's.
    AwsVariable(&'static str),
    /// A Greengrass core's configuration: file and field.
    Greengrass(PathBuf, &'static str),
    /// Nowhere: it is what holds when nothing is given.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(flag) => write!(f, "environment variable {}", variable(flag)),
            Self::AwsVariable(name) => write!(f, "environment variable {name}"),
            Self::Greengrass(file, field) => write!(f, "{}: {field}", file.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The environment variable of a flag.
fn variable(flag: &str) -> String {
    format!("DEVICE_DEFENDER_{}", flag.trim_start_matches('-').replace('-', "_").to_ascii_uppercase())
}

impl Origin {
    /// The exit code of a wrong value that came from here.
    fn exit(&self) -> Exit {
        match self {
            Self::Flag(_) => Exit::Usage,
            _ => Exit::Settings,
        }
    }
}

/// A setting as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The text.
    pub text: OsString,
    /// Where it came from.
    pub origin: Origin,
}

/// One thing that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The exit code it means.
    pub exit: Exit,
    /// What is wrong, and what to do.
    pub text: String,
}

/// All settings as they were given, before they are checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// The broker's host name.
    pub endpoint: Option<Given>,
    /// Its port.
    pub port: Option<Given>,
    /// The thing name.
    pub thing_name: Option<Given>,
    /// The MQTT client id.
    pub client_id: Option<Given>,
    /// The certificates to trust.
    pub ca_file: Option<Given>,
    /// The client's certificate.
    pub cert_file: Option<Given>,
    /// The client's private key.
    pub key_file: Option<Given>,
    /// How long a delivery may take.
    pub timeout: Option<Given>,
    /// Whether TLS is left out.
    pub insecure_plaintext: bool,
}

/// Where reports go, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The broker.
    pub endpoint: Endpoint,
    /// The thing the reports are about.
    pub thing_name: ThingName,
    /// The MQTT client id, 1 to 128 bytes.
    pub client_id: String,
    /// The files of TLS; `None` without TLS.
    pub files: Option<Files>,
    /// How long a delivery may take, at least a millisecond and at most 10 minutes.
    pub timeout: Duration,
    /// Every setting with its value and where it came from, a line each, for people.
    pub summary: Vec<String>,
}

/// The broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name or address, which its certificate must be valid for.
    pub host: ServerName<'static>,
    /// Its port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            ServerName::IpAddress(ip) => match IpAddr::from(*ip) {
                IpAddr::V6(v6) => write!(f, "[{v6}]:{}", self.port),
                IpAddr::V4(v4) => write!(f, "{v4}:{}", self.port),
            },
            name => write!(f, "{}:{}", name.to_str(), self.port),
        }
    }
}

/// The files of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificates to trust; `None` for the system's.
    pub ca: Option<PathBuf>,
    /// The client's certificate.
    pub certificate: PathBuf,
    /// The client's private key.
    pub key: PathBuf,
}

impl Settings {
    /// The topic that reports are published to.
    #[must_use]
    pub fn topic(&self, encoding: Encoding) -> String {
        format!("$aws/things/{}/defender/metrics/{}", self.thing_name, encoding.level())
    }
}

impl Inputs {
    /// Whether something is missing that a Greengrass core may have.
    #[must_use]
    pub fn lacks_something(&self) -> bool {
        let files = self.insecure_plaintext || (self.cert_file.is_some() && self.key_file.is_some());
        self.endpoint.is_none() || self.thing_name.is_none() || !files
    }

    /// Takes what is missing from a Greengrass core's configuration. A core that connects through a proxy gives no
    /// endpoint, as this program cannot connect that way.
    ///
    /// # Errors
    /// That there is a proxy.
    pub fn fill_from(&mut self, core: Core) -> Result<(), Fault> {
        let file = core.file;
        let take = |setting: &mut Option<Given>, field: Option<Field>| {
            if let (None, Some(Field { name, value })) = (&setting, field) {
                *setting = Some(Given { text: value.into(), origin: Origin::Greengrass(file.clone(), name) });
            }
        };
        let proxy = core.proxy.filter(|_| self.endpoint.is_none());
        take(&mut self.endpoint, core.endpoint);
        take(&mut self.port, core.port);
        take(&mut self.thing_name, core.thing_name);
        take(&mut self.ca_file, core.ca);
        take(&mut self.cert_file, core.certificate);
        take(&mut self.key_file, core.key);
        match proxy {
            None => Ok(()),
            Some(field) => Err(Fault {
                exit: Exit::Settings,
                text: format!(
                    "{}: {field}: this core connects through a proxy, which this program cannot; to connect without \
                     it, give --endpoint",
                    file.display()
                ),
            }),
        }
    }

    /// Checks all settings, and adds what is missing or wrong to `faults`. The files come out by themselves, as they can
    /// be looked at when something else is wrong; what is [`Settings`] is `None` when anything is.
    pub fn check(&self, faults: &mut Vec<Fault>) -> (Option<Settings>, Option<Files>) {
        let mut check = Check { faults, summary: Vec::new() };
        let host = check.required("endpoint", "--endpoint", self.endpoint.as_ref(), parse_host);
        let default_port = if self.insecure_plaintext { PLAIN_PORT } else { TLS_PORT };
        let port = check.optional("port", self.port.as_ref(), parse_port, default_port);
        let thing_name = check.required("thing name", "--thing-name", self.thing_name.as_ref(), parse_thing_name);
        let client_id = self.check_client_id(thing_name.as_ref(), &mut check);
        let timeout = check.optional("timeout", self.timeout.as_ref(), parse_timeout, TIMEOUT);
        let files = if self.insecure_plaintext { None } else { self.check_files(&mut check) };
        if let Some(host) = host.as_ref().filter(|host| self.insecure_plaintext && !is_loopback(host)) {
            let text = format!(
                "--insecure-plaintext is for a loopback address, and {} is none; leave it out to use TLS",
                host.to_str()
            );
            check.faults.push(Fault { exit: Exit::Usage, text });
        }
        let summary = check.summary;
        let has_files = self.insecure_plaintext || files.is_some();
        let settings = match (host, port, thing_name, client_id, timeout) {
            (Some(host), Some(port), Some(thing_name), Some(client_id), Some(timeout))
                if has_files && faults.is_empty() =>
            {
                let endpoint = Endpoint { host, port };
                Some(Settings { endpoint, thing_name, client_id, files: files.clone(), timeout, summary })
            }
            _ => None,
        };
        (settings, files)
    }

    fn check_files(&self, check: &mut Check<'_>) -> Option<Files> {
        let ca = match &self.ca_file {
            None => {
                check.summary.push("certificates to trust: the system's (default)".to_owned());
                Some(None)
            }
            given => check.required("certificates to trust", "--ca-file", given.as_ref(), parse_path).map(Some),
        };
        let certificate = check.required("certificate", "--cert-file", self.cert_file.as_ref(), parse_path);
        let key = check.required("private key", "--key-file", self.key_file.as_ref(), parse_path);
        Some(Files { ca: ca?, certificate: certificate?, key: key? })
    }

    /// The client id: the one given, else one made of the thing name.
    fn check_client_id(&self, thing_name: Option<&ThingName>, check: &mut Check<'_>) -> Option<String> {
        if self.client_id.is_some() {
            return check.required("client id", "--client-id", self.client_id.as_ref(), parse_client_id);
        }
        let client_id = format!("{}-device-defender", thing_name?);
        if client_id.len() > CLIENT_ID_LENGTH {
            let text = format!(
                "the thing name is so long that the default client id, THING-device-defender, takes more than \
                 {CLIENT_ID_LENGTH} bytes; give --client-id, one that the policy allows"
            );
            check.faults.push(Fault { exit: Exit::Settings, text });
            return None;
        }
        check.summary.push(format!("client id: {client_id} (default)"));
        Some(client_id)
    }
}

/// Goes through the settings, and keeps account.
struct Check<'f> {
    faults: &'f mut Vec<Fault>,
    summary: Vec<String>,
}

impl Check<'_> {
    /// A setting that there must be.
    fn required<T>(
        &mut self,
        name: &str,
        flag: &str,
        given: Option<&Given>,
        parse: fn(&OsStr) -> Result<T, String>,
    ) -> Option<T> {
        let Some(given) = given else {
            let text =
                format!("no {name}: give {flag}, the environment variable {}, or --greengrass-root", variable(flag));
            self.faults.push(Fault { exit: Exit::Settings, text });
            return None;
        };
        let text = given.text.display();
        match parse(&given.text) {
            Ok(value) => {
                self.summary.push(format!("{name}: {text} ({})", given.origin));
                Some(value)
            }
            Err(reason) => {
                let text = format!("{name} `{text}` ({}): {reason}", given.origin);
                self.faults.push(Fault { exit: given.origin.exit(), text });
                None
            }
        }
    }

    /// A setting that has a default.
    fn optional<T: Copy + Described>(
        &mut self,
        name: &str,
        given: Option<&Given>,
        parse: fn(&OsStr) -> Result<T, String>,
        default: T,
    ) -> Option<T> {
        if given.is_some() {
            return self.required(name, "", given, parse);
        }
        self.summary.push(format!("{name}: {} (default)", default.described()));
        Some(default)
    }
}

/// A default, in words.
trait Described {
    fn described(self) -> String;
}

impl Described for u16 {
    fn described(self) -> String {
        self.to_string()
    }
}

impl Described for Duration {
    fn described(self) -> String {
        humantime::format_duration(self).to_string()
    }
}

/// The text of a setting that is no path.
fn text(given: &OsStr) -> Result<&str, String> {
    given.to_str().ok_or_else(|| "not UTF-8".to_owned())
}

fn parse_host(given: &OsStr) -> Result<ServerName<'static>, String> {
    let text = text(given)?;
    if text.contains("://") {
        return Err("give the host name alone, without a scheme such as mqtts://".to_owned());
    }
    let unbracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match ServerName::try_from(unbracketed.unwrap_or(text).to_owned()) {
        Ok(name @ ServerName::IpAddress(_)) => Ok(name),
        Ok(name) if unbracketed.is_none() => Ok(name),
        _ if text.split_once(':').is_some_and(|(host, port)| is_name(host) && port.parse::<u16>().is_ok()) => {
            Err("give the host name alone, and the port with --port".to_owned())
        }
        _ if text.contains('/') => Err("give the host name alone, without a path".to_owned()),
        _ => Err("neither a host name nor an IP address".to_owned()),
    }
}

fn is_name(text: &str) -> bool {
    ServerName::try_from(text).is_ok()
}

/// Whether a host is this machine by its very name.
fn is_loopback(host: &ServerName<'_>) -> bool {
    match host {
        ServerName::IpAddress(ip) => IpAddr::from(*ip).to_canonical().is_loopback(),
        name => name.to_str().eq_ignore_ascii_case("localhost"),
    }
}

fn parse_port(given: &OsStr) -> Result<u16, String> {
    match text(given)?.parse() {
        Ok(port) if port > 0 && !text(given)?.starts_with('+') => Ok(port),
        _ => Err("a port is a number from 1 to 65535".to_owned()),
    }
}

fn parse_thing_name(given: &OsStr) -> Result<ThingName, String> {
    text(given)?.parse().map_err(|error: crate::thing::NotAThingName| error.to_string())
}

fn parse_client_id(given: &OsStr) -> Result<String, String> {
    let text = text(given)?;
    if text.is_empty() || text.len() > CLIENT_ID_LENGTH {
        let length = text.len();
        return Err(format!(
            "it takes {length} bytes, and a client id takes 1 to {CLIENT_ID_LENGTH}; give a shorter one"
        ));
    }
    if text.chars().any(|c| c.is_control() || matches!(c, '/' | '+' | '#')) {
        return Err("a client id is without control characters, `/`, `+` and `#`".to_owned());
    }
    if text.starts_with('$') {
        return Err("client ids that begin with `$` are kept for the broker".to_owned());
    }
    Ok(text.to_owned())
}

fn parse_timeout(given: &OsStr) -> Result<Duration, String> {
    match humantime::parse_duration(text(given)?) {
        Ok(timeout) if timeout < Duration::from_millis(1) => Err("a timeout is longer than 0".to_owned()),
        Ok(timeout) if timeout > LONGEST_TIMEOUT => Err("a timeout is at most 10m (m is minutes, M months)".to_owned()),
        Ok(timeout) => Ok(timeout),
        Err(error) => Err(format!("no duration such as 30s or 2m: {error}")),
    }
}

/// A path: as it stands, or as the `file:` URI of a Greengrass configuration (RFC 8089).
fn parse_path(given: &OsStr) -> Result<PathBuf, String> {
    let Some(text) = given.to_str() else { return Ok(PathBuf::from(given)) };
    if text.is_empty() {
        return Err("a path is not empty".to_owned());
    }
    if text.starts_with("pkcs11:") {
        return Err("a key or certificate in hardware (PKCS #11, RFC 7512) cannot be used; give files, as of a \
                    certificate made for this program"
            .to_owned());
    }
    let Some(rest) = text.strip_prefix("file:") else { return Ok(PathBuf::from(text)) };
    let path =
        rest.strip_prefix("//localhost/").or_else(|| rest.strip_prefix("///")).or_else(|| rest.strip_prefix('/'));
    match path.map(|path| percent_decode_str(path).decode_utf8()) {
        Some(Ok(path)) => Ok(Path::new("/").join(path.trim_start_matches('/'))),
        _ => Err("a file URI has an absolute path, as in file:///greengrass/certs/core.pem".to_owned()),
    }
}
