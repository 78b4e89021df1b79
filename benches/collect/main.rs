//! What a report of this machine costs: `device-defender collect` beside `cat` of the same five files and beside `ss`.
//!
//! # How to run it
//!
//! ```sh
//! cargo bench --bench collect                              # idle and 10k: less than a minute
//! cargo bench --bench collect -- idle 10k 100k 500k        # all; 500k takes 2.5 GB of memory
//! cargo bench --bench collect -- 100k --runs 31            # more runs, for a noisy machine
//! ```
//!
//! It takes `unshare` (util-linux), `ip` and, for the comparison, `ss` (iproute2); root, or a system on which everyone
//! may make user namespaces. Nothing of the machine is changed: the sockets are opened in a network namespace of their
//! own, which is gone when the benchmark is, also after Ctrl-C.
//!
//! # What is measured
//!
//! | scale | established | listening | UDP | |
//! |---|---|---|---|---|
//! | `idle` | 10 | 5 | 5 | with the small connection hash of a device with 512 MB, where the kernel allows that (6.1) |
//! | `10k` | 9,800 | 100 | 100 | |
//! | `100k` | 99,800 | 100 | 100 | a fifth of them IPv6 |
//! | `500k` | 499,800 | 100 | 100 | |
//!
//! First the report is checked: a scale at which `collect` does not name every socket that was opened is an error. Then
//! the three commands run in turn, `cat`, `collect`, `ss`, `cat`, `collect`, `ss`, …, each with its output to
//! `/dev/null`, in the locale of whoever runs the benchmark. With `LC_ALL=C`, `cat` has no locale to load, which at the
//! scale `idle` is a noticeable part of its time.
//!
//! # How to read it
//!
//! The table on standard output is Markdown, one line a command; what is being done is told on standard error.
//!
//! - *hash*: the buckets of the kernel's table of connections. Reading `/proc/net/tcp` walks all of them, which is most
//!   of the work when there are few sockets.
//! - *cpu*: user and system time of the command, from its start to its end. The median, as all that follows.
//! - *to cat*: cpu divided by that of the run of `cat` just before, which sheds much of a machine's noise; the median of
//!   these ratios, then the range that the middle half of them is in. This is the figure to compare. When the range is
//!   wide, the machine was busy.
//! - *wall*: time on the clock. It is what a busy machine spoils first.
//! - *peak*: the most memory that was resident at once, in millions of bytes, libraries included. ≤ is before what cannot
//!   be told from the measuring process.
//!
//! `cat` is the floor for a program that reads these files: nearly all of its time is the kernel's, which writes a line
//! a socket. `ss` asks the kernel in another way, and prints other lines.

#![expect(
    clippy::exit,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a benchmark computes with small numbers, prints its figures, and its processes end with each other"
)]

mod check;
mod measure;
mod namespace;
mod scale;
mod sockets;
mod table;

use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::{env, fs, result, thread};

use namespace::Rights;
use scale::{SCALES, Scale};

type Result<T> = result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: cargo bench --bench collect -- [idle] [10k] [100k] [500k] [--runs N]";

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    let role = args.first().and_then(|arg| arg.to_str()).unwrap_or_default();
    let rest = args.get(1..).unwrap_or_default();
    let done = match role {
        measure::ROLE => measure::as_process(rest),
        sockets::ROLE => sockets::as_process(rest),
        scale::ROLE => scale::as_process(rest),
        namespace::ROLE => namespace::as_process(rest),
        // `cargo test` builds and starts benchmarks too, to see that they still do; `cargo bench` alone gives this flag.
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

/// What the command line asks for.
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
                    plan.runs = Some(runs.ok_or_else(|| format!("--runs takes a number from 1 on; {USAGE}"))?);
                }
                name => plan.scales.push(Scale::named(name).ok_or_else(|| format!("what is {name}? {USAGE}"))?),
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

/// Runs one scale in a namespace of its own. It prints its lines of the table itself.
fn run_scale(scale: &Scale, runs: usize, rights: Rights) -> Result<()> {
    let runs = runs.to_string();
    let role = if scale.small_hash { namespace::ROLE } else { scale::ROLE };
    // Held open while the scale runs: the processes of the scale end when it closes, however this one ended.
    let mut child = rights.unshare().arg(own_path()?).args([role, scale.name, &runs]).stdin(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take();
    let status = child.wait()?;
    drop(stdin);
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", scale.name).into()) }
}

/// This program, which every process of the benchmark is.
fn own_path() -> Result<PathBuf> {
    Ok(env::current_exe()?)
}

/// What a reader has to know of this machine.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let release = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let arch = env::consts::ARCH;
    format!("Linux {} on {arch}, {processors} processors, load {load} at the start.", release.trim_end())
}
