//! What the program talks to: a broker with mutual TLS, a stand-in for Device Defender behind it, and a peer that plays
//! scripts. Each test has its own, on free ports of loopback addresses, until it is dropped.
//!
//! Needs `mosquitto`, `openssl` and `faketime`. A test that cannot run fails and says what is missing.

pub(crate) mod mosquitto;
pub(crate) mod peer;
pub(crate) mod pki;
pub(crate) mod service;
pub(crate) mod wire;

use super::tool::{NEVER, spawn, tool};
