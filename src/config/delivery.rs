//! The settings of a delivery.

use std::ffi::OsStr;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use humantime::format_duration;

use super::cores::{Core, Field};
use super::{SettingError, aws_thing_name, checked, given_thing_name, greengrass, variable};
use crate::cli::{DeliveryArgs, MqttVersion, Via};
use crate::delivery::mqtt::settings::{AwsEndpoint, CredentialFiles, Endpoint, Settings as MqttSettings, aws_endpoint};
use crate::delivery::mqtt::values::{ClientId, Host, Port, parse_path};
use crate::delivery::mqtt::version::{Version, Versions};
use crate::delivery::transport::{CredentialError, CredentialFile, Loaded};
use crate::delivery::{Settings, TransportSettings, mqtt};
use crate::exit::Exit;
use crate::sourced::{Origin, Sourced, environment_variable, from_path, from_str};
use crate::thing::ThingName;
use crate::warning::{Warning, WarningKind};

/// The port of MQTT over TLS, and without.
const TLS_PORT: Port = Port(8883);
const PLAINTEXT_PORT: Port = Port(1883);

/// The variable in which systemd passes the directory of a service's credentials (`systemd.exec(5)`, from version 247).
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// The longest that a delivery takes by default.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Where reports go, as far as it could be put together.
#[derive(Debug)]
pub(crate) struct DeliveryConfig {
    /// `None` with at least one error.
    pub(crate) settings: Option<Settings>,
    /// Without settings: the credential files, which can be checked all the same.
    pub(super) files: Option<CredentialFiles>,
    /// Every setting with its value and origin, a line each, for people.
    pub(crate) summary: Vec<String>,
    /// The steps on the way, for people.
    pub(crate) notes: Vec<String>,
    pub(crate) warnings: Vec<Warning>,
}

impl DeliveryConfig {
    /// Reads and checks the credentials as they are now, also if other settings are missing; then there is no transport.
    pub(crate) fn load(&self, now: SystemTime) -> Result<Option<Loaded>, Vec<CredentialError>> {
        match (&self.settings, &self.files) {
            (Some(settings), _) => settings.transport.load(now).map(Some),
            (None, Some(files)) => mqtt::check(files, now).map(|()| None),
            (None, None) => Ok(None),
        }
    }
}

/// The most that a delivery may take, before the other settings are known.
pub(crate) fn timeout(args: &DeliveryArgs) -> Duration {
    args.timeout.clone().and_then(|given| given.value.ok()).unwrap_or(DEFAULT_TIMEOUT)
}

/// Puts the settings of a delivery together. What is missing or wrong is added to `errors`.
pub(crate) fn resolve(args: &DeliveryArgs, errors: &mut Vec<SettingError>) -> DeliveryConfig {
    let thing_name = given_thing_name(args.thing_name.as_ref()).or_else(aws_thing_name);
    let given = DeliveryArgs { thing_name, ..args.clone() };
    let mut layers = Layers { given, core: CoreFile::None, errors, summary: Vec::new(), notes: Vec::new() };
    layers.check_given("format", args.format.clone());
    layers.check_given("no wait", args.no_wait.clone());
    layers.check_given("insecure plaintext", args.insecure_plaintext.clone());
    match layers.choose() {
        Some(Via::Greengrass) => layers.finish_greengrass(),
        Some(Via::Mqtt) | None => {
            layers.add_credentials();
            let root = args.greengrass_root.as_ref().map(super::path);
            layers.add_core(root);
            layers.finish()
        }
    }
}

/// What is known of the Greengrass core's configuration.
pub(super) enum CoreFile {
    None,
    /// Delivery through the nucleus takes nothing from it.
    Unused,
    Read(PathBuf),
    /// It could not be read, which is an error already. What is missing may be in it.
    Unreadable,
}

/// The settings as given so far, the higher layers first.
pub(super) struct Layers<'e> {
    pub(super) given: DeliveryArgs,
    pub(super) core: CoreFile,
    pub(super) errors: &'e mut Vec<SettingError>,
    pub(super) summary: Vec<String>,
    pub(super) notes: Vec<String>,
}

impl Layers<'_> {
    /// Whether a setting is missing that a Greengrass core may have.
    fn is_incomplete(&self) -> bool {
        let DeliveryArgs { endpoint, thing_name, cert_file, key_file, insecure_plaintext, .. } = &self.given;
        let has_files = insecure_plaintext.is_set() || (cert_file.is_some() && key_file.is_some());
        endpoint.is_none() || thing_name.is_none() || !has_files
    }

    /// Adds the credentials that a service manager passes to this run. They win over the config file: it can name files that
    /// root reads and the service cannot, so that both use the same settings.
    fn add_credentials(&mut self) {
        let given = &mut self.given;
        let Some(directory) = variable(CREDENTIALS_DIRECTORY).filter(|_| !given.insecure_plaintext.is_set()) else {
            return;
        };
        let files =
            [(&mut given.ca_file, "ca.pem"), (&mut given.cert_file, "cert.pem"), (&mut given.key_file, "key.pem")];
        for (setting, name) in files {
            let file = Path::new(&directory).join(name);
            if !setting.as_ref().is_some_and(Sourced::is_explicit) && file.exists() {
                let origin = Origin::Environment(CREDENTIALS_DIRECTORY.to_owned());
                *setting = Some(Sourced::parse(file.as_os_str(), origin, from_path));
            }
        }
    }

    /// Adds the Greengrass core below the root that was given, or, when something is missing, below the first of the usual
    /// roots that has one.
    fn add_core(&mut self, root: Option<&Path>) {
        if root.is_none() && !self.is_incomplete() {
            return;
        }
        match greengrass::find(root, &mut self.notes) {
            Ok(None) => {}
            Ok(Some(core)) => self.fill_from(core),
            Err(error) => {
                self.errors.push(SettingError::of_core(&error, "give all settings in another way"));
                self.core = CoreFile::Unreadable;
            }
        }
    }

    /// Takes what is missing from a core's configuration. The port belongs to the endpoint. A core that connects through a
    /// proxy provides no connection, because this program cannot connect through one.
    fn fill_from(&mut self, core: Core) {
        self.notes.push(format!("missing settings come from {}", core.file.display()));
        let (file, given) = (core.file, &mut self.given);
        if let (None, Some(field)) = (&given.endpoint, core.proxy) {
            let message = format!(
                "{}: {field}: this core connects through a proxy, which this program cannot use; to connect directly, give \
                 --endpoint",
                file.display()
            );
            self.errors.push(SettingError::new(Exit::Settings, field, message));
        }
        if given.endpoint.is_none() {
            fill(&mut given.endpoint, core.endpoint, from_str);
            fill(&mut given.port, core.port, from_str);
        }
        fill(&mut given.thing_name, core.thing_name, from_str);
        if !given.insecure_plaintext.is_set() {
            fill(&mut given.ca_file, core.ca, parse_path);
            fill(&mut given.cert_file, core.certificate, parse_path);
            fill(&mut given.key_file, core.key, parse_path);
        }
        self.core = CoreFile::Read(file);
    }

    fn finish(mut self) -> DeliveryConfig {
        let DeliveryArgs { endpoint, port, thing_name, client_id, insecure_plaintext, .. } = self.given.clone();
        let is_plaintext = insecure_plaintext.is_set();
        let host = self.required("endpoint", "--endpoint", endpoint);
        let default_port = if is_plaintext { PLAINTEXT_PORT } else { TLS_PORT };
        let port = self.optional("port", port, default_port, default_port.0);
        let thing_name = self.required("thing name", "--thing-name", thing_name);
        let client_id = self.client_id(client_id, thing_name.as_ref());
        let versions = self.versions();
        let timeout = self.timeout();
        let files = if is_plaintext { Some(None) } else { self.files().map(Some) };
        if let Some(host) = host.as_ref().filter(|host| is_plaintext && !host.is_loopback()) {
            let origin = &insecure_plaintext.origin;
            let message = format!(
                "{origin} requires a loopback address, which {} is not; leave it out to use TLS",
                host.0.to_str()
            );
            self.errors.push(SettingError::of_origin(origin, "--insecure-plaintext", message));
        }
        let complete = || {
            let endpoint = Endpoint { host: host.clone()?.0, port: port?.0 };
            let (client_id, credentials) = (client_id?.0, files.clone()?);
            let mqtt = Box::new(MqttSettings { endpoint, client_id, versions: versions?, credentials });
            Some(Settings { thing_name: thing_name?, timeout: timeout?, transport: TransportSettings::Mqtt(mqtt) })
        };
        let settings = if self.errors.is_empty() { complete() } else { None };
        let files = if settings.is_none() { files.flatten() } else { None };
        let warnings = host.and_then(|host| endpoint_warning(&host)).into_iter().collect();
        DeliveryConfig { settings, files, summary: self.summary, notes: self.notes, warnings }
    }

    fn versions(&mut self) -> Option<Versions> {
        let given = self.given.mqtt_version.clone();
        let only = match self.optional("MQTT version", given, MqttVersion::Auto, "auto")? {
            MqttVersion::Auto => None,
            MqttVersion::V5 => Some(Version::V5),
            MqttVersion::V311 => Some(Version::V311),
        };
        Some(Versions::new(only))
    }

    pub(super) fn timeout(&mut self) -> Option<Duration> {
        let given = self.given.timeout.clone();
        self.optional("timeout", given, DEFAULT_TIMEOUT, format_duration(DEFAULT_TIMEOUT))
    }

    fn files(&mut self) -> Option<CredentialFiles> {
        let DeliveryArgs { ca_file, cert_file, key_file, .. } = self.given.clone();
        let ca = match ca_file {
            Some(given) => self.check("certificates to trust", credential_file(given)).map(Some),
            None => self.optional("certificates to trust", None, None, "the system's"),
        };
        let certificate = self.required("certificate", "--cert-file", cert_file.map(credential_file));
        let key = self.required("private key", "--key-file", key_file.map(credential_file));
        Some(CredentialFiles { ca: ca?, certificate: certificate?, key: key? })
    }

    /// The client ID: the one given, else one made of the thing name.
    fn client_id(&mut self, given: Option<Sourced<ClientId>>, thing_name: Option<&ThingName>) -> Option<ClientId> {
        if let Some(given) = given {
            return self.check("client ID", given);
        }
        let text = format!("{}-device-defender", thing_name?);
        match text.parse() {
            Ok(client_id) => self.optional("client ID", given, client_id, text),
            Err(reason) => {
                let reason = format!("{reason}; give --client-id, one that the policy allows");
                self.errors.push(SettingError::value("client ID", &Origin::Default, &text, &reason));
                None
            }
        }
    }

    /// A setting without a default.
    pub(super) fn required<T>(&mut self, name: &str, flag: &str, given: Option<Sourced<T>>) -> Option<T> {
        if let Some(given) = given {
            return self.check(name, given);
        }
        let (variable, key) = (environment_variable(flag), flag.trim_start_matches('-'));
        if self.errors.iter().any(|error| error.is_about(key)) {
            return None; // given in the config file, with a value of another kind
        }
        let ways = format!("give {flag}, the environment variable {variable}");
        let message = match &self.core {
            CoreFile::Unreadable => return None,
            CoreFile::Read(file) => format!("{} has none; {ways}, or {key} in the config file", file.display()),
            CoreFile::Unused => format!("{ways}, or {key} in the config file"),
            CoreFile::None => format!("{ways}, {key} in the config file, or --greengrass-root"),
        };
        let error = SettingError::new(Exit::Settings, name, format!("no {name}: {message}"));
        self.errors.push(error.with_hint("device-defender generate config prints a config file to fill in"));
        None
    }

    /// A setting with a default.
    fn optional<T>(&mut self, name: &str, given: Option<Sourced<T>>, default: T, shown: impl Display) -> Option<T> {
        if let Some(given) = given {
            return self.check(name, given);
        }
        self.summary.push(format!("{name}: {shown} (default)"));
        Some(default)
    }

    /// Checks a setting whose default goes without saying.
    fn check_given<T>(&mut self, name: &str, given: Sourced<T>) {
        if given.origin != Origin::Default {
            self.check(name, given);
        }
    }

    pub(super) fn check<T>(&mut self, name: &str, given: Sourced<T>) -> Option<T> {
        let line = format!("{name}: {} ({})", given.shown(), given.origin);
        let value = checked(name, given, self.errors)?;
        self.summary.push(line);
        Some(value)
    }
}

/// The warning about an endpoint of AWS IoT that takes no reports, or not for long.
fn endpoint_warning(host: &Host) -> Option<Warning> {
    let host = host.0.to_str();
    let what = match aws_endpoint(&host)? {
        AwsEndpoint::Data => return None,
        AwsEndpoint::Legacy => "is a legacy endpoint of AWS IoT, whose certificate many systems do not trust",
        AwsEndpoint::Credentials => "is the credentials provider of AWS IoT, which takes no reports",
    };
    let text = format!("{host} {what}; give the one that describe-endpoint --endpoint-type iot:Data-ATS prints");
    Some(Warning { kind: WarningKind::Endpoint, subject: host.into_owned(), text })
}

/// A path with the setting that it came from.
fn credential_file(given: Sourced<PathBuf>) -> Sourced<CredentialFile> {
    let setting = given.origin.to_string();
    given.map(|path| CredentialFile { path, setting })
}

/// Takes a setting from a field of a core's configuration, unless a higher layer has it.
fn fill<T>(setting: &mut Option<Sourced<T>>, field: Option<Field>, parse: fn(&OsStr) -> Result<T, String>) {
    if setting.is_none() {
        *setting = field.map(|field| field.parse(parse));
    }
}
