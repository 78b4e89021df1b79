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
    /// Its value: of a string the text, of anything else its JSON.
    pub value: String,
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
        proxy: nucleus("aws.greengrass.Nucleus: networkProxy", "/networkProxy/proxy/url").map(|field| field.name),
    }
}

fn of_v1(file: PathBuf, config: &Value, root: &Path) -> Core {
    let thing_name = field(config, "coreThing.thingArn", "/coreThing/thingArn").map(|mut arn| {
        if let Some((_, name)) = arn.value.split_once(":thing/") {
            arn.value = name.to_owned();
        }
        arn
    });
    let [ca, certificate, key] = if config.get("crypto").is_some() {
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
            field.value = root.join("certs").join(field.value).to_string_lossy().into_owned();
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
        proxy: field(config, "coreThing.networkProxy", "/coreThing/networkProxy/proxy/url").map(|field| field.name),
    }
}

/// The field at a JSON pointer; `None` when it is not there, or empty.
fn field(config: &Value, name: &'static str, pointer: &str) -> Option<Field> {
    let value = match config.pointer(pointer)? {
        Value::Null => return None,
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    (!value.is_empty()).then_some(Field { name, value })
}
