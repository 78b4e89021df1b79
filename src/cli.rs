//! The command line: types, how values are parsed into them, and help texts. What a flag does is in `commands`.
//!
//! The names are a contract, as scripts and unit files carry them for years.
#![expect(clippy::doc_markdown, reason = "these comments are the help texts, shown as they are")]

mod delivery;
mod detect;
mod lazy;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::collector::proc_root::Netns;
use crate::terminal::Color;
use crate::thing::ThingName;
pub use delivery::{DeliveryArgs, PayloadFormat, PublishArgs, WatchArgs};
pub use detect::{DetectArgs, DetectFormat};
pub use lazy::Lazy;

/// Report the network state of this device as an AWS IoT Device Defender metrics document
///
/// Reads listening ports, established connections and traffic counters from /proc, as AWS's Greengrass Device Defender
/// connector did.
#[derive(Debug, Parser)]
#[command(name = "device-defender", version, max_term_width = 100, subcommand_required = true)]
#[command(arg_required_else_help = true, help_expected = true, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Tell every step on standard error
    #[arg(short, long, global = true, conflicts_with = "quiet", help_heading = "Global options")]
    pub verbose: bool,
    /// Tell errors only
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// When to color tables
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, global = true, help_heading = "Global options")]
    pub color: Color,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the metrics document of this device
    ///
    /// Reads the network tables below /proc once and prints the report on standard output: JSON on one line, indented on
    /// a terminal; CBOR; or tables for people. Nothing is sent. Needs no privilege.
    Collect(Lazy<CollectArgs>),
    /// Check the parameters of a Greengrass Device Defender connector
    ///
    /// Tells in one go whether a connector definition is right, and if not, what exactly to change. Reads a connector
    /// definition as given to create-connector-definition, the answer of get-connector-definition-version, or a bare
    /// Parameters object, and wants all three parameters; or checks just what the flags give.
    ValidateParams(Lazy<ValidateParamsArgs>),
    /// Send one report to AWS IoT Device Defender, or to any MQTT broker, and wait for the answer
    ///
    /// Collects a report, publishes it over MQTT with mutual TLS, and waits until the service accepts or rejects it. A
    /// report that was accepted prints nothing. -v tells every phase with its time, which answers why nothing arrives.
    /// --dry-run shows what would be sent where. Settings come from flags, the environment, or a Greengrass core's
    /// configuration.
    Publish(Lazy<PublishArgs>),
    /// Report every few minutes, for years
    ///
    /// Does what publish --once does every --interval. Nothing that goes wrong ends it: no network, an expired
    /// certificate, a broker that restarts; certificates and custom metrics are read again each time. Made for systemd,
    /// which it tells its state. With --print the reports go to standard output, a line each, and nowhere else.
    Watch(Lazy<WatchArgs>),
    /// Judge this device, or reports, against a security profile
    ///
    /// Tells for every behavior of a Device Defender security profile, as aws iot describe-security-profile prints it,
    /// whether this device is in violation of it right now, and why. Judges a report of its own, or with --report one from
    /// a file, or as many as come: then an alarm that begins or ends is an event.
    Detect(Lazy<DetectArgs>),
    /// Print man pages, shell completions and unit files
    #[command(hide = true)]
    Generate(Lazy<GenerateArgs>),
}

/// What a report is made from.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What is read")]
pub struct SourceArgs {
    /// Read the tables below this path instead of /proc
    ///
    /// A proc file system mounted anywhere, such as a host's /proc in a container, or a saved copy of one.
    #[arg(long, value_name = "PATH", default_value = "/proc", value_hint = ValueHint::DirPath)]
    #[arg(env = "DEVICE_DEFENDER_PROC", hide_env_values = true)]
    pub proc: PathBuf,
    /// Whose network namespace to show: auto, self, or a process number
    ///
    /// auto is that of this process for /proc itself, and for any other path that of its process 1 (PATH/1/net), else
    /// the reader's (PATH/net, PATH/self/net). -v tells which was used.
    #[arg(long, value_name = "WHOSE", default_value = "auto", value_parser = parse_netns)]
    pub netns: Netns,
    /// Leave interfaces that match this pattern out of the traffic; may be given more than once
    ///
    /// The pattern may have *, ? and [...]. Loopback, and a bridge beside its ports, count each byte twice.
    #[arg(long, value_name = "GLOB")]
    pub exclude_interface: Vec<glob::Pattern>,
    /// Add the custom metrics in this file, - for standard input (not for watch, which reads it again each time)
    ///
    /// A JSON object, {"name": 1} or {"name": [{"number": 1}]}, with the types number, number_list, string_list and
    /// ip_list. All limits of the service are checked first.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub custom_metrics: Option<PathBuf>,
    /// End with 65 when a row was malformed, with 66 when a table could not be read
    ///
    /// The report is printed all the same.
    #[arg(long)]
    pub strict: bool,
}

/// What is read, and how the report is written.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// What is read.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Write long or short field names
    #[arg(long, value_enum, default_value_t, help_heading = "How it is written")]
    pub names: NamesArg,
    /// Cut the lists so that the document takes at most this many bytes
    ///
    /// The totals stay true. One entry for every port and for every remote address is kept first. What is sent is cut to
    /// 128000 bytes, which AWS IoT takes, unless this says otherwise; what is printed only with this flag, and then the
    /// line end after JSON is counted, and JSON is written on one line.
    #[arg(long, value_name = "N", help_heading = "How it is written")]
    pub max_bytes: Option<usize>,
    /// Write what another agent wrote, for profiles tuned to it
    ///
    /// connector: as AWS's Greengrass connector and its Python agent did. One entry a socket, the wildcard address as
    /// interface, null for an unknown local_interface, every UDP socket, IPv4-mapped addresses as they are, no empty lists.
    #[arg(long, value_enum, value_name = "AGENT", help_heading = "How it is written")]
    pub compat: Option<Compat>,
}

/// Arguments of `collect`.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// What is read, and how the report is written.
    #[command(flatten)]
    pub report: ReportArgs,
    /// Count traffic since: boot, report, or for a duration such as 10s
    ///
    /// boot: all that the counters show. report: since the last report that Device Defender accepted, as the state file
    /// tells. A duration: wait that long between two looks at the counters.
    #[arg(long, value_name = "WHEN", default_value = "boot", help_heading = "What is read")]
    pub since: Since,
    /// The thing whose state file --since report reads [default: $AWS_IOT_THING_NAME, or the only one there is]
    #[arg(long, value_name = "NAME", env = "DEVICE_DEFENDER_THING_NAME", hide_env_values = true)]
    #[arg(help_heading = "What is read")]
    pub thing_name: Option<ThingName>,
    /// The directory of the state file [default: see FILES in the man page]
    #[arg(long, value_name = "DIR", env = "DEVICE_DEFENDER_STATE_DIR", hide_env_values = true)]
    #[arg(value_hint = ValueHint::DirPath, help_heading = "What is read")]
    pub state_dir: Option<PathBuf>,
    /// Print JSON, CBOR, or tables for people
    #[arg(long, value_enum, default_value_t, help_heading = "How it is written")]
    pub format: Format,
    /// Show in the tables which processes own the sockets
    ///
    /// Looks at every open descriptor of every process; other users' processes take root.
    #[arg(long, help_heading = "How it is written")]
    pub processes: bool,
}

/// Arguments of `validate-params`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("input").required(true).multiple(true))]
pub struct ValidateParamsArgs {
    /// The definition, - for standard input
    #[arg(value_hint = ValueHint::FilePath, group = "input")]
    #[arg(conflicts_with_all = ["sample_interval_seconds", "proc_destination_path_resource_id", "proc_destination_path"])]
    pub file: Option<PathBuf>,
    /// Check this SampleIntervalSeconds
    #[arg(long, value_name = "S", allow_hyphen_values = true, group = "input")]
    pub sample_interval_seconds: Option<String>,
    /// Check this ProcDestinationPath-ResourceId
    #[arg(long, value_name = "R", allow_hyphen_values = true, group = "input")]
    pub proc_destination_path_resource_id: Option<String>,
    /// Check this ProcDestinationPath
    #[arg(long, value_name = "P", allow_hyphen_values = true, group = "input")]
    pub proc_destination_path: Option<String>,
    /// Look at the path on this machine, too
    ///
    /// Tells whether it is there, is a proc file system, can be read, and whose network namespace collect --proc would
    /// show. Without this flag nothing but the input is looked at.
    #[arg(long)]
    pub probe: bool,
    /// Print text, or one JSON document
    #[arg(long, value_enum, default_value_t)]
    pub format: VerdictFormat,
}

/// How a verdict is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum VerdictFormat {
    /// For people
    #[default]
    Text,
    /// For programs; one line, indented on a terminal
    Json,
}

/// Arguments of `generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// What to generate
    #[arg(value_enum)]
    pub what: Generated,
    /// The directory to write to
    #[arg(value_hint = ValueHint::DirPath, default_value = ".")]
    pub dir: PathBuf,
}

/// What `generate` can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Generated {
    /// A man page for every command
    Man,
    /// Completions for bash, zsh and fish
    Completions,
    /// Unit files for systemd
    Units,
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// One line; indented on a terminal
    #[default]
    Json,
    /// For a program; refused on a terminal
    Cbor,
    /// For people
    Table,
}

/// The field names of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum NamesArg {
    /// listening_tcp_ports, and so on
    #[default]
    Long,
    /// tp, and so on: about two thirds of the bytes
    Short,
}

/// Another agent whose reports can be imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Compat {
    /// AWS's Greengrass Device Defender connector
    Connector,
}

/// What traffic is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// When each interface appeared, at the earliest at boot.
    Boot,
    /// The last accepted report.
    Report,
    /// This long ago, counted from a look at the counters to another.
    Ago(Duration),
}

/// Why a text is no `--since`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSince(String);

impl fmt::Display for NotSince {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotSince {}

impl FromStr for Since {
    type Err = NotSince;

    fn from_str(text: &str) -> Result<Self, NotSince> {
        const DAY: Duration = Duration::from_secs(86400);
        match text {
            "boot" => return Ok(Self::Boot),
            "report" => return Ok(Self::Report),
            _ => {}
        }
        match humantime::parse_duration(text) {
            Ok(duration) if duration.is_zero() => Err(NotSince("a duration must be longer than 0".to_owned())),
            Ok(duration) if duration > DAY => {
                Err(NotSince("a duration is at most 1day, as it is waited for (5m is minutes, 5M months)".to_owned()))
            }
            Ok(duration) => Ok(Self::Ago(duration)),
            Err(e) => Err(NotSince(format!("neither boot nor report nor a duration such as 10s or 5m: {e}"))),
        }
    }
}

fn parse_netns(text: &str) -> Result<Netns, &'static str> {
    match text {
        "auto" => Ok(Netns::Auto),
        "self" => Ok(Netns::Own),
        _ => match text.parse() {
            Ok(pid) if pid > 0 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(Netns::Process(pid)),
            _ => Err("neither auto nor self nor a process number"),
        },
    }
}
