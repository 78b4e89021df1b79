//! What one report costs over each transport.

use std::process::Command;
use std::time::Duration;

use crate::broker::mosquitto::Broker;
use crate::broker::pki::pki_str;
use crate::broker::service::Service;
use crate::measure::{Reading, run_in};
use crate::nucleus::Nucleus;
use crate::process::PROGRAM;
use crate::watcher::{SMALL, directory};

/// Sends `count` reports over each transport, in turn, and prints the medians.
pub(crate) fn run(count: usize) {
    let (broker, dir, nucleus) = (Broker::start(), directory(), Nucleus::accepting());
    let _service = Service::accepting(broker.plain);
    let state = dir.path().to_str().unwrap();
    let common = [PROGRAM, "publish", "--once", "--proc", SMALL, "--state-dir", state];
    let port = broker.tls.to_string();
    let (ca, certificate, key) = (pki_str("ca.pem"), pki_str("ec.pem"), pki_str("ec.key"));
    let tls = [
        "--endpoint", "localhost", "--port", &port, "--thing-name", "gw", "--ca-file", &ca, "--cert-file",
        &certificate, "--key-file", &key,
    ];
    let tls = [&common[..], &tls].concat();
    let [v5, v311] = ["5", "3.1.1"].map(|version| [&tls[..], &["--mqtt-version", version]].concat());
    let environment = nucleus.environment();
    let commands = [
        ("mqtt 5 with tls", &v5[..], &[][..]),
        ("mqtt 3.1.1 with tls", &v311[..], &[][..]),
        ("greengrass", &common[..], &environment[..]),
    ];
    let mut readings = [const { Vec::new() }; 3];
    for round in 0..=count {
        for ((_, command, environment), readings) in commands.iter().zip(&mut readings) {
            let reading = run_in(command, environment).unwrap();
            if round > 0 {
                readings.push(reading); // the first round warms up
            }
        }
    }
    println!("one report, {count} times:\n\n| transport | cpu ms | wall ms | peak MiB |\n|---|---|---|---|");
    for ((name, ..), readings) in commands.iter().zip(&mut readings) {
        let milliseconds = |part: fn(&Reading) -> Duration| {
            let mut times: Vec<Duration> = readings.iter().map(part).collect();
            times.sort_unstable();
            times[times.len() / 2].as_secs_f64() * 1e3
        };
        let (cpu, wall) = (milliseconds(|reading| reading.cpu), milliseconds(|reading| reading.wall));
        let peak = readings.iter().map(|reading| reading.peak_kib).max().unwrap_or_default();
        println!("| {name} | {cpu:.2} | {wall:.2} | {:.1} |", f64::from(peak) / 1024.0);
    }
    println!();
    for (name, command, _) in &commands[..2] {
        let output = Command::new(command[0]).args(&command[1..]).arg("-v").env_clear().output().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        let rest_after = |before: &str| log.lines().find_map(|line| line.split_once(before)).unwrap().1.to_owned();
        println!("{name}, on the wire: {}; {}", rest_after("PUBLISH: report "), rest_after("DISCONNECT; "));
    }
    println!();
}
