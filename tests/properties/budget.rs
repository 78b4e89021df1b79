//! A report that is cut fits, stays true, and keeps as much as fits.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use ciborium::Value;
use device_defender::internals::collector::{Sample, Socket, SocketState, Sockets};
use device_defender::internals::report::{Cut, Encoding, FitError, LONG, Names, Report, SHORT, Style, fit};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::properties::documents::{cbor_of, json_of, tree_of};
use crate::properties::scene::{Scene, Tables, options, style};
use crate::properties::shape::to_json;
use crate::support::{cases, to_cbor};

/// The lists of a report: TCP ports, UDP ports, connections.
type Lists = [Vec<Value>; 3];

/// What a document takes.
fn size(tree: &Value, encoding: Encoding) -> usize {
    match encoding {
        Encoding::Json => to_json(tree).len(),
        Encoding::Cbor => to_cbor(tree).len(),
    }
}

/// What a report takes, exactly as it is written.
fn written(report: &Report<'_>, encoding: Encoding, names: &Names) -> usize {
    match encoding {
        Encoding::Json => json_of(report, names, false).len(),
        Encoding::Cbor => cbor_of(report, names).len(),
    }
}

/// The field of an object, to be changed.
fn field_mut<'v>(value: &'v mut Value, path: &[&str]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, name| {
        let entries = value.as_map_mut().unwrap();
        entries.iter_mut().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
    })
}

/// The document with other lists, and those it had. A block that is not there stays so.
fn replace(tree: &Value, names: &Names, lists: &Lists) -> (Value, Lists) {
    let mut tree = tree.clone();
    let established: &[&str] =
        &[names.metrics, names.tcp_connections, names.established_connections, names.connections];
    let paths = [
        &[names.metrics, names.listening_tcp_ports, names.ports][..],
        &[names.metrics, names.listening_udp_ports, names.ports],
        established,
    ];
    let mut had = Lists::default();
    for ((path, list), had) in paths.into_iter().zip(lists).zip(&mut had) {
        if let Some(place) = field_mut(&mut tree, path) {
            *had = std::mem::replace(place, Value::Array(list.clone())).into_array().unwrap();
        }
    }
    (tree, had)
}

/// What makes an entry one that is kept first: its port, or its remote address without the port.
fn key(entry: &Value, names: &Names) -> String {
    match (
        crate::properties::shape::field(entry, names.port),
        crate::properties::shape::field(entry, names.remote_addr),
    ) {
        (Some(port), _) => to_json(port),
        (_, Some(remote)) => remote.as_text().unwrap().parse::<SocketAddr>().unwrap().ip().to_string(),
        _ => panic!("{entry:?} is no entry"),
    }
}

/// Which entries of `list` are in `kept`, which must have them in the same order.
fn places(list: &[Value], kept: &[Value]) -> Vec<bool> {
    let mut kept = kept.iter().peekable();
    let places = list.iter().map(|entry| kept.next_if_eq(&entry).is_some()).collect();
    assert_eq!(kept.next(), None, "an entry was made up or moved");
    places
}

/// The entries whose place is marked.
fn marked(list: &[Value], places: &[bool]) -> Vec<Value> {
    list.iter().zip(places).filter(|(_, marked)| **marked).map(|(entry, _)| entry.clone()).collect()
}

/// Cuts a report to `max` bytes and checks everything that is promised of it. The promise on what is kept first:
///
/// - Of a port (or remote address) that has no entry left, no entry would have fitted next to one entry for each of the
///   others, even if nothing else had been kept. So no second entry has ever taken the place of a port or an address.
fn check_cut(report: &Report<'_>, encoding: Encoding, names: &Names, max: usize) {
    let full = tree_of(report, names);
    let (empty, lists) = replace(&full, names, &Lists::default());
    let needed = size(&empty, encoding);
    let mut cut_report = report.clone();
    let cut = fit(&mut cut_report, encoding, names, max);
    let tree = tree_of(&cut_report, names);
    if max < needed {
        assert!(matches!(cut, Err(FitError::TooSmall { needed: least }) if least == needed), "{cut:?}");
        assert_eq!(tree, full, "changed in spite of the error");
        return;
    }
    let cut = cut.unwrap();
    assert!(written(&cut_report, encoding, names) <= max);
    assert_eq!(size(&tree, encoding), written(&cut_report, encoding, names));
    let (rest, kept) = replace(&tree, names, &Lists::default());
    assert_eq!(rest, empty, "more than the lists has changed");
    let left_out = [0, 1, 2].map(|list| lists[list].len() - kept[list].len());
    assert_eq!(cut, Cut { tcp_ports: left_out[0], udp_ports: left_out[1], connections: left_out[2] });
    if size(&full, encoding) <= max {
        assert_eq!(tree, full, "cut although it fits");
    }

    let places = [0, 1, 2].map(|list| places(&lists[list], &kept[list]));
    let one_of_each = [0, 1, 2].map(|list| {
        let mut seen = BTreeSet::new();
        let entries = lists[list].iter().zip(&places[list]);
        entries.map(|(entry, kept)| *kept && seen.insert(key(entry, names))).collect::<Vec<bool>>()
    });
    let is_gone = |list: usize, place: usize| {
        let entries = lists[list].iter().zip(&places[list]);
        let wanted = key(&lists[list][place], names);
        !entries.into_iter().any(|(entry, kept)| *kept && key(entry, names) == wanted)
    };
    let size_with = |places: &[Vec<bool>; 3], list: usize, place: usize| {
        let mut places = places.clone();
        places[list][place] = true;
        size(&replace(&full, names, &[0, 1, 2].map(|list| marked(&lists[list], &places[list]))).0, encoding)
    };
    for (list, left_out) in places.iter().enumerate() {
        for (place, _) in left_out.iter().enumerate().filter(|(_, kept)| !**kept) {
            assert!(size_with(&places, list, place) > max, "entry {place} of list {list} would have fitted");
            if is_gone(list, place) {
                assert!(size_with(&one_of_each, list, place) > max, "a second entry took the place of a first one");
            }
        }
    }

    let mut again = report.clone();
    assert_eq!(fit(&mut again, encoding, names, max).unwrap(), cut);
    assert_eq!(tree_of(&again, names), tree);
}

/// Either encoding with either names.
fn forms() -> impl Strategy<Value = (Encoding, &'static Names)> {
    (select(vec![Encoding::Json, Encoding::Cbor]), select(vec![&LONG, &SHORT]))
}

/// A host with so many connections, every one to another address, of sizes that differ.
fn connections(count: impl Strategy<Value = usize>) -> impl Strategy<Value = Scene> {
    count.prop_flat_map(|count| vec((0..=u32::MAX, 0..=u16::MAX), count)).prop_map(|peers| {
        let v4 = peers.into_iter().map(|(remote, port)| Socket {
            state: SocketState::ESTABLISHED,
            remote: Ipv4Addr::from(remote),
            remote_port: port,
            local: Ipv4Addr::LOCALHOST,
            local_port: port,
            device: 0,
            inode: 0,
        });
        Scene { tcp: Some(Tables { v4: v4.collect(), v6: Vec::new() }), ..Scene::default() }
    })
}

proptest! {
    #![proptest_config(cases(160))]

    #[test]
    fn a_report_is_cut_as_promised(scene in Scene::any(12), style in style(), form in forms(), max in any::<Index>()) {
        let (encoding, names) = form;
        let sample = scene.sample();
        let report = scene.report(&sample, style, 1_700_000_300);
        let full = tree_of(&report, names);
        let least = size(&replace(&full, names, &Lists::default()).0, encoding);
        let most = size(&full, encoding);
        check_cut(&report, encoding, names, (least + max.index(most - least + 6)).saturating_sub(2));
    }

    #[test]
    fn a_report_is_cut_at_its_own_size_and_around_it(scene in Scene::any(6), style in style(), form in forms()) {
        let (encoding, names) = form;
        let sample = scene.sample();
        let report = scene.report(&sample, style, 1_700_000_300);
        let full = tree_of(&report, names);
        let least = size(&replace(&full, names, &Lists::default()).0, encoding);
        for max in [0, least - 1, least, least + 1, size(&full, encoding) - 1, size(&full, encoding)] {
            check_cut(&report, encoding, names, max);
        }
    }

    #[test]
    fn a_report_that_was_cut_can_be_cut_again(scene in Scene::any(12), style in style(), form in forms(), max in any::<Index>()) {
        let (encoding, names) = form;
        let sample = scene.sample();
        let mut report = scene.report(&sample, style, 1_700_000_300);
        let full = tree_of(&report, names);
        let least = size(&replace(&full, names, &Lists::default()).0, encoding);
        let first = least + max.index(size(&full, encoding) - least + 1);
        fit(&mut report, encoding, names, first).unwrap();
        check_cut(&report, encoding, names, least.midpoint(first));
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn the_head_of_a_cbor_list_grows_with_it(
        scene in connections(prop_oneof![22..28_usize, 250..260_usize]),
        names in select(vec![&LONG, &SHORT]),
        less in 0..150_usize,
    ) {
        let sample = scene.sample();
        let report = scene.report(&sample, Style::Plain, 1);
        let full = written(&report, Encoding::Cbor, names);
        check_cut(&report, Encoding::Cbor, names, full - less);
    }
}

/// Lists of exactly these lengths are where the head grows; one byte decides.
#[test]
fn a_cbor_list_is_cut_to_the_byte_where_its_head_grows() {
    for count in [23, 24, 25, 255, 256, 257] {
        let v4 = (1..=count).map(|n| Socket {
            state: SocketState::LISTEN,
            remote: Ipv4Addr::UNSPECIFIED,
            remote_port: 0,
            local: Ipv4Addr::UNSPECIFIED,
            local_port: 1000 + n,
            device: 0,
            inode: 0,
        });
        let scene = Scene { tcp: Some(Tables { v4: v4.collect(), v6: Vec::new() }), ..Scene::default() };
        let sample = scene.sample();
        let report = scene.report(&sample, Style::Plain, 1);
        let full = written(&report, Encoding::Cbor, &SHORT);
        for less in 0..12 {
            check_cut(&report, Encoding::Cbor, &SHORT, full - less);
        }
    }
}

/// A host with so many connections, four to every address.
fn busy(count: u32) -> Sample {
    let socket = |n: u32| Socket {
        state: SocketState::ESTABLISHED,
        remote: Ipv4Addr::from(0x0a00_0000 + n / 4),
        remote_port: 1000 + u16::try_from(n % 4).unwrap(),
        local: Ipv4Addr::LOCALHOST,
        local_port: 443,
        device: 0,
        inode: n,
    };
    Sample { tcp: Some(Sockets { v4: (0..count).map(socket).collect(), v6: Vec::new() }), ..Sample::default() }
}

#[test]
fn half_a_million_connections_are_cut_to_a_payload() {
    let sample = busy(500_000);
    let mut report = Report::build(&sample, None, 1, None, &options(Style::Plain));
    let cut = fit(&mut report, Encoding::Json, &LONG, 128_000).unwrap();
    let size = written(&report, Encoding::Json, &LONG);
    assert!((127_900..=128_000).contains(&size), "{size}");
    let connections = report.established_connections.unwrap();
    assert_eq!(connections.total, 500_000);
    assert_eq!(connections.written() + cut.connections, 500_000);
    let addresses: BTreeSet<_> = connections.iter().map(|connection| connection.remote.ip()).collect();
    assert_eq!(addresses.len(), connections.written()); // far fewer fit than there are addresses
}

#[test]
fn a_cbor_list_of_more_than_65536_entries_is_cut_to_the_byte() {
    let sample = busy(66_000);
    let full = written(&Report::build(&sample, None, 1, None, &options(Style::Plain)), Encoding::Cbor, &SHORT);
    let each = 38; // at most
    for less in [0, 1, 466 * each, 64_000 * 10] {
        let mut report = Report::build(&sample, None, 1, None, &options(Style::Plain));
        let cut = fit(&mut report, Encoding::Cbor, &SHORT, full - less).unwrap();
        let size = written(&report, Encoding::Cbor, &SHORT);
        assert!(size <= full - less && size + each > full - less, "{size} of {full} - {less}");
        assert_eq!(cut.connections > 0, less > 0);
    }
}
