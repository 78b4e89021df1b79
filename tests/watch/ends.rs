//! SIGTERM in every phase: the end comes at once, with 0, and the state file is whole. SIGINT ends as signals do.

use std::fs::{self, File};
use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::process::ExitStatusExt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};

use crate::support::{
    CommandLine, Device, Link, NET, NEVER, Peer, Tls, accepting, black_holes, hosts_file, in_namespaces,
};
use crate::watch::running::Watch;

/// Runs it up to a phase, and ends it there.
fn ends_in(phase: &str, device: &Device, up_to_phase: impl FnOnce() -> Watch) {
    println!("{phase}");
    up_to_phase().stop();
    if let Some(state) = device.state() {
        assert!(state["last_report_id"].is_u64(), "{state}");
    }
}

/// The same with the signal that a terminal sends.
fn ends_as_signals_do_in(phase: &str, device: &Device, up_to_phase: impl FnOnce() -> Watch) {
    println!("{phase}");
    let watch = up_to_phase();
    watch.signal("INT");
    let ended = watch.ends();
    assert_eq!(ended.status.signal(), Some(2), "{phase}: {ended:?}");
    if let Some(state) = device.state() {
        assert!(state["last_report_id"].is_u64(), "{state}");
    }
}

/// A peer that plays a script, says when it is through with it, and then is silent for ever.
fn silent(script: impl FnOnce(&mut Link) -> std::io::Result<()> + Send + 'static) -> (Peer, Receiver<()>) {
    let (sender, reached): (Sender<()>, _) = channel();
    let peer = Peer::raw(move |link| {
        script(link)?;
        let _test_is_over = sender.send(());
        link.silence()
    });
    (peer, reached)
}

/// A run that would wait for minutes: if it ends, it ends because it was asked to.
fn patient(device: &Device, port: u16) -> CommandLine {
    device.watch_port(port).set("--timeout", "10m")
}

fn tls(link: &mut Link) -> std::io::Result<()> {
    link.start_tls(Tls::default().config())
}

#[test]
fn while_it_waits() {
    let (broker, _service, device) = accepting();
    let flags = device.watch_broker(&broker).set("--interval", "1day");
    let waits = || {
        drop(fs::remove_file(device.path("state/gw.json")));
        let mut watch = flags.start();
        watch.until("accepted");
        watch
    };
    ends_in("between two reports", &device, waits);
    ends_as_signals_do_in("between two reports", &device, waits);
    ends_in("splay", &device, || {
        let mut watch = flags.clone().set("--splay", "1h").start();
        watch.logs("first report in ");
        watch
    });
    ends_in("another try", &device, || {
        let mut watch = flags.clone().set("--key-file", "none").set("--state-dir", "none").start();
        watch.until("none");
        watch
    });
}

#[test]
fn while_it_waits_for_the_lock() {
    let (broker, _service, device) = accepting();
    let lock = File::create(device.path("state/gw.lock")).unwrap();
    lock.lock().unwrap();
    let flags = patient(&device, broker.tls).env("WATCHDOG_USEC", "3600000000");
    ends_in("lock", &device, || {
        let mut watch = flags.start();
        for _ in 0..4 {
            while watch.notice() != "WATCHDOG=1" {} // one before the cycle, then one each time the lock is tried
        }
        watch
    });
    assert_eq!(device.state(), None);
}

#[test]
fn while_the_broker_is_silent() {
    type Script = fn(&mut Link) -> std::io::Result<()>;
    let phases: [(&str, Script); 5] = [
        ("TLS", |link| link.read_some().map(drop)),
        ("CONNECT", |link| tls(link).and_then(|()| link.receive()).map(drop)),
        ("SUBSCRIBE", |link| {
            tls(link)?;
            link.accept_connect()?;
            link.subscribe().map(drop)
        }),
        ("PUBLISH", |link| {
            tls(link)?;
            link.up_to_report().map(drop)
        }),
        ("answer", |link| {
            tls(link)?;
            link.up_to_puback().map(drop)
        }),
    ];
    for (phase, script) in phases {
        let device = Device::with_credentials();
        let (peer, reached) = silent(script);
        ends_in(phase, &device, || {
            let watch = patient(&device, peer.port()).start();
            reached.recv_timeout(NEVER).unwrap();
            watch
        });
        assert!(peer.seen().connected);
        let id = device.state().map(|state| state["last_report_id"].as_u64());
        assert_eq!(id.is_some(), ["PUBLISH", "answer"].contains(&phase), "the id is on disk before the PUBLISH");
        assert_eq!(device.baseline(), None);
    }
}

#[test]
fn while_the_network_is_a_hole() {
    in_namespaces(NET, |part| {
        black_holes();
        let device = Device::with_credentials();
        let flags = patient(&device, 8883);
        ends_in("TCP", &device, || {
            let mut watch = flags.clone().set("--endpoint", "192.0.2.2").flag("-v").start();
            watch.logs("DNS: 192.0.2.2");
            watch
        });
        let resolver = UdpSocket::bind("127.0.0.1:53").unwrap();
        resolver.set_read_timeout(Some(NEVER)).unwrap();
        hosts_file(part, "resolv.conf", "nameserver 127.0.0.1\noptions timeout:30\n");
        ends_in("DNS", &device, || {
            let watch = flags.clone().set("--endpoint", "broker.test").start();
            resolver.recv(&mut [0; 512]).unwrap();
            watch
        });
    });
}

#[test]
fn while_nobody_reads_what_it_prints() {
    let device = Device::with_credentials();
    let flags = print(&device);
    let mut readers = Vec::new();
    let mut blocked = || {
        let (reader, mut writer) = std::io::pipe().unwrap();
        readers.push(reader); // it stays open
        let size = fcntl(&writer, FcntlArg::F_GETPIPE_SZ).unwrap();
        writer.write_all(&vec![b'\n'; usize::try_from(size).unwrap()]).unwrap();
        let mut watch = Watch::start_with(&flags, |command| command.stdout(writer));
        watch.logs("proc/net/dev"); // the last that is told before the line is written
        watch
    };
    ends_in("pipe", &device, &mut blocked);
    ends_as_signals_do_in("pipe", &device, blocked);
}

fn print(device: &Device) -> CommandLine {
    device.watch().set("--interval", "100ms").flag("--print").flag("-v")
}

/// As an impatient operator does.
#[test]
fn a_second_signal_ends_it_there_and_then() {
    let device = Device::with_credentials();
    let (peer, reached) = silent(|link| link.read_some().map(drop));
    let watch = patient(&device, peer.port()).start();
    reached.recv_timeout(NEVER).unwrap();
    watch.signal("TERM");
    watch.signal("TERM");
    let ended = watch.ends();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    drop(peer.seen());
}

/// Ended at any moment, again and again: the state file is whole, and ids grow.
#[test]
fn at_any_moment() {
    let (broker, service, device) = accepting();
    let flags = device.watch_plain(broker.plain).set("--interval", "10ms");
    let mut random = 12345_u64;
    for run in 0..16 {
        let mut watch = flags.start();
        watch.until("accepted");
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_micros((random >> 33) % 20_000)); // any moment is as good as another
        if run % 2 == 0 {
            watch.stop();
        } else {
            drop(watch);
        }
        assert!(device.state().is_some_and(|state| state["last_report_id"].is_u64()), "run {run}");
    }
    let ids: Vec<u64> = service.reports().iter().map(crate::support::Received::id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
}
