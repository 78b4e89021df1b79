//! Certificates, keys and configuration files: read with care, and when that is refused, who would be allowed to.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::unistd::{AccessFlags, Gid, Group, Uid, User, access, geteuid};

use crate::collector::table;

/// The most bytes that are read: far more than any configuration has.
const MAX_SIZE: u64 = 8 << 20;

/// Reads a whole file. Pipes and devices are refused, as they could block.
///
/// # Errors
/// What is wrong, in words that fit behind the file's name: for a refused one, whose it is, its mode, and who we are.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let file = table::open(path).map_err(|error| match error {
        table::TableError::Open(error) => explain(path, &error),
        other => other.to_string(),
    })?;
    file.take(MAX_SIZE + 1).read_to_end(&mut text).map_err(|error| explain(path, &error))?;
    match u64::try_from(text.len()) {
        Ok(size) if size <= MAX_SIZE => Ok(text),
        _ => Err(format!("larger than {MAX_SIZE} bytes")),
    }
}

/// What is wrong with a file that could not be opened.
#[must_use]
pub fn explain(path: &Path, error: &io::Error) -> String {
    if error.kind() != ErrorKind::PermissionDenied {
        return error.to_string();
    }
    let us = format!("this runs as {}; run as root, or let this user in", name_of(geteuid()));
    let closed = path.ancestors().skip(1).find(|above| {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        above.metadata().is_ok() && access(above, AccessFlags::X_OK).is_err()
    });
    match (closed, fs::metadata(path)) {
        (Some(directory), _) => match directory.metadata() {
            Ok(about) => format!("permission denied: the directory {} {}; {us}", directory.display(), whose(&about)),
            Err(_) => error.to_string(),
        },
        (None, Ok(about)) => format!("permission denied: it {}; {us}", whose(&about)),
        (None, Err(_)) => format!("{error}; {us}"),
    }
}

/// The owner, group and mode of a file, in words.
fn whose(about: &Metadata) -> String {
    let mode = about.permissions().mode() & 0o7777;
    let group = match Group::from_gid(Gid::from_raw(about.gid())) {
        Ok(Some(group)) => group.name,
        _ => about.gid().to_string(),
    };
    format!("belongs to {} and group {group} (mode {mode:04o})", name_of(Uid::from_raw(about.uid())))
}

/// A user's name, or number where there is none.
fn name_of(uid: Uid) -> String {
    match User::from_uid(uid) {
        Ok(Some(user)) => format!("user {}", user.name),
        _ => format!("user {uid}"),
    }
}

/// The mode of a file whose contents any user can read; `None` for others.
#[must_use]
pub fn readable_by_all(path: &Path) -> Option<u32> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    (mode & 0o004 != 0).then_some(mode)
}
