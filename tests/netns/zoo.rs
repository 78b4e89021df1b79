//! A zoo of sockets: one of every kind that the report treats in its own way.
//!
//! All ports are fixed, as the namespace belongs to the test. Interface `a0` has number 11, `b0` number 12.

use std::io::Read;
use std::net::{Shutdown, SocketAddr};

use procfs::net::{TcpNetEntry, TcpState, tcp, tcp6};
use serde_json::{Value, json};
use socket2::{Domain, Protocol, Socket, Type};

use crate::namespace::{add_addresses, ip, set_up, until};

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
];

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
        for &(families, address) in LISTENERS {
            zoo.open.push((address, listener(families, address)));
        }
        for &(families, address, peer) in DATAGRAMS {
            let socket = bound(families, address, Type::DGRAM);
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

    /// `listening_tcp_ports`: by port, then interface, wildcards first.
    pub(crate) fn tcp_ports() -> Value {
        json!([
            { "port": 1001 },
            { "port": 1002, "interface": "lo" },
            { "port": 1003 },
            { "port": 1004 },
            { "port": 1005, "interface": "a0" },
            { "port": 1006, "interface": "a0" },
            { "port": 1007 },
            { "port": 1008, "interface": "lo" },
            { "port": 1009, "interface": "a0" },
            { "port": 1010, "interface": "a0" },
            { "port": 1010, "interface": "lo" },
            { "port": 1011 },
            { "port": 1012, "interface": "a0" },
        ])
    }

    /// `listening_udp_ports`: the same of UDP sockets that are not connected.
    pub(crate) fn udp_ports(&self) -> Value {
        json!([
            { "port": 2001 },
            { "port": 2002, "interface": "lo" },
            { "port": 2003 },
            { "port": 2005, "interface": "lo" },
            { "port": 2007, "interface": "a0" },
            { "port": 2008 },
            { "port": 2009, "interface": "lo" },
            { "port": self.ephemeral },
        ])
    }

    /// The established connections: both ends of each, by remote address, IPv4 first.
    pub(crate) fn connections() -> Value {
        json!([
            { "local_interface": "a0", "local_port": 3007, "remote_addr": "10.9.1.1:1001" },
            { "local_interface": "a0", "local_port": 1003, "remote_addr": "10.9.1.1:3002" },
            { "local_interface": "a0", "local_port": 3002, "remote_addr": "10.9.1.2:1003" },
            { "local_interface": "a0", "local_port": 1001, "remote_addr": "10.9.1.2:3007" },
            { "local_interface": "lo", "local_port": 3001, "remote_addr": "127.0.0.1:1002" },
            { "local_interface": "lo", "local_port": 3009, "remote_addr": "127.0.0.1:1003" },
            { "local_interface": "lo", "local_port": 1002, "remote_addr": "127.0.0.1:3001" },
            { "local_interface": "lo", "local_port": 1003, "remote_addr": "127.0.0.1:3009" },
            { "local_interface": "lo", "local_port": 3008, "remote_addr": "[::1]:1008" },
            { "local_interface": "lo", "local_port": 1008, "remote_addr": "[::1]:3008" },
            { "local_interface": "a0", "local_port": 3003, "remote_addr": "[2001:db8:1::1]:1009" },
            { "local_interface": "a0", "local_port": 1009, "remote_addr": "[2001:db8:1::1]:3003" },
            { "local_port": 3004, "remote_addr": "[fe80::1]:1007" },
            { "local_port": 1007, "remote_addr": "[fe80::1]:3004" },
        ])
    }

    /// `listening_tcp_ports` of `--compat connector`: one entry a socket.
    pub(crate) fn connector_tcp_ports() -> Value {
        json!([
            { "port": 1001, "interface": "0.0.0.0" },
            { "port": 1002, "interface": "lo" },
            { "port": 1003, "interface": "::" },
            { "port": 1004, "interface": "::" },
            { "port": 1005, "interface": "a0" },
            { "port": 1006, "interface": "a0" },
            { "port": 1006, "interface": "a0" },
            { "port": 1007 },
            { "port": 1007 },
            { "port": 1008, "interface": "lo" },
            { "port": 1009, "interface": "a0" },
            { "port": 1010, "interface": "a0" },
            { "port": 1010, "interface": "a0" },
            { "port": 1010, "interface": "lo" },
            { "port": 1011, "interface": "0.0.0.0" },
            { "port": 1011, "interface": "::" },
            { "port": 1012 },
        ])
    }

    /// `listening_udp_ports` of `--compat connector`: connected sockets too.
    pub(crate) fn connector_udp_ports(&self) -> Value {
        json!([
            { "port": 2001, "interface": "0.0.0.0" },
            { "port": 2002, "interface": "lo" },
            { "port": 2003, "interface": "::" },
            { "port": 2004, "interface": "a0" },
            { "port": 2005, "interface": "lo" },
            { "port": 2006, "interface": "lo" },
            { "port": 2007, "interface": "a0" },
            { "port": 2007, "interface": "a0" },
            { "port": 2008 },
            { "port": 2009 },
            { "port": self.ephemeral, "interface": "0.0.0.0" },
        ])
    }

    /// The established connections of `--compat connector`: what is in the IPv6 table is written as IPv6.
    pub(crate) fn connector_connections() -> Value {
        json!([
            { "local_interface": "a0", "local_port": 3007, "remote_addr": "10.9.1.1:1001" },
            { "local_interface": null, "local_port": 1003, "remote_addr": "[::ffff:10.9.1.1]:3002" },
            { "local_interface": "a0", "local_port": 3002, "remote_addr": "10.9.1.2:1003" },
            { "local_interface": "a0", "local_port": 1001, "remote_addr": "10.9.1.2:3007" },
            { "local_interface": "lo", "local_port": 3001, "remote_addr": "127.0.0.1:1002" },
            { "local_interface": null, "local_port": 3009, "remote_addr": "[::ffff:127.0.0.1]:1003" },
            { "local_interface": "lo", "local_port": 1002, "remote_addr": "127.0.0.1:3001" },
            { "local_interface": null, "local_port": 1003, "remote_addr": "[::ffff:127.0.0.1]:3009" },
            { "local_interface": "lo", "local_port": 3008, "remote_addr": "[::1]:1008" },
            { "local_interface": "lo", "local_port": 1008, "remote_addr": "[::1]:3008" },
            { "local_interface": "a0", "local_port": 3003, "remote_addr": "[2001:db8:1::1]:1009" },
            { "local_interface": "a0", "local_port": 1009, "remote_addr": "[2001:db8:1::1]:3003" },
            { "local_interface": null, "local_port": 3004, "remote_addr": "[fe80::1]:1007" },
            { "local_interface": null, "local_port": 1007, "remote_addr": "[fe80::1]:3004" },
        ])
    }
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
    let domain = if families.contains('6') { Domain::IPV6 } else { Domain::IPV4 };
    let protocol = if kind == Type::STREAM { Protocol::TCP } else { Protocol::UDP };
    let socket = Socket::new(domain, kind, Some(protocol)).unwrap();
    if domain == Domain::IPV6 {
        socket.set_only_v6(families == "6").unwrap();
    }
    socket.set_reuse_address(true).unwrap();
    socket.set_reuse_port(true).unwrap();
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
