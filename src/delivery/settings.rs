//! The settings of a delivery: put together from what was given, each with where it came from, and checked before
//! anything is connected to. All that is missing or wrong is told at once.
//!
//! Limits are those of MQTT 3.1.1 (section 1.5.3 and 4.7) and of AWS IoT ("AWS IoT Core limits": 128 bytes for a client
//! id, 8 levels and 256 bytes for a topic, which a thing name of 128 bytes cannot exceed).

mod values;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use rustls::pki_types::ServerName;

use super::greengrass::{Core, Field};
use crate::exit::Exit;
use crate::report::Encoding;
use crate::thing::ThingName;
use values::{
    is_loopback, parse_client_id, parse_host, parse_path, parse_port, parse_thing_name, parse_timeout, without_secret,
};

/// The port of MQTT over TLS.
const TLS_PORT: u16 = 8883;

/// The port of MQTT without TLS.
const PLAIN_PORT: u16 = 1883;

/// How long a delivery may take unless it is said otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

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
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(flag) => write!(f, "environment variable {}", variable(flag)),
            Self::AwsVariable(name) => write!(f, "environment variable {name}"),
            Self::Greengrass(file, field) => write!(f, "{}: {field}", file.display()),
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
    /// The Greengrass configuration that was looked into for what is not given.
    pub core: CoreFile,
}

/// What became of looking into a Greengrass configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CoreFile {
    /// There is none.
    #[default]
    None,
    /// It was read.
    Read(PathBuf),
    /// It could not be read, which has been told. What is missing may be in it.
    Unread,
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
    /// The topic that reports in this encoding are published to.
    #[must_use]
    pub fn topic(&self, encoding: Encoding) -> String {
        let level = match encoding {
            Encoding::Json => "json",
            Encoding::Cbor => "cbor",
        };
        format!("$aws/things/{}/defender/metrics/{level}", self.thing_name)
    }
}

impl Inputs {
    /// Whether something is missing that a Greengrass core may have.
    #[must_use]
    pub fn lacks_something(&self) -> bool {
        let files = self.insecure_plaintext || (self.cert_file.is_some() && self.key_file.is_some());
        self.endpoint.is_none() || self.thing_name.is_none() || !files
    }

    /// Takes what is missing from a Greengrass core's configuration, and adds what is wrong with it to `faults`. The
    /// port goes with the endpoint. A core that connects through a proxy gives neither, as this program cannot connect
    /// that way.
    pub fn fill_from(&mut self, core: Core, faults: &mut Vec<Fault>) {
        let file = core.file;
        let mut take = |setting: &mut Option<Given>, field: Option<Field>| {
            let (None, Some(Field { name, value })) = (&setting, field) else { return };
            match value {
                Ok(text) => {
                    let origin = Origin::Greengrass(file.clone(), name);
                    *setting = Some(Given { text: text.into(), origin });
                }
                Err(kind) => {
                    let text = format!("{}: {name}: {kind}, where a text is wanted", file.display());
                    faults.push(Fault { exit: Exit::Settings, text });
                }
            }
        };
        let proxy = core.proxy.filter(|_| self.endpoint.is_none());
        if self.endpoint.is_none() {
            take(&mut self.endpoint, core.endpoint);
            take(&mut self.port, core.port);
        }
        take(&mut self.thing_name, core.thing_name);
        if !self.insecure_plaintext {
            take(&mut self.ca_file, core.ca);
            take(&mut self.cert_file, core.certificate);
            take(&mut self.key_file, core.key);
        }
        if let Some(field) = proxy {
            let text = format!(
                "{}: {field}: this core connects through a proxy, which this program cannot; to connect without it, give \
                 --endpoint",
                file.display()
            );
            faults.push(Fault { exit: Exit::Settings, text });
        }
        self.core = CoreFile::Read(file);
    }

    /// Checks all settings, and adds what is missing or wrong to `faults`. The files come out by themselves, as they can
    /// be looked at when something else is wrong; what is [`Settings`] is `None` when anything is.
    pub fn check(&self, faults: &mut Vec<Fault>) -> (Option<Settings>, Option<Files>) {
        let mut check = Check { faults, summary: Vec::new(), core: &self.core };
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
        if let Err(reason) = parse_client_id(OsStr::new(&client_id)) {
            let text =
                format!("client id `{client_id}` (default): {reason}; give --client-id, one that the policy allows");
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
    core: &'f CoreFile,
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
            let variable = variable(flag);
            let text = match self.core {
                CoreFile::Unread => return None,
                CoreFile::Read(file) => {
                    format!(
                        "no {name}: {} has none; give {flag} or the environment variable {variable}",
                        file.display()
                    )
                }
                CoreFile::None => {
                    format!("no {name}: give {flag}, the environment variable {variable}, or --greengrass-root")
                }
            };
            self.faults.push(Fault { exit: Exit::Settings, text });
            return None;
        };
        let text = without_secret(&given.text.to_string_lossy());
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
