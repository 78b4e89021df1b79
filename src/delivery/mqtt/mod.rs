//! MQTT 5 or 3.1.1 over TLS, one connection a report.
//!
//! | file | owns |
//! |---|---|
//! | [`settings`], [`values`] | what a connection needs, and which texts are allowed |
//! | [`context`] | the parameters of one connection attempt |
//! | [`credentials`] | certificates and key, checked before connecting |
//! | [`network`] | name to TCP connection |
//! | [`tls`] | the handshake |
//! | [`verifier`], [`refusal`] | the server's certificate: verified, and what was refused in words |
//! | [`stream`] | counting bytes, and recognizing other protocols |
//! | [`version`] | which version of MQTT is spoken |
//! | [`packets`] | MQTT packets on the stream, the same for both versions |
//! | [`reason`] | why a broker refuses: reason codes |
//! | [`closing`] | what it means that a broker closes the connection without a reason |
//! | [`session`] | CONNECT, SUBSCRIBE, PUBLISH, the answer, DISCONNECT |

pub(crate) mod closing;
mod context;
pub(crate) mod credentials;
mod network;
pub(crate) mod packets;
pub(crate) mod pem;
pub(crate) mod reason;
mod refusal;
mod session;
pub(crate) mod settings;
mod stream;
mod tls;
pub(crate) mod values;
mod verifier;
pub(crate) mod version;

use std::time::SystemTime;

use super::error::Error;
use super::phase::Phase;
use super::runtime;
use super::transport::{self, Attempt, CredentialError, Loaded, Transport};
use context::ConnectContext;
use credentials::Credentials;
use session::Session;
use settings::{CredentialFiles, Settings};
use tls::Tls;

/// MQTT with credentials that were checked.
struct Mqtt {
    settings: Settings,
    /// `None`: without TLS.
    tls: Option<Tls>,
}

/// Reads and checks the credentials.
pub(super) fn load(settings: &Settings, now: SystemTime) -> Result<Loaded, Vec<CredentialError>> {
    let Credentials { tls, warnings, summary } = match &settings.credentials {
        Some(files) => credentials::load(files, settings.endpoint.port, now)?,
        None => Credentials::default(),
    };
    Ok(Loaded { transport: Box::new(Mqtt { settings: settings.clone(), tls }), warnings, summary })
}

/// Checks credential files without using them.
pub(crate) fn check(files: &CredentialFiles, now: SystemTime) -> Result<(), Vec<CredentialError>> {
    credentials::load(files, 0, now).map(drop)
}

impl Transport for Mqtt {
    fn connect<'a>(&'a self, attempt: Attempt<'a>) -> Result<Box<dyn transport::Session + 'a>, Error> {
        let context = ConnectContext { settings: &self.settings, tls: self.tls.as_ref(), attempt };
        runtime::open(attempt, Session::open(context), |cause| context.error(Phase::Lookup, cause))
    }
}
