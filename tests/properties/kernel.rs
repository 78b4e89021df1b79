//! The tables of `/proc/net`, written from scratch as the kernel writes them, and sockets to write.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use device_defender::internals::collector::{Counters, Endian, HexAddress, Interfaces, Socket, SocketState};
use proptest::prelude::*;
use proptest::sample::select;

/// An address of either family.
pub(crate) trait Ip: HexAddress + Into<IpAddr> + 'static {
    /// As the socket tables print it: the 32-bit words in network order, each as a number of the machine.
    fn digits(self, endian: Endian) -> String;

    /// Addresses that meet each other often, with those that are special, and any other.
    fn any() -> BoxedStrategy<Self>;

    /// The header of the family's tables.
    fn header(udp: bool) -> &'static str;

    /// Whether the kernel pads the lines of the family's tables.
    const PADDED: bool;
}

/// Four bytes in network order as a number of the machine.
fn word(octets: [u8; 4], endian: Endian) -> String {
    let number = match endian {
        Endian::Little => u32::from_le_bytes(octets),
        Endian::Big => u32::from_be_bytes(octets),
    };
    format!("{number:08X}")
}

impl Ip for Ipv4Addr {
    fn digits(self, endian: Endian) -> String {
        word(self.octets(), endian)
    }

    fn any() -> BoxedStrategy<Self> {
        let known = ["0.0.0.0", "127.0.0.1", "127.0.0.53", "192.0.2.10", "192.0.2.11", "198.51.100.7", "10.1.2.3"];
        let known = known.map(|text| text.parse().unwrap());
        prop_oneof![6 => select(known.to_vec()), 1 => any::<u32>().prop_map(Self::from)].boxed()
    }

    fn header(udp: bool) -> &'static str {
        if udp {
            "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer \
             drops"
        } else {
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
        }
    }

    const PADDED: bool = true;
}

impl Ip for Ipv6Addr {
    fn digits(self, endian: Endian) -> String {
        let octets = self.octets();
        octets.chunks(4).map(|group| word(group.try_into().unwrap(), endian)).collect()
    }

    fn any() -> BoxedStrategy<Self> {
        let known = [
            "::", "::1", "2001:db8::9", "2001:db8::10", "fe80::1", "fe80::2", "::ffff:192.0.2.10",
            "::ffff:198.51.100.7", "::ffff:127.0.0.1", "::ffff:0.0.0.0",
            "::fffe:ffff:ffff", // the last before the IPv4-mapped ones
            "::1:0:0:0",        // the first after them
        ];
        let known = known.map(|text| text.parse().unwrap());
        prop_oneof![12 => select(known.to_vec()), 1 => any::<u128>().prop_map(Self::from)].boxed()
    }

    fn header(udp: bool) -> &'static str {
        if udp {
            "  sl  local_address                         remote_address                        st tx_queue rx_queue tr \
             tm->when retrnsmt   uid  timeout inode ref pointer drops"
        } else {
            "  sl  local_address                         remote_address                        st tx_queue rx_queue tr \
             tm->when retrnsmt   uid  timeout inode"
        }
    }

    const PADDED: bool = false;
}

/// Either byte order.
pub(crate) fn endian() -> impl Strategy<Value = Endian> {
    select(vec![Endian::Little, Endian::Big])
}

/// A socket in one of `states`.
pub(crate) fn socket_in<A: Ip>(states: impl Strategy<Value = u8>) -> impl Strategy<Value = Socket<A>> {
    let port = || prop_oneof![1 => Just(0_u16), 8 => select(vec![1, 22, 80, 443, 65535]), 2 => any::<u16>()];
    let inode = prop_oneof![4 => 0..4_u32, 1 => any::<u32>()];
    (states, A::any(), port(), A::any(), port(), inode).prop_map(
        |(state, remote, remote_port, local, local_port, inode)| Socket {
            state: SocketState(state),
            remote,
            remote_port,
            local,
            local_port,
            device: 0,
            inode,
        },
    )
}

/// A socket in any state, those that reports are made of more often than others.
pub(crate) fn socket<A: Ip>() -> impl Strategy<Value = Socket<A>> {
    socket_in(prop_oneof![5 => Just(1), 3 => Just(10), 3 => Just(7), 1 => 1..=12_u8, 1 => any::<u8>()])
}

/// How a socket table is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// Whether it is one of UDP sockets, else of TCP sockets.
    pub(crate) udp: bool,
    /// Whether every line is filled up with blanks, as those of IPv4 are.
    pub(crate) padded: bool,
    /// The byte order of the machine.
    pub(crate) endian: Endian,
    /// What the columns that nobody reads are made from.
    pub(crate) noise: u32,
}

impl Layout {
    /// Any layout.
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        (any::<bool>(), any::<bool>(), endian(), any::<u32>()).prop_map(|(udp, padded, endian, noise)| Self {
            udp,
            padded,
            endian,
            noise,
        })
    }

    /// The layout this machine's kernel uses for the family.
    pub(crate) fn native<A: Ip>(udp: bool) -> Self {
        Self { udp, padded: A::PADDED, endian: Endian::NATIVE, noise: 0 }
    }

    /// Ends a line, filled up to the width of the table.
    fn line(self, text: &str) -> String {
        let width = if self.udp { 127 } else { 149 };
        if self.padded { format!("{text:<width$}\n") } else { format!("{text}\n") }
    }

    /// The header line.
    pub(crate) fn header<A: Ip>(self) -> String {
        self.line(A::header(self.udp))
    }

    /// The row of a socket.
    pub(crate) fn row<A: Ip>(self, number: usize, socket: &Socket<A>) -> String {
        let Self { udp, endian, noise, .. } = self;
        let noise = noise.wrapping_mul(2_654_435_761).wrapping_add(u32::try_from(number).unwrap());
        let slot = if udp { format!("{number:5}") } else { format!("{number:4}") };
        let [local, remote] = [socket.local.digits(endian), socket.remote.digits(endian)];
        let mut text = format!(
            "{slot}: {local}:{:04X} {remote}:{:04X} {:02X} {:08X}:{:08X} {:02X}:{:08X} {:08X} {:5} {:8} {} 2 {:016x}",
            socket.local_port,
            socket.remote_port,
            socket.state.0,
            noise,
            noise.rotate_left(7),
            noise % 5,
            noise.rotate_left(13),
            noise % 16,
            noise % 70_000,
            noise % 300,
            socket.inode,
            noise,
        );
        if udp {
            text.push_str(" 0");
        } else if !noise.is_multiple_of(3) {
            text.push_str(" 20 4 31 10 -1"); // not in TIME_WAIT
        }
        self.line(&text)
    }

    /// The whole table.
    pub(crate) fn table<A: Ip>(self, sockets: &[Socket<A>]) -> String {
        let rows = sockets.iter().enumerate().map(|(number, socket)| self.row(number, socket));
        self.header::<A>() + &rows.collect::<String>()
    }
}

/// The header of `net/dev`.
pub(crate) const DEV_HEADER: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
";

/// A row of `net/dev`; kernels before 2.6.39 left no blank behind the colon.
pub(crate) fn dev_row(name: &str, counters: &Counters, old: bool) -> String {
    let Counters { bytes_in, packets_in, bytes_out, packets_out } = counters;
    let received = if old { format!("{bytes_in:8}") } else { format!(" {bytes_in:7}") };
    format!(
        "{name:>6}:{received} {packets_in:7}    1    2    3     4          5         6 {bytes_out:8} {packets_out:7}    7    8    9    10      11         12\n"
    )
}

/// The whole of `net/dev`.
pub(crate) fn dev(interfaces: &Interfaces, old: bool) -> String {
    interfaces.iter().fold(DEV_HEADER.to_owned(), |table, (name, counters)| table + &dev_row(name, counters, old))
}

/// Counters of any size.
pub(crate) fn counters() -> impl Strategy<Value = Counters> {
    let one = || prop_oneof![any::<u64>(), any::<u32>().prop_map(u64::from), 0..3000_u64];
    (one(), one(), one(), one()).prop_map(|(bytes_in, packets_in, bytes_out, packets_out)| Counters {
        bytes_in,
        packets_in,
        bytes_out,
        packets_out,
    })
}

/// A name the kernel lets an interface have: up to 15 bytes without white space, `/` and `:`.
pub(crate) fn interface_name() -> impl Strategy<Value = String> {
    let any_name = prop_oneof!["[!-.0-9;-~]{1,15}", "[^\\s/:\u{0}\u{b}]{1,3}"];
    let usual = ["lo", "eth0", "eth1", "wlan0", "br-lan", "ünic", "a\"b\\c", "x\u{1b}[31m", "Inter-|", "face"];
    prop_oneof![3 => select(usual.to_vec()).prop_map(str::to_owned), 1 => any_name]
}

/// Interfaces with their counters.
pub(crate) fn interfaces() -> impl Strategy<Value = Interfaces> {
    proptest::collection::btree_map(interface_name(), counters(), 0..6)
}

/// The header of `net/route`.
pub(crate) const ROUTE_HEADER: &str =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";

/// A row of `net/route`.
pub(crate) fn route_row(iface: &str, network: Ipv4Addr, gateway: Ipv4Addr, flags: u32, bits: u32, e: Endian) -> String {
    let mask = Ipv4Addr::from(u32::MAX.checked_shl(32 - bits).unwrap_or(0)).digits(e);
    let mut row = String::new();
    write!(row, "{iface}\t{}\t{}\t{flags:04X}\t0\t0\t100\t{mask}\t0\t0\t0", network.digits(e), gateway.digits(e))
        .unwrap();
    format!("{row:<127}\n")
}
