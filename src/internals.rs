//! What property tests, benches and fuzz targets call. Not an interface: it changes with the code.

use clap::CommandFactory;

pub use crate::cli::Since;
pub use crate::schedule::{Schedule, default_splay, first_tick};
pub use crate::state::{NoBaseline, State, StateError, things};
pub use crate::text::{escape, escape_json, quote};
pub use crate::thing::{ThingName, ThingNameError};

/// The command line, for the man pages.
pub fn command() -> clap::Command {
    crate::cli::Cli::command()
}

pub mod collector {
    pub use crate::collector::addresses::Addresses;
    pub use crate::collector::counters::{Counters, Interfaces};
    pub use crate::collector::netlink::NetlinkError;
    pub use crate::collector::netlink::sockets::SocketDump;
    pub use crate::collector::proc::interfaces::{
        FibAddresses, Network, endian_of_route, read_fib_trie, read_if_inet6, read_route,
    };
    pub use crate::collector::proc::numbers::{Endian, HexAddress};
    pub use crate::collector::proc::owners::Owners;
    pub use crate::collector::proc::root::{HostId, Netns, ProcRoot, RootError};
    pub use crate::collector::proc::sockets::{SocketTable, read};
    pub use crate::collector::proc::tables::{Excerpt, Malformed, RowError, TableError};
    pub use crate::collector::sockets::{Address, Socket, SocketState, Sockets, in_state};
    pub use crate::collector::{Collector, Problem, Protocol, Refusal, Sample, SocketSource, Source, Table, TableRead};
    pub mod counters {
        pub use crate::collector::proc::counters::read;
    }
    pub mod netlink {
        pub use crate::collector::netlink::addresses::read_answer as read_addresses;
        pub use crate::collector::netlink::sockets::read_answer as read_sockets;
    }
}

pub mod config {
    use std::path::{Path, PathBuf};

    use clap::{Args, Command, FromArgMatches};

    use crate::cli::WatchArgs;
    pub use crate::config::entries::{Entry, SyntaxError, Value, parse, quote};
    use crate::config::file::fill;

    /// Adds these entries to an empty command line of `watch`. Returns the custom metrics' file, how many patterns of
    /// interfaces there are, and all errors in keys and types.
    pub fn fill_watch(entries: &[Entry]) -> (Option<PathBuf>, usize, Vec<String>) {
        let matches = WatchArgs::augment_args(Command::new("watch")).try_get_matches_from(["watch"]);
        let args = matches.and_then(|matches| Ok((WatchArgs::from_arg_matches(&matches)?, matches)));
        let (mut args, matches) = match args {
            Ok(parsed) => parsed,
            Err(error) => return (None, 0, vec![error.to_string()]),
        };
        let filled = fill(&mut args, &matches, Path::new("/etc/config.toml"), entries);
        let source = args.report.source;
        let file = source.custom_metrics.map(|given| crate::config::path(&given).to_owned());
        (file, source.exclude_interface.len(), filled.errors.iter().map(ToString::to_string).collect())
    }
}

pub mod delivery {
    use std::ffi::OsStr;
    use std::path::PathBuf;

    use crate::delivery::mqtt::credentials::Certificate;
    use crate::delivery::mqtt::pem;
    use crate::delivery::mqtt::values::{ClientId, Host, parse_path};

    #[cfg(feature = "greengrass")]
    pub use crate::delivery::greengrass::frames::{Frame, FrameError, Frames, HeaderValue};
    #[cfg(feature = "greengrass")]
    pub use crate::delivery::greengrass::messages::{Incoming as NucleusMessage, Operation};
    pub use crate::delivery::mqtt::packets::{ConnAck, Incoming, Limits, Message, Outgoing, PacketError, Packets};
    pub use crate::delivery::mqtt::reason::{Carrier, Reason};
    pub use crate::delivery::mqtt::version::Version;
    pub use crate::delivery::reply::{Answer, Rejection, Reply, ReplyError};

    /// The subjects of the certificates in a PEM file, `None` for one that is not X.509.
    pub fn certificates(text: &[u8]) -> Result<Vec<Option<String>>, String> {
        let certificates = pem::certificates(text).map_err(|(_, reason)| reason)?;
        Ok(certificates.iter().map(|der| Some(Certificate::parse(der)?.subject)).collect())
    }

    /// Whether a PEM file has a private key that can be used, or why not.
    pub fn private_key(text: &[u8]) -> Result<(), String> {
        pem::private_key(text).map(drop).map_err(|(_, reason)| reason)
    }

    pub fn host(text: &str) -> Result<String, String> {
        text.parse().map(|Host(name)| name.to_str().into_owned()).map_err(str::to_owned)
    }

    pub fn client_id(text: &str) -> Result<String, String> {
        text.parse().map(|ClientId(id)| id)
    }

    /// The path of a credential file, from a path or a URI.
    pub fn credential_path(text: &OsStr) -> Result<PathBuf, String> {
        parse_path(text)
    }
}

#[cfg(feature = "detect")]
pub mod detect {
    pub use crate::detect::alarms::{
        AlarmChange, AlarmEvent, AlarmRules, AlarmStart, BehaviorOutcome, BehaviorState, DeviceState, Processed,
    };
    pub use crate::detect::criterion::{Answer, Comparison, Criterion, Membership, Networks, Numbers, Set};
    pub use crate::detect::judge::{Coverage, Judgment, Verdict, judge};
    pub use crate::detect::measured::Measured;
    pub use crate::detect::metric::Metric;
    pub use crate::detect::observation::{Observation, Rejection};
    pub use crate::detect::profile::{Behavior, Meaning, Profile, ProfileError, ProfileFault, Rule};
    pub use crate::detect::recent::RecentThings;
    pub use crate::detect::report_parser::{MAX_REPORT, ReportError};
    pub use crate::detect::reports::{Place, ReadError, Received, Reports};
}

pub mod document {
    pub use crate::document::{DocumentError, parse};
}

pub mod greengrass {
    use std::ffi::OsStr;
    use std::path::Path;

    use clap::{Args, Command, FromArgMatches};

    use crate::cli::DeliveryArgs;
    pub use crate::config::cores::{Core, CoreError, Field};
    #[cfg(feature = "greengrass")]
    pub use crate::config::greengrass::read;
    use crate::delivery::TransportSettings;

    /// Resolves the settings of the Greengrass core in `root`. Returns the client ID of complete settings, and all errors.
    pub fn resolve_core(root: &Path) -> (Option<String>, Vec<String>) {
        let command = DeliveryArgs::augment_args(Command::new("core"));
        let words = [OsStr::new("core"), OsStr::new("--greengrass-root"), root.as_os_str()];
        let matches = command.try_get_matches_from(words);
        let args = match matches.and_then(|matches| DeliveryArgs::from_arg_matches(&matches)) {
            Ok(args) => args,
            Err(error) => return (None, vec![error.to_string()]),
        };
        let mut errors = Vec::new();
        let settings = crate::config::delivery::resolve(&args, &mut errors).settings;
        let client_id = settings.and_then(|settings| match settings.transport {
            TransportSettings::Mqtt(mqtt) => Some(mqtt.client_id),
            TransportSettings::Greengrass(_) => None,
        });
        (client_id, errors.iter().map(ToString::to_string).collect())
    }
}

pub mod params {
    pub use crate::params::definition::{Connector, Definition, Finding, UnknownShape};
    pub use crate::params::{Parameter, ParameterFault, ProcDestinationPath, SampleInterval};
}

pub mod report {
    pub use crate::report::budget::{Cut, FitError, fit};
    pub use crate::report::custom::{CustomError, CustomMetrics, CustomNumber, CustomValue, MetricFault};
    pub use crate::report::display::{View, write};
    pub use crate::report::encode::{Encoding, pretty_json};
    pub use crate::report::names::{LONG, Names, SHORT};
    pub use crate::report::traffic::{NetworkStats, since};
    pub use crate::report::{Connection, Connections, Interface, Options, Port, Ports, Report, Style};
}
