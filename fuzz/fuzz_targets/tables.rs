//! Arbitrary bytes as each of the other tables. The result does not depend on the size of reads, and occurs in the text.
#![no_main]

mod pieces;

use std::collections::BTreeSet;
use std::fmt::Debug;

use device_defender::internals::collector::{
    Addresses, Endian, Malformed, TableError, counters, endian_of_route, read_fib_trie, read_if_inet6, read_route,
};
use libfuzzer_sys::fuzz_target;
use pieces::{Pieces, count_lines, steps};

/// Parses with every size of reads. All results must be equal.
fn parse_in_steps<T: PartialEq + Debug>(
    text: &[u8],
    read: impl Fn(Pieces<'_>) -> Result<T, TableError>,
) -> Result<T, String> {
    let parse = |step| read(Pieces(text, step)).map_err(|error| error.to_string());
    let first = parse(usize::MAX);
    for step in steps(text) {
        assert_eq!(parse(step), first, "with reads of {step} bytes");
    }
    first
}

fn check_malformed(malformed: &Malformed) -> usize {
    assert_eq!(u64::try_from(malformed.first.len()).unwrap(), malformed.count.min(5));
    assert!(malformed.first.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert!(malformed.first.iter().all(|(_, error)| error.to_string().len() < 400));
    usize::try_from(malformed.count).unwrap()
}

fuzz_target!(|text: &[u8]| {
    let lines = count_lines(text);

    if let Ok((interfaces, malformed)) = parse_in_steps(text, |table| counters::read(table)) {
        assert!(interfaces.len() + check_malformed(&malformed) + 2 <= lines);
        for name in interfaces.keys() {
            assert!(!name.is_empty() && !name.contains('\n') && !name.starts_with(' '), "{name:?}");
        }
    }

    let inet6 = |text: &[u8]| {
        parse_in_steps(text, |table| {
            let mut addresses = Addresses::default();
            let malformed = read_if_inet6(table, &mut addresses)?;
            Ok((addresses, malformed))
        })
    };
    let (addresses, malformed) = inet6(text).unwrap();
    assert!(check_malformed(&malformed) <= lines);
    let mut again = addresses.clone();
    read_if_inet6(text, &mut again).unwrap();
    assert_eq!(again, addresses, "reading the same table again changes nothing");
    if text.ends_with(b"\n") {
        let backwards: Vec<&[u8]> = text.split_inclusive(|&b| b == b'\n').rev().collect();
        let (reversed, reversed_malformed) = inet6(&backwards.concat()).unwrap();
        assert_eq!(reversed, addresses, "the order of the lines does not matter");
        assert_eq!(reversed_malformed.count, malformed.count);
    }

    let little = parse_in_steps(text, |table| read_route(table, Endian::Little));
    let big = parse_in_steps(text, |table| read_route(table, Endian::Big));
    let endian = endian_of_route(text);
    assert!(endian.is_none() || little.is_ok());
    let fib = parse_in_steps(text, |table| read_fib_trie(table)).unwrap();
    for list in [&fib.local, &fib.broadcast] {
        assert!(list.windows(2).all(|pair| pair[0] < pair[1]), "neither sorted nor distinct: {list:?}");
    }
    let leaves: BTreeSet<&[u8]> =
        text.split(|&b| b == b'\n').filter_map(|line| line.trim_ascii().strip_prefix(b"|-- ")).collect();
    for address in fib.local.iter().chain(&fib.broadcast) {
        assert!(leaves.contains(address.to_string().as_bytes()), "{address}");
    }
    assert_eq!(little.is_ok(), big.is_ok());
    for routes in [little, big] {
        let Ok((networks, malformed)) = routes else { continue };
        assert!(networks.len() + check_malformed(&malformed) <= lines.saturating_sub(1));
        let mut addresses = Addresses::default();
        addresses.add_by_network(&fib, &networks);
    }
});
