//! File systems that do not respond: `--timeout` ends the run all the same.

use std::io::{self, Write};

use nix::fcntl::{FcntlArg, fcntl};

use crate::support::{
    DeadMount, Device, NET, Part, Peer, Run, Tls, in_namespaces, ip, output, program, tool, wire::puback,
};

/// A device whose files are on a mount that stops responding, and a way to send its report.
fn on_dead_mount(part: &Part) -> (Device, DeadMount) {
    ip("link set dev lo up");
    let device = Device::with_credentials();
    device.write("metrics.json", r#"{"cpu": 1}"#);
    let mount = DeadMount::new(part, device.root(), "dead");
    (device, mount)
}

#[cfg(feature = "greengrass")]
#[test]
fn a_file_that_does_not_respond_ends_the_run_before_anything_is_sent() {
    in_namespaces(NET, |part| {
        let (device, mount) = on_dead_mount(part);
        mount.stop();
        let dead = |name: &str| mount.path().join(name).display().to_string();
        let peer = Peer::raw(|_| Ok(()));
        for (flag, name, told) in [
            ("--state-dir", "state", "using the state in "),
            ("--cert-file", "gw.pem", "reading the certificates and the key"),
            ("--key-file", "gw.key", "reading the certificates and the key"),
            ("--ca-file", "ca.pem", "reading the certificates and the key"),
            ("--custom-metrics", "metrics.json", "reading the custom metrics from "),
            ("--proc", "proc", "reading "),
            ("--greengrass-root", "", "reading the settings"),
        ] {
            let publish = device.publish_to_peer(&peer).set(flag, dead(name)).set("--timeout", "100ms");
            let outcome = publish.ends(73, &[told, ": not done within --timeout 100ms; nothing was sent", "hint: "]);
            if !["reading the certificates and the key", "reading the settings"].contains(&told) {
                outcome.says(&[&dead(name)]);
            }
            if flag == "--state-dir" {
                publish.flag("--dry-run").ends(73, &[told]);
            }
        }
        assert!(!peer.seen().connected);
    });
}

#[test]
fn a_state_directory_that_hangs_after_the_publish_is_another_code() {
    in_namespaces(NET, |part| {
        let (device, mount) = on_dead_mount(part);
        let stopping = mount.clone();
        let peer = Peer::tls(Tls::default(), move |link| {
            let report = link.up_to_report()?;
            stopping.stop();
            link.send(&puback(report.pkid))?;
            link.accepted(&report)?;
            link.silence()
        });
        let state = mount.path().join("state");
        let publish = device.publish_to_peer(&peer).set("--state-dir", state.display()).set("--timeout", "1s");
        publish.ends(75, &["saving the state: not done within --timeout 1s; the report was sent"]);
        assert_eq!(peer.seen().reports().len(), 1);
        mount.resume();
        assert!(device.last_id().is_some() && device.baseline().is_none());
    });
}

/// How long the program takes that makes the metrics is not about the delivery.
#[test]
fn a_pipe_may_take_longer_than_the_timeout() {
    let device = Device::new();
    let peer = Peer::accepting(Tls::default());
    let publish = device.publish_to_peer(&peer).set("--custom-metrics", "-").set("--timeout", "1s");
    let mut command = tool("sh");
    command.env_clear().current_dir(device.root());
    command.args(["-c", r#"(sleep 3; echo '{"cpu": 1}') | "$@""#, "sh", program()]).args(publish.args());
    let output = output(command.env("PATH", "/usr/bin:/bin"));
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    assert_eq!(peer.seen().reports().len(), 1);
}

#[test]
fn a_standard_error_that_nobody_reads_does_not_keep_it() {
    let device = Device::new();
    let peer = Peer::raw(|_| Ok(()));
    let publish = device.publish_to_peer(&peer).flag("-v").set("--timeout", "100ms");
    let (reader, mut writer) = io::pipe().unwrap();
    let size = fcntl(&writer, FcntlArg::F_GETPIPE_SZ).unwrap();
    writer.write_all(&vec![b'\n'; usize::try_from(size).unwrap()]).unwrap();
    let Run { mut command, .. } = publish.run();
    let status = command.stderr(writer).status().unwrap();
    assert_eq!(status.code(), Some(73));
    drop(reader);
    assert!(!peer.seen().connected);
}
