//! One session with the broker, in one straight line: CONNECT, SUBSCRIBE, PUBLISH, the answer, DISCONNECT (MQTT 3.1.1).

use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, Packet, PubAck, Publish, SubAck, Subscribe, SubscribeFilter,
    SubscribeReasonCode,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{timeout, timeout_at};
use tokio_util::codec::Framed;

use super::context::ConnectContext;
use super::packets::{Incoming, PacketError, Packets, level, number_of};
use super::refusal::io_in_words;
use super::settings::{Settings, aws_endpoint};
use super::stream::{MeteredStream, Traffic};
use super::tls::certificate_alert;
use super::{network, tls};
use crate::delivery::error::{Cause, ClosedAt, Error};
use crate::delivery::phase::{Phase, PhaseTimer};
use crate::delivery::reply::{Answer, Reply};
use crate::delivery::runtime::{self, QUIET};
use crate::delivery::transport::{ANSWERS, Confirmation, Message, Receipt, WaitFor};
use crate::text::{MAX_SHOWN, truncate};

/// The longest that disconnecting may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// The keep-alive interval, in seconds: the most that AWS IoT allows. A session is over long before, so no ping is ever due.
const KEEP_ALIVE: u16 = 1200;

/// Packet ids. Each is used once a session.
const SUBSCRIBE_ID: u16 = 1;
const PUBLISH_ID: u16 = 2;

/// Either kind of stream.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// A connection to the broker that is ready for a report.
pub(super) struct Session<'a> {
    context: ConnectContext<'a>,
    stream: Framed<MeteredStream<Box<dyn Stream>>, Packets>,
    /// Below TLS.
    raw: Rc<Traffic>,
    /// Above TLS.
    plaintext: Rc<Traffic>,
    /// The answers that cannot be received, as the broker refused the subscription; `None`: none is waited for.
    refused: Option<Vec<&'static str>>,
    /// When the PUBLISH was written, at least in part.
    published: Option<Instant>,
    /// `false` once a read or write has failed.
    is_open: bool,
}

/// Why nothing was received or sent.
enum StreamError {
    /// The other side closed in good order.
    Closed,
    Packet(PacketError),
    TimedOut(PhaseTimer),
}

impl<'a> Session<'a> {
    /// Connects, and subscribes to the answers if they are waited for.
    pub(super) async fn open(context: ConnectContext<'a>) -> Result<Self, Error> {
        let (stream, raw) = MeteredStream::new(network::connect(context).await?);
        let stream: Box<dyn Stream> = match context.tls {
            None => Box::new(stream),
            Some(tls) => Box::new(tls::handshake(context, tls, stream, &raw).await?),
        };
        let (stream, plaintext) = MeteredStream::new(stream);
        let mut session = Self {
            context,
            stream: Framed::new(stream, Packets::default()),
            raw,
            plaintext,
            refused: None,
            published: None,
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
        let client_id = &self.context.settings.client_id;
        let mut connect = Connect::new(client_id);
        connect.keep_alive = KEEP_ALIVE;
        connect.clean_session = true;
        let timer = self.context.attempt.start(Phase::Connect);
        self.send(timer, Packet::Connect(connect)).await?;
        let code = match self.receive(timer).await? {
            Incoming::Packet(Packet::ConnAck(ConnAck { code: ConnectReturnCode::Success, session_present })) => {
                let old = if session_present { "; the broker had an old session" } else { "" };
                let took = timer.took();
                self.context
                    .attempt
                    .trace(&format!("CONNECT: client ID {client_id} accepted, clean session, in {took}{old}"));
                return Ok(());
            }
            Incoming::Packet(Packet::ConnAck(ConnAck { code, .. })) => number_of(code),
            Incoming::ConnectRefused(code) => code,
            other => return Err(self.unexpected(timer, "CONNACK", &other)),
        };
        Err(self.context.error(Phase::Connect, Cause::ConnectRefused { code, client_id: client_id.clone() }))
    }

    /// SUBSCRIBE to SUBACK. Returns the answers that were refused.
    async fn subscribe(&mut self) -> Result<Vec<&'static str>, Error> {
        let filters =
            ANSWERS.map(|answer| SubscribeFilter::new(self.context.attempt.answer_topic(answer), QoS::AtLeastOnce));
        let timer = self.context.attempt.start(Phase::Subscribe);
        let subscribe = Subscribe { pkid: SUBSCRIBE_ID, filters: filters.to_vec() };
        self.send(timer, Packet::Subscribe(subscribe)).await?;
        let codes = loop {
            match self.receive(timer).await? {
                Incoming::Packet(Packet::SubAck(SubAck { pkid: SUBSCRIBE_ID, return_codes })) => break return_codes,
                early @ (Incoming::Packet(Packet::Publish(_)) | Incoming::Oversized(_)) => {
                    self.context.attempt.trace(&format!("ignored: {early} before SUBACK"));
                }
                other => return Err(self.unexpected(timer, "the SUBACK for this SUBSCRIBE", &other)),
            }
        };
        let took = timer.took();
        let mut refused = Vec::new();
        for ((filter, answer), code) in filters.iter().zip(ANSWERS).zip(codes.iter().map(Some).chain([None, None])) {
            let outcome = match code {
                Some(SubscribeReasonCode::Success(qos)) => &format!("granted with QoS {}", level(*qos)),
                Some(SubscribeReasonCode::Failure) => "refused",
                None => "not answered",
            };
            self.context.attempt.trace(&format!("SUBSCRIBE: {} {outcome}, in {took}", filter.path));
            if !matches!(code, Some(SubscribeReasonCode::Success(_))) {
                refused.push(answer);
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
        if let Incoming::Packet(Packet::Publish(message)) = incoming {
            self.acknowledge(&message, timer).await;
        }
    }

    async fn acknowledge(&mut self, message: &Publish, timer: PhaseTimer) {
        if message.qos == QoS::AtLeastOnce {
            let _unsent = self.send(timer, Packet::PubAck(PubAck::new(message.pkid))).await;
        }
    }

    /// Reads a message that arrived; `None` when it is not an answer to this report.
    fn reply(&self, message: &Publish, report_id: u64, acknowledged: bool, timer: PhaseTimer) -> Option<Reply> {
        let Publish { retain: retained, topic, payload, .. } = message;
        let Some(kind) = ANSWERS.into_iter().find(|answer| *topic == self.context.attempt.answer_topic(answer)) else {
            self.context.attempt.trace(&format!("ignored: a message to {}", truncate(topic, MAX_SHOWN)));
            return None;
        };
        let (accepted, encoding) = (kind == ANSWERS[0], self.context.attempt.encoding);
        let answer = Answer { accepted, encoding, retained: *retained, acknowledged, payload };
        self.context.attempt.reply(topic, &answer, report_id, timer)
    }

    /// The error when no answer came after the PUBLISH.
    fn unanswered(&self, error: StreamError, acknowledged: bool) -> Error {
        if let Some(refused) = self.certificate_refused(&error) {
            return refused;
        }
        match (error, self.refused.as_deref()) {
            (StreamError::Closed, _) if !acknowledged => {
                let topic = self.context.attempt.topic();
                self.error_after_publish(Cause::Closed { at: ClosedAt::Publish { topic } })
            }
            (StreamError::TimedOut(_), Some([one])) => self.unconfirmed(&format!(".../{one}"), acknowledged),
            (StreamError::TimedOut(timer), _) if acknowledged => {
                self.error_after_publish(Cause::NoAnswer { reason: timer.timed_out() })
            }
            (error, _) => {
                self.error_after_publish(Cause::LostAfterPublish { reason: self.reason(&error), acknowledged })
            }
        }
    }

    /// The error when answers could not be received.
    fn unconfirmed(&self, answers: &str, acknowledged: bool) -> Error {
        let topic = self.context.attempt.answer_topic("accepted");
        self.error_after_publish(Cause::Unconfirmed { answers: answers.to_owned(), topic, acknowledged })
    }

    fn error_after_publish(&self, cause: Cause) -> Error {
        Error { published: self.published, ..self.context.error(Phase::Publish, cause) }
    }

    async fn send(&mut self, timer: PhaseTimer, packet: Packet) -> Result<(), Error> {
        let error = match timeout_at(timer.deadline, self.stream.send(packet)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => StreamError::Packet(error),
            Err(_) => StreamError::TimedOut(timer),
        };
        self.is_open = false;
        Err(match timer.phase {
            Phase::Publish => self.unanswered(error, false),
            _ => self.lost(timer, error),
        })
    }

    /// Receives a packet in a phase before the PUBLISH.
    async fn receive(&mut self, timer: PhaseTimer) -> Result<Incoming, Error> {
        let incoming = self.incoming(timer).await;
        incoming.map_err(|error| self.lost(timer, error))
    }

    async fn incoming(&mut self, timer: PhaseTimer) -> Result<Incoming, StreamError> {
        if tokio::time::Instant::now() >= timer.deadline {
            return Err(StreamError::TimedOut(timer)); // however much there is to read
        }
        let error = match timeout_at(timer.deadline, self.stream.next()).await {
            Ok(Some(Ok(incoming))) => return Ok(incoming),
            Err(_) => return Err(StreamError::TimedOut(timer)),
            Ok(None) => StreamError::Closed,
            Ok(Some(Err(error))) => StreamError::Packet(error),
        };
        self.is_open = false;
        Err(error)
    }

    /// The error when the connection is lost before the PUBLISH.
    fn lost(&self, timer: PhaseTimer, error: StreamError) -> Error {
        if let Some(refused) = self.certificate_refused(&error) {
            return refused;
        }
        let plaintext = self.context.tls.is_none();
        let cause = match (error, self.plaintext.instead_of_mqtt()) {
            (_, Some(found)) => Cause::WrongProtocol { expected: "an MQTT broker", found },
            (StreamError::Closed, None) if timer.phase == Phase::Publish => {
                let reason = "the broker closed the connection before the report was sent".to_owned();
                Cause::Connection { reason, plaintext }
            }
            (StreamError::Closed, None) if timer.phase == Phase::Subscribe => {
                Cause::Closed { at: ClosedAt::Subscribe { topic: self.context.attempt.answer_topic("accepted") } }
            }
            (StreamError::Closed, None) => {
                let Settings { client_id, endpoint, .. } = self.context.settings;
                let is_aws = aws_endpoint(&endpoint.host.to_str()).is_some();
                Cause::Closed { at: ClosedAt::Connect { client_id: client_id.clone(), is_aws } }
            }
            (StreamError::TimedOut(timer), None) => return self.context.timed_out(timer),
            (StreamError::Packet(PacketError::NotMqtt(error)), None) => Cause::BadPacket(error.to_string()),
            (error @ StreamError::Packet(_), None) => Cause::Connection { reason: self.reason(&error), plaintext },
        };
        self.context.error(timer.phase, cause)
    }

    /// The error when the server does not accept this device's certificate: under TLS 1.3 it says so after the handshake.
    fn certificate_refused(&self, error: &StreamError) -> Option<Error> {
        let StreamError::Packet(PacketError::Io(error)) = error else { return None };
        let cause = Cause::CertificateRefused { alert: certificate_alert(error)? };
        Some(Error { published: self.published, ..self.context.error(Phase::Tls, cause) })
    }

    /// Why the connection was lost.
    fn reason(&self, error: &StreamError) -> String {
        match (self.plaintext.instead_of_mqtt(), error) {
            (Some(found), _) => format!("not an MQTT broker, but {found}"),
            (None, StreamError::Closed) => "the broker closed the connection".to_owned(),
            (None, StreamError::TimedOut(timer)) => timer.timed_out(),
            (None, StreamError::Packet(error)) => match error {
                PacketError::NotMqtt(error) => format!("the answer is not MQTT 3.1.1: {error}"),
                PacketError::MidPacket => "the connection was closed in the middle of a packet".to_owned(),
                PacketError::Io(error) => format!("the connection was lost: {}", io_in_words(error)),
            },
        }
    }

    fn unexpected(&self, timer: PhaseTimer, expected: &'static str, got: &Incoming) -> Error {
        self.context.error(timer.phase, Cause::UnexpectedPacket { got: got.to_string(), expected })
    }
}

impl runtime::Session for Session<'_> {
    /// PUBLISH to the answer, or to PUBACK where no answer can be received.
    async fn publish(&mut self, message: Message) -> Result<Receipt, Error> {
        let Message { report_id, payload, .. } = message;
        let topic = self.context.attempt.topic();
        let bytes = payload.len();
        let mut publish = Publish::new(topic.clone(), QoS::AtLeastOnce, payload);
        publish.pkid = PUBLISH_ID;
        let timer = self.context.attempt.start(Phase::Publish);
        self.pass_over_received(timer).await?;
        // The rest of a packet that began before the PUBLISH.
        let mut is_earlier = !self.stream.read_buffer().is_empty();
        self.published = Some(Instant::now());
        self.send(timer, Packet::Publish(publish)).await?;
        let mut published = Instant::now();
        self.published = Some(published);
        self.context.attempt.trace(&format!("PUBLISH: report {report_id}, {bytes} bytes, to {topic}"));
        let mut acknowledged = false;
        loop {
            let incoming = self.incoming(timer).await.map_err(|error| self.unanswered(error, acknowledged))?;
            if std::mem::take(&mut is_earlier) {
                self.pass_over(incoming, timer).await;
                continue;
            }
            match incoming {
                Incoming::Packet(Packet::PubAck(PubAck { pkid: PUBLISH_ID })) => {
                    acknowledged = true;
                    published = Instant::now(); // the report has arrived by now, and not before it was written
                    self.published = Some(published);
                    self.context.attempt.trace(&format!("PUBACK after {}", timer.took()));
                    match self.refused.as_deref() {
                        None => return Ok(Receipt { confirmation: Confirmation::Acknowledged, published }),
                        Some([] | [_]) => {}
                        Some(_) => return Err(self.unconfirmed("its answers", acknowledged)),
                    }
                }
                Incoming::Packet(Packet::Publish(message)) => {
                    self.acknowledge(&message, timer).await;
                    match self.reply(&message, report_id, acknowledged, timer) {
                        None => {}
                        Some(Reply::Accepted) => {
                            return Ok(Receipt { confirmation: Confirmation::Accepted, published });
                        }
                        Some(Reply::Rejected(rejection)) => {
                            return Err(self.error_after_publish(Cause::of_rejection(report_id, rejection)));
                        }
                    }
                }
                other => self.context.attempt.trace(&format!("ignored: {other}")),
            }
        }
    }

    /// DISCONNECT, and the end of the connection, in good order if the other side lets it.
    async fn close(mut self) {
        let disconnect = async {
            self.stream.send(Packet::Disconnect).await?;
            self.stream.close().await
        };
        if self.is_open && matches!(timeout(CLOSE_LIMIT, disconnect).await, Ok(Ok(()))) {
            let (sent, received) = (self.raw.sent.get(), self.raw.received.get());
            self.context.attempt.trace(&format!("DISCONNECT; {sent} bytes sent, {received} received"));
        }
    }
}
