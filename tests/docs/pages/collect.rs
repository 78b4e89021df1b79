//! The page of `collect`.

use super::{
    BAD_REPORT_INPUT, BAD_VARIABLE, BUG, COLOR, CONFIG_FILE, NO_REPORT_INPUT, OUTPUT, Page, STATE, STATE_FILE, SUCCESS,
    USAGE,
};

pub(super) const PAGE: Page = Page {
    command: "collect",
    prose: &[
        (
            "SOURCES",
            &[
                "--source netlink asks the kernel for its sockets (sock_diag), which takes less than half of the time. It works only for the network namespace of this process. --source proc reads the files in /proc/net. auto uses netlink unless --proc or another namespace is given, and reads the files for a protocol where the kernel refuses; -v shows the reason.",
                "The reports are the same with one exception: only netlink shows that a socket is bound to one interface (SO_BINDTODEVICE, or the scope of a link-local address). So a DHCP client on the wildcard address of eth0 has that interface with netlink, and no interface with the files. --compat connector does not use it.",
                "Neither source is a snapshot: tables change while the kernel writes them piece by piece. A connection that exists during the whole reading is reported once. A connection that starts or ends during the reading may be missing.",
                "TCP sockets that are bound and do not listen are not reported. A table of more than 256 MiB and more than 32768 interfaces are not read: their block is left out, with a warning. The same applies to network_stats if the counters add up to more than 64 bits hold.",
            ],
        ),
        (
            "INTERFACES",
            &[
                "In its own network namespace, the program asks the system for the interface of an address. For another namespace or a saved copy, it can use only net/route and net/fib_trie. Then the interface of an IPv4 address is that of the narrowest connected network that contains it. A point-to-point address has no interface. A /32 address inside the network of another interface gets the name of that interface. In a table, \"any address\" may then mean the addresses of one interface.",
                "An address that is local in another routing table, as in a VRF, has no interface there. An interface that is renamed between two reports looks like a new one, so all its traffic since it appeared counts.",
                "net/ below a mounted /proc shows the network of the reader. The program reads 1/net/ instead. If that directory is hidden (hidepid=), collect shows the network of the reader, with a warning; publish, watch and detect leave it out.",
            ],
        ),
        (
            "COMPATIBILITY",
            &[
                "--compat connector is for security profiles that were tuned to the reports of AWS's connector. It writes one entry per socket, the wildcard address as interface, null for an unknown local_interface, every UDP socket, IPv4-mapped addresses as [::ffff:192.0.2.1]:443, and no empty lists. Connections that would look the same are one entry. The connector's random choice of 50 is not imitated.",
            ],
        ),
    ],
    json_output: &[
        (
            "header.report_id (hed.rid)",
            "The time in seconds since 1970. With --since report, it is always greater than the ID of the last report sent.",
        ),
        ("header.version (hed.v)", "Always \"1.0\". JSON Schema: man/schema/report.json."),
        (
            "metrics.listening_tcp_ports, metrics.listening_udp_ports (met.tp, met.up)",
            "The list ports (pts) of port (pt) and interface (if), and their total (t). interface is left out if the \
             socket is bound to all addresses, or if the interface is unknown. UDP ports are those of unconnected \
             sockets.",
        ),
        (
            "metrics.network_stats (met.ns)",
            "bytes_in, bytes_out, packets_in, packets_out (bi, bo, pi, po): the sums over all interfaces.",
        ),
        (
            "metrics.tcp_connections.established_connections (met.tc.ec)",
            "The list connections (cs) of remote_addr (rad), local_port (lp) and local_interface (li), and their \
             total (t).",
        ),
        ("custom_metrics (cmet)", "The metrics from --custom-metrics, in the same format."),
        (
            "",
            "The report leaves out a block if its table cannot be read. Names in parentheses are the short names of \
             --names short.",
        ),
    ],
    exits: &[SUCCESS, USAGE, BAD_REPORT_INPUT, NO_REPORT_INPUT, BUG, OUTPUT, BAD_VARIABLE],
    environment: &[STATE, COLOR],
    files: &[
        CONFIG_FILE,
        (
            "/proc/net/tcp, tcp6, udp, udp6",
            "The sockets, where --source is proc. With another --proc PATH, they are in PATH/1/net, PATH/net or PATH/self/net.",
        ),
        ("/proc/net/dev", "The traffic counters."),
        ("/proc/net/if_inet6, fib_trie, route", "The interface names of another network namespace or of a saved copy."),
        (STATE_FILE, "The ID and the counters of the last accepted report, for --since report."),
    ],
    examples: &[
        (
            "Show which ports this device exposes, and which processes own them:",
            "sudo device-defender collect --format table --processes",
        ),
        (
            "List the remote addresses:",
            "device-defender collect | jq -r \\
  '.metrics.tcp_connections.established_connections.connections[].remote_addr'",
        ),
        (
            "Save the tables of a device for a support case, and read the copy on any machine:",
            "mkdir -p case/net\n\
             for t in tcp tcp6 udp udp6 dev route fib_trie if_inet6; do\n  \
             ssh device cat /proc/net/$t > case/net/$t || rm case/net/$t\n\
             done\n\
             device-defender collect --proc case -t",
        ),
        (
            "Show what changed between two reports:",
            "for f in before after; do device-defender collect > $f.json; sleep 60; done\n\
             diff <(jq -S 'del(.header, .metrics.network_stats)' before.json) \\\n  \
             <(jq -S 'del(.header, .metrics.network_stats)' after.json)",
        ),
        (
            "Count the traffic of the next ten seconds, without loopback:",
            "device-defender collect --since 10s --exclude-interface lo",
        ),
        ("Report the host, from a container that mounts its /proc:", "device-defender collect --proc /host_proc"),
        ("Add a custom metric:", "echo '{\"cpu_temp\": 48.5}' | device-defender collect --custom-metrics -"),
    ],
    see_also: "device-defender(1), ss(8), proc_pid_net(5), sock_diag(7), jq(1)",
};
