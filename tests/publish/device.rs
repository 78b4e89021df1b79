//! A device to publish from: a saved `/proc` with counters under control, a state directory, and runs of the program.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::broker::mosquitto::Broker;
use crate::broker::peer::Peer;
use crate::broker::pki::pki_str;
use crate::common::Run;

const BOOT: &str = "0b6d5a3c-1111-2222-3333-444455556666";
const NAMESPACE: &str = "net:[4026531840]";

/// Bytes and packets received, bytes and packets sent, of the interface `eth0`.
pub(crate) type Traffic = [u64; 4];

/// What its interface shows at first.
pub(crate) const BEFORE: Traffic = [1000, 10, 2000, 20];

/// A device with one listening TCP port, one UDP port, one connection and the interface `eth0`.
pub(crate) struct Device(TempDir);

impl Device {
    /// A device that never reported, whose interface shows [`BEFORE`].
    pub(crate) fn new() -> Self {
        let device = Self(tempfile::tempdir().unwrap());
        for dir in ["proc/net", "proc/self/ns", "proc/sys/kernel/random", "state"] {
            fs::create_dir_all(device.path(dir)).unwrap();
        }
        for table in ["tcp", "tcp6", "udp", "udp6", "route", "fib_trie"] {
            fs::copy(fixtures().join("idle/proc/net").join(table), device.path("proc/net").join(table)).unwrap();
        }
        device.boots(BOOT);
        symlink(NAMESPACE, device.path("proc/self/ns/net")).unwrap();
        device.count(BEFORE);
        device
    }

    /// Where this file of it is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Where it stands.
    pub(crate) fn dir(&self) -> &Path {
        self.0.path()
    }

    /// Gives it a new boot id.
    pub(crate) fn boots(&self, id: &str) {
        fs::write(self.path("proc/sys/kernel/random/boot_id"), format!("{id}\n")).unwrap();
    }

    /// Lets its interface show these counters.
    pub(crate) fn count(&self, [bytes_in, packets_in, bytes_out, packets_out]: Traffic) {
        let mut dev = fs::read_to_string(fixtures().join("idle/proc/net/dev")).unwrap();
        dev = dev.split_inclusive('\n').take(2).collect();
        writeln!(dev, "eth0: {bytes_in} {packets_in} 0 0 0 0 0 0 {bytes_out} {packets_out} 0 0 0 0 0 0").unwrap();
        fs::write(self.path("proc/net/dev"), dev).unwrap();
    }

    /// The state file, if there is one.
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

    /// The counters of the last accepted report, as the state file has them.
    pub(crate) fn baseline(&self) -> Option<Traffic> {
        let state = self.state()?;
        let baseline = state.get("baseline").filter(|baseline| !baseline.is_null())?;
        assert_eq!(baseline["boot_id"], BOOT);
        assert_eq!(baseline["namespace"], NAMESPACE);
        let eth0 = &baseline["interfaces"]["eth0"];
        Some(["bytes_in", "packets_in", "bytes_out", "packets_out"].map(|name| eth0[name].as_u64().unwrap()))
    }

    /// Writes a state file of the thing `gw` as an accepted report with these counters leaves it.
    pub(crate) fn remember(&self, last_report_id: u64, [bytes_in, packets_in, bytes_out, packets_out]: Traffic) {
        let state = json!({
            "version": 1,
            "thing_name": "gw",
            "last_report_id": last_report_id,
            "baseline": {
                "boot_id": BOOT,
                "proc": "proc",
                "net": "proc/net",
                "namespace": NAMESPACE,
                "taken_at": "2023-11-14T22:18:20Z",
                "interfaces": {"eth0": {"bytes_in": bytes_in, "packets_in": packets_in, "bytes_out": bytes_out,
                                        "packets_out": packets_out}},
            },
        });
        fs::write(self.path("state/gw.json"), state.to_string()).unwrap();
    }

    /// `publish --once` with what every run here needs and nothing about where to.
    pub(crate) fn publish(&self) -> Publish {
        let publish = Publish { dir: self.dir().to_owned(), flags: Vec::new(), env: Vec::new(), stdin: Vec::new() };
        publish.flag("--once").set("--proc", "proc").set("--state-dir", "state")
    }

    /// A report of the thing `gw` to a port of this host that does TLS.
    pub(crate) fn publish_to_port(&self, port: u16) -> Publish {
        let publish = self.publish().set("--thing-name", "gw").set("--endpoint", "localhost").set("--port", port);
        publish.set("--ca-file", pki_str("ca.pem")).identity("ec", "ec")
    }

    /// The same to a broker.
    pub(crate) fn publish_to(&self, broker: &Broker) -> Publish {
        self.publish_to_port(broker.tls)
    }

    /// The same to a peer.
    pub(crate) fn publish_to_peer(&self, peer: &Peer) -> Publish {
        self.publish_to_port(peer.port())
    }

    /// The same to a port without TLS.
    pub(crate) fn publish_plain(&self, port: u16) -> Publish {
        let publish = self.publish().set("--thing-name", "gw").set("--endpoint", "127.0.0.1").set("--port", port);
        publish.flag("--insecure-plaintext")
    }
}

/// A run of `publish` to be.
#[derive(Clone)]
pub(crate) struct Publish {
    dir: PathBuf,
    flags: Vec<(&'static str, Option<OsString>)>,
    env: Vec<(&'static str, OsString)>,
    stdin: Vec<u8>,
}

impl Publish {
    /// Gives this flag this value, instead of the one it had.
    #[expect(clippy::needless_pass_by_value, reason = "ports, names and paths stand there as they are")]
    pub(crate) fn set(self, flag: &'static str, value: impl ToString) -> Self {
        let mut publish = self.without(flag);
        publish.flags.push((flag, Some(value.to_string().into())));
        publish
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

    /// The run.
    pub(crate) fn run(self) -> Run {
        let mut run = Run::new(&self.dir, &["publish"]);
        for (flag, value) in self.flags {
            run.command.arg(flag).args(value);
        }
        run.command.envs(self.env);
        run.stdin = self.stdin;
        run
    }

    /// Runs it to its end, whatever that is.
    pub(crate) fn outcome(self) -> Outcome {
        Outcome::of(self.run())
    }

    /// Runs it; it must end with 0 without a word.
    pub(crate) fn succeeds(self) {
        assert_eq!(self.run().output(), b"", "a delivered report prints nothing");
    }

    /// Runs it; it must end with this code, nothing on standard output, and each of these on standard error.
    #[track_caller]
    pub(crate) fn ends(self, code: i32, told: &[&str]) -> Outcome {
        let outcome = self.outcome();
        outcome.is(code, told);
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
    pub(crate) told: String,
}

impl Outcome {
    /// Runs something to its end, whatever that is.
    pub(crate) fn of(run: Run) -> Self {
        let what = format!("{:?}", run.command);
        let output = run.finish();
        let told = String::from_utf8(output.stderr).unwrap();
        let harmless = |line: &str| line.starts_with("device-defender: ") && !line.contains(char::is_control);
        let usage = told.contains("Usage: device-defender ") || output.status.code() == Some(2); // clap writes these
        assert!(usage || told.lines().all(harmless) && !told.contains("panicked"), "{what}\n{told}");
        Self { what, code: output.status.code(), stdout: output.stdout, told }
    }

    /// It ended with this code, nothing on standard output, and each of these on standard error.
    #[track_caller]
    pub(crate) fn is(&self, code: i32, told: &[&str]) {
        let Self { what, told: all, stdout, .. } = self;
        let stdout = String::from_utf8_lossy(stdout);
        assert!(self.code == Some(code), "{what}\nended with {:?}, expected {code}\n{all}{stdout}", self.code);
        assert!(stdout.is_empty(), "{what}\n{stdout}");
        self.tells(told);
    }

    /// It said each of these on standard error. Case does not matter.
    #[track_caller]
    pub(crate) fn tells(&self, told: &[&str]) {
        let all = self.told.to_lowercase();
        for fragment in told {
            assert!(
                all.contains(&fragment.to_lowercase()),
                "{}\nsaid nothing of {fragment:?}:\n{}",
                self.what,
                self.told
            );
        }
    }

    /// It said none of these on standard error. Case does not matter.
    #[track_caller]
    pub(crate) fn tells_nothing_of(&self, told: &[&str]) {
        let all = self.told.to_lowercase();
        for fragment in told {
            assert!(!all.contains(&fragment.to_lowercase()), "{}\nspoke of {fragment:?}:\n{}", self.what, self.told);
        }
    }
}

/// The traffic of a report; `None` when it has none.
pub(crate) fn traffic(report: &Value) -> Option<Traffic> {
    let metrics = &report["metrics"];
    assert_eq!(metrics["listening_tcp_ports"]["total"], 1, "the rest of the report is there");
    let stats = metrics.get("network_stats")?;
    Some(["bytes_in", "packets_in", "bytes_out", "packets_out"].map(|name| stats[name].as_u64().unwrap()))
}

/// Where the saved trees are.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}
