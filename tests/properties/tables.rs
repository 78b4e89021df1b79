//! Reading what the kernel writes gives exactly what it wrote.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::net::{Ipv4Addr, Ipv6Addr};

use device_defender::internals::collector::{
    Endian, Malformed, Socket, SocketState, SocketTable, TableError, counters, in_state, read,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::properties::kernel::{Ip, Layout, dev, interfaces, socket};
use crate::support::cases;

/// Reads a table that has a header.
fn read_table<A: Ip>(text: &[u8], endian: Endian) -> SocketTable<A> {
    read(text, endian).unwrap()
}

/// The sockets sorted, each once.
fn distinct<A: Ip>(sockets: &[Socket<A>]) -> Vec<Socket<A>> {
    sockets.iter().copied().collect::<BTreeSet<_>>().into_iter().collect()
}

/// A table holds these sockets and nothing that was not understood.
fn assert_read_back<A: Ip>(sockets: &[Socket<A>], layout: Layout) {
    let table = read_table::<A>(layout.table(sockets).as_bytes(), layout.endian);
    let expected = distinct(sockets);
    assert_eq!(table.repeated, sockets.len() - expected.len());
    assert_eq!(table.sockets, expected);
    assert_eq!(table.malformed, Malformed::default());
    for state in 0..=255 {
        let state = SocketState(state);
        let alike: Vec<_> = expected.iter().filter(|socket| socket.state == state).copied().collect();
        assert_eq!(in_state(&table.sockets, state), alike);
    }
}

/// A row the kernel never writes, without its newline, made from one that it does.
fn malformed_row<A: Ip>() -> impl Strategy<Value = Vec<u8>> {
    let spoilt = |(socket, kind, digit): (Socket<A>, usize, usize)| {
        let layout = Layout { udp: false, padded: true, endian: Endian::Little, noise: 0 };
        let row = layout.row(7, &socket);
        let mut columns: Vec<String> = row.split_ascii_whitespace().map(str::to_owned).collect();
        let digit = digit % A::DIGITS;
        match kind {
            0 => columns.truncate(digit % 10),                 // ends too early; may be empty
            1 => columns[1].replace_range(digit..=digit, "g"), // no digit
            2 => columns[2].replace_range(digit..=digit, ""),  // a digit too few
            3 => columns[1].insert(digit, '0'),                // a digit too many
            4 => columns[2].replace_range(A::DIGITS..=A::DIGITS, "."), // no colon
            5 => columns[2].push('0'),                         // a port of five digits
            6 => columns[3].push('0'),                         // a state of three digits
            7 => "+1".clone_into(&mut columns[3]),             // a sign
            8 => "18446744073709551616".clone_into(&mut columns[9]), // 2^64
            9 => columns[9].insert(0, '-'),                    // a negative inode
            10 => "7".clone_into(&mut columns[0]),             // no colon behind the number
            11 => "sl".clone_into(&mut columns[0]),            // the header once more
            12 => columns[1].replace_range(digit..=digit, "\u{ff11}"), // a digit, but of another script
            13 => columns[9].push_str(&" ".repeat(4097)),      // too long
            _ => columns[1] = columns[1].repeat(2),            // two addresses in one
        }
        let mut row = columns.join(" ").into_bytes();
        if kind == 14 {
            row.push(0xff);
        }
        row
    };
    (socket::<A>(), 0..15_usize, any::<usize>()).prop_map(spoilt)
}

/// Good rows and malformed ones in any order: the good ones are read, the others counted, each with its line.
fn assert_separated<A: Ip>(rows: &[Result<Socket<A>, Vec<u8>>], layout: Layout) {
    let mut text = layout.header::<A>().into_bytes();
    for (number, row) in rows.iter().enumerate() {
        match row {
            Ok(socket) => text.extend_from_slice(layout.row(number, socket).as_bytes()),
            Err(row) => {
                text.extend_from_slice(row);
                text.push(b'\n');
            }
        }
    }
    let table = read_table::<A>(&text, layout.endian);
    let good: Vec<_> = rows.iter().flatten().copied().collect();
    assert_eq!(table.sockets, distinct(&good));
    assert_eq!(table.repeated, good.len() - table.sockets.len());
    let bad: Vec<u64> = (2..).zip(rows).filter(|(_, row)| row.is_err()).map(|(line, _)| line).collect();
    assert_eq!(table.malformed.count, bad.len() as u64);
    let told: Vec<u64> = table.malformed.first.iter().map(|(line, _)| *line).collect();
    assert_eq!(told, bad[..told.len()]);
    assert_eq!(told.is_empty(), bad.is_empty());
}

/// A table of which the end is missing holds some of its sockets and no other, and at most one row was not understood.
fn assert_survives_a_cut<A: Ip>(sockets: &[Socket<A>], layout: Layout, cut: Index) {
    let text = layout.table(sockets);
    let header = layout.header::<A>().len();
    let cut = header + cut.index(text.len() - header + 1);
    let table = read_table::<A>(&text.as_bytes()[..cut], layout.endian);
    let whole = text[header..cut].matches('\n').count();
    assert!(table.malformed.count <= 1);
    let read = table.sockets.len() + table.repeated;
    assert!(read == whole || read == whole + 1, "{read} of {whole}");
    assert_eq!(table.sockets, distinct(&sockets[..read]));
}

/// Gives out at most so many bytes a read.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let take = self.1.min(buffer.len()).min(self.0.len());
        buffer[..take].copy_from_slice(&self.0[..take]);
        self.0 = &self.0[take..];
        Ok(take)
    }
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn sockets_are_read_as_the_kernel_wrote_them(
        v4 in vec(socket(), 0..40),
        v6 in vec(socket(), 0..40),
        layout in Layout::any(),
    ) {
        assert_read_back::<Ipv4Addr>(&v4, layout);
        assert_read_back::<Ipv6Addr>(&v6, layout);
    }

    #[test]
    fn a_row_that_is_repeated_is_counted_and_kept_once(
        sockets in vec(socket::<Ipv4Addr>(), 1..20),
        again in vec(any::<Index>(), 1..20),
        layout in Layout::any(),
    ) {
        let mut rows = distinct(&sockets);
        let once = rows.clone();
        rows.extend(again.iter().map(|index| *index.get(&once)));
        let table = read_table::<Ipv4Addr>(layout.table(&rows).as_bytes(), layout.endian);
        prop_assert_eq!(table.sockets, once);
        prop_assert_eq!(table.repeated, again.len());
    }

    #[test]
    fn malformed_rows_are_counted_and_disturb_no_other(
        v4 in vec(prop_oneof![socket().prop_map(Ok), malformed_row::<Ipv4Addr>().prop_map(Err)], 0..25),
        v6 in vec(prop_oneof![socket().prop_map(Ok), malformed_row::<Ipv6Addr>().prop_map(Err)], 0..25),
        layout in Layout::any(),
    ) {
        assert_separated::<Ipv4Addr>(&v4, layout);
        assert_separated::<Ipv6Addr>(&v6, layout);
    }

    #[test]
    fn a_table_of_the_other_family_is_all_malformed(sockets in vec(socket(), 1..9), layout in Layout::any()) {
        let text = layout.table::<Ipv4Addr>(&sockets);
        let table = read_table::<Ipv6Addr>(text.as_bytes(), layout.endian);
        prop_assert_eq!((table.sockets.len(), table.malformed.count), (0, sockets.len() as u64));
    }

    #[test]
    fn a_table_that_is_cut_off_keeps_its_rows_and_invents_none(
        v4 in vec(socket(), 1..8),
        v6 in vec(socket(), 1..8),
        layout in Layout::any(),
        cut in any::<Index>(),
    ) {
        assert_survives_a_cut::<Ipv4Addr>(&v4, layout, cut);
        assert_survives_a_cut::<Ipv6Addr>(&v6, layout, cut);
    }

    #[test]
    fn a_table_may_come_in_pieces(
        sockets in vec(socket::<Ipv6Addr>(), 0..200),
        layout in Layout::any(),
        step in prop_oneof![1..10_usize, 4000..4100_usize],
    ) {
        let text = layout.table(&sockets);
        let in_pieces: SocketTable<Ipv6Addr> = read(Pieces(text.as_bytes(), step), layout.endian).unwrap();
        prop_assert_eq!(in_pieces, read_table(text.as_bytes(), layout.endian));
    }

    #[test]
    fn the_order_of_rows_does_not_matter(
        (rows, shuffled) in vec(socket::<Ipv6Addr>(), 0..40).prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        layout in Layout::any(),
    ) {
        let [a, b] = [rows, shuffled].map(|rows| read_table::<Ipv6Addr>(layout.table(&rows).as_bytes(), layout.endian));
        prop_assert_eq!(a, b);
    }

    #[test]
    fn a_table_without_its_header_is_no_table(sockets in vec(socket::<Ipv4Addr>(), 0..5), layout in Layout::any()) {
        let text = layout.table(&sockets);
        let (_, rows) = text.split_once('\n').unwrap();
        let no_table = matches!(read::<Ipv4Addr>(rows.as_bytes(), layout.endian), Err(TableError::Header { line: 1, .. } | TableError::Empty));
        prop_assert!(no_table);
    }

    #[test]
    fn counters_are_read_as_the_kernel_wrote_them(interfaces in interfaces(), old in any::<bool>()) {
        let (read, malformed) = counters::read(dev(&interfaces, old).as_bytes()).unwrap();
        prop_assert_eq!(read, interfaces);
        prop_assert_eq!(malformed, Malformed::default());
    }

    #[test]
    fn malformed_rows_of_counters_are_counted_and_disturb_no_other(
        interfaces in interfaces(),
        bad in vec((any::<Index>(), select(vec![
            "", "  eth9 1 2 3", "  eth9: 1 2 3", ": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
            " eth9: -1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", " eth9: 1 2 3 4 5 6 7 8 9 18446744073709551616 11 12",
            " eth9: 0x1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
        ])), 0..6),
    ) {
        let text = dev(&interfaces, false);
        let mut lines: Vec<&str> = text.lines().collect();
        for (place, row) in &bad {
            lines.insert(2 + place.index(lines.len() - 1), row);
        }
        let (read, malformed) = counters::read((lines.join("\n") + "\n").as_bytes()).unwrap();
        prop_assert_eq!(read, interfaces);
        prop_assert_eq!(malformed.count, bad.len() as u64);
    }
}

#[test]
fn a_row_may_be_4096_bytes_long_and_no_longer() {
    let layout = Layout { udp: false, padded: false, endian: Endian::Little, noise: 0 };
    let socket = Socket {
        state: SocketState(1),
        remote: Ipv4Addr::LOCALHOST,
        remote_port: 1,
        local: Ipv4Addr::LOCALHOST,
        local_port: 2,
        device: 0,
        inode: 3,
    };
    for (length, good) in [(4096, 1), (4097, 0)] {
        let row = layout.row(0, &socket);
        let text = format!("{}{:<length$}\n", layout.header::<Ipv4Addr>(), row.trim_end());
        let table = read_table::<Ipv4Addr>(text.as_bytes(), Endian::Little);
        assert_eq!((table.sockets.len(), table.malformed.count), (good, 1 - good as u64));
    }
}
