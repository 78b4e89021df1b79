//! What the configuration of a Greengrass core says about a connection, whatever file it is in.

use std::ffi::OsStr;
use std::path::PathBuf;

use crate::sourced::{Origin, Sourced};

/// A value and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub file: PathBuf,
    /// The path of the field, with dots, after the component that it belongs to, if any: `component: path`.
    pub name: &'static str,
    /// The text of a string or an integer.
    pub text: String,
    /// Why the value cannot be used. Without a text of it, `text` is `…`.
    pub fault: Option<String>,
}

impl Field {
    pub(crate) fn parse<T>(self, parse: fn(&OsStr) -> Result<T, String>) -> Sourced<T> {
        let Self { file, name, text, fault } = self;
        let origin = Origin::File { file, field: name };
        Sourced::parse(text.as_ref(), origin, |text| fault.map_or_else(|| parse(text), Err))
    }
}

/// What a core's configuration says. Certificates and key are paths or URIs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Core {
    /// The configuration file, the first one of several.
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
    #[error(
        "{}: no Greengrass core found: none of config/effectiveConfig.yaml, config/config.tlog, config/config.json and \
         config.yaml exists",
        .0.display()
    )]
    None(PathBuf),
    #[error("{}: {reason}", file.display())]
    Unreadable { file: PathBuf, reason: String },
    #[error("{}: cannot be parsed: {reason}", file.display())]
    Broken { file: PathBuf, reason: String },
    #[error("{}: this build cannot read Greengrass cores (it is without the feature greengrass)", .0.display())]
    NotBuilt(PathBuf),
}
