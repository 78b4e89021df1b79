//! Opens a directory as root, one component of its path after another.
//!
//! Root is led astray by a path that passes through a directory which another user can change into one that this user
//! cannot: the user only has to put a link to it there. systemd calls this an unsafe path transition (`chase.c`) and refuses
//! it. A link that root made in a directory that only root can change is as good as a directory.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, mkdirat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use crate::files::{group_name, user_name};

/// The most links in a path, as in the kernel (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

/// Opens the place itself, even a link, and not for reading.
const PLACE: OFlag = OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

#[derive(Debug, thiserror::Error)]
#[error("unsafe path: {who} can change {}, but not {}", theirs.display(), beyond.display())]
pub(crate) struct UnsafePath {
    who: Who,
    theirs: PathBuf,
    beyond: PathBuf,
}

/// Opens the directory `path`. Missing directories are made if `make` has a mode for them.
pub(super) fn open(path: &Path, make: Option<Mode>) -> io::Result<OwnedFd> {
    let mut walk = Walk::start(if path.is_absolute() { "/" } else { "." })?;
    let mut rest = names(path);
    let mut links = 0;
    while let Some(name) = rest.pop() {
        match walk.open(&name) {
            Err(Errno::ENOENT) => walk.make(&name, make.ok_or(Errno::ENOENT)?)?,
            Err(Errno::ENOTDIR) => {
                rest.extend(names(&walk.follow(&name)?));
                links += 1;
                if links > MAX_LINKS {
                    return Err(Errno::ELOOP.into());
                }
            }
            next => walk.enter(next?, &name)?,
        }
    }
    Ok(walk.fd)
}

/// The names in a path, the last one first. The first name of an absolute path is `/`.
fn names(path: &Path) -> Vec<OsString> {
    path.components().rev().map(|component| component.as_os_str().to_owned()).collect()
}

/// The directory that was reached, and who could have led there.
struct Walk {
    fd: OwnedFd,
    stat: FileStat,
    path: PathBuf,
    /// Everybody but root who can change what the path has led through, and the directory or link that they can change.
    leaders: Vec<(Who, PathBuf)>,
    /// The owner of `/`, who needs no trick to change anything: root, or in a user namespace perhaps a user without a number.
    trusted: u32,
}

impl Walk {
    fn start(at: &str) -> io::Result<Self> {
        let fd = openat(AT_FDCWD, at, PLACE | OFlag::O_DIRECTORY, Mode::empty())?;
        let trusted = nix::sys::stat::stat("/")?.st_uid;
        Ok(Self { stat: fstat(&fd)?, fd, path: PathBuf::from(at), leaders: Vec::new(), trusted })
    }

    /// Opens an entry that is a directory. Not `O_PATH` alone: `O_DIRECTORY` makes an automounter mount it.
    fn open(&self, name: &OsStr) -> nix::Result<OwnedFd> {
        openat(&self.fd, name, PLACE | OFlag::O_DIRECTORY, Mode::empty())
    }

    fn enter(&mut self, next: OwnedFd, name: &OsStr) -> io::Result<()> {
        self.lead();
        self.stat = fstat(&next)?;
        self.fd = next;
        self.path.push(name);
        self.check()
    }

    /// Makes a directory, unless it is there by now, and enters it.
    fn make(&mut self, name: &OsStr, mode: Mode) -> io::Result<()> {
        self.lead();
        if let Some((who, theirs)) = self.leaders.first().cloned() {
            return Err(io::Error::other(UnsafePath { who, theirs, beyond: self.path.join(name) }));
        }
        match mkdirat(&self.fd, name, mode) {
            Ok(()) | Err(Errno::EEXIST) => self.enter(self.open(name)?, name),
            Err(error) => Err(error.into()),
        }
    }

    /// The target of a link, which continues the path in its place.
    fn follow(&mut self, name: &OsStr) -> io::Result<PathBuf> {
        let link = openat(&self.fd, name, PLACE, Mode::empty())?;
        let stat = fstat(&link)?;
        if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFLNK {
            return Err(Errno::ENOTDIR.into());
        }
        let target = PathBuf::from(readlinkat(&link, "")?);
        if target.is_absolute() && fstatfs(&link)?.filesystem_type() == PROC_SUPER_MAGIC {
            return Err(Errno::ELOOP.into()); // such a link does not lead where its text says
        }
        self.lead();
        if stat.st_uid != self.trusted && stat.st_uid != 0 {
            self.leaders.push((Who::User(stat.st_uid), self.path.join(name)));
        }
        if target.is_relative() {
            self.check()?;
        }
        Ok(target)
    }

    /// Notes who can put something else in the place of the next component.
    fn lead(&mut self) {
        let who = changers(&self.stat).filter(|who| !matches!(who, Who::User(uid) if [0, self.trusted].contains(uid)));
        self.leaders.extend(who.map(|who| (who, self.path.clone())));
    }

    /// Checks that everybody who could have led here can change this directory anyway.
    fn check(&self) -> io::Result<()> {
        let can_change = |who: Who| changers(&self.stat).any(|other| other == who || other == Who::Everyone);
        match self.leaders.iter().find(|(who, _)| !can_change(*who)).cloned() {
            Some((who, theirs)) => Err(io::Error::other(UnsafePath { who, theirs, beyond: self.path.clone() })),
            None => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    User(u32),
    Group(u32),
    Everyone,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(uid) => f.write_str(&user_name(*uid)),
            Self::Group(gid) => f.write_str(&group_name(*gid)),
            Self::Everyone => f.write_str("every user"),
        }
    }
}

/// Who can replace the entries of a directory. In a sticky one, such as `/tmp`, they belong to those who made them.
fn changers(stat: &FileStat) -> impl Iterator<Item = Who> + use<> {
    let mode = Mode::from_bits_truncate(stat.st_mode);
    let has = |bit| mode.contains(bit) && !mode.contains(Mode::S_ISVTX);
    let group = has(Mode::S_IWGRP).then_some(Who::Group(stat.st_gid));
    let everyone = has(Mode::S_IWOTH).then_some(Who::Everyone);
    [Some(Who::User(stat.st_uid)), group, everyone].into_iter().flatten()
}
