//! The command line: types and help texts, one file a command. What a flag does is in `commands`.
//!
//! The names are a contract: scripts and unit files carry them for years.

mod collect;
mod delivery;
#[cfg(feature = "detect")]
mod detect;
#[cfg(feature = "generate")]
mod generate;
mod lazy;
mod report;
mod validate_params;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::terminal::Color;
pub(crate) use collect::{CollectArgs, Format};
pub(crate) use delivery::{DeliveryArgs, MqttVersion, PayloadFormat, PublishArgs, Via, WatchArgs};
#[cfg(feature = "detect")]
pub(crate) use detect::{DetectArgs, DetectFormat};
#[cfg(feature = "generate")]
pub(crate) use generate::{Generate, GenerateArgs, Shell, UnitsArgs};
pub(crate) use lazy::Lazy;
pub use report::Since;
pub(crate) use report::{Compat, NamesArg, ReportArgs, SourceArg, SourceArgs};
pub(crate) use validate_params::{ValidateParamsArgs, VerdictFormat};

/// Report the network state of this device as an AWS IoT Device Defender metrics document
///
/// Reports listening ports, established connections and traffic counters, as AWS's Greengrass Device Defender connector
/// did.
#[derive(Debug, Parser)]
#[command(name = "device-defender", version, long_version = env!("LONG_VERSION"), max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true, help_expected = true, disable_help_flag = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: Global,
}

/// The commands that have settings, with all their arguments.
pub(crate) fn commands_with_settings() -> Vec<clap::Command> {
    let command = clap::Command::new;
    vec![
        PublishArgs::augment_args(command("publish")),
        WatchArgs::augment_args(command("watch")),
        CollectArgs::augment_args(command("collect")),
        #[cfg(feature = "detect")]
        DetectArgs::augment_args(command("detect")),
    ]
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Print each step to standard error
    #[arg(short, long, global = true, conflicts_with = "quiet", overrides_with = "verbose")] // -vv is -v
    pub verbose: bool,
    /// Print errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// When to color tables
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, global = true)]
    pub color: Color,
    /// Print help; -h prints a summary
    #[arg(short, long, action = ArgAction::Help, global = true)]
    pub help: Option<bool>,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is only ever one value")]
pub(crate) enum Command {
    /// Print the metrics document of this device
    ///
    /// Reads sockets and traffic counters once and prints the report to standard output: JSON on one line, indented on
    /// a terminal; CBOR; or tables for people. Sends nothing and needs no privileges.
    Collect(Lazy<CollectArgs>),
    /// Check the parameters of a Greengrass Device Defender connector
    ///
    /// Reports all problems of a connector definition at once, each with what to change. Reads a definition as given to
    /// create-connector-definition, the answer of get-connector-definition-version, a CloudFormation template, or a bare
    /// Parameters object, in JSON or YAML, and requires all three parameters; or checks only the values given as flags.
    ValidateParams(Lazy<ValidateParamsArgs>),
    /// Send one report to AWS IoT Device Defender, or to any MQTT broker, and wait for the answer
    ///
    /// Collects a report, publishes it over MQTT with mutual TLS or through a Greengrass nucleus, and waits until the
    /// service accepts or rejects it. Prints nothing when the report was accepted. -v prints each phase with its time, which
    /// shows why nothing arrives. --dry-run shows what would be sent, and where. Settings come from flags, the environment, a
    /// config file, or a Greengrass core's configuration.
    Publish(Lazy<PublishArgs>),
    /// Send reports periodically (every 5 minutes by default)
    ///
    /// Does what publish does, every --interval. It keeps running through any failure: no network, an expired
    /// certificate, a broker that restarts. Certificates and custom metrics are read again each time. Made to run under
    /// systemd, to which it reports its state, or as a component of Greengrass. With --print it prints the reports to
    /// standard output, one line each, and sends nothing.
    Watch(Lazy<WatchArgs>),
    /// Check this device, or saved reports, against a security profile
    ///
    /// Shows for each behavior of a Device Defender security profile, as aws iot describe-security-profile prints it,
    /// whether this device violates it right now, and why. Checks a report of this device, or with --report one from a
    /// file, or a stream of them: then an alarm that starts or ends is an event. With -q, it prints only the behaviors that
    /// are violated, invalid or not judged, and nothing if there are none, as cron expects. -q also leaves out the behaviors
    /// that only the service can judge.
    #[cfg(feature = "detect")]
    Detect(Lazy<DetectArgs>),
    /// Print a config file or shell completions, or write unit files for systemd
    #[cfg(feature = "generate")]
    Generate(Lazy<GenerateArgs>),
}
