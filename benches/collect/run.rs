//! Runs one scale: opens the sockets, checks the report, measures the commands, and prints their rows.

use std::ffi::OsString;
use std::net::{Ipv6Addr, TcpListener};
use std::path::Path;
use std::process::{self, Command};
use std::{io, thread};

use crate::measure::{self, Reading};
use crate::process::{PROGRAM, Result};
use crate::scale::Scale;
use crate::sockets::Sockets;
use crate::table::{self, RowContext};
use crate::{check, namespace};

/// The files that `collect` reads.
const FILES: [&str; 5] = ["/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/udp6", "/proc/net/dev"];

/// A command that is measured.
struct Candidate {
    name: &'static str,
    command: Vec<String>,
    readings: Vec<Reading>,
}

/// The process [`SCALE`](crate::process::SCALE). Arguments: the name of the scale, and the number of runs.
pub(crate) fn main(args: &[OsString]) -> Result<()> {
    let args: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    let [name, runs] = args.as_slice() else { return Err("expected scale and number of runs".into()) };
    let scale = Scale::named(name).ok_or("unknown scale")?;
    let runs: usize = runs.parse()?;
    end_with_parent();

    scale.check_memory()?;
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status()?;
    if !up.success() {
        return Err(format!("ip link set lo up: {up}").into());
    }
    let ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !ipv6 {
        eprintln!("{name}: IPv6 is off on this machine, so all sockets are IPv4");
    }
    eprintln!("{name}: opening {} sockets", scale.sockets());
    let sockets = Sockets::open(scale, ipv6)?;
    for source in ["netlink", "proc"] {
        check::report(scale, source)?;
    }
    eprintln!("{name}: the reports are right; runs of each command: {runs}");
    let candidates = measure(runs)?;
    drop(sockets);
    print(scale, &candidates)
}

/// Ends this process when its parent ends, which holds our standard input open.
fn end_with_parent() {
    thread::spawn(|| {
        drop(io::copy(&mut io::stdin().lock(), &mut io::sink()));
        process::exit(1);
    });
}

/// Measures the commands in turn.
fn measure(runs: usize) -> Result<Vec<Candidate>> {
    let words = |words: &[&str]| words.iter().copied().map(str::to_owned).collect::<Vec<_>>();
    let files = FILES.into_iter().filter(|file| Path::new(file).exists());
    let commands = [
        ("`cat`, the lower limit", words(&["cat"]).into_iter().chain(files.map(str::to_owned)).collect()),
        ("`collect --source netlink`", words(&[PROGRAM, "collect", "--source", "netlink"])),
        ("`collect --source proc`", words(&[PROGRAM, "collect", "--source", "proc"])),
        ("`ss -tuanH`", words(&["ss", "-tuanH"])),
    ];
    let mut candidates = Vec::new();
    for (name, command) in commands {
        // The first run does not count: it reads the program from disk, and `ss` loads kernel modules.
        match measure::run(&command) {
            Ok(_) => candidates.push(Candidate { name, command, readings: Vec::new() }),
            Err(error) if command.first().is_some_and(|program| program == "ss") => eprintln!("skipping ss: {error}"),
            Err(error) => return Err(error),
        }
    }
    for _ in 0..runs {
        for candidate in &mut candidates {
            candidate.readings.push(measure::run(&candidate.command)?);
        }
    }
    Ok(candidates)
}

fn print(scale: &Scale, candidates: &[Candidate]) -> Result<()> {
    let cat = candidates.first().map(|cat| cat.readings.as_slice()).unwrap_or_default();
    let hash = namespace::hash_buckets();
    let context = RowContext { scale, hash, cat, least_peak_kib: measure::least_peak_kib()? };
    for Candidate { name, readings, .. } in candidates {
        println!("{}", table::row(name, readings, &context));
    }
    // A kernel that does not record the run time of a task counts timer ticks of 1 to 10 ms.
    if cat.iter().all(|reading| reading.cpu.as_micros() % 1000 == 0) {
        eprintln!(
            "{}: this kernel counts CPU time in whole ticks, so only long runs are measured correctly",
            scale.name
        );
    }
    Ok(())
}
