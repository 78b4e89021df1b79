//! Changing the state of a thing: one run at a time, and so that a kill at any instant leaves the old file or the new one.
//!
//! Next to `THING.json` there is `THING.lock`, which a run holds from before it collects until it has its answer, and, while
//! the file is being replaced, `THING.json.new`. All have mode 0600. Files that root writes belong to the owner of the directory,
//! so that a run by hand does not lock the service out.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::{State, StateError};
use crate::directory::{Directory, UnsafePath};
use crate::thing::ThingName;

/// For the owner only.
const PRIVATE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// Exclusive lock on a thing's state, released on drop.
#[derive(Debug)]
pub(crate) struct Store {
    dir: Directory,
    _lock: File,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The directory or a file in it cannot be made or written.
    #[error("{}: {source}", path.display())]
    Unusable { path: PathBuf, source: io::Error },
    #[error("{}: locked by another run", .0.display())]
    Locked(PathBuf),
    #[error("no state directory: HOME is not set")]
    NoHome,
}

impl StoreError {
    /// Whether another user can lead the path of the directory elsewhere.
    pub(crate) fn is_unsafe_path(&self) -> bool {
        let Self::Unusable { source, .. } = self else { return false };
        matches!(source.get_ref(), Some(error) if error.is::<UnsafePath>())
    }
}

impl Store {
    /// Locks the state of `thing` in the directory `dir`, which is made if it is not there.
    pub(crate) fn lock(dir: &Path, thing: &ThingName) -> Result<Self, StoreError> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Unusable { path, source }
        };
        let dir = Directory::create(dir, Mode::S_IRWXU).map_err(unusable(dir))?;
        let name = format!("{thing}.lock");
        let path = dir.join(&name);
        let lock = open_lock(&dir, &name).map_err(unusable(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path)),
            Err(TryLockError::Error(source)) => Err(StoreError::Unusable { path, source }),
        }
    }

    /// Locks the state of `thing` if it was locked before and this user can do it, and makes nothing. `None`: it cannot be
    /// locked, and need not be.
    pub(crate) fn lock_existing(dir: &Path, thing: &ThingName) -> Result<Option<Self>, StoreError> {
        let name = format!("{thing}.lock");
        let Ok(dir) = Directory::open(dir) else { return Ok(None) };
        let Ok(lock) = dir.open_file(&name, OFlag::O_RDONLY) else { return Ok(None) };
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { dir, _lock: lock })),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(dir.join(&name))),
            Err(TryLockError::Error(_)) => Ok(None),
        }
    }

    /// Reads the state of `thing`; `None`: there is none yet.
    pub(crate) fn load(&self, thing: &ThingName) -> Result<Option<State>, StateError> {
        State::read(&self.dir, thing)
    }

    /// Replaces the file. After an error the old file is still there.
    pub(crate) fn save(&self, state: &State) -> Result<(), StoreError> {
        let thing_name = &state.thing_name;
        let name = format!("{thing_name}.json");
        let unusable = |source| StoreError::Unusable { path: self.dir.join(&name), source };
        let mut text = serde_json::to_vec(state).map_err(|error| unusable(error.into()))?;
        text.push(b'\n');
        self.dir.replace(&name, &text, PRIVATE).map_err(unusable)
    }
}

fn open_lock(dir: &Directory, name: &str) -> io::Result<File> {
    match dir.create_file(name, PRIVATE) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let file = dir.open_file(name, OFlag::O_WRONLY)?;
            if file.metadata()?.nlink() == 1 { Ok(file) } else { Err(io::Error::other("has another name, too")) }
        }
        file => file,
    }
}
