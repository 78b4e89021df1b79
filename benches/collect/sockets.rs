//! Opens the sockets of a scale, in as many processes as the limit of descriptors requires.
//!
//! A connection consists of two established sockets on the loopback interface. A reset closes them (`SO_LINGER` 0), so
//! that none stays in `TIME_WAIT` and the benchmark ends quickly.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, PipeWriter};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::process::{Result, SOCKETS, own_path};
use crate::scale::Scale;

/// The port where the first process accepts its connections. Each further process uses the next port.
const HUB_PORT: u32 = 2_000;
/// The first port of the listening sockets that are counted, and of the UDP sockets.
const LISTENER_PORT: u32 = 7_000;
/// The first port of clients. All listening ports must be below.
const CLIENT_PORT: u32 = 10_000;
/// The number of client addresses, starting at 127.0.0.2. A server with many peers sees many addresses too.
const CLIENT_ADDRESSES: u32 = 200;
/// The number of client ports.
const CLIENT_PORTS: u32 = 50_000;
/// Descriptors that a process needs for other things.
const OTHER_DESCRIPTORS: u32 = 32;

/// The processes that hold the sockets of a scale. Dropping this closes the sockets.
pub(crate) struct Sockets {
    processes: Vec<Child>,
    /// The write end of the standard input of all processes.
    hold: Option<PipeWriter>,
}

impl Sockets {
    /// Opens all sockets of the scale in our network namespace. A process that fails prints the reason itself.
    pub(crate) fn open(scale: &Scale, ipv6: bool) -> Result<Self> {
        let singles = scale.listeners + scale.udp + OTHER_DESCRIPTORS;
        let limit = raise_descriptor_limit(2 * scale.connections + singles)?;
        let each = limit.saturating_sub(singles) / 2;
        if each == 0 {
            return Err(format!("the limit of {limit} open files is too low (ulimit -Hn)").into());
        }
        let processes = scale.connections.div_ceil(each);
        let (stdin, hold) = io::pipe()?;
        let mut sockets = Self { processes: Vec::new(), hold: Some(hold) };
        for index in 0..processes {
            let [index, processes, ipv6] = [index.to_string(), processes.to_string(), ipv6.to_string()];
            let mut command = Command::new(own_path()?);
            command.args([SOCKETS, scale.name, &index, &processes, &ipv6]);
            sockets.processes.push(command.stdin(stdin.try_clone()?).stdout(Stdio::piped()).spawn()?);
        }
        for child in &mut sockets.processes {
            let mut line = String::new();
            if let Some(stdout) = child.stdout.take() {
                BufReader::new(stdout).read_line(&mut line)?;
            }
            if line.is_empty() {
                return Err("not all sockets could be opened".into());
            }
        }
        Ok(sockets)
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        drop(self.hold.take());
        for child in &mut self.processes {
            if let Err(error) = child.wait() {
                eprintln!("cannot wait for a process with sockets: {error}");
            }
        }
    }
}

/// Raises the limit of descriptors of this process and its children to `wanted` if permitted. Returns the new limit.
fn raise_descriptor_limit(wanted: u32) -> Result<u32> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let more = hard.max(wanted.into());
    if setrlimit(Resource::RLIMIT_NOFILE, wanted.into(), more).is_ok() {
        return Ok(wanted);
    }
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(u32::try_from(hard).unwrap_or(u32::MAX).min(wanted))
}

/// The process [`SOCKETS`]: opens a share of the sockets, prints a line, and holds them until standard input ends.
pub(crate) fn main(args: &[OsString]) -> Result<()> {
    let args: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    let [name, index, processes, ipv6] = args.as_slice() else {
        return Err("expected scale, index, processes and ipv6".into());
    };
    let scale = Scale::named(name).ok_or("unknown scale")?;
    let sockets = open_share(scale, index.parse()?, processes.parse()?, ipv6.parse()?)?;
    println!("{} sockets are open", sockets.len());
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    drop(sockets);
    Ok(())
}

fn open_share(scale: &Scale, index: u32, processes: u32, ipv6: bool) -> Result<Vec<Socket>> {
    let connections = scale.connections / processes + u32::from(index < scale.connections % processes);
    let mut sockets = Vec::new();
    {
        let hub4 = listen(address(Ipv4Addr::LOCALHOST, HUB_PORT + index)?)?;
        let hub6 = if ipv6 { Some(listen(address(Ipv6Addr::LOCALHOST, HUB_PORT + index)?)?) } else { None };
        for number in 0..connections {
            match &hub6 {
                Some(hub) if number % 100 < scale.ipv6_percent => {
                    // Unique as long as a process has at most CLIENT_PORTS IPv6 connections.
                    let client = address(Ipv6Addr::LOCALHOST, CLIENT_PORT + number % CLIENT_PORTS)?;
                    sockets.extend(connect(client, hub)?);
                }
                _ => {
                    let [high, low] = [number / CLIENT_ADDRESSES, number % CLIENT_ADDRESSES];
                    let client = Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST) + 1 + low);
                    sockets.extend(connect(address(client, CLIENT_PORT + high)?, &hub4)?);
                }
            }
        }
    }
    if index == 0 {
        for number in 0..scale.listeners {
            sockets.push(listen(address(listener_address(number, ipv6), LISTENER_PORT + number)?)?);
        }
        for number in 0..scale.udp {
            sockets.push(bind(Type::DGRAM, address(listener_address(number, ipv6), LISTENER_PORT + number)?)?);
        }
    }
    Ok(sockets)
}

/// Alternates between wildcard and loopback addresses of both families.
fn listener_address(number: u32, ipv6: bool) -> IpAddr {
    match number % 4 {
        1 if ipv6 => Ipv6Addr::UNSPECIFIED.into(),
        2 => Ipv4Addr::LOCALHOST.into(),
        3 if ipv6 => Ipv6Addr::LOCALHOST.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    }
}

fn address(ip: impl Into<IpAddr>, port: u32) -> Result<SocketAddr> {
    Ok(SocketAddr::new(ip.into(), u16::try_from(port)?))
}

/// Opens a socket and binds it.
fn bind(kind: Type, address: SocketAddr) -> Result<Socket> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), kind, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if kind == Type::STREAM {
            socket.set_linger(Some(Duration::ZERO))?;
            // Clients of different processes use the same addresses and ports; only their peers differ.
            socket.set_reuse_address(true)?;
        }
        socket.bind(&SockAddr::from(address))?;
        Ok(socket)
    };
    open().map_err(|error: io::Error| format!("cannot open a socket on {address}: {error}").into())
}

fn listen(address: SocketAddr) -> Result<Socket> {
    let socket = bind(Type::STREAM, address)?;
    socket.listen(16)?;
    Ok(socket)
}

/// Connects from `client` to the listening socket. Returns both ends.
fn connect(client: SocketAddr, hub: &Socket) -> Result<[Socket; 2]> {
    let near = bind(Type::STREAM, client)?;
    let accept = || {
        near.connect(&hub.local_addr()?)?;
        let (far, _) = hub.accept()?;
        far.set_linger(Some(Duration::ZERO))?;
        Ok(far)
    };
    let far = accept().map_err(|error: io::Error| format!("cannot connect from {client}: {error}"))?;
    Ok([near, far])
}
