//! What one run of a command costs, measured by a process that does nothing else: this program again, with [`ROLE`].
//!
//! The kernel adds the usage of a process to its parent's account when it ends, so a parent with one child knows that
//! child's. The peak of memory starts with what the parent had when it started the child, so the parent must be small,
//! which the process that read a report is not. It is still larger than the smallest commands.

use std::ffi::{OsStr, OsString};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::{Result, own_path};

/// The process that measures.
pub(crate) const ROLE: &str = "@measure";

/// What one run of a command took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// User and system time. Its sum is exact, in µs, on kernels that keep the time that a task ran.
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
    /// Resident memory at its peak.
    pub(crate) peak_kib: u32,
}

/// Runs the command in `args` once and prints three numbers: µs of cpu, µs on the clock, KiB at the peak.
pub(crate) fn as_process(args: &[OsString]) -> Result<()> {
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

/// Measures one run of a command, whose standard output goes to `/dev/null`.
///
/// # Errors
/// The command cannot be started, or does not succeed.
pub(crate) fn run<S: AsRef<OsStr>>(command: &[S]) -> Result<Reading> {
    let output = Command::new(own_path()?).arg(ROLE).args(command).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim_end().into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map(str::parse::<u32>);
    let mut next = || numbers.next().ok_or("a measuring process that tells too little");
    Ok(Reading {
        cpu: Duration::from_micros(next()??.into()),
        wall: Duration::from_micros(next()??.into()),
        peak_kib: next()??,
    })
}

/// The lowest peak that can be seen: what is measured of a command that does nothing, which is the measuring process.
///
/// # Errors
/// As [`run`].
pub(crate) fn least_peak_kib() -> Result<u32> {
    let peaks = (0..11).map(|_| Ok(run(&["true"])?.peak_kib));
    peaks.collect::<Result<Vec<_>>>().map(|peaks| peaks.into_iter().max().unwrap_or_default())
}
