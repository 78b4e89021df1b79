//! The report: what AWS calls a *device metrics document*, built from a [`Sample`].
//!
//! Building a report is pure: it takes the sample, the time and the counters to count from, and returns a value. Field by
//! field it follows the AWS IoT Device Defender developer guide, page "Sending metrics
//! from devices" (`detect-device-side-metrics`). A block whose tables could not be read is left out; a block that was
//! read and is empty says so, with an empty list and a total of 0, because an empty list clears an alarm in the cloud.

pub mod budget;
pub mod cbor;
pub mod custom;
mod document;
pub mod json;
pub mod names;
pub mod table;
pub mod traffic;

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::collector::Sample;
use crate::collector::interfaces::Addresses;
use crate::collector::sockets::{Address, Socket, Sockets, State, in_state};
use custom::CustomMetrics;
use traffic::NetworkStats;

/// The version of the document's layout, as every AWS agent writes it.
pub const VERSION: &str = "1.0";

/// One report. It borrows the sockets from the sample, so that half a million connections are held once.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// Identifies the report; greater than 0, and greater than that of every earlier report of the same thing.
    pub report_id: u64,
    /// TCP ports that are listened on. `None` when unknown.
    pub listening_tcp_ports: Option<Ports<'a>>,
    /// UDP ports that are bound and not connected. `None` when unknown.
    pub listening_udp_ports: Option<Ports<'a>>,
    /// Traffic. `None` when unknown, or when there is nothing to count from.
    pub network_stats: Option<NetworkStats>,
    /// Established TCP connections. `None` when unknown.
    pub established_connections: Option<Connections<'a>>,
    /// What the user measured. `None` when nothing was given.
    pub custom_metrics: Option<CustomMetrics>,
}

/// How a report is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// JSON on one line.
    Json,
    /// CBOR.
    Cbor,
}

/// How a report is written where the documentation leaves room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// One entry per interface and port; a wildcard or unknown interface is left out; IPv4-mapped addresses are written
    /// as IPv4; UDP ports are those of unconnected sockets.
    #[default]
    Plain,
    /// What AWS's Python collector, and so the Greengrass connector, wrote: one entry a socket; the wildcard address as
    /// interface; `null` for an unknown one of a connection; IPv4-mapped addresses as they are; every UDP socket; no empty lists.
    Connector,
}

/// A list of ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports<'a> {
    /// The entries, by port and then interface. May be fewer than `total` after [`budget::fit`].
    pub ports: Vec<Port<'a>>,
    /// How many entries there are in truth.
    pub total: u64,
}

/// One port that is open on one interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port<'a> {
    /// The port, never 0.
    pub port: u16,
    /// Where it is open.
    pub interface: Interface<'a>,
    /// Whether an IPv4 socket has it open.
    pub v4: bool,
    /// Whether an IPv6 socket has it open.
    pub v6: bool,
    /// The inode numbers of the sockets behind this entry.
    pub inodes: Vec<u64>,
}

/// The interface a socket is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interface<'a> {
    /// All of them; the field is left out.
    Any,
    /// It cannot be told; the field is left out.
    Unknown,
    /// It cannot be told; the field is written as `null`.
    Null,
    /// This one.
    Name(&'a str),
}

/// One established connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection<'a> {
    /// The peer.
    pub remote: SocketAddr,
    /// The port on this side.
    pub local_port: u16,
    /// The interface whose address this side has.
    pub local_interface: Interface<'a>,
    /// The inode number of the socket.
    pub inode: u64,
}

/// The established connections, by remote and then local address, IPv4 first, one per pair of addresses and ports.
#[derive(Debug, Clone)]
pub struct Connections<'a> {
    sockets: &'a Sockets,
    addresses: &'a Addresses,
    style: Style,
    /// Which connections [`budget::fit`] has kept; `None` for all.
    kept: Option<Vec<bool>>,
    /// How many connections there are in truth.
    pub total: u64,
}

impl<'a> Report<'a> {
    /// Builds the report of `sample`.
    #[must_use]
    pub fn build(
        sample: &'a Sample,
        style: Style,
        report_id: u64,
        network_stats: Option<NetworkStats>,
        custom_metrics: Option<CustomMetrics>,
    ) -> Self {
        let connector = style == Style::Connector;
        let tcp = sample.tcp.as_ref();
        let listening_tcp = tcp.map(|tcp| {
            let listening = |port: &mut PortList<'a>| {
                port.add(in_state(&tcp.v4, State::LISTEN));
                port.add(in_state(&tcp.v6, State::LISTEN));
            };
            PortList::gather(sample, style, listening)
        });
        let listening_udp = sample.udp.as_ref().map(|udp| {
            let bound = |port: &mut PortList<'a>| {
                port.add(if connector { &udp.v4 } else { in_state(&udp.v4, State::CLOSE) });
                port.add(if connector { &udp.v6 } else { in_state(&udp.v6, State::CLOSE) });
            };
            PortList::gather(sample, style, bound)
        });
        let connections = tcp.map(|tcp| Connections::new(tcp, &sample.addresses, style));
        Self {
            report_id,
            listening_tcp_ports: listening_tcp.filter(|ports| !connector || ports.total > 0),
            listening_udp_ports: listening_udp.filter(|ports| !connector || ports.total > 0),
            network_stats,
            established_connections: connections.filter(|list| !connector || list.total > 0),
            custom_metrics,
        }
    }
}

/// Gathers the entries of a list of ports.
struct PortList<'a> {
    addresses: &'a Addresses,
    style: Style,
    ports: Vec<Port<'a>>,
}

impl<'a> PortList<'a> {
    fn gather(sample: &'a Sample, style: Style, fill: impl FnOnce(&mut Self)) -> Ports<'a> {
        let mut list = Self { addresses: &sample.addresses, style, ports: Vec::new() };
        fill(&mut list);
        let mut ports = list.ports;
        ports.sort_unstable();
        if style == Style::Plain {
            ports.dedup_by(|next, kept| next.is_reported_as(kept) && kept.absorb(next));
        }
        let total = u64::try_from(ports.len()).unwrap_or(u64::MAX);
        Ports { ports, total }
    }

    fn add<A: Address + Into<IpAddr>>(&mut self, sockets: &[Socket<A>]) {
        for socket in sockets.iter().filter(|socket| socket.local_port > 0) {
            let local = socket.local.into();
            self.ports.push(Port {
                port: socket.local_port,
                interface: match interface(self.addresses, self.style, local) {
                    Interface::Null => Interface::Unknown, // only connections had `null`
                    known => known,
                },
                v4: local.to_canonical().is_ipv4(),
                v6: local.to_canonical().is_ipv6(),
                inodes: vec![socket.inode],
            });
        }
    }
}

impl Port<'_> {
    /// Whether both entries would be written alike.
    fn is_reported_as(&self, other: &Self) -> bool {
        self.port == other.port && self.interface.name() == other.interface.name()
    }

    /// Takes in what another entry stands for. Always `true`.
    fn absorb(&mut self, other: &mut Self) -> bool {
        self.interface = self.interface.min(other.interface); // wildcard says more than unknown
        self.v4 |= other.v4;
        self.v6 |= other.v6;
        self.inodes.append(&mut other.inodes);
        true
    }
}

impl<'a> Interface<'a> {
    /// The name as it is written, if it is.
    #[must_use]
    pub fn name(self) -> Option<&'a str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Any | Self::Unknown | Self::Null => None,
        }
    }
}

/// The interface of a local address, in the given style.
fn interface(addresses: &Addresses, style: Style, local: IpAddr) -> Interface<'_> {
    let wildcard = local.to_canonical().is_unspecified();
    match (style, local) {
        (Style::Plain, _) if wildcard => Interface::Any,
        (Style::Plain, _) => addresses.interface(local).map_or(Interface::Unknown, Interface::Name),
        (Style::Connector, IpAddr::V4(_)) if wildcard => Interface::Name("0.0.0.0"),
        (Style::Connector, IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => Interface::Name("::"),
        // It compared addresses as text: an IPv4-mapped one has none of its form, and the system adds the scope to a
        // link-local one.
        (Style::Connector, IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_some() || v6.is_unicast_link_local() => {
            Interface::Null
        }
        (Style::Connector, _) => addresses.assigned(local).map_or(Interface::Null, Interface::Name),
    }
}

impl<'a> Connections<'a> {
    fn new(sockets: &'a Sockets, addresses: &'a Addresses, style: Style) -> Self {
        let mut list = Self { sockets, addresses, style, kept: None, total: 0 };
        list.total = u64::try_from(list.rows().count()).unwrap_or(u64::MAX);
        list
    }

    /// The connections that are written.
    pub fn iter(&self) -> impl Iterator<Item = Connection<'a>> {
        let kept = self.kept.as_deref();
        let is_kept = move |place: usize| kept.is_none_or(|kept| kept.get(place) == Some(&true));
        self.rows().enumerate().filter(move |(place, _)| is_kept(*place)).map(|(_, row)| {
            let (remote, local) = row.ends(self.style);
            let local_interface = interface(self.addresses, self.style, local.ip());
            Connection { remote, local_port: local.port(), local_interface, inode: row.inode() }
        })
    }

    /// How many connections [`Self::iter`] gives.
    #[must_use]
    pub fn written(&self) -> usize {
        match &self.kept {
            Some(kept) => kept.iter().filter(|&&kept| kept).count(),
            None => usize::try_from(self.total).unwrap_or(usize::MAX),
        }
    }

    /// Of those that [`Self::iter`] gives, writes only the connections whose mark is `true`; what has no mark is left out.
    fn keep(&mut self, mut marks: impl Iterator<Item = bool>) {
        match &mut self.kept {
            None => self.kept = Some(marks.collect()),
            Some(kept) => kept.iter_mut().filter(|kept| **kept).for_each(|kept| *kept = marks.next() == Some(true)),
        }
    }

    /// All connections, each pair of addresses and ports once: a table that is read while it changes can show the same
    /// pair twice, as two sockets.
    fn rows(&self) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let v4 = in_state(&self.sockets.v4, State::ESTABLISHED);
        let v6 = in_state(&self.sockets.v6, State::ESTABLISHED);
        // The IPv4-mapped ones stand together. Where they are written as IPv4, they belong among the others.
        let first_mapped = match self.style {
            Style::Plain => v6.partition_point(|socket| socket.remote < Ipv6Addr::from_bits(0xffff_0000_0000)),
            Style::Connector => v6.len(),
        };
        let (below, rest) = v6.split_at_checked(first_mapped).unwrap_or_default();
        let after_mapped = rest.partition_point(|socket| socket.remote.to_ipv4_mapped().is_some());
        let (mapped, above) = rest.split_at_checked(after_mapped).unwrap_or_default();
        let style = self.style;
        let mut v4 = distinct(v4).map(Row::V4).peekable();
        let mut mapped = distinct(mapped).map(Row::V6).peekable();
        let merged = std::iter::from_fn(move || {
            let order = match (v4.peek(), mapped.peek()) {
                (Some(a), Some(b)) => a.ends(style).cmp(&b.ends(style)),
                (Some(_), None) => Ordering::Less,
                (None, _) => Ordering::Greater,
            };
            match order {
                Ordering::Less => v4.next(),
                Ordering::Equal => mapped.next().and(v4.next()),
                Ordering::Greater => mapped.next(),
            }
        });
        merged.chain(distinct(below).chain(distinct(above)).map(Row::V6))
    }
}

/// A socket of either family.
#[derive(Debug, Clone, Copy)]
enum Row<'a> {
    V4(&'a Socket<Ipv4Addr>),
    V6(&'a Socket<Ipv6Addr>),
}

impl Row<'_> {
    /// The remote and the local end, as they are written.
    fn ends(self, style: Style) -> (SocketAddr, SocketAddr) {
        let (remote, remote_port, local, local_port) = match self {
            Self::V4(&Socket { remote, remote_port, local, local_port, .. }) => {
                (remote.into(), remote_port, local.into(), local_port)
            }
            Self::V6(&Socket { remote, remote_port, local, local_port, .. }) => {
                (IpAddr::V6(remote), remote_port, IpAddr::V6(local), local_port)
            }
        };
        let written = |ip: IpAddr| match style {
            Style::Plain => ip.to_canonical(),
            Style::Connector => ip,
        };
        (SocketAddr::new(written(remote), remote_port), SocketAddr::new(written(local), local_port))
    }

    fn inode(self) -> u64 {
        match self {
            Self::V4(socket) => socket.inode,
            Self::V6(socket) => socket.inode,
        }
    }
}

/// Sorted connections, each pair of ends once.
fn distinct<A: Address>(sockets: &[Socket<A>]) -> impl Iterator<Item = &Socket<A>> {
    let same_ends = |a: &Socket<A>, b: &Socket<A>| {
        (a.remote, a.remote_port, a.local, a.local_port) == (b.remote, b.remote_port, b.local, b.local_port)
    };
    sockets.chunk_by(same_ends).filter_map(<[_]>::first)
}
