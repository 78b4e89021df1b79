//! Changing the state of a thing: one run at a time, and so that a kill at any instant leaves the old file or the new one.
//!
//! Beside `THING.json` there is `THING.lock`, which a run holds from before it collects until it has its answer, and while
//! the file is being replaced `THING.new`. All are mode 0600. What root writes belongs to whoever owns the directory, so
//! that a run by hand does not lock the service out.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use serde::Serialize;

use super::{Baseline, State, StateError, VERSION};
use crate::thing::ThingName;

/// How often a lock that another run holds is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The state of a thing, locked. The lock ends with it.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    /// What the file holds.
    pub state: State,
    /// Held, not used.
    _lock: File,
}

/// Why the state of a thing cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory or the lock file cannot be made.
    #[error("{}: {source}", path.display())]
    Unusable {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another run held the lock until the deadline.
    #[error("{}: another run has it locked", .0.display())]
    Locked(PathBuf),
}

impl Store {
    /// Locks the state of `thing` in the directory `dir`, which is made if it is not there, and reads it. A file that
    /// cannot be used is as good as none, and comes out beside.
    ///
    /// # Errors
    /// [`StoreError`] when the directory cannot be written to, or another run holds the lock until `deadline`.
    pub fn open(dir: &Path, thing: &ThingName, deadline: Instant) -> Result<(Self, Option<StateError>), StoreError> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Unusable { path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unusable(dir))?;
        let path = dir.join(format!("{thing}.lock"));
        let lock = create(dir, OpenOptions::new().create(true), &path).map_err(unusable(&path))?;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(StoreError::Unusable { path, source }),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Err(StoreError::Locked(path)),
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            }
        }
        let (state, broken) = match State::load(dir, thing) {
            Ok(state) => (state, None),
            Err(error) => (None, Some(error)),
        };
        let state = state.unwrap_or_else(|| State::new(thing));
        Ok((Self { dir: dir.to_owned(), state, _lock: lock }, broken))
    }

    /// Notes that a report is about to be sent.
    ///
    /// # Errors
    /// That the file could not be written; the old one is still there then.
    pub fn sending(&mut self, report_id: u64) -> io::Result<()> {
        self.state.last_report_id = report_id;
        self.save()
    }

    /// Notes that the report was accepted: the next one's traffic is counted from `baseline`.
    ///
    /// # Errors
    /// As [`Self::sending`].
    pub fn accepted(&mut self, baseline: Baseline) -> io::Result<()> {
        self.state.baseline = Some(baseline);
        self.save()
    }

    /// Replaces the file: the new one is complete on disk before it takes the old one's name.
    fn save(&self) -> io::Result<()> {
        #[derive(Serialize)]
        struct Versioned<'a> {
            version: u64,
            thing_name: &'a str,
            last_report_id: u64,
            baseline: Option<&'a Baseline>,
        }
        let State { thing_name, last_report_id, baseline } = &self.state;
        let document =
            Versioned { version: VERSION, thing_name, last_report_id: *last_report_id, baseline: baseline.as_ref() };
        let mut text = serde_json::to_vec(&document)?;
        text.push(b'\n');

        let new = self.dir.join(format!("{thing_name}.new"));
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {} // a run that was killed may have left one
        }
        let mut file = create(&self.dir, OpenOptions::new().create_new(true), &new)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&new, self.dir.join(format!("{thing_name}.json")))?;
        File::open(&self.dir)?.sync_all()
    }
}

/// Opens a file of ours for writing. A link that somebody put in its place is not followed.
fn create(dir: &Path, options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file =
        options.write(true).mode(0o600).custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits()).open(path)?;
    if geteuid().is_root() {
        let owner = dir.metadata()?;
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(file)
}
