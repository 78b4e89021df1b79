//! Measures what `watch` costs over a long time, and how a fleet of devices loads a broker.
//!
//! # How to run it
//!
//! ```sh
//! cargo bench --bench watch                    # all: about six minutes
//! cargo bench --bench watch -- cycles          # one process, 2,000 cycles of 100 ms
//! cargo bench --bench watch -- fleet           # 200 processes, 12 cycles of 5 s
//! cargo bench --bench watch -- transports      # one report over each transport, in turn
//! cargo bench --bench watch -- cycles --count 500
//! cargo bench --bench watch -- fleet --watchers 50 --count 4
//! ```
//!
//! It needs `mosquitto` and `openssl`. Broker and stand-in service are those of the tests: mutual TLS with ECDSA P-256 on
//! a local port, and a service behind it that accepts every report.
//!
//! # What it measures
//!
//! `cycles`: one process reports this machine's `/proc` every 100 ms. The table shows its resident memory, descriptors and
//! CPU time after 200 cycles and at the end. Memory that grows in between is a leak. Most of the CPU time belongs to the
//! kernel, which walks its socket tables, so a run with the saved `/proc` of a small device is measured as well. The bytes
//! of a report on the wire (TCP payload, TLS included) are those that `-v` prints at the end of a session.
//!
//! `fleet`: many processes start together, each for a thing of its own, with an interval of 5 s: one hour of 300 s
//! intervals, 60 times faster. They read a saved `/proc` and keep their state in memory, to share as little as possible.
//! The table divides the interval into 20 parts and counts the reports that arrive in each: with the delay that `watch`
//! derives from the thing name, and, for two cycles, without it. The service must accept every report, and the report IDs
//! of a thing must increase.
//!
//! `transports`: `publish` with a saved `/proc`, in turn over either version of MQTT with TLS and through a stand-in for a
//! Greengrass nucleus. The table shows the medians. The bytes on the wire are those that `-v` prints.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its figures, and panics when something fails"
)]

#[path = "../../tests/support/broker/mod.rs"]
#[expect(dead_code, reason = "the benchmark uses only a part of it")]
mod broker;
mod cycles;
mod fleet;
#[path = "../collect/measure.rs"]
#[expect(dead_code, reason = "the benchmark uses only a part of it")]
mod measure;
#[path = "../../tests/support/nucleus.rs"]
#[expect(dead_code, reason = "the benchmark uses only a part of it")]
mod nucleus;
#[path = "../collect/process.rs"]
#[expect(dead_code, reason = "the benchmark uses only a part of it")]
mod process;
#[path = "../../tests/support/tool.rs"]
#[expect(dead_code, reason = "the benchmark uses only a part of it")]
mod tool;
mod transports;
mod watcher;

use std::ffi::OsString;
use std::{env, fs};

use broker::service::Received;
use tool::NEVER;

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    if let Some((process::MEASURE, command)) = args.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        let command: Vec<OsString> = command.iter().map(OsString::from).collect();
        return measure::main(&command).unwrap();
    }
    if !args.iter().any(|arg| arg == "--bench") {
        return; // `cargo test` starts benchmarks too, to check that they run
    }
    let number = |flag: &str, default: usize| {
        let at = args.iter().position(|arg| arg == flag);
        at.map_or(default, |at| args[at + 1].parse().unwrap())
    };
    let wants = |name: &str| {
        args.iter().any(|arg| arg == name)
            || !args.iter().any(|arg| ["cycles", "fleet", "transports"].contains(&&**arg))
    };
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load {} at the start\n", load.split(' ').next().unwrap_or_default());
    if wants("cycles") {
        cycles::run(number("--count", 2000));
    }
    if wants("transports") {
        transports::run(number("--count", 51));
    }
    if wants("fleet") {
        fleet::run(number("--watchers", 200), number("--count", 12));
    }
}
