//! The command line of `detect`.
#![expect(clippy::doc_markdown, reason = "these comments are the help texts, shown as they are")]

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::{Since, SourceArgs};
use crate::thing::ThingName;

/// Arguments of `detect`.
#[derive(Debug, Args)]
pub struct DetectArgs {
    /// The security profile, or its list of behaviors, - for standard input; may be given more than once
    #[arg(long, value_name = "FILE", required = true, num_args = 1.., value_hint = ValueHint::FilePath)]
    pub profile: Vec<PathBuf>,
    /// Judge the reports in this file instead of this device, - for standard input
    ///
    /// JSON, one report a line or indented, also after its topic as mosquitto_sub -v writes it; or CBOR. With more than
    /// one report alarms are told as they begin and end. An input that stays open for 3 seconds after its first report
    /// counts as more than one. Nothing of this device is read then.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(conflicts_with_all = ["netns", "exclude_interface", "custom_metrics", "strict", "since", "processes"])]
    pub report: Option<PathBuf>,
    /// What is read.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Count traffic since: boot, report, or for a duration such as 300s [default: report, where there was one]
    ///
    /// boot: all that the counters show. report: since the last report that Device Defender accepted, as the state file
    /// tells. A duration: wait that long between two looks at the counters. A behavior with
    /// durationSeconds is judged as far as such a figure tells; with boot it is not, as what that covers is not known.
    #[arg(long, value_name = "WHEN", help_heading = "What is read")]
    pub since: Option<Since>,
    /// The thing whose state file is read [default: $AWS_IOT_THING_NAME, or the only one there is]
    ///
    /// With --report, the thing that reports are of which do not come after a topic; then there is no default.
    #[arg(long, value_name = "NAME", env = "DEVICE_DEFENDER_THING_NAME", hide_env_values = true)]
    #[arg(help_heading = "What is read")]
    pub thing_name: Option<ThingName>,
    /// The directory of the state file [default: see FILES in the man page]
    #[arg(long, value_name = "DIR", env = "DEVICE_DEFENDER_STATE_DIR", hide_env_values = true)]
    #[arg(value_hint = ValueHint::DirPath, help_heading = "What is read")]
    pub state_dir: Option<PathBuf>,
    /// Print a table for people, or JSON: the verdicts in one document, of many reports the events, one a line
    #[arg(long, value_enum, default_value_t, help_heading = "How it is written")]
    pub format: DetectFormat,
    /// Show which processes own the ports and connections that violate a behavior
    ///
    /// Looks at every open descriptor of every process; other users' processes take root. For tables.
    #[arg(long, help_heading = "How it is written")]
    pub processes: bool,
}

/// How `detect` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum DetectFormat {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}
