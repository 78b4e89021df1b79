//! `--source`: which one is used, and what happens when the kernel refuses.

use std::fs;
use std::net::SocketAddr;

use serde_json::json;
use socket2::{Domain, Protocol, Socket, Type};

use crate::netns::program::{collect, collect_command, collect_text, copy_of_program, finish, sockets};
use crate::netns::zoo::{Zoo, client, listener};
use crate::support::{NET, NET_ONLY, Part, Preload, in_namespaces, ip, output, powerless};

/// Makes `sock_diag` fail: `TEST_REFUSE` is the error number of its sockets, `TEST_LOSE` how many answers are lost.
const SHIM: &str = r#"
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int socket(int family, int type, int protocol) {
    const char *refuse = getenv("TEST_REFUSE");
    if (refuse && family == AF_NETLINK && protocol == NETLINK_SOCK_DIAG) { errno = atoi(refuse); return -1; }
    return syscall(SYS_socket, family, type, protocol);
}

ssize_t recv(int socket, void *buffer, size_t length, int flags) {
    static int lost = 0;
    const char *lose = getenv("TEST_LOSE");
    int protocol = 0;
    socklen_t size = sizeof protocol;
    getsockopt(socket, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
    if (lose && protocol == NETLINK_SOCK_DIAG && lost < atoi(lose)) { lost++; errno = ENOBUFS; return -1; }
    return syscall(SYS_recvfrom, socket, buffer, length, flags, NULL, NULL);
}
"#;

const REFUSED: &str = "Address family not supported by protocol (os error 97)";

#[test]
fn where_the_kernel_refuses_the_files_are_read_instead() {
    in_namespaces(NET, |_| {
        let _zoo = Zoo::open();
        let shim = Preload::compile(SHIM);
        let run = |source: &str, variable: &str, value: &str| {
            let mut command = collect_command(&["-v", "--source", source]);
            let output = output(command.env("LD_PRELOAD", shim.path()).env(variable, value));
            let report = serde_json::from_slice(&output.stdout).map(|report| sockets(&report));
            (output.status.code(), report.ok(), String::from_utf8(output.stderr).unwrap())
        };
        let of = |source| Some(sockets(&collect(&["--source", source])));

        let (code, report, steps) = run("auto", "TEST_REFUSE", "97");
        assert_eq!((code, report), (Some(0), of("proc")), "{steps}");
        for protocol in ["TCP", "UDP"] {
            let line = format!("sock_diag: {protocol} sockets: {REFUSED}; reading /proc/net instead\n");
            assert!(steps.contains(&line), "{steps}");
        }
        assert!(steps.contains("/proc/net/tcp6: ") && !steps.contains("sock_diag tcp"), "{steps}");

        // Once: asked again. Twice: TCP from the files, UDP from the kernel, each protocol whole.
        let (code, report, steps) = run("auto", "TEST_LOSE", "1");
        assert_eq!((code, report), (Some(0), of("netlink")), "{steps}");
        let (code, report, steps) = run("auto", "TEST_LOSE", "2");
        let mut mixed = of("proc").unwrap();
        mixed["metrics"]["listening_udp_ports"] = of("netlink").unwrap()["metrics"]["listening_udp_ports"].take();
        assert_eq!((code, report), (Some(0), Some(mixed)), "{steps}");
        let line = "sock_diag: TCP sockets: the kernel lost a part of the answer; reading /proc/net instead\n";
        assert!(steps.contains(line) && steps.contains("sock_diag udp6: "), "{steps}");

        let (code, report, error) = run("netlink", "TEST_REFUSE", "97");
        assert_eq!((code, report), (Some(66), None));
        assert!(error.contains(&format!("--source netlink: sock_diag: TCP sockets: {REFUSED}\n")), "{error}");
        assert_eq!(run("netlink", "TEST_LOSE", "2").0, Some(66));
        assert_eq!(run("proc", "TEST_REFUSE", "97").1, of("proc"));
    });
}

#[test]
fn auto_asks_the_kernel_only_about_its_own_namespace_and_without_another_path() {
    in_namespaces(NET, |part| {
        if part.name == "other" {
            ip("link set dev lo up");
            let _listener = listener("4", "127.0.0.1:7002");
            Part::hold();
            return;
        }
        let from = |args: &[&str], variable: &str| {
            let mut command = collect_command(&["-v"]);
            if let Some((name, value)) = variable.split_once('=') {
                command.env(name, value);
            }
            let output = output(command.args(args));
            let steps = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{args:?} {variable}: {steps}");
            let is_from_kernel = steps.contains("sock_diag tcp: ") && steps.contains("sock_diag udp6: ");
            assert_eq!(is_from_kernel, !steps.contains("/net/tcp: ") && !steps.contains("/net/udp6: "), "{steps}");
            if is_from_kernel { "netlink" } else { "proc" }
        };
        let refused = |args: &[&str], reason: &str| {
            let output = output(&mut collect_command(&[&["--source", "netlink"], args].concat()));
            let expected = format!(
                "device-defender: --source netlink shows only the network namespace of this process, but {reason}\n\
                 device-defender: hint: --source auto reads the files where the kernel cannot be asked\n"
            );
            assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(66), expected));
        };

        let own = std::process::id().to_string();
        for args in [&[][..], &["--netns", "self"], &["--netns", &own]] {
            assert_eq!(from(args, ""), "netlink", "{args:?}");
        }
        assert_eq!(from(&["--proc", "/proc"], ""), "proc");
        assert_eq!(from(&["--source", "proc"], ""), "proc");
        assert_eq!(from(&[], "DEVICE_DEFENDER_PROC=/proc"), "proc");
        assert_eq!(from(&[], "DEVICE_DEFENDER_SOURCE=proc"), "proc");
        assert_eq!(from(&["--source", "auto"], "DEVICE_DEFENDER_SOURCE=proc"), "netlink");
        refused(&["--proc", "/proc"], "/proc is to be read (--proc)");

        let other = part.start("other", NET_ONLY);
        let pid = other.pid().to_string();
        refused(&["--netns", &pid], "--netns asks for another one");
        assert_eq!(from(&["--netns", &pid], ""), "proc");
    });
}

#[test]
fn a_user_without_privileges_sees_all_sockets_too() {
    in_namespaces(NET, |part| {
        let _zoo = Zoo::open();
        let expected = sockets(&collect(&["--source", "netlink"]));
        let mut command = powerless(&copy_of_program(part));
        let text = finish(command.args(["collect", "--source", "netlink"]), "");
        assert_eq!(sockets(&serde_json::from_str(&text).unwrap()), expected);
    });
}

#[test]
fn both_sources_agree_where_ipv6_is_off() {
    in_namespaces(NET, |_| {
        fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").unwrap();
        ip("link set dev lo up");
        let _listener = listener("46", "[::]:7001");
        let _client = client("127.0.0.1:7002", "127.0.0.1:7001");
        // The kernel still has the tables, and the counters do not move.
        let report = |source| {
            let text = collect_text(&["--source", source]);
            sockets(&serde_json::from_str(&text).unwrap())
        };
        assert_eq!(report("netlink"), report("proc"));
        assert_eq!(report("proc")["metrics"]["tcp_connections"]["established_connections"]["total"], 2);
    });
}

#[test]
fn both_sources_agree_about_multipath_tcp() {
    in_namespaces(NET, |_| {
        ip("link set dev lo up");
        // A kernel without it has nothing to compare.
        let has_it = fs::read_to_string("/proc/sys/net/mptcp/enabled").is_ok_and(|enabled| enabled.trim() == "1");
        let protocol = if has_it { Protocol::MPTCP } else { Protocol::TCP };
        let socket = || Socket::new(Domain::IPV4, Type::STREAM, Some(protocol)).unwrap();
        let address: SocketAddr = "127.0.0.1:7001".parse().unwrap();
        let listener = socket();
        listener.bind(&address.into()).unwrap();
        listener.listen(1).unwrap();
        let client = socket();
        client.connect(&address.into()).unwrap();
        let _server = listener.accept().unwrap();

        let of = |source| sockets(&collect(&["--source", source]));
        assert_eq!(of("netlink"), of("proc"));
        let metrics = &of("proc")["metrics"];
        assert_eq!(metrics["listening_tcp_ports"]["ports"], json!([{ "interface": "lo", "port": 7001 }]));
        assert_eq!(metrics["tcp_connections"]["established_connections"]["total"], 2);
    });
}
