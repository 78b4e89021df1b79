//! Network namespaces, created with `unshare` from util-linux, because the system call takes unsafe code.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::process::{Result, SCALE, own_path};

/// The number of hash buckets on a device with 512 MB. A new network namespace gets tables of its own with this size if
/// these settings of its parent namespace say so.
const SMALL_HASH: [(&str, &str); 2] =
    [("/proc/sys/net/ipv4/tcp_child_ehash_entries", "4096"), ("/proc/sys/net/ipv4/udp_child_hash_entries", "256")];

/// The rights to create a network namespace.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rights {
    /// We are root.
    Root,
    /// We are root in a user namespace.
    UserNamespace,
}

impl Rights {
    /// Tries both.
    pub(crate) fn probe() -> Result<Self> {
        let mut problems = Vec::new();
        for rights in [Self::Root, Self::UserNamespace] {
            match rights.unshare().args(["ip", "link", "set", "lo", "up"]).output() {
                Ok(output) if output.status.success() => return Ok(rights),
                Ok(output) => problems.push(String::from_utf8_lossy(&output.stderr).trim_end().replace('\n', "; ")),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Err("`unshare` is not installed; it is part of util-linux".into());
                }
                Err(error) => problems.push(error.to_string()),
            }
        }
        let problems = problems.join("\n  in a user namespace: ");
        let needs = "run as root, or allow user namespaces for everyone; `ip` (iproute2) is needed too";
        Err(format!("cannot create a network namespace; {needs}\n  as this user: {problems}").into())
    }

    /// A command line of `unshare`, for the caller to append a program and its arguments.
    pub(crate) fn unshare(self) -> Command {
        let mut command = Command::new("unshare");
        if let Self::UserNamespace = self {
            command.args(["--user", "--map-root-user"]);
        }
        // Settings of the user would change what is measured.
        command.arg("--net").env_remove("DEVICE_DEFENDER_PROC");
        command
    }
}

/// The process [`SMALL_HASH`](crate::process::SMALL_HASH): sets the hash size in an otherwise unused namespace, then
/// becomes [`SCALE`] in a namespace created from it. Changing the setting of the machine itself would take real root.
pub(crate) fn main(args: &[OsString]) -> Result<()> {
    for (path, buckets) in SMALL_HASH {
        if let Err(error) = fs::write(path, buckets) {
            eprintln!("using the connection hash of this machine instead of a small one: {path}: {error}");
        }
    }
    Err(Command::new("unshare").arg("--net").arg(own_path()?).arg(SCALE).args(args).exec().into())
}

/// The number of buckets of the connection hash in our namespace.
pub(crate) fn hash_buckets() -> Option<u32> {
    let entries = fs::read_to_string("/proc/sys/net/ipv4/tcp_ehash_entries").ok()?;
    Some(entries.trim().parse::<i32>().ok()?.unsigned_abs()) // negative: shared with the parent namespace
}
