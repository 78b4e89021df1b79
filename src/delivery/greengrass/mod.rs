//! The interprocess communication (IPC) of a Greengrass nucleus: the nucleus publishes for its components, so that they need
//! no certificate, key or TLS of their own. One connection a report.
//!
//! | file | owns |
//! |---|---|
//! | [`settings`] | the socket and the token, which the nucleus passes to its components |
//! | [`frames`] | the AWS event stream encoding |
//! | [`messages`] | requests, responses and errors in frames |
//! | [`session`] | CONNECT, SUBSCRIBE, PUBLISH, the answer |
//! | [`cause`] | what can go wrong, in words |

pub(crate) mod cause;
pub(crate) mod frames;
pub(crate) mod messages;
mod session;
pub(crate) mod settings;

use super::error::Error;
use super::phase::Phase;
use super::runtime;
use super::transport::{self, Attempt, Loaded, Transport};
use session::{Context, Session};
use settings::Settings;

struct Greengrass {
    settings: Settings,
}

/// Nothing is read: the token was passed in the environment.
pub(super) fn load(settings: &Settings) -> Loaded {
    let transport = Box::new(Greengrass { settings: settings.clone() });
    Loaded { transport, warnings: Vec::new(), summary: Vec::new() }
}

impl Transport for Greengrass {
    fn connect<'a>(&'a self, attempt: Attempt<'a>) -> Result<Box<dyn transport::Session + 'a>, Error> {
        let context = Context { settings: &self.settings, attempt };
        runtime::open(attempt, Session::open(context), |cause| context.error(Phase::Socket, cause))
    }
}
