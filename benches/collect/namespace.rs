//! Network namespaces, made by `unshare` of util-linux: this program would need unsafe code for it.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::{Result, own_path, scale};

/// The process that sees to a small connection hash, then becomes the process of the scale.
pub(crate) const ROLE: &str = "@small-hash";

/// How many buckets the tables of a device with 512 MB have. A network namespace gets its own tables of this size when
/// the namespace it was made from says so.
const SMALL_HASH: [(&str, &str); 2] =
    [("/proc/sys/net/ipv4/tcp_child_ehash_entries", "4096"), ("/proc/sys/net/ipv4/udp_child_hash_entries", "256")];

/// What lets us make a network namespace.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rights {
    /// Those we have.
    Root,
    /// Those we get in a user namespace.
    UserNamespace,
}

impl Rights {
    /// Finds out by doing it.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn probe() -> Result<Self> {
        let mut problems = Vec::new();
        for rights in [Self::Root, Self::UserNamespace] {
            match rights.unshare().args(["ip", "link", "set", "lo", "up"]).output() {
                Ok(output) if output.status.success() => return Ok(rights),
                Ok(output) => problems.push(String::from_utf8_lossy(&output.stderr).trim_end().replace('\n', "; ")),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Err("there is no `unshare`; it is part of util-linux".into());
                }
                Err(error) => problems.push(error.to_string()),
            }
        }
        let problems = problems.join("\n  in a user namespace: ");
        let needs = "it takes root, or user namespaces that everyone may make, and `ip` (iproute2)";
        Err(format!("no network namespace can be made; {needs}\n  as this user: {problems}").into())
    }

    /// `unshare`, to which a program and its arguments are to be added.
    pub(crate) fn unshare(self) -> Command {
        let mut command = Command::new("unshare");
        if let Self::UserNamespace = self {
            command.args(["--user", "--map-root-user"]);
        }
        // The same settings for everyone who measures.
        command.arg("--net").env_remove("DEVICE_DEFENDER_PROC");
        command
    }
}

/// Runs as a process in a namespace that nothing is in but the wish for a small hash, and turns into the process of the
/// scale in a namespace made from it. So this machine's own setting need not be touched, which takes real root.
pub(crate) fn as_process(args: &[OsString]) -> Result<()> {
    for (path, buckets) in SMALL_HASH {
        if let Err(error) = fs::write(path, buckets) {
            eprintln!("the connection hash is this machine's, not a small one: {path}: {error}");
        }
    }
    Err(Command::new("unshare").arg("--net").arg(own_path()?).arg(scale::ROLE).args(args).exec().into())
}

/// How many buckets the table of connections in our namespace has.
pub(crate) fn hash_buckets() -> Option<u32> {
    let entries = fs::read_to_string("/proc/sys/net/ipv4/tcp_ehash_entries").ok()?;
    Some(entries.trim().parse::<i32>().ok()?.unsigned_abs()) // negative: the table is shared with the machine's own
}
