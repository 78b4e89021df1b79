//! The long and the short name of every field. A document uses one set, never a mix.
//!
//! Source: AWS IoT Device Defender developer guide, "Sending metrics from devices". The keys inside a custom metric
//! (`number`, `number_list`, `string_list`, `ip_list`) have no short form.

/// Defines the names from one table: long name, which is also that of the member, and short name.
macro_rules! names {
    ($($long:ident: $short:literal,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Names {
            $(pub $long: &'static str,)*
        }

        pub const LONG: Names = Names { $($long: stringify!($long),)* };

        pub const SHORT: Names = Names { $($long: $short,)* };
    };
}

names! {
    header: "hed",
    report_id: "rid",
    version: "v",
    metrics: "met",
    listening_tcp_ports: "tp",
    listening_udp_ports: "up",
    ports: "pts",
    interface: "if",
    port: "pt",
    network_stats: "ns",
    bytes_in: "bi",
    bytes_out: "bo",
    packets_in: "pi",
    packets_out: "po",
    tcp_connections: "tc",
    established_connections: "ec",
    connections: "cs",
    local_interface: "li",
    local_port: "lp",
    remote_addr: "rad",
    total: "t",
    custom_metrics: "cmet",
}
