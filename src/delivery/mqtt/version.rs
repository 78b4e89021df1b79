//! The versions of MQTT, and which of them a broker is spoken to in.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V5,
    V311,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V5 => "MQTT 5",
            Self::V311 => "MQTT 3.1.1",
        })
    }
}

/// Which versions to try. Clones share what was learned about the broker, so that a process tries in vain only once.
#[derive(Debug, Clone)]
pub(crate) struct Versions {
    /// `None`: 5, and where the broker refuses that, 3.1.1.
    only: Option<Version>,
    is_older: Rc<Cell<bool>>,
}

impl Versions {
    pub(crate) fn new(only: Option<Version>) -> Self {
        Self { only, is_older: Rc::default() }
    }

    /// The version that was asked for, if it was one.
    pub(super) fn only(&self) -> Option<Version> {
        self.only
    }

    /// The version to try first.
    pub(super) fn first(&self) -> Version {
        match self.only {
            Some(version) => version,
            None if self.is_older.get() => Version::V311,
            None => Version::V5,
        }
    }

    /// Whether 3.1.1 may be tried after `tried`.
    pub(super) fn may_be_older(&self, tried: Version) -> bool {
        self.only.is_none() && tried == Version::V5
    }

    /// Notes that the broker does not speak MQTT 5.
    pub(super) fn remember_older(&self) {
        self.is_older.set(true);
    }
}
