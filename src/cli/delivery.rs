//! The command lines of `publish` and `watch`, which send reports.
#![expect(clippy::doc_markdown, reason = "these comments are the help texts, shown as they are")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use super::ReportArgs;

/// Arguments of `publish`.
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// Send one report and end; for a report every few minutes there is watch
    #[arg(long, help_heading = "How it is sent")]
    pub once: bool,
    /// Print the report and tell where it would go; connect to nothing, and leave the state as it is
    #[arg(long, help_heading = "How it is sent")]
    pub dry_run: bool,
    /// Where it goes, and how.
    #[command(flatten)]
    pub delivery: DeliveryArgs,
    /// What is read, and how the report is written.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Arguments of `watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The time between two reports, in seconds or as a duration such as 5m [default: 300]
    ///
    /// The service takes a report every 5 minutes; less needs --allow-short-interval or --print.
    #[arg(long, value_name = "S", env = "DEVICE_DEFENDER_INTERVAL", hide_env_values = true, help_heading = "When")]
    pub interval: Option<String>,
    /// Wait this long before the first report [default: less than an interval, derived from the thing name]
    ///
    /// So a fleet that boots together does not report together. With --print there is no such wait unless it is given.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, help_heading = "When")]
    pub splay: Option<Duration>,
    /// Allow an interval below 300 seconds
    #[arg(long, help_heading = "When")]
    pub allow_short_interval: bool,
    /// End after so many cycles, with the exit code of the last one; every try is a cycle
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "When")]
    pub count: Option<u64>,
    /// Take interval and /proc path from a connector definition; flags and the environment come first
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "When")]
    pub params: Option<PathBuf>,
    /// Print each report as a line of JSON, and send nothing
    ///
    /// Needs no setting of a connection. Traffic is counted since the line before, and left out of the first.
    #[arg(long, help_heading = "How it is sent")]
    pub print: bool,
    /// Where it goes, and how.
    #[command(flatten)]
    pub delivery: DeliveryArgs,
    /// What is read, and how the report is written.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Where reports go, and how: what `publish` and `watch` have in common. Texts are checked all together, in
/// `delivery::settings`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where it goes")]
pub struct DeliveryArgs {
    /// The host name of the broker: of AWS IoT, what describe-endpoint --endpoint-type iot:Data-ATS prints
    #[arg(long, value_name = "HOST", env = "DEVICE_DEFENDER_ENDPOINT", hide_env_values = true)]
    #[arg(value_hint = ValueHint::Hostname)]
    pub endpoint: Option<String>,
    /// The port [default: 8883; with --insecure-plaintext 1883]
    ///
    /// On 443 the protocol x-amzn-mqtt-ca is asked for (ALPN), as AWS IoT wants it there.
    #[arg(long, value_name = "N", env = "DEVICE_DEFENDER_PORT", hide_env_values = true)]
    pub port: Option<String>,
    /// The thing the report is about [default: $AWS_IOT_THING_NAME]
    #[arg(long, value_name = "NAME", env = "DEVICE_DEFENDER_THING_NAME", hide_env_values = true)]
    pub thing_name: Option<String>,
    /// The MQTT client id [default: THING-device-defender]
    ///
    /// Not the bare thing name: AWS IoT disconnects the older of two clients with one id, and the Greengrass core of this
    /// device, or its own program, may have that. The policy must allow iot:Connect for it.
    #[arg(long, value_name = "ID", env = "DEVICE_DEFENDER_CLIENT_ID", hide_env_values = true)]
    pub client_id: Option<String>,
    /// The certificates to trust, PEM [default: those of the system]
    #[arg(long, value_name = "FILE", env = "DEVICE_DEFENDER_CA_FILE", hide_env_values = true)]
    #[arg(value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// The certificate of this device, PEM; with intermediates behind it, if there are any
    #[arg(long, value_name = "FILE", env = "DEVICE_DEFENDER_CERT_FILE", hide_env_values = true)]
    #[arg(value_hint = ValueHint::FilePath)]
    pub cert_file: Option<PathBuf>,
    /// The private key of this device, PEM, not encrypted
    #[arg(long, value_name = "FILE", env = "DEVICE_DEFENDER_KEY_FILE", hide_env_values = true)]
    #[arg(value_hint = ValueHint::FilePath)]
    pub key_file: Option<PathBuf>,
    /// Take what is not given otherwise from the Greengrass core below this directory
    ///
    /// Version 1 (config/config.json) or 2 (config/effectiveConfig.yaml). Without this flag, and when a setting is
    /// missing, /greengrass/v2 and /greengrass are looked at.
    #[arg(long, value_name = "DIR", env = "DEVICE_DEFENDER_GREENGRASS_ROOT", hide_env_values = true)]
    #[arg(value_hint = ValueHint::DirPath)]
    pub greengrass_root: Option<PathBuf>,
    /// Use MQTT without TLS; to a loopback address only
    #[arg(long)]
    pub insecure_plaintext: bool,
    /// Send JSON or CBOR; the topic ends with the same word
    #[arg(long, value_enum, default_value_t, help_heading = "How it is sent")]
    pub format: PayloadFormat,
    /// The time for all of it: waiting for another run, connecting, the answer [default: 30s]
    #[arg(long, value_name = "DURATION", env = "DEVICE_DEFENDER_TIMEOUT", hide_env_values = true)]
    #[arg(help_heading = "How it is sent")]
    pub timeout: Option<String>,
    /// Be content when the broker has taken the report, and do not wait for Device Defender's answer
    ///
    /// For brokers that no Device Defender listens to. Nothing is subscribed to then.
    #[arg(long, help_heading = "How it is sent")]
    pub no_wait: bool,
    /// The directory of the state file [default: see FILES in the man page]
    ///
    /// It holds the last report id, and the counters that the next report's traffic is counted from.
    #[arg(long, value_name = "DIR", env = "DEVICE_DEFENDER_STATE_DIR", hide_env_values = true)]
    #[arg(value_hint = ValueHint::DirPath, help_heading = "How it is sent")]
    pub state_dir: Option<PathBuf>,
}

/// How a report is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum PayloadFormat {
    /// To .../metrics/json
    #[default]
    Json,
    /// To .../metrics/cbor
    Cbor,
}
