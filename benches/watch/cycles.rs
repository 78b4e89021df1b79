//! One process over many cycles: memory, descriptors, CPU time and bytes on the wire.

use std::fs;
use std::path::Path;

use crate::broker::mosquitto::Broker;
use crate::broker::service::Service;
use crate::watcher::{SMALL, directory, watch};

/// Until this cycle, memory grows even without a leak: caches, buffers, pages touched for the first time.
const WARM: usize = 200;

/// Resource usage of a process.
#[derive(Debug)]
struct Usage {
    /// Resident memory in kB, and the anonymous part of it. From `smaps_rollup`, which is exact.
    resident: u64,
    anonymous: u64,
    descriptors: usize,
    threads: usize,
    /// CPU time in ticks of 10 ms: user, system.
    ticks: [u64; 2],
}

impl Usage {
    fn of(pid: u32) -> Self {
        let proc = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
        let rollup = proc("smaps_rollup");
        let kb = |name: &str| {
            let line = rollup.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let stat = proc("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        Self {
            resident: kb("Rss:"),
            anonymous: kb("Anonymous:"),
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
            threads: fs::read_dir(format!("/proc/{pid}/task")).unwrap().count(),
            ticks: [fields[11].parse().unwrap(), fields[12].parse().unwrap()],
        }
    }
}

/// Runs `count` cycles and prints their cost.
pub(crate) fn run(count: usize) {
    assert!(count > WARM, "--count must be more than {WARM}");
    let (broker, dir) = (Broker::start(), directory());
    let service = Service::accepting(broker.plain);
    println!("| /proc | cycles | resident kB | anonymous kB | descriptors | threads | cpu ms, user | system |");
    println!("|---|---|---|---|---|---|---|---|");
    measure(&broker, &service, dir.path(), "saved", (WARM / 2, WARM * 2));
    measure(&broker, &service, dir.path(), "live", (WARM, count));

    let mut verbose = watch(&broker, dir.path(), "verbose");
    let verbose = verbose.args(["--interval", "100ms", "--splay", "0s", "--count", "3", "-v"]).status().unwrap();
    assert!(verbose.success());
    let bytes = service.reports().last().unwrap().payload.len();
    let log = fs::read_to_string(dir.path().join("verbose.log")).unwrap();
    let session = log.lines().rev().find_map(|line| line.split("DISCONNECT; ").nth(1)).unwrap();
    println!("\non the wire, with a report of {bytes} bytes: {session}\n");
}

/// Runs one process for `count` cycles and prints its usage after `warm` cycles and at the end.
fn measure(broker: &Broker, service: &Service, dir: &Path, which: &str, (warm, count): (usize, usize)) {
    let mut command = watch(broker, dir, which);
    if which == "saved" {
        command.args(["--proc", SMALL]);
    }
    let mut child = command.args(["--interval", "100ms", "--splay", "0s"]).spawn().unwrap();
    let mut measured = Vec::new();
    for n in 1..=count {
        service.report();
        if n == warm || n == count {
            measured.push((n, Usage::of(child.id())));
        }
        if n % 200 == 0 {
            eprintln!("{n} cycles");
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    service.reports();
    let log = fs::read_to_string(dir.join(format!("{which}.log"))).unwrap();
    assert_eq!(log.lines().count(), 1, "only the first accepted report is logged\n{log}");
    for (n, Usage { resident, anonymous, descriptors, threads, ticks: [user, system] }) in &measured {
        println!("| {which} | {n} | {resident} | {anonymous} | {descriptors} | {threads} | {user}0 | {system}0 |");
    }
    let [(_, start), (_, end)] = &measured[..] else { panic!("{measured:?}") };
    let cycles = u64::try_from(count - warm).unwrap();
    let per_cycle = |n: usize| (end.ticks[n] - start.ticks[n]) * 10_000 / cycles;
    eprintln!(
        "{which}: resident memory grew by {} kB over {cycles} cycles; cpu per cycle: {} µs user, {} µs system",
        end.resident.cast_signed() - start.resident.cast_signed(),
        per_cycle(0),
        per_cycle(1)
    );
}
