//! Text of the man pages that clap does not know: JSON fields, exit codes, environment, files, examples.

mod generate;

use device_defender::Exit;

/// A term and its description, one `.TP` of a page.
pub(super) type Entry = (&'static str, &'static str);

/// The sections of one page that follow those made by clap.
pub(super) struct Page {
    /// The subcommand; empty for the program itself.
    pub(super) command: &'static str,
    pub(super) json_output: &'static [Entry],
    /// The exit codes of this command, and when it uses them; `""` stands for [`Exit::meaning`]. Empty: all exit codes.
    pub(super) exits: &'static [(Exit, &'static str)],
    /// Environment variables that do not set an option.
    pub(super) environment: &'static [&'static [Entry]],
    pub(super) files: &'static [Entry],
    /// A description and a command line.
    pub(super) examples: &'static [Entry],
    pub(super) see_also: &'static str,
}

const SUCCESS: (Exit, &str) = (Exit::Success, "Success. Also when the reader of standard output went away.");
const USAGE: (Exit, &str) = (Exit::Usage, "");
const BUG: (Exit, &str) = (Exit::Bug, "");
const OUTPUT: (Exit, &str) = (Exit::Output, "");
const BAD_REPORT_INPUT: (Exit, &str) =
    (Exit::Input, "The custom metrics are invalid; with --strict, also when a row of a table is malformed.");
const NO_REPORT_INPUT: (Exit, &str) = (
    Exit::NoInput,
    "A file could not be opened, or no /proc table could be read; with --strict, also when one table of the report, or the \
     network namespace of the host, could not be read.",
);
const BAD_VARIABLE: (Exit, &str) = (
    Exit::Settings,
    "An environment variable or the config file is wrong, or the thing of the state file is ambiguous.",
);
const NOT_SENT: (Exit, &str) = (Exit::Unavailable, "");
const TRY_LATER: (Exit, &str) = (Exit::TryLater, "");
const REJECTED: (Exit, &str) = (Exit::Rejected, "");
const NOT_AUTHORIZED: (Exit, &str) = (Exit::NotAuthorized, "");
const BAD_SETTING: (Exit, &str) = (Exit::Settings, "");

const COLOR: &[Entry] =
    &[("NO_COLOR, TERM", "With NO_COLOR set and not empty, or TERM set to dumb, --color auto means never.")];
/// Where commands that use the state file look for it.
const STATE: &[Entry] = &[
    ("AWS_IOT_THING_NAME", "The thing name if neither --thing-name nor its variable is set. Greengrass sets it."),
    ("STATE_DIRECTORY", "The state directory if neither --state-dir nor its variable is set. systemd sets it."),
    (
        "XDG_STATE_HOME, HOME",
        "The default state directory of a user other than root is $XDG_STATE_HOME/device-defender, or \
         ~/.local/state/device-defender.",
    ),
];
const TLS: &[Entry] =
    &[("SSL_CERT_FILE, SSL_CERT_DIR", "Where to find the system's trusted certificates, instead of the usual places.")];
const NUCLEUS: &[Entry] = &[(
    "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT, SVCUID",
    "The socket of a Greengrass nucleus, and this component's token, which is a secret. The nucleus sets them.",
)];
const SYSTEMD: &[Entry] = &[
    (
        "NOTIFY_SOCKET, WATCHDOG_USEC",
        "Where to report the state of the service, and the watchdog interval. systemd sets them.",
    ),
    ("JOURNAL_STREAM", "If standard error is the journal, log lines start with their priority. systemd sets it."),
];

const CREDENTIALS: &[Entry] = &[(
    "CREDENTIALS_DIRECTORY",
    "Where ca.pem, cert.pem and key.pem are taken from, each if it is there, unless a flag or its variable gives the file. systemd \
     sets it for a service with LoadCredential=.",
)];
/// The settings of all commands.
const CONFIG_FILE: Entry = (
    "/etc/device-defender/config.toml",
    "Settings, in TOML: a line for each, KEY = VALUE. KEY is the name of a flag that has an environment variable, without its \
     dashes. VALUE is text in quotes or a whole number; true or false for a flag that takes no value; for a flag that may be given \
     more than once, also a list. Keys of other commands are skipped, unknown keys are errors. Flags and variables win over the \
     file, and the file wins over the configuration of a Greengrass core. A user who may not read the file is warned.",
);

const STATE_FILE: &str = "/var/lib/device-defender/THING.json";
const LOCK_FILE: Entry =
    ("/var/lib/device-defender/THING.lock", "Locked from before a report is collected until its answer has arrived.");
const GREENGRASS_FILES: Entry = (
    "/greengrass/v2/config/effectiveConfig.yaml, /greengrass/v2/config/config.tlog, /greengrass/config/config.json, \
     /etc/greengrass/config.yaml, /etc/greengrass/config.d/*.yaml",
    "The configuration of a Greengrass core, which provides missing settings.",
);

pub(super) const PAGES: [Page; 7] = [
    Page {
        command: "",
        json_output: &[],
        exits: &[],
        environment: &[COLOR],
        files: &[],
        examples: &[("Print a report of this device:", "device-defender collect")],
        see_also: "device-defender-collect(1), device-defender-detect(1), device-defender-publish(1), \
                   device-defender-watch(1), device-defender-validate-params(1), device-defender-generate(1), ss(8), proc(5)",
    },
    Page {
        command: "collect",
        json_output: &[
            (
                "header.report_id (hed.rid)",
                "The time in seconds since 1970. With --since report, it is always greater than the ID of the last report sent.",
            ),
            ("header.version (hed.v)", "Always \"1.0\". JSON Schema: man/schema/report.json."),
            (
                "metrics.listening_tcp_ports, metrics.listening_udp_ports (met.tp, met.up)",
                "The list ports (pts) of port (pt) and interface (if), and their total (t). interface is left out if the \
                 socket is bound to all addresses, or if the interface is unknown. UDP ports are those of unconnected \
                 sockets.",
            ),
            (
                "metrics.network_stats (met.ns)",
                "bytes_in, bytes_out, packets_in, packets_out (bi, bo, pi, po): the sums over all interfaces.",
            ),
            (
                "metrics.tcp_connections.established_connections (met.tc.ec)",
                "The list connections (cs) of remote_addr (rad), local_port (lp) and local_interface (li), and their \
                 total (t).",
            ),
            ("custom_metrics (cmet)", "The metrics from --custom-metrics, in the same format."),
            (
                "",
                "The report leaves out a block if its table cannot be read. Names in parentheses are the short names of \
                 --names short.",
            ),
        ],
        exits: &[SUCCESS, USAGE, BAD_REPORT_INPUT, NO_REPORT_INPUT, BUG, OUTPUT, BAD_VARIABLE],
        environment: &[STATE, COLOR],
        files: &[
            CONFIG_FILE,
            (
                "/proc/net/tcp, tcp6, udp, udp6",
                "The sockets, where --source is proc. With another --proc PATH, they are in PATH/1/net, PATH/net or PATH/self/net.",
            ),
            ("/proc/net/dev", "The traffic counters."),
            (
                "/proc/net/if_inet6, fib_trie, route",
                "The interface names of another network namespace or of a saved copy.",
            ),
            (STATE_FILE, "The ID and the counters of the last accepted report, for --since report."),
        ],
        examples: &[
            (
                "Show which ports this device exposes, and which processes own them:",
                "sudo device-defender collect --format table --processes",
            ),
            (
                "List the remote addresses:",
                "device-defender collect | jq -r \\
  '.metrics.tcp_connections.established_connections.connections[].remote_addr'",
            ),
            (
                "Count the traffic of the next ten seconds, without loopback:",
                "device-defender collect --since 10s --exclude-interface lo",
            ),
            ("Report the host, from a container that mounts its /proc:", "device-defender collect --proc /host_proc"),
            ("Add a custom metric:", "echo '{\"cpu_temp\": 48.5}' | device-defender collect --custom-metrics -"),
        ],
        see_also: "device-defender(1), ss(8), proc_pid_net(5), sock_diag(7), jq(1)",
    },
    Page {
        command: "publish",
        json_output: &[],
        exits: &[
            (
                Exit::Success,
                "The service accepted the report. With --no-wait, the broker acknowledged it. With --dry-run, it was printed.",
            ),
            USAGE,
            BAD_REPORT_INPUT,
            NO_REPORT_INPUT,
            NOT_SENT,
            BUG,
            (Exit::State, ""),
            OUTPUT,
            TRY_LATER,
            REJECTED,
            NOT_AUTHORIZED,
            BAD_SETTING,
        ],
        environment: &[STATE, CREDENTIALS, TLS, NUCLEUS],
        files: &[
            CONFIG_FILE,
            (STATE_FILE, "The last report ID, and the counters at the last accepted report."),
            LOCK_FILE,
            GREENGRASS_FILES,
        ],
        examples: &[
            (
                "On a Greengrass core: send a report with the settings of the core, and show each step:",
                "sudo device-defender publish -v",
            ),
            ("Show the report and its destination without sending it:", "sudo device-defender publish --dry-run"),
            (
                "On any other device:",
                "device-defender publish --endpoint PREFIX-ats.iot.REGION.amazonaws.com \\\n  \
                 --thing-name gateway-7 --cert-file device.pem --key-file device.key",
            ),
            (
                "To your own broker, where Device Defender does not answer:",
                "device-defender publish --no-wait --endpoint broker.example.net --ca-file ca.pem \\\n  \
                 --thing-name gateway-7 --cert-file device.pem --key-file device.key",
            ),
        ],
        see_also: "device-defender(1), device-defender-collect(1), device-defender-watch(1), mosquitto_sub(1)",
    },
    Page {
        command: "watch",
        json_output: &[],
        exits: &[
            (
                Exit::Success,
                "Stopped by SIGTERM or SIGINT, or the reader of standard output went away. With --count, the last report \
                 was accepted.",
            ),
            USAGE,
            BAD_REPORT_INPUT,
            NO_REPORT_INPUT,
            (
                Exit::Unavailable,
                "With --count, the last report was not sent. As a component of Greengrass, also when the nucleus restarted and \
                 no longer accepts this process, which it then starts again.",
            ),
            BUG,
            OUTPUT,
            TRY_LATER,
            REJECTED,
            NOT_AUTHORIZED,
            BAD_SETTING,
        ],
        environment: &[STATE, CREDENTIALS, TLS, NUCLEUS, SYSTEMD],
        files: &[
            CONFIG_FILE,
            (STATE_FILE, "The last report ID and when it was sent, and the counters at the last accepted report."),
            LOCK_FILE,
            GREENGRASS_FILES,
        ],
        examples: &[
            (
                "Run as a service, with the settings in /etc/device-defender/config.toml:",
                "sudo device-defender generate units /etc/systemd/system\nsudo systemctl enable --now device-defender",
            ),
            (
                "Use the parameters of a connector that can no longer be deployed:",
                "device-defender watch --params connector.json",
            ),
            (
                "Print the traffic of each minute:",
                "device-defender watch --print --interval 60 | jq -c .metrics.network_stats",
            ),
        ],
        see_also: "device-defender(1), device-defender-publish(1), systemd.service(5)",
    },
    Page {
        command: "detect",
        json_output: &[
            (
                "version",
                "1. It rises when a field changes its meaning or is removed. JSON Schema: man/schema/verdicts.json.",
            ),
            (
                "thingName",
                "The thing, if the topic of the report, --thing-name or a variable names it; otherwise null.",
            ),
            ("report_id", "The ID of the report, its time in seconds since 1970; null if it has none."),
            ("violated", "True if any behavior is violated."),
            (
                "behaviors",
                "A list with one object for each behavior of each profile. With -q, only for those that are violated, invalid \
                 or not judged, without those that only the service can judge; if there are none, nothing is printed.",
            ),
            (
                "behaviors[].profile",
                "The name of the profile. Without a name, if there are several profiles: its resource in a template, or its \
                 file; otherwise null.",
            ),
            ("behaviors[].behavior, metric, criteria", "As in the profile, with names in camelCase."),
            (
                "behaviors[].verdict",
                "conforms; violated; not-judged: only the service can judge it, or the report lacks the data; invalid: the \
                 behavior itself is invalid.",
            ),
            (
                "behaviors[].observed, offending",
                "The measured value, and the part of it that violates the behavior, as a MetricValue of AWS; null if \
                 there is none.",
            ),
            (
                "behaviors[].covers_seconds",
                "The time that a traffic value covers, judged or not; null for other metrics and if unknown.",
            ),
            ("behaviors[].reason", "Why the behavior is not judged, or which assumption the verdict makes."),
            (
                "behaviors[].faults",
                "The errors of an invalid behavior: a list of path, in the syntax of jq, and message.",
            ),
            (
                "Events",
                "With more than one report, the output is one line for each alarm that starts or ends, in the format of \
                 the service's violation events: version, violationEventTime (the time of the report in milliseconds since \
                 1970), thingName, behavior (all its fields), violationEventType (in-alarm, alarm-cleared, or \
                 alarm-invalidated if there was no datapoint for more than two days), metricValue, violationId (the same at \
                 start and end) and securityProfileName. Unknown fields are left out. JSON Schema: man/schema/events.json.",
            ),
            (
                "neverJudged",
                "If there are behaviors that no report can be judged by, the first line has version and neverJudged, a list \
                 of them in the form of behaviors[].",
            ),
            (
                "--learn",
                "A security profile, indented: securityProfileName (the thing, or learned), securityProfileDescription and \
                 behaviors, as the service's API defines them.",
            ),
        ],
        exits: &[
            SUCCESS,
            (
                Exit::CheckFailed,
                "A behavior is violated. With more than one report, a behavior is still in alarm after the last one.",
            ),
            USAGE,
            (
                Exit::Input,
                "A profile, a behavior, a report or the custom metrics are invalid, or there were more things than \
                 --max-things, or --learn found nothing, or more than a profile holds; with --strict, also when a row of a table is malformed.",
            ),
            (Exit::NoInput, ""),
            BUG,
            OUTPUT,
            BAD_VARIABLE,
        ],
        environment: &[STATE, COLOR],
        files: &[
            CONFIG_FILE,
            (STATE_FILE, "The counters of the last accepted report, the baseline of the traffic metrics."),
        ],
        examples: &[
            (
                "Check this device for violations, and show the processes that cause them:",
                "aws iot describe-security-profile --security-profile-name edge > edge.json\n\
                 sudo device-defender detect --profile edge.json --since 300s --processes",
            ),
            (
                "Learn a profile from this device, edit it, and check the device against it:",
                "device-defender detect --learn --since 300s > profile.json\n\
                 editor profile.json\n\
                 device-defender detect --profile profile.json",
            ),
            (
                "Learn from what a fleet reports in a day:",
                "mosquitto_sub -h broker -F %j -t '$aws/things/+/defender/metrics/json' -W 86400 |\n  \
                 device-defender detect --learn --report - --learn-prefix 24,64 > profile.json",
            ),
            (
                "Print alarms of this device as they start and end:",
                "device-defender watch --print | device-defender detect --profile edge.json --report -",
            ),
            (
                "Check a fleet that reports to your own broker:",
                "mosquitto_sub -h broker -F %j -t '$aws/things/+/defender/metrics/json' |\n  \
                 device-defender detect --profile edge.json --report - --format json",
            ),
            (
                "Let cron check every night, and send mail only if something is wrong (crontab):",
                "MAILTO=ops@example.com\n\
                 0 3 * * * device-defender detect -q --profile /etc/device-defender/profile.json",
            ),
            (
                "List the errors in a profile:",
                "device-defender detect --profile edge.json --format json |\n  \
                 jq -r '.behaviors[].faults[] | \"\\(.path): \\(.message)\"'",
            ),
        ],
        see_also: "device-defender(1), device-defender-collect(1), jq(1), mosquitto_sub(1), systemd.timer(5)",
    },
    Page {
        command: "validate-params",
        json_output: &[
            (
                "version",
                "1. It rises when a field changes its meaning or is removed. JSON Schema: man/schema/validate-params.json.",
            ),
            ("valid", "True if there are no problems and, with --probe, every path is usable."),
            (
                "connectors",
                "A list of id, arn and checked, which is true for a Device Defender connector. id and arn may be null.",
            ),
            (
                "problems, warnings",
                "Lists of connector (its index in connectors; null for the file as a whole), name (of the parameter or \
                 field), value (as in the file; null if missing), message, rule and pattern (null if no rule of a \
                 parameter is broken), and remedy. Ordered by connector and parameter.",
            ),
            (
                "probe",
                "null without --probe. Otherwise a list of path, usable, exists, procfs (true for a proc file system), net \
                 (the directory that collect --proc reads), own_namespace (true if net shows the namespace of this \
                 process), hidepid (true if process 1 is hidden from this user), problem and remedy. Fields that do not \
                 apply are null.",
            ),
        ],
        exits: &[
            (Exit::Success, "The parameters are valid. Also if the reader of standard output goes away."),
            (Exit::CheckFailed, "A parameter is invalid, or --probe found a path unusable."),
            USAGE,
            (Exit::Input, "The file is neither JSON nor YAML, or not a connector definition."),
            (Exit::NoInput, "The file cannot be opened."),
            BUG,
            OUTPUT,
        ],
        environment: &[COLOR],
        files: &[],
        examples: &[
            (
                "Check the deployed definition:",
                "aws greengrass get-connector-definition-version --connector-definition-id ID \\\n  \
                 --connector-definition-version-id VERSION | device-defender validate-params -",
            ),
            ("Check an interval:", "device-defender validate-params --sample-interval-seconds 299"),
            (
                "Check whether a path is usable on this device:",
                "device-defender validate-params --proc-destination-path /host_proc --probe",
            ),
            (
                "Print one line for each problem, as in a CI pipeline:",
                "device-defender validate-params connector.json --format json |\n  \
                 jq -r '.problems[] | \"\\(.name): \\(.message): \\(.remedy)\"'",
            ),
        ],
        see_also: "device-defender(1), device-defender-collect(1), jq(1)",
    },
    generate::PAGE,
];
