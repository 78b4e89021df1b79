//! The command line of `validate-params`.
#![expect(clippy::doc_markdown, reason = "these comments are the help texts, shown as they are")]

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use crate::sourced::{from_str, parsed};

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("input").required(true).multiple(true))]
pub(crate) struct ValidateParamsArgs {
    /// The definition, - for standard input
    #[arg(value_hint = ValueHint::FilePath, group = "input")]
    #[arg(conflicts_with_all = ["sample_interval_seconds", "proc_destination_path_resource_id", "proc_destination_path"])]
    pub file: Option<PathBuf>,
    /// Check this SampleIntervalSeconds
    #[arg(long, value_name = "S", allow_hyphen_values = true, group = "input", value_parser = parsed(from_str::<String>))]
    pub sample_interval_seconds: Option<String>,
    /// Check this ProcDestinationPath-ResourceId
    #[arg(long, value_name = "R", allow_hyphen_values = true, group = "input", value_parser = parsed(from_str::<String>))]
    pub proc_destination_path_resource_id: Option<String>,
    /// Check this ProcDestinationPath
    #[arg(long, value_name = "P", allow_hyphen_values = true, group = "input", value_parser = parsed(from_str::<String>))]
    pub proc_destination_path: Option<String>,
    /// Also inspect the path on this machine
    ///
    /// Shows whether it exists, is a proc file system, can be read, and whose network namespace collect --proc would
    /// show. Without this flag only the input is checked.
    #[arg(long)]
    pub probe: bool,
    /// Print text, or one JSON document
    #[arg(short, long, value_enum, default_value_t)]
    pub format: VerdictFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum VerdictFormat {
    /// For people
    #[default]
    Text,
    /// For programs; one line, indented on a terminal
    Json,
}
