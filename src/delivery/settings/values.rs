//! How each setting is read from its text, and what is said when it cannot be.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use rustls::pki_types::ServerName;

use crate::thing::{NotAThingName, ThingName};

/// The most bytes of a client id that AWS IoT takes.
const CLIENT_ID_LENGTH: usize = 128;

/// The longest that a delivery may be said to take: well inside the keep alive of 20 minutes that the session asks for.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(600);

/// A setting as it may be shown: a user's name and password before a host, and the PIN of a key in hardware, are none of a
/// log's business.
pub(super) fn without_secret(text: &str) -> String {
    if text.starts_with("pkcs11:") {
        return "pkcs11:…".to_owned();
    }
    match text.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => text.to_owned(),
    }
}

/// The text of a setting that is no path.
fn text(given: &OsStr) -> Result<&str, String> {
    given.to_str().ok_or_else(|| "not UTF-8".to_owned())
}

pub(super) fn parse_host(given: &OsStr) -> Result<ServerName<'static>, String> {
    let text = text(given)?;
    if text.contains("://") {
        return Err("give the host name alone, without a scheme such as mqtts://".to_owned());
    }
    if text.contains('@') {
        return Err("give the host name alone; a user's name and password are not used".to_owned());
    }
    let unbracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match ServerName::try_from(unbracketed.unwrap_or(text).to_owned()) {
        Ok(name @ ServerName::IpAddress(_)) => Ok(name),
        Ok(name) if unbracketed.is_none() => Ok(name),
        _ if text.split_once(':').is_some_and(|(host, port)| is_name(host) && port.parse::<u16>().is_ok()) => {
            Err("give the host name alone, and the port with --port".to_owned())
        }
        _ if text.contains('/') => Err("give the host name alone, without a path".to_owned()),
        _ => Err("neither a host name nor an IP address".to_owned()),
    }
}

fn is_name(text: &str) -> bool {
    ServerName::try_from(text).is_ok()
}

/// Whether a host is this machine by its very name.
pub(super) fn is_loopback(host: &ServerName<'_>) -> bool {
    match host {
        ServerName::IpAddress(ip) => IpAddr::from(*ip).to_canonical().is_loopback(),
        name => name.to_str().eq_ignore_ascii_case("localhost"),
    }
}

pub(super) fn parse_port(given: &OsStr) -> Result<u16, String> {
    match text(given)?.parse() {
        Ok(port) if port > 0 && !text(given)?.starts_with('+') => Ok(port),
        _ => Err("a port is a number from 1 to 65535".to_owned()),
    }
}

pub(super) fn parse_thing_name(given: &OsStr) -> Result<ThingName, String> {
    text(given)?.parse().map_err(|error: NotAThingName| error.to_string())
}

pub(super) fn parse_client_id(given: &OsStr) -> Result<String, String> {
    let text = text(given)?;
    if text.is_empty() || text.len() > CLIENT_ID_LENGTH {
        let length = text.len();
        return Err(format!("it takes {length} bytes, and a client id takes 1 to {CLIENT_ID_LENGTH}"));
    }
    if text.chars().any(|c| c.is_control() || matches!(c, '/' | '+' | '#')) {
        return Err("a client id is without control characters, `/`, `+` and `#`".to_owned());
    }
    if text.starts_with('$') {
        return Err("client ids that begin with `$` are kept for the broker".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn parse_timeout(given: &OsStr) -> Result<Duration, String> {
    match humantime::parse_duration(text(given)?) {
        Ok(timeout) if timeout < Duration::from_millis(1) => Err("a timeout is longer than 0".to_owned()),
        Ok(timeout) if timeout > LONGEST_TIMEOUT => Err("a timeout is at most 10m (m is minutes, M months)".to_owned()),
        Ok(timeout) => Ok(timeout),
        Err(error) => Err(format!("no duration such as 30s or 2m: {error}")),
    }
}

/// A path: as it stands, or as the `file:` URI of a Greengrass configuration (RFC 8089).
pub(super) fn parse_path(given: &OsStr) -> Result<PathBuf, String> {
    let Some(text) = given.to_str() else { return Ok(PathBuf::from(given)) };
    if text.is_empty() {
        return Err("a path is not empty".to_owned());
    }
    if text.starts_with("pkcs11:") {
        return Err("a key or certificate in hardware (PKCS #11, RFC 7512) cannot be used; give files, as of a \
                    certificate made for this program"
            .to_owned());
    }
    let Some(rest) = text.strip_prefix("file:") else { return Ok(PathBuf::from(text)) };
    let path =
        rest.strip_prefix("//localhost/").or_else(|| rest.strip_prefix("///")).or_else(|| rest.strip_prefix('/'));
    match path.map(|path| percent_decode_str(path).decode_utf8()) {
        Some(Ok(path)) => Ok(Path::new("/").join(path.trim_start_matches('/'))),
        _ => Err("a file URI has an absolute path, as in file:///greengrass/certs/core.pem".to_owned()),
    }
}
