//! A host's `/proc` seen from a container, and proc mounts that show less than usual.
//!
//! In these tests the first part is the host: in namespaces of its own, it is process 1.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::netns::program::{
    collect, collect_command, connections, copy_of_program, counter, finish, listening, report, sockets,
};
use crate::netns::zoo::{bound, client, listener};
use crate::support::{
    HOST, NET_ONLY, Part, add_addresses, bind_proc, in_namespaces, ip, mount_proc, output, powerless, set_up, system,
    tool,
};

#[test]
fn a_hosts_proc_mounted_in_a_container_shows_the_host() {
    in_namespaces(HOST, |part| match part.name.as_str() {
        "container" => container(part),
        "bystander" => bystander(),
        _ => host(part),
    });
}

/// What the host listens on, as seen from the container: two interfaces are in the network around 10.3.0.1, and no
/// route leads to the network of 10.5.0.1, so neither address can be told from the tables alone.
fn of_host() -> Value {
    json!([
        { "port": 1101, "interface": "host0" },
        { "port": 1102, "interface": "host0" },
        { "port": 1103, "interface": "lo" },
        { "port": 1104 },
        { "port": 1105 },
        { "port": 1106 },
        { "port": 1107 },
        { "port": 1108, "interface": "host0" },
    ])
}

/// The same, as seen from the host, where the system knows.
fn of_host_seen_at_home() -> Value {
    let mut ports = of_host();
    ports[5]["interface"] = "host0".into();
    ports[6]["interface"] = "host1".into();
    ports
}

fn host(part: &Part) {
    ip("link set dev lo up
        link add name host0 type veth peer name host1
        link set dev host0 addrgenmode none
        link set dev host1 addrgenmode none");
    set_up(&["host0", "host1"]);
    add_addresses(
        "10.1.0.1/24 dev host0
        10.1.0.2/24 dev host0 label host0:1
        fd00:1::1/64 dev host0 nodad
        10.3.0.1/24 dev host0
        10.3.0.2/24 dev host1
        10.5.0.1/24 dev host1 noprefixroute
        fe80::1/64 dev host0 nodad
        fe80::1/64 dev host1 nodad",
    );
    let index = system(tool("ip").args(["-o", "link", "show", "dev", "host0"]));
    let index = index.split(':').next().unwrap();
    let _listeners = [
        listener("4", "10.1.0.1:1101"),
        listener("6", "[fd00:1::1]:1102"),
        listener("4", "127.0.0.1:1103"),
        listener("4", "0.0.0.0:1104"),
        listener("6", &format!("[fe80::1%{index}]:1105")),
        listener("4", "10.3.0.1:1106"),
        listener("4", "10.5.0.1:1107"),
        listener("4", "10.1.0.2:1108"),
    ];
    let _client = client("10.1.0.1:1110", "10.1.0.1:1101");
    let _datagrams = bound("4", "10.1.0.1:1120", socket2::Type::DGRAM);
    let proc = bind_proc(part, "host_proc");
    copy_of_program(part);

    // At home both are the same, but only netlink knows the scope of a link-local address.
    assert_eq!(*listening(&collect(&["--proc", proc.to_str().unwrap()])), of_host_seen_at_home());
    let mut with_scope = of_host_seen_at_home();
    with_scope[4]["interface"] = "host0".into();
    for args in [&[][..], &["--netns", "1"], &["--netns", "self"]] {
        assert_eq!(*listening(&collect(args)), with_scope, "{args:?}");
    }
    let bystander = part.start("bystander", NET_ONLY);
    fs::write(part.dir.join("bystander"), bystander.pid().to_string()).unwrap();
    part.run("container", HOST);
}

/// A process of the host that has a network namespace of its own.
fn bystander() {
    ip("link set dev lo up");
    let _listener = listener("4", "127.0.0.1:3301");
    Part::hold();
}

fn container(part: &Part) {
    // The host's address on an interface of another name, and one of the host's names with another address.
    ip("link add name cont0 type veth peer name host1");
    set_up(&["cont0", "host1"]);
    add_addresses(
        "10.1.0.1/24 dev cont0
        10.3.0.1/24 dev host1",
    );
    let _listener = listener("4", "10.1.0.1:2201");
    let of_container = json!([{ "port": 2201, "interface": "cont0" }]);
    let of_bystander = json!([{ "port": 3301, "interface": "lo" }]);
    let bystander = fs::read_to_string(part.dir.join("bystander")).unwrap();
    let proc = part.dir.join("host_proc");
    let proc = proc.to_str().unwrap();

    let cases: &[(&[&str], &Value)] = &[
        (&["--proc", proc], &of_host()),
        (&["--proc", proc, "--netns", "1"], &of_host()),
        (&["--proc", proc, "--netns", &bystander], &of_bystander),
        (&["--proc", proc, "--netns", "self"], &of_container),
        (&["--netns", "self"], &of_container),
        (&["--netns", "1"], &of_container),
        (&[], &of_container),
    ];
    let copy = part.dir.join("device-defender");
    for (args, expected) in cases {
        assert_eq!(listening(&collect(args)), *expected, "{args:?}");
        // The namespace of another user's process cannot be told; what the tables show is the same.
        let text = finish(powerless(&copy).arg("collect").args(*args), "");
        assert_eq!(listening(&serde_json::from_str(&text).unwrap()), *expected, "{args:?} without privilege");
    }

    let report = collect(&["--proc", proc]);
    assert_eq!(
        *connections(&report),
        [
            json!({ "local_interface": "host0", "local_port": 1110, "remote_addr": "10.1.0.1:1101" }),
            json!({ "local_interface": "host0", "local_port": 1101, "remote_addr": "10.1.0.1:1110" }),
        ]
    );
    let udp = &sockets(&report)["metrics"]["listening_udp_ports"];
    assert_eq!(*udp, json!({ "ports": [{ "interface": "host0", "port": 1120 }], "total": 1 }));
    // The container's `lo` is down, and only the host's has carried anything.
    let of_lo = |args: &[&str]| {
        counter(
            &collect(&[args, &["--exclude-interface", "host*", "--exclude-interface", "cont*"]].concat()),
            "bytes_out",
        )
    };
    assert!(of_lo(&["--proc", proc]) > 0);
    assert_eq!(of_lo(&[]), 0);
}

#[cfg(feature = "detect")]
#[test]
fn a_proc_mount_that_hides_processes_is_read_as_far_as_it_goes() {
    in_namespaces(HOST, |part| {
        match part.name.as_str() {
            "reader" => return reader(part),
            "reader of its own proc" => return reader_of_its_own_proc(),
            _ => {}
        }
        ip("link set dev lo up");
        let _listener = listener("4", "127.0.0.1:4401");
        for options in MOUNTS.map(|(options, ..)| options) {
            mount_proc(part, options, options);
        }
        copy_of_program(part);
        let criteria = json!({"comparisonOperator": "in-port-set", "value": {"ports": [4401]}});
        let profile = json!([{"name": "ports", "metric": "aws:listening-tcp-ports", "criteria": criteria}]);
        fs::write(part.dir.join("profile.json"), profile.to_string()).unwrap();
        part.run("reader", NET_ONLY);
        part.run("reader of its own proc", &["--net", "--mount"]);
    });
}

/// How a proc file system is mounted, which directories a reader without privilege cannot use then, and which it reads.
const MOUNTS: [(&str, &[&str], &str); 5] = [
    ("hidepid=1", &["1/net"], "net"),
    ("hidepid=2", &["1/net"], "net"),
    ("hidepid=4", &["1/net"], "net"),
    ("subset=pid,hidepid=2", &["1/net", "net"], "self/net"),
    ("subset=pid", &[], "1/net"),
];

/// A process of the host in another network namespace.
fn reader(part: &Part) {
    ip("link set dev lo up");
    let _listener = listener("4", "127.0.0.1:4402");
    let of_host = json!([{ "port": 4401, "interface": "lo" }]);
    let of_reader = json!([{ "port": 4402, "interface": "lo" }]);
    for (options, passed_over, net) in MOUNTS {
        let root = part.dir.join(options);
        let proc = root.to_str().unwrap();
        let mut command = powerless(&part.dir.join("device-defender"));
        command.args(["collect", "--proc", proc]);
        let expected = if passed_over.is_empty() { &of_host } else { &of_reader };
        assert_eq!(listening(&falls_back(&mut command, &root, passed_over, net)), expected, "{options}");
        answers_for_the_host(part, proc, &of_host, !passed_over.is_empty());

        // With the privilege to look into process 1 nothing is hidden; and who asks for his own gets his own.
        assert_eq!(*listening(&collect(&["--proc", proc])), of_host, "{options} with privilege");
        assert_eq!(*listening(&collect(&["--proc", proc, "--netns", "self"])), of_reader, "{options} self");
    }
}

/// What is sent, or judged, is of the host, or it is left out; and with `--strict` that is no success.
fn answers_for_the_host(part: &Part, proc: &str, of_host: &Value, is_hidden: bool) {
    let run = |args: &[&str], code: i32| {
        let mut command = powerless(&part.dir.join("device-defender"));
        command.current_dir(&part.dir).env("HOME", &part.dir).args(args).args(["--proc", proc]);
        let output = output(&mut command);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{command:?}\n{stderr}");
        let left_out = stderr.contains("the report has no ports, connections and traffic");
        assert_eq!(left_out, is_hidden && args[0] != "collect", "{command:?}\n{stderr}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let unless_hidden = |code| if is_hidden { code } else { 0 };
    run(&["collect", "--strict"], unless_hidden(66));
    let dry_run = ["publish", "--dry-run", "--thing-name", "gw", "--endpoint", "localhost", "--insecure-plaintext"];
    for args in [&dry_run[..], &["watch", "--print", "--count", "1"]] {
        let report = run(args, 0);
        run(&[args, &["--strict"]].concat(), unless_hidden(66));
        if is_hidden {
            assert_eq!(report["metrics"], json!({}), "{args:?}");
        } else {
            assert_eq!(listening(&report), of_host, "{args:?}");
        }
    }
    let verdicts = run(&["detect", "--profile", "profile.json", "--format", "json"], unless_hidden(66));
    let unread = ("not-judged", json!("the network namespace of the host could not be read"));
    let (verdict, reason) = if is_hidden { unread } else { ("conforms", Value::Null) };
    let said = &verdicts["behaviors"][0];
    assert_eq!((&said["verdict"], &said["reason"]), (&json!(verdict), &reason));
}

/// A process whose `/proc` itself shows processes only, as `systemd` makes it with `ProcSubset=pid`.
fn reader_of_its_own_proc() {
    system(tool("mount").args(["-t", "proc", "-o", "subset=pid", "proc", "/proc"]));
    ip("link set dev lo up");
    let _listener = listener("4", "127.0.0.1:4403");
    let of_reader = json!([{ "port": 4403, "interface": "lo" }]);
    assert_eq!(*listening(&collect(&[])), of_reader);
    let told = output(collect_command(&["-v"]).arg("--netns=self"));
    assert_eq!(*listening(&report(&told)), of_reader);
    let words = String::from_utf8(told.stderr).unwrap();
    assert!(words.contains("/proc/self/net"), "{words}");
}

/// Runs a command that must succeed, with one warning for each directory of `root` that it could not use, which says
/// what is shown instead. Returns the report.
fn falls_back(command: &mut Command, root: &Path, passed_over: &[&str], net: &str) -> Value {
    let output = output(command);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<&str> = words.lines().collect();
    assert_eq!(lines.len(), passed_over.len(), "{words}");
    let instead = format!("reading {} instead", root.join(net).display());
    for (line, dir) in lines.iter().zip(passed_over) {
        let start = format!("device-defender: warning: {}: ", root.join(dir).display());
        assert!(line.starts_with(&start) && line.contains(&instead) && line.contains("hidepid="), "{line}");
    }
    report(&output)
}
