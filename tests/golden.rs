//! What `collect` makes of saved `/proc` trees: every one in `tests/fixtures`, in every form, against the documents in
//! `tests/golden`.
//!
//! What was really open on those machines stands in `tests/fixtures/TREE/PROVENANCE.md`; [`SCENES`] has it in short.
//! To rewrite the golden documents after a change that is meant:
//!
//! ```sh
//! UPDATE=1 cargo test --test golden
//! ```
//!
//! and then read the difference. In the files the report id is 0, and JSON has a line end after each entry of a list, to
//! be readable; nothing else is changed.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail; helpers are no tests to clippy")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use common::Run;
use serde_json::Value;

/// What was open on one of the machines, as its PROVENANCE.md tells it.
struct Scene {
    tree: &'static str,
    /// `PORT` on all interfaces, `PORT@INTERFACE` on an address of one, `PORT@-` on an address that none has.
    tcp: &'static str,
    udp: &'static str,
    /// How many established connections there were, by remote address.
    peers: &'static [(&'static str, u64)],
    /// Bytes and packets in, bytes and packets out, over all interfaces; summed by hand.
    traffic: [u64; 4],
}

const SCENES: [Scene; 6] = [
    Scene { tree: "idle", tcp: "22", udp: "68", peers: &[("198.51.100.7", 1)], traffic: [712, 8, 668, 8] },
    Scene {
        tree: "busy",
        tcp: "1 22 65535 9000 9100 5432@lo 53@lo 80@eth0 9001@eth0 8081@eth0 8082@eth0 8083@eth0 8084@eth1 8085@tun0 \
              8086@eth2 8087@eth1 8088@eth2 8089@eth2 8090@eth2 7000@- 443 9002 631@lo 8080@eth1 8092@eth2 8091@eth0 \
              8091@eth1 8443@eth0",
        udp: "68 123 5353 323@lo 53@lo 123@eth0 123@eth1 500@tun0 137@- 6000@- 5353@- 161 546 546@eth0 546@eth1",
        peers: &[
            ("127.0.0.1", 20),
            ("192.0.2.1", 81),
            ("192.0.2.10", 3),
            ("192.0.2.11", 3),
            ("198.51.100.7", 48),
            ("198.51.100.8", 13),
            ("198.51.100.9", 13),
            ("198.51.100.99", 2),
            ("[2001:db8:ffff::7]", 20),
            ("[2001:db8::1]", 65),
            ("[::1]", 8),
            ("[fe80::2]", 2),
        ],
        traffic: [4_727_465_077, 106_042, 5_045_248_440, 106_900],
    },
    Scene {
        tree: "ipv6-off",
        tcp: "22 631@lo 80@eth0 1883@dummy0",
        udp: "68 123@eth0",
        peers: &[("192.0.2.1", 1), ("198.51.100.7", 2)],
        traffic: [602, 9, 602, 9],
    },
    Scene {
        tree: "container",
        tcp: "22 631@lo 443@eth0 5000@docker0",
        udp: "68 53@docker0 546",
        peers: &[("172.17.0.2", 1), ("192.0.2.1", 2), ("[2001:db8::1]", 1)],
        traffic: [2026, 27, 3550, 41],
    },
    Scene {
        tree: "vlan-bridge",
        tcp: "22 8125@lo 53@lo 443@eth0 502@eth0.100 53@br-lan 80@br-lan 5000@docker0 2375@br-0a1b2c3d4e5f 53@virbr0 \
              9100@wg0 502@eth0.200",
        udp: "51821 67 53@br-lan 53@virbr0 514@docker0 47808@eth0.100 123@wg0 48344 547@docker0 547@br-lan",
        peers: &[("172.17.0.2", 2), ("192.0.2.1", 1), ("198.51.100.1", 2), ("[2001:db8:100::1]", 1)],
        traffic: [39852, 188, 47744, 248],
    },
    Scene {
        tree: "big-endian",
        tcp: "22 22222@lo 1883@dummy0 80@eth0 8080 631@lo 443@eth0 546@eth0",
        udp: "68 123@eth0 546",
        peers: &[("192.0.2.1", 2), ("198.51.100.7", 1), ("[2001:db8::1]", 2)],
        traffic: [1784, 22, 1982, 23],
    },
];

/// The seventh tree, whose scene is 21 times the same.
const ODD_NAMES: &str = "odd-names";

/// The forms that have a golden file: its ending, and the flags that ask for it.
const FORMS: [(&str, &[&str]); 4] = [
    ("json", &[]),
    ("short.json", &["--names", "short"]),
    ("connector.json", &["--compat", "connector"]),
    ("txt", &["--format", "table", "--color", "never"]),
];

fn trees() -> impl Iterator<Item = &'static str> {
    SCENES.iter().map(|scene| scene.tree).chain([ODD_NAMES])
}

/// What `collect` prints for a saved tree.
fn collect(tree: &str, args: &[&str]) -> Vec<u8> {
    let proc = format!("{tree}/proc");
    Run::new(&directory("fixtures"), &[&["collect", "--proc", &proc], args].concat()).output()
}

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// A document as it stands in its golden file: with report id 0, and a line for each entry.
fn golden_form(output: Vec<u8>) -> String {
    let mut text = String::from_utf8(output).unwrap();
    for before in ["\"report_id\":", "\"rid\":", "Report "] {
        let Some((head, rest)) = text.split_once(before) else { continue };
        let mut rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        if before == "Report " {
            rest = rest.split_once(')').unwrap().1; // the same as a time
        }
        text = format!("{head}{before}0{rest}");
    }
    text.replace("},{", "},\n{")
}

/// Compares a document with its golden file, or rewrites that. Returns what is wrong.
fn compare(name: &str, output: Vec<u8>) -> Option<String> {
    let path = directory("golden").join(name);
    let now = golden_form(output);
    if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
        fs::write(&path, &now).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    if now == golden {
        return None;
    }
    let same = now.lines().zip(golden.lines()).take_while(|(now, golden)| now == golden).count();
    let at = |text: &str| text.split_inclusive('\n').nth(same).unwrap_or("(nothing)").to_owned();
    Some(format!("tests/golden/{name}:{}\n  is:     {:?}\n  golden: {:?}", same + 1, at(&now), at(&golden)))
}

/// Fails with every fault in the list, if there is one.
fn no_faults(faults: &[String]) {
    assert!(faults.is_empty(), "{}\nIf this is meant: UPDATE=1 cargo test --test golden", faults.join("\n"));
}

#[test]
fn every_saved_tree_gives_its_golden_documents() {
    let mut faults = Vec::new();
    for tree in trees() {
        for (ending, args) in FORMS {
            faults.extend(compare(&format!("{tree}.{ending}"), collect(tree, args)));
        }
    }
    no_faults(&faults);
}

#[test]
fn a_container_sees_itself_when_it_asks_for_itself() {
    let mut faults = Vec::new();
    for (ending, args) in FORMS {
        faults.extend(compare(
            &format!("container.self.{ending}"),
            collect("container", &[&["--netns", "self"], args].concat()),
        ));
    }
    no_faults(&faults);
}

#[test]
fn process_1_is_the_host_and_is_what_auto_takes() {
    for (_, args) in FORMS {
        let asked_for = collect("container", &[&["--netns", "1"], args].concat());
        assert_eq!(golden_form(asked_for), golden_form(collect("container", args)));
    }
}

#[test]
fn a_process_that_is_not_in_the_tree_cannot_be_shown() {
    let args = ["collect", "--proc", "container/proc", "--netns", "7"];
    Run::new(&directory("fixtures"), &args)
        .exits(66)
        .tells(
            "container/proc: there is no such process, or it is hidden from this user; container/proc/7/net: No such \
             file or directory (os error 2)\n\
             hint: check the process number given with --netns; on a mount with hidepid= run as root",
        )
        .output();
}

#[test]
fn the_report_id_is_the_current_second() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for tree in trees() {
        for (names, pointer) in [("long", "/header/report_id"), ("short", "/hed/rid")] {
            let before = now();
            let report: Value = serde_json::from_slice(&collect(tree, &["--names", names])).unwrap();
            let id = report.pointer(pointer).unwrap().as_u64().unwrap();
            assert!((before..=now()).contains(&id), "{tree}: {id}");
        }
    }
}

#[test]
fn cbor_holds_the_same_as_json_in_the_shortest_form() {
    for tree in trees() {
        for args in [&[][..], &["--names", "short"], &["--compat", "connector"]] {
            let json = golden_form(collect(tree, args)).replace('\n', "");
            let cbor = collect(tree, &[&["--format", "cbor"], args].concat());
            let document: ciborium::Value = ciborium::from_reader(cbor.as_slice()).unwrap();
            let mut again = Vec::new();
            ciborium::into_writer(&document, &mut again).unwrap(); // lengths definite, numbers as short as can be
            assert!(again == cbor, "{tree} {args:?}: not the shortest form");
            let text = serde_json::to_vec(&document).unwrap();
            assert_eq!(golden_form(text).replace('\n', ""), json, "{tree} {args:?}");
        }
    }
}

#[test]
fn short_names_are_the_long_ones_abbreviated() {
    const SHORT: [(&str, &str); 21] = [
        ("header", "hed"),
        ("report_id", "rid"),
        ("version", "v"),
        ("metrics", "met"),
        ("listening_tcp_ports", "tp"),
        ("listening_udp_ports", "up"),
        ("ports", "pts"),
        ("interface", "if"),
        ("port", "pt"),
        ("network_stats", "ns"),
        ("bytes_in", "bi"),
        ("bytes_out", "bo"),
        ("packets_in", "pi"),
        ("packets_out", "po"),
        ("tcp_connections", "tc"),
        ("established_connections", "ec"),
        ("connections", "cs"),
        ("local_interface", "li"),
        ("local_port", "lp"),
        ("remote_addr", "rad"),
        ("total", "t"),
    ];
    for tree in trees() {
        for args in [&[][..], &["--compat", "connector"]] {
            let mut long = golden_form(collect(tree, args));
            for (name, short) in SHORT {
                long = long.replace(&format!("\"{name}\":"), &format!("\"{short}\":"));
            }
            assert_eq!(golden_form(collect(tree, &[&["--names", "short"], args].concat())), long, "{tree} {args:?}");
        }
    }
}

#[test]
fn the_totals_are_those_of_the_machines() {
    for scene in &SCENES {
        let report: Value = serde_json::from_slice(&collect(scene.tree, &[])).unwrap();
        let metrics = &report["metrics"];
        let stats = &metrics["network_stats"];
        let traffic = ["bytes_in", "packets_in", "bytes_out", "packets_out"].map(|name| stats[name].as_u64().unwrap());
        assert_eq!(traffic, scene.traffic, "{}", scene.tree);

        let established = &metrics["tcp_connections"]["established_connections"];
        let mut peers = BTreeMap::new();
        for connection in established["connections"].as_array().unwrap() {
            let (peer, _port) = connection["remote_addr"].as_str().unwrap().rsplit_once(':').unwrap();
            *peers.entry(peer).or_default() += 1;
        }
        assert_eq!(peers, scene.peers.iter().copied().collect(), "{}", scene.tree);
        assert_eq!(established["total"], scene.peers.iter().map(|(_, count)| count).sum::<u64>(), "{}", scene.tree);
    }
}

#[test]
fn every_port_that_was_open_is_there_and_no_interface_is_wrong() {
    let mut faults = Vec::new();
    for scene in &SCENES {
        let report: Value = serde_json::from_slice(&collect(scene.tree, &[])).unwrap();
        for (block, truth) in [("listening_tcp_ports", scene.tcp), ("listening_udp_ports", scene.udp)] {
            let truth: BTreeSet<&str> = truth.split(' ').collect();
            let port_of = |entry: &str| entry.split('@').next().unwrap().parse::<u64>().unwrap();
            let mut seen = BTreeSet::new();
            let list = report["metrics"][block]["ports"].as_array().unwrap();
            for entry in list {
                let port = entry["port"].as_u64().unwrap();
                seen.insert(port);
                if let Some(interface) = entry.get("interface") {
                    let said = format!("{port}@{}", interface.as_str().unwrap());
                    if !truth.contains(said.as_str()) {
                        faults.push(format!("{} {block}: {said} was not open", scene.tree));
                    }
                }
            }
            assert_eq!(seen, truth.iter().copied().map(port_of).collect(), "{} {block}", scene.tree);
            assert_eq!(report["metrics"][block]["total"], list.len(), "{} {block}", scene.tree);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn odd_interface_names_are_kept_as_they_are_and_what_is_no_utf_8_reads_as_u_fffd() {
    const NAMES: [&str; 21] = [
        "ünic",
        "🦀net0",
        "網卡網卡網",
        "b\u{fffd}d",
        "x\u{fffd}",
        "s\u{fffd}\u{fffd}\u{fffd}t",
        "a\"b",
        "c\\d",
        "\u{1b}[31mred",
        "d\u{7f}\u{1}\u{8}e",
        "l\u{85}m",
        "r\u{202e}l",
        "q'$(id)",
        "<b>&lt;<br>",
        ",;=|#!",
        "-v",
        "0",
        "*",
        "Iface",
        "Inter-|",
        "Main",
    ];
    let report: Value = serde_json::from_slice(&collect(ODD_NAMES, &[])).unwrap();
    let listed = |block: &str| report["metrics"][block].clone();
    let ports = |bases: [u64; 2], first: &[Value]| {
        let entries = bases.into_iter().flat_map(|base| {
            (base + 1..).zip(NAMES).map(|(port, name)| match name {
                // `route` names a route without a device like this, so that the name tells nothing of an IPv4 address.
                "*" if port < 7100 || (7200..7300).contains(&port) => serde_json::json!({"port": port}),
                _ => serde_json::json!({"interface": name, "port": port}),
            })
        });
        let ports: Vec<Value> = first.iter().cloned().chain(entries).collect();
        serde_json::json!({"total": ports.len(), "ports": ports})
    };
    assert_eq!(listed("listening_tcp_ports"), ports([7000, 7100], &[serde_json::json!({"port": 22})]));
    assert_eq!(listed("listening_udp_ports"), ports([7200, 7300], &[]));
    let established = serde_json::json!({"established_connections": {"total": 2, "connections": [
        {"local_interface": NAMES[0], "local_port": 7001, "remote_addr": "10.77.1.2:50001"},
        {"local_interface": NAMES[3], "local_port": 7004, "remote_addr": "10.77.4.2:50004"},
    ]}});
    assert_eq!(listed("tcp_connections"), established);
    let stats = serde_json::json!({"bytes_in": 11200, "bytes_out": 12748, "packets_in": 132, "packets_out": 130});
    assert_eq!(listed("network_stats"), stats);
}
