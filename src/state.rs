//! What survives a run: the last report id, and the baseline that the next report's traffic is counted from.
//!
//! One JSON file a thing, `THING.json` in the state directory. A thing name cannot contain a `/`, and with its ending it
//! is neither `.` nor `..`, so it is used as it is. This module reads it; [`store`] changes it, for delivered reports only.
//!
//! ```json
//! {"version": 1, "thing_name": "gateway-7", "last_report_id": 1700000300,
//!  "sent": {"boot_id": "0b6d…", "since_boot_ms": 86400123},
//!  "baseline": {"boot_id": "0b6d…", "proc": "/proc", "net": "/proc/net", "namespace": "net:[4026531833]",
//!               "taken_at": "2023-11-14T22:18:20Z",
//!               "interfaces": {"eth0": {"bytes_in": 1, "packets_in": 1, "bytes_out": 1, "packets_out": 1}}}}
//! ```
//!
//! `sent` and `baseline` may be `null`, and `sent` may be missing. `taken_at` is for people; no traffic is computed from it,
//! but `detect` tells by it how much time the traffic covers. Fields that this version does not know are passed over; a file
//! of another `version` is not used.

pub mod store;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use crate::collector::counters::Interfaces;
use crate::collector::proc_root::Identity;
use crate::collector::table::{self, TableError};
use crate::thing::ThingName;

/// The version of the file's layout.
pub const VERSION: u64 = 1;

/// The largest report id that can still be followed by one that fits a signed number of 64 bits.
const LAST_ID: u64 = (1 << 63) - 2;

/// The most bytes of a state file that are read: room for 50,000 interfaces.
const MAX_SIZE: u64 = 8 << 20;

/// What the state file of a thing holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The thing the file belongs to.
    thing_name: String,
    /// The id of the last report that was sent, accepted or not.
    pub last_report_id: u64,
    /// When that was. `None` when it is not known.
    #[serde(default)]
    pub sent: Option<Moment>,
    /// The counters at the last report that was accepted.
    pub baseline: Option<Baseline>,
}

/// A moment on a clock that does not step. It means nothing after a reboot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Which boot.
    boot_id: String,
    /// Milliseconds since it, the time in suspend included (`CLOCK_BOOTTIME`).
    since_boot_ms: u64,
}

impl Moment {
    /// The moment `since_boot` after the boot `boot_id`.
    #[must_use]
    pub fn new(boot_id: String, since_boot: Duration) -> Self {
        Self { boot_id, since_boot_ms: u64::try_from(since_boot.as_millis()).unwrap_or(u64::MAX) }
    }

    /// The time since boot, if it was this boot, and not in the future.
    #[must_use]
    pub fn since_boot(&self, boot_id: &str, now: Duration) -> Option<Duration> {
        let then = Duration::from_millis(self.since_boot_ms);
        (self.boot_id == boot_id && then <= now).then_some(then)
    }
}

/// The counters at a moment, and which host, boot and namespace they were those of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    boot_id: String,
    proc: PathBuf,
    net: PathBuf,
    namespace: String,
    /// When, as RFC 3339, by the clock as it was.
    pub taken_at: String,
    interfaces: Interfaces,
}

/// Why a state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no state file, or a truncated one.
    #[error("{}: not a state file: {source}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// Another version of this program wrote it.
    #[error("{}: the file has version {version}, this program reads version {VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version it has.
        version: u64,
    },
    /// It belongs to another thing.
    #[error("{}: the file belongs to the thing `{thing_name}`", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The thing it belongs to.
        thing_name: String,
    },
}

/// Why there is no baseline to count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoBaseline {
    /// No report was accepted yet.
    #[error("no report of this thing was accepted yet")]
    None,
    /// Without a boot id it cannot be told whether the counters still run.
    #[error("the boot id cannot be read")]
    UnknownBoot,
    /// The baseline was taken through another proc mount or of another process.
    #[error("the last accepted report was read from another /proc path")]
    OtherProc,
    /// The baseline is of another network namespace, or that cannot be told.
    #[error("the last accepted report was of another network namespace")]
    OtherNamespace,
}

impl Baseline {
    /// The counters `interfaces` as they are now in `identity`; `taken_at` is the time as RFC 3339. `None` when what is
    /// sampled next could not be shown to be the same.
    #[must_use]
    pub fn new(identity: Identity, taken_at: String, interfaces: Interfaces) -> Option<Self> {
        let Identity { boot_id, proc, net, namespace } = identity;
        Some(Self { boot_id: boot_id?, proc, net, namespace: namespace?, taken_at, interfaces })
    }
}

/// The id of the report that follows the one with the id `last`, 0 for none: the time `now`, in seconds since 1970, or one
/// more than the last.
#[must_use]
pub fn next_report_id(last: u64, now: u64) -> u64 {
    now.max(last.saturating_add(1))
}

impl State {
    /// The state of a thing that no report was sent of.
    #[must_use]
    pub fn new(thing: &ThingName) -> Self {
        Self { thing_name: thing.as_str().to_owned(), last_report_id: 0, sent: None, baseline: None }
    }

    /// Reads the state of `thing` in the directory `dir`; `None` when there is none yet.
    ///
    /// # Errors
    /// [`StateError`] for a file that cannot be used.
    pub fn load(dir: &Path, thing: &ThingName) -> Result<Option<Self>, StateError> {
        let path = dir.join(format!("{thing}.json"));
        let text = match read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::Unreadable { path, source }),
        };
        match parse(&text) {
            Ok(Parsed::State(state)) if state.thing_name == thing.as_str() => Ok(Some(state)),
            Ok(Parsed::State(state)) => Err(StateError::Foreign { path, thing_name: state.thing_name }),
            Ok(Parsed::Other(version)) => Err(StateError::Version { path, version }),
            Err(source) => Err(StateError::Broken { path, source }),
        }
    }

    /// The counters to count from in a sample of `now`. After a reboot every counter has begun anew, so there are none
    /// to subtract, and the result is empty.
    ///
    /// # Errors
    /// [`NoBaseline`] when what was sampled then cannot be shown to be what is sampled now.
    pub fn baseline(&self, now: &Identity) -> Result<Interfaces, NoBaseline> {
        let baseline = self.baseline.as_ref().ok_or(NoBaseline::None)?;
        if baseline.proc != now.proc || baseline.net != now.net {
            return Err(NoBaseline::OtherProc);
        }
        let boot_id = now.boot_id.as_ref().ok_or(NoBaseline::UnknownBoot)?;
        if *boot_id != baseline.boot_id {
            return Ok(Interfaces::new());
        }
        if now.namespace.as_ref() != Some(&baseline.namespace) {
            return Err(NoBaseline::OtherNamespace);
        }
        Ok(baseline.interfaces.clone())
    }
}

/// Reads a file that a kill may have left in any form, and that anyone may have put there: a pipe is not waited for.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let file = table::open(path).map_err(|error| match error {
        TableError::Open(error) => error,
        other => io::Error::other(other),
    })?;
    file.take(MAX_SIZE).read_to_end(&mut text)?;
    Ok(text)
}

/// The content of a state file: of this version, or of another.
enum Parsed {
    State(State),
    Other(u64),
}

fn parse(text: &[u8]) -> serde_json::Result<Parsed> {
    #[derive(Deserialize)]
    struct Version {
        version: u64,
    }
    let Version { version } = serde_json::from_slice(text)?;
    if version != VERSION {
        return Ok(Parsed::Other(version));
    }
    let state: State = serde_json::from_slice(text)?;
    if state.last_report_id > LAST_ID {
        return Err(serde::de::Error::custom("last_report_id is too large to be followed by another"));
    }
    Ok(Parsed::State(state))
}

/// Where the state files are: the directory given, else `$STATE_DIRECTORY` as systemd sets it, else
/// `/var/lib/device-defender` for root and the XDG state home for others. `env` looks a variable up; an empty one counts
/// as unset. `None` when a user has no home.
pub fn directory(given: Option<&Path>, env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let env = |name| env(name).filter(|value| !value.is_empty());
    if let Some(given) = given {
        return Some(given.to_owned());
    }
    if let Some(list) = env("STATE_DIRECTORY") {
        let first = list.as_bytes().split(|&b| b == b':').next(); // one path for every directory the unit asks for
        return first.map(|path| PathBuf::from(OsStr::from_bytes(path)));
    }
    if geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/device-defender"));
    }
    let xdg = env("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state_home = xdg.or_else(|| env("HOME").map(|home| Path::new(&home).join(".local/state")))?;
    Some(state_home.join("device-defender"))
}

/// The names of the things that have a state file in `dir`, sorted; none when there is no such directory.
///
/// # Errors
/// What keeps the directory from being read.
pub fn things(dir: &Path) -> io::Result<Vec<ThingName>> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect();
    names.sort_unstable();
    Ok(names.into_iter().filter_map(|name| name.parse().ok()).collect())
}
