//! What `collect` makes of captured `/proc` trees: every tree in `tests/fixtures`, in every form, against the snapshots in
//! `tests/golden`.
//!
//! `tests/fixtures/TREE/PROVENANCE.md` says what was open on those machines; [`SCENES`] has it in short. JSON has a line
//! end after each entry of a list, to be readable. The forms of the tree `busy`, which is large, are held against each
//! other instead; so are short names, which are the long ones replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use regex::Regex;
use serde_json::{Value, json};
use tabled::grid::util::string::get_string_width;

use crate::properties::shape::with_short_names;
use crate::support::{Run, assert_snapshot_of, fixtures, to_cbor, without_id};

/// What was open on one of the machines, according to its PROVENANCE.md.
struct Scene {
    tree: &'static str,
    /// `PORT` on any address, `PORT@INTERFACE` on an address of one, `PORT@-` on an address that none has.
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

/// Whose network is shown.
const HOST: &[&str] = &[];
const SELF: &[&str] = &["--netns", "self"];

/// The forms of a report: the ending of its snapshot, and the flags that ask for it.
const FORMS: [(&str, &[&str]); 3] = [
    ("json", &[]),
    ("connector.json", &["--compat", "connector"]),
    ("txt", &["--format", "table", "--color", "never"]),
];

fn trees() -> impl Iterator<Item = &'static str> {
    SCENES.iter().map(|scene| scene.tree).chain([ODD_NAMES])
}

/// A run of `collect` over a captured tree.
fn collect(tree: &str, args: &[&str]) -> Run {
    Run::new(&fixtures(), &[&["collect", "--proc", &format!("{tree}/proc")], args].concat())
}

/// The JSON of `busy` stands for its other forms. The tables of odd names are in a test below.
#[test]
fn every_captured_tree_gives_its_documents() {
    let views = SCENES.iter().map(|scene| (scene.tree, scene.tree, HOST));
    for (tree, name, args) in views.chain([("container", "container.self", SELF)]) {
        for (ending, form) in FORMS {
            if tree != "busy" || ending == "json" {
                let text = collect(tree, &[args, form].concat()).text();
                assert_snapshot_of(&format!("golden/{name}.{ending}"), folded(&text));
            }
        }
    }
}

/// A document with one line for each entry. A run of connections that differ in one port only, by the same step from line
/// to line, is one line, where `FIRST..=LAST/STEP` stands for the port.
fn folded(document: &str) -> String {
    let connection = Regex::new(r#"^(.*"local_port":)(\d+)(,"remote_addr":".*:)(\d+)(".*)$"#).unwrap();
    // A run is the text around the port and its values. While it is a single line, both ports may be meant.
    let mut runs: Vec<Vec<(String, Vec<u64>)>> = Vec::new();
    for line in document.replace("},{", "},\n{").lines() {
        let meant = connection.captures(line).map_or(vec![(line.to_owned(), vec![0_u64])], |found| {
            let [head, local, between, remote, tail] = found.extract().1;
            let either = [
                (format!("{head}\0{between}{remote}{tail}"), local),
                (format!("{head}{local}{between}\0{tail}"), remote),
            ];
            either.map(|(text, port)| (text, vec![port.parse().unwrap()])).to_vec()
        });
        let last = runs.last().into_iter().flatten();
        let continued = last.filter_map(|(text, ports)| {
            let (_, port) = meant.iter().find(|(other, _)| other == text)?;
            let step = port[0].checked_sub(*ports.last()?)?;
            let fits = (1..=3).contains(&step) && ports.get(1).is_none_or(|second| second - ports[0] == step);
            fits.then(|| (text.clone(), [&ports[..], port].concat()))
        });
        match continued.collect::<Vec<_>>() {
            none if none.is_empty() => runs.push(meant),
            continued => *runs.last_mut().unwrap() = continued,
        }
    }
    let lines = runs.iter().map(|run| {
        let (text, ports) = &run[0];
        let ports = match ports[..] {
            [first, second, ..] => format!("{first}..={}/{}", ports[ports.len() - 1], second - first),
            _ => ports[0].to_string(),
        };
        text.replace('\0', &ports) + "\n"
    });
    lines.collect()
}

#[test]
fn a_table_has_a_row_for_each_entry_of_the_document() {
    for tree in trees().filter(|tree| *tree != ODD_NAMES) {
        let metrics = collect(tree, &[]).json()["metrics"].clone();
        let table = collect(tree, &["--format", "table"]).text();
        let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        let has = |row: &[&str]| words.iter().any(|words| words.starts_with(row));
        for block in ["listening_tcp_ports", "listening_udp_ports"] {
            for entry in metrics[block]["ports"].as_array().unwrap() {
                let port = entry["port"].to_string();
                let row = [Some(port.as_str()), entry["interface"].as_str()];
                assert!(has(&row.into_iter().flatten().collect::<Vec<_>>()), "{tree}: {entry}\n{table}");
            }
        }
        for entry in metrics["tcp_connections"]["established_connections"]["connections"].as_array().unwrap() {
            let remote = entry["remote_addr"].as_str().unwrap();
            assert!(words.iter().any(|words| words.contains(&remote)), "{tree}: {entry}\n{table}");
        }
    }
}

/// The form of the connector has the same ports and connections: none of them is named otherwise, and IPv4-mapped
/// addresses stay as they are.
#[test]
fn the_connectors_form_has_the_same_sockets() {
    for tree in trees() {
        let [plain, connector] =
            [&[][..], &["--compat", "connector"]].map(|args| collect(tree, args).json()["metrics"].clone());
        let tcp = |metrics: &Value| -> BTreeSet<u64> {
            let ports = metrics["listening_tcp_ports"]["ports"].as_array().unwrap();
            ports.iter().map(|entry| entry["port"].as_u64().unwrap()).collect()
        };
        assert_eq!(tcp(&plain), tcp(&connector), "{tree}");
        let connections = |metrics: &Value| {
            let list = &metrics["tcp_connections"]["established_connections"]["connections"];
            let mut ends = BTreeMap::new();
            for entry in list.as_array().into_iter().flatten() {
                let remote: SocketAddr = entry["remote_addr"].as_str().unwrap().parse().unwrap();
                let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
                let names: &mut Vec<_> = ends.entry((remote, entry["local_port"].as_u64())).or_default();
                names.push(entry["local_interface"].clone());
            }
            ends
        };
        let (plain, connector) = (connections(&plain), connections(&connector));
        assert_eq!(plain.keys().collect::<Vec<_>>(), connector.keys().collect::<Vec<_>>(), "{tree}");
        for (end, names) in connector {
            assert!(names.iter().all(|name| name.is_null() || plain[&end].contains(name)), "{tree}: {end:?}");
        }
    }
}

#[test]
fn process_1_is_the_host_and_is_what_auto_takes() {
    for (_, args) in FORMS {
        let asked_for = collect("container", &[&["--netns", "1"], args].concat()).text();
        assert_eq!(without_id(&asked_for), without_id(&collect("container", args).text()));
    }
}

#[test]
fn a_process_that_is_not_in_the_tree_cannot_be_shown() {
    collect("container", &["--netns", "7"])
        .code(66)
        .stderr(
            "container/proc: no such process, or it is hidden from this user; container/proc/7/net: No such \
             file or directory (os error 2)\n\
             hint: check the process ID given with --netns; on a mount with hidepid=, run as root",
        )
        .prints_nothing();
}

#[test]
fn cbor_holds_the_same_as_json_in_the_shortest_form() {
    for tree in trees() {
        for args in [&[][..], &["--names", "short"], &["--compat", "connector"]] {
            let json = collect(tree, args).text();
            let printed = collect(tree, &[&["--format", "cbor"], args].concat()).output();
            let document: ciborium::Value = ciborium::from_reader(printed.as_slice()).unwrap();
            assert!(to_cbor(&document) == printed, "{tree} {args:?}: not the shortest form");
            let text = serde_json::to_string(&document).unwrap();
            assert_eq!(without_id(&text), without_id(json.trim_end()), "{tree} {args:?}");
        }
    }
}

#[test]
fn short_names_are_the_long_ones_abbreviated() {
    for (tree, view) in trees().map(|tree| (tree, HOST)).chain([("container", SELF)]) {
        for form in [&[][..], &["--compat", "connector"]] {
            let long = collect(tree, &[view, form].concat()).text();
            let short = collect(tree, &[view, form, &["--names", "short"]].concat()).text();
            assert_eq!(without_id(&short), without_id(&with_short_names(&long)), "{tree} {view:?} {form:?}");
        }
    }
}

#[test]
fn the_totals_are_those_of_the_machines() {
    for scene in &SCENES {
        let report = collect(scene.tree, &[]).json();
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
        let report = collect(scene.tree, &[]).json();
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
        "ünic", "🦀net0", "網卡網卡網", "b\u{fffd}d", "x\u{fffd}", "s\u{fffd}\u{fffd}\u{fffd}t", "a\"b", "c\\d",
        "\u{1b}[31mred", "d\u{7f}\u{1}\u{8}e", "l\u{85}m", "r\u{202e}l", "q'$(id)", "<b>&lt;<br>", ",;=|#!", "-v", "0",
        "*", "Iface", "Inter-|", "Main",
    ];
    let report = collect(ODD_NAMES, &[]).json();
    let listed = |block: &str| report["metrics"][block].clone();
    let ports = |bases: [u64; 2], first: &[Value]| {
        let entries = bases.into_iter().flat_map(|base| {
            (base + 1..).zip(NAMES).map(|(port, name)| match name {
                // `route` names a route without a device like this, so that the name tells nothing of an IPv4 address.
                "*" if port < 7100 || (7200..7300).contains(&port) => json!({"port": port}),
                _ => json!({"interface": name, "port": port}),
            })
        });
        let ports: Vec<Value> = first.iter().cloned().chain(entries).collect();
        json!({"total": ports.len(), "ports": ports})
    };
    assert_eq!(listed("listening_tcp_ports"), ports([7000, 7100], &[json!({"port": 22})]));
    assert_eq!(listed("listening_udp_ports"), ports([7200, 7300], &[]));
    let established = json!({"established_connections": {"total": 2, "connections": [
        {"local_interface": NAMES[0], "local_port": 7001, "remote_addr": "10.77.1.2:50001"},
        {"local_interface": NAMES[3], "local_port": 7004, "remote_addr": "10.77.4.2:50004"},
    ]}});
    assert_eq!(listed("tcp_connections"), established);
    let stats = json!({"bytes_in": 11200, "bytes_out": 12748, "packets_in": 132, "packets_out": 130});
    assert_eq!(listed("network_stats"), stats);

    let table = collect(ODD_NAMES, &["--format", "table", "--color", "never"]).text();
    let (head, sections) = table.split_once("\n\n").unwrap();
    let (ports, others) = sections.split_once("\nEstablished").unwrap();
    let escape = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() || c == '\u{202e}' => c.escape_unicode().to_string(),
        c => c.to_string(),
    };
    let shown = |name: &str| match name {
        name if name.chars().all(|c| c.is_alphanumeric() || c == '-') => name.to_owned(),
        name => format!("\"{}\"", name.chars().map(escape).collect::<String>()),
    };
    let rows = |base: u64, family: &str| -> String {
        let row = |(port, name): (u64, &str)| {
            let name = if name == "*" && family == "v4" { "not known".to_owned() } else { shown(name) };
            format!("{port}  {name}{}  {family}\n", " ".repeat(20 - get_string_width(&name)))
        };
        (base + 1..).zip(NAMES).map(row).collect()
    };
    let titles = "Port  Interface             Family\n";
    let tcp = rows(7000, "v4") + &rows(7100, "v6");
    let udp = rows(7200, "v4") + &rows(7300, "v6");
    let expected = format!(
        "Listening TCP ports: 43\n{titles}  22  any address           v4 v6\n{tcp}\nListening UDP ports: 42\n{titles}{udp}"
    );
    assert_eq!(ports, expected);
    assert_snapshot_of("golden/odd-names.txt", format!("{head}\n\nEstablished{others}"));
}
