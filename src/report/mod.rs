//! The report: what AWS calls a *device metrics document*, built from a [`Sample`].
//!
//! Building a report is pure: it takes the sample, the id and the counters to count from, and returns a value. Its fields
//! follow the AWS IoT Device Defender developer guide, page "Sending metrics from devices" (`detect-device-side-metrics`). A
//! block whose tables could not be read is left out. A block that was read and is empty is written with an empty list and a
//! total of 0, because an empty list clears an alarm in the cloud.

pub(crate) mod budget;
pub(crate) mod custom;
pub(crate) mod display;
mod document;
pub(crate) mod encode;
mod json;
pub(crate) mod names;
pub(crate) mod traffic;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use glob::Pattern;

use crate::collector::Sample;
use crate::collector::addresses::Addresses;
use crate::collector::counters::Interfaces;
use crate::collector::sockets::{Address, Socket, SocketState, Sockets, in_state};
use custom::CustomMetrics;
use names::Names;
use traffic::NetworkStats;

/// The version of the document's layout, as every AWS agent writes it.
pub(crate) const VERSION: &str = "1.0";

/// One report; a block that is `None` is unknown. It borrows the sockets from the sample, so that half a million
/// connections are held once.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// Identifies the report; greater than 0, and greater than that of every earlier report of the same thing.
    pub report_id: u64,
    pub listening_tcp_ports: Option<Ports<'a>>,
    /// Bound and not connected.
    pub listening_udp_ports: Option<Ports<'a>>,
    /// `None`, too, if there is nothing to count from, or if a sum exceeds 64 bits.
    pub network_stats: Option<NetworkStats>,
    pub established_connections: Option<Connections<'a>>,
    pub custom_metrics: Option<CustomMetrics>,
}

#[derive(Debug, Clone)]
pub struct Options {
    pub style: Style,
    pub names: &'static Names,
    pub max_bytes: Option<usize>,
    /// Left out of the traffic.
    pub exclude_interfaces: Vec<Pattern>,
}

/// How a report is built where AWS's documentation leaves room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// One entry per interface and port; a wildcard or unknown interface is left out; IPv4-mapped addresses are written
    /// as IPv4; UDP ports are those of unconnected sockets.
    #[default]
    Plain,
    /// What AWS's Python collector, and so the Greengrass connector, wrote: one entry a socket, but connections that would be
    /// written alike once; the wildcard address as interface; `null` for an unknown one of a connection; IPv4-mapped addresses
    /// as they are; every UDP socket; no empty lists.
    Connector,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports<'a> {
    /// By port and then interface. May be fewer than `total`, their true number, after [`budget::fit`].
    pub ports: Vec<Port<'a>>,
    pub total: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port<'a> {
    /// The port, never 0.
    pub port: u16,
    pub interface: Interface<'a>,
    pub v4: bool,
    pub v6: bool,
    /// The inode numbers of the sockets behind this entry.
    pub inodes: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interface<'a> {
    /// Bound to the wildcard address, and not known to be bound to a device; the field is left out.
    Any,
    /// The field is left out.
    Unknown,
    /// Unknown; the field is written as `null`.
    Null,
    Name(&'a str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection<'a> {
    pub remote: SocketAddr,
    pub local_port: u16,
    /// The interface whose address this side has.
    pub local_interface: Interface<'a>,
    pub inode: u32,
}

/// The established connections, by remote and then local address, IPv4 first, one per pair of addresses and ports and device.
/// `total` is their true number.
#[derive(Debug, Clone)]
pub struct Connections<'a> {
    sockets: &'a Sockets,
    addresses: &'a Addresses,
    style: Style,
    /// Which connections [`budget::fit`] has kept; `None`: all.
    kept: Option<Vec<bool>>,
    pub total: u64,
}

impl<'a> Report<'a> {
    /// Builds the report of `sample`, with the traffic since the counters in `baseline`; `None`: there is nothing to count
    /// from.
    pub fn build(
        sample: &'a Sample,
        baseline: Option<&Interfaces>,
        report_id: u64,
        custom_metrics: Option<CustomMetrics>,
        options: &Options,
    ) -> Self {
        let style = options.style;
        let network_stats = baseline
            .zip(sample.counters.as_ref())
            .and_then(|(before, now)| NetworkStats::new(traffic::since(before, now), &options.exclude_interfaces));
        // The connector wrote no empty lists.
        let is_written = |total| style == Style::Plain || total > 0;
        let ports = |sockets: &'a Option<Sockets>, state| {
            let ports = sockets.as_ref().map(|sockets| Ports::new(sockets, state, &sample.addresses, style));
            ports.filter(|ports| is_written(ports.total))
        };
        let unconnected = (style == Style::Plain).then_some(SocketState::CLOSE);
        let connections = sample.tcp.as_ref().map(|tcp| Connections::new(tcp, &sample.addresses, style));
        Self {
            report_id,
            listening_tcp_ports: ports(&sample.tcp, Some(SocketState::LISTEN)),
            listening_udp_ports: ports(&sample.udp, unconnected),
            network_stats,
            established_connections: connections.filter(|connections| is_written(connections.total)),
            custom_metrics,
        }
    }
}

impl<'a> Ports<'a> {
    /// The local ports of the sockets in one state; `None`: in any.
    fn new(sockets: &'a Sockets, state: Option<SocketState>, addresses: &'a Addresses, style: Style) -> Self {
        let v4 = state.map_or(sockets.v4.as_slice(), |state| in_state(&sockets.v4, state));
        let v6 = state.map_or(sockets.v6.as_slice(), |state| in_state(&sockets.v6, state));
        let mut ports: Vec<Port<'a>> =
            local_ports(v4, addresses, style).chain(local_ports(v6, addresses, style)).collect();
        ports.sort_unstable();
        if style == Style::Plain {
            ports.dedup_by(|next, kept| kept.merge(next));
        }
        let total = u64::try_from(ports.len()).unwrap_or(u64::MAX);
        Self { ports, total }
    }
}

fn local_ports<'a, A: Address + Into<IpAddr>>(
    sockets: &[Socket<A>],
    addresses: &'a Addresses,
    style: Style,
) -> impl Iterator<Item = Port<'a>> {
    sockets.iter().filter(|socket| socket.local_port > 0).map(move |socket| {
        let local = socket.local.into();
        let interface = match interface(addresses, style, local, socket.device) {
            Interface::Null => Interface::Unknown, // only connections had `null`
            known => known,
        };
        let v4 = local.to_canonical().is_ipv4();
        Port { port: socket.local_port, interface, v4, v6: !v4, inodes: vec![socket.inode] }
    })
}

impl Port<'_> {
    /// Merges `other` if both would be written the same (for `dedup_by`).
    fn merge(&mut self, other: &mut Self) -> bool {
        let is_same = self.port == other.port && self.interface.name() == other.interface.name();
        if is_same {
            self.interface = self.interface.min(other.interface); // a wildcard is more specific than unknown
            self.v4 |= other.v4;
            self.v6 |= other.v6;
            self.inodes.append(&mut other.inodes);
        }
        is_same
    }
}

impl<'a> Interface<'a> {
    /// Whether the field is not left out.
    fn is_written(self) -> bool {
        matches!(self, Self::Null | Self::Name(_))
    }

    pub fn name(self) -> Option<&'a str> {
        if let Self::Name(name) = self { Some(name) } else { None }
    }
}

/// The interface of a socket with this local address, bound to the interface with the index `device` if that is not 0. The
/// address comes first: the device of a socket in a VRF is the VRF, and of a link-local address only the device tells the
/// interface.
fn interface(addresses: &Addresses, style: Style, local: IpAddr, device: u32) -> Interface<'_> {
    let wildcard = local.to_canonical().is_unspecified();
    let bound = || addresses.device(device).map(Interface::Name);
    match (style, local) {
        (Style::Plain, _) if wildcard => bound().unwrap_or(Interface::Any),
        (Style::Plain, _) => {
            addresses.interface(local).map(Interface::Name).or_else(bound).unwrap_or(Interface::Unknown)
        }
        (Style::Connector, IpAddr::V4(_)) if wildcard => Interface::Name("0.0.0.0"),
        (Style::Connector, IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => Interface::Name("::"),
        // The collector compared addresses as text: no interface has an IPv4-mapped one, and the system adds the scope to
        // a link-local one.
        (Style::Connector, IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_some() || v6.is_unicast_link_local() => {
            Interface::Null
        }
        (Style::Connector, _) => addresses.assigned(local).map_or(Interface::Null, Interface::Name),
    }
}

impl<'a> Connections<'a> {
    fn new(sockets: &'a Sockets, addresses: &'a Addresses, style: Style) -> Self {
        let mut list = Self { sockets, addresses, style, kept: None, total: 0 };
        let (v4, v6) = list.established();
        let has_mapped = v6.iter().any(|socket| socket.remote.to_ipv4_mapped().is_some());
        let total = match style {
            Style::Plain if !has_mapped => distinct(v4).count().saturating_add(distinct(v6).count()),
            Style::Plain | Style::Connector => list.rows().count(),
        };
        list.total = u64::try_from(total).unwrap_or(u64::MAX);
        list
    }

    pub fn iter(&self) -> impl Iterator<Item = Connection<'a>> {
        let kept = self.kept.as_deref();
        let is_kept = move |place: usize| kept.is_none_or(|kept| kept.get(place) == Some(&true));
        // Neighbors often have the same local address.
        let mut last = (
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            0,
            interface(self.addresses, self.style, Ipv4Addr::UNSPECIFIED.into(), 0),
        );
        let rows = self.rows().enumerate().filter(move |(place, _)| is_kept(*place));
        rows.map(move |(_, (remote, local, device, inode))| {
            if (last.0, last.1) != (local.ip(), device) {
                last = (local.ip(), device, interface(self.addresses, self.style, local.ip(), device));
            }
            Connection { remote, local_port: local.port(), local_interface: last.2, inode }
        })
    }

    /// How many connections [`Self::iter`] returns.
    pub fn written(&self) -> usize {
        match &self.kept {
            Some(kept) => kept.iter().filter(|&&kept| kept).count(),
            None => usize::try_from(self.total).unwrap_or(usize::MAX),
        }
    }

    /// Keeps only those connections of [`Self::iter`] whose mark is `true`; those without a mark are dropped.
    fn keep(&mut self, mut marks: impl Iterator<Item = bool>) {
        match &mut self.kept {
            None => self.kept = Some(marks.collect()),
            Some(kept) => kept.iter_mut().filter(|kept| **kept).for_each(|kept| *kept = marks.next() == Some(true)),
        }
    }

    /// All connections, each pair of addresses and ports once: a table that changes while it is read can list the same pair
    /// twice, as two sockets. In the connector's style, those that differ only in their local address are one, too, unless
    /// that makes the interface another.
    fn rows(&self) -> impl Iterator<Item = Row> + use<'a> {
        let (addresses, style) = (self.addresses, self.style);
        let (mut peer, mut written) = (None, BTreeSet::new());
        self.pairs().filter(move |(remote, local, device, _)| {
            if style == Style::Plain {
                return true;
            }
            if peer.replace(*remote) != Some(*remote) {
                written.clear();
            }
            written.insert((interface(addresses, style, local.ip(), *device), local.port()))
        })
    }

    fn established(&self) -> (&'a [Socket<Ipv4Addr>], &'a [Socket<Ipv6Addr>]) {
        let Sockets { v4, v6 } = self.sockets;
        (in_state(v4, SocketState::ESTABLISHED), in_state(v6, SocketState::ESTABLISHED))
    }

    fn pairs(&self) -> impl Iterator<Item = Row> + use<'a> {
        let (v4, v6) = self.established();
        // The IPv4-mapped connections are adjacent. Where they are written as IPv4, they belong among the others.
        let first_mapped = match self.style {
            Style::Plain => v6.partition_point(|socket| socket.remote < Ipv6Addr::from_bits(0xffff_0000_0000)),
            Style::Connector => v6.len(),
        };
        let (below, rest) = v6.split_at_checked(first_mapped).unwrap_or_default();
        let after_mapped = rest.partition_point(|socket| socket.remote.to_ipv4_mapped().is_some());
        let (mapped, above) = rest.split_at_checked(after_mapped).unwrap_or_default();
        let (mut v4, mut mapped) = (distinct(v4).peekable(), distinct(mapped).peekable());
        let style = self.style;
        let merged = std::iter::from_fn(move || {
            let (Some(&first), Some(&other)) = (v4.peek(), mapped.peek()) else {
                return v4.next().map(|socket| row(socket, style)).or_else(|| Some(row(mapped.next()?, style)));
            };
            let (first, other) = (row(first, style), row(other, style));
            let order = (first.0, first.1, first.2).cmp(&(other.0, other.1, other.2));
            if order != Ordering::Greater {
                v4.next();
            }
            if order != Ordering::Less {
                mapped.next();
            }
            Some(if order == Ordering::Greater { other } else { first })
        });
        merged.chain(distinct(below).chain(distinct(above)).map(move |socket| row(socket, style)))
    }
}

/// The remote end, the local end, the device and the inode number of a connection, as they are written.
type Row = (SocketAddr, SocketAddr, u32, u32);

fn row<A: Address + Into<IpAddr>>(socket: &Socket<A>, style: Style) -> Row {
    let end = |ip: A, port| match style {
        Style::Plain => SocketAddr::new(ip.into().to_canonical(), port),
        Style::Connector => SocketAddr::new(ip.into(), port),
    };
    (end(socket.remote, socket.remote_port), end(socket.local, socket.local_port), socket.device, socket.inode)
}

/// Sorted connections, each pair of ends once; between link-local addresses, once on each interface.
fn distinct<A: Address>(sockets: &[Socket<A>]) -> impl Iterator<Item = &Socket<A>> {
    let same_ends = |a: &Socket<A>, b: &Socket<A>| {
        (a.remote, a.remote_port, a.local, a.local_port, a.device)
            == (b.remote, b.remote_port, b.local, b.local_port, b.device)
    };
    sockets.chunk_by(same_ends).filter_map(<[_]>::first)
}
