//! A broker: `mosquitto` as a process of its own.

use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use tempfile::TempDir;

use super::pki::pki_str;
use super::{NEVER, spawn, tool};

/// A running broker, stopped when dropped.
pub(crate) struct Broker {
    process: Child,
    log: Arc<Log>,
    /// Its configuration.
    _dir: TempDir,
    /// The port that asks for a client certificate of the authority `ca`. The certificate's common name is the user.
    pub(crate) tls: u16,
    /// The port without TLS, where nobody has a name.
    pub(crate) plain: u16,
}

/// What a broker has logged, and the news that there is more.
#[derive(Default)]
struct Log {
    /// The text, and whether it is complete because the broker has ended.
    text: Mutex<(String, bool)>,
    more: Condvar,
}

/// How a broker differs from one that lets everybody with a certificate do everything.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ways<'a> {
    /// The name of its certificate, if it is another one than `server`.
    pub(crate) certificate: Option<&'a str>,
    /// Lines for its list of rights, if not everything is allowed. Those without a name always have every right.
    pub(crate) rights: Option<&'a str>,
    /// More lines for its configuration, about everything.
    pub(crate) general: &'a str,
    /// More lines for its configuration, about the port with TLS.
    pub(crate) tls: &'a str,
}

impl Broker {
    /// A broker that lets everybody with a certificate do everything.
    pub(crate) fn start() -> Self {
        Self::with(Ways::default())
    }

    /// A broker with ways of its own.
    pub(crate) fn with(ways: Ways<'_>) -> Self {
        std::iter::repeat_with(|| Self::try_start(ways)).flatten().next().unwrap()
    }

    /// Starts one on ports that are free now; `None` when somebody else was faster.
    fn try_start(ways: Ways<'_>) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let (tls, plain) = free_ports();
        let name = ways.certificate.unwrap_or("server");
        let (ca, certificate, key) =
            (pki_str("ca.pem"), pki_str(&format!("{name}.pem")), pki_str(&format!("{name}.key")));
        let mut config = format!(
            "user root\nallow_anonymous true\nset_tcp_nodelay true\npersistence false\nlog_type all\nlog_dest stderr\n{}\n",
            ways.general
        );
        if let Some(rights) = ways.rights {
            let file = dir.path().join("rights");
            fs::write(&file, format!("topic readwrite $aws/#\n{rights}")).unwrap();
            writeln!(config, "acl_file {}", file.display()).unwrap();
        }
        write!(
            config,
            "listener {plain} 127.0.0.1\n\
             listener {tls} 127.0.0.1\ncafile {ca}\ncertfile {certificate}\nkeyfile {key}\n\
             require_certificate true\nuse_identity_as_username true\n{}\n",
            ways.tls
        )
        .unwrap();
        let file = dir.path().join("mosquitto.conf");
        fs::write(&file, config).unwrap();
        let mut command = tool("mosquitto");
        command.arg("-c").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = spawn(&mut command);
        let log = Arc::new(Log::default());
        let (stderr, reader) = (process.stderr.take().unwrap(), Arc::clone(&log));
        thread::spawn(move || reader.read(stderr));
        let broker = Self { process, log, _dir: dir, tls, plain };
        let log = broker.log.wait(|log, ended| ended || log.contains(" running"));
        let ready = log.contains(" running");
        assert!(ready || log.contains("Address already in use"), "mosquitto does not start\n{log}");
        ready.then_some(broker)
    }

    /// All it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.text.lock().unwrap().0.clone()
    }

    /// Asks it to shut down, and waits until it does.
    pub(crate) fn terminate(&self) {
        let pid = nix::unistd::Pid::from_raw(self.process.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        self.has_logged("terminating");
    }

    /// Waits until it has logged a line that contains this.
    pub(crate) fn has_logged(&self, text: &str) {
        self.log.wait(|log, _| log.contains(text));
    }
}

impl Log {
    /// Reads the log to its end.
    fn read(&self, stderr: ChildStderr) {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            self.text.lock().unwrap().0 += &(line + "\n");
            self.more.notify_all();
        }
        self.text.lock().unwrap().1 = true;
        self.more.notify_all();
    }

    /// Waits until the text, or that it is complete, is as wanted.
    fn wait(&self, wanted: impl Fn(&str, bool) -> bool) -> String {
        let log = self.text.lock().unwrap();
        let (log, timeout) = self.more.wait_timeout_while(log, NEVER, |(text, ended)| !wanted(text, *ended)).unwrap();
        assert!(!timeout.timed_out(), "mosquitto never logged what is waited for\n{}", log.0);
        log.0.clone()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Two ports that nobody listens on.
fn free_ports() -> (u16, u16) {
    let [a, b] = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    (a.local_addr().unwrap().port(), b.local_addr().unwrap().port())
}

/// A port that nobody listens on, and that nobody is given as long as the listener is kept: it never listens.
pub(crate) fn closed_port() -> (u16, socket2::Socket) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    (socket.local_addr().unwrap().as_socket().unwrap().port(), socket)
}
