//! Which processes have a socket open: `/proc/PID/fd/*` link to `socket:[INODE]` (`proc_pid_fd(5)`).
//!
//! Looking into another user's process takes root or `CAP_SYS_PTRACE`, and every descriptor on the machine is looked
//! at, so this is done on request only.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use procfs::ProcError;
use procfs::process::{FDTarget, Process, all_processes_with_root};

/// A process that has a socket open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The process number, as numbered in the proc mount.
    pub pid: i32,
    /// The name of its main thread (`comm`). May hold any character.
    pub name: String,
}

/// The processes that own sockets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    by_inode: HashMap<u64, Vec<Owner>>,
    /// How many processes may not be looked into by this user.
    pub hidden: usize,
}

impl Owners {
    /// The processes that have the socket with this inode number open, sorted; empty when none is known.
    #[must_use]
    pub fn of(&self, inode: u64) -> &[Owner] {
        self.by_inode.get(&inode).map_or(&[], Vec::as_slice)
    }

    /// Looks through every process below `root`, a proc mount.
    ///
    /// # Errors
    /// When the processes cannot be listed at all. A process that ends meanwhile is passed over.
    pub fn find(root: &Path) -> Result<Self, ProcError> {
        let mut owners = Self::default();
        for process in all_processes_with_root(root)? {
            match process.and_then(|process| Ok((sockets_of(&process)?, process))) {
                Ok((inodes, _)) if inodes.is_empty() => {}
                Ok((inodes, process)) => owners.add(&process, inodes),
                Err(ProcError::PermissionDenied(_)) => owners.hidden = owners.hidden.saturating_add(1),
                Err(_) => {} // it has ended
            }
        }
        for list in owners.by_inode.values_mut() {
            list.sort_unstable();
        }
        Ok(owners)
    }

    fn add(&mut self, process: &Process, inodes: HashSet<u64>) {
        let Ok(stat) = process.stat() else { return };
        let owner = Owner { pid: process.pid, name: stat.comm };
        for inode in inodes {
            self.by_inode.entry(inode).or_default().push(owner.clone());
        }
    }
}

/// The inode numbers of a process's sockets. A process that lists its descriptors to this user but lets none of them be
/// read, as one of the same user with more capabilities does, is as hidden as one that does not list them.
fn sockets_of(process: &Process) -> Result<HashSet<u64>, ProcError> {
    let targets: Vec<FDTarget> = process.fd()?.filter_map(Result::ok).map(|descriptor| descriptor.target).collect();
    if targets.is_empty() && process.fd_count()? > 0 {
        return Err(ProcError::PermissionDenied(None));
    }
    let inodes = targets.into_iter().filter_map(|target| match target {
        FDTarget::Socket(inode) => Some(inode),
        _ => None,
    });
    Ok(inodes.collect())
}
