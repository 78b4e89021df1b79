//! What survives a run: the last report ID, and the baseline that the next report's traffic is counted from.
//!
//! One JSON file per thing, `THING.json` in the state directory. A thing name cannot contain a `/`, and with the extension it
//! is neither `.` nor `..`, so it is used as it is. This module reads the file; [`store`] replaces it.
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
//! but `detect` derives from it the time that the traffic covers. Unknown fields are ignored; a file of another `version` is
//! not used.

pub(crate) mod store;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::geteuid;
use serde::de::Error;
use serde::{Deserialize, Serialize};

use crate::collector::counters::Interfaces;
use crate::collector::proc::root::HostId;
use crate::directory::Directory;
use crate::thing::ThingName;

const VERSION: u64 = 1;

/// The largest report ID that can still be followed by one that fits a signed 64-bit number.
const LAST_ID: u64 = (1 << 63) - 2;

/// The most bytes of a state file that are read: room for 50,000 interfaces.
const MAX_SIZE: u64 = 8 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    version: u64,
    thing_name: String,
    /// The id of the last report that was sent, accepted or not; 0: none was.
    pub last_report_id: u64,
    /// When that was; `None`: unknown.
    #[serde(default)]
    pub(crate) sent: Option<Moment>,
    /// The counters at the last report that was accepted.
    pub(crate) baseline: Option<Baseline>,
}

/// A moment on a clock that does not step. It means nothing after a reboot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moment {
    boot_id: String,
    /// Milliseconds since that boot, suspend included (`CLOCK_BOOTTIME`).
    since_boot_ms: u64,
}

impl Moment {
    pub(crate) fn new(boot_id: String, since_boot: Duration) -> Self {
        Self { boot_id, since_boot_ms: u64::try_from(since_boot.as_millis()).unwrap_or(u64::MAX) }
    }

    /// The time since boot, if the moment was in this boot, and not in the future.
    pub(crate) fn since_boot(&self, boot_id: &str, now: Duration) -> Option<Duration> {
        let then = Duration::from_millis(self.since_boot_ms);
        (self.boot_id == boot_id && then <= now).then_some(then)
    }
}

/// The counters at a moment, and of which host, boot and namespace they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Baseline {
    boot_id: String,
    proc: PathBuf,
    net: PathBuf,
    namespace: String,
    /// When, as RFC 3339, by the clock as it was.
    pub(crate) taken_at: String,
    interfaces: Interfaces,
}

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("{}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// The file is truncated, or not a state file.
    #[error("{}: not a state file: {source}", path.display())]
    Malformed { path: PathBuf, source: serde_json::Error },
    /// Another version of this program wrote the file.
    #[error("{}: the file has version {version}, this program reads version {VERSION}", path.display())]
    Version { path: PathBuf, version: u64 },
    #[error("{}: the file belongs to the thing `{thing_name}`", path.display())]
    Foreign { path: PathBuf, thing_name: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoBaseline {
    #[error("no report of this thing was accepted yet")]
    None,
    /// Without a boot ID it is unknown whether the counters started over.
    #[error("the boot ID cannot be read")]
    UnknownBoot,
    /// Another proc mount, or the namespace of another process.
    #[error("the last accepted report was read from another /proc path")]
    OtherProc,
    /// Or the namespace is unknown.
    #[error("the last accepted report was of another network namespace")]
    OtherNamespace,
}

impl Baseline {
    /// `taken_at` is the time as RFC 3339. `None` when boot or namespace are unknown, so that no later sample could be
    /// compared.
    pub(crate) fn new(host_id: HostId, taken_at: String, interfaces: Interfaces) -> Option<Self> {
        let HostId { boot_id, proc, net, namespace } = host_id;
        Some(Self { boot_id: boot_id?, proc, net, namespace: namespace?, taken_at, interfaces })
    }
}

/// The id of the next report: the time `now`, in seconds since 1970, but above the `last` id, which is 0 if there is none.
pub(crate) fn next_report_id(last: u64, now: u64) -> u64 {
    now.max(last.saturating_add(1))
}

impl State {
    pub(crate) fn new(thing: &ThingName) -> Self {
        let thing_name = thing.as_str().to_owned();
        Self { version: VERSION, thing_name, last_report_id: 0, sent: None, baseline: None }
    }

    /// Reads the state of `thing` in the directory `dir`; `None`: there is none yet.
    pub fn load(dir: &Path, thing: &ThingName) -> Result<Option<Self>, StateError> {
        match Directory::open(dir) {
            Ok(dir) => Self::read(&dir, thing),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::Unreadable { path: dir.to_owned(), source }),
        }
    }

    fn read(dir: &Directory, thing: &ThingName) -> Result<Option<Self>, StateError> {
        let name = format!("{thing}.json");
        let path = dir.join(&name);
        // A kill may have left anything here, and so may anyone else: a pipe is not waited for.
        let text = match dir.read(&name, MAX_SIZE) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::Unreadable { path, source }),
        };
        let malformed = |source| StateError::Malformed { path: path.clone(), source };
        let Version { version } = serde_json::from_slice(&text).map_err(malformed)?;
        if version != VERSION {
            return Err(StateError::Version { path, version });
        }
        let state: Self = serde_json::from_slice(&text).map_err(malformed)?;
        if state.last_report_id > LAST_ID {
            return Err(malformed(Error::custom("last_report_id is too large to be followed by another")));
        }
        if state.thing_name != thing.as_str() {
            return Err(StateError::Foreign { path, thing_name: state.thing_name });
        }
        Ok(Some(state))
    }

    /// The counters to count from in a sample of the host `now`. After a reboot every counter has started over, so the result
    /// is empty. It is an error if it is not certain that both samples are of the same host and namespace.
    pub fn baseline(&self, now: &HostId) -> Result<Interfaces, NoBaseline> {
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

#[derive(Deserialize)]
struct Version {
    version: u64,
}

/// The directory of the state files: the one given, else `$STATE_DIRECTORY` as systemd sets it, else
/// `/var/lib/device-defender` for root and the XDG state home for other users. `env` looks up a variable; an empty one counts
/// as unset. `None`: this user has no home.
pub(crate) fn directory(given: Option<&Path>, env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
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

/// The things that have a state file in `dir`, sorted; none when the directory does not exist.
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
