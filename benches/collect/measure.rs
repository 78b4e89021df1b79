//! The cost of one run of a command. A process of its own measures each run.
//!
//! The kernel adds the resource usage of an ended process to its parent, so a parent with a single child knows the usage
//! of that child. The child's memory peak starts at the memory of the parent, so the parent must be small, and the process
//! that reads a report is not. Even the small parent is larger than the smallest commands.

use std::ffi::{OsStr, OsString};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::process::{MEASURE, Result, own_path};

/// The cost of one run of a command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// User and system time. Exact to the microsecond on kernels that record the run time of a task.
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
    /// Peak of resident memory.
    pub(crate) peak_kib: u32,
}

/// The process [`MEASURE`]: runs the command in `args` and prints CPU time in µs, wall time in µs, and peak memory in KiB.
pub(crate) fn main(args: &[OsString]) -> Result<()> {
    let (program, args) = args.split_first().ok_or("nothing to measure")?;
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status().map_err(|error| format!("{}: {error}", program.display()))?;
    let wall = start.elapsed();
    if !status.success() {
        return Err(format!("{}: {status}", program.display()).into());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = usage.user_time() + usage.system_time();
    println!("{} {} {}", cpu.num_microseconds(), wall.as_micros(), usage.max_rss());
    Ok(())
}

/// Measures one run of a command, with its standard output sent to `/dev/null`. A command that fails is an error.
pub(crate) fn run<S: AsRef<OsStr>>(command: &[S]) -> Result<Reading> {
    run_in(command, &[])
}

/// The same with additional environment variables.
pub(crate) fn run_in<S: AsRef<OsStr>>(command: &[S], environment: &[(&str, OsString)]) -> Result<Reading> {
    let mut measure = Command::new(own_path()?);
    measure.envs(environment.iter().map(|(name, value)| (name, value)));
    let output = measure.arg(MEASURE).args(command).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim_end().into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map(str::parse::<u32>);
    let mut next = || numbers.next().ok_or("the output of the measuring process is incomplete");
    Ok(Reading {
        cpu: Duration::from_micros(next()??.into()),
        wall: Duration::from_micros(next()??.into()),
        peak_kib: next()??,
    })
}

/// The lowest peak that can be measured: the memory of the measuring process, seen with a command that does nothing.
pub(crate) fn least_peak_kib() -> Result<u32> {
    let mut least = 0;
    for _ in 0..11 {
        least = least.max(run(&["true"])?.peak_kib);
    }
    Ok(least)
}
