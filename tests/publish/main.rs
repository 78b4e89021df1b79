//! `publish --once` from outside: against a real broker with mutual TLS and a stand-in for Device Defender behind it, and
//! against peers that do what no broker would.
//!
//! Needs `mosquitto`, `openssl` and `faketime`, and for [`network`] what `tests/netns` needs. A test that cannot run here
//! fails and says what is missing.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may fail, and tells"
)]

#[path = "../broker/mod.rs"]
mod broker;
#[path = "../common/mod.rs"]
mod common;
mod credentials;
mod crowds;
mod device;
mod greengrass;
#[path = "../netns/namespace.rs"]
#[expect(dead_code, reason = "it is made for many")]
mod namespace;
mod network;
mod outcomes;
mod report;
mod session;
mod settings;
mod state;
mod tls;
mod transports;
mod words;
