//! Traffic within a time, with a known number of bytes sent meanwhile.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::netns::program::{collect_command, counter, report};
use crate::support::{Helper, NET, NET_ONLY, Part, in_namespaces, ip, set_up};

/// How much is sent to the peer in one go, and back: little enough for the socket buffers to hold it.
const CHUNK: u64 = 10_000;
/// Sent to the peer, received from it, and sent over `lo`, while the program counts.
const TO_PEER: u64 = 20 * CHUNK;
const FROM_PEER: u64 = 8 * CHUNK;
const LOOPED: u64 = 10 * CHUNK;
/// More than headers, acknowledgements and what IPv6 says by itself can add; less than any of the above once more.
const OVERHEAD: u64 = FROM_PEER / 2;

#[test]
fn traffic_within_a_time_is_what_was_sent_meanwhile() {
    in_namespaces(NET, |part| {
        if part.name == "peer" {
            return peer();
        }
        ip("link set dev lo up");
        let mut peer = part.start("peer", NET_ONLY);
        ip(&format!("link add name v0 type veth peer name v1 netns {}", peer.pid()));
        ip("link set dev v0 up");
        peer.ask("listen", "listening");
        set_up(&["v0"]);
        ip("addr add 10.8.0.1/24 dev v0");
        let mut connection = TcpStream::connect("10.8.0.2:8000").unwrap();
        peer.ask("accept", "accepted");
        // All this was before, and must not be counted.
        exchange(&mut connection, &mut peer, 10 * TO_PEER, 10 * FROM_PEER);
        loop_around(10 * LOOPED);

        // However slow this machine is: what was sent before the time was over must have been counted.
        let mut seconds = [1, 4, 16, 64, 256].into_iter().map(Duration::from_secs);
        let [all, without_lo, nothing] = loop {
            let within = seconds.next().expect("sending takes longer than four minutes");
            if let Some(reports) = count_while_sending(within, &mut connection, &mut peer) {
                break reports;
            }
        };
        let lists = [
            ("all", &all, "bytes_in", FROM_PEER + LOOPED),
            ("all", &all, "bytes_out", TO_PEER + LOOPED),
            ("without lo", &without_lo, "bytes_in", FROM_PEER),
            ("without lo", &without_lo, "bytes_out", TO_PEER),
        ];
        for (which, report, name, sent) in lists {
            let counted = counter(report, name);
            assert!((sent..sent + OVERHEAD).contains(&counted), "{which}: {name} is {counted} where {sent} were sent");
        }
        for name in ["bytes_in", "bytes_out", "packets_in", "packets_out"] {
            assert_eq!(counter(&nothing, name), 0, "{name} with every interface excluded");
            assert!(counter(&all, name) > counter(&without_lo, name), "{name} of lo");
        }
    });
}

/// Three reports of the traffic within the same time: of all interfaces, without `lo`, and without all. `None` if the
/// time was over before everything was sent.
fn count_while_sending(within: Duration, connection: &mut TcpStream, peer: &mut Helper) -> Option<[Value; 3]> {
    // Two interfaces that have carried more than all others will: one vanishes meanwhile, and must not be subtracted; one
    // is made again, and its counters fall.
    for (name, network) in [("gone", "10.8.1"), ("anew", "10.8.2")] {
        make_interface(name);
        ip(&format!(
            "addr add {network}.1/24 dev {name}
             neigh replace {network}.2 lladdr 02:00:00:00:00:02 dev {name}"
        ));
        send(&format!("{network}.2:9"), 4 * TO_PEER);
    }

    let start = Instant::now();
    let runs = [&[][..], &["lo"], &["lo", "v*", "anew*"]].map(|exclude| Counting::start(within, exclude));
    exchange(connection, peer, TO_PEER, FROM_PEER);
    loop_around(LOOPED);
    ip("link del dev gone
        link del dev anew");
    make_interface("anew");
    let in_time = start.elapsed() < within;
    let reports = runs.map(Counting::finish);
    ip("link del dev anew");
    in_time.then_some(reports)
}

/// Makes an interface and its other end, both in this namespace.
fn make_interface(name: &str) {
    let end = format!("{name}-end");
    ip(&format!("link add name {name} type veth peer name {end}"));
    set_up(&[name, &end]);
}

/// A run of the program that has looked at the counters once and waits to do so again.
struct Counting {
    process: Child,
}

impl Counting {
    fn start(within: Duration, exclude: &[&str]) -> Self {
        let mut command = collect_command(&["-v", "--since", &format!("{}s", within.as_secs())]);
        for pattern in exclude {
            command.args(["--exclude-interface", pattern]);
        }
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut steps = BufReader::with_capacity(1, process.stderr.take().unwrap());
        let waits = steps.by_ref().lines().map_while(Result::ok).any(|line| line.contains("waiting "));
        assert!(waits, "{command:?} never waited");
        process.stderr = Some(steps.into_inner());
        Self { process }
    }

    fn finish(self) -> Value {
        let output: Output = self.process.wait_with_output().unwrap();
        report(&output)
    }
}

/// Sends so many bytes to the peer, and then receives so many, through the connection.
fn exchange(connection: &mut TcpStream, peer: &mut Helper, to_peer: u64, from_peer: u64) {
    let mut chunk = vec![b'x'; usize::try_from(CHUNK).unwrap()];
    for _ in 0..to_peer / CHUNK {
        connection.write_all(&chunk).unwrap();
        peer.ask("read", "has read");
    }
    for _ in 0..from_peer / CHUNK {
        peer.ask("write", "has written");
        connection.read_exact(&mut chunk).unwrap();
    }
}

/// The other end of [`exchange`].
fn peer() {
    let mut chunk = vec![b'y'; usize::try_from(CHUNK).unwrap()];
    let (mut listener, mut connection) = (None, None);
    Part::serve(|line| match line {
        "listen" => {
            set_up(&["v1"]);
            ip("addr add 10.8.0.2/24 dev v1");
            listener = Some(TcpListener::bind("10.8.0.2:8000").unwrap());
            "listening".to_owned()
        }
        "accept" => {
            connection = listener.as_ref().map(|listener| listener.accept().unwrap().0);
            "accepted".to_owned()
        }
        "read" => {
            connection.as_mut().unwrap().read_exact(&mut chunk).unwrap();
            "has read".to_owned()
        }
        "write" => {
            connection.as_mut().unwrap().write_all(&chunk).unwrap();
            "has written".to_owned()
        }
        other => panic!("asked for {other}"),
    });
}

/// Sends so many bytes over the loopback interface.
fn loop_around(bytes: u64) {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    send(&receiver.local_addr().unwrap().to_string(), bytes);
}

/// Sends so many bytes in datagrams of 1000.
fn send(to: &str, bytes: u64) {
    let sender = UdpSocket::bind("0.0.0.0:0").unwrap();
    for _ in 0..bytes / 1000 {
        assert_eq!(sender.send_to(&[b'z'; 1000], to).unwrap(), 1000);
    }
}
