//! What systemd is told (`sd_notify(3)`): datagrams of `NAME=value` lines to the socket it names.
//!
//! A manager that does not read must not hold the loop up, so what cannot be sent in good time is dropped; that is what
//! the libraries for it do not do.

use std::env;
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::time::Duration;

use crate::escape::escape;

/// How long a manager may take to make room for what it is told.
const PATIENCE: Duration = Duration::from_millis(200);

/// Tells systemd, if it is there.
fn send(lines: &str) {
    let _nobody_there = try_send(lines);
}

fn try_send(lines: &str) -> Option<()> {
    let path = env::var_os("NOTIFY_SOCKET")?;
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name).ok()?,
        None => SocketAddr::from_pathname(OsStr::new(&path)).ok()?,
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_write_timeout(Some(PATIENCE)).ok()?;
    socket.send_to_addr(lines.as_bytes(), &address).ok().map(|_| ())
}

/// That the settings are good.
pub(super) fn ready() {
    send("READY=1\nSTATUS=waiting for the first report");
}

/// What is going on, in a line. systemd drops what is longer than 4096 bytes.
pub(super) fn status(text: &str) {
    send(&format!("STATUS={}", escape(text)));
}

/// A sign of life.
pub(super) fn alive() {
    send("WATCHDOG=1");
}

/// That it is going to end.
pub(super) fn stopping() {
    send("STOPPING=1");
}

/// How often systemd wants a sign of life of this process, if at all (`sd_watchdog_enabled(3)`).
pub(super) fn watchdog() -> Option<Duration> {
    let microseconds: u64 = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    let is_ours = match env::var("WATCHDOG_PID") {
        Ok(pid) => pid == process::id().to_string(),
        Err(_) => true,
    };
    (is_ours && microseconds > 0).then(|| Duration::from_micros(microseconds))
}
