//! Runs the program under test and holds what it does against what is expected of it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_device-defender");

/// How long a run may take before it counts as hung. Far above what any takes.
const LIMIT: Duration = Duration::from_secs(120);

/// One run of the program, and how it is expected to end: with 0, without a word on standard error.
pub(crate) struct Run {
    /// What is run. Its environment is empty, its standard input too.
    pub(crate) command: Command,
    /// What it finds on standard input.
    pub(crate) stdin: Vec<u8>,
    code: i32,
    stderr: String,
}

impl Run {
    /// The program with these arguments, to be run in the directory `dir`.
    pub(crate) fn new(dir: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.env_clear().current_dir(dir).args(args);
        Self { command, stdin: Vec::new(), code: 0, stderr: String::new() }
    }

    /// Expects this exit code.
    pub(crate) fn exits(self, code: i32) -> Self {
        Self { code, ..self }
    }

    /// Expects exactly these words on standard error: every line begins with the name of the program, which is left out
    /// here.
    pub(crate) fn tells(self, lines: &str) -> Self {
        let lines = lines.lines().flat_map(|line| ["device-defender: ", line, "\n"]);
        Self { stderr: lines.collect(), ..self }
    }

    /// Runs it, checks how it ended, and returns its standard output.
    pub(crate) fn output(self) -> Vec<u8> {
        let (code, expected) = (self.code, self.stderr.clone());
        let what = format!("{:?}", self.command);
        let output = self.finish();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(code) && told == *expected,
            "{what}\nended with {}, expected {code}\nstandard error:\n{told}\nexpected:\n{expected}",
            output.status
        );
        output.stdout
    }

    /// Runs it and returns what it did, whatever that was.
    pub(crate) fn finish(self) -> Output {
        let Self { mut command, stdin, .. } = self;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let id = child.id().to_string();
        let mut pipe = child.stdin.take().unwrap();
        let writer = thread::spawn(move || drop(pipe.write_all(&stdin))); // it may well not be read
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
