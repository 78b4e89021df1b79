//! A device to watch from: a saved `/proc` with counters under control, certificates of its own, a state directory.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::broker::mosquitto::Broker;
use crate::broker::pki::{copy_pki, pki};
use crate::running::Watch;

/// Bytes and packets received, bytes and packets sent, of the interface `eth0`.
pub(crate) type Traffic = [u64; 4];

const NAMES: [&str; 4] = ["bytes_in", "packets_in", "bytes_out", "packets_out"];

/// A device with one listening TCP port, one UDP port, one connection and the interface `eth0`.
pub(crate) struct Device(TempDir);

impl Device {
    /// A device that never reported. Its certificates are `ca.pem`, `gw.pem` and `gw.key`.
    pub(crate) fn new() -> Self {
        let device = Self(tempfile::tempdir().unwrap());
        for dir in ["proc/net", "proc/self/ns", "proc/sys/kernel/random", "state"] {
            fs::create_dir_all(device.path(dir)).unwrap();
        }
        for table in ["tcp", "tcp6", "udp", "udp6", "route", "fib_trie"] {
            fs::copy(fixtures().join("idle/proc/net").join(table), device.path("proc/net").join(table)).unwrap();
        }
        fs::write(device.path("proc/sys/kernel/random/boot_id"), "0b6d5a3c-1111-2222-3333-444455556666\n").unwrap();
        symlink("net:[4026531840]", device.path("proc/self/ns/net")).unwrap();
        device.count([1000, 10, 2000, 20]);
        copy_pki(&["ca.pem", "ec.pem", "ec.key"], device.dir());
        device.swap("ec.pem", "gw.pem");
        device.swap("ec.key", "gw.key");
        device
    }

    /// Where this file of it is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// Where it stands.
    pub(crate) fn dir(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file so that a reader sees the old one or the new one.
    pub(crate) fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        let new = self.path(&format!("{name}.being-written"));
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path(name)).unwrap();
    }

    /// Puts one of its files in the place of another.
    fn swap(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// Puts a file of the key infrastructure in the place of one of its own.
    pub(crate) fn renew(&self, name: &str, from: &str) {
        fs::copy(pki(from), self.path("renewed")).unwrap();
        self.swap("renewed", name);
    }

    /// Lets its interface show these counters.
    pub(crate) fn count(&self, [bytes_in, packets_in, bytes_out, packets_out]: Traffic) {
        let mut dev = fs::read_to_string(fixtures().join("idle/proc/net/dev")).unwrap();
        dev = dev.split_inclusive('\n').take(2).collect();
        writeln!(dev, "eth0: {bytes_in} {packets_in} 0 0 0 0 0 0 {bytes_out} {packets_out} 0 0 0 0 0 0").unwrap();
        self.put("proc/net/dev", dev);
    }

    /// The state file, if there is one. It must be whole.
    pub(crate) fn state(&self) -> Option<Value> {
        let text = fs::read(self.path("state/gw.json")).ok()?;
        Some(serde_json::from_slice(&text).unwrap())
    }

    /// The counters of the last accepted report, as the state file has them.
    pub(crate) fn baseline(&self) -> Option<Traffic> {
        let state = self.state()?;
        let baseline = state.get("baseline").filter(|baseline| !baseline.is_null())?;
        let eth0 = &baseline["interfaces"]["eth0"];
        Some(NAMES.map(|name| eth0[name].as_u64().unwrap()))
    }

    /// `watch` with what nearly every run here needs and nothing about where to.
    pub(crate) fn watch(&self) -> Flags {
        let flags = Flags { dir: self.dir().to_owned(), args: vec!["watch".into()], env: Vec::new() };
        flags.set("--proc", "proc")
    }

    /// Reports of the thing `gw` every 100 ms, beginning at once, to a port of this host that does TLS.
    pub(crate) fn watch_port(&self, port: u16) -> Flags {
        let to = self.watch().often().set("--thing-name", "gw").set("--endpoint", "localhost").set("--port", port);
        let to = to.set("--ca-file", "ca.pem").set("--cert-file", "gw.pem").set("--key-file", "gw.key");
        to.set("--state-dir", "state")
    }

    /// The same to a broker.
    pub(crate) fn watch_broker(&self, broker: &Broker) -> Flags {
        self.watch_port(broker.tls)
    }

    /// The same to a port without TLS.
    pub(crate) fn watch_plain(&self, port: u16) -> Flags {
        let to = self.watch().often().set("--thing-name", "gw").set("--endpoint", "127.0.0.1").set("--port", port);
        to.flag("--insecure-plaintext").set("--state-dir", "state")
    }
}

/// A command line to be.
#[derive(Clone)]
pub(crate) struct Flags {
    /// Where it is run.
    pub(crate) dir: PathBuf,
    /// The arguments.
    pub(crate) args: Vec<OsString>,
    /// The environment.
    pub(crate) env: Vec<(&'static str, OsString)>,
}

impl Flags {
    /// Gives this flag this value, instead of the one it had.
    #[expect(clippy::needless_pass_by_value, reason = "ports, names and paths stand there as they are")]
    pub(crate) fn set(mut self, flag: &'static str, value: impl ToString) -> Self {
        let value = OsString::from(value.to_string());
        match self.args.iter().position(|known| known == flag) {
            Some(at) => self.args[at + 1] = value,
            None => self.args.extend([flag.into(), value]),
        }
        self
    }

    /// Adds a flag that has no value.
    pub(crate) fn flag(mut self, flag: &'static str) -> Self {
        self.args.push(flag.into());
        self
    }

    /// Takes a flag and its value away.
    pub(crate) fn without(mut self, flag: &str) -> Self {
        let at = self.args.iter().position(|known| known == flag).unwrap();
        self.args.drain(at..at + 2);
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// A report every 100 ms, beginning at once.
    pub(crate) fn often(self) -> Self {
        self.set("--interval", "100ms").set("--splay", "0s").flag("--allow-short-interval")
    }

    /// Starts it.
    pub(crate) fn start(&self) -> Watch {
        Watch::start(self)
    }
}

/// The traffic of a report; `None` when it has none.
pub(crate) fn traffic(report: &Value) -> Option<Traffic> {
    let stats = report["metrics"].get("network_stats")?;
    Some(NAMES.map(|name| stats[name].as_u64().unwrap()))
}

/// Where the saved trees are.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}
