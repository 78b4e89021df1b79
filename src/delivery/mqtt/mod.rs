//! MQTT 3.1.1 over TLS, one connection a report.
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
//! | [`packets`] | MQTT packets on the stream |
//! | [`session`] | CONNECT, SUBSCRIBE, PUBLISH, the answer, DISCONNECT |

mod context;
mod credentials;
mod network;
pub(crate) mod packets;
mod refusal;
mod session;
pub(crate) mod settings;
mod stream;
mod tls;
pub(crate) mod values;
mod verifier;

use std::pin::pin;
use std::time::SystemTime;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::error::{Cause, Error};
use super::phase::Phase;
use super::transport::{self, Attempt, CredentialError, Keepalive, Loaded, Message, Receipt, Transport};
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
        // The runtime is this thread, and no other.
        let runtime = Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|error| context.error(Phase::Lookup, Cause::System(error.to_string())))?;
        let session = wait(&runtime, attempt.keepalive, Session::open(context))?;
        Ok(Box::new(Connected { runtime, keepalive: attempt.keepalive, session }))
    }
}

/// A session with the runtime that drives it.
struct Connected<'a> {
    runtime: Runtime,
    keepalive: Keepalive<'a>,
    session: Session<'a>,
}

impl transport::Session for Connected<'_> {
    fn send(&mut self, message: Message) -> Result<Receipt, Error> {
        wait(&self.runtime, self.keepalive, self.session.publish(message))
    }

    fn close(self: Box<Self>) {
        let Self { runtime, keepalive, session } = *self;
        wait(&runtime, keepalive, session.close());
    }
}

/// Runs a future to its end, and the keepalive hook meanwhile.
fn wait<T>(runtime: &Runtime, keepalive: Keepalive<'_>, future: impl Future<Output = T>) -> T {
    runtime.block_on(async {
        let mut future = pin!(future);
        loop {
            match timeout(keepalive.every, future.as_mut()).await {
                Ok(done) => return done,
                Err(_) => (keepalive.call)(),
            }
        }
    })
}
