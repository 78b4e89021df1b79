//! The exit codes, in one table that the man pages and the README are tested against.
//!
//! 65 and above are those of BSD's `sysexits.h`.

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
    /// A bug of ours (`EX_SOFTWARE`).
    Bug,
    /// Output could not be written (`EX_IOERR`).
    Output,
    /// A setting is wrong (`EX_CONFIG`).
    Settings,
}

impl Exit {
    /// Every exit, by number.
    pub const ALL: [Self; 8] =
        [Self::Done, Self::No, Self::Usage, Self::Input, Self::NoInput, Self::Bug, Self::Output, Self::Settings];

    /// The number the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::Input => 65,
            Self::NoInput => 66,
            Self::Bug => 70,
            Self::Output => 74,
            Self::Settings => 78,
        }
    }

    /// When it is used, in words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "Done. Also when the reader of standard output went away.",
            Self::No => "The check said no: parameters are not valid, or --probe found the path unusable.",
            Self::Usage => "The command line is wrong.",
            Self::Input => {
                "Input was not understood: not JSON, or against the rules; with --strict, also a malformed row."
            }
            Self::NoInput => {
                "A file cannot be opened, or no /proc table can be read; with --strict, also when one table of the report \
                 cannot be read."
            }
            Self::Bug => "A bug of this program.",
            Self::Output => "The output could not be written.",
            Self::Settings => "A setting is missing, or one from the environment is wrong.",
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
