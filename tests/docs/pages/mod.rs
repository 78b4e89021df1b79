//! Text of the man pages that clap does not know: JSON fields, exit codes, environment, files, examples.

mod collect;
mod detect;
mod generate;
mod program;
mod publish;
mod validate_params;
mod watch;

use device_defender::Exit;

/// A term and its description, one `.TP` of a page.
pub(super) type Entry = (&'static str, &'static str);

/// A section of prose: its title and its paragraphs. Paragraphs that begin with a blank are set as they are.
pub(super) type Section = (&'static str, &'static [&'static str]);

/// The sections of one page that follow those made by clap.
pub(super) struct Page {
    /// The subcommand; empty for the program itself.
    pub(super) command: &'static str,
    pub(super) prose: &'static [Section],
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

pub(super) const PAGES: [Page; 7] =
    [program::PAGE, collect::PAGE, publish::PAGE, watch::PAGE, detect::PAGE, validate_params::PAGE, generate::PAGE];
