//! The command line of `detect`.
#![expect(clippy::doc_markdown, reason = "these comments are the help texts, shown as they are")]

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum, ValueHint};

use super::report::{Since, SourceArgs};
use crate::detect::learn::Prefixes;
use crate::sourced::{Sourced, from_path, from_str, parsed, sourced, sourced_path, whole_number};
use crate::thing::ThingName;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").args(["profile", "learn"]).required(true))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct DetectArgs {
    /// The security profile, or its list of behaviors, - for standard input; may be given more than once
    ///
    /// JSON or YAML: what aws iot describe-security-profile prints, a CloudFormation template with its profiles, as cdk synth
    /// prints it, a list of behaviors, or a single behavior.
    #[arg(long, value_name = "FILE", num_args = 1.., value_hint = ValueHint::FilePath)]
    pub profile: Vec<PathBuf>,
    /// Print a profile that this device, or the reports of --report, conform to, as a start to be edited
    ///
    /// Both --profile and the --cli-input-json of aws iot create-security-profile read this profile. It allows the
    /// listening ports and the destination addresses that were seen. Numbers of ports and connections, and traffic, may reach
    /// half as much again as the most that was seen, and at least 5 more. If no port was listening, none may; if there was no
    /// connection, every address is forbidden. Reports of several things make one profile, which allows whatever any of them
    /// did. A metric that is unknown has no behavior, and a warning says so. Traffic is learned over 5 to 60 minutes, so it
    /// takes --since 300s, a state file, or several reports. Custom metrics are not learned. Read the profile before you use
    /// it: it also allows what should not have been there.
    #[arg(long, conflicts_with_all = ["table", "processes"])]
    pub learn: bool,
    /// With --learn, allow the networks of this size around the addresses, such as 24,64 for IPv4 and IPv6
    ///
    /// A security profile holds at most 1000 ports, addresses and limits.
    #[arg(long, value_name = "V4,V6", requires = "learn", conflicts_with = "profile")]
    pub learn_prefix: Option<Prefixes>,
    /// Check the reports in this file instead of this device, - for standard input
    ///
    /// Reports of one device: JSON, one report per line or indented, or CBOR; also after their topic, as mosquitto_sub -v
    /// prints it. Messages of many devices, one per line: JSON as mosquitto_sub -F %j or %J prints it, or hexadecimal, which
    /// CBOR requires, as mosquitto_sub -F '%x %t' prints it. Their topics contain the thing names. The first line decides the
    /// form. With more than one report, alarms are printed as they start and end. An input that stays open for 3 seconds after
    /// its first report counts as more than one. Nothing of this device is read.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(conflicts_with_all = ["strict", "since", "processes"])]
    pub report: Option<PathBuf>,
    /// With --report and mosquitto_sub -v, accept reports of many things
    ///
    /// A report can contain lines that look like reports of other things after their topics, so with this flag, any device can
    /// raise and clear the alarms of all others. Without it, reading ends at the first report of a second thing.
    #[arg(long, requires = "report", help_heading = "Input")]
    pub trust_devices: bool,
    /// With --report, remember at most this many things, and forget the least recently seen first
    ///
    /// A forgotten thing starts over with its next report, without the windows, counts and alarms of before; a warning says
    /// once that this happens. A thing takes about 200 bytes of memory, 16 for each of its behaviors that is in alarm or was
    /// violated last, and for each traffic metric with durationSeconds 16 for each report in the longest window, at most 12
    /// KiB: of more than 512 reports in a window, some are merged, and the figure may cover up to a 20th more.
    #[arg(long, value_name = "N", default_value = "10000", value_parser = parsed(whole_number::<NonZeroU32>))]
    #[arg(requires = "report")]
    pub max_things: NonZeroU32,
    #[command(flatten)]
    pub source: SourceArgs,
    /// Count traffic since: boot, report, or for a duration such as 300s [default: report, if one was accepted]
    ///
    /// boot: everything the counters show. report: since the last report that Device Defender accepted, according to the
    /// state file. A duration: read the counters twice, that far apart. A behavior with durationSeconds is judged as far as
    /// the figure allows; with boot it is not judged, because the time that the counters cover is unknown.
    #[arg(long, value_name = "WHEN", value_parser = sourced(from_str::<Since>), help_heading = "Input")]
    pub since: Option<Sourced<Since>>,
    /// The thing whose state file is read [default: $AWS_IOT_THING_NAME, or the only one there is]
    ///
    /// With --report, the thing of reports that have no topic, and there is no default. Reports with the topic of another thing
    /// are errors. Give it if a single device that is not trusted writes the whole input, because the form of its first report
    /// could be that of messages of many devices.
    #[arg(long, value_name = "NAME", env = "DEVICE_DEFENDER_THING_NAME", hide_env_values = true)]
    #[arg(value_parser = sourced(from_str::<ThingName>), help_heading = "Input")]
    pub thing_name: Option<Sourced<ThingName>>,
    /// The directory of the state file [default: see FILES in the man page]
    #[arg(long, value_name = "DIR", env = "DEVICE_DEFENDER_STATE_DIR", hide_env_values = true)]
    #[arg(value_hint = ValueHint::DirPath, value_parser = sourced_path(from_path), help_heading = "Input")]
    pub state_dir: Option<Sourced<PathBuf>>,
    /// Print a table for people, or JSON: the verdicts in one document, or for several reports the events, one per line
    /// [default: table]
    #[arg(short, long, value_enum, help_heading = "Output")]
    format: Option<DetectFormat>,
    /// Print a table for people, like --format table
    #[arg(short, conflicts_with = "format", help_heading = "Output")]
    table: bool,
    /// Show which processes own the ports and connections that violate a behavior
    ///
    /// Reads every open descriptor of every process; seeing other users' processes requires root. For tables.
    #[arg(short, long, help_heading = "Output")]
    pub processes: bool,
}

impl DetectArgs {
    pub(crate) fn format(&self) -> DetectFormat {
        self.format.unwrap_or(DetectFormat::Table)
    }

    /// Whether a table is asked for, and not only the default.
    pub(crate) fn asks_for_table(&self) -> bool {
        self.format == Some(DetectFormat::Table)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DetectFormat {
    /// For people
    Table,
    /// For programs
    Json,
}
