//! Changing the state of a thing: one run at a time, and so that a kill at any instant leaves the old file or the new one.
//!
//! Next to `THING.json` there is `THING.lock`, which a run holds from before it collects until it has its answer, and, while
//! the file is being replaced, `THING.new`. All have mode 0600. Files that root writes belong to the owner of the directory,
//! so that a run by hand does not lock the service out.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::geteuid;

use super::State;
use crate::thing::ThingName;

/// Exclusive lock on a thing's state, released on drop.
#[derive(Debug)]
pub(crate) struct Store {
    dir: PathBuf,
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

impl Store {
    /// Locks the state of `thing` in the directory `dir`, which is made if it is not there.
    pub(crate) fn lock(dir: &Path, thing: &ThingName) -> Result<Self, StoreError> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Unusable { path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unusable(dir))?;
        let path = dir.join(format!("{thing}.lock"));
        let lock = open_lock(dir, &path).map_err(unusable(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir: dir.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path)),
            Err(TryLockError::Error(source)) => Err(StoreError::Unusable { path, source }),
        }
    }

    /// Replaces the file: the new one is complete on disk before it takes the old one's name. After an error the old file
    /// is still there.
    pub(crate) fn save(&self, state: &State) -> Result<(), StoreError> {
        let thing_name = &state.thing_name;
        let mut text = serde_json::to_vec(state)
            .map_err(|error| StoreError::Unusable { path: self.dir.clone(), source: error.into() })?;
        text.push(b'\n');

        let path = self.dir.join(format!("{thing_name}.json"));
        let new = self.dir.join(format!("{thing_name}.new"));
        let replace = || {
            remove(&new)?; // a run that was killed may have left one
            let mut file = create(&self.dir, &new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(&self.dir)?.sync_all()
        };
        replace().map_err(|source| {
            drop(remove(&new));
            StoreError::Unusable { path, source }
        })
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Creates a file. It must not exist, so a symbolic link in its place is not followed.
fn create(dir: &Path, path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    if geteuid().is_root() {
        let owner = dir.metadata()?;
        match fchown(&file, Some(owner.uid()), Some(owner.gid())) {
            Err(error) if error.kind() != ErrorKind::PermissionDenied => return Err(error),
            _ => {} // a root without that right, as in a sandbox, keeps the file
        }
    }
    Ok(file)
}

fn open_lock(dir: &Path, path: &Path) -> io::Result<File> {
    match create(dir, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
            let file = OpenOptions::new().write(true).custom_flags(flags).open(path)?;
            let about = file.metadata()?;
            if about.is_file() && about.nlink() == 1 { Ok(file) } else { Err(io::Error::other("not a plain file")) }
        }
        result => result,
    }
}
