//! The exit codes, in one table that the man pages and the README are tested against.
//!
//! 65 and above are those of BSD's `sysexits.h`. Where several things are wrong at once, [`Exit::first`] decides.

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Done,
    /// The check said no.
    No,
    /// The command line is wrong.
    Usage,
    /// Input was not understood (`EX_DATAERR`).
    Input,
    /// A file cannot be opened (`EX_NOINPUT`).
    NoInput,
    /// The report was not sent: no connection, or it was lost before (`EX_UNAVAILABLE`).
    Unavailable,
    /// A bug of ours (`EX_SOFTWARE`).
    Bug,
    /// The state directory cannot be used (`EX_CANTCREAT`).
    State,
    /// Output could not be written (`EX_IOERR`).
    Output,
    /// The report may or may not have arrived, or another run is at it: try later (`EX_TEMPFAIL`).
    TryLater,
    /// The service rejected the report (`EX_PROTOCOL`).
    Rejected,
    /// The service does not let this client do what it needs (`EX_NOPERM`).
    NotAuthorized,
    /// A setting is wrong (`EX_CONFIG`).
    Settings,
}

impl Exit {
    /// Every exit, by number.
    pub const ALL: [Self; 13] = [
        Self::Done,
        Self::No,
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

    /// The number the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::Input => 65,
            Self::NoInput => 66,
            Self::Unavailable => 69,
            Self::Bug => 70,
            Self::State => 73,
            Self::Output => 74,
            Self::TryLater => 75,
            Self::Rejected => 76,
            Self::NotAuthorized => 77,
            Self::Settings => 78,
        }
    }

    /// Which of several exits counts: a wrong command line before wrong settings, before files that cannot be opened,
    /// before input that is not understood.
    #[must_use]
    pub fn first(exits: impl IntoIterator<Item = Self>) -> Option<Self> {
        let order = |exit: &Self| match exit {
            Self::Usage => 0,
            Self::Settings => 1,
            Self::NoInput => 2,
            _ => 3,
        };
        exits.into_iter().min_by_key(order)
    }

    /// When it is used, in words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "Done; a report was accepted. Also when the reader of standard output went away.",
            Self::No => {
                "The check said no: parameters are not valid, --probe found the path unusable, or a behavior is violated \
                 (of many reports: in alarm after the last)."
            }
            Self::Usage => "The command line is wrong.",
            Self::Input => {
                "Input was not understood: not JSON, or against the rules, such as an invalid behavior; with --strict, \
                 also a malformed row."
            }
            Self::NoInput => {
                "A file cannot be opened, or no /proc table can be read; with --strict, also when one table of the report \
                 cannot be read."
            }
            Self::Unavailable => {
                "The report was not sent: no connection (DNS, TCP, TLS), or it was lost before the report was written."
            }
            Self::Bug => "A bug of this program.",
            Self::State => "The directory given with --state-dir cannot be used. Nothing was sent.",
            Self::Output => "The output could not be written.",
            Self::TryLater => {
                "Try later: the report was throttled, no answer came, or another run had the state locked all the time."
            }
            Self::Rejected => "The service rejected the report.",
            Self::NotAuthorized => {
                "Not authorized: the service does not accept the certificate, or its policy does not allow what is needed."
            }
            Self::Settings => {
                "A setting is missing or wrong (on the command line a wrong one is 2), or a certificate or key cannot be used."
            }
        }
    }
}

/// Why a run failed: shown once, on standard error, by `main`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What failed, where, and why: a line each, fragments without a final period. May quote foreign text.
    pub messages: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, messages: vec![message.into()], hint: None }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}
