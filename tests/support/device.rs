//! A directory of a test, and a device in it: a saved `/proc` with counters under control, and a state directory.

use std::fmt::Write;
use std::fs::{self, Permissions};
use std::ops::Deref;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{Broker, CommandLine, Peer, Service, fixtures, pki, pki_str};

/// A directory of its own for a test, removed when this is dropped.
pub(crate) struct Dir(TempDir);

impl Dir {
    /// An empty directory, which other users may read.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        Self(dir)
    }

    /// Where it is.
    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    /// Where a file of it is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Writes a file so that a reader sees the old one or the new one.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let new = self.path(&format!("{name}.being-written"));
        fs::write(&new, content).unwrap();
        fs::rename(new, self.path(name)).unwrap();
    }
}

/// Bytes and packets received, bytes and packets sent.
pub(crate) type Traffic = [u64; 4];

/// Counters by interface.
pub(crate) type Interfaces<'a> = &'a [(&'a str, Traffic)];

/// What the interface `eth0` shows at first.
pub(crate) const BEFORE: Traffic = [1000, 10, 2000, 20];

pub(crate) const BOOT: &str = "0b6d5a3c-1111-2222-3333-444455556666";
pub(crate) const NAMESPACE: &str = "net:[4026531840]";

const COUNTERS: [&str; 4] = ["bytes_in", "packets_in", "bytes_out", "packets_out"];

/// A device with one listening TCP port, one UDP port, one connection, and the directories `proc` and `state`.
pub(crate) struct Device(Dir);

impl Deref for Device {
    type Target = Dir;

    fn deref(&self) -> &Dir {
        &self.0
    }
}

impl Device {
    /// A device that never reported, whose interface `eth0` shows [`BEFORE`].
    pub(crate) fn new() -> Self {
        Self::with(&[("eth0", BEFORE)])
    }

    /// A device whose interfaces show these counters.
    pub(crate) fn with(interfaces: Interfaces<'_>) -> Self {
        let device = Self(Dir::new());
        for dir in ["proc/net", "proc/self/ns", "proc/sys/kernel/random", "state"] {
            fs::create_dir_all(device.path(dir)).unwrap();
        }
        for table in ["tcp", "tcp6", "udp", "udp6", "route", "fib_trie"] {
            fs::copy(fixtures().join("idle/proc/net").join(table), device.path("proc/net").join(table)).unwrap();
        }
        device.boots(BOOT);
        symlink(NAMESPACE, device.path("proc/self/ns/net")).unwrap();
        device.shows(interfaces);
        device
    }

    /// A device that has `ca.pem`, `gw.pem` and `gw.key`, which a test may damage.
    pub(crate) fn with_credentials() -> Self {
        let device = Self::new();
        for (name, from) in [("ca.pem", "ca.pem"), ("gw.pem", "ec.pem"), ("gw.key", "ec.key")] {
            device.renew(name, from);
        }
        device
    }

    /// Puts a file of the key infrastructure in the place of one of its own.
    pub(crate) fn renew(&self, name: &str, from: &str) {
        fs::copy(pki(from), self.path("renewed")).unwrap();
        fs::rename(self.path("renewed"), self.path(name)).unwrap();
    }

    /// Gives it a new boot ID.
    pub(crate) fn boots(&self, id: &str) {
        self.write("proc/sys/kernel/random/boot_id", format!("{id}\n"));
    }

    /// Lets its interface `eth0` show these counters.
    pub(crate) fn count(&self, now: Traffic) {
        self.shows(&[("eth0", now)]);
    }

    /// Lets its interfaces show these counters.
    pub(crate) fn shows(&self, interfaces: Interfaces<'_>) {
        let dev = fs::read_to_string(fixtures().join("idle/proc/net/dev")).unwrap();
        let mut dev: String = dev.split_inclusive('\n').take(2).collect();
        for (name, [bytes_in, packets_in, bytes_out, packets_out]) in interfaces {
            writeln!(dev, "{name}: {bytes_in} {packets_in} 0 0 0 0 0 0 {bytes_out} {packets_out} 0 0 0 0 0 0").unwrap();
        }
        self.write("proc/net/dev", dev);
    }

    /// The state file, if there is one. It must be whole.
    pub(crate) fn state(&self) -> Option<Value> {
        self.state_of("gw")
    }

    /// The state file of a thing, if there is one.
    pub(crate) fn state_of(&self, thing: &str) -> Option<Value> {
        let text = fs::read(self.path(&format!("state/{thing}.json"))).ok()?;
        Some(serde_json::from_slice(&text).unwrap())
    }

    /// The id of the last report, as the state file has it.
    pub(crate) fn last_id(&self) -> Option<u64> {
        Some(self.state()?["last_report_id"].as_u64().unwrap())
    }

    /// The counters of `eth0` at the last accepted report, as the state file has them.
    pub(crate) fn baseline(&self) -> Option<Traffic> {
        let state = self.state()?;
        let baseline = state.get("baseline").filter(|baseline| !baseline.is_null())?;
        assert_eq!((&baseline["boot_id"], &baseline["namespace"]), (&json!(BOOT), &json!(NAMESPACE)));
        Some(counters(&baseline["interfaces"]["eth0"]))
    }

    /// Writes the state file of the thing `gw`.
    pub(crate) fn save(&self, state: &Value) {
        self.write("state/gw.json", state.to_string());
    }

    /// Writes the state file that an accepted report with this id and these counters leaves.
    pub(crate) fn remember(&self, last_report_id: u64, before: Traffic) {
        self.save(&state(last_report_id, &[("eth0", before)]));
    }

    /// `publish` without a destination.
    pub(crate) fn publish(&self) -> CommandLine {
        let line = CommandLine::new(self.root(), "publish");
        line.set("--proc", "proc").set("--state-dir", "state")
    }

    /// A report of the thing `gw` to a port of this host that does TLS.
    pub(crate) fn publish_to_port(&self, port: u16) -> CommandLine {
        let line = self.publish().set("--thing-name", "gw").set("--endpoint", "localhost").set("--port", port);
        line.set("--ca-file", pki_str("ca.pem")).identity("ec", "ec")
    }

    /// A report to a broker.
    pub(crate) fn publish_to(&self, broker: &Broker) -> CommandLine {
        self.publish_to_port(broker.tls)
    }

    /// A report to a peer.
    pub(crate) fn publish_to_peer(&self, peer: &Peer) -> CommandLine {
        self.publish_to_port(peer.port())
    }

    /// A report to a port without TLS.
    pub(crate) fn publish_plain(&self, port: u16) -> CommandLine {
        let line = self.publish().set("--thing-name", "gw").set("--endpoint", "127.0.0.1").set("--port", port);
        line.flag("--insecure-plaintext")
    }

    /// `watch` without a destination.
    pub(crate) fn watch(&self) -> CommandLine {
        CommandLine::new(self.root(), "watch").set("--proc", "proc")
    }

    /// Reports of the thing `gw` every 100 ms, beginning at once.
    fn watch_often(&self) -> CommandLine {
        let line = self.watch().set("--interval", "100ms").set("--splay", "0s").flag("--allow-short-interval");
        line.set("--thing-name", "gw").set("--state-dir", "state")
    }

    /// The same to a port of this host that does TLS, with the device's own credentials.
    pub(crate) fn watch_port(&self, port: u16) -> CommandLine {
        let line = self.watch_often().set("--endpoint", "localhost").set("--port", port);
        line.set("--ca-file", "ca.pem").set("--cert-file", "gw.pem").set("--key-file", "gw.key")
    }

    /// The same to a broker.
    pub(crate) fn watch_broker(&self, broker: &Broker) -> CommandLine {
        self.watch_port(broker.tls)
    }

    /// The same to a port without TLS.
    pub(crate) fn watch_plain(&self, port: u16) -> CommandLine {
        let line = self.watch_often().set("--endpoint", "127.0.0.1").set("--port", port);
        line.flag("--insecure-plaintext")
    }
}

/// A broker, a service behind it that accepts every report, and a device that never reported.
pub(crate) fn accepting() -> (Broker, Service, Device) {
    let broker = Broker::start();
    let service = Service::accepting(broker.plain);
    (broker, service, Device::with_credentials())
}

/// The state file that an accepted report of the thing `gw` leaves on a [`Device`], as it is documented.
pub(crate) fn state(last_report_id: u64, before: Interfaces<'_>) -> Value {
    let interfaces = before.iter().map(|(name, traffic)| {
        let counters: Map<String, Value> =
            COUNTERS.iter().zip(traffic).map(|(n, c)| ((*n).to_owned(), json!(c))).collect();
        ((*name).to_owned(), Value::Object(counters))
    });
    json!({
        "version": 1,
        "thing_name": "gw",
        "last_report_id": last_report_id,
        "baseline": {
            "boot_id": BOOT,
            "proc": "proc",
            "net": "proc/net",
            "namespace": NAMESPACE,
            "taken_at": "2023-11-14T22:18:20Z",
            "interfaces": interfaces.collect::<Map<_, _>>(),
        },
    })
}

/// The traffic in the report of a [`Device`]; `None` when it has none.
pub(crate) fn traffic(report: &Value) -> Option<Traffic> {
    report["metrics"].get("network_stats").map(counters)
}

fn counters(counters: &Value) -> Traffic {
    COUNTERS.map(|name| counters[name].as_u64().unwrap())
}

/// The text of a report with 0 as its id, or as its id and time in a table.
pub(crate) fn without_id(text: &str) -> String {
    for before in ["\"report_id\":", "\"rid\":", "Report "] {
        let Some((head, rest)) = text.split_once(before) else { continue };
        let end = if before == "Report " { '\n' } else { ',' };
        return format!("{head}{before}0{}", &rest[rest.find(end).unwrap()..]);
    }
    panic!("no report: {text}");
}
