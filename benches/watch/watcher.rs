//! The `watch` processes that are measured.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::broker::mosquitto::Broker;
use crate::broker::pki::pki;

const PROGRAM: &str = env!("CARGO_BIN_EXE_device-defender");

/// A temporary directory, in memory if possible, because the devices of a fleet do not share a disk.
pub(crate) fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// The saved `/proc` of a small device. The tables of a machine with much memory take the kernel longer, because its hash
/// tables grow with the memory.
pub(crate) const SMALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/idle/proc");

/// A `watch` command for a thing; the caller adds the interval. Its log is `THING.log` in `dir`.
pub(crate) fn watch(broker: &Broker, dir: &Path, thing: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().args(["watch", "--allow-short-interval", "--endpoint", "localhost", "--thing-name", thing]);
    command.arg("--port").arg(broker.tls.to_string()).arg("--state-dir").arg(dir);
    command.arg("--ca-file").arg(pki("ca.pem")).arg("--cert-file").arg(pki("ec.pem"));
    command.arg("--key-file").arg(pki("ec.key"));
    command.stderr(fs::File::create(dir.join(format!("{thing}.log"))).unwrap());
    command
}
