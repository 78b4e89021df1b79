//! The source that asks the kernel: `sock_diag(7)` for sockets and `rtnetlink(7)` for addresses, of the network namespace of
//! this process. Neither needs a privilege. It fills the same types as [`super::proc`], with half of the work for the kernel,
//! which formats no text and sends only the states that a report needs.

pub(crate) mod addresses;
mod messages;
pub(crate) mod sockets;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send, socket,
};

use super::proc::tables::MAX_TABLE;

/// The receive buffer: the kernel fills at most 32 KiB at once, or less if the buffer is smaller. A static one starts as
/// zeros without being written to, so an answer costs only the pages that it fills.
static BUFFER: Mutex<[u8; 32 * 1024]> = Mutex::new([0; 32 * 1024]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetlinkError {
    /// The kernel, a security module or a filter of system calls refuses, or the kernel was built without it.
    #[error("{}", io::Error::from(*.0))]
    Refused(Errno),
    #[error("the kernel lost a part of the answer")]
    Overrun,
    #[error("the answer is inconsistent, because it changed meanwhile")]
    Inconsistent,
    #[error("the answer is malformed")]
    Malformed,
    #[error("larger than {} MiB", MAX_TABLE >> 20)]
    TooLarge,
}

impl From<Errno> for NetlinkError {
    fn from(errno: Errno) -> Self {
        if errno == Errno::ENOBUFS { Self::Overrun } else { Self::Refused(errno) }
    }
}

impl NetlinkError {
    fn may_pass(self) -> bool {
        matches!(self, Self::Overrun | Self::Inconsistent)
    }
}

/// Reads with `read`; once more if what happened may not happen again.
fn read_twice<T>(read: impl Fn() -> Result<T, NetlinkError>) -> Result<T, NetlinkError> {
    read().or_else(|error| if error.may_pass() { read() } else { Err(error) })
}

/// A netlink socket, for one dump after the other.
struct Connection {
    socket: OwnedFd,
    sequence: u32,
}

impl Connection {
    fn open(protocol: SockProtocol) -> Result<Self, NetlinkError> {
        let socket = socket(AddressFamily::Netlink, SockType::Datagram, SockFlag::SOCK_CLOEXEC, protocol)?;
        // A connected socket gets no messages of other processes.
        connect(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Asks for all objects of the kind `request` with this body, and calls `each` with the body of every message of the
    /// kind `answer`. It returns `None` for one that it does not understand, which ends the dump.
    fn dump(
        &mut self,
        request: u16,
        body: &[u8],
        answer: u16,
        mut each: impl FnMut(&[u8]) -> Option<()>,
    ) -> Result<(), NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        send(self.socket.as_raw_fd(), &messages::dump_request(request, self.sequence, body), MsgFlags::empty())?;
        let mut buffer = BUFFER.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = MAX_TABLE;
        loop {
            // With `MSG_TRUNC`, the length is that of the datagram, even if the buffer is smaller.
            let length = match recv(self.socket.as_raw_fd(), &mut *buffer, MsgFlags::MSG_TRUNC) {
                Err(Errno::EINTR) => continue,
                length => length?,
            };
            left = u64::try_from(length).ok().and_then(|n| left.checked_sub(n)).ok_or(NetlinkError::TooLarge)?;
            let datagram = buffer.get(..length).ok_or(NetlinkError::Malformed)?;
            if messages::read_datagram(datagram, self.sequence, answer, &mut each)? {
                return Ok(());
            }
        }
    }
}
