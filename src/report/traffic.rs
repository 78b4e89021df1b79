//! `network_stats`: what the interfaces carried between two samples, or since they appeared.
//!
//! Differences are taken interface by interface and then summed, so that one that vanishes cannot make the sum go
//! backwards. AWS's documents call the four figures "delta metrics, >= 0".
#![warn(clippy::arithmetic_side_effects)]

use glob::Pattern;

use crate::collector::counters::{Counters, Interfaces};

/// Traffic, per interface and summed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkStats {
    /// What is reported. Sums stop at 2^64 - 1.
    pub sum: Counters,
    /// What each interface contributes.
    pub by_interface: Interfaces,
}

impl NetworkStats {
    /// Sums the traffic of all interfaces that no pattern of `exclude` matches.
    #[must_use]
    pub fn new(by_interface: Interfaces, exclude: &[Pattern]) -> Self {
        let mut by_interface = by_interface;
        by_interface.retain(|name, _| !exclude.iter().any(|pattern| pattern.matches(name)));
        let mut sum = Counters::default();
        for counters in by_interface.values() {
            sum.add(*counters);
        }
        Self { sum, by_interface }
    }
}

/// What each interface of `now` carried since `before`. An interface that is new carried all it shows; one that is gone
/// is not in the result. One that was renamed looks like both.
#[must_use]
pub fn since(before: &Interfaces, now: &Interfaces) -> Interfaces {
    let delta = |(name, now): (&String, &Counters)| {
        let before = before.get(name).copied().unwrap_or_default();
        (name.clone(), counters_since(before, *now))
    };
    now.iter().map(delta).collect()
}

fn counters_since(before: Counters, now: Counters) -> Counters {
    let bytes_in_fell = now.bytes_in < before.bytes_in;
    let packets_in_fell = now.packets_in < before.packets_in;
    let bytes_out_fell = now.bytes_out < before.bytes_out;
    let packets_out_fell = now.packets_out < before.packets_out;
    Counters {
        bytes_in: counter_since(before.bytes_in, now.bytes_in, packets_in_fell),
        packets_in: counter_since(before.packets_in, now.packets_in, bytes_in_fell),
        bytes_out: counter_since(before.bytes_out, now.bytes_out, packets_out_fell),
        packets_out: counter_since(before.packets_out, now.packets_out, bytes_out_fell),
    }
}

/// What one counter counted. One that fell has either wrapped at 2^32, as the counters of 32-bit kernels and drivers do,
/// or was reset. A reset takes bytes and packets back together; a wrap of both at once, or from below the upper half, is
/// not to be expected. After a reset all that the counter shows is new.
fn counter_since(before: u64, now: u64, partner_fell: bool) -> u64 {
    const WRAP: u64 = 1 << 32;
    const UPPER_HALF: std::ops::Range<u64> = 1 << 31..WRAP;
    match now.checked_sub(before) {
        Some(delta) => delta,
        None if UPPER_HALF.contains(&before) && !partner_fell => now.saturating_add(WRAP).saturating_sub(before),
        None => now,
    }
}
