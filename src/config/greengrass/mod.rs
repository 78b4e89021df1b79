//! The lowest layer: a Greengrass core's configuration, so that a core device needs no other settings.
//!
//! - Version 2: `config/effectiveConfig.yaml` (AWS IoT Greengrass developer guide, version 2, "Configure the AWS IoT
//!   Greengrass Core software" and "Install with manual resource provisioning"). Until the nucleus restarts, what fleet
//!   provisioning has set is only in [`tlog`].
//! - Nucleus lite: `config.yaml` and `config.d/*.yaml`, usually in `/etc/greengrass` (its manual, "Setup").
//! - Version 1: `config/config.json` (version 1, "Configure the AWS IoT Greengrass core"): certificates below `crypto`, or
//!   before 1.7 as names below `certs`.
//!
//! Values are returned as written, each with its file and the name of its field; [`super::delivery`] checks those that are
//! needed. What other components have in their configuration does not matter.

mod tlog;

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::cores::{Core, CoreError, Field};
use crate::document;
use crate::files;
use crate::sniff;

/// The most bytes of a configuration that are read.
const MAX_FILE: u64 = 8 << 20;

/// Where a core is installed, or nucleus lite configured, by default.
const USUAL_ROOTS: [&str; 3] = ["/greengrass/v2", "/greengrass", LITE_CONFIGURATION];

/// Where nucleus lite has its configuration by default, and its files.
const LITE_CONFIGURATION: &str = "/etc/greengrass";
const LITE_ROOT: &str = "/var/lib/greengrass";

/// Reads the core below `root`, or below the first of the usual roots that has one. Why the others have none is added to
/// `notes`.
pub(crate) fn find(root: Option<&Path>, notes: &mut Vec<String>) -> Result<Option<Core>, CoreError> {
    if let Some(root) = root {
        // Nucleus lite keeps its configuration apart from its files.
        let root = if root == Path::new(LITE_ROOT) { Path::new(LITE_CONFIGURATION) } else { root };
        return read(root).map(Some);
    }
    for root in USUAL_ROOTS {
        match read(Path::new(root)) {
            Err(error @ CoreError::None(_)) => notes.push(error.to_string()),
            read => return read.map(Some),
        }
    }
    Ok(None)
}

/// Reads the configuration below `root`: that of version 2 if there is one, else that of version 1 or nucleus lite.
///
/// # Errors
/// [`CoreError`] with the file.
pub fn read(root: &Path) -> Result<Core, CoreError> {
    let [effective, log, v1, lite] =
        ["config/effectiveConfig.yaml", "config/config.tlog", "config/config.json", "config.yaml"]
            .map(|file| Some(root.join(file)).filter(|file| may_be_there(file)));
    match (effective, log, v1, lite) {
        (None, Some(log), ..) => read_log(log),
        (Some(effective), log, ..) => {
            let core = read_yaml(effective, &NUCLEUS)?;
            match log {
                Some(log) if core.is_incomplete() => Ok(core.or(read_log(log)?)),
                _ => Ok(core),
            }
        }
        (None, None, Some(v1), _) => {
            let config = document::parse(&read_file(&v1)?).map_err(|error| broken(&v1, error.to_string()))?;
            match config {
                Value::Object(_) => Ok(of_v1(&v1, &config, root)),
                other => Err(broken(&v1, format!("expected an object, found {}", kind(&other)))),
            }
        }
        (None, None, None, Some(lite)) => {
            let mut files = yaml_files(&root.join("config.d"))?;
            files.insert(0, lite);
            // A later file wins.
            let cores = files.into_iter().rev().map(|file| read_yaml(file, &NUCLEUS_LITE));
            let found = cores.reduce(|later, earlier| Ok(later?.or(earlier?)));
            found.unwrap_or_else(|| Err(CoreError::None(root.to_owned())))
        }
        (None, None, None, None) => Err(CoreError::None(root.to_owned())),
    }
}

/// Whether a file exists, or may exist in a directory that this user cannot search.
fn may_be_there(file: &Path) -> bool {
    file.metadata().err().is_none_or(|e| !matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory))
}

/// The YAML files of a directory, by name; none if it does not exist.
fn yaml_files(directory: &Path) -> Result<Vec<PathBuf>, CoreError> {
    if !may_be_there(directory) {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| unreadable(directory, &error))?;
    let files = entries.into_iter().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|it| it == "yaml")).collect();
    files.sort();
    Ok(files)
}

fn read_file(file: &Path) -> Result<Vec<u8>, CoreError> {
    files::read(file, MAX_FILE).map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &Path, error: &io::Error) -> CoreError {
    CoreError::Unreadable { file: file.to_owned(), reason: files::explain(file, error) }
}

fn broken(file: &Path, reason: String) -> CoreError {
    CoreError::Broken { file: file.to_owned(), reason }
}

/// The component that has the connection's settings, and the names of their fields.
struct Nucleus {
    component: &'static str,
    endpoint: &'static str,
    port: &'static str,
}

const NUCLEUS: Nucleus = Nucleus {
    component: "aws.greengrass.Nucleus",
    endpoint: "aws.greengrass.Nucleus: iotDataEndpoint",
    port: "aws.greengrass.Nucleus: mqtt.port",
};

const NUCLEUS_LITE: Nucleus = Nucleus {
    component: "aws.greengrass.NucleusLite",
    endpoint: "aws.greengrass.NucleusLite: iotDataEndpoint",
    port: "aws.greengrass.NucleusLite: mqtt.port",
};

fn read_yaml(file: PathBuf, nucleus: &Nucleus) -> Result<Core, CoreError> {
    let text = read_file(&file)?;
    let text = sniff::text(&text).map_err(|kind| broken(&file, kind.to_owned()))?;
    let paths: [&[&str]; 2] = [&["system"], &["services", nucleus.component, "configuration"]];
    let config = document::yaml::parse_parts(text, &paths).map_err(|reason| broken(&file, reason))?;
    Ok(of_v2(file, &config, nucleus))
}

fn read_log(file: PathBuf) -> Result<Core, CoreError> {
    let config = tlog::read(&file).map_err(|error| unreadable(&file, &error))?;
    Ok(of_v2(file, &config, &NUCLEUS))
}

fn of_v2(file: PathBuf, config: &Value, nucleus: &Nucleus) -> Core {
    let configuration = config.pointer(&format!("/services/{}/configuration", nucleus.component));
    let configuration = configuration.unwrap_or(&Value::Null);
    let system = |name| field(&file, config, name);
    Core {
        endpoint: field(&file, configuration, nucleus.endpoint),
        port: field(&file, configuration, nucleus.port),
        thing_name: system("system.thingName"),
        ca: system("system.rootCaPath"),
        certificate: system("system.certificateFilePath"),
        key: system("system.privateKeyPath"),
        proxy: has_proxy(configuration.get("networkProxy")).then_some("networkProxy"),
        file,
    }
}

fn of_v1(file: &Path, config: &Value, root: &Path) -> Core {
    let field = |name| field(file, config, name);
    let thing_name = field("coreThing.thingArn").map(|arn| match arn.text.split_once(":thing/") {
        Some((start, name)) if start.starts_with("arn:") => Field { text: name.to_owned(), ..arn },
        _ => {
            Field { fault: arn.fault.or(Some("not the ARN of a thing; expected arn:…:thing/NAME".to_owned())), ..arn }
        }
    });
    let [ca, certificate, key] = if config.get("crypto").is_some_and(|crypto| !crypto.is_null()) {
        [
            field("crypto.caPath"),
            field("crypto.principals.IoTCertificate.certificatePath"),
            field("crypto.principals.IoTCertificate.privateKeyPath"),
        ]
    } else {
        ["coreThing.caPath", "coreThing.certPath", "coreThing.keyPath"].map(|name| {
            let found = field(name)?;
            let below_certs = root.join("certs").join(&found.text);
            Some(Field { text: below_certs.to_string_lossy().into_owned(), ..found })
        })
    };
    Core {
        file: file.to_owned(),
        endpoint: field("coreThing.iotHost"),
        port: field("coreThing.iotMqttPort"),
        thing_name,
        ca,
        certificate,
        key,
        proxy: has_proxy(config.pointer("/coreThing/networkProxy")).then_some("coreThing.networkProxy"),
    }
}

/// The field below `parent` with this name; `None` when it is missing or empty.
fn field(file: &Path, parent: &Value, name: &'static str) -> Option<Field> {
    let path = name.rsplit(": ").next()?;
    let (text, fault) = match path.split('.').try_fold(parent, |value, key| value.get(key))? {
        Value::Null => return None,
        Value::String(text) if text.trim().is_empty() => return None,
        Value::String(text) => (text.trim().to_owned(), None),
        Value::Number(number) if !number.is_f64() => (number.to_string(), None),
        other => ("…".to_owned(), Some(format!("expected text, not {}", kind(other)))),
    };
    Some(Field { file: file.to_owned(), name, text, fault })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::String(_) => "a quoted string",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::Bool(_) => "true or false",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl Core {
    /// Whether a setting that has no default is missing.
    fn is_incomplete(&self) -> bool {
        [&self.endpoint, &self.thing_name, &self.certificate, &self.key].iter().any(|field| field.is_none())
    }

    /// Takes what is missing from another configuration.
    fn or(self, other: Self) -> Self {
        Self {
            file: self.file,
            endpoint: self.endpoint.or(other.endpoint),
            port: self.port.or(other.port),
            thing_name: self.thing_name.or(other.thing_name),
            ca: self.ca.or(other.ca),
            certificate: self.certificate.or(other.certificate),
            key: self.key.or(other.key),
            proxy: self.proxy.or(other.proxy),
        }
    }
}

/// Whether a `networkProxy` configures anything but the addresses that need no proxy.
fn has_proxy(network_proxy: Option<&Value>) -> bool {
    match network_proxy {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => list.iter().any(|value| has_proxy(Some(value))),
        Some(Value::Object(object)) => object.iter().any(|(k, v)| k != "noProxyAddresses" && has_proxy(Some(v))),
        Some(Value::Bool(_) | Value::Number(_)) => true,
    }
}
