//! The command lines of `publish` and `watch`, which send reports.
#![expect(clippy::doc_markdown, reason = "these comments are the help texts, shown as they are")]

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum, ValueHint};

use super::report::ReportArgs;
use crate::delivery::mqtt::values::{ClientId, Host, Port, parse_path};
use crate::delivery::parse_timeout;
use crate::schedule::parse_interval;
use crate::sourced::{
    Sourced, from_path, from_str, parsed, sourced, sourced_enum, sourced_path, switch, utf8, whole_number,
};
use crate::thing::ThingName;
use crate::time::parse_duration;

#[derive(Debug, Args)]
#[command(mut_args(ReportArgs::form_of_sent))]
pub(crate) struct PublishArgs {
    /// Send one report and exit, which is the default; to send reports periodically, use watch
    #[arg(long, help_heading = "Delivery")]
    pub once: bool,
    /// Print the report and its destination; connect to nothing, and leave the state unchanged
    #[arg(long, help_heading = "Delivery")]
    pub dry_run: bool,
    /// Check the settings, connect and subscribe as for a report, but send none
    ///
    /// Prints nothing and exits with 0 when all of it works; -v prints each phase. Whether this client may publish cannot be
    /// checked without a report. Reads no metrics, leaves the state unchanged, and waits only for a report that is being sent.
    /// With --no-wait it subscribes to nothing.
    #[arg(long, conflicts_with = "dry_run", help_heading = "Delivery")]
    pub check: bool,
    #[command(flatten)]
    pub delivery: DeliveryArgs,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Debug, Args)]
#[command(mut_args(ReportArgs::form_of_sent))]
pub(crate) struct WatchArgs {
    /// The time between two reports, in seconds or as a duration such as 5m [default: 300]
    ///
    /// The service takes one report every 5 minutes; a shorter interval requires --allow-short-interval or --print.
    #[arg(short, long, value_name = "S", env = "DEVICE_DEFENDER_INTERVAL", hide_env_values = true)]
    #[arg(value_parser = sourced(|text| utf8(text, parse_interval)), help_heading = "Schedule")]
    pub interval: Option<Sourced<Duration>>,
    /// Wait this long before the first report [default: less than an interval, derived from the thing name]
    ///
    /// The default keeps a fleet that boots together from reporting together. With --print the default is no wait.
    #[arg(
        long,
        value_name = "DURATION",
        env = "DEVICE_DEFENDER_SPLAY",
        hide_env_values = true,
        help_heading = "Schedule"
    )]
    #[arg(value_parser = sourced(|text| utf8(text, parse_duration)))]
    pub splay: Option<Sourced<Duration>>,
    /// Allow an interval below 300 seconds
    #[arg(long, env = "DEVICE_DEFENDER_ALLOW_SHORT_INTERVAL", hide_env_values = true, help_heading = "Schedule")]
    #[arg(action = ArgAction::SetTrue, value_parser = sourced(switch))]
    pub allow_short_interval: Sourced<bool>,
    /// Exit after N cycles, with the exit code of the last one; every attempt is a cycle
    #[arg(long, value_name = "N", help_heading = "Schedule", value_parser = parsed(whole_number::<NonZeroU64>))]
    pub count: Option<NonZeroU64>,
    /// Read the interval and the /proc path from a connector definition; their flags and variables win
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Schedule")]
    pub params: Option<PathBuf>,
    /// Print each report as a line of JSON, and send nothing
    ///
    /// Needs no connection settings. Traffic is counted since the line before, and left out of the first line.
    #[arg(long, help_heading = "Delivery")]
    pub print: bool,
    #[command(flatten)]
    pub delivery: DeliveryArgs,
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Where reports go, and how: what `publish` and `watch` have in common. All problems are reported at once, by
/// `config::delivery`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Destination")]
pub(crate) struct DeliveryArgs {
    /// Send over MQTT, or through the Greengrass nucleus that runs this as a component
    ///
    /// [default: greengrass if a nucleus started this and no endpoint is given, else mqtt]
    #[arg(long, value_name = "TRANSPORT", env = "DEVICE_DEFENDER_VIA", hide_env_values = true)]
    #[arg(value_parser = sourced_enum::<Via>())]
    pub via: Option<Sourced<Via>>,
    /// The host name of the broker; for AWS IoT, what describe-endpoint --endpoint-type iot:Data-ATS prints
    #[arg(long, value_name = "HOST", env = "DEVICE_DEFENDER_ENDPOINT", hide_env_values = true)]
    #[arg(value_hint = ValueHint::Hostname, value_parser = sourced(from_str::<Host>))]
    pub endpoint: Option<Sourced<Host>>,
    /// The port [default: 8883; with --insecure-plaintext 1883]
    ///
    /// On port 443 the protocol x-amzn-mqtt-ca is requested (ALPN), as AWS IoT requires there.
    #[arg(long, value_name = "N", env = "DEVICE_DEFENDER_PORT", hide_env_values = true)]
    #[arg(value_parser = sourced(from_str::<Port>))]
    pub port: Option<Sourced<Port>>,
    /// The thing the report is about [default: $AWS_IOT_THING_NAME]
    #[arg(long, value_name = "NAME", env = "DEVICE_DEFENDER_THING_NAME", hide_env_values = true)]
    #[arg(value_parser = sourced(from_str::<ThingName>))]
    pub thing_name: Option<Sourced<ThingName>>,
    /// The MQTT client ID [default: THING-device-defender]
    ///
    /// Not the bare thing name: AWS IoT disconnects the older of two clients with the same ID, and the Greengrass core or
    /// another program on this device may use it. The policy must allow iot:Connect for the ID.
    #[arg(long, value_name = "ID", env = "DEVICE_DEFENDER_CLIENT_ID", hide_env_values = true)]
    #[arg(value_parser = sourced(from_str::<ClientId>))]
    pub client_id: Option<Sourced<ClientId>>,
    /// The version of MQTT [default: auto]
    ///
    /// With MQTT 5 a broker gives its reasons and limits. auto uses 5, or 3.1.1 if the broker refuses that.
    #[arg(long, value_name = "VERSION", env = "DEVICE_DEFENDER_MQTT_VERSION", hide_env_values = true)]
    #[arg(value_parser = sourced_enum::<MqttVersion>())]
    pub mqtt_version: Option<Sourced<MqttVersion>>,
    /// The certificates to trust, PEM [default: those of the system]
    #[arg(long, value_name = "FILE", env = "DEVICE_DEFENDER_CA_FILE", hide_env_values = true)]
    #[arg(value_hint = ValueHint::FilePath, value_parser = sourced_path(parse_path))]
    pub ca_file: Option<Sourced<PathBuf>>,
    /// The certificate of this device, PEM, followed by intermediates if there are any
    ///
    /// A service can have its files as credentials of systemd: ca.pem, cert.pem and key.pem in $CREDENTIALS_DIRECTORY come
    /// before the files that the config file names, which only root may be able to read.
    #[arg(long, value_name = "FILE", env = "DEVICE_DEFENDER_CERT_FILE", hide_env_values = true)]
    #[arg(value_hint = ValueHint::FilePath, value_parser = sourced_path(parse_path))]
    pub cert_file: Option<Sourced<PathBuf>>,
    /// The private key of this device, PEM, not encrypted
    #[arg(long, value_name = "FILE", env = "DEVICE_DEFENDER_KEY_FILE", hide_env_values = true)]
    #[arg(value_hint = ValueHint::FilePath, value_parser = sourced_path(parse_path))]
    pub key_file: Option<Sourced<PathBuf>>,
    /// Read missing settings from the Greengrass core in this directory
    ///
    /// Version 1 (config/config.json), version 2 (config/effectiveConfig.yaml, config/config.tlog) or nucleus lite
    /// (config.yaml, config.d). Without this flag, and when a setting is missing, /greengrass/v2, /greengrass and
    /// /etc/greengrass are tried.
    #[arg(long, value_name = "DIR", env = "DEVICE_DEFENDER_GREENGRASS_ROOT", hide_env_values = true)]
    #[arg(value_hint = ValueHint::DirPath, value_parser = sourced_path(from_path))]
    pub greengrass_root: Option<Sourced<PathBuf>>,
    /// Use MQTT without TLS; to a loopback address only
    #[arg(long, env = "DEVICE_DEFENDER_INSECURE_PLAINTEXT", hide_env_values = true)]
    #[arg(action = ArgAction::SetTrue, value_parser = sourced(switch))]
    pub insecure_plaintext: Sourced<bool>,
    /// Send JSON or CBOR; the topic ends with the name of the format
    #[arg(short, long, default_value = "json", env = "DEVICE_DEFENDER_FORMAT", hide_env_values = true)]
    #[arg(value_parser = sourced_enum::<PayloadFormat>(), help_heading = "Delivery")]
    pub format: Sourced<PayloadFormat>,
    /// Overall timeout, including waiting for another run, connecting, and the answer [default: 30s]
    ///
    /// Each phase before the report is sent (DNS, TCP, TLS, CONNECT, SUBSCRIBE) may take 10 seconds or a third of the
    /// timeout, whichever is longer. A slow link needs a longer timeout.
    #[arg(long, value_name = "DURATION", env = "DEVICE_DEFENDER_TIMEOUT", hide_env_values = true)]
    #[arg(value_parser = sourced(|text| utf8(text, parse_timeout)), help_heading = "Delivery")]
    pub timeout: Option<Sourced<Duration>>,
    /// Succeed once the broker acknowledges the report (PUBACK), or the nucleus takes it
    ///
    /// For brokers without Device Defender. Does not wait for its answer, and subscribes to nothing.
    #[arg(long, env = "DEVICE_DEFENDER_NO_WAIT", hide_env_values = true, help_heading = "Delivery")]
    #[arg(action = ArgAction::SetTrue, value_parser = sourced(switch))]
    pub no_wait: Sourced<bool>,
    /// The directory of the state file [default: see FILES in the man page]
    ///
    /// The file holds the last report ID, and the counters that the next report's traffic is counted from.
    #[arg(long, value_name = "DIR", env = "DEVICE_DEFENDER_STATE_DIR", hide_env_values = true)]
    #[arg(value_hint = ValueHint::DirPath, value_parser = sourced_path(from_path), help_heading = "Delivery")]
    pub state_dir: Option<Sourced<PathBuf>>,
}

/// The transports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Via {
    /// Through the nucleus, without certificate and key
    Greengrass,
    /// To an MQTT broker
    Mqtt,
}

/// The versions of MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MqttVersion {
    /// 5, or 3.1.1 if the broker refuses that
    Auto,
    /// 5 only
    #[value(name = "5")]
    V5,
    /// 3.1.1 only
    #[value(name = "3.1.1")]
    V311,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum PayloadFormat {
    /// To .../metrics/json
    #[default]
    Json,
    /// To .../metrics/cbor
    Cbor,
}
