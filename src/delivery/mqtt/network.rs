//! From a name to a TCP connection: all its addresses, IPv6 and IPv4 raced (RFC 8305).

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::{timeout, timeout_at};

use super::context::ConnectContext;
use super::settings::Endpoint;
use crate::delivery::error::{Cause, Error};
use crate::delivery::phase::Phase;
use crate::text::{MAX_SHOWN, truncate};

/// The most addresses that a message lists for one reason.
const MAX_LISTED: usize = 3;

/// How long an address has before the next is tried in parallel (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// The most addresses that are tried.
const MAX_ADDRESSES: usize = 16;

/// The most lookups that may hang at once. A resolver that never answers must not fill the system with threads.
const MAX_LOOKUPS: usize = 4;

static LOOKUPS: Semaphore = Semaphore::const_new(MAX_LOOKUPS);

/// The phases DNS and TCP.
pub(super) async fn connect(context: ConnectContext<'_>) -> Result<TcpStream, Error> {
    let mut addresses = lookup(context).await?;
    let untried = addresses.len().saturating_sub(MAX_ADDRESSES);
    addresses.truncate(MAX_ADDRESSES);
    let timer = context.attempt.start(Phase::Tcp);
    let mut failures = Vec::new();
    let connected = timeout_at(timer.deadline, race(&addresses, &mut failures)).await;
    let Ok(Some((stream, address))) = connected else {
        let mut errors: BTreeSet<ErrorKind> = failures.iter().map(|(_, error)| error.kind()).collect();
        let mut reasons: Vec<_> = failures.iter().map(|(address, error)| (address.ip(), error.to_string())).collect();
        if connected.is_err() {
            let silent = addresses.iter().filter(|address| failures.iter().all(|(failed, _)| failed != *address));
            reasons.extend(silent.map(|address| (address.ip(), timer.timed_out())));
            errors.insert(ErrorKind::TimedOut);
        }
        let mut attempts = sum_up(&context.settings.endpoint.host, reasons);
        if untried > 0 {
            attempts = format!("{attempts}; {untried} more addresses were not tried");
        }
        return Err(context.error(Phase::Tcp, Cause::Unreachable { attempts, errors }));
    };
    let _only_slower = stream.set_nodelay(true);
    for (address, error) in &failures {
        context.attempt.trace(&format!("TCP: {address}: {error}"));
    }
    context.attempt.trace(&format!("TCP: connected to {address} in {}", timer.took()));
    Ok(stream)
}

/// The addresses of the endpoint, at least one; without TLS only those of this machine.
async fn lookup(context: ConnectContext<'_>) -> Result<Vec<SocketAddr>, Error> {
    let timer = context.attempt.start(Phase::Lookup);
    let mut addresses = match timeout_at(timer.deadline, resolve(&context.settings.endpoint)).await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => return Err(context.error(Phase::Lookup, Cause::Lookup(error.to_string()))),
        Err(_) => return Err(context.timed_out(timer)),
    };
    let list = addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ");
    let list = truncate(&list, MAX_SHOWN);
    if context.tls.is_none() {
        addresses.retain(|address| address.ip().to_canonical().is_loopback());
    }
    if addresses.is_empty() {
        return Err(context.error(Phase::Lookup, Cause::NotLoopback { addresses: list }));
    }
    context.attempt.trace(&format!("DNS: {list} in {}", timer.took()));
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
    Ok(interleaved(addresses.await.map_err(io::Error::other)??))
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

/// Why no address accepted a connection: each reason once, after the addresses it is about. An endpoint that is itself an
/// address is not repeated.
fn sum_up(host: &ServerName<'_>, failures: Vec<(IpAddr, String)>) -> String {
    let mut by_reason: Vec<(String, Vec<IpAddr>)> = Vec::new();
    for (address, reason) in failures {
        match by_reason.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, addresses)) => addresses.push(address),
            None => by_reason.push((reason, vec![address])),
        }
    }
    let parts = by_reason.into_iter().map(|(reason, addresses)| {
        if matches!(host, ServerName::IpAddress(_)) {
            return reason;
        }
        let listed = addresses.iter().take(MAX_LISTED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match addresses.len().saturating_sub(MAX_LISTED) {
            0 => format!("{listed}: {reason}"),
            more => format!("{listed} and {more} more: {reason}"),
        }
    });
    parts.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_addresses_are_summed_up() {
        let failures = |count: u8, reason: &str| {
            (1..=count).map(|n| (IpAddr::from([192, 0, 2, n]), reason.to_owned())).collect::<Vec<_>>()
        };
        let host = ServerName::try_from("broker.test").unwrap();
        let mut mixed = failures(40, "refused");
        mixed.insert(1, ("2001:db8::1".parse().unwrap(), "no answer".to_owned()));
        let expected = "192.0.2.1, 192.0.2.2, 192.0.2.3 and 37 more: refused; 2001:db8::1: no answer";
        assert_eq!(sum_up(&host, mixed), expected);
        assert_eq!(sum_up(&host, failures(3, "refused")), "192.0.2.1, 192.0.2.2, 192.0.2.3: refused");
        assert_eq!(sum_up(&ServerName::try_from("192.0.2.1").unwrap(), failures(1, "refused")), "refused");
    }
}
