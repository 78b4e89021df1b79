//! Sockets, whichever source they come from.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The state of a socket, numbered as in the kernel's `include/net/tcp_states.h`. Any number can occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketState(pub u8);

impl SocketState {
    /// `TCP_ESTABLISHED`; a UDP socket that is connected to a peer.
    pub const ESTABLISHED: Self = Self(1);
    /// `TCP_CLOSE`; a UDP socket that is bound and not connected.
    pub const CLOSE: Self = Self(7);
    /// `TCP_LISTEN`. UDP sockets never have it.
    pub const LISTEN: Self = Self(10);
}

/// One socket. The derived order (state, remote, local, device, inode) keeps the sockets of one state together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Socket<A> {
    pub state: SocketState,
    /// The peer's address; unspecified without a peer.
    pub remote: A,
    /// The peer's port; 0 without a peer.
    pub remote_port: u16,
    /// The address the socket is bound to; unspecified for a wildcard listener.
    pub local: A,
    pub local_port: u16,
    /// The index of the interface that the socket is bound to (`SO_BINDTODEVICE`, or the scope of a link-local address); 0:
    /// to none, or unknown, as always in the files.
    pub device: u32,
    /// The socket's inode number, which leads to its owners; 0 without one (`TIME_WAIT`). The kernel numbers sockets with 32
    /// bits.
    pub inode: u32,
}

/// The sockets of one protocol: each list sorted, each socket once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sockets {
    pub v4: Vec<Socket<Ipv4Addr>>,
    /// Those with IPv4-mapped addresses included.
    pub v6: Vec<Socket<Ipv6Addr>>,
}

pub trait Address: Copy + Ord + fmt::Debug {
    /// The state and the remote address, in an order that is quick to compare.
    fn peer_key(socket: &Socket<Self>) -> impl Ord + use<Self>;
    /// The remote port and the local end, in an order that is quick to compare.
    fn ends_key(socket: &Socket<Self>) -> impl Ord + use<Self>;
}

impl Address for Ipv4Addr {
    fn peer_key(socket: &Socket<Self>) -> impl Ord + use<> {
        u64::from(socket.state.0) << 32 | u64::from(socket.remote.to_bits())
    }

    fn ends_key(socket: &Socket<Self>) -> impl Ord + use<> {
        u64::from(socket.remote_port) << 48 | u64::from(socket.local.to_bits()) << 16 | u64::from(socket.local_port)
    }
}

impl Address for Ipv6Addr {
    fn peer_key(socket: &Socket<Self>) -> impl Ord + use<> {
        (socket.state, socket.remote.to_bits())
    }

    fn ends_key(socket: &Socket<Self>) -> impl Ord + use<> {
        (socket.remote_port, socket.local.to_bits(), socket.local_port)
    }
}

/// Sorts sockets and removes repeated ones; returns how many it removed.
///
/// The result has the derived order, which takes several times as long to compare as the keys. Where many sockets have the
/// same peer, sorting by the first key is quick; where few have, by the second.
pub(crate) fn sort<A: Address>(sockets: &mut Vec<Socket<A>>) -> usize {
    let all = sockets.len();
    sockets.sort_unstable_by_key(A::peer_key);
    for peer in sockets.chunk_by_mut(|a, b| A::peer_key(a) == A::peer_key(b)) {
        peer.sort_unstable_by_key(A::ends_key);
        for alike in peer.chunk_by_mut(|a, b| A::ends_key(a) == A::ends_key(b)) {
            alike.sort_unstable();
        }
    }
    sockets.dedup();
    all - sockets.len()
}

/// The sockets in one state, of a sorted list.
pub fn in_state<A>(sockets: &[Socket<A>], state: SocketState) -> &[Socket<A>] {
    let from = sockets.partition_point(|socket| socket.state < state);
    let until = sockets.partition_point(|socket| socket.state <= state);
    sockets.get(from..until).unwrap_or_default()
}
