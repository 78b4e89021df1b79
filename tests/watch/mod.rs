//! `watch` from outside: against a real broker with mutual TLS and a stand-in for Device Defender behind it, through
//! networks that stall, on disks that fill up, under clocks that step. And its schedule by itself, on a made-up clock.
//!
//! Needs `mosquitto`, `openssl`, `faketime`, `bindfs` and `cc`, and what `tests/netns` needs. A test that cannot run here fails and
//! says what is missing. Nothing here waits for a time to pass: what a cycle came to is told to the service manager, which
//! is the tests, so that they know when it has.

mod bytes;
mod clocks;
#[cfg(feature = "greengrass")]
mod component;
mod credentials;
mod ends;
mod hangs;
mod outages;
mod print;
mod proxy;
pub(crate) mod running;
mod schedule;
mod settings;
mod state;
mod systemd;
