//! The crate `procfs` reads the same as we do.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use device_defender::internals::collector::{Counters, Endian, Interfaces, counters, read};
use procfs::net::{InterfaceDeviceStatus, TcpNetEntries, UdpNetEntries};
use procfs::{ExplicitSystemInfo, FromBufRead, FromBufReadSI};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::properties::captured::named;
use crate::properties::kernel::{Ip, Layout, dev, interfaces, socket_in};
use crate::support::cases;

/// A row: local end, remote end, state, inode.
type Row = (SocketAddr, SocketAddr, u8, u64);

/// The rows as this program reads them.
fn ours<A: Ip>(text: &[u8], endian: Endian) -> Vec<Row> {
    let table = read::<A>(text, endian).unwrap();
    assert_eq!(table.malformed.count, 0);
    let row = |socket: &device_defender::internals::collector::Socket<A>| {
        let end = |address: A, port| SocketAddr::new(address.into(), port);
        let [local, remote] = [end(socket.local, socket.local_port), end(socket.remote, socket.remote_port)];
        (local, remote, socket.state.0, socket.inode.into())
    };
    let mut rows: Vec<Row> = table.sockets.iter().map(row).collect();
    rows.sort_unstable();
    rows
}

/// The rows as `procfs` reads them, each once.
fn theirs(text: &[u8], udp: bool, endian: Endian) -> Vec<Row> {
    let system = ExplicitSystemInfo {
        boot_time_secs: 0,
        ticks_per_second: 100,
        page_size: 4096,
        is_little_endian: endian == Endian::Little,
    };
    let mut rows: Vec<Row> = if udp {
        let entries = UdpNetEntries::from_buf_read(Cursor::new(text), &system).unwrap().0;
        entries.iter().map(|e| (e.local_address, e.remote_address, e.state.to_u8(), e.inode)).collect()
    } else {
        let entries = TcpNetEntries::from_buf_read(Cursor::new(text), &system).unwrap().0;
        entries.iter().map(|e| (e.local_address, e.remote_address, e.state.to_u8(), e.inode)).collect()
    };
    rows.sort_unstable();
    rows.dedup();
    rows
}

/// The counters as `procfs` reads them.
fn their_counters(text: &str) -> Interfaces {
    let interfaces = InterfaceDeviceStatus::from_buf_read(Cursor::new(text)).unwrap().0;
    let counters = |(name, status): (String, procfs::net::DeviceStatus)| {
        let counters = Counters {
            bytes_in: status.recv_bytes,
            packets_in: status.recv_packets,
            bytes_out: status.sent_bytes,
            packets_out: status.sent_packets,
        };
        (name, counters)
    };
    interfaces.into_iter().map(counters).collect::<BTreeMap<_, _>>()
}

/// The states `procfs` has names for.
fn states(udp: bool) -> impl Strategy<Value = u8> {
    select(if udp { vec![1_u8, 7] } else { (1..=12).collect() })
}

/// A layout and sockets of the states that fit to it.
fn tables<A: Ip>() -> impl Strategy<Value = (Layout, String)> {
    Layout::any().prop_flat_map(|layout| {
        let sockets = vec(socket_in::<A>(states(layout.udp)), 0..40);
        sockets.prop_map(move |sockets| (layout, layout.table(&sockets)))
    })
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn procfs_reads_the_same_ipv4_sockets((layout, text) in tables::<Ipv4Addr>()) {
        prop_assert_eq!(ours::<Ipv4Addr>(text.as_bytes(), layout.endian), theirs(text.as_bytes(), layout.udp, layout.endian));
    }

    #[test]
    fn procfs_reads_the_same_ipv6_sockets((layout, text) in tables::<Ipv6Addr>()) {
        prop_assert_eq!(ours::<Ipv6Addr>(text.as_bytes(), layout.endian), theirs(text.as_bytes(), layout.udp, layout.endian));
    }

    #[test]
    fn procfs_reads_the_same_counters(interfaces in interfaces()) {
        let text = dev(&interfaces, false);
        prop_assert_eq!(counters::read(text.as_bytes()).unwrap().0, their_counters(&text));
    }
}

#[test]
fn procfs_reads_the_same_captured_sockets() {
    let mut rows = 0;
    for (name, udp) in [("tcp", false), ("udp", true), ("tcp6", false), ("udp6", true)] {
        for file in named(name) {
            let ours = if name.ends_with('6') { ours::<Ipv6Addr> } else { ours::<Ipv4Addr> };
            let ours = ours(&file.bytes, file.endian);
            rows += ours.len();
            assert_eq!(ours, theirs(&file.bytes, udp, file.endian), "{}", file.path.display());
        }
    }
    assert!(rows > 100, "{rows}");
}

#[test]
fn procfs_reads_the_same_captured_counters() {
    for file in named("dev") {
        // procfs refuses names that are no UTF-8, and takes U+0085 for a blank.
        let text = String::from_utf8_lossy(&file.bytes).replace('\u{85}', "_");
        let (ours, malformed) = counters::read(text.as_bytes()).unwrap();
        assert_eq!(malformed.count, 0);
        assert_eq!(ours, their_counters(&text), "{}", file.path.display());
    }
}
