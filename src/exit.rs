//! The exit codes, in one table that the man pages and the README are tested against.
//!
//! 65 and above are those of BSD's `sysexits.h`. Where several things are wrong at once, [`Exit::first`] decides.

/// How a run ended. [`Exit::meaning`] says when each is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Success = 0,
    CheckFailed = 1,
    Usage = 2,
    Input = 65,
    NoInput = 66,
    Unavailable = 69,
    Bug = 70,
    State = 73,
    Output = 74,
    TryLater = 75,
    Rejected = 76,
    NotAuthorized = 77,
    Settings = 78,
}

impl Exit {
    pub const ALL: [Self; 13] = [
        Self::Success,
        Self::CheckFailed,
        Self::Usage,
        Self::Input,
        Self::NoInput,
        Self::Unavailable,
        Self::Bug,
        Self::State,
        Self::Output,
        Self::TryLater,
        Self::Rejected,
        Self::NotAuthorized,
        Self::Settings,
    ];

    pub fn code(self) -> u8 {
        #[expect(clippy::as_conversions, reason = "the number is the variant's value")]
        let code = self as u8;
        code
    }

    /// The exit code of several: a wrong command line comes before wrong settings, these before files that cannot be opened,
    /// these before input that cannot be used.
    pub(crate) fn first(exits: impl IntoIterator<Item = Self>) -> Option<Self> {
        let order = |exit: &Self| match exit {
            Self::Usage => 0,
            Self::Settings => 1,
            Self::NoInput => 2,
            _ => 3,
        };
        exits.into_iter().min_by_key(order)
    }

    /// When it is used, for the man pages and the README.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Success => {
                "Success; a sent report was accepted. Also when the reader of standard output went away, and when a behavior is \
                 not judged that only the service can judge."
            }
            Self::CheckFailed => {
                "The check failed: parameters are invalid, --probe found the path unusable, or a behavior is violated (of \
                 several reports: in alarm after the last)."
            }
            Self::Usage => "The command line is invalid.",
            Self::Input => {
                "Input could not be used: not JSON, or against the rules, such as an invalid behavior; with --strict, also a \
                 malformed row."
            }
            Self::NoInput => {
                "A file could not be opened, or no /proc table could be read, or a behavior could not be judged or learned \
                 because this device could not be read; with --strict, also when one table of the report, or the network namespace of the \
                 host, could not be read."
            }
            Self::Unavailable => {
                "The report was not sent: no connection (DNS, TCP, TLS, MQTT, a nucleus), or the connection was lost before the \
                 report was written."
            }
            Self::Bug => "A bug in this program.",
            Self::State => {
                "The directory given with --state-dir cannot be used, or a file or directory did not respond within --timeout. \
                 Nothing was sent."
            }
            Self::Output => "The output could not be written, or standard output is closed.",
            Self::TryLater => {
                "Try later: the report was throttled, no answer came, the broker is busy or shutting down, another run held the \
                 lock for the whole timeout, or the report was sent and then a file or directory did not respond."
            }
            Self::Rejected => "The service rejected the report, or the broker refused it as it is.",
            Self::NotAuthorized => {
                "Not authorized: the service does not accept the certificate, or a policy does not allow what is needed."
            }
            Self::Settings => {
                "A setting is missing or invalid (on the command line: 2), or a certificate or key cannot be used."
            }
        }
    }
}
