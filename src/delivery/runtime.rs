//! Drives the sessions of the transports, which are asynchronous, from the thread that waits for them.

use std::pin::pin;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::error::{Cause, Error};
use super::transport::{self, Attempt, Keepalive, Message, Receipt};

/// How long nothing must arrive before the report is sent. Long enough for the runtime to look at the socket once: what the
/// kernel already has is then received, which `Duration::ZERO` would not ensure.
pub(super) const QUIET: Duration = Duration::from_millis(1);

/// A session as a transport has it.
pub(super) trait Session {
    fn max_payload(&self) -> Option<usize>;
    fn check(&self) -> Result<(), Error>;
    async fn publish(&mut self, message: Message) -> Result<Receipt, Error>;
    async fn close(self);
}

/// A session with the runtime that drives it.
struct Driven<'a, S> {
    runtime: Runtime,
    keepalive: Keepalive<'a>,
    session: S,
}

/// Opens a session. `failed` makes the error when the system refuses what a runtime needs.
pub(super) fn open<'a, S: Session + 'a>(
    attempt: Attempt<'a>,
    session: impl Future<Output = Result<S, Error>>,
    failed: impl FnOnce(Cause) -> Error,
) -> Result<Box<dyn transport::Session + 'a>, Error> {
    // The runtime is this thread, and no other.
    let runtime = Builder::new_current_thread().enable_io().enable_time().build();
    let runtime = runtime.map_err(|error| failed(Cause::System(error.to_string())))?;
    let session = wait(&runtime, attempt.keepalive, session)?;
    Ok(Box::new(Driven { runtime, keepalive: attempt.keepalive, session }))
}

impl<S: Session> transport::Session for Driven<'_, S> {
    fn max_payload(&self) -> Option<usize> {
        self.session.max_payload()
    }

    fn check(&self) -> Result<(), Error> {
        self.session.check()
    }

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
