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
    /// The local end, in an order that is quick to compare.
    fn local_key(socket: &Socket<Self>) -> impl Ord + use<Self>;
}

impl Address for Ipv4Addr {
    fn peer_key(socket: &Socket<Self>) -> impl Ord + use<> {
        u64::from(socket.state.0) << 32 | u64::from(socket.remote.to_bits())
    }

    fn local_key(socket: &Socket<Self>) -> impl Ord + use<> {
        u64::from(socket.local.to_bits()) << 16 | u64::from(socket.local_port)
    }
}

impl Address for Ipv6Addr {
    fn peer_key(socket: &Socket<Self>) -> impl Ord + use<> {
        (socket.state, socket.remote.to_bits())
    }

    fn local_key(socket: &Socket<Self>) -> impl Ord + use<> {
        (socket.local.to_bits(), socket.local_port)
    }
}

/// Sorts sockets and removes repeated ones; returns how many it removed.
///
/// The result has the derived order. That takes several times as long to compare as the keys, each of which decides among
/// the sockets that are alike in those before it.
pub(crate) fn sort<A: Address>(sockets: &mut Vec<Socket<A>>) -> usize {
    let all = sockets.len();
    let mut may_repeat = false;
    let remote_port = |socket: &Socket<A>| socket.remote_port;
    sort_groups(sockets, A::peer_key, |peer| {
        sort_groups(peer, remote_port, |remote| {
            sort_groups(remote, A::local_key, |alike| {
                alike.sort_unstable();
                may_repeat = true;
            });
        });
    });
    if may_repeat {
        sockets.dedup();
    }
    all - sockets.len()
}

/// Sorts by `key`, and then each group that has the same key with `sort_group`.
fn sort_groups<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K, sort_group: impl FnMut(&mut [T])) {
    items.sort_unstable_by_key(&key);
    items.chunk_by_mut(|a, b| key(a) == key(b)).filter(|group| group.len() > 1).for_each(sort_group);
}

/// The sockets in one state, of a sorted list.
pub fn in_state<A>(sockets: &[Socket<A>], state: SocketState) -> &[Socket<A>] {
    let from = sockets.partition_point(|socket| socket.state < state);
    let until = sockets.partition_point(|socket| socket.state <= state);
    sockets.get(from..until).unwrap_or_default()
}
