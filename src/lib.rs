//! `device-defender` reports the network state of a Linux device to AWS IoT Device Defender, or to anyone: it does the
//! job of AWS's Greengrass Device Defender connector as one native program.
//!
//! # Architecture
//!
//! Data flows one way:
//!
//! ```text
//!  /proc ─────┐
//!  sock_diag ─┴─> collector ──> Sample ──┐
//!                                        ├──> Report::build ──> Report ─┬─> encode, display ──> terminal ──> stdout
//!  state, or an earlier sample ──────────┘                              ├─> delivery ──> Receipt | Error
//!                                                                       └─> detect ──> verdicts, alarms
//! ```
//!
//! `commands::pipeline` is that road for every command, `commands::baseline` decides what traffic is counted from, and
//! `commands::publisher` adds delivery and state. Warnings are data, printed once; every failure is an `error::Error`, which
//! has its message, hint and exit code.
//!
//! | module | owns |
//! |---|---|
//! | `cli` | flags, their types and help texts |
//! | `sourced`, `config` | where a setting came from; flag > environment > config file > Greengrass core |
//! | `collector` | reading the kernel's tables, *unknown* kept apart from *empty* |
//! | `report` | the metrics document: content, names, encodings, size, tables for people; pure |
//! | `state` | what survives a run |
//! | `delivery` | a report's bytes to the service and its answer back; over MQTT or through a Greengrass nucleus |
//! | `schedule` | when `watch` reports; pure |
//! | `detect` | security profiles and verdicts; pure |
//! | `document` | JSON, YAML and CloudFormation templates, for `detect` and `params`; pure |
//! | `params` | the connector's parameters and their patterns |
//! | `commands` | one file or folder a command; the only place where the parts meet |
//! | `error`, `warning`, `exit` | why a command failed, what was less than perfect, the exit codes |
//! | `terminal`, `progress`, `table`, `text` | standard output and error, what is waited for, tables, escaping of foreign text |
//! | `files`, `directory`, `sniff` | bounded reads of foreign files; directories that root cannot be led out of; names for files of another kind |
//! | `thing`, `time` | the thing name, clocks and durations |
//!
//! Dependencies point one way: `commands` uses all others, `config` knows `cli` and fills the types that `delivery`,
//! `report` and `schedule` own, and nothing imports in a circle. Pure parts take clock, byte order and bytes as arguments.
//!
//! # Rules
//!
//! - Parsers are total: no input makes them panic, and what they skip they count.
//! - Unknown is never shown as zero or empty.
//! - Everything read from outside is escaped before it reaches a terminal.
//! - Only `terminal` and `progress` print, and clap for help and usage errors. The process ends in `main`, on a panic, when `watch` is
//!   asked to end and a cycle takes too long, when `publish` hangs beyond its timeout, or by the signal that `progress` passes on
//!   once it has erased its line.

#![cfg_attr(not(full), allow(dead_code, reason = "what only a part uses that this build is without"))]

mod cli;
mod collector;
mod commands;
mod config;
mod delivery;
#[cfg(feature = "detect")]
mod detect;
mod directory;
mod document;
mod error;
mod exit;
mod files;
#[doc(hidden)]
pub mod internals;
mod params;
mod progress;
mod report;
mod schedule;
mod sniff;
mod sourced;
mod state;
mod table;
mod terminal;
mod text;
mod thing;
mod time;
mod warning;

pub use commands::{main, report_panics};
pub use exit::Exit;
