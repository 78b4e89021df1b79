//! A report as JSON on one line, written directly: with `serde_json`, a connection takes twice as long, and a busy host has a
//! hundred thousand of them.

use std::io::{self, Write};
use std::net::{SocketAddr, SocketAddrV4};

use super::document::{Part, WithNames};
use super::names::Names;
use super::{Connection, Interface, Port};

/// Writes what `serde_json` would write.
pub(super) fn write(part: &Part<'_>, names: &Names, out: &mut impl Write) -> io::Result<()> {
    let mut entry = Entry { names, text: Vec::new(), start: Vec::new(), start_is_of: None };
    match part {
        Part::Object(fields) => {
            out.write_all(b"{")?;
            for (place, (name, part)) in fields.iter().enumerate() {
                write!(out, "{}\"{name}\":", comma(place))?;
                write(part, names, out)?;
            }
            out.write_all(b"}")
        }
        Part::Ports(ports) => {
            out.write_all(b"[")?;
            for (place, listening) in ports.iter().enumerate() {
                entry.port(comma(place), listening)?;
                out.write_all(&entry.text)?;
            }
            out.write_all(b"]")
        }
        Part::Connections(list) => {
            out.write_all(b"[")?;
            for (place, connection) in list.iter().enumerate() {
                entry.connection(comma(place), &connection)?;
                out.write_all(&entry.text)?;
            }
            out.write_all(b"]")
        }
        Part::Port(listening) => {
            entry.port("", listening)?;
            out.write_all(&entry.text)
        }
        Part::Connection(connection) => {
            entry.connection("", connection)?;
            out.write_all(&entry.text)
        }
        Part::Custom(_) | Part::Number(_) | Part::Text(_) => Ok(serde_json::to_writer(out, &WithNames(part, names))?),
    }
}

/// What stands before the entry in this place of a list.
fn comma(place: usize) -> &'static str {
    if place == 0 { "" } else { "," }
}

/// The text of a list's entry. Those of one interface begin alike.
struct Entry<'a> {
    names: &'a Names,
    text: Vec<u8>,
    start: Vec<u8>,
    start_is_of: Option<Interface<'a>>,
}

impl<'a> Entry<'a> {
    fn port(&mut self, comma: &str, port: &Port<'a>) -> io::Result<()> {
        self.begin(comma, self.names.interface, port.interface, self.names.port)?;
        self.push_number(port.port);
        self.push("}");
        Ok(())
    }

    fn connection(&mut self, comma: &str, connection: &Connection<'a>) -> io::Result<()> {
        self.begin(comma, self.names.local_interface, connection.local_interface, self.names.local_port)?;
        self.push_number(connection.local_port);
        self.push(",\"");
        self.push(self.names.remote_addr);
        self.push("\":\"");
        match connection.remote {
            SocketAddr::V4(v4) => self.push_v4(v4),
            SocketAddr::V6(v6) => write!(self.text, "{v6}")?,
        }
        self.push("\"}");
        Ok(())
    }

    /// Begins an entry with its interface, unless that is left out, and the name of the next field.
    fn begin(&mut self, comma: &str, name: &str, interface: Interface<'a>, next: &str) -> io::Result<()> {
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
        self.text.clear();
        self.push(comma);
        self.text.extend_from_slice(&self.start);
        Ok(())
    }

    fn push(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    fn push_number(&mut self, number: u16) {
        self.push(itoa::Buffer::new().format(number));
    }

    /// Like `Display`, in a third of the time.
    fn push_v4(&mut self, address: SocketAddrV4) {
        let [a, b, c, d] = address.ip().octets();
        for (octet, after) in [(a, b'.'), (b, b'.'), (c, b'.'), (d, b':')] {
            self.push_octet(octet);
            self.text.push(after);
        }
        self.push_number(address.port());
    }

    fn push_octet(&mut self, octet: u8) {
        if octet >= 100 {
            self.text.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            self.text.push(b'0' + octet / 10 % 10);
        }
        self.text.push(b'0' + octet % 10);
    }
}
