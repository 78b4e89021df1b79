//! A broker: `mosquitto` as a process of its own.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::pki::pki_str;
use super::{NEVER, spawn, tool};

/// A running broker, stopped when dropped.
pub(crate) struct Broker {
    process: Child,
    /// Its configuration and its log.
    dir: TempDir,
    /// The port that asks for a client certificate of the authority `ca`. The certificate's common name is the user.
    pub(crate) tls: u16,
    /// The port without TLS, where nobody has a name.
    pub(crate) plain: u16,
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
        let start = Instant::now();
        loop {
            if let Some(broker) = Self::try_start(ways) {
                return broker;
            }
            assert!(start.elapsed() < NEVER, "mosquitto does not start");
        }
    }

    /// Starts one on ports that are free now; `None` when somebody else was faster.
    fn try_start(ways: Ways<'_>) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let (tls, plain) = free_ports();
        let name = ways.certificate.unwrap_or("server");
        let (ca, certificate, key) =
            (pki_str("ca.pem"), pki_str(&format!("{name}.pem")), pki_str(&format!("{name}.key")));
        let log = dir.path().join("log");
        let mut config = format!(
            "user root\nallow_anonymous true\nset_tcp_nodelay true\npersistence false\nlog_type all\nlog_dest file {}\n{}\n",
            log.display(),
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
        command.arg("-c").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut broker = Self { process: spawn(&mut command), dir, tls, plain };
        broker.is_up().then_some(broker)
    }

    /// Waits until both ports are open; `false` when it ended instead.
    fn is_up(&mut self) -> bool {
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                let log = self.log();
                assert!(log.contains("Address already in use"), "mosquitto: {status}\n{log}");
                return false;
            }
            let is_open = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
            if self.log().contains(" running") && is_open(self.plain) && is_open(self.tls) {
                return true;
            }
            assert!(start.elapsed() < NEVER, "mosquitto does not open its ports\n{}", self.log());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// All it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Waits until it has logged a line that contains this.
    pub(crate) fn has_logged(&self, text: &str) {
        let start = Instant::now();
        while !self.log().contains(text) {
            assert!(start.elapsed() < NEVER, "never logged: {text}\n{}", self.log());
            thread::sleep(Duration::from_millis(2));
        }
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
