//! A report as JSON on one line, written directly: with `serde_json`, a connection takes twice as long, and a busy host has a
//! hundred thousand of them.

use std::io::{self, Write};

use super::document::{Part, WithNames, remote_text};
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
        self.push(itoa::Buffer::new().format(port.port));
        self.push("}");
        Ok(())
    }

    fn connection(&mut self, comma: &str, connection: &Connection<'a>) -> io::Result<()> {
        self.begin(comma, self.names.local_interface, connection.local_interface, self.names.local_port)?;
        self.push(itoa::Buffer::new().format(connection.local_port));
        self.push(",\"");
        self.push(self.names.remote_addr);
        self.push("\":\"");
        let remote = remote_text(connection.remote).ok_or_else(|| io::Error::other("an address is too long"))?;
        self.push(&remote);
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
        self.text.extend_from_slice(comma.as_bytes());
        self.text.extend_from_slice(&self.start);
        Ok(())
    }

    fn push(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }
}
