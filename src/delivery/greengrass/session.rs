//! One report over one connection: CONNECT, SUBSCRIBE, PUBLISH, the answer.
//!
//! The subscriptions are made afresh for each report: one that is held dies without notice when nucleus lite's MQTT daemon
//! restarts.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout, timeout_at};
use tokio_util::codec::Framed;

use super::cause::Cause;
use super::frames::{Frame, FrameError, Frames};
use super::messages::{self, Incoming, Operation};
use super::settings::Settings;
use crate::delivery::error::{self, Error};
use crate::delivery::phase::{Phase, PhaseTimer};
use crate::delivery::reply::{Answer, Reply};
use crate::delivery::runtime::{self, QUIET};
use crate::delivery::transport::{ANSWERS, Attempt, Confirmation, Message, Receipt, WaitFor};

/// How often a socket is tried again whose queue of connections is full.
const FULL_PAUSE: Duration = Duration::from_millis(50);

/// The streams of the requests, in the order in which a connection uses them.
const SUBSCRIPTIONS: [i32; 2] = [1, 2];
const PUBLICATION: i32 = 3;

/// A connection to the nucleus that is ready for a report.
pub(super) struct Session<'a> {
    context: Context<'a>,
    stream: Framed<UnixStream, Frames>,
}

/// The parameters of one connection attempt.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) settings: &'a Settings,
    pub(super) attempt: Attempt<'a>,
}

/// Why nothing was received or sent.
enum StreamError {
    /// The nucleus closed the connection, in whatever way.
    Closed,
    Frame(FrameError),
    /// The nucleus did not understand what it was sent.
    Fault(String),
    TimedOut(PhaseTimer),
}

impl<'a> Session<'a> {
    /// Connects, and subscribes to the answers if they are waited for.
    pub(super) async fn open(context: Context<'a>) -> Result<Self, Error> {
        let stream = open_socket(context).await.map_err(|cause| context.error(Phase::Socket, cause.into()))?;
        let mut session = Self { context, stream: Framed::new(stream, Frames) };
        session.connect().await.map_err(|cause| context.error(Phase::Connect, cause.into()))?;
        if context.attempt.wait_for == WaitFor::Answer {
            session.subscribe().await.map_err(|cause| context.error(Phase::Subscribe, cause.into()))?;
        }
        Ok(session)
    }

    async fn connect(&mut self) -> Result<(), Cause> {
        let timer = self.context.attempt.start(Phase::Connect);
        let sent = self.send(timer, messages::connect(&self.context.settings.token.0)).await;
        let received = if sent.is_ok() { self.receive(timer).await } else { sent.map(|()| Incoming::Ping) };
        match received {
            Ok(Incoming::Connected { accepted: true }) => {
                self.context.attempt.trace(&format!("CONNECT: accepted in {}", timer.took()));
                Ok(())
            }
            Ok(Incoming::Connected { accepted: false }) | Err(StreamError::Closed) => Err(Cause::TokenRefused),
            Ok(other) => Err(Cause::NotEventStream(format!("received {other}, expected CONNECT_ACK"))),
            Err(error) => Err(error.before_publish()),
        }
    }

    /// Subscribes to both answers.
    async fn subscribe(&mut self) -> Result<(), Cause> {
        let timer = self.context.attempt.start(Phase::Subscribe);
        for (stream, answer) in SUBSCRIPTIONS.into_iter().zip(ANSWERS) {
            let topic = self.context.attempt.answer_topic(answer);
            self.send(timer, messages::subscribe(stream, &topic)).await.map_err(StreamError::before_publish)?;
            loop {
                match self.receive(timer).await.map_err(StreamError::before_publish)? {
                    Incoming::Response { stream: answered } if answered == stream => break,
                    Incoming::Failed { stream: failed, name, message } if failed == stream => {
                        return Err(refused(Operation::Subscribe, topic, name, message));
                    }
                    other => self.context.attempt.trace(&format!("ignored: {other} before the report")),
                }
            }
            self.context.attempt.trace(&format!("SUBSCRIBE: {topic} in {}", timer.took()));
        }
        Ok(())
    }

    /// `published` is when the report was sent, unless the nucleus says that it was not.
    async fn exchange(&mut self, message: Message, published: &mut Option<Instant>) -> Result<Receipt, error::Cause> {
        let Message { report_id, payload, .. } = message;
        let (attempt, bytes) = (self.context.attempt, payload.len());
        let topic = attempt.topic();
        let timer = self.context.attempt.start(Phase::Publish);
        self.pass_over(timer).await.map_err(StreamError::before_publish)?;
        // The rest of a frame that began before the report.
        let mut is_earlier = !self.stream.read_buffer().is_empty();
        let start = Instant::now();
        let sent = self.send(timer, messages::publish(PUBLICATION, &topic, &payload)).await;
        sent.map_err(|error| Cause::LostAtPublish { reason: error.reason(), bytes, is_whole: false })?;
        *published = Some(start);
        self.context.attempt.trace(&format!("PUBLISH: report {report_id}, {bytes} bytes, to {topic}"));
        let mut taken = false;
        loop {
            let incoming = self.receive(timer).await.map_err(|error| match error {
                StreamError::TimedOut(timer) if taken => Cause::NoAnswer(timer.timed_out()),
                StreamError::TimedOut(timer) => Cause::NotTaken(timer.timed_out()),
                error if taken => Cause::LostAfterPublish(error.reason()),
                error => Cause::LostAtPublish { reason: error.reason(), bytes, is_whole: true },
            });
            let incoming = incoming?;
            if std::mem::take(&mut is_earlier) {
                self.context.attempt.trace(&format!("ignored: {incoming} before the report"));
                continue;
            }
            match incoming {
                Incoming::Response { stream: PUBLICATION } => {
                    taken = true;
                    *published = Some(Instant::now()); // not before it was sent
                    self.context.attempt.trace(&format!("taken by the nucleus after {}", timer.took()));
                    if attempt.wait_for == WaitFor::Acknowledgment {
                        break;
                    }
                }
                Incoming::Failed { stream: PUBLICATION, name, message } => {
                    *published = None;
                    return Err(refused(Operation::Publish, topic, name, message).into());
                }
                Incoming::Message { stream, payload } => match self.answer(stream, &payload, report_id, taken, timer) {
                    None => {}
                    Some(Reply::Accepted) => break,
                    Some(Reply::Rejected(rejection)) => return Err(error::Cause::of_rejection(report_id, rejection)),
                },
                other => self.context.attempt.trace(&format!("ignored: {other}")),
            }
        }
        let confirmation = match attempt.wait_for {
            WaitFor::Answer => Confirmation::Accepted,
            WaitFor::Acknowledgment => Confirmation::Acknowledged,
        };
        Ok(Receipt { confirmation, published: published.unwrap_or_else(Instant::now) })
    }

    /// Passes over what arrived before the report was sent, so that it cannot be taken for an answer.
    async fn pass_over(&mut self, timer: PhaseTimer) -> Result<(), StreamError> {
        while let Ok(early) = timeout(QUIET, self.receive(timer)).await {
            self.context.attempt.trace(&format!("ignored: {} before the report", early?));
        }
        Ok(())
    }

    /// Reads a message that arrived; `None` when it is not an answer to this report.
    fn answer(&self, stream: i32, payload: &[u8], report_id: u64, taken: bool, timer: PhaseTimer) -> Option<Reply> {
        let attempt = self.context.attempt;
        let answers = SUBSCRIPTIONS.into_iter().zip(ANSWERS);
        let Some((_, kind)) = answers.clone().find(|(subscription, _)| *subscription == stream) else {
            attempt.trace(&format!("ignored: a message on stream {stream}"));
            return None;
        };
        let (accepted, encoding) = (kind == ANSWERS[0], attempt.encoding);
        let answer = Answer { accepted, encoding, retained: false, acknowledged: taken, payload };
        attempt.reply(&format!(".../{kind}"), &answer, report_id, timer)
    }

    async fn send(&mut self, timer: PhaseTimer, frame: Frame) -> Result<(), StreamError> {
        match timeout_at(timer.deadline, self.stream.send(frame)).await {
            Ok(sent) => Ok(sent?),
            Err(_) => Err(StreamError::TimedOut(timer)),
        }
    }

    /// Receives a frame that is not a ping.
    async fn receive(&mut self, timer: PhaseTimer) -> Result<Incoming, StreamError> {
        loop {
            if tokio::time::Instant::now() >= timer.deadline {
                return Err(StreamError::TimedOut(timer)); // however much there is to read
            }
            let Ok(received) = timeout_at(timer.deadline, self.stream.next()).await else { continue };
            match Incoming::of(&received.ok_or(StreamError::Closed)??) {
                // If it cannot be sent, there may still be an answer to read.
                Incoming::Ping => drop(self.send(timer, messages::ping_response()).await),
                Incoming::Fault(message) => return Err(StreamError::Fault(message)),
                incoming => return Ok(incoming),
            }
        }
    }
}

impl runtime::Session for Session<'_> {
    /// Nucleus lite has a limit, but does not say so.
    fn max_payload(&self) -> Option<usize> {
        None
    }

    /// The nucleus has answered all there is.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn publish(&mut self, message: Message) -> Result<Receipt, Error> {
        let mut published = None;
        let received = self.exchange(message, &mut published).await;
        received.map_err(|cause| Error { published, ..self.context.error(Phase::Publish, cause) })
    }

    /// Dropping the socket ends every stream.
    async fn close(self) {}
}

impl Context<'_> {
    /// An error before the report was sent.
    pub(super) fn error(self, phase: Phase, cause: error::Cause) -> Error {
        Error { phase, destination: self.settings.socket.display().to_string(), published: None, cause }
    }
}

/// Connects to the socket. While its queue of connections is full, it is tried again.
async fn open_socket(context: Context<'_>) -> Result<UnixStream, Cause> {
    let timer = context.attempt.start(Phase::Socket);
    let connected = timeout_at(timer.deadline, async {
        loop {
            match UnixStream::connect(&context.settings.socket).await {
                Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(FULL_PAUSE).await,
                connected => return connected,
            }
        }
    });
    match connected.await {
        Ok(Ok(stream)) => {
            context.attempt.trace(&format!("IPC: connected in {}", timer.took()));
            Ok(stream)
        }
        Ok(Err(error)) => Err(Cause::Unreachable { error: error.kind(), reason: error.to_string() }),
        Err(_) => Err(Cause::TimedOut(timer.timed_out())),
    }
}

/// The cause when a request failed.
fn refused(operation: Operation, topic: String, name: String, message: String) -> Cause {
    match name.as_str() {
        "UnauthorizedError" => Cause::Unauthorized { operation, topic },
        _ => Cause::Failed { operation, name, message },
    }
}

impl From<FrameError> for StreamError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Io(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                Self::Closed
            }
            error => Self::Frame(error),
        }
    }
}

impl StreamError {
    /// The cause in a phase in which the report was not sent yet.
    fn before_publish(self) -> Cause {
        match self {
            Self::TimedOut(timer) => Cause::TimedOut(timer.timed_out()),
            Self::Closed | Self::Fault(_) | Self::Frame(FrameError::Io(_) | FrameError::CutOff) => {
                Cause::Lost(self.reason())
            }
            Self::Frame(error) => Cause::NotEventStream(error.to_string()),
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::TimedOut(timer) => timer.timed_out(),
            Self::Fault(message) => format!("the nucleus reports an error: {message}"),
            Self::Closed => "the nucleus closed the connection".to_owned(),
            Self::Frame(FrameError::Io(error)) => format!("the connection was lost: {error}"),
            Self::Frame(FrameError::CutOff) => "the connection was closed in the middle of a frame".to_owned(),
            Self::Frame(error) => format!("a frame is malformed: {error}"),
        }
    }
}
