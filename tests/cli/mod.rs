//! The command line of `collect` from outside: streams and terminals, usage and environment, custom metrics, the
//! payload budget, what a terminal shows of a wait, and traffic since the last report.

mod budget;
mod custom;
mod features;
#[cfg(feature = "generate")]
mod generate;
mod progress;
mod since;
mod state;
mod streams;
mod terminals;
mod usage;
mod version;

use crate::support::{Run, fixtures};

/// A run of `collect` over the captured tree `idle`, which has one listening TCP port, one UDP port and one connection.
fn idle(args: &[&str]) -> Run {
    captured("idle", args)
}

/// A run of `collect` over a captured tree.
fn captured(tree: &str, args: &[&str]) -> Run {
    Run::new(&fixtures(), &[&["collect", "--proc", &format!("{tree}/proc")], args].concat())
}
