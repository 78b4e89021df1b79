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
    exits: &'static [Exit],
    /// Environment variables that are no twins of flags.
    environment: &'static [(&'static str, &'static str)],
    files: &'static [(&'static str, &'static str)],
    examples: &'static [(&'static str, &'static str)],
    see_also: &'static str,
}

const COLOR_ENVIRONMENT: (&str, &str) =
    ("NO_COLOR, TERM", "When NO_COLOR is set and not empty, or TERM is dumb, --color auto means never.");

const PAGES: [Page; 2] = [
    Page {
        command: "",
        exits: &Exit::ALL,
        environment: &[COLOR_ENVIRONMENT],
        files: &[],
        examples: &[("Print a report of this machine:", "device-defender collect")],
        see_also: "device-defender-collect(1), ss(8), proc(5)",
    },
    Page {
        command: "collect",
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
                "What --since report counts from; written when a report is accepted. For a user other than root it is \
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
            .manual("device-defender manual")
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
