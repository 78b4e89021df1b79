//! Notifications to systemd (`sd_notify(3)`): datagrams of `NAME=value` lines to the socket in `NOTIFY_SOCKET`.
//!
//! A manager that does not read must not block the loop, so a datagram that cannot be sent in time is dropped; the libraries
//! for this block.

use std::env;
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::time::Duration;

use crate::text::escape;

/// How long sending may block while the manager does not read.
const PATIENCE: Duration = Duration::from_millis(200);

/// Notifies systemd, if it runs this process; `None` when nobody is there.
pub(super) fn send(lines: &str) -> Option<()> {
    let path = env::var_os("NOTIFY_SOCKET")?;
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name).ok()?,
        None => SocketAddr::from_pathname(OsStr::new(&path)).ok()?,
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_write_timeout(Some(PATIENCE)).ok()?;
    socket.send_to_addr(lines.as_bytes(), &address).ok()?;
    Some(())
}

/// The state of the service, in one line. systemd drops datagrams of more than 4096 bytes.
pub(super) fn status(text: &str) {
    send(&format!("STATUS={}", escape(text)));
}

/// How often systemd expects a sign of life from this process, if at all (`sd_watchdog_enabled(3)`).
pub(super) fn watchdog() -> Option<Duration> {
    let microseconds: u64 = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    let is_ours = env::var("WATCHDOG_PID").map_or(true, |pid| pid == process::id().to_string());
    (is_ours && microseconds > 0).then(|| Duration::from_micros(microseconds))
}
