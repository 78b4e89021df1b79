//! Measures what a report of this machine costs: `device-defender collect` compared with `cat` of the same five files
//! and with `ss`.
//!
//! # How to run it
//!
//! ```sh
//! cargo bench --bench collect                              # idle and 10k: less than a minute
//! cargo bench --bench collect -- idle 10k 100k 500k        # all; 500k takes 2.5 GB of memory
//! cargo bench --bench collect -- 100k --runs 31            # more runs, for a noisy machine
//! ```
//!
//! It needs `unshare` (util-linux), `ip` and, for the comparison, `ss` (iproute2). It also needs root, or a system where
//! every user may create user namespaces. Nothing on the machine changes: the sockets are in a network namespace of
//! their own, which disappears with the benchmark, also after Ctrl-C.
//!
//! # What it measures
//!
//! | scale | established | listening | UDP | |
//! |---|---|---|---|---|
//! | `idle` | 10 | 5 | 5 | with the small connection hash of a device with 512 MB, where the kernel allows that (6.1) |
//! | `10k` | 9,800 | 100 | 100 | |
//! | `100k` | 99,800 | 100 | 100 | a fifth of them IPv6 |
//! | `500k` | 499,800 | 100 | 100 | |
//! | `udp` | 10 | 5 | 15,000 | in one process, which may often have no more than 20,000 descriptors |
//!
//! The reports are checked first: if `collect` does not report every open socket from both sources, the benchmark fails.
//! Then the four commands run in turn, `cat`, `collect` with each source, `ss`, `cat`, …, with their output sent to `/dev/null` and in
//! the locale of the user. With `LC_ALL=C`, `cat` loads no locale, which is a noticeable part of its time at the scale
//! `idle`.
//!
//! # How to read the results
//!
//! Standard output has a Markdown table with one row for each command; standard error shows the progress.
//!
//! - *hash*: the number of buckets of the kernel's connection table. Reading `/proc/net/tcp` walks all of them, which is
//!   most of the work when there are few sockets.
//! - *cpu*: user and system time of the command, from start to end. Like the following figures, the median of the runs.
//! - *to cat*: cpu divided by the cpu of the preceding run of `cat`, which removes much of the machine's noise. The median
//!   of these ratios, then the range of the middle half. Compare this figure. A wide range means the machine was busy.
//! - *wall*: elapsed time. The figure that suffers most on a busy machine.
//! - *peak*: the peak of resident memory in millions of bytes, libraries included. ≤ marks a peak that is too low to
//!   distinguish from the measuring process.
//!
//! `cat` is the lower limit for a program that reads these files: the kernel, which formats a line for each socket, takes
//! nearly all of its time. `ss` uses the same interface of the kernel as `--source netlink`, and prints all sockets.

#![expect(
    clippy::exit,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a benchmark prints its figures, and its processes end with each other"
)]

mod check;
mod measure;
mod namespace;
mod process;
mod run;
mod scale;
mod sockets;
mod table;

use std::ffi::OsString;
use std::process::{ExitCode, Stdio};
use std::{env, fs, thread};

use namespace::Rights;
use process::{Result, own_path};
use scale::{SCALES, Scale};

const USAGE: &str = "usage: cargo bench --bench collect -- [idle] [10k] [100k] [500k] [udp] [--runs N]";

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    let role = args.first().and_then(|arg| arg.to_str()).unwrap_or_default();
    let rest = args.get(1..).unwrap_or_default();
    let done = match role {
        process::MEASURE => measure::main(rest),
        process::SOCKETS => sockets::main(rest),
        process::SCALE => run::main(rest),
        process::SMALL_HASH => namespace::main(rest),
        // `cargo test` starts benchmarks too, to check that they run. Only `cargo bench` passes this flag.
        _ if !args.iter().any(|arg| arg == "--bench") => Ok(()),
        _ => bench(args).map_err(|error| format!("collect benchmark: {error}").into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The command line.
struct Plan {
    scales: Vec<&'static Scale>,
    runs: Option<usize>,
}

impl Plan {
    /// `None` for `--help`.
    fn parse(args: Vec<OsString>) -> Result<Option<Self>> {
        let mut plan = Self { scales: Vec::new(), runs: None };
        let mut args = args.into_iter().filter(|arg| arg != "--bench");
        while let Some(arg) = args.next() {
            let arg = arg.to_string_lossy();
            match arg.as_ref() {
                "-h" | "--help" => return Ok(None),
                "--runs" => {
                    let runs = args.next().and_then(|runs| runs.to_str()?.parse().ok()).filter(|&runs| runs > 0);
                    plan.runs = Some(runs.ok_or_else(|| format!("--runs takes a number of at least 1; {USAGE}"))?);
                }
                name => plan.scales.push(Scale::named(name).ok_or_else(|| format!("unknown scale {name}; {USAGE}"))?),
            }
        }
        if plan.scales.is_empty() {
            plan.scales = SCALES.iter().filter(|scale| scale.by_default).collect();
        }
        Ok(Some(plan))
    }
}

fn bench(args: Vec<OsString>) -> Result<()> {
    let Some(plan) = Plan::parse(args)? else {
        println!("{USAGE}");
        return Ok(());
    };
    let rights = Rights::probe()?;
    println!("{}\n", machine());
    println!("{}", table::HEAD);
    for scale in plan.scales {
        run_scale(scale, plan.runs.unwrap_or(scale.runs), rights)?;
    }
    Ok(())
}

/// Runs one scale in a namespace of its own. Its process prints the rows of the table.
fn run_scale(scale: &Scale, runs: usize, rights: Rights) -> Result<()> {
    let runs = runs.to_string();
    let role = if scale.small_hash { process::SMALL_HASH } else { process::SCALE };
    // The processes of the scale end when their standard input closes, so it stays open until they are done.
    let mut child = rights.unshare().arg(own_path()?).args([role, scale.name, &runs]).stdin(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take();
    let status = child.wait()?;
    drop(stdin);
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", scale.name).into()) }
}

/// Describes this machine.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let release = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let arch = env::consts::ARCH;
    format!("Linux {} on {arch}, {processors} processors, load {load} at the start.", release.trim_end())
}
