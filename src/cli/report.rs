//! The flags of every reporting command: what is read, and how a report is written.
#![expect(clippy::doc_markdown, reason = "these comments are the help texts, shown as they are")]

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Arg, Args, ValueEnum, ValueHint};

use crate::collector::proc::root::Netns;
use crate::sourced::{Sourced, from_path, from_str, sourced, sourced_enum, sourced_path, whole_number};
use crate::time::{DurationError, parse_duration};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Input")]
pub(crate) struct SourceArgs {
    /// Read settings from this file [default: /etc/device-defender/config.toml, if it exists]
    ///
    /// TOML. A key is the name of a flag that has an environment variable, as in thing-name = "gw"; flags and variables win.
    /// Relative paths are relative to the directory of the file. generate config prints a file to start from.
    #[arg(long, value_name = "FILE", env = "DEVICE_DEFENDER_CONFIG", hide_env_values = true)]
    #[arg(value_hint = ValueHint::FilePath, value_parser = sourced_path(from_path))]
    pub config: Option<Sourced<PathBuf>>,
    /// Read the tables below this path instead of /proc
    ///
    /// A proc file system mounted anywhere, such as a host's /proc in a container, or a saved copy of one.
    #[arg(long, value_name = "PATH", default_value = "/proc", value_hint = ValueHint::DirPath)]
    #[arg(env = "DEVICE_DEFENDER_PROC", hide_env_values = true, value_parser = sourced_path(from_path))]
    pub proc: Sourced<PathBuf>,
    /// Whose network namespace to show: auto, self, or a process ID
    ///
    /// auto: for /proc itself the namespace of this process; for any other path that of its process 1 (PATH/1/net), else
    /// the reader's (PATH/net, PATH/self/net). -v shows which was used.
    #[arg(long, value_name = "WHOSE", default_value = "auto", env = "DEVICE_DEFENDER_NETNS", hide_env_values = true)]
    #[arg(value_parser = sourced(from_str::<Netns>))]
    pub netns: Sourced<Netns>,
    /// Where to read sockets from
    #[arg(long, default_value = "auto", env = "DEVICE_DEFENDER_SOURCE", hide_env_values = true)]
    #[arg(value_name = "SOURCE", value_parser = sourced_enum::<SourceArg>())]
    pub source: Sourced<SourceArg>,
    /// Leave interfaces that match this pattern out of the traffic; may be given more than once
    ///
    /// The pattern may contain *, ? and [...]. Several patterns may be given with commas between them. Loopback counts each
    /// byte twice, and so does a bridge with its ports.
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    #[arg(env = "DEVICE_DEFENDER_EXCLUDE_INTERFACE", hide_env_values = true)]
    #[arg(value_parser = sourced(from_str::<glob::Pattern>))]
    pub exclude_interface: Vec<Sourced<glob::Pattern>>,
    /// Add the custom metrics in this file, - for standard input
    ///
    /// watch reads the file each time, and no standard input. A JSON object, {"name": 1} or {"name": [{"number": 1}]}, with
    /// the types number, number_list, string_list and ip_list. All limits of the service are checked first.
    #[arg(long, value_name = "FILE", env = "DEVICE_DEFENDER_CUSTOM_METRICS", hide_env_values = true)]
    #[arg(value_hint = ValueHint::FilePath, value_parser = sourced_path(from_path))]
    pub custom_metrics: Option<Sourced<PathBuf>>,
    /// Exit with 65 when a row was malformed, with 66 when a table or the host's network namespace could not be read
    ///
    /// The report is still printed or sent.
    #[arg(long)]
    pub strict: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Write long or short field names
    #[arg(long, default_value = "long", value_parser = sourced_enum::<NamesArg>(), help_heading = "Output")]
    pub names: Sourced<NamesArg>,
    /// Cut the lists so that the report takes at most this many bytes
    ///
    /// The totals stay true. One entry for each port and each remote address is kept first. A report that is sent is cut
    /// to 128000 bytes by default, the most that AWS IoT is sure to accept, or to 7200 if a Greengrass nucleus takes no more.
    /// A report that is printed is cut only with this flag; then JSON is on one line, and its newline counts.
    #[arg(long, value_name = "N", value_parser = sourced(whole_number::<usize>), help_heading = "Output")]
    pub max_bytes: Option<Sourced<usize>>,
    /// Write what another agent wrote, for profiles tuned to it
    ///
    /// connector: as AWS's Greengrass connector and its Python agent did. One entry per socket, the wildcard address as
    /// interface, null for an unknown local_interface, every UDP socket, IPv4-mapped addresses as they are, no empty lists.
    /// Connections that would look the same are one entry. IPv6 peers are in brackets, as in the agent's source since January
    /// 2021; its last release on PyPI (December 2020) wrote none.
    #[arg(long, value_name = "AGENT", value_parser = sourced_enum::<Compat>(), help_heading = "Output")]
    pub compat: Option<Sourced<Compat>>,
}

impl ReportArgs {
    /// Makes the form of a report a setting, which it is of reports that are sent: those that a person asks for are as the
    /// flags say.
    pub(super) fn form_of_sent(arg: Arg) -> Arg {
        let arg = match arg.get_id().as_str() {
            "names" => arg.env("DEVICE_DEFENDER_NAMES"),
            "max_bytes" => arg.env("DEVICE_DEFENDER_MAX_BYTES"),
            "compat" => arg.env("DEVICE_DEFENDER_COMPAT"),
            _ => return arg,
        };
        arg.hide_env_values(true)
    }
}

/// Where sockets are read from; everything else is always read from files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SourceArg {
    /// netlink for the network namespace of this process without --proc; else, and where the kernel refuses, proc
    Auto,
    /// The tables in /proc/net, or below the path of --proc
    Proc,
    /// Ask the kernel (sock_diag): half of the work, and shows which sockets are bound to one interface
    Netlink,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum NamesArg {
    /// listening_tcp_ports, and so on
    #[default]
    Long,
    /// tp, and so on: about two thirds of the bytes
    Short,
}

/// Another agent whose reports can be imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compat {
    /// AWS's Greengrass Device Defender connector
    Connector,
}

/// The start of the period that traffic is counted over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// When each interface appeared, at boot at the earliest.
    Boot,
    /// The last accepted report.
    Report,
    /// So long ago: the counters are read twice, that far apart.
    Ago(Duration),
}

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const DAY: Duration = Duration::from_secs(86400);
        match (text, parse_duration(text)) {
            ("boot", _) => Ok(Self::Boot),
            ("report", _) => Ok(Self::Report),
            (_, Err(DurationError::TooLong)) => Err("too long"),
            (_, Err(DurationError::Malformed)) => Err("expected boot, report, seconds (10) or a duration (5m)"),
            (_, Ok(duration)) if duration.is_zero() => Err("a duration must be longer than 0"),
            (_, Ok(duration)) if duration > DAY => {
                Err("a duration is at most 1day, because it is waited for (5m is minutes, 5M months)")
            }
            (_, Ok(duration)) => Ok(Self::Ago(duration)),
        }
    }
}
