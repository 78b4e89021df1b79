//! Traffic is never negative, adds up, and follows the rules for counters that fall.

use std::collections::BTreeMap;

use device_defender::internals::collector::{Counters, Interfaces};
use device_defender::internals::report::{NetworkStats, since};
use proptest::array::uniform4;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::properties::kernel::{counters, interface_name, interfaces};
use crate::support::cases;

const WRAP: u64 = 1 << 32;
const HALF: u64 = 1 << 31;

/// Counters in the order bytes in, packets in, bytes out, packets out.
fn of([bytes_in, packets_in, bytes_out, packets_out]: [u64; 4]) -> Counters {
    Counters { bytes_in, packets_in, bytes_out, packets_out }
}

/// The reverse of [`of`].
fn array(counters: &Counters) -> [u64; 4] {
    [counters.bytes_in, counters.packets_in, counters.bytes_out, counters.packets_out]
}

/// One interface alone.
fn eth0(counters: [u64; 4]) -> Interfaces {
    Interfaces::from([("eth0".to_owned(), of(counters))])
}

/// The sum of two tables, name by name.
fn plus(a: &Interfaces, b: &Interfaces) -> Interfaces {
    let mut sum: BTreeMap<String, [u64; 4]> = BTreeMap::new();
    for (name, counters) in a.iter().chain(b) {
        let sum = sum.entry(name.clone()).or_default();
        sum.iter_mut().zip(array(counters)).for_each(|(sum, more)| *sum += more);
    }
    sum.into_iter().map(|(name, counters)| (name, of(counters))).collect()
}

/// Counters around the edges of a wrap.
fn edges() -> impl Strategy<Value = [u64; 4]> {
    let edges = vec![0, 1, HALF - 1, HALF, HALF + 1, WRAP - 1, WRAP, WRAP + 1, u64::MAX - 1, u64::MAX];
    uniform4(prop_oneof![2 => select(edges), 1 => any::<u32>().prop_map(u64::from), 1 => any::<u64>()])
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn a_delta_is_the_difference_or_a_wrap_or_the_counter_itself(before in edges(), now in edges()) {
        let delta = array(&since(&eth0(before), &eth0(now))["eth0"]);
        for (place, partner) in [(0, 1), (1, 0), (2, 3), (3, 2)] {
            let [was, is] = [before, now].map(|counters| u128::from(counters[place]));
            let partner_fell = now[partner] < before[partner];
            let expected = if is >= was {
                is - was
            } else if (u128::from(HALF)..u128::from(WRAP)).contains(&was) && !partner_fell {
                is + u128::from(WRAP) - was
            } else {
                is
            };
            prop_assert_eq!(u128::from(delta[place]), expected); // u128: would show if anything wrapped
        }
    }

    #[test]
    fn deltas_of_rising_counters_add_up(
        a in btree_map(interface_name(), counters(), 0..4),
        new in btree_map(interface_name(), counters(), 0..3),
        growth in vec(uniform4(0..u64::from(u32::MAX)), 12),
    ) {
        let grow = |from: &Interfaces, by: &[[u64; 4]]| -> Interfaces {
            let grown = from.iter().zip(by.iter().cycle()).map(|((name, counters), by)| {
                let mut counters = array(counters);
                counters.iter_mut().zip(by).for_each(|(counter, by)| *counter = counter.saturating_add(*by));
                (name.clone(), of(counters))
            });
            grown.collect()
        };
        let mut b = grow(&a, &growth);
        b.extend(new.into_iter().filter(|(name, _)| !a.contains_key(name)));
        let c = grow(&b, &growth[5..]);
        prop_assert_eq!(since(&a, &c), plus(&since(&a, &b), &since(&b, &c)));
    }

    #[test]
    fn a_counter_of_32_bits_is_followed_as_long_as_it_grows_by_less_than_half_its_range(
        start in any::<u32>(),
        steps in vec((0..HALF, 0..1000_u64), 1..30),
    ) {
        let (mut bytes, mut packets) = (u64::from(start), 0);
        let mut shown = [bytes % WRAP, packets, packets, bytes % WRAP];
        let mut counted = [0; 4];
        for (more_bytes, more_packets) in steps {
            bytes += more_bytes;
            packets += more_packets;
            let next = [bytes % WRAP, packets, packets, bytes % WRAP];
            let delta = array(&since(&eth0(shown), &eth0(next))["eth0"]);
            counted.iter_mut().zip(delta).for_each(|(sum, delta)| *sum += delta);
            shown = next;
        }
        let bytes = bytes - u64::from(start);
        prop_assert_eq!(counted, [bytes, packets, packets, bytes]);
    }

    #[test]
    fn interfaces_do_not_influence_each_other(before in interfaces(), now in interfaces()) {
        let delta = since(&before, &now);
        prop_assert_eq!(delta.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>());
        for (name, counters) in &now {
            let alone = |all: &Interfaces| all.get(name).map(|one| (name.clone(), *one)).into_iter().collect();
            let expected: Interfaces = since(&alone(&before), &alone(&now));
            prop_assert_eq!(delta[name], expected[name]);
            if !before.contains_key(name) {
                prop_assert_eq!(delta[name], *counters); // new: all of it
            }
        }
        prop_assert_eq!(since(&Interfaces::new(), &now), now);
    }

    #[test]
    fn the_sum_is_that_of_the_interfaces_that_are_not_excluded_or_unknown(interfaces in interfaces()) {
        let exclude = ["e*", "lo", "wlan[0-9]"].map(|pattern| glob::Pattern::new(pattern).unwrap());
        let counted: Interfaces = interfaces
            .iter()
            .filter(|(name, _)| !name.starts_with('e') && *name != "lo" && *name != "wlan0")
            .map(|(name, counters)| (name.clone(), *counters))
            .collect();
        let sum = |all: &Interfaces| {
            let sum = [0, 1, 2, 3].map(|place| all.values().map(|one| u128::from(array(one)[place])).sum::<u128>());
            let sum: Vec<u64> = sum.into_iter().map(u64::try_from).collect::<Result<_, _>>().ok()?;
            Some(NetworkStats { sum: of(sum.try_into().unwrap()), by_interface: all.clone() })
        };
        prop_assert_eq!(NetworkStats::new(interfaces.clone(), &[]), sum(&interfaces));
        prop_assert_eq!(NetworkStats::new(interfaces, &exclude), sum(&counted));
    }
}

/// What is reported for one interface, case by case: before, now, delta.
#[test]
fn a_counter_that_fell_has_wrapped_or_was_reset() {
    let cases = [
        ("nothing happened", [5, 5, 5, 5], [5, 5, 5, 5], [0, 0, 0, 0]),
        ("traffic", [1, 2, 3, 4], [11, 22, 33, 44], [10, 20, 30, 40]),
        ("bytes in wrap", [WRAP - 10, 100, 0, 0], [5, 101, 0, 0], [15, 1, 0, 0]),
        ("bytes out wrap", [0, 0, WRAP - 10, 100], [0, 0, 5, 101], [0, 0, 15, 1]),
        ("packets wrap, bytes of 64 bits do not", [WRAP, WRAP - 1, 0, 0], [WRAP + 9, 1, 0, 0], [9, 2, 0, 0]),
        ("the partner stays as it is", [WRAP - 10, 100, 0, 0], [5, 100, 0, 0], [15, 0, 0, 0]),
        ("from the last value", [WRAP - 1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]),
        ("from the lowest value a wrap is taken from", [HALF, 0, 0, 0], [7, 0, 0, 0], [HALF + 7, 0, 0, 0]),
        ("just below it: reset", [HALF - 1, 0, 0, 0], [7, 0, 0, 0], [7, 0, 0, 0]),
        ("from 2^32 on: 64 bits, so reset", [WRAP, 0, 0, 0], [7, 0, 0, 0], [7, 0, 0, 0]),
        ("64 bits do not wrap either", [u64::MAX, 0, 0, 0], [7, 0, 0, 0], [7, 0, 0, 0]),
        ("beyond 2^32 as ever", [WRAP - 1, 0, 0, 0], [WRAP + 1, 0, 0, 0], [2, 0, 0, 0]),
        ("the partner fell too: reset", [WRAP - 10, 100, 0, 0], [5, 99, 0, 0], [5, 99, 0, 0]),
        ("both in the upper half fell: reset", [WRAP - 1, WRAP - 1, 0, 0], [5, 6, 0, 0], [5, 6, 0, 0]),
        ("the other direction is no partner", [WRAP - 10, 100, 50, 50], [5, 101, 1, 1], [15, 1, 1, 1]),
        ("reset to nothing", [99, 9, 99, 9], [0, 0, 0, 0], [0, 0, 0, 0]),
        ("all there is", [0, 0, 0, 0], [u64::MAX; 4], [u64::MAX; 4]),
    ];
    for (what, before, now, delta) in cases {
        assert_eq!(array(&since(&eth0(before), &eth0(now))["eth0"]), delta, "{what}");
    }
}

#[test]
fn interfaces_come_and_go() {
    let named =
        |all: &[(&str, u64)]| -> Interfaces { all.iter().map(|(name, n)| ((*name).to_owned(), of([*n; 4]))).collect() };
    let before = named(&[("eth0", 100), ("ppp0", 1000)]);
    assert_eq!(since(&before, &named(&[("eth0", 101)])), named(&[("eth0", 1)])); // vanished: nothing
    assert_eq!(since(&before, &named(&[("eth0", 101), ("tun0", 7)])), named(&[("eth0", 1), ("tun0", 7)])); // new
    assert_eq!(since(&before, &named(&[("eth0", 101), ("wan", 1003)])), named(&[("eth0", 1), ("wan", 1003)])); // renamed
    assert_eq!(since(&before, &Interfaces::new()), Interfaces::new());
    assert_eq!(NetworkStats::new(Interfaces::new(), &[]).unwrap().sum, Counters::default());
}
