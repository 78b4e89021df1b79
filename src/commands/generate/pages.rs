//! What the man pages have beside what clap knows: fields, exit codes, environment, files, examples.

use crate::exit::Exit;

/// What a page has beside what clap knows.
pub(super) struct Page {
    /// The command; empty for the program itself.
    pub(super) command: &'static str,
    /// The fields of its JSON output.
    pub(super) fields: &'static [(&'static str, &'static str)],
    pub(super) exits: &'static [Exit],
    /// Environment variables that are no twins of flags.
    pub(super) environment: &'static [(&'static str, &'static str)],
    pub(super) files: &'static [(&'static str, &'static str)],
    pub(super) examples: &'static [(&'static str, &'static str)],
    pub(super) see_also: &'static str,
}

const COLOR_ENVIRONMENT: (&str, &str) =
    ("NO_COLOR, TERM", "When NO_COLOR is set and not empty, or TERM is dumb, --color auto means never.");

/// The environment of the commands that look for a state file.
const STATE_ENVIRONMENT: &[(&str, &str)] = &[
    (
        "AWS_IOT_THING_NAME",
        "The thing name when neither --thing-name nor its variable gives one, as Greengrass sets it.",
    ),
    ("STATE_DIRECTORY", "The state directory when neither --state-dir nor its variable gives one, as systemd sets it."),
    ("XDG_STATE_HOME, HOME", "Where the state directory of a user other than root is."),
    COLOR_ENVIRONMENT,
];

pub(super) const PAGES: [Page; 6] = [
    Page {
        command: "",
        fields: &[],
        exits: &Exit::ALL,
        environment: &[COLOR_ENVIRONMENT],
        files: &[],
        examples: &[("Print a report of this machine:", "device-defender collect")],
        see_also: "device-defender-collect(1), device-defender-detect(1), device-defender-publish(1), device-defender-watch(1), \
                   device-defender-validate-params(1), ss(8), proc(5)",
    },
    Page {
        command: "collect",
        fields: &[
            (
                "header.report_id, header.version (hed.rid, hed.v)",
                "Seconds since 1970, with --since report also more than in the last report sent; \"1.0\".",
            ),
            (
                "metrics.listening_tcp_ports, metrics.listening_udp_ports (met.tp, met.up)",
                "A list ports (pts) of port (pt) and interface (if), and their total (t). The interface is left out for a \
                 socket bound to all, and where it cannot be told. UDP ports are those of unconnected sockets.",
            ),
            (
                "metrics.network_stats (met.ns)",
                "bytes_in, bytes_out, packets_in, packets_out (bi, bo, pi, po), summed over the interfaces.",
            ),
            (
                "metrics.tcp_connections.established_connections (met.tc.ec)",
                "A list connections (cs) of remote_addr (rad), local_port (lp) and local_interface (li), and their total (t).",
            ),
            ("custom_metrics (cmet)", "What --custom-metrics adds, in the same shape."),
            (
                "",
                "A block whose table could not be read is left out. Long names are the default, short ones are in brackets.",
            ),
        ],
        exits: &[Exit::Done, Exit::Usage, Exit::Input, Exit::NoInput, Exit::Bug, Exit::Output, Exit::Settings],
        environment: STATE_ENVIRONMENT,
        files: &[
            ("/proc/net/tcp, tcp6, udp, udp6", "The sockets. Below another --proc path: 1/net, net or self/net."),
            ("/proc/net/dev", "The traffic counters."),
            (
                "/proc/net/if_inet6, fib_trie, route",
                "Where interface names come from for another network namespace or a saved copy.",
            ),
            (
                "/var/lib/device-defender/THING.json",
                "The id and the counters of the last accepted report, which --since report counts from. For a user other than root it is \
                 below $XDG_STATE_HOME/device-defender, by default ~/.local/state/device-defender.",
            ),
        ],
        examples: &[
            (
                "Which ports does this device expose, and whose are they?",
                "sudo device-defender collect --format table --processes",
            ),
            (
                "Whom does it talk to?",
                "device-defender collect | jq -r \\
  '.metrics.tcp_connections.established_connections.connections[].remote_addr'",
            ),
            (
                "What went over the network in the next ten seconds, without loopback?",
                "device-defender collect --since 10s --exclude-interface lo",
            ),
            (
                "The host, seen from a container that has its /proc mounted:",
                "device-defender collect --proc /host_proc",
            ),
            (
                "Add a measurement of your own:",
                "echo '{\"cpu_temp\": 48.5}' | device-defender collect --custom-metrics -",
            ),
        ],
        see_also: "device-defender(1), ss(8), proc_pid_net(5), jq(1)",
    },
    Page {
        command: "publish",
        fields: &[],
        exits: &[
            Exit::Done,
            Exit::Usage,
            Exit::Input,
            Exit::NoInput,
            Exit::Unavailable,
            Exit::Bug,
            Exit::State,
            Exit::Output,
            Exit::TryLater,
            Exit::Rejected,
            Exit::NotAuthorized,
            Exit::Settings,
        ],
        environment: &[
            (
                "AWS_IOT_THING_NAME",
                "The thing name when neither --thing-name nor its variable gives one, as Greengrass sets it.",
            ),
            (
                "STATE_DIRECTORY",
                "The state directory when neither --state-dir nor its variable gives one, as systemd sets it.",
            ),
            ("XDG_STATE_HOME, HOME", "Where the state directory of a user other than root is."),
            ("SSL_CERT_FILE, SSL_CERT_DIR", "The system's certificates, where they are elsewhere than usual."),
        ],
        files: &[
            (
                "/var/lib/device-defender/THING.json",
                "The last report id, and the counters at the last accepted report. For a user other than root it is below \
                 $XDG_STATE_HOME/device-defender, by default ~/.local/state/device-defender.",
            ),
            ("/var/lib/device-defender/THING.lock", "Locked by a run from before it collects until it has its answer."),
            (
                "/greengrass/v2/config/effectiveConfig.yaml, /greengrass/config/config.json",
                "A Greengrass core's configuration, where missing settings come from.",
            ),
        ],
        examples: &[
            (
                "On a Greengrass core, with its own settings: does a report arrive, and if not, why?",
                "sudo device-defender publish --once -v",
            ),
            ("What would be sent, and where?", "sudo device-defender publish --once --dry-run"),
            (
                "Anywhere else:",
                "device-defender publish --once --endpoint PREFIX-ats.iot.REGION.amazonaws.com \\\n  \
                 --thing-name gateway-7 --cert-file device.pem --key-file device.key",
            ),
            (
                "To a broker of your own that no Device Defender listens to:",
                "device-defender publish --once --no-wait --endpoint broker.example.net --ca-file ca.pem \\\n  \
                 --thing-name gateway-7 --cert-file device.pem --key-file device.key",
            ),
        ],
        see_also: "device-defender(1), device-defender-collect(1), device-defender-watch(1), mosquitto_sub(1)",
    },
    Page {
        command: "watch",
        fields: &[],
        exits: &[
            Exit::Done,
            Exit::Usage,
            Exit::Input,
            Exit::NoInput,
            Exit::Unavailable,
            Exit::Bug,
            Exit::Output,
            Exit::TryLater,
            Exit::Rejected,
            Exit::NotAuthorized,
            Exit::Settings,
        ],
        environment: &[
            (
                "AWS_IOT_THING_NAME",
                "The thing name when neither --thing-name nor its variable gives one, as Greengrass sets it.",
            ),
            (
                "STATE_DIRECTORY",
                "The state directory when neither --state-dir nor its variable gives one, as systemd sets it.",
            ),
            ("XDG_STATE_HOME, HOME", "Where the state directory of a user other than root is."),
            ("SSL_CERT_FILE, SSL_CERT_DIR", "The system's certificates, where they are elsewhere than usual."),
            (
                "NOTIFY_SOCKET, WATCHDOG_USEC",
                "Set by systemd: where the state of the service is told, and how often a sign of life is wanted.",
            ),
            ("JOURNAL_STREAM", "Set by systemd: when standard error is the journal, lines begin with their priority."),
        ],
        files: &[
            (
                "/var/lib/device-defender/THING.json",
                "The last report id and when it was sent, and the counters at the last accepted report. For a user other \
                 than root it is below $XDG_STATE_HOME/device-defender, by default ~/.local/state/device-defender.",
            ),
            (
                "/var/lib/device-defender/THING.lock",
                "Locked by a cycle from before it collects until it has its answer.",
            ),
            (
                "/greengrass/v2/config/effectiveConfig.yaml, /greengrass/config/config.json",
                "A Greengrass core's configuration, where missing settings come from.",
            ),
        ],
        examples: &[
            (
                "As a service, with unit files made for it:",
                "device-defender generate units /etc/systemd/system\nsystemctl enable --now device-defender",
            ),
            (
                "With the parameters of a connector that can no longer be deployed:",
                "device-defender watch --params connector.json",
            ),
            (
                "What goes over the network, minute by minute?",
                "device-defender watch --print --interval 60 | jq -c .metrics.network_stats",
            ),
        ],
        see_also: "device-defender(1), device-defender-publish(1), systemd.service(5)",
    },
    Page {
        command: "detect",
        fields: &[
            (
                "report_id",
                "The id of the report that was judged, its time in seconds since 1970; null when it has none.",
            ),
            ("violated", "Whether any behavior is."),
            (
                "behaviors",
                "A list of profile (its name, else among several its file, else null), behavior, metric, criteria (as they \
                 stand), verdict, observed and offending (what was measured, and of that what violates; a MetricValue of AWS, \
                 null when there is none), covers_seconds (what the figure of traffic covers, be it judged or not; null for \
                 other metrics and where that is not known), reason (why it is not judged, or what was taken for granted) and faults (of an invalid \
                 behavior: a list of path, as jq takes it, and message).",
            ),
            (
                "verdict",
                "conforms; violated; not-judged: only the service could, or the report does not tell; invalid: the behavior \
                 itself is wrong.",
            ),
            (
                "events, of more than one report",
                "A line for every alarm that begins or ends, in the shape of the violation events of \
                 the service: violationEventTime (milliseconds since 1970, of the report), thingName, behavior (name, metric, \
                 criteria), violationEventType (in-alarm or alarm-cleared), metricValue, violationId (the same for beginning \
                 and end) and securityProfileName. What is not known is left out.",
            ),
        ],
        exits: &[
            Exit::Done,
            Exit::No,
            Exit::Usage,
            Exit::Input,
            Exit::NoInput,
            Exit::Bug,
            Exit::Output,
            Exit::Settings,
        ],
        environment: STATE_ENVIRONMENT,
        files: &[(
            "/var/lib/device-defender/THING.json",
            "The counters of the last accepted report, which traffic is counted from. See device-defender-collect(1).",
        )],
        examples: &[
            (
                "Would this device be in violation right now, and who is to blame?",
                "aws iot describe-security-profile --security-profile-name edge > edge.json\n\
                 sudo device-defender detect --profile edge.json --since 300s --processes",
            ),
            (
                "As long as it runs, tell alarms as they begin and end:",
                "device-defender watch --print | device-defender detect --profile edge.json --report -",
            ),
            (
                "A fleet that reports to a broker of your own:",
                "mosquitto_sub -h broker -v -t '$aws/things/+/defender/metrics/json' |\n  \
                 device-defender detect --profile edge.json --report - --format json",
            ),
            (
                "What is wrong with the profile?",
                "device-defender detect --profile edge.json --format json |\n  \
                 jq -r '.behaviors[].faults[] | \"\\(.path): \\(.message)\"'",
            ),
        ],
        see_also: "device-defender(1), device-defender-collect(1), jq(1), mosquitto_sub(1), systemd.timer(5)",
    },
    Page {
        command: "validate-params",
        fields: &[
            ("valid", "Whether there are no problems, and with --probe whether every path is usable."),
            (
                "connectors",
                "A list of id, arn and checked: whether it is a Device Defender connector. id and arn may be null.",
            ),
            (
                "problems, warnings",
                "Lists of connector (its place in connectors, from 0; null for the file as a whole), name (of the \
                 parameter or field), value (as it stands; null when there is none), message, rule and pattern (null when \
                 no parameter's rule is broken), and remedy. Ordered by connector and parameter.",
            ),
            (
                "probe",
                "null without --probe; else a list of path, usable, exists, procfs (a proc file system), net (the directory \
                 that collect --proc would read), own_namespace (whether that is this process's), hidepid (whether process \
                 1 is hidden from this user), problem and remedy. What does not apply is null.",
            ),
        ],
        exits: &[Exit::Done, Exit::No, Exit::Usage, Exit::Input, Exit::NoInput, Exit::Bug, Exit::Output],
        environment: &[COLOR_ENVIRONMENT],
        files: &[],
        examples: &[
            (
                "Is the definition in force right?",
                "aws greengrass get-connector-definition-version --connector-definition-id ID \\\n  \
                 --connector-definition-version-id VERSION | device-defender validate-params -",
            ),
            (
                "Is this interval one that the connector takes?",
                "device-defender validate-params --sample-interval-seconds 299",
            ),
            (
                "Is the path usable on this machine?",
                "device-defender validate-params --proc-destination-path /host_proc --probe",
            ),
            (
                "Every problem of a definition, in a CI pipeline:",
                "device-defender validate-params connector.json --format json |\n  \
                 jq -r '.problems[] | \"\\(.name): \\(.message): \\(.remedy)\"'",
            ),
        ],
        see_also: "device-defender(1), device-defender-collect(1), jq(1)",
    },
];
