//! A zoo of sockets: one of every kind that the report treats in its own way.
//!
//! All ports are fixed, as the namespace belongs to the test. Interface `a0` has number 11, `b0` number 12.

use std::io::Read;
use std::net::{Shutdown, SocketAddr};

use procfs::net::{TcpNetEntry, TcpState, tcp, tcp6};
use serde_json::{Value, json};
use socket2::{Domain, Protocol, Socket, Type};

use crate::support::{add_addresses, ip, set_up, until};

/// The sockets. They are open as long as this lives.
pub(crate) struct Zoo {
    open: Vec<(&'static str, Socket)>,
    /// The port that the system chose for a UDP socket which sent before it was bound.
    pub(crate) ephemeral: u16,
}

const INTERFACES: &str = "
    link set dev lo up
    link add name a0 index 11 type veth peer name b0 index 12
    link set dev a0 addrgenmode none
    link set dev b0 addrgenmode none";

/// Every interface has addresses of its own, and both have the same link-local one.
const ADDRESSES: &str = "
    10.9.1.1/24 dev a0
    10.9.1.2/24 dev a0
    10.9.2.1/24 dev b0
    2001:db8:1::1/64 dev a0 nodad
    fe80::1/64 dev a0 nodad
    fe80::1/64 dev b0 nodad";

/// TCP sockets that listen. With a `6`, for IPv6 only.
const LISTENERS: &[(&str, &str)] = &[
    ("4", "0.0.0.0:1001"),
    ("4", "127.0.0.1:1002"),
    ("46", "[::]:1003"),
    ("6", "[::]:1004"),
    ("4", "10.9.1.2:1005"),     // a secondary address
    ("4", "10.9.1.1:1006"),     // twice with SO_REUSEPORT
    ("4", "10.9.1.1:1006"),     //
    ("6", "[fe80::1%11]:1007"), // the same address on two interfaces
    ("6", "[fe80::1%12]:1007"), //
    ("6", "[::1]:1008"),        //
    ("6", "[2001:db8:1::1]:1009"),
    ("4", "10.9.1.1:1010"),  // one port on two addresses of an interface, and on another interface
    ("4", "10.9.1.2:1010"),  //
    ("4", "127.0.0.1:1010"), //
    ("4", "0.0.0.0:1011"),   // both wildcards
    ("6", "[::]:1011"),      //
    ("46", "[::ffff:10.9.1.1]:1012"),
    ("46", "[::]:1013"), // bound to a device, see `DEVICES`
];

/// UDP sockets that are bound, and the peer of those that are connected.
const DATAGRAMS: &[(&str, &str, Option<&str>)] = &[
    ("4", "0.0.0.0:2001", None),
    ("4", "127.0.0.1:2002", None),
    ("46", "[::]:2003", None),
    ("4", "10.9.1.1:2004", Some("10.9.1.2:2007")),
    ("6", "[::1]:2005", None),
    ("6", "[::1]:2006", Some("[::1]:2005")),
    ("4", "10.9.1.2:2007", None), // twice with SO_REUSEPORT
    ("4", "10.9.1.2:2007", None), //
    ("6", "[fe80::1%12]:2008", None),
    ("46", "[::ffff:127.0.0.1]:2009", None),
    ("4", "0.0.0.0:2010", None), // twice bound to a device, see `DEVICES`
    ("4", "0.0.0.0:2010", None), //
    ("4", "10.9.1.1:2011", None),
];

/// The interfaces that sockets are bound to with `SO_BINDTODEVICE`, in this order.
const DEVICES: &[(&str, &str)] =
    &[("[::]:1013", "b0"), ("0.0.0.0:2010", "a0"), ("0.0.0.0:2010", "b0"), ("10.9.1.1:2011", "b0")];

/// TCP connections, client first, and which of the sockets above accepts it.
const CONNECTIONS: &[(&str, &str, &str)] = &[
    ("127.0.0.1:3001", "127.0.0.1:1002", "127.0.0.1:1002"),
    ("10.9.1.1:3002", "10.9.1.2:1003", "[::]:1003"),
    ("[2001:db8:1::1]:3003", "[2001:db8:1::1]:1009", "[2001:db8:1::1]:1009"),
    ("[fe80::1%11]:3004", "[fe80::1%11]:1007", "[fe80::1%11]:1007"),
    ("[::1]:3008", "[::1]:1008", "[::1]:1008"),
    ("[::ffff:127.0.0.1]:3009", "[::ffff:127.0.0.1]:1003", "[::]:1003"),
];

impl Zoo {
    /// Makes the interfaces and opens the sockets, in a namespace that has neither.
    pub(crate) fn open() -> Self {
        ip(INTERFACES);
        set_up(&["a0", "b0"]);
        add_addresses(ADDRESSES);
        let mut zoo = Self { open: Vec::new(), ephemeral: 0 };
        let mut devices = DEVICES.iter().peekable();
        let mut device = |address| devices.next_if(|(bound, _)| *bound == address).map(|(_, device)| *device);
        for &(families, address) in LISTENERS {
            let socket = bound_to(device(address), families, address, Type::STREAM);
            socket.listen(128).unwrap();
            zoo.open.push((address, socket));
        }
        for &(families, address, peer) in DATAGRAMS {
            let socket = bound_to(device(address), families, address, Type::DGRAM);
            if let Some(peer) = peer {
                socket.connect(&parse(peer).into()).unwrap();
            }
            zoo.keep(socket);
        }
        for &(from, to, listener) in CONNECTIONS {
            zoo.keep(client(from, to));
            zoo.keep(zoo.accept(listener));
        }
        zoo.close_halfway();
        zoo.open_the_invisible();
        check_it_is_complete();
        zoo
    }

    fn keep(&mut self, socket: Socket) {
        self.open.push(("", socket));
    }

    /// Takes the next connection of the socket that listens on `address`.
    fn accept(&self, address: &str) -> Socket {
        let (_, listener) = self.open.iter().find(|(name, _)| *name == address).unwrap();
        listener.accept().unwrap().0
    }

    /// Connections that are not established any more.
    fn close_halfway(&mut self) {
        // The client sends no more, the server has not closed: FIN_WAIT2 and CLOSE_WAIT.
        let waiting = client("127.0.0.1:3005", "127.0.0.1:1002");
        waiting.shutdown(Shutdown::Write).unwrap();
        let mut server = self.accept("127.0.0.1:1002");
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
        self.keep(waiting);
        self.keep(server);
        // Both have closed, the client first: TIME_WAIT.
        drop(client("127.0.0.1:3006", "127.0.0.1:1002"));
        let mut server = self.accept("127.0.0.1:1002");
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
    }

    /// Sockets that are easily taken for something they are not.
    fn open_the_invisible(&mut self) {
        // Established, but not accepted yet: it belongs to no process.
        self.keep(client("10.9.1.2:3007", "10.9.1.1:1001"));
        // Sent to without being bound: as good as bound.
        let sender = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        sender.send_to(b"hello", &parse("127.0.0.1:2002").into()).unwrap();
        self.ephemeral = sender.local_addr().unwrap().as_socket().unwrap().port();
        self.keep(sender);
        // Bound, not listening; neither bound nor connected; never answered.
        self.keep(bound("4", "127.0.0.1:4001", Type::STREAM));
        self.keep(Socket::new(Domain::IPV6, Type::DGRAM, None).unwrap());
        ip("neigh replace 10.9.1.99 lladdr 02:00:00:00:00:99 dev a0");
        let unanswered = bound("4", "10.9.1.1:4002", Type::STREAM);
        unanswered.set_nonblocking(true).unwrap();
        unanswered.connect(&parse("10.9.1.99:9").into()).unwrap_err();
        self.keep(unanswered);
    }

    /// `listening_tcp_ports`: by port, then interface, wildcards first. Only netlink knows the devices that sockets are bound
    /// to, of link-local addresses too.
    pub(crate) fn tcp_ports(source: &str) -> Value {
        let (link_local, on_device) =
            if source == "netlink" { ("1007@a0 1007@b0", "1013@b0") } else { ("1007", "1013") };
        ports(&format!(
            "1001 1002@lo 1003 1004 1005@a0 1006@a0 {link_local} 1008@lo 1009@a0 1010@a0 1010@lo 1011 1012@a0 {on_device}"
        ))
    }

    /// `listening_udp_ports`: the same of UDP sockets that are not connected.
    pub(crate) fn udp_ports(&self, source: &str) -> Value {
        let (link_local, on_devices) =
            if source == "netlink" { ("2008@b0", "2010@a0 2010@b0") } else { ("2008", "2010") };
        let ephemeral = self.ephemeral;
        ports(&format!("2001 2002@lo 2003 2005@lo 2007@a0 {link_local} 2009@lo {on_devices} 2011@a0 {ephemeral}"))
    }

    /// The established connections: both ends of each, by remote address, IPv4 first.
    pub(crate) fn connections(source: &str) -> Value {
        let interface = if source == "netlink" { "@a0" } else { "" };
        connections(&format!(
            "10.9.1.1:1001<3007@a0 10.9.1.1:3002<1003@a0 10.9.1.2:1003<3002@a0 10.9.1.2:3007<1001@a0 \
             127.0.0.1:1002<3001@lo 127.0.0.1:1003<3009@lo 127.0.0.1:3001<1002@lo 127.0.0.1:3009<1003@lo \
             [::1]:1008<3008@lo [::1]:3008<1008@lo [2001:db8:1::1]:1009<3003@a0 [2001:db8:1::1]:3003<1009@a0 \
             [fe80::1]:1007<3004{interface} [fe80::1]:3004<1007{interface}",
        ))
    }

    /// `listening_tcp_ports` of `--compat connector`: one entry a socket.
    pub(crate) fn connector_tcp_ports() -> Value {
        ports(
            "1001@0.0.0.0 1002@lo 1003@:: 1004@:: 1005@a0 1006@a0 1006@a0 1007 1007 1008@lo 1009@a0 1010@a0 1010@a0 \
             1010@lo 1011@0.0.0.0 1011@:: 1012 1013@::",
        )
    }

    /// `listening_udp_ports` of `--compat connector`: connected sockets too.
    pub(crate) fn connector_udp_ports(&self) -> Value {
        ports(&format!(
            "2001@0.0.0.0 2002@lo 2003@:: 2004@a0 2005@lo 2006@lo 2007@a0 2007@a0 2008 2009 2010@0.0.0.0 \
             2010@0.0.0.0 2011@a0 {}@0.0.0.0",
            self.ephemeral
        ))
    }

    /// The established connections of `--compat connector`: what is in the IPv6 table is written as IPv6.
    pub(crate) fn connector_connections() -> Value {
        connections(
            "10.9.1.1:1001<3007@a0 [::ffff:10.9.1.1]:3002<1003@null 10.9.1.2:1003<3002@a0 10.9.1.2:3007<1001@a0 \
             127.0.0.1:1002<3001@lo [::ffff:127.0.0.1]:1003<3009@null 127.0.0.1:3001<1002@lo \
             [::ffff:127.0.0.1]:3009<1003@null [::1]:1008<3008@lo [::1]:3008<1008@lo [2001:db8:1::1]:1009<3003@a0 \
             [2001:db8:1::1]:3003<1009@a0 [fe80::1]:1007<3004@null [fe80::1]:3004<1007@null",
        )
    }
}

/// A list of ports, each written as `PORT` or `PORT@INTERFACE`.
fn ports(list: &str) -> Value {
    list.split(' ').map(|entry| with_interface("port", "interface", entry)).collect()
}

/// A list of connections, each written as `REMOTE<PORT` or `REMOTE<PORT@INTERFACE`, where `null` is no interface.
fn connections(list: &str) -> Value {
    let connection = |entry: &str| {
        let (remote, local) = entry.split_once('<').unwrap();
        let mut connection = with_interface("local_port", "local_interface", local);
        connection["remote_addr"] = remote.into();
        connection
    };
    list.split(' ').map(connection).collect()
}

fn with_interface(port_name: &str, interface_name: &str, entry: &str) -> Value {
    let (port, interface) = entry.split_once('@').unwrap_or((entry, ""));
    let mut object = json!({ port_name: port.parse::<u16>().unwrap() });
    match interface {
        "" => {}
        "null" => object[interface_name] = Value::Null,
        name => object[interface_name] = name.into(),
    }
    object
}

/// Waits until the kernel shows every state that the zoo is there for.
fn check_it_is_complete() {
    for (port, state) in [
        (3005, TcpState::FinWait2),
        (3006, TcpState::TimeWait),
        (3007, TcpState::Established),
        (4002, TcpState::SynSent),
    ] {
        until(&format!("port {port} in {state:?}"), || has(port, &state));
    }
    let in_state = |state| tcp_rows().into_iter().filter(|row| row.state == state).count();
    until("server side of the connection not accepted yet", || in_state(TcpState::Established) == 14);
    assert_eq!(in_state(TcpState::CloseWait), 1);
    assert_eq!(in_state(TcpState::Listen), LISTENERS.len());
}

/// A listening TCP socket. `families` is `4`, `6`, or `46` for an IPv6 socket that takes IPv4 too.
pub(crate) fn listener(families: &str, address: &str) -> Socket {
    let socket = bound(families, address, Type::STREAM);
    socket.listen(128).unwrap();
    socket
}

/// A connected TCP socket.
pub(crate) fn client(from: &str, to: &str) -> Socket {
    let families = if from.contains("::ffff:") { "46" } else { family_of(from) };
    let socket = bound(families, from, Type::STREAM);
    socket.connect(&parse(to).into()).unwrap_or_else(|error| panic!("connect {from} to {to}: {error}"));
    socket
}

/// A bound socket that shares its port with others of this user.
pub(crate) fn bound(families: &str, address: &str, kind: Type) -> Socket {
    bound_to(None, families, address, kind)
}

fn bound_to(device: Option<&str>, families: &str, address: &str, kind: Type) -> Socket {
    let domain = if families.contains('6') { Domain::IPV6 } else { Domain::IPV4 };
    let protocol = if kind == Type::STREAM { Protocol::TCP } else { Protocol::UDP };
    let socket = Socket::new(domain, kind, Some(protocol)).unwrap();
    if domain == Domain::IPV6 {
        socket.set_only_v6(families == "6").unwrap();
    }
    socket.set_reuse_address(true).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind_device(device.map(str::as_bytes)).unwrap();
    let address = parse(address);
    socket.bind(&address.into()).unwrap_or_else(|error| panic!("bind {address}: {error}"));
    socket
}

fn family_of(address: &str) -> &'static str {
    if parse(address).is_ipv6() { "6" } else { "4" }
}

fn parse(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

/// The rows of both TCP tables, as the crate `procfs` reads them.
pub(crate) fn tcp_rows() -> Vec<TcpNetEntry> {
    [tcp().unwrap(), tcp6().unwrap()].concat()
}

/// Whether a TCP socket with this local port is in this state.
fn has(port: u16, state: &TcpState) -> bool {
    tcp_rows().iter().any(|row| row.local_address.port() == port && row.state == *state)
}
