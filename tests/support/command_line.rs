//! Command lines with many flags, and how their runs end.

use std::ffi::OsString;
use std::path::PathBuf;

#[cfg(feature = "greengrass")]
use super::Nucleus;
use super::{Run, pki_str};

/// A command line to be.
#[derive(Clone)]
pub(crate) struct CommandLine {
    /// Where it is run.
    pub(crate) dir: PathBuf,
    /// The command of the program.
    command: &'static str,
    flags: Vec<(&'static str, Option<OsString>)>,
    /// The environment, which is empty but for this.
    pub(crate) env: Vec<(&'static str, OsString)>,
}

impl CommandLine {
    /// A command without flags.
    pub(crate) fn new(dir: impl Into<PathBuf>, command: &'static str) -> Self {
        Self { dir: dir.into(), command, flags: Vec::new(), env: Vec::new() }
    }

    /// The same flags for another command.
    pub(crate) fn command(self, command: &'static str) -> Self {
        Self { command, ..self }
    }

    /// Gives this flag this value, instead of the one it had.
    #[expect(clippy::needless_pass_by_value, reason = "ports, names and paths are given as they are")]
    pub(crate) fn set(self, flag: &'static str, value: impl ToString) -> Self {
        let mut line = self.without(flag);
        line.flags.push((flag, Some(value.to_string().into())));
        line
    }

    /// Adds a flag that has no value.
    pub(crate) fn flag(mut self, flag: &'static str) -> Self {
        self.flags.push((flag, None));
        self
    }

    /// Takes a flag away.
    pub(crate) fn without(mut self, flag: &'static str) -> Self {
        self.flags.retain(|(name, _)| *name != flag);
        self
    }

    /// Shows this certificate and uses this key of the key infrastructure.
    pub(crate) fn identity(self, certificate: &str, key: &str) -> Self {
        let (certificate, key) = (pki_str(&format!("{certificate}.pem")), pki_str(&format!("{key}.key")));
        self.set("--cert-file", certificate).set("--key-file", key)
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Runs it as a component of this nucleus.
    #[cfg(feature = "greengrass")]
    pub(crate) fn in_nucleus(mut self, nucleus: &Nucleus) -> Self {
        self.env.extend(nucleus.environment());
        self
    }

    /// Everything behind the program's name.
    pub(crate) fn args(&self) -> impl Iterator<Item = OsString> {
        let flags = self.flags.iter().flat_map(|(flag, value)| [Some(OsString::from(flag)), value.clone()]).flatten();
        [OsString::from(self.command)].into_iter().chain(flags)
    }

    /// The run.
    pub(crate) fn run(&self) -> Run {
        let mut run = Run::new(&self.dir, &[]);
        run.command.args(self.args()).envs(self.env.iter().cloned());
        run
    }

    /// Runs it to its end, whatever that is.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome::of(self.run())
    }

    /// Runs it with `--dry-run`, which must succeed.
    #[track_caller]
    pub(crate) fn dry_run(&self) -> Outcome {
        let outcome = self.clone().flag("--dry-run").outcome();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        outcome
    }

    /// Runs it; it must end with 0 and print nothing.
    #[track_caller]
    pub(crate) fn succeeds(&self) {
        self.run().prints_nothing();
    }

    /// Runs it; it must end with this code, print nothing, and have each of these texts on standard error.
    #[track_caller]
    pub(crate) fn ends(&self, code: i32, texts: &[&str]) -> Outcome {
        let outcome = self.outcome();
        outcome.is(code, texts);
        outcome
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    what: String,
    /// Its exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// What was on standard output.
    pub(crate) stdout: Vec<u8>,
    /// What was on standard error.
    pub(crate) stderr: String,
}

impl Outcome {
    /// Runs something to its end, whatever that is. Standard error must be lines of the program without control characters.
    pub(crate) fn of(run: Run) -> Self {
        let what = format!("{:?}", run.command);
        let output = run.finish();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let sanitized = |line: &str| line.starts_with("device-defender: ") && !line.contains(char::is_control);
        let usage = stderr.contains("Usage: device-defender ") || output.status.code() == Some(2); // clap writes these
        assert!(usage || stderr.lines().all(sanitized) && !stderr.contains("panicked"), "{what}\n{stderr}");
        Self { what, code: output.status.code(), stdout: output.stdout, stderr }
    }

    /// It ended with this code, printed nothing, and has each of these texts on standard error.
    #[track_caller]
    pub(crate) fn is(&self, code: i32, texts: &[&str]) {
        let Self { what, stderr, stdout, .. } = self;
        let stdout = String::from_utf8_lossy(stdout);
        assert!(self.code == Some(code), "{what}\nended with {:?}, expected {code}\n{stderr}{stdout}", self.code);
        assert!(stdout.is_empty(), "{what}\n{stdout}");
        self.says(texts);
    }

    /// Standard error has each of these texts. Case does not matter.
    #[track_caller]
    pub(crate) fn says(&self, texts: &[&str]) {
        let missing = texts.iter().find(|text| !self.has(text));
        assert!(missing.is_none(), "{}\nhas no {missing:?}:\n{}", self.what, self.stderr);
    }

    /// Standard error has none of these texts. Case does not matter.
    #[track_caller]
    pub(crate) fn says_nothing_of(&self, texts: &[&str]) {
        let found = texts.iter().find(|text| self.has(text));
        assert!(found.is_none(), "{}\nhas {found:?}:\n{}", self.what, self.stderr);
    }

    fn has(&self, text: &str) -> bool {
        self.stderr.to_lowercase().contains(&text.to_lowercase())
    }
}
