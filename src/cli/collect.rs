//! The command line of `collect`.
#![expect(clippy::doc_markdown, reason = "these comments are the help texts, shown as they are")]

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::report::{ReportArgs, Since};
use crate::sourced::{Sourced, from_path, from_str, sourced, sourced_path};
use crate::thing::ThingName;

#[derive(Debug, Args)]
pub(crate) struct CollectArgs {
    #[command(flatten)]
    pub report: ReportArgs,
    /// Count traffic since: boot, report, or for a duration such as 10s
    ///
    /// boot: everything the counters show. report: since the last report that Device Defender accepted, according to the
    /// state file. A duration: read the counters twice, that far apart.
    #[arg(long, value_name = "WHEN", default_value = "boot", help_heading = "Input")]
    #[arg(value_parser = sourced(from_str::<Since>))]
    pub since: Sourced<Since>,
    /// The thing whose state file --since report reads [default: $AWS_IOT_THING_NAME, or the only one there is]
    #[arg(long, value_name = "NAME", env = "DEVICE_DEFENDER_THING_NAME", hide_env_values = true)]
    #[arg(value_parser = sourced(from_str::<ThingName>), help_heading = "Input")]
    pub thing_name: Option<Sourced<ThingName>>,
    /// The directory of the state file [default: see FILES in the man page]
    #[arg(long, value_name = "DIR", env = "DEVICE_DEFENDER_STATE_DIR", hide_env_values = true)]
    #[arg(value_hint = ValueHint::DirPath, value_parser = sourced_path(from_path), help_heading = "Input")]
    pub state_dir: Option<Sourced<PathBuf>>,
    /// Print JSON, CBOR, or tables for people
    #[arg(short, long, value_enum, default_value_t, help_heading = "Output")]
    format: Format,
    /// Print tables for people, like --format table
    #[arg(short, conflicts_with = "format", help_heading = "Output")]
    table: bool,
    /// Show in the tables which processes own the sockets
    ///
    /// Reads every open descriptor of every process; seeing other users' processes requires root. A connection
    /// that no process has accepted yet has the owner -.
    #[arg(short, long, help_heading = "Output")]
    pub processes: bool,
}

impl CollectArgs {
    pub(crate) fn format(&self) -> Format {
        if self.table { Format::Table } else { self.format }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// One line; indented on a terminal
    #[default]
    Json,
    /// For a program; refused on a terminal
    Cbor,
    /// For people
    Table,
}
