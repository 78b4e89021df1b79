//! The man pages: a page for the program and one for every command. What clap knows comes from clap; the sections it
//! does not know are here.

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::Cli;
use crate::exit::Exit;

/// What a page has beside what clap knows.
struct Page {
    /// The command; empty for the program itself.
    command: &'static str,
    /// The fields of its JSON output.
    fields: &'static [(&'static str, &'static str)],
    exits: &'static [Exit],
    /// Environment variables that are no twins of flags.
    environment: &'static [(&'static str, &'static str)],
    files: &'static [(&'static str, &'static str)],
    examples: &'static [(&'static str, &'static str)],
    see_also: &'static str,
}

const COLOR_ENVIRONMENT: (&str, &str) =
    ("NO_COLOR, TERM", "When NO_COLOR is set and not empty, or TERM is dumb, --color auto means never.");

const PAGES: [Page; 5] = [
    Page {
        command: "",
        fields: &[],
        exits: &Exit::ALL,
        environment: &[COLOR_ENVIRONMENT],
        files: &[],
        examples: &[("Print a report of this machine:", "device-defender collect")],
        see_also: "device-defender-collect(1), device-defender-publish(1), device-defender-watch(1), \
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
            COLOR_ENVIRONMENT,
        ],
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
        exits: &Exit::ALL,
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
        exits: &Exit::ALL,
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

/// Every page under its file name.
pub(super) fn pages() -> Vec<(String, Vec<u8>)> {
    let mut program = Cli::command();
    program.build();
    PAGES.iter().filter_map(|page| page.render(&program)).collect()
}

impl Page {
    /// The page and its name; `None` when clap knows no such command.
    fn render(&self, program: &Command) -> Option<(String, Vec<u8>)> {
        let command = match self.command {
            "" => program,
            name => program.find_subcommand(name)?,
        };
        let man = Man::new(command.clone())
            .title("device-defender")
            .source(concat!("device-defender ", env!("CARGO_PKG_VERSION")));
        let mut page = Vec::new();
        let clap_knows = [
            Man::render_title,
            Man::render_name_section,
            Man::render_synopsis_section,
            Man::render_description_section,
            Man::render_options_section,
        ];
        for section in clap_knows {
            section(&man, &mut page).ok()?;
        }
        if command.get_subcommands().any(|command| !command.is_hide_set()) {
            man.render_subcommands_section(&mut page).ok()?;
        }
        self.our_sections(command).to_writer(&mut page).ok()?;
        Some((man.get_filename(), page))
    }

    fn our_sections(&self, command: &Command) -> Roff {
        let mut roff = Roff::new();
        if !self.fields.is_empty() {
            roff.control("SH", ["JSON OUTPUT"]);
        }
        for (name, text) in self.fields {
            define(&mut roff, name, text);
        }
        roff.control("SH", ["EXIT STATUS"]);
        for exit in self.exits {
            define(&mut roff, &exit.code().to_string(), exit.meaning());
        }
        roff.control("SH", ["ENVIRONMENT"]);
        for arg in command.get_arguments() {
            if let (Some(variable), Some(flag)) = (arg.get_env().and_then(|name| name.to_str()), arg.get_long()) {
                define(
                    &mut roff,
                    variable,
                    &format!("The value of --{flag} when that is not given. Empty means unset."),
                );
            }
        }
        for (name, text) in self.environment {
            define(&mut roff, name, text);
        }
        if !self.files.is_empty() {
            roff.control("SH", ["FILES"]);
        }
        for (name, text) in self.files {
            define(&mut roff, name, text);
        }
        roff.control("SH", ["EXAMPLES"]);
        for (text, example) in self.examples {
            roff.control("PP", []).text([roman(*text)]).control("PP", []).control("RS", ["4"]).control("nf", []);
            roff.text([roman(*example)]).control("fi", []).control("RE", []);
        }
        roff.control("SH", ["SEE ALSO"]).text([roman(self.see_also)]);
        roff
    }
}

/// Adds a term and what it means.
fn define(roff: &mut Roff, term: &str, meaning: &str) {
    roff.control("TP", []).text([bold(term)]).text([roman(meaning)]);
}
