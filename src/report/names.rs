//! The two names of every field, in one table: a document is written with long names or with short ones, never a mix.
//!
//! Source: AWS IoT Device Defender developer guide, "Sending metrics from devices". The keys inside a custom metric
//! (`number`, `number_list`, `string_list`, `ip_list`) have no short form.

/// A field name for every field of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is called as the field it names")]
pub struct Names {
    pub header: &'static str,
    pub report_id: &'static str,
    pub version: &'static str,
    pub metrics: &'static str,
    pub listening_tcp_ports: &'static str,
    pub listening_udp_ports: &'static str,
    pub ports: &'static str,
    pub interface: &'static str,
    pub port: &'static str,
    pub network_stats: &'static str,
    pub bytes_in: &'static str,
    pub bytes_out: &'static str,
    pub packets_in: &'static str,
    pub packets_out: &'static str,
    pub tcp_connections: &'static str,
    pub established_connections: &'static str,
    pub connections: &'static str,
    pub local_interface: &'static str,
    pub local_port: &'static str,
    pub remote_addr: &'static str,
    pub total: &'static str,
    pub custom_metrics: &'static str,
}

/// The long names.
pub const LONG: Names = Names {
    header: "header",
    report_id: "report_id",
    version: "version",
    metrics: "metrics",
    listening_tcp_ports: "listening_tcp_ports",
    listening_udp_ports: "listening_udp_ports",
    ports: "ports",
    interface: "interface",
    port: "port",
    network_stats: "network_stats",
    bytes_in: "bytes_in",
    bytes_out: "bytes_out",
    packets_in: "packets_in",
    packets_out: "packets_out",
    tcp_connections: "tcp_connections",
    established_connections: "established_connections",
    connections: "connections",
    local_interface: "local_interface",
    local_port: "local_port",
    remote_addr: "remote_addr",
    total: "total",
    custom_metrics: "custom_metrics",
};

/// The short names.
pub const SHORT: Names = Names {
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
};
