//! Which processes have a socket open: `/proc/PID/fd/*` link to `socket:[INODE]` (`proc_pid_fd(5)`).
//!
//! Only on request: inspecting another user's process takes root or `CAP_SYS_PTRACE`, and every descriptor on the machine
//! is read.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use procfs::ProcError;
use procfs::process::{FDTarget, Process, all_processes_with_root};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner {
    /// The process ID, as numbered in the proc mount.
    pub pid: i32,
    /// The name of its main thread (`comm`). It may contain any character.
    pub name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    by_inode: HashMap<u32, Vec<Owner>>,
    /// How many processes this user may not inspect.
    pub(crate) hidden: usize,
}

impl Owners {
    /// The known processes that have the socket with this inode number open, sorted.
    pub(crate) fn of(&self, inode: u32) -> &[Owner] {
        self.by_inode.get(&inode).map_or(&[], Vec::as_slice)
    }

    /// Inspects every process below `root`, a proc mount. Processes that end meanwhile are skipped.
    pub(crate) fn find(root: &Path) -> Result<Self, ProcError> {
        let mut owners = Self::default();
        for process in all_processes_with_root(root)? {
            match process.and_then(|process| Ok((sockets_of(&process)?, process))) {
                Ok((inodes, _)) if inodes.is_empty() => {}
                Ok((inodes, process)) => owners.add(&process, inodes),
                Err(ProcError::PermissionDenied(_)) => owners.hidden += 1,
                Err(_) => {} // it has ended
            }
        }
        for list in owners.by_inode.values_mut() {
            list.sort_unstable();
        }
        Ok(owners)
    }

    fn add(&mut self, process: &Process, inodes: HashSet<u32>) {
        let Ok(stat) = process.stat() else { return };
        let owner = Owner { pid: process.pid, name: stat.comm };
        for inode in inodes {
            self.by_inode.entry(inode).or_default().push(owner.clone());
        }
    }
}

/// The inode numbers of a process's sockets. A process of the same user with more capabilities lists its descriptors but
/// lets none of them be read; it counts as hidden, too.
fn sockets_of(process: &Process) -> Result<HashSet<u32>, ProcError> {
    let targets: Vec<FDTarget> = process.fd()?.filter_map(Result::ok).map(|descriptor| descriptor.target).collect();
    if targets.is_empty() && process.fd_count()? > 0 {
        return Err(ProcError::PermissionDenied(None));
    }
    let inodes = targets.into_iter().filter_map(|target| match target {
        FDTarget::Socket(inode) => u32::try_from(inode).ok(),
        _ => None,
    });
    Ok(inodes.collect())
}
