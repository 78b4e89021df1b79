//! From flags, environment and a Greengrass core to settings: who comes first, and what is said about it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::gather::{self, AWS_THING_NAME};
use crate::cli::{DeliveryArgs, SourceArgs};
use crate::delivery::greengrass::{self, Core, CoreError, USUAL_ROOTS};
use crate::delivery::settings::{CoreFile, Fault, Given, Inputs, Origin};
use crate::exit::{Exit, Failure};
use crate::state;
use crate::terminal::Terminal;

/// Puts the settings together: a flag before its environment variable, before `AWS_IOT_THING_NAME` for the thing name,
/// before a Greengrass core. Faults on the way are added to `faults`.
pub(super) fn inputs(
    args: &DeliveryArgs,
    matches: &ArgMatches,
    terminal: &Terminal,
    faults: &mut Vec<Fault>,
) -> Inputs {
    let given = |flag, value: Option<OsString>| given(matches, flag, value);
    let path = |path: &Option<PathBuf>| path.clone().map(PathBuf::into_os_string);
    let text = |text: &Option<String>| text.clone().map(OsString::from);
    let mut inputs = Inputs {
        endpoint: given("--endpoint", text(&args.endpoint)),
        port: given("--port", text(&args.port)),
        thing_name: given("--thing-name", text(&args.thing_name)).or_else(aws_thing_name),
        client_id: given("--client-id", text(&args.client_id)),
        ca_file: given("--ca-file", path(&args.ca_file)),
        cert_file: given("--cert-file", path(&args.cert_file)),
        key_file: given("--key-file", path(&args.key_file)),
        timeout: given("--timeout", text(&args.timeout)),
        insecure_plaintext: args.insecure_plaintext,
        core: CoreFile::None,
    };
    match core(args, inputs.lacks_something(), terminal) {
        Ok(None) => {}
        Ok(Some(core)) => {
            terminal.step(format_args!("settings that are not given come from {}", core.file.display()));
            inputs.fill_from(core, faults);
        }
        Err(error) => {
            let (exit, remedy) = match error {
                CoreError::Unreadable { .. } => (Exit::NoInput, "or give all settings otherwise"),
                CoreError::None(_) => (Exit::Settings, "give the directory that Greengrass is installed in"),
                CoreError::Broken { .. } => (Exit::Settings, "give all settings otherwise"),
            };
            faults.push(Fault { exit, text: format!("{error}; {remedy}") });
            inputs.core = CoreFile::Unread;
        }
    }
    inputs
}

/// The Greengrass core that settings come from: that of the root that is given, else, when something is missing, of the
/// first usual root that has one.
fn core(args: &DeliveryArgs, lacks_something: bool, terminal: &Terminal) -> Result<Option<Core>, CoreError> {
    if let Some(root) = &args.greengrass_root {
        return greengrass::read(root).map(Some);
    }
    for root in USUAL_ROOTS.iter().filter(|_| lacks_something) {
        match greengrass::read(Path::new(root)) {
            Err(error @ CoreError::None(_)) => terminal.step(error),
            read => return read.map(Some),
        }
    }
    Ok(None)
}

/// Where the state is kept and what is read, and where that came from, for people.
pub(super) fn places(delivery: &DeliveryArgs, source: &SourceArgs, matches: &ArgMatches) -> [String; 2] {
    let dir = match state::directory(delivery.state_dir.as_deref(), |name| env::var_os(name)) {
        None => "none, as HOME is not set".to_owned(),
        Some(dir) => {
            let given = delivery.state_dir.clone().map(PathBuf::into_os_string);
            let origin = match given.and_then(|dir| self::given(matches, "--state-dir", Some(dir))) {
                Some(given) => given.origin.to_string(),
                None if env::var_os("STATE_DIRECTORY").is_some_and(|dirs| !dirs.is_empty()) => {
                    "environment variable STATE_DIRECTORY".to_owned()
                }
                None => "default".to_owned(),
            };
            format!("{} ({origin})", dir.display())
        }
    };
    let proc = source.proc.clone().into_os_string();
    let origin = match (matches.value_source("proc"), given(matches, "--proc", Some(proc))) {
        (Some(ValueSource::DefaultValue), _) | (_, None) => "default".to_owned(),
        (_, Some(given)) => given.origin.to_string(),
    };
    [format!("state directory: {dir}"), format!("/proc path: {} ({origin})", source.proc.display())]
}

/// A setting with where clap took it from.
fn given(matches: &ArgMatches, flag: &'static str, value: Option<OsString>) -> Option<Given> {
    let id = flag.trim_start_matches('-').replace('-', "_");
    let origin = match matches.value_source(&id) {
        Some(ValueSource::EnvVariable) => Origin::Variable(flag),
        _ => Origin::Flag(flag),
    };
    Some(Given { text: value?, origin })
}

/// The thing name as a Greengrass nucleus hands it to components.
fn aws_thing_name() -> Option<Given> {
    Some(Given { text: gather::aws_thing_name()?, origin: Origin::AwsVariable(AWS_THING_NAME) })
}

/// All faults at once, as one failure.
pub(super) fn failure(faults: Vec<Fault>) -> Failure {
    let exit = Exit::first(faults.iter().map(|fault| fault.exit)).unwrap_or(Exit::Settings);
    let messages = faults.into_iter().map(|fault| fault.text).collect();
    Failure { exit, messages, hint: None }
}
