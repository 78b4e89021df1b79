//! The scales, and the process that runs one: it opens the sockets, checks the report, measures, and prints its lines.

use std::ffi::OsString;
use std::net::{Ipv6Addr, TcpListener};
use std::path::Path;
use std::process::{self, Command};
use std::{fs, io, thread};

use crate::measure::{self, Reading};
use crate::sockets::Sockets;
use crate::table::{self, Beside};
use crate::{Result, check, namespace};

/// The process that runs a scale, in a network namespace of its own.
pub(crate) const ROLE: &str = "@scale";

/// How many sockets there are.
#[derive(Debug)]
pub(crate) struct Scale {
    pub(crate) name: &'static str,
    /// Whether it is run when no scale is asked for.
    pub(crate) by_default: bool,
    /// Whether the connection hash is to be as small as a small device has it.
    pub(crate) small_hash: bool,
    /// How many times each command runs when that is not asked for.
    pub(crate) runs: usize,
    /// TCP connections, each of which is two established sockets.
    pub(crate) connections: u32,
    /// How many in a hundred of the connections are IPv6.
    pub(crate) ipv6_percent: u32,
    pub(crate) listeners: u32,
    pub(crate) udp: u32,
}

pub(crate) const SCALES: [Scale; 4] = [
    Scale {
        name: "idle",
        by_default: true,
        small_hash: true,
        runs: 201,
        connections: 5,
        ipv6_percent: 0,
        listeners: 5,
        udp: 5,
    },
    Scale { name: "10k", by_default: true, runs: 51, connections: 4_900, ..LARGE },
    Scale { name: "100k", runs: 15, connections: 49_900, ipv6_percent: 20, ..LARGE },
    Scale { name: "500k", runs: 7, connections: 249_900, ..LARGE },
];

/// What the large scales share.
const LARGE: Scale = Scale {
    name: "",
    by_default: false,
    small_hash: false,
    runs: 0,
    connections: 0,
    ipv6_percent: 0,
    listeners: 100,
    udp: 100,
};

/// What the kernel takes for a socket with its descriptor, rounded up.
const SOCKET_KIB: u64 = 5;

/// The files that a report is made from.
const FILES: [&str; 5] = ["/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/udp6", "/proc/net/dev"];

impl Scale {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        SCALES.iter().find(|scale| scale.name == name)
    }

    /// All sockets.
    pub(crate) fn sockets(&self) -> u32 {
        2 * self.connections + self.listeners + self.udp
    }

    /// Says so when the machine has no memory for it, before it is brought to its knees.
    fn check_memory(&self) -> Result<()> {
        let meminfo = fs::read_to_string("/proc/meminfo")?;
        let available = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.split_whitespace().next());
        let needed = u64::from(self.sockets()) * SOCKET_KIB;
        match available {
            Some(kib) if kib.parse::<u64>()? < needed => {
                Err(format!("{} sockets take {} MB of memory, and {} are free", self.sockets(), needed / 1000, kib)
                    .into())
            }
            _ => Ok(()),
        }
    }
}

/// A command that is measured.
struct Candidate {
    name: &'static str,
    command: Vec<String>,
    readings: Vec<Reading>,
}

/// Runs the scale that is named first, with as many runs as are named second.
pub(crate) fn as_process(args: &[OsString]) -> Result<()> {
    let args: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    let [name, runs] = args.as_slice() else { return Err("which scale, and how often?".into()) };
    let scale = Scale::named(name).ok_or("which scale?")?;
    let runs: usize = runs.parse()?;
    end_with_parent();

    scale.check_memory()?;
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status()?;
    if !up.success() {
        return Err(format!("ip link set lo up: {up}").into());
    }
    let ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !ipv6 {
        eprintln!("{name}: IPv6 is off here, all sockets are IPv4");
    }
    eprintln!("{name}: opening {} sockets", scale.sockets());
    let sockets = Sockets::open(scale, ipv6)?;
    check::report(scale)?;
    eprintln!("{name}: the report is right; runs of each command: {runs}");
    let candidates = measure(runs)?;
    drop(sockets);
    print(scale, &candidates)
}

/// Ends this process when the one that started it has ended, which held our standard input open.
fn end_with_parent() {
    thread::spawn(|| {
        drop(io::copy(&mut io::stdin().lock(), &mut io::sink()));
        process::exit(1);
    });
}

/// Measures all commands in turn.
fn measure(runs: usize) -> Result<Vec<Candidate>> {
    let words = |words: &[&str]| words.iter().copied().map(str::to_owned).collect::<Vec<_>>();
    let files = FILES.into_iter().filter(|file| Path::new(file).exists());
    let commands = [
        ("`cat`, the floor", words(&["cat"]).into_iter().chain(files.map(str::to_owned)).collect()),
        ("`device-defender collect`", words(&[check::PROGRAM, "collect"])),
        ("`ss -tuanH`", words(&["ss", "-tuanH"])),
    ];
    let mut candidates = Vec::new();
    for (name, command) in commands {
        // The first run is not counted: it reads programs from the disk, and `ss` loads modules of the kernel.
        match measure::run(&command) {
            Ok(_) => candidates.push(Candidate { name, command, readings: Vec::new() }),
            Err(error) if command.first().is_some_and(|program| program == "ss") => eprintln!("left out, {error}"),
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
    let beside = Beside { scale, hash, cat, least_peak_kib: measure::least_peak_kib()? };
    for Candidate { name, readings, .. } in candidates {
        println!("{}", table::line(name, readings, &beside));
    }
    // Where the kernel does not keep the time that a task ran, it counts the ticks of its timer, 1 to 10 ms apart.
    if cat.iter().all(|reading| reading.cpu.as_micros() % 1000 == 0) {
        eprintln!("{}: cpu is counted in whole ticks here; only long runs are told right", scale.name);
    }
    Ok(())
}
