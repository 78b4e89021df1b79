//! A config file to start from: every setting with its help text, filled in from a Greengrass core's configuration.

use std::fmt::{self, Write};
use std::path::{self, Path};

use clap::{Arg, ArgAction, Args, Command};

use crate::cli::WatchArgs;
use crate::config::cores::{Core, Field};
use crate::config::entries::quote;
use crate::config::file::settings;
use crate::delivery::mqtt::values::parse_path;
use crate::error::Error;
use crate::terminal::Terminal;
use crate::text::escape;

const HEADER: &str = "\
# Settings of device-defender: of its service, and of publish, watch, collect and detect on the command line.
# Flags and environment variables win over this file. Relative paths are relative to its directory.
# To try it: sudo device-defender publish --once -v
";

/// The groups of settings, the most important first.
const HEADINGS: [&str; 5] = ["Destination", "Schedule", "Delivery", "Input", "Output"];

/// What a delivery cannot do without.
const REQUIRED: [&str; 4] = ["endpoint", "thing-name", "cert-file", "key-file"];

/// Returns the file, filled in from the core below `root`, or else from the one on this device, if there is one. Warns of what
/// a core does not provide.
pub(super) fn file(root: Option<&Path>, terminal: &Terminal) -> Result<String, Error> {
    let core = super::find_core(root, terminal)?;
    let watch = WatchArgs::augment_args(Command::new("watch")); // has all settings
    let settings: Vec<&Arg> = settings(&watch).collect();
    let text = write(&settings, core.as_ref()).map_err(|error| Error::Bug(error.to_string()))?;
    for (core, key) in core.iter().flat_map(|core| REQUIRED.map(|key| (core, key))) {
        let known = OfCore::new(core, key);
        if !known.is_usable() {
            let reason = known.note.unwrap_or_else(|| format!("{} has none", core.file.display()));
            terminal.warn(format_args!("{key} is not filled in: {reason}"));
        }
    }
    Ok(text)
}

fn write(settings: &[&Arg], core: Option<&Core>) -> Result<String, fmt::Error> {
    let mut text = HEADER.to_owned();
    if let Some(core) = core {
        writeln!(text, "#\n# Filled in from {}.", escape(&core.file.display().to_string()))?;
    }
    for heading in HEADINGS {
        writeln!(text, "\n\n## {heading}")?;
        for arg in settings.iter().filter(|arg| arg.get_help_heading() == Some(heading)) {
            let (Some(key), Some(help)) = (arg.get_long(), arg.get_help()) else { continue };
            let known = core.map(|core| OfCore::new(core, key)).unwrap_or_default();
            let help = help.to_string().replace(", - for standard input", ""); // `-` is a name in this file
            writeln!(text, "\n# {help}")?;
            if let Some(note) = &known.note {
                writeln!(text, "# {}", escape(note))?;
            }
            let off = if known.is_usable() { "" } else { "#" };
            writeln!(text, "{off}{key} = {}", known.value.unwrap_or_else(|| example(arg, key)))?;
        }
    }
    Ok(text)
}

/// A value to show where none is known.
fn example(arg: &Arg, key: &str) -> String {
    let text = match key {
        "interval" => return "300".to_owned(),
        "max-bytes" => return "128000".to_owned(),
        "port" => return "8883".to_owned(),
        "exclude-interface" => return "[\"lo\", \"docker*\"]".to_owned(),
        _ if matches!(arg.get_action(), ArgAction::SetTrue) => return "true".to_owned(),
        "greengrass-root" => "/greengrass/v2",
        "splay" => "1m",
        "state-dir" => "/var/lib/device-defender",
        "timeout" => "30s",
        "ca-file" => "ca.pem",
        "cert-file" => "cert.pem",
        "key-file" => "key.pem",
        _ => {
            let default = arg.get_default_values().first().and_then(|default| default.to_str());
            let possible = arg.get_possible_values().first().map(|value| value.get_name().to_owned());
            let name = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
            return quote(&default.map(str::to_owned).or(possible).or(name).unwrap_or_default());
        }
    };
    quote(text)
}

/// What a core's configuration says of a setting.
#[derive(Default)]
struct OfCore {
    /// As TOML.
    value: Option<String>,
    /// Why the value cannot simply be used.
    note: Option<String>,
}

impl OfCore {
    fn new(core: &Core, key: &str) -> Self {
        let field = match key {
            "endpoint" => &core.endpoint,
            "port" => &core.port,
            "thing-name" => &core.thing_name,
            "ca-file" => &core.ca,
            "cert-file" => &core.certificate,
            "key-file" => &core.key,
            _ => &None,
        };
        let Some(field) = field else { return Self::default() };
        let value = match (&field.fault, key) {
            (Some(fault), _) => Err(fault.clone()),
            (None, "port") if field.text.parse::<u16>().is_ok_and(|port| port.to_string() == field.text) => {
                Ok(field.text.clone())
            }
            (None, "endpoint" | "port" | "thing-name") => Ok(quote(&field.text)),
            (None, _) => file_of_core(field),
        };
        let note = match (&value, core.proxy) {
            (Err(reason), _) => Some(note(field, reason)),
            (Ok(_), Some(proxy)) if matches!(key, "endpoint" | "port") => {
                let reason = format!(
                    "this core connects through a proxy ({proxy}), which this program cannot use; to connect directly, remove \
                     the # before endpoint and port"
                );
                Some(note(field, &reason))
            }
            (Ok(_), _) => None,
        };
        Self { value: value.ok(), note }
    }

    fn is_usable(&self) -> bool {
        self.value.is_some() && self.note.is_none()
    }
}

fn note(field: &Field, reason: &str) -> String {
    format!("{}: {}: {reason}", field.file.display(), field.name)
}

/// The path or URI of a file. A relative path is made absolute, as the config file may be anywhere.
fn file_of_core(field: &Field) -> Result<String, String> {
    let path = parse_path(field.text.as_ref())?;
    if path.is_absolute() {
        return Ok(quote(&field.text));
    }
    let path = path::absolute(path).map_err(|error| error.to_string())?;
    path.to_str().map(quote).ok_or_else(|| "its path is not UTF-8".to_owned())
}
