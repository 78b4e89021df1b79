//! What an MQTT connection needs.

use std::fmt;
use std::net::SocketAddr;

use rustls::pki_types::ServerName;

use super::version::Versions;
use crate::delivery::transport::CredentialFile;

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) endpoint: Endpoint,
    /// 1 to 128 bytes.
    pub(crate) client_id: String,
    pub(crate) versions: Versions,
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
    pub(crate) ca: Option<CredentialFile>,
    pub(crate) certificate: CredentialFile,
    pub(crate) key: CredentialFile,
}

/// What an endpoint of AWS IoT is for, by its host name ("Connecting devices to AWS IoT" and "AWS IoT Core endpoints").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AwsEndpoint {
    /// `PREFIX-ats.iot.REGION.amazonaws.com`, in China `PREFIX.ats.iot.REGION.amazonaws.com.cn`.
    Data,
    /// `PREFIX.iot.REGION.amazonaws.com`: its certificate is issued by a CA that systems no longer trust.
    Legacy,
    /// `PREFIX.credentials.iot.REGION.amazonaws.com`: exchanges certificates for tokens, over HTTPS.
    Credentials,
}

/// `None` for other hosts, also for others of AWS.
pub(crate) fn aws_endpoint(host: &str) -> Option<AwsEndpoint> {
    let host = host.to_ascii_lowercase();
    let host = host.trim_end_matches('.');
    let host = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    match host.split('.').collect::<Vec<_>>().as_slice() {
        [_, "ats", "iot", _] => Some(AwsEndpoint::Data),
        [_, "credentials", "iot", _] => Some(AwsEndpoint::Credentials),
        [prefix, "iot", _] if prefix.ends_with("-ats") => Some(AwsEndpoint::Data),
        [_, "iot", _] => Some(AwsEndpoint::Legacy),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_of_aws_iot_are_told_apart() {
        for (host, expected) in [
            ("a1b2-ats.iot.eu-west-1.amazonaws.com", Some(AwsEndpoint::Data)),
            ("A1B2-ATS.IoT.eu-west-1.AmazonAWS.com.", Some(AwsEndpoint::Data)),
            ("a1b2.ats.iot.cn-north-1.amazonaws.com.cn", Some(AwsEndpoint::Data)),
            ("a1b2.iot.eu-west-1.amazonaws.com", Some(AwsEndpoint::Legacy)),
            ("a1b2.credentials.iot.eu-west-1.amazonaws.com", Some(AwsEndpoint::Credentials)),
            ("ec2-192-0-2-1.eu-west-1.compute.amazonaws.com", None),
            ("vpce-0a1b-2c3d.data.iot.eu-west-1.vpce.amazonaws.com", None),
            ("a1b2.iot.eu-west-1.example.com", None),
            ("amazonaws.com", None),
        ] {
            assert_eq!(aws_endpoint(host), expected, "{host}");
        }
    }
}
