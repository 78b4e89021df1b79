//! Directories that are opened once. Everything in them is then reached through the descriptor, and no link in them is
//! followed, so that a user who can change a directory of the path cannot lead this program elsewhere.

mod walk;

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, fchown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

use crate::files;
pub(crate) use walk::UnsafePath;

/// An open directory. The names given to its methods are those of its entries, without `/`.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    path: PathBuf,
}

impl Directory {
    /// Opens a directory.
    ///
    /// # Errors
    /// [`UnsafePath`] in an [`io::Error`] when this is root and another user can lead the path elsewhere.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let fd = if geteuid().is_root() { walk::open(path, None)? } else { follow(path)? };
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Opens a directory. It and those above it are made with this mode where they are missing.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub(crate) fn create(path: &Path, mode: Mode) -> io::Result<Self> {
        let fd = if geteuid().is_root() {
            walk::open(path, Some(mode))?
        } else {
            DirBuilder::new().recursive(true).mode(mode.bits()).create(path)?;
            follow(path)?
        };
        Ok(Self { fd, path: path.to_owned() })
    }

    /// The path of an entry, for messages.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a regular file with these flags. A link is refused, and so is a pipe or a device, which might never end.
    pub(crate) fn open_file(&self, name: &str, flags: OFlag) -> io::Result<File> {
        match self.open_entry(Path::new(name), flags | OFlag::O_NONBLOCK, Mode::empty()) {
            Err(Errno::ELOOP) => Err(io::Error::other("a symbolic link, which is not followed")),
            file => files::regular(file?),
        }
    }

    /// Reads a regular file of at most `limit` bytes.
    pub(crate) fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        files::bounded(self.open_file(name, OFlag::O_RDONLY)?, limit)
    }

    /// Makes a file and opens it for writing. It must not exist, not even as a link that leads nowhere. A file that root makes
    /// belongs to the owner of the directory, so that a run by hand does not lock a service out.
    pub(crate) fn create_file(&self, name: impl AsRef<Path>, mode: Mode) -> io::Result<File> {
        let file = self.open_entry(name.as_ref(), OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL, mode)?;
        if geteuid().is_root() {
            let owner = fstat(&self.fd)?;
            match fchown(&file, Some(owner.st_uid), Some(owner.st_gid)) {
                Err(error) if error.kind() != ErrorKind::PermissionDenied => return Err(error),
                _ => {} // a root without that right, as in a sandbox, keeps the file
            }
        }
        Ok(file)
    }

    /// Puts a file in the place of the entry `name`, which may be missing. It is complete on disk before it takes that place:
    /// after an error or a kill, what was there is still there.
    pub(crate) fn replace(&self, name: &str, content: &[u8], mode: Mode) -> io::Result<()> {
        self.stage(name, content, mode)?.commit()
    }

    /// Writes a file that is to take the place of the entry `name`. Until then it has `.new` after its name.
    ///
    /// # Errors
    /// Also for a directory or an immutable file in that place.
    pub(crate) fn stage<'d>(&'d self, name: &'d str, content: &[u8], mode: Mode) -> io::Result<StagedFile<'d>> {
        let existing = self.open_entry(Path::new(name), OFlag::O_WRONLY | OFlag::O_NONBLOCK, Mode::empty());
        // The latter for a file that nobody may change (`chattr +i`).
        if let Err(error @ (Errno::EISDIR | Errno::EPERM)) = existing {
            return Err(error.into());
        }
        let staged = StagedFile { directory: self, name, new: format!("{name}.new") };
        self.remove(&staged.new)?; // a run that was killed may have left one
        let mut file = self.create_file(&staged.new, mode)?;
        file.write_all(content)?;
        file.sync_all()?;
        Ok(staged)
    }

    /// Removes a file or a link, if it is there.
    fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.fd, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn open_entry(&self, name: &Path, flags: OFlag, mode: Mode) -> nix::Result<File> {
        openat(&self.fd, name, flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, mode).map(File::from)
    }

    /// Writes the entries to disk. The descriptor of the directory is only a place (`O_PATH`), so it is opened for reading.
    fn sync(&self) -> io::Result<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        File::from(openat(&self.fd, ".", flags, Mode::empty())?).sync_all()
    }
}

/// A file that is complete on disk, but not yet in its place. Removed if it does not get there.
#[derive(Debug)]
pub(crate) struct StagedFile<'d> {
    directory: &'d Directory,
    name: &'d str,
    new: String,
}

impl StagedFile<'_> {
    /// Puts the file in its place.
    pub(crate) fn commit(self) -> io::Result<()> {
        let Self { directory, name, new } = &self;
        renameat(&directory.fd, new.as_str(), &directory.fd, *name)?;
        directory.sync()
    }
}

impl Drop for StagedFile<'_> {
    fn drop(&mut self) {
        drop(self.directory.remove(&self.new)); // once it is in its place, there is none
    }
}

/// Opens the directory that the path leads to.
fn follow(path: &Path) -> nix::Result<OwnedFd> {
    openat(AT_FDCWD, path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
}
