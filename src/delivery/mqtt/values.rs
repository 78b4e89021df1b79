//! How the settings of an MQTT connection are read from text.
//!
//! Limits are those of MQTT 3.1.1 (sections 1.5.3 and 4.7) and of AWS IoT ("AWS IoT Core limits": 128 bytes for a client
//! id, 8 levels and 256 bytes for a topic, which a thing name of 128 bytes cannot exceed).

use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode;
use rustls::pki_types::ServerName;

/// The most bytes of a client ID that AWS IoT accepts.
const CLIENT_ID_LENGTH: usize = 128;

/// The broker's name or address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host(pub(crate) ServerName<'static>);

impl FromStr for Host {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") {
            return Err("give the host name alone, without a scheme such as mqtts://");
        }
        if text.contains('@') {
            return Err("give the host name alone; user names and passwords are not used");
        }
        let unbracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let is_name = |text: &str| ServerName::try_from(text).is_ok();
        match ServerName::try_from(unbracketed.unwrap_or(text).to_owned()) {
            Ok(name @ ServerName::IpAddress(_)) => Ok(Self(name)),
            Ok(name) if unbracketed.is_none() => Ok(Self(name)),
            _ if text.split_once(':').is_some_and(|(host, port)| is_name(host) && port.parse::<u16>().is_ok()) => {
                Err("give the host name alone, and the port with --port")
            }
            _ if text.contains('/') => Err("give the host name alone, without a path"),
            _ => Err("expected a host name or an IP address"),
        }
    }
}

impl Host {
    /// Whether the host is this machine by its very name.
    pub(crate) fn is_loopback(&self) -> bool {
        match &self.0 {
            ServerName::IpAddress(ip) => IpAddr::from(*ip).to_canonical().is_loopback(),
            name => name.to_str().eq_ignore_ascii_case("localhost"),
        }
    }
}

/// A TCP port, 1 to 65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Port(pub(crate) u16);

impl FromStr for Port {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(port) if port > 0 && !text.starts_with('+') => Ok(Self(port)),
            _ => Err("expected a number from 1 to 65535"),
        }
    }
}

/// An MQTT client ID that AWS IoT accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientId(pub(crate) String);

impl FromStr for ClientId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.len() > CLIENT_ID_LENGTH {
            return Err(format!("expected 1 to {CLIENT_ID_LENGTH} bytes, not {}", text.len()));
        }
        if text.chars().any(|c| c.is_control() || matches!(c, '/' | '+' | '#')) {
            return Err("a client ID has no control characters, `/`, `+` or `#`".to_owned());
        }
        if text.starts_with('$') {
            return Err("client IDs that start with `$` are reserved for the broker".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

/// Parses the path of a credential file: a path, or a `file:` URI as in a Greengrass configuration (RFC 8089).
pub(crate) fn parse_path(text: &OsStr) -> Result<PathBuf, String> {
    const HARDWARE: &str = "keys and certificates in hardware (PKCS #11, TPM, PARSEC) are not supported; give files, for \
                            example of a certificate made for this program, or run it as a component of the core, with \
                            --via greengrass";
    let bytes = text.as_bytes();
    if ["pkcs11:", "handle:", "parsec:"].iter().any(|scheme| bytes.starts_with(scheme.as_bytes())) {
        return Err(HARDWARE.to_owned());
    }
    let Some(rest) = bytes.strip_prefix(b"file:") else { return Ok(PathBuf::from(text)) };
    let path = rest.strip_prefix(b"//localhost").or(rest.strip_prefix(b"//")).unwrap_or(rest);
    if !path.starts_with(b"/") {
        return Err("a file URI has an absolute path, as in file:///greengrass/certs/core.pem".to_owned());
    }
    Ok(PathBuf::from(OsString::from_vec(percent_decode(path).collect())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_of_a_path_counts_in_any_encoding() {
        let parse = |bytes| parse_path(OsStr::from_bytes(bytes));
        assert!(parse(b"pkcs11:object=\xff").is_err() && parse(b"handle:\xff").is_err());
        assert_eq!(parse(b"file:///a\xff%20b"), Ok(PathBuf::from(OsStr::from_bytes(b"/a\xff b"))));
        assert_eq!(parse(b"certs/a\xff"), Ok(PathBuf::from(OsStr::from_bytes(b"certs/a\xff"))));
    }
}
