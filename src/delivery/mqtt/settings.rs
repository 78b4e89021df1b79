//! What an MQTT connection needs.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use rustls::pki_types::ServerName;

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) endpoint: Endpoint,
    /// 1 to 128 bytes.
    pub(crate) client_id: String,
    /// `None`: no TLS, to a loopback address only.
    pub(crate) credentials: Option<CredentialFiles>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The name or address that the server's certificate must be valid for.
    pub(crate) host: ServerName<'static>,
    pub(crate) port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            ServerName::IpAddress(ip) => SocketAddr::new((*ip).into(), self.port).fmt(f),
            name => write!(f, "{}:{}", name.to_str(), self.port),
        }
    }
}

/// The files that mutual TLS needs: this device's certificate and private key, and the certificates to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CredentialFiles {
    /// `None` for the system's.
    pub(crate) ca: Option<PathBuf>,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}
