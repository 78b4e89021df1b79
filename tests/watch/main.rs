//! `watch` from outside: against a real broker with mutual TLS and a stand-in for Device Defender behind it, through
//! networks that stall, on disks that fill up, under clocks that step. And its schedule by itself, on a made-up clock.
//!
//! Needs `mosquitto`, `openssl`, `faketime` and `cc`, and what `tests/netns` needs. A test that cannot run here fails and
//! says what is missing. Nothing here waits for a time to pass: what a cycle came to is told to the service manager, which
//! is the tests, so that they know when it has.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unchecked_time_subtraction,
    clippy::unwrap_used,
    reason = "a test may fail, and tells"
)]

#[path = "../broker/mod.rs"]
#[expect(dead_code, reason = "it is made for many")]
mod broker;
mod bytes;
mod clocks;
#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "it is made for many")]
mod common;
mod credentials;
mod device;
mod ends;
#[path = "../netns/namespace.rs"]
#[expect(dead_code, reason = "it is made for many")]
mod namespace;
mod outages;
mod print;
mod proxy;
mod running;
mod schedule;
mod settings;
mod state;
mod systemd;
