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
    /// Adds what another interface has carried. Sums stop at 2^64 - 1.
    pub(crate) fn add(&mut self, other: Self) {
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        self.packets_in = self.packets_in.saturating_add(other.packets_in);
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
        self.packets_out = self.packets_out.saturating_add(other.packets_out);
    }
}

/// The counters of every interface by name. Bytes of a name that are not UTF-8 read as U+FFFD; interfaces whose names
/// then look the same count together.
pub type Interfaces = BTreeMap<String, Counters>;
