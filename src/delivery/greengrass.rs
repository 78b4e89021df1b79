//! Settings found in a Greengrass core's configuration, so that a core device needs no others.
//!
//! - Version 2: `config/effectiveConfig.yaml` (AWS IoT Greengrass developer guide, version 2, "Configure the AWS IoT
//!   Greengrass Core software" and "Install with manual resource provisioning").
//! - Version 1: `config/config.json` (version 1, "Configure the AWS IoT Greengrass core"): certificates below `crypto`, or
//!   before 1.7 as names below `certs`.
//!
//! Values come out as they stand, each with the field it stood in; [`super::settings`] judges those that are needed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::files;

/// Where a core is installed unless it was told otherwise.
pub const USUAL_ROOTS: [&str; 2] = ["/greengrass/v2", "/greengrass"];

/// A value and the field it stood in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The path of the field, with dots.
    pub name: &'static str,
    /// Its value: the text of a string or an integer; of anything else what it is.
    pub value: Result<String, &'static str>,
}

/// What a core's configuration says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Core {
    /// The file it stands in.
    pub file: PathBuf,
    /// The data endpoint.
    pub endpoint: Option<Field>,
    /// Its port.
    pub port: Option<Field>,
    /// The core's thing name.
    pub thing_name: Option<Field>,
    /// The certificates to trust: a path or a URI.
    pub ca: Option<Field>,
    /// The core's certificate: a path or a URI.
    pub certificate: Option<Field>,
    /// The core's private key: a path or a URI.
    pub key: Option<Field>,
    /// Whether the core reaches the service through a proxy.
    pub proxy: Option<&'static str>,
}

/// Why a root gives no settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoreError {
    /// It holds no configuration.
    #[error("{}: no Greengrass core there: neither config/effectiveConfig.yaml nor config/config.json", .0.display())]
    None(PathBuf),
    /// The configuration cannot be read.
    #[error("{}: {reason}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The configuration is not understood.
    #[error("{}: not understood: {reason}", file.display())]
    Broken {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Reads the configuration below `root`: that of version 2 if there is one, else that of version 1.
///
/// # Errors
/// [`CoreError`] with the file.
pub fn read(root: &Path) -> Result<Core, CoreError> {
    let v2 = root.join("config/effectiveConfig.yaml");
    let v1 = root.join("config/config.json");
    if may_be_there(&v2) {
        let parsed = serde_saphyr::from_slice::<Value>(&read_file(&v2)?);
        let config = parsed.map_err(|error| broken(&v2, &error))?;
        Ok(of_v2(v2, &config))
    } else if may_be_there(&v1) {
        let parsed = serde_json::from_slice::<Value>(&read_file(&v1)?);
        let config = parsed.map_err(|error| broken(&v1, &error))?;
        Ok(of_v1(v1, &config, root))
    } else {
        Err(CoreError::None(root.to_owned()))
    }
}

/// Whether a file is there, or that cannot be told, as the directory may not be searched.
fn may_be_there(file: &Path) -> bool {
    match file.metadata() {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

fn read_file(file: &Path) -> Result<Vec<u8>, CoreError> {
    files::read(file).map_err(|reason| CoreError::Unreadable { file: file.to_owned(), reason })
}

fn broken(file: &Path, error: &dyn std::error::Error) -> CoreError {
    let reason = error.to_string();
    let first_line = reason.lines().next().unwrap_or_default().to_owned(); // a YAML error quotes the file, keys and all
    CoreError::Broken { file: file.to_owned(), reason: first_line }
}

fn of_v2(file: PathBuf, config: &Value) -> Core {
    const NUCLEUS: &str = "/services/aws.greengrass.Nucleus/configuration";
    let nucleus = |name, path: &str| field(config, name, &format!("{NUCLEUS}{path}"));
    Core {
        file,
        endpoint: nucleus("aws.greengrass.Nucleus: iotDataEndpoint", "/iotDataEndpoint"),
        port: nucleus("aws.greengrass.Nucleus: mqtt.port", "/mqtt/port"),
        thing_name: field(config, "system.thingName", "/system/thingName"),
        ca: field(config, "system.rootCaPath", "/system/rootCaPath"),
        certificate: field(config, "system.certificateFilePath", "/system/certificateFilePath"),
        key: field(config, "system.privateKeyPath", "/system/privateKeyPath"),
        proxy: has_proxy(config.pointer(&format!("{NUCLEUS}/networkProxy"))).then_some("networkProxy"),
    }
}

fn of_v1(file: PathBuf, config: &Value, root: &Path) -> Core {
    let thing_name = field(config, "coreThing.thingArn", "/coreThing/thingArn").map(|mut arn| {
        arn.value = arn.value.and_then(|arn| match arn.split_once(":thing/") {
            Some((_, name)) => Ok(name.to_owned()),
            None => Err("an ARN of something else than a thing"),
        });
        arn
    });
    let [ca, certificate, key] = if config.get("crypto").is_some_and(|crypto| !crypto.is_null()) {
        [
            field(config, "crypto.caPath", "/crypto/caPath"),
            field(
                config,
                "crypto.principals.IoTCertificate.certificatePath",
                "/crypto/principals/IoTCertificate/certificatePath",
            ),
            field(
                config,
                "crypto.principals.IoTCertificate.privateKeyPath",
                "/crypto/principals/IoTCertificate/privateKeyPath",
            ),
        ]
    } else {
        let below_certs = |name, path| {
            let mut field = field(config, name, path)?;
            field.value = field.value.map(|name| root.join("certs").join(name).to_string_lossy().into_owned());
            Some(field)
        };
        [
            below_certs("coreThing.caPath", "/coreThing/caPath"),
            below_certs("coreThing.certPath", "/coreThing/certPath"),
            below_certs("coreThing.keyPath", "/coreThing/keyPath"),
        ]
    };
    Core {
        file,
        endpoint: field(config, "coreThing.iotHost", "/coreThing/iotHost"),
        port: field(config, "coreThing.iotMqttPort", "/coreThing/iotMqttPort"),
        thing_name,
        ca,
        certificate,
        key,
        proxy: has_proxy(config.pointer("/coreThing/networkProxy")).then_some("coreThing.networkProxy"),
    }
}

/// The field at a JSON pointer; `None` when it is not there, or empty.
fn field(config: &Value, name: &'static str, pointer: &str) -> Option<Field> {
    let value = match config.pointer(pointer)? {
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

/// Whether a `networkProxy` says anything but which addresses need no proxy.
fn has_proxy(network_proxy: Option<&Value>) -> bool {
    match network_proxy {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => list.iter().any(|value| has_proxy(Some(value))),
        Some(Value::Object(object)) => {
            object.iter().any(|(name, value)| name != "noProxyAddresses" && has_proxy(Some(value)))
        }
        Some(Value::Bool(_) | Value::Number(_)) => true,
    }
}
