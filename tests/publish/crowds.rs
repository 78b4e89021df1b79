//! Many runs at once on one state, and runs that are killed at any instant.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{BEFORE, NEVER, Peer, Tls, accepting, tool, traffic};

#[test]
fn twenty_runs_at_once_share_nothing_they_must_not() {
    let (broker, service, device) = accepting();
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| device.publish_to(&broker).set("--timeout", "60s").succeeds());
        }
    });
    let reports = service.reports();
    assert_eq!(reports.len(), 20);
    let ids: Vec<u64> = reports.iter().map(crate::support::Received::id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert_eq!((device.last_id(), device.baseline()), (ids.last().copied(), Some(BEFORE)));
    let traffic: Vec<_> = reports.iter().map(|report| traffic(&report.json())).collect();
    assert_eq!(traffic[0], None);
    assert!(traffic[1..].iter().all(|traffic| *traffic == Some([0; 4])), "{traffic:?}");
    assert!(!broker.log().contains("already connected"), "no two had one client ID at once");
}

/// The delay is what is tested here: the run is killed at any instant of it.
#[test]
fn killed_at_any_instant_it_leaves_a_state_that_is_whole() {
    let (broker, service, device) = accepting();
    device.publish_to(&broker).succeeds();
    service.report();
    let (mut last_id, mut counted) = (device.last_id().unwrap(), vec![BEFORE]);
    let mut sent = BTreeSet::new();
    let (mut killed, mut longest) = (0, Duration::ZERO);
    for round in 0..223 {
        let now = BEFORE.map(|counter| counter + round * 1000);
        device.count(now);
        counted.push(now);
        let start = Instant::now();
        let mut command: Command = device.publish_to(&broker).run().command;
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        if round % 10 == 0 {
            assert_eq!(child.wait().unwrap().code(), Some(0));
            longest = start.elapsed() * 5 / 4; // of a run as fast as they are now
        } else {
            thread::sleep(random_part_of(longest));
            child.kill().unwrap();
            match child.wait().unwrap().code() {
                None => killed += 1,
                code => assert_eq!(code, Some(0)),
            }
        }
        let id = device.last_id().unwrap();
        assert!(id >= last_id, "{id} after {last_id}");
        last_id = id;
        let baseline = device.baseline().unwrap();
        assert!(counted.contains(&baseline), "{baseline:?}");
        for report in service.reports() {
            assert!(report.id() <= last_id && sent.insert(report.id()), "an id was used twice: {report:?}");
        }
    }
    assert!(killed >= 20, "killed {killed}, within {longest:?}");
    device.publish_to(&broker).succeeds();
    assert_eq!((device.last_id() > Some(last_id), device.baseline().as_ref()), (true, counted.last()));
    let left: Vec<_> = fs::read_dir(device.path("state")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.len() <= 3, "no heap of temporary files: {left:?}");
}

/// As systemd does it. (What Ctrl-C sends is ignored where tests run in the background, and that is inherited.)
#[test]
fn a_signal_ends_it_and_frees_the_state() {
    let (broker, service, device) = accepting();
    let (connected, is_connected) = channel();
    let peer = Peer::tls(Tls::default(), move |link| {
        link.accept_connect()?;
        link.subscribe()?;
        connected.send(()).unwrap();
        link.silence()
    });
    let mut command: Command = device.publish_to_peer(&peer).run().command;
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    is_connected.recv_timeout(NEVER).unwrap();
    let kill = format!("kill -TERM {}", child.id());
    assert!(tool("sh").args(["-c", &kill]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    assert_eq!(peer.seen().reports().len(), 0);
    device.publish_to(&broker).set("--timeout", "10s").succeeds();
    assert_eq!(service.reports().len(), 1);
}

fn random_part_of(longest: Duration) -> Duration {
    let nanos = u64::try_from(longest.as_nanos()).unwrap();
    Duration::from_nanos(RandomState::new().hash_one(0) % nanos)
}
