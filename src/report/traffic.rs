//! `network_stats`: the traffic of the interfaces between two samples, or since they appeared.
//!
//! Deltas are computed per interface and then summed, so that an interface that vanishes cannot make the sum negative.
//! AWS documents the four figures as "delta metrics, >= 0".
#![warn(clippy::arithmetic_side_effects)]

use glob::Pattern;

use crate::collector::counters::{Counters, Interfaces};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkStats {
    pub sum: Counters,
    pub by_interface: Interfaces,
}

impl NetworkStats {
    /// Sums the traffic of all interfaces that no pattern of `exclude` matches; `None` if a sum exceeds 64 bits, and so is
    /// unknown.
    pub fn new(mut by_interface: Interfaces, exclude: &[Pattern]) -> Option<Self> {
        by_interface.retain(|name, _| !exclude.iter().any(|pattern| pattern.matches(name)));
        let sum = by_interface.values().try_fold(Counters::default(), |sum, counters| sum.checked_add(*counters))?;
        Some(Self { sum, by_interface })
    }
}

/// What each interface carried from `before` to `now`. All traffic of a new interface counts, and none of one that is gone.
/// A renamed interface is both.
pub fn since(before: &Interfaces, now: &Interfaces) -> Interfaces {
    let before = |name| before.get(name).copied().unwrap_or_default();
    now.iter().map(|(name, now)| (name.clone(), counters_since(before(name), *now))).collect()
}

fn counters_since(before: Counters, now: Counters) -> Counters {
    let delta = |counter: fn(&Counters) -> u64, partner: fn(&Counters) -> u64| {
        let partner_fell = partner(&now) < partner(&before);
        counter_since(counter(&before), counter(&now), partner_fell)
    };
    Counters {
        bytes_in: delta(|c| c.bytes_in, |c| c.packets_in),
        packets_in: delta(|c| c.packets_in, |c| c.bytes_in),
        bytes_out: delta(|c| c.bytes_out, |c| c.packets_out),
        packets_out: delta(|c| c.packets_out, |c| c.bytes_out),
    }
}

/// The delta of one counter. A counter that fell was either reset or, on 32-bit kernels and drivers, wrapped at 2^32. A
/// reset lowers bytes and packets together; a wrap of both at once, or from below the upper half, is unlikely. After a
/// reset, the delta is the current value.
fn counter_since(before: u64, now: u64, partner_fell: bool) -> u64 {
    const WRAP: u64 = 1 << 32;
    const UPPER_HALF: std::ops::Range<u64> = 1 << 31..WRAP;
    match now.checked_sub(before) {
        Some(delta) => delta,
        None if UPPER_HALF.contains(&before) && !partner_fell => now.saturating_add(WRAP).saturating_sub(before),
        None => now,
    }
}
