//! Traffic counters, whichever source they come from.
#![warn(clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What one interface has carried since it appeared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub bytes_in: u64,
    pub packets_in: u64,
    pub bytes_out: u64,
    pub packets_out: u64,
}

impl Counters {
    /// Adds what another interface has carried; `None` if a sum exceeds 64 bits.
    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self {
            bytes_in: self.bytes_in.checked_add(other.bytes_in)?,
            packets_in: self.packets_in.checked_add(other.packets_in)?,
            bytes_out: self.bytes_out.checked_add(other.bytes_out)?,
            packets_out: self.packets_out.checked_add(other.packets_out)?,
        })
    }
}

/// The counters of every interface by name. Bytes of a name that are not UTF-8 read as U+FFFD; interfaces whose names
/// then look the same count together.
pub type Interfaces = BTreeMap<String, Counters>;
