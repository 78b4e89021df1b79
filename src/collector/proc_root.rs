//! Which `/proc` is read, and through it whose network namespace is seen.
//!
//! `/proc/net` is a link to `self/net`: through a host's `/proc` that is bind-mounted into a container it still shows
//! the namespace of whoever reads it. The host's own tables are below `1/net`, readable without any privilege unless
//! the mount has `hidepid=`. So a root other than `/proc` is read through `1/net`, else `net`, else `self/net` (a mount
//! with `subset=pid` has no `net`), and `/proc` itself through `net`, else `self/net`. See `proc_pid_net(5)`.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{PROC_SUPER_MAGIC, statfs};

use super::table::{self, TableError};

/// The tables a report is made of. One of them must be readable for a directory to count as a `net` directory.
const TABLES: [&str; 5] = ["tcp", "tcp6", "udp", "udp6", "dev"];

/// Whose network namespace is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Netns {
    /// That of the host the proc mount belongs to: its process 1, or for `/proc` itself our own.
    Auto,
    /// That of this process.
    Own,
    /// That of the process with this number, as numbered in the proc mount.
    Process(u32),
}

/// A `/proc` and the `net` directory in it that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcRoot {
    /// The mount point, or the top of a saved copy.
    pub root: PathBuf,
    /// The directory of the tables.
    pub net: PathBuf,
    /// Whether `net` shows the network namespace of this process. `false` also when that is unknown.
    pub own_namespace: bool,
    /// Whether `root` is a proc file system, not a saved copy of one.
    pub is_procfs: bool,
    /// The directories that were preferred and could not be used, with the reason.
    pub passed_over: Vec<(PathBuf, String)>,
}

/// What makes a sample comparable with an earlier one of the same host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `sys/kernel/random/boot_id`; `None` when it cannot be read.
    pub boot_id: Option<String>,
    /// The proc root.
    pub proc: PathBuf,
    /// The `net` directory.
    pub net: PathBuf,
    /// The network namespace; `None` when it cannot be told.
    pub namespace: Option<String>,
}

/// Why no `net` directory could be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootError {
    /// What was asked for.
    root: PathBuf,
    /// Every directory that was tried, with the reason it could not be used.
    tried: Vec<(PathBuf, String)>,
    /// What is wrong with the root itself, in words that fit behind its name.
    fault: String,
    /// What to do about it.
    hint: &'static str,
}

impl RootError {
    /// One sentence on what to do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        self.hint
    }
}

impl fmt::Display for RootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.root.display(), self.fault)?;
        for (path, reason) in &self.tried {
            write!(f, "; {}: {reason}", path.display())?;
        }
        Ok(())
    }
}

impl std::error::Error for RootError {}

impl ProcRoot {
    /// Finds the `net` directory below `root` that shows the namespace `netns` asks for.
    ///
    /// # Errors
    /// [`RootError`] when not one table can be opened in any of the directories that would do.
    pub fn find(root: &Path, netns: Netns) -> Result<Self, RootError> {
        let is_own_proc = root == Path::new("/proc");
        let candidates: Vec<PathBuf> = match netns {
            Netns::Process(pid) => vec![root.join(pid.to_string()).join("net")],
            Netns::Auto if !is_own_proc => vec![root.join("1/net"), root.join("net"), root.join("self/net")],
            Netns::Auto | Netns::Own => vec![root.join("net"), root.join("self/net")],
        };
        let mut passed_over = Vec::new();
        for net in candidates {
            match usable(&net) {
                Ok(()) => {
                    let is_procfs = is_own_proc || is_procfs(root);
                    let own_namespace = is_procfs && shows_own_namespace(root, &net);
                    return Ok(Self { root: root.to_owned(), net, own_namespace, is_procfs, passed_over });
                }
                Err(reason) => passed_over.push((net, reason.to_string())),
            }
        }
        Err(explain(root, netns, passed_over))
    }

    /// What tells this host, boot and namespace from others.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let boot_id = table::read_short(&self.root.join("sys/kernel/random/boot_id"));
        Identity {
            boot_id: boot_id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()),
            proc: self.root.clone(),
            net: self.net.clone(),
            namespace: self.namespace(),
        }
    }

    /// The namespace as its link names it, `net:[4026531833]`. The link of another user's process may not be read; the
    /// inode number of a table then does, as every namespace has tables of its own.
    fn namespace(&self) -> Option<String> {
        let link = namespace_link(&self.root, &self.net);
        link.or_else(|| {
            let dev = fs::metadata(self.net.join("dev")).ok().filter(|_| self.is_procfs)?;
            Some(format!("dev:[{}]", dev.ino()))
        })
    }
}

/// Whether a table in `net` can be opened; else why the first one could not.
fn usable(net: &Path) -> Result<(), TableError> {
    let mut first = None;
    for name in TABLES {
        match table::open(&net.join(name)) {
            Ok(_) => return Ok(()),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    first.map_or(Ok(()), Err)
}

/// Whether the system says that a path is a proc file system.
#[must_use]
pub fn is_procfs(root: &Path) -> bool {
    statfs(root).is_ok_and(|fs| fs.filesystem_type() == PROC_SUPER_MAGIC)
}

/// `net` and `self/net` are the reader's by definition; another process's is compared by its namespace link.
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

/// Finds out what is wrong with a root in which no `net` directory could be used.
fn explain(root: &Path, netns: Netns, tried: Vec<(PathBuf, String)>) -> RootError {
    let error = |fault: &str, tried, hint| RootError { root: root.to_owned(), tried, fault: fault.to_owned(), hint };
    match fs::read_dir(root).map(|mut entries| entries.next().is_none()) {
        Err(e) if e.kind() == ErrorKind::NotFound => error("no such directory", vec![], "check the path"),
        Err(e) if e.kind() == ErrorKind::NotADirectory => {
            error("not a directory", vec![], "give a directory, such as /proc")
        }
        Err(e) => error(&e.to_string(), vec![], "run as a user who may read this directory"),
        Ok(true) => {
            let hint = "is the host's /proc mounted there? (docker run -v /proc:/host_proc:ro)";
            error("the directory is empty", vec![], hint)
        }
        Ok(false) => match netns {
            Netns::Process(pid) if !root.join(pid.to_string()).exists() => error(
                "there is no such process, or it is hidden from this user",
                tried,
                "check the process number given with --netns; on a mount with hidepid= run as root",
            ),
            Netns::Process(_) => {
                let fault = "the network tables of this process cannot be read";
                error(fault, tried, "on a mount with hidepid= run as root")
            }
            Netns::Auto | Netns::Own => error(
                "no network tables there",
                tried,
                "give the mount point of a proc file system, or a saved copy that holds net/tcp, net/udp and net/dev",
            ),
        },
    }
}
