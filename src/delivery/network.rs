//! From a name to a TCP connection: all its addresses, IPv6 and IPv4 raced (RFC 8305).

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::settings::Endpoint;

/// How long an address is alone before the next is tried beside it (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// The most addresses that are tried.
const MAX_ADDRESSES: usize = 16;

/// The most look-ups that may hang at once. A resolver that never answers must not fill the system with threads.
const MAX_LOOKUPS: usize = 4;

/// Look-ups under way.
static LOOKUPS: AtomicUsize = AtomicUsize::new(0);

/// Looks the endpoint's name up. A look-up cannot be cancelled, so it has a thread of its own, which nobody waits for:
/// dropping the future is enough.
///
/// # Errors
/// What the system's resolver says.
pub async fn look_up(endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
    let port = endpoint.port;
    let name = match &endpoint.host {
        ServerName::IpAddress(ip) => return Ok(vec![SocketAddr::new((*ip).into(), port)]),
        name => name.to_str().into_owned(),
    };
    if LOOKUPS.fetch_add(1, Ordering::Relaxed) >= MAX_LOOKUPS {
        LOOKUPS.fetch_sub(1, Ordering::Relaxed);
        return Err(io::Error::other(format!("{MAX_LOOKUPS} earlier look-ups have not come back")));
    }
    let (answer, addresses) = oneshot::channel();
    let resolve = move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        LOOKUPS.fetch_sub(1, Ordering::Relaxed);
        drop(answer.send(found)); // nobody may be waiting any more
    };
    if let Err(error) = thread::Builder::new().name("resolver".to_owned()).spawn(resolve) {
        LOOKUPS.fetch_sub(1, Ordering::Relaxed);
        return Err(error);
    }
    let mut addresses = interleaved(addresses.await.map_err(io::Error::other)??);
    addresses.truncate(MAX_ADDRESSES);
    Ok(addresses)
}

/// The addresses with the two families taking turns, beginning with the family of the first, which the resolver prefers;
/// each once.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let prefers_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, others): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv6() == prefers_v6);
    let (mut preferred, mut others) = (preferred.into_iter(), others.into_iter());
    let mut turns = Vec::new();
    loop {
        let turn = [preferred.next(), others.next()];
        if turn == [None, None] {
            return turns;
        }
        for address in turn.into_iter().flatten() {
            if !turns.contains(&address) {
                turns.push(address);
            }
        }
    }
}

/// Connects to the first address that answers. Addresses that did not are added to `failures`, also when the future is
/// dropped because it took too long.
pub async fn connect(
    addresses: &[SocketAddr],
    failures: &mut Vec<(SocketAddr, io::Error)>,
) -> Option<(TcpStream, SocketAddr)> {
    let mut tries = JoinSet::new();
    let mut waiting = addresses.iter().copied();
    loop {
        let stagger = match waiting.next() {
            Some(address) => {
                tries.spawn(async move { (address, TcpStream::connect(address).await) });
                STAGGER
            }
            None if tries.is_empty() => return None,
            None => Duration::MAX, // the caller has a deadline
        };
        match timeout(stagger, tries.join_next()).await {
            Ok(Some(Ok((address, Ok(stream))))) => return Some((stream, address)),
            Ok(Some(Ok((address, Err(error))))) => failures.push((address, error)),
            Ok(None | Some(Err(_))) | Err(_) => {}
        }
    }
}
