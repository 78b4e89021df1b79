//! Which `/proc` is read, and which network namespace it shows.
//!
//! `/proc/net` is a link to `self/net`: even through a host's `/proc` that is bind-mounted into a container, it shows the
//! reader's namespace. The host's own tables are in `1/net`, readable without privileges unless the mount has `hidepid=`.
//! So a root other than `/proc` is read through `1/net`, else `net`, else `self/net` (a mount with `subset=pid` has no
//! `net`), and `/proc` itself through `net`, else `self/net`. See `proc_pid_net(5)`.

use std::fs;
use std::io::{self, ErrorKind};
use std::iter;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::sys::statfs::{PROC_SUPER_MAGIC, statfs};

use crate::collector::problem::Table;
use crate::files;

/// Whose network namespace to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Netns {
    /// That of process 1 of the proc mount, which is the host's; for `/proc` itself, our own.
    Auto,
    Own,
    /// The process ID, as numbered in the proc mount.
    Process(u32),
}

impl FromStr for Netns {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "self" => Ok(Self::Own),
            _ => {
                let pid = text.parse().ok().filter(|&pid| pid > 0 && text.bytes().all(|b| b.is_ascii_digit()));
                pid.map(Self::Process).ok_or("expected auto, self, or a process ID")
            }
        }
    }
}

/// A `/proc` and the `net` directory to read in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcRoot {
    /// The mount point, or the top directory of a saved copy.
    pub root: PathBuf,
    pub net: PathBuf,
    /// Whether `net` shows the network namespace of this process; `false` if unknown.
    pub own_namespace: bool,
    /// Whether `root` is a proc file system, not a saved copy of one.
    pub is_procfs: bool,
    /// Preferred directories that could not be used, and why.
    pub(crate) passed_over: Vec<(PathBuf, String)>,
    /// Whether the namespace of process 1 was asked for, and that of this process is shown because the former is hidden.
    pub(crate) is_fallback: bool,
}

/// The host, boot and namespace of a sample. Samples are comparable only if these are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostId {
    /// `sys/kernel/random/boot_id`; `None` if it cannot be read.
    pub boot_id: Option<String>,
    pub proc: PathBuf,
    pub net: PathBuf,
    /// `None` if unknown.
    pub namespace: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RootError {
    message: String,
    hint: &'static str,
}

impl RootError {
    pub fn hint(&self) -> &'static str {
        self.hint
    }
}

impl ProcRoot {
    /// Finds the `net` directory below `root` that shows the namespace `netns` asks for.
    pub(crate) fn find(root: &Path, netns: Netns) -> Result<Self, RootError> {
        let is_own_proc = root == Path::new("/proc");
        let candidates: Vec<PathBuf> = match netns {
            Netns::Process(pid) => vec![root.join(pid.to_string()).join("net")],
            Netns::Auto if !is_own_proc => vec![root.join("1/net"), root.join("net"), root.join("self/net")],
            Netns::Auto | Netns::Own => vec![root.join("net"), root.join("self/net")],
        };
        let mut passed_over = Vec::new();
        let mut is_denied = false;
        for net in candidates {
            match usable(&net) {
                Ok(()) => {
                    let is_procfs = is_own_proc || is_procfs(root);
                    let own_namespace = is_procfs && shows_own_namespace(root, &net);
                    let is_host_asked_for = netns == Netns::Auto && !is_own_proc;
                    let is_fallback = is_host_asked_for && own_namespace && !passed_over.is_empty();
                    return Ok(Self { root: root.to_owned(), net, own_namespace, is_procfs, passed_over, is_fallback });
                }
                Err(reason) => {
                    is_denied |= reason.kind() == ErrorKind::PermissionDenied;
                    passed_over.push((net, reason.to_string()));
                }
            }
        }
        Err(explain(root, netns, &passed_over, is_denied))
    }

    pub(crate) fn host_id(&self) -> HostId {
        let boot_id = files::read_short(&self.root.join("sys/kernel/random/boot_id"));
        HostId {
            boot_id: boot_id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()),
            proc: self.root.clone(),
            net: self.net.clone(),
            namespace: self.namespace(),
        }
    }

    /// The namespace as its link names it, `net:[4026531833]`. The link of another user's process is unreadable; then the
    /// inode number of a table serves instead, as every namespace has its own tables.
    fn namespace(&self) -> Option<String> {
        namespace_link(&self.root, &self.net).or_else(|| {
            let dev = fs::metadata(self.net.join("dev")).ok().filter(|_| self.is_procfs)?;
            Some(format!("dev:[{}]", dev.ino()))
        })
    }
}

/// Checks that `net` has a table that can be opened; the error is that of the first table.
fn usable(net: &Path) -> io::Result<()> {
    let open = |table: Table| files::open(&net.join(table.to_string())).map(drop);
    open(Table::Tcp).or_else(|first| Table::REPORTED.into_iter().find_map(|table| open(table).ok()).ok_or(first))
}

pub(crate) fn is_procfs(root: &Path) -> bool {
    statfs(root).is_ok_and(|fs| fs.filesystem_type() == PROC_SUPER_MAGIC)
}

/// `net` and `self/net` are the reader's by definition; for other processes, the namespace links are compared.
fn shows_own_namespace(root: &Path, net: &Path) -> bool {
    let own = [root.join("net"), root.join("self/net")];
    own.iter().any(|own| own == net)
        || namespace_link(root, net).is_some_and(|link| Some(link) == read_link(Path::new("/proc/self/ns/net")))
}

fn namespace_link(root: &Path, net: &Path) -> Option<String> {
    let process = if net == root.join("net") { root.join("self") } else { net.parent()?.to_owned() };
    read_link(&process.join("ns/net"))
}

fn read_link(path: &Path) -> Option<String> {
    fs::read_link(path).ok()?.into_os_string().into_string().ok()
}

/// Explains why no `net` directory below `root` could be used: what is wrong with the root itself, or else with every
/// directory that was tried.
fn explain(root: &Path, netns: Netns, tried: &[(PathBuf, String)], is_denied: bool) -> RootError {
    let is_empty = fs::read_dir(root).map(|mut entries| entries.next().is_none());
    let tried = if matches!(is_empty, Ok(false)) { tried } else { &[] };
    let because = |fault: &str, hint: &'static str| (fault.to_owned(), hint);
    let (fault, hint) = match is_empty {
        Err(e) if e.kind() == ErrorKind::NotFound => because("no such directory", "check the path"),
        Err(e) if e.kind() == ErrorKind::NotADirectory => because("not a directory", "give a directory, such as /proc"),
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            because(&e.to_string(), "run as a user who may read this directory")
        }
        Err(e) => because(&e.to_string(), "check the path"),
        Ok(true) => {
            because("the directory is empty", "is the host's /proc mounted there? (docker run -v /proc:/host_proc:ro)")
        }
        Ok(false) => match netns {
            Netns::Process(pid) if !root.join(pid.to_string()).exists() => because(
                "no such process, or it is hidden from this user",
                "check the process ID given with --netns; on a mount with hidepid=, run as root",
            ),
            Netns::Process(_) => {
                because("the network tables of this process cannot be read", "on a mount with hidepid=, run as root")
            }
            Netns::Auto | Netns::Own if is_denied => {
                because("the network tables cannot be read", "run as root, or as a user who may read them")
            }
            Netns::Auto | Netns::Own => because(
                "no network tables there",
                "give the mount point of a proc file system, or a saved copy that holds net/tcp, net/udp and net/dev",
            ),
        },
    };
    let tried = tried.iter().map(|(path, reason)| format!("{}: {reason}", path.display()));
    let faults: Vec<String> = iter::once(format!("{}: {fault}", root.display())).chain(tried).collect();
    RootError { message: faults.join("; "), hint }
}
