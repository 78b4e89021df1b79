//! A report as JSON on one line, written directly: with `serde_json`, a connection takes twice as long, and a busy host has a
//! hundred thousand of them.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};

use super::document::{Part, WithNames};
use super::names::Names;
use super::{Connection, Interface, Port};

/// Writes what `serde_json` would write.
pub(super) fn write(part: &Part<'_>, names: &Names, out: &mut impl Write) -> io::Result<()> {
    let mut entry = Entry::new(names);
    match part {
        Part::Object(fields) => {
            out.write_all(b"{")?;
            for (place, (name, part)) in fields.iter().enumerate() {
                separate(place, out)?;
                write!(out, "\"{name}\":")?;
                write(part, names, out)?;
            }
            out.write_all(b"}")
        }
        Part::Ports(ports) => {
            out.write_all(b"[")?;
            for (place, listening) in ports.iter().enumerate() {
                separate(place, out)?;
                entry.port(listening, out)?;
            }
            out.write_all(b"]")
        }
        Part::Connections(list) => {
            out.write_all(b"[")?;
            // Faster than a `for` loop, which asks every adapter of the chained iterator for each entry.
            list.iter().enumerate().try_for_each(|(place, connection)| {
                separate(place, out)?;
                entry.connection(&connection, out)
            })?;
            out.write_all(b"]")
        }
        Part::Port(listening) => entry.port(listening, out),
        Part::Connection(connection) => entry.connection(connection, out),
        Part::Custom(_) | Part::Number(_) | Part::Text(_) => Ok(serde_json::to_writer(out, &WithNames(part, names))?),
    }
}

/// Writes the entries of a list. Neighbors often have the same interface and the same remote address, so the text with these
/// is kept for the next entry.
struct Entry<'a> {
    names: &'a Names,
    start: Vec<u8>,
    start_is_of: Option<Interface<'a>>,
    remote: Vec<u8>,
    remote_is_of: Option<IpAddr>,
}

impl<'a> Entry<'a> {
    fn new(names: &'a Names) -> Self {
        Self { names, start: Vec::new(), start_is_of: None, remote: Vec::new(), remote_is_of: None }
    }

    fn port(&mut self, port: &Port<'a>, out: &mut impl Write) -> io::Result<()> {
        self.begin(self.names.interface, port.interface, self.names.port, out)?;
        write_number(port.port, out)?;
        out.write_all(b"}")
    }

    fn connection(&mut self, connection: &Connection<'a>, out: &mut impl Write) -> io::Result<()> {
        self.begin(self.names.local_interface, connection.local_interface, self.names.local_port, out)?;
        write_number(connection.local_port, out)?;
        let ip = connection.remote.ip();
        if self.remote_is_of != Some(ip) {
            self.remote.clear();
            write!(self.remote, ",\"{}\":\"", self.names.remote_addr)?;
            match ip {
                IpAddr::V4(v4) => push_v4(&mut self.remote, v4),
                IpAddr::V6(v6) => write!(self.remote, "[{v6}]:")?,
            }
            self.remote_is_of = Some(ip);
        }
        out.write_all(&self.remote)?;
        write_number(connection.remote.port(), out)?;
        out.write_all(b"\"}")
    }

    /// Begins an entry with its interface, unless that is left out, and the name of the next field.
    fn begin(&mut self, name: &str, interface: Interface<'a>, next: &str, out: &mut impl Write) -> io::Result<()> {
        if self.start_is_of != Some(interface) {
            self.start.clear();
            self.start.push(b'{');
            if interface.is_written() {
                write!(self.start, "\"{name}\":")?;
                serde_json::to_writer(&mut self.start, &interface.name())?;
                self.start.push(b',');
            }
            write!(self.start, "\"{next}\":")?;
            self.start_is_of = Some(interface);
        }
        out.write_all(&self.start)
    }
}

/// Writes the comma before all but the first.
fn separate(place: usize, out: &mut impl Write) -> io::Result<()> {
    if place > 0 { out.write_all(b",") } else { Ok(()) }
}

fn write_number(number: u16, out: &mut impl Write) -> io::Result<()> {
    out.write_all(itoa::Buffer::new().format(number).as_bytes())
}

/// Like `Display`, in a third of the time.
fn push_v4(text: &mut Vec<u8>, address: Ipv4Addr) {
    let [a, b, c, d] = address.octets();
    for (octet, after) in [(a, b'.'), (b, b'.'), (c, b'.'), (d, b':')] {
        if octet >= 100 {
            text.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            text.push(b'0' + octet / 10 % 10);
        }
        text.extend([b'0' + octet % 10, after]);
    }
}
