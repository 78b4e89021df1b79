//! What `watch` costs over a long time, and what a fleet of them does to a broker.
//!
//! # How to run it
//!
//! ```sh
//! cargo bench --bench watch                    # both: about six minutes
//! cargo bench --bench watch -- cycles          # one watcher, 2,000 cycles of 100 ms
//! cargo bench --bench watch -- fleet           # 200 watchers, 12 cycles of 5 s
//! cargo bench --bench watch -- cycles --count 500
//! cargo bench --bench watch -- fleet --watchers 50 --count 4
//! ```
//!
//! It takes `mosquitto` and `openssl`. Broker and stand-in service are those of the tests: mutual TLS with ECDSA P-256 on
//! a port of this host, and a service behind it that accepts every report.
//!
//! # What is measured
//!
//! `cycles`: one process reports this machine's own `/proc` every 100 ms. Its resident memory, its descriptors and the
//! time its threads ran, after 200 cycles and at the end: memory that grows from then on is a leak. The time is mostly
//! that of the kernel, which walks its tables of sockets; so it is measured with a saved `/proc` of a small device, too.
//! What a report takes on the wire is what `-v` says at the end of a session (payload of TCP, TLS included).
//!
//! `fleet`: so many processes that are started together, each a thing of its own, with intervals of 5 s: one hour of
//! 300 s, compressed sixtyfold. They read a saved `/proc` and keep their state in memory, to share as little as can be. The
//! interval is cut into 20 parts, and counted is how many reports arrive in each: with the delay that each thing derives
//! from its name, and, for two cycles, without it. Nothing may be lost: every report is accepted, and every id that arrives
//! at the service is larger than that before.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark computes with small numbers, prints its figures, and ends when something is not as it should be"
)]

#[path = "../../tests/broker/mod.rs"]
#[expect(dead_code, reason = "it is made for many")]
mod broker;
mod cycles;
mod fleet;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use broker::mosquitto::Broker;
use broker::pki::pki;

/// The program, as it is released.
const PROGRAM: &str = env!("CARGO_BIN_EXE_device-defender");

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    if !args.iter().any(|arg| arg == "--bench") {
        return; // `cargo test` starts benchmarks, too, to see that they still do
    }
    let number = |flag: &str, default: usize| {
        let at = args.iter().position(|arg| arg == flag);
        at.map_or(default, |at| args[at + 1].parse().unwrap())
    };
    let wants = |name: &str| {
        args.iter().any(|arg| arg == name) || !args.iter().any(|arg| ["cycles", "fleet"].contains(&&**arg))
    };
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load {} at the start\n", load.split(' ').next().unwrap_or_default());
    if wants("cycles") {
        cycles::run(number("--count", 2000));
    }
    if wants("fleet") {
        fleet::run(number("--watchers", 200), number("--count", 12));
    }
}

/// A directory that is no disk, where there is one: devices do not share a disk.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// The `/proc` of a small device, as it was saved. To read the tables of this machine takes the kernel long when it has
/// much memory, as their hash tables grow with that.
const SMALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/idle/proc");

/// `watch` of a thing, to be given an interval. What it logs is kept in a file of this name.
fn watch(broker: &Broker, dir: &Path, thing: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().args(["watch", "--allow-short-interval", "--endpoint", "localhost", "--thing-name", thing]);
    command.arg("--port").arg(broker.tls.to_string()).arg("--state-dir").arg(dir);
    command.arg("--ca-file").arg(pki("ca.pem")).arg("--cert-file").arg(pki("ec.pem"));
    command.arg("--key-file").arg(pki("ec.key"));
    command.stderr(fs::File::create(dir.join(format!("{thing}.log"))).unwrap());
    command
}
