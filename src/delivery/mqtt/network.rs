//! From a name to a TCP connection: all its addresses, IPv6 and IPv4 raced (RFC 8305).

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::{timeout, timeout_at};

use super::context::ConnectContext;
use super::settings::Endpoint;
use crate::delivery::error::{Cause, Error, timed_out};
use crate::delivery::phase::Phase;

/// How long an address has before the next is tried in parallel (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// The most addresses that are tried.
const MAX_ADDRESSES: usize = 16;

/// The most lookups that may hang at once. A resolver that never answers must not fill the system with threads.
const MAX_LOOKUPS: usize = 4;

static LOOKUPS: Semaphore = Semaphore::const_new(MAX_LOOKUPS);

/// The phases DNS and TCP.
pub(super) async fn connect(context: ConnectContext<'_>) -> Result<TcpStream, Error> {
    let addresses = lookup(context).await?;
    let timer = context.start(Phase::Tcp);
    let mut failures = Vec::new();
    let connected = timeout_at(timer.deadline, race(&addresses, &mut failures)).await;
    let Ok(Some((stream, address))) = connected else {
        let mut attempts: Vec<String> = failures.iter().map(|(address, error)| format!("{address}: {error}")).collect();
        let mut errors: BTreeSet<ErrorKind> = failures.iter().map(|(_, error)| error.kind()).collect();
        if connected.is_err() {
            let silent = addresses.iter().filter(|address| failures.iter().all(|(failed, _)| failed != *address));
            let silent: Vec<String> = silent.map(ToString::to_string).collect();
            attempts.push(format!("{}: {}", silent.join(", "), timed_out(timer.elapsed())));
            errors.insert(ErrorKind::TimedOut);
        }
        return Err(context.error(Phase::Tcp, Cause::Unreachable { attempts: attempts.join("; "), errors }));
    };
    let _only_slower = stream.set_nodelay(true);
    for (address, error) in &failures {
        context.trace(&format!("TCP: {address}: {error}"));
    }
    context.trace(&format!("TCP: connected to {address} in {}", timer.took()));
    Ok(stream)
}

/// The addresses of the endpoint, at least one; without TLS only those of this machine.
async fn lookup(context: ConnectContext<'_>) -> Result<Vec<SocketAddr>, Error> {
    let timer = context.start(Phase::Lookup);
    let mut addresses = match timeout_at(timer.deadline, resolve(&context.settings.endpoint)).await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => return Err(context.error(Phase::Lookup, Cause::Lookup(error.to_string()))),
        Err(_) => return Err(context.timed_out(timer)),
    };
    let list = addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ");
    if context.tls.is_none() {
        addresses.retain(|address| address.ip().to_canonical().is_loopback());
    }
    if addresses.is_empty() {
        return Err(context.error(Phase::Lookup, Cause::NotLoopback { addresses: list }));
    }
    context.trace(&format!("DNS: {list} in {}", timer.took()));
    Ok(addresses)
}

/// Resolves the endpoint's name. A lookup cannot be canceled, so it runs in a thread of its own that nobody joins: dropping
/// the future is enough.
async fn resolve(endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
    let port = endpoint.port;
    let name = match &endpoint.host {
        ServerName::IpAddress(ip) => return Ok(vec![SocketAddr::new((*ip).into(), port)]),
        name => name.to_str().into_owned(),
    };
    let Ok(permit) = LOOKUPS.try_acquire() else {
        return Err(io::Error::other(format!("{MAX_LOOKUPS} earlier lookups have not returned")));
    };
    let (answer, addresses) = oneshot::channel();
    let resolve = move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        drop(permit);
        drop(answer.send(found)); // the receiver may be gone
    };
    thread::Builder::new().name("resolver".to_owned()).spawn(resolve)?;
    let mut addresses = interleaved(addresses.await.map_err(io::Error::other)??);
    addresses.truncate(MAX_ADDRESSES);
    Ok(addresses)
}

/// The addresses with the two families taking turns, starting with the family of the first, which the resolver prefers.
/// Duplicates are dropped.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let prefers_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, others): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv6() == prefers_v6);
    let mut turns = Vec::new();
    for turn in 0..preferred.len().max(others.len()) {
        for address in [&preferred, &others].into_iter().filter_map(|family| family.get(turn)) {
            if !turns.contains(address) {
                turns.push(*address);
            }
        }
    }
    turns
}

/// Connects to the first address that answers. Addresses that failed are added to `failures`, also when the future is
/// dropped because it took too long.
async fn race(
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
