//! Reading files that others wrote: bounded in size, without ever waiting for a pipe or a device, and with a reason that says
//! who may read a file when this user may not.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::unistd::{AccessFlags, Gid, Group, Uid, User, access, geteuid};

/// U+FEFF in UTF-8, which some editors put at the start of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Opens a regular file. A pipe in a saved tree would block, and a device might never end, so both are refused.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    regular(File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?)
}

/// Refuses a file that is not regular.
pub(crate) fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

/// Reads a regular file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    bounded(open(path)?, limit)
}

/// Reads a file of one line or two, such as `uptime`; `None` when that cannot be done.
pub(crate) fn read_short(path: &Path) -> Option<String> {
    let mut text = String::new();
    open(path).ok()?.take(4096).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Reads a file of any kind, or standard input for `-`, of at most `limit` bytes, and waits for it if need be.
pub(crate) fn read_input(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    if is_stdin(path) { bounded(io::stdin().lock(), limit) } else { bounded(File::open(path)?, limit) }
}

/// Reads at most `limit` bytes; more are an error.
pub(crate) fn bounded(input: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= limit => Ok(bytes),
        _ => Err(io::Error::other(format!("larger than {limit} bytes"))),
    }
}

/// Whether a path is `-`, which stands for standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// The name of an input in messages.
pub(crate) fn input_name(path: &Path) -> String {
    if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() }
}

/// The text without the byte order mark that it may start with.
pub(crate) fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Why a file could not be opened, to be shown after its name. When permission is denied: which file or directory denies it,
/// its owner and mode, and which user this is.
pub(crate) fn explain(path: &Path, error: &io::Error) -> String {
    if error.kind() != ErrorKind::PermissionDenied {
        return error.to_string();
    }
    let us = format!("this process runs as {}; run as root, or grant that user access", user_name(geteuid().as_raw()));
    let closed = path.ancestors().skip(1).find(|above| {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        above.metadata().is_ok() && access(above, AccessFlags::X_OK).is_err()
    });
    let (denying, what) = match closed {
        Some(directory) => (directory, format!("the directory {}", directory.display())),
        None => (path, "it".to_owned()),
    };
    match denying.metadata() {
        Ok(metadata) => format!("permission denied: {what} {}; {us}", ownership(&metadata)),
        Err(_) if closed.is_some() => error.to_string(),
        Err(_) => format!("{error}; {us}"),
    }
}

/// The owner, group and mode of a file, in words.
fn ownership(metadata: &Metadata) -> String {
    let (owner, group) = (user_name(metadata.uid()), group_name(metadata.gid()));
    format!("belongs to {owner} and {group} (mode {:04o})", mode(metadata))
}

/// A user by name, or by the number of one without a name: `user mail`.
pub(crate) fn user_name(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => format!("user {}", user.name),
        _ => format!("user {uid}"),
    }
}

/// A group by name, or by the number of one without a name: `group mail`.
pub(crate) fn group_name(gid: u32) -> String {
    match Group::from_gid(Gid::from_raw(gid)) {
        Ok(Some(group)) => format!("group {}", group.name),
        _ => format!("group {gid}"),
    }
}

/// The mode of a file that any user can read; `None` for others.
pub(crate) fn world_readable_mode(path: &Path) -> Option<u32> {
    let mode = mode(&fs::metadata(path).ok()?);
    (mode & 0o004 != 0).then_some(mode)
}

fn mode(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o7777
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_opened_and_nothing_blocks() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("tcp");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [pipe.as_path(), Path::new("/dev/zero"), dir.path()] {
            assert_eq!(open(path).unwrap_err().to_string(), "not a regular file");
        }
        assert_eq!(open(&dir.path().join("gone")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_file_over_the_limit_is_an_error_that_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert_eq!(read(&path, 4).unwrap_err().to_string(), "larger than 4 bytes");
    }
}
