//! `device-defender` reports the network state of a Linux device to AWS IoT Device Defender, or to anyone: it does the
//! job of AWS's Greengrass Device Defender connector as one native program.
//!
//! # Architecture
//!
//! Data flows one way:
//!
//! ```text
//! /proc ──> collector ──> Sample ──> report::Report::build ──> Report ──> json | cbor | table ──> terminal ──> stdout
//!                                          ^                     └──> delivery ──> accepted, rejected, no answer
//!                                          │                     └──> detect (security profile) ──> verdicts
//!                       state (last accepted counters, last report id)
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`collector`] | reading `/proc`: what is there, typed, with *unknown* apart from *empty* |
//! | [`report`] | the metrics document: what is in it, its names, its encodings, its size; pure |
//! | [`state`] | what survives between runs |
//! | [`delivery`] | settings, TLS, one MQTT session, the answer |
//! | [`schedule`] | when `watch` reports; pure |
//! | [`detect`] | a security profile judged on the device; pure |
//! | [`params`] | the connector's parameters and their patterns |
//! | [`commands`] | one file a subcommand; the only place where the parts meet |
//! | [`cli`] | the flags and their help texts |
//! | [`terminal`] | standard output and standard error |
//! | [`escape`] | foreign text made harmless |
//! | [`exit`] | the exit codes, and what a failure consists of |
//! | [`thing`] | the thing name |
//! | [`time`] | the clock that does not step, and times as they are shown |
//!
//! Dependencies point one way: `commands` uses all others; `report` uses the collector's types and `escape`, `detect` the
//! report's; nothing but `commands` knows `cli`. Pure parts take clock, byte order and bytes as arguments.
//!
//! # Rules
//!
//! - Parsers are total: no input makes them panic, and what they skip they count.
//! - Unknown is never shown as zero or empty.
//! - Everything read from outside is escaped before it reaches a terminal.
//! - Nothing is printed but through [`terminal::Terminal`] and, for help and usage errors, by clap. The process ends in
//!   `main`, when a bug of ours panics, or when `watch` is asked to end and cannot in good time.

pub mod cli;
pub mod collector;
pub mod commands;
pub mod delivery;
pub mod detect;
pub mod escape;
pub mod exit;
pub mod params;
pub mod report;
pub mod schedule;
pub mod state;
pub mod terminal;
pub mod thing;
pub mod time;
