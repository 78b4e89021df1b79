//! One session with the broker, in one straight line: CONNECT, SUBSCRIBE, PUBLISH, the answer, DISCONNECT.

mod failure;

use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{timeout, timeout_at};
use tokio_util::codec::Framed;

use super::context::ConnectContext;
use super::packets::{ConnAck, Incoming, Limits, Message as Packet, Outgoing, PacketError, Packets};
use super::reason::{Carrier, Reason};
use super::stream::{MeteredStream, Traffic};
use super::version::Version;
use super::{network, tls};
use crate::delivery::error::{Acknowledgment, Cause, Error};
use crate::delivery::phase::{Phase, PhaseTimer};
use crate::delivery::reply::{Answer, Reply};
use crate::delivery::runtime::{self, QUIET};
use crate::delivery::transport::{ANSWERS, Confirmation, Message, Receipt, WaitFor};
use crate::text::{MAX_SHOWN, truncate};

/// The longest that disconnecting may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// The keep-alive interval, in seconds: the most that AWS IoT allows. A session is over long before, so no ping is due
/// unless the broker asks for a shorter interval.
const KEEP_ALIVE: u16 = 1200;

/// Packet ids. Each is used once a session.
const SUBSCRIBE_ID: u16 = 1;
const PUBLISH_ID: u16 = 2;

/// The most bytes of a PUBLISH in addition to topic and payload: the fixed header, the lengths of topic and properties, and the
/// packet ID.
const PUBLISH_OVERHEAD: usize = 5 + 2 + 2 + 1;

/// Either kind of stream.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// A connection to the broker that is ready for a report.
pub(super) struct Session<'a> {
    context: ConnectContext<'a>,
    version: Version,
    stream: Framed<MeteredStream<Box<dyn Stream>>, Packets>,
    /// Below TLS.
    raw: Rc<Traffic>,
    /// Above TLS.
    plaintext: Rc<Traffic>,
    limits: Limits,
    /// The answers that cannot be received; `None`: none is waited for.
    refused: Option<Vec<Refused>>,
    /// When the PUBLISH was written, at least in part.
    published: Option<Instant>,
    /// When a packet was sent last.
    sent: Instant,
    /// `false` once a read or write has failed, or the broker has disconnected.
    is_open: bool,
}

/// An answer to which the broker refused the subscription, and its reason if it gave one.
type Refused = (&'static str, Option<Box<Reason>>);

/// Why nothing was received or sent.
enum StreamError {
    /// The other side closed in good order.
    Closed,
    Disconnected(Reason),
    Packet(PacketError),
    TimedOut(PhaseTimer),
}

impl<'a> Session<'a> {
    /// Connects, and subscribes to the answers if they are waited for. If the broker turns out not to speak MQTT 5, that is
    /// done once more with MQTT 3.1.1, unless a setting rules it out.
    pub(super) async fn open(context: ConnectContext<'a>) -> Result<Self, Error> {
        let versions = &context.settings.versions;
        let version = versions.first();
        let opened = Self::open_with(context, version).await;
        let Err(error) = &opened else { return opened };
        if !versions.may_be_older(version) || !error.may_be_version() {
            return opened;
        }
        if error.is_version() {
            versions.remember_older();
        }
        context.attempt.trace(&format!("{}: {}; trying {}", error.phase, error.message(), Version::V311));
        let session = Self::open_with(context, Version::V311).await?;
        versions.remember_older();
        Ok(session)
    }

    async fn open_with(context: ConnectContext<'a>, version: Version) -> Result<Self, Error> {
        let (stream, raw) = MeteredStream::new(network::connect(context).await?);
        let stream: Box<dyn Stream> = match context.tls {
            None => Box::new(stream),
            Some(tls) => Box::new(tls::handshake(context, tls, stream, &raw).await?),
        };
        let (stream, plaintext) = MeteredStream::new(stream);
        let mut session = Self {
            context,
            version,
            stream: Framed::new(stream, Packets::new(version)),
            raw,
            plaintext,
            limits: Limits::default(),
            refused: None,
            published: None,
            sent: Instant::now(),
            is_open: true,
        };
        session.connect().await?;
        if context.attempt.wait_for == WaitFor::Answer {
            session.refused = Some(session.subscribe().await?);
        }
        Ok(session)
    }

    /// CONNECT to CONNACK.
    async fn connect(&mut self) -> Result<(), Error> {
        let client_id = self.context.settings.client_id.clone();
        let timer = self.context.attempt.start(Phase::Connect);
        self.send(timer, Outgoing::Connect { client_id: client_id.clone(), keep_alive: KEEP_ALIVE }).await?;
        let ConnAck { session_present, reason, limits } = match self.receive(timer).await? {
            Incoming::ConnAck(connack) => connack,
            other => return Err(self.unexpected(timer, "CONNACK", &other)),
        };
        if reason.version != self.version && !reason.is_of_version() {
            return Err(self.context.error(timer.phase, Cause::OtherVersion(Box::new(reason))));
        }
        if reason.is_refusal() {
            return Err(self.refusal(timer.phase, reason));
        }
        let old = if session_present { "; the broker had an old session" } else { "" };
        let says = reason.says();
        self.context.attempt.trace(&format!(
            "CONNECT: {}, client ID {client_id} accepted, clean session, in {}{old}{says}",
            self.version,
            timer.took()
        ));
        if self.version == Version::V5 {
            self.context.attempt.trace(&format!("CONNECT: the broker's limits: {limits}"));
        }
        self.stream.codec_mut().max_outgoing = limits.packet.unwrap_or(self.stream.codec().max_outgoing);
        self.limits = limits;
        Ok(())
    }

    /// Fails when neither an answer nor an acknowledgment can come.
    fn check_acknowledgment(&self, phase: Phase) -> Result<(), Error> {
        let is_waited_for = self.refused.is_none();
        if is_waited_for && self.limits.qos == 0 {
            Err(self.context.error(phase, Cause::NoAcknowledgment))
        } else {
            Ok(())
        }
    }

    /// SUBSCRIBE to SUBACK. Returns the answers that were refused.
    async fn subscribe(&mut self) -> Result<Vec<Refused>, Error> {
        let filters = ANSWERS.map(|answer| self.context.attempt.answer_topic(answer));
        let timer = self.context.attempt.start(Phase::Subscribe);
        self.send(timer, Outgoing::Subscribe { id: SUBSCRIBE_ID, filters: filters.to_vec() }).await?;
        let (codes, text) = loop {
            match self.receive(timer).await? {
                Incoming::SubAck { id: SUBSCRIBE_ID, codes, text } => break (codes, text),
                early @ (Incoming::Message(_) | Incoming::Oversized(_)) => {
                    self.context.attempt.trace(&format!("ignored: {early} before SUBACK"));
                }
                other => return Err(self.unexpected(timer, "the SUBACK for this SUBSCRIBE", &other)),
            }
        };
        let took = timer.took();
        let mut refused = Vec::new();
        for ((filter, answer), code) in filters.iter().zip(ANSWERS).zip(codes.iter().map(Some).chain([None, None])) {
            let reason =
                code.map(|&code| Reason { text: text.clone(), ..Reason::new(Carrier::SubAck, self.version, code) });
            let outcome = match &reason {
                Some(reason) if reason.is_refusal() => format!("refused with {reason}"),
                Some(reason) => format!("granted with QoS {}{}", reason.code, reason.says()),
                None => "not answered".to_owned(),
            };
            self.context.attempt.trace(&format!("SUBSCRIBE: {filter} {outcome}, in {took}"));
            if reason.as_ref().is_none_or(Reason::is_refusal) {
                refused.push((answer, reason.map(Box::new)));
            }
        }
        Ok(refused)
    }

    /// Receives everything that is there already: none of it can answer a report that was not sent yet.
    async fn pass_over_received(&mut self, timer: PhaseTimer) -> Result<(), Error> {
        while let Ok(incoming) = timeout(QUIET, self.incoming(timer)).await {
            match incoming {
                Ok(incoming) => self.pass_over(incoming, timer).await,
                Err(error) => return Err(self.lost(timer, error)),
            }
        }
        Ok(())
    }

    async fn pass_over(&mut self, incoming: Incoming, timer: PhaseTimer) {
        self.context.attempt.trace(&format!("ignored: {incoming} before PUBLISH"));
        if let Incoming::Message(message) = incoming {
            self.acknowledge(&message, timer).await;
        }
    }

    async fn acknowledge(&mut self, message: &Packet, timer: PhaseTimer) {
        if message.qos == 1 {
            let _unsent = self.send(timer, Outgoing::PubAck(message.id)).await;
        }
    }

    /// Reads a message that arrived; `None` when it is not an answer to this report.
    fn reply(&self, message: &Packet, report_id: u64, acknowledged: bool, timer: PhaseTimer) -> Option<Reply> {
        let Packet { retained, topic, payload, .. } = message;
        let Some(kind) = ANSWERS.into_iter().find(|answer| *topic == self.context.attempt.answer_topic(answer)) else {
            self.context.attempt.trace(&format!("ignored: a message to {}", truncate(topic, MAX_SHOWN)));
            return None;
        };
        let (accepted, encoding) = (kind == ANSWERS[0], self.context.attempt.encoding);
        let answer = Answer { accepted, encoding, retained: *retained, acknowledged, payload };
        self.context.attempt.reply(topic, &answer, report_id, timer)
    }

    async fn send(&mut self, timer: PhaseTimer, packet: Outgoing) -> Result<(), Error> {
        self.sent = Instant::now();
        let error = match timeout_at(timer.deadline, self.stream.send(packet)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(PacketError::TooLarge { bytes, max })) => {
                self.published = None; // nothing of it was written
                return Err(self.context.error(timer.phase, Cause::PacketTooLarge { bytes, max }));
            }
            Ok(Err(error)) => StreamError::Packet(error),
            Err(_) => StreamError::TimedOut(timer),
        };
        self.is_open = false;
        Err(match timer.phase {
            Phase::Publish => self.unanswered(error, Acknowledgment::None),
            _ => self.lost(timer, error),
        })
    }

    /// Receives a packet in a phase before the PUBLISH.
    async fn receive(&mut self, timer: PhaseTimer) -> Result<Incoming, Error> {
        let incoming = self.incoming(timer).await;
        incoming.map_err(|error| self.lost(timer, error))
    }

    /// Receives a packet, and meanwhile keeps the connection alive as the broker wants it.
    async fn incoming(&mut self, timer: PhaseTimer) -> Result<Incoming, StreamError> {
        let keep_alive = self.limits.keep_alive.filter(|seconds| *seconds > 0).unwrap_or(KEEP_ALIVE);
        let error = loop {
            if tokio::time::Instant::now() >= timer.deadline {
                return Err(StreamError::TimedOut(timer)); // however much there is to read
            }
            let ping = tokio::time::Instant::from_std(self.sent) + Duration::from_secs(keep_alive.into());
            match timeout_at(timer.deadline.min(ping), self.stream.next()).await {
                Ok(Some(Ok(Incoming::Disconnect(reason)))) => break StreamError::Disconnected(reason),
                Ok(Some(Ok(incoming))) => return Ok(incoming),
                Ok(Some(Err(error))) => break StreamError::Packet(error),
                Ok(None) => break StreamError::Closed,
                Err(_) if ping < timer.deadline => {
                    self.sent = Instant::now();
                    // If it cannot be sent, there may still be a reason to read.
                    let _unsent = timeout_at(timer.deadline, self.stream.send(Outgoing::PingReq)).await;
                }
                Err(_) => {}
            }
        };
        self.is_open = false;
        Err(error)
    }
}

impl runtime::Session for Session<'_> {
    fn max_payload(&self) -> Option<usize> {
        let packet = usize::try_from(self.limits.packet?).ok()?;
        let overhead = self.context.attempt.topic().len().saturating_add(PUBLISH_OVERHEAD);
        Some(packet.saturating_sub(overhead))
    }

    fn check(&self) -> Result<(), Error> {
        match self.refused.as_deref() {
            Some([(answer, reason), ..]) => Err(self.not_subscribed(answer, reason.clone())),
            _ => self.check_acknowledgment(Phase::Connect),
        }
    }

    /// PUBLISH to the answer, or to PUBACK where no answer can be received.
    async fn publish(&mut self, message: Message) -> Result<Receipt, Error> {
        let Message { report_id, payload, .. } = message;
        let topic = self.context.attempt.topic();
        let bytes = payload.len();
        let (qos, id) = if self.limits.qos == 0 { (0, 0) } else { (1, PUBLISH_ID) };
        let publish = Packet { id, qos, retained: false, topic: topic.clone(), payload: payload.into() };
        self.check_acknowledgment(Phase::Publish)?;
        let timer = self.context.attempt.start(Phase::Publish);
        self.pass_over_received(timer).await?;
        // The rest of a packet that began before the PUBLISH.
        let mut is_earlier = !self.stream.read_buffer().is_empty();
        self.published = Some(Instant::now());
        self.send(timer, Outgoing::Publish(publish)).await?;
        let mut published = Instant::now();
        self.published = Some(published);
        self.context.attempt.trace(&format!("PUBLISH: report {report_id}, {bytes} bytes, QoS {qos}, to {topic}"));
        let mut acknowledgment = if qos == 0 { Acknowledgment::Unused } else { Acknowledgment::None };
        loop {
            let incoming = self.incoming(timer).await.map_err(|error| self.unanswered(error, acknowledgment))?;
            if std::mem::take(&mut is_earlier) {
                self.pass_over(incoming, timer).await;
                continue;
            }
            match incoming {
                Incoming::PubAck { id: PUBLISH_ID, reason } if reason.is_refusal() => {
                    return Err(self.error_after_publish(self.refused(reason, Acknowledgment::None)));
                }
                Incoming::PubAck { id: PUBLISH_ID, reason } => {
                    acknowledgment =
                        if reason.is_unheard() { Acknowledgment::Unheard } else { Acknowledgment::Received };
                    published = Instant::now(); // the report has arrived by now, and not before it was written
                    self.published = Some(published);
                    let unheard = if reason.is_unheard() { ", no matching subscribers" } else { "" };
                    self.context.attempt.trace(&format!("PUBACK after {}{unheard}{}", timer.took(), reason.says()));
                    match self.refused.as_deref() {
                        None => return Ok(Receipt { confirmation: Confirmation::Acknowledged, published }),
                        Some([] | [_]) => {}
                        Some([(_, reason), ..]) => {
                            return Err(self.unconfirmed("its answers", reason.clone(), acknowledgment));
                        }
                    }
                }
                Incoming::Message(message) => {
                    self.acknowledge(&message, timer).await;
                    let is_taken = acknowledgment != Acknowledgment::None;
                    match self.reply(&message, report_id, is_taken, timer) {
                        None => {}
                        Some(Reply::Accepted) => {
                            return Ok(Receipt { confirmation: Confirmation::Accepted, published });
                        }
                        Some(Reply::Rejected(rejection)) => {
                            return Err(self.error_after_publish(Cause::of_rejection(report_id, rejection)));
                        }
                    }
                }
                Incoming::PingResp => {}
                other => self.context.attempt.trace(&format!("ignored: {other}")),
            }
        }
    }

    /// DISCONNECT, and the end of the connection, in good order if the other side lets it.
    async fn close(mut self) {
        let disconnect = async {
            self.stream.send(Outgoing::Disconnect).await?;
            self.stream.close().await
        };
        if self.is_open && matches!(timeout(CLOSE_LIMIT, disconnect).await, Ok(Ok(()))) {
            let (sent, received) = (self.raw.sent.get(), self.raw.received.get());
            self.context.attempt.trace(&format!("DISCONNECT; {sent} bytes sent, {received} received"));
        }
    }
}
