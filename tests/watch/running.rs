//! A run of `watch`, as systemd would have it: what it logs, what it prints, and what it tells the service manager.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{CommandLine, NEVER, program, tool};

/// How long a run may take before its test counts as hung. Far above what any takes.
const TEST: Duration = Duration::from_secs(120);

/// What ends the thread that listens for notices.
const QUIT: &[u8] = b"quit";

/// A running `watch`, killed when dropped.
pub(crate) struct Watch {
    what: String,
    start: Instant,
    pid: u32,
    child: Option<Child>,
    log: Lines,
    print: Lines,
    notices: Receiver<String>,
    listener: Option<JoinHandle<()>>,
    /// Where the socket of the service manager is.
    dir: TempDir,
    /// Every notice but signs of life, in order, that was received and not asked for.
    pending: VecDeque<String>,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit status.
    pub(crate) status: ExitStatus,
    /// The lines of its log, without the program's name.
    pub(crate) log: Vec<String>,
    /// The lines it printed.
    pub(crate) printed: Vec<String>,
}

impl CommandLine {
    /// Starts it with both of its streams read.
    pub(crate) fn start(&self) -> Watch {
        Watch::start_with(self, |command| command)
    }
}

impl Watch {
    /// Starts it with what `how` changes in the command.
    pub(crate) fn start_with(flags: &CommandLine, how: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let (sender, notices) = channel();
        let listener = thread::spawn(move || {
            let mut message = vec![0; 64 * 1024];
            loop {
                let length = socket.recv(&mut message).unwrap();
                let message = &message[..length];
                if message == QUIT
                    || sender
                        .send(String::from_utf8(message.to_vec()).unwrap().trim_end_matches('\n').to_owned())
                        .is_err()
                {
                    return;
                }
            }
        });
        let mut command = Command::new(program());
        command.env_clear().env("NOTIFY_SOCKET", path).current_dir(&flags.dir);
        command.args(flags.args()).envs(flags.env.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let what = format!("{:?}", how(&mut command));
        let mut child = command.spawn().unwrap();
        drop(command); // and with it the ends of pipes it was given
        let (log, print) = (Lines::of(child.stderr.take()), Lines::of(child.stdout.take()));
        Self {
            what,
            start: Instant::now(),
            pid: child.id(),
            child: Some(child),
            log,
            print,
            notices,
            listener: Some(listener),
            dir,
            pending: VecDeque::new(),
        }
    }

    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// The next notice to the service manager: one datagram, lines apart.
    #[track_caller]
    pub(crate) fn notice(&mut self) -> String {
        assert!(
            self.start.elapsed() < TEST,
            "{}\nis waited for in vain; its log:\n{}",
            self.what,
            self.log.all().join("\n")
        );
        if let Some(notice) = self.pending.pop_front() {
            return notice;
        }
        let Ok(notice) = self.notices.recv_timeout(NEVER) else {
            panic!("{}\ntells systemd nothing more; its log:\n{}", self.what, self.log.all().join("\n"));
        };
        notice
    }

    /// Notices that came and were not asked for.
    pub(crate) fn notices(&mut self) -> Vec<String> {
        self.pending.extend(self.notices.try_iter());
        self.pending.drain(..).collect()
    }

    /// What is told of the next cycle.
    pub(crate) fn cycle(&mut self) -> String {
        loop {
            let notice = self.notice();
            let status = notice.lines().find_map(|line| line.strip_prefix("STATUS="));
            if let Some(status) = status.filter(|status| status.contains("; next at ")) {
                return status.to_owned();
            }
        }
    }

    /// Waits for a cycle of which this is told. Returns what is told.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let status = self.cycle();
            if status.contains(text) {
                return status;
            }
            assert!(start.elapsed() < NEVER, "{}\nnever {text:?}; its log:\n{}", self.what, self.log.all().join("\n"));
        }
    }

    /// The next so many cycles must be ones of which this is told.
    #[track_caller]
    pub(crate) fn stays(&mut self, cycles: usize, text: &str) {
        for _ in 0..cycles {
            let status = self.cycle();
            assert!(status.contains(text), "{}\nnot {text:?}, but {status}", self.what);
        }
    }

    /// Passes over what was told before, and over the cycle that may be under way.
    pub(crate) fn catches_up(&mut self) {
        self.notices();
        self.cycle();
    }

    /// Waits until it is ready, which it is when its settings are good.
    pub(crate) fn is_ready(&mut self) {
        while !self.notice().lines().any(|line| line == "READY=1") {}
    }

    /// Waits for a line in the log that contains this.
    #[track_caller]
    pub(crate) fn logs(&mut self, text: &str) -> String {
        self.log.next_with(text, &self.what)
    }

    /// The next line on standard output.
    #[track_caller]
    pub(crate) fn prints(&mut self) -> String {
        self.print.next_with("", &self.what)
    }

    /// Nobody reads standard output any more, once the next line has come.
    pub(crate) fn stop_reading(&mut self) {
        self.print.lines = channel().1;
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(tool("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// It is asked to end, and must do so with 0.
    #[track_caller]
    pub(crate) fn stop(self) -> Ended {
        self.signal("TERM");
        let ended = self.ends();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        ended
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ends(mut self) -> Ended {
        let (sender, end) = channel();
        let mut child = self.child.take().unwrap();
        thread::spawn(move || sender.send(child.wait()));
        let Ok(status) = end.recv_timeout(NEVER) else {
            self.signal("KILL");
            panic!("{}\ndoes not end; its log:\n{}", self.what, self.log.all().join("\n"));
        };
        let log = self.log.rest();
        let sanitized = |line: &String| !line.contains(char::is_control) && !line.contains("panicked");
        assert!(log.iter().all(sanitized), "{}\n{}", self.what, log.join("\n"));
        let log = log.into_iter().map(|line| line.strip_prefix("device-defender: ").unwrap_or(&line).to_owned());
        Ended { status: status.unwrap(), log: log.collect(), printed: self.print.rest() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
        let quit = UnixDatagram::unbound().unwrap();
        drop(quit.send_to(QUIT, self.dir.path().join("notify")));
        drop(self.listener.take().map(JoinHandle::join));
    }
}

impl Ended {
    /// The log is exactly so many lines, each of which contains its text.
    #[track_caller]
    pub(crate) fn logged(&self, lines: &[&str]) {
        let fits = self.log.iter().zip(lines).all(|(line, text)| line.contains(text));
        assert!(fits && self.log.len() == lines.len(), "expected {lines:#?}, got {:#?}", self.log);
    }

    /// No line of the log says what the one before it said.
    #[track_caller]
    pub(crate) fn never_repeats(&self) {
        let kind = |line: &String| {
            let line = line.split(" (previous message repeated ").next().unwrap().split("; hint: ").next().unwrap();
            line.replace(|c: char| c.is_ascii_digit(), "")
        };
        let twice = self.log.windows(2).find(|pair| kind(&pair[0]) == kind(&pair[1]));
        assert!(twice.is_none(), "said twice: {:#?}", self.log);
    }
}

/// The lines of a stream, read as they come.
struct Lines {
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Lines {
    fn of(stream: Option<impl Read + Send + 'static>) -> Self {
        let (sender, lines) = channel();
        if let Some(stream) = stream {
            thread::spawn(move || {
                for line in BufReader::new(stream).lines() {
                    let Ok(line) = line else { return };
                    if sender.send(line).is_err() {
                        return; // and the stream is closed
                    }
                }
            });
        }
        Self { lines, seen: Vec::new() }
    }

    #[track_caller]
    fn next_with(&mut self, text: &str, what: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(NEVER) else {
                panic!("{what}\nnever said {text:?}:\n{}", self.seen.join("\n"));
            };
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// All up to now.
    fn all(&mut self) -> &[String] {
        self.seen.extend(self.lines.try_iter());
        &self.seen
    }

    /// All up to the end of the stream.
    fn rest(&mut self) -> Vec<String> {
        self.seen.extend(self.lines.iter());
        std::mem::take(&mut self.seen)
    }
}
