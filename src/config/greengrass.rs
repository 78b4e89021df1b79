//! The lowest layer: a Greengrass core's configuration, so that a core device needs no other settings.
//!
//! - Version 2: `config/effectiveConfig.yaml` (AWS IoT Greengrass developer guide, version 2, "Configure the AWS IoT
//!   Greengrass Core software" and "Install with manual resource provisioning").
//! - Version 1: `config/config.json` (version 1, "Configure the AWS IoT Greengrass core"): certificates below `crypto`, or
//!   before 1.7 as names below `certs`.
//!
//! Values are returned as written, each with the name of its field; [`super::delivery`] checks those that are needed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::files;

/// The most bytes of a configuration that are read.
const MAX_FILE: u64 = 8 << 20;

/// Where a core is installed by default.
pub(crate) const USUAL_ROOTS: [&str; 2] = ["/greengrass/v2", "/greengrass"];

/// A value and its field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The path of the field, with dots, after the component that it belongs to, if any: `component: path`.
    pub name: &'static str,
    /// The text of a string or an integer; otherwise what kind of value it is.
    pub value: Result<String, &'static str>,
}

/// What a core's configuration says. Certificates and key are paths or URIs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Core {
    /// The configuration file.
    pub file: PathBuf,
    pub endpoint: Option<Field>,
    pub port: Option<Field>,
    pub thing_name: Option<Field>,
    pub ca: Option<Field>,
    pub certificate: Option<Field>,
    pub key: Option<Field>,
    /// The field that configures a proxy, if one does.
    pub proxy: Option<&'static str>,
}

/// Why a root provides no settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoreError {
    #[error("{}: no Greengrass core found: neither config/effectiveConfig.yaml nor config/config.json exists", .0.display())]
    None(PathBuf),
    #[error("{}: {reason}", file.display())]
    Unreadable { file: PathBuf, reason: String },
    #[error("{}: cannot be parsed: {reason}", file.display())]
    Broken { file: PathBuf, reason: String },
}

/// Reads the configuration below `root`: that of version 2 if there is one, else that of version 1.
///
/// # Errors
/// [`CoreError`] with the file.
pub fn read(root: &Path) -> Result<Core, CoreError> {
    let v2 = root.join("config/effectiveConfig.yaml");
    let v1 = root.join("config/config.json");
    if may_be_there(&v2) {
        let config = serde_saphyr::from_slice(&read_file(&v2)?).map_err(|error| broken(&v2, &error))?;
        Ok(of_v2(v2, &config))
    } else if may_be_there(&v1) {
        let config = serde_json::from_slice(&read_file(&v1)?).map_err(|error| broken(&v1, &error))?;
        Ok(of_v1(v1, &config, root))
    } else {
        Err(CoreError::None(root.to_owned()))
    }
}

/// Whether a file exists, or may exist in a directory that this user cannot search.
fn may_be_there(file: &Path) -> bool {
    file.metadata().err().is_none_or(|e| !matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory))
}

fn read_file(file: &Path) -> Result<Vec<u8>, CoreError> {
    files::read(file, MAX_FILE)
        .map_err(|error| CoreError::Unreadable { file: file.to_owned(), reason: files::explain(file, &error) })
}

fn broken(file: &Path, error: &dyn std::error::Error) -> CoreError {
    let reason = error.to_string();
    let first_line = reason.lines().next().unwrap_or_default().to_owned(); // a YAML error quotes the file, keys and all
    CoreError::Broken { file: file.to_owned(), reason: first_line }
}

fn of_v2(file: PathBuf, config: &Value) -> Core {
    let nucleus = config.pointer("/services/aws.greengrass.Nucleus/configuration").unwrap_or(&Value::Null);
    Core {
        file,
        endpoint: field(nucleus, "aws.greengrass.Nucleus: iotDataEndpoint"),
        port: field(nucleus, "aws.greengrass.Nucleus: mqtt.port"),
        thing_name: field(config, "system.thingName"),
        ca: field(config, "system.rootCaPath"),
        certificate: field(config, "system.certificateFilePath"),
        key: field(config, "system.privateKeyPath"),
        proxy: has_proxy(nucleus.get("networkProxy")).then_some("networkProxy"),
    }
}

fn of_v1(file: PathBuf, config: &Value, root: &Path) -> Core {
    let thing_name = field(config, "coreThing.thingArn").map(|mut arn| {
        arn.value = arn.value.and_then(|arn| match arn.split_once(":thing/") {
            Some((_, name)) => Ok(name.to_owned()),
            None => Err("the ARN of something other than a thing"),
        });
        arn
    });
    let [ca, certificate, key] = if config.get("crypto").is_some_and(|crypto| !crypto.is_null()) {
        [
            field(config, "crypto.caPath"),
            field(config, "crypto.principals.IoTCertificate.certificatePath"),
            field(config, "crypto.principals.IoTCertificate.privateKeyPath"),
        ]
    } else {
        ["coreThing.caPath", "coreThing.certPath", "coreThing.keyPath"].map(|name| {
            let Field { name, value } = field(config, name)?;
            let below_certs = |file| root.join("certs").join(file).to_string_lossy().into_owned();
            Some(Field { name, value: value.map(below_certs) })
        })
    };
    Core {
        file,
        endpoint: field(config, "coreThing.iotHost"),
        port: field(config, "coreThing.iotMqttPort"),
        thing_name,
        ca,
        certificate,
        key,
        proxy: has_proxy(config.pointer("/coreThing/networkProxy")).then_some("coreThing.networkProxy"),
    }
}

/// The field below `parent` with this name; `None` when it is missing or empty.
fn field(parent: &Value, name: &'static str) -> Option<Field> {
    let path = name.rsplit(": ").next()?;
    let value = match path.split('.').try_fold(parent, |value, key| value.get(key))? {
        Value::Null => return None,
        Value::String(text) if text.trim().is_empty() => return None,
        Value::String(text) => Ok(text.trim().to_owned()),
        Value::Number(number) if !number.is_f64() => Ok(number.to_string()),
        Value::Number(_) => Err("a number with a fraction"),
        Value::Bool(_) => Err("true or false"),
        Value::Array(_) => Err("a list"),
        Value::Object(_) => Err("an object"),
    };
    Some(Field { name, value })
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
