//! Runs the built program to its end.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;
use std::{env, thread};

use serde_json::Value;

use super::tool::system;

/// The program under test: the one of this build, unless `DEVICE_DEFENDER_BIN` names another, such as a script that calls an
/// emulator with one for another processor.
pub(crate) fn program() -> &'static str {
    static NAMED: OnceLock<Option<String>> = OnceLock::new();
    let named = NAMED.get_or_init(|| env::var("DEVICE_DEFENDER_BIN").ok());
    named.as_deref().unwrap_or(env!("CARGO_BIN_EXE_device-defender"))
}

/// How long a run may take before it counts as hung. Far above what any takes.
const LIMIT: Duration = Duration::from_secs(120);

/// One run of the program, and how it is expected to end: with 0 and an empty standard error.
pub(crate) struct Run {
    /// What is run. Its environment is empty, its standard input too.
    pub(crate) command: Command,
    stdin: Vec<u8>,
    code: i32,
    stderr: String,
    /// Whether standard error may have any warnings instead.
    may_warn: bool,
}

impl Run {
    /// The program with these arguments, to be run in the directory `dir`.
    pub(crate) fn new(dir: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(program());
        command.env_clear().current_dir(dir).args(args);
        Self { command, stdin: Vec::new(), code: 0, stderr: String::new(), may_warn: false }
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Gives it this on standard input.
    pub(crate) fn stdin(self, stdin: impl Into<Vec<u8>>) -> Self {
        Self { stdin: stdin.into(), ..self }
    }

    /// Runs it as a user without rights, by a copy of the program in its directory: the original may be out of reach for
    /// that user. Where the tests do not run as root, the user stays the same.
    pub(crate) fn by_nobody(mut self) -> Self {
        let dir = self.command.get_current_dir().unwrap().to_owned();
        let program = dir.join("device-defender");
        copy_program(&program);
        fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
        let become_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        let mut command = Command::new("env");
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(dir);
        command.args(["-u", "PATH"]).args(become_nobody.iter().filter(|_| is_root()));
        command.arg(program).args(self.command.get_args());
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.command = command;
        self
    }

    /// Lets it have at most so many bytes of memory: a run that takes more aborts.
    pub(crate) fn with_memory(mut self, bytes: u64) -> Self {
        let mut command = Command::new("prlimit");
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(self.command.get_current_dir().unwrap());
        command.arg(format!("--data={bytes}")).arg(self.command.get_program()).args(self.command.get_args());
        self.command = command;
        self
    }

    /// Expects this exit code.
    pub(crate) fn code(self, code: i32) -> Self {
        Self { code, ..self }
    }

    /// Expects exactly these lines on standard error. Each begins with the name of the program, which is left out here.
    pub(crate) fn stderr(self, lines: &str) -> Self {
        let lines = lines.lines().flat_map(|line| ["device-defender: ", line, "\n"]);
        Self { stderr: lines.collect(), ..self }
    }

    /// Expects nothing but warnings on standard error, whatever they are.
    pub(crate) fn may_warn(self) -> Self {
        Self { may_warn: true, ..self }
    }

    /// Runs it, checks how it ended, and returns its standard output.
    #[track_caller]
    pub(crate) fn output(self) -> Vec<u8> {
        let (code, expected, may_warn) = (self.code, self.stderr.clone(), self.may_warn);
        let what = format!("{:?}", self.command);
        let output = self.finish();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let is_warning = |line: &str| line.starts_with("device-defender: warning: ");
        let is_expected = if may_warn { stderr.lines().all(is_warning) } else { stderr == *expected };
        assert!(
            output.status.code() == Some(code) && is_expected,
            "{what}\nended with {}, expected {code}\nstandard error:\n{stderr}\nexpected:\n{expected}",
            output.status
        );
        output.stdout
    }

    /// The same for a run that must print nothing on standard output.
    #[track_caller]
    pub(crate) fn prints_nothing(self) {
        assert_eq!(String::from_utf8_lossy(&self.output()), "");
    }

    /// The same for a run that prints text.
    #[track_caller]
    pub(crate) fn text(self) -> String {
        String::from_utf8(self.output()).unwrap()
    }

    /// The same for a run that prints one JSON document.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_slice(&self.output()).unwrap()
    }

    /// The same for a run that prints JSON documents, one a line.
    #[track_caller]
    pub(crate) fn lines(self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Runs it with its standard output on a full disk, which it must report and end with 74.
    #[track_caller]
    pub(crate) fn fails_on_a_full_disk(self) {
        let full = File::options().write(true).open("/dev/full").unwrap();
        self.code(74).stderr("standard output: No space left on device (os error 28)").printing_to(full);
    }

    /// Runs it with nobody at the other end of its standard output, and checks how it ended.
    #[track_caller]
    pub(crate) fn without_a_reader(self) {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        self.printing_to(writer);
    }

    /// Other lines may come before those that are expected on standard error.
    #[track_caller]
    fn printing_to(mut self, stdout: impl Into<Stdio>) {
        let output = self.command.stdin(Stdio::null()).stdout(stdout).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(self.code), "{:?}\n{stderr}", self.command);
        assert!(stderr.ends_with(&self.stderr) && (stderr.is_empty() || !self.stderr.is_empty()), "{stderr}");
    }

    /// Runs it and returns how it ended, whatever that was.
    pub(crate) fn finish(self) -> Output {
        let Self { mut command, stdin, .. } = self;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let id = child.id().to_string();
        let mut pipe = child.stdin.take().unwrap();
        let writer = thread::spawn(move || drop(pipe.write_all(&stdin))); // the program may not read all of it
        let (done, finished) = mpsc::channel();
        let waiter = thread::spawn(move || drop(done.send(child.wait_with_output())));
        let Ok(output) = finished.recv_timeout(LIMIT) else {
            drop(Command::new("kill").args(["-9", &id]).status());
            panic!("{command:?} hung");
        };
        writer.join().unwrap();
        waiter.join().unwrap();
        output.unwrap()
    }
}

/// Copies the program, unless that is done already. Not with `fs::copy`: another test that starts a process meanwhile
/// hands it the open file, and a program that is open for writing cannot be run.
pub(crate) fn copy_program(to: &Path) {
    if !to.exists() {
        system(Command::new("cp").arg(program()).arg(to));
        fs::set_permissions(to, Permissions::from_mode(0o755)).unwrap();
    }
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}
