//! One delivery, in one straight line: look-up, TCP, TLS, CONNECT, SUBSCRIBE, PUBLISH, the answer, DISCONNECT (MQTT 3.1.1).
//!
//! Every phase has a name, a limit, and words for what can go wrong in it; all of them together have one deadline. How AWS
//! IoT says no is in its developer guide: CONNACK 5 or its own 7 ("MQTT"), or a connection that is closed after CONNECT,
//! SUBSCRIBE or PUBLISH when a policy forbids it.

use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, Packet, PubAck, Publish, SubAck, Subscribe, SubscribeFilter,
    SubscribeReasonCode,
};
use tokio::time::{Instant, timeout_at};
use tokio_util::codec::Framed;

use super::connection::{
    Phase, Stream, Way, about_our_certificate, certificate_refused, connect, later, limit, shown, took,
};
use super::network::Traffic;
use super::packets::{Broken, Incoming, Packets};
use super::reply::{Answer, Reply};
use super::settings::Settings;
use super::{Encoding, Ended, Outcome, tls};
use crate::escape::shortened;

/// The longest the farewell takes.
const FAREWELL: Duration = Duration::from_secs(1);

/// Seconds that the broker lets us be silent: the most that AWS IoT has. A session is over long before, so no ping is
/// ever due.
const KEEP_ALIVE: u16 = 1200;

/// Packet ids. Each is used once a session.
const SUBSCRIBE_ID: u16 = 1;
const PUBLISH_ID: u16 = 2;

/// What is delivered.
#[derive(Debug, Clone)]
pub struct Message {
    /// The id in it.
    pub report_id: u64,
    /// What it is encoded in.
    pub encoding: Encoding,
    /// The encoded report.
    pub payload: Vec<u8>,
}

/// A connection to the broker that is ready for a report.
pub struct Session<'a> {
    way: Way<'a>,
    stream: Framed<Box<dyn Stream>, Packets>,
    traffic: Rc<Traffic>,
    encoding: Encoding,
    /// Which answers were subscribed to.
    answers: Answers,
    /// When the PUBLISH was written, at least in part.
    published: Option<Instant>,
}

/// Whether the answers can come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    /// They are not wanted.
    Unwanted,
    /// Both will come.
    Both,
    /// One of the subscriptions was refused.
    One,
    /// Both subscriptions were refused.
    None,
}

/// What a phase broke off with.
enum Break {
    /// The other side closed in good order.
    Closed,
    /// Anything else.
    Broken(Broken),
    /// The time was up, after so long.
    TimeUp(Duration),
}

impl<'a> Session<'a> {
    /// Connects, and subscribes to the answers if they are wanted.
    ///
    /// # Errors
    /// How it ended instead; nothing was published.
    pub async fn open(way: Way<'a>, encoding: Encoding, wants_answer: bool) -> Result<Self, Ended> {
        let (stream, traffic) = connect(way).await?;
        let stream = Framed::new(stream, Packets::default());
        let mut session = Self { way, stream, traffic, encoding, answers: Answers::Unwanted, published: None };
        session.log_in().await?;
        if wants_answer {
            session.answers = session.subscribe().await?;
        }
        Ok(session)
    }

    /// Publishes a report, and waits for what becomes of it.
    pub async fn publish(mut self, message: Message) -> Ended {
        let ended = self.exchange(message).await;
        let _gone = self.say_goodbye().await;
        ended
    }

    /// CONNECT to CONNACK.
    async fn log_in(&mut self) -> Result<(), Ended> {
        let Settings { client_id, .. } = self.way.settings;
        let mut connect = Connect::new(client_id);
        connect.keep_alive = KEEP_ALIVE;
        connect.clean_session = true;
        let start = Instant::now();
        self.send(Phase::Connect, Packet::Connect(connect)).await?;
        let code = match self.receive(Phase::Connect).await? {
            Incoming::Packet(Packet::ConnAck(ConnAck { code: ConnectReturnCode::Success, session_present })) => {
                let old = if session_present { "; the broker had an old session" } else { "" };
                let took = took(start);
                self.tell(&format!("CONNECT: client id {client_id} let in, clean session, in {took}{old}"));
                return Ok(());
            }
            Incoming::Packet(Packet::ConnAck(ConnAck { code, .. })) => number_of(code),
            Incoming::ConnectRefused(code) => code,
            other => return Err(self.unexpected(Phase::Connect, "CONNACK", &other)),
        };
        let (outcome, meaning, hint) = match code {
            1 => (Outcome::Lost, "it does not speak MQTT 3.1.1", "use a broker that does".to_owned()),
            2 => {
                (Outcome::Lost, "it does not take this client id", format!("give another --client-id than {client_id}"))
            }
            3 => (Outcome::Lost, "it is not available", "try again later".to_owned()),
            4 | 5 | 7 => (Outcome::NotAuthorized, "not authorized", self.connect_hint()),
            _ => (Outcome::Lost, "a reason that is not known", "look into the broker's log".to_owned()),
        };
        let text = format!("CONNECT: {} refused: CONNACK {code}, {meaning}", self.way.settings.endpoint);
        Err(Ended::before_publish(outcome, text).hint(hint))
    }

    /// SUBSCRIBE to SUBACK.
    async fn subscribe(&mut self) -> Result<Answers, Ended> {
        let filters = ["accepted", "rejected"].map(|answer| SubscribeFilter::new(self.topic(answer), QoS::AtLeastOnce));
        let start = Instant::now();
        let subscribe = Subscribe { pkid: SUBSCRIBE_ID, filters: filters.to_vec() };
        self.send(Phase::Subscribe, Packet::Subscribe(subscribe)).await?;
        let codes = loop {
            match self.receive(Phase::Subscribe).await? {
                Incoming::Packet(Packet::SubAck(SubAck { pkid: SUBSCRIBE_ID, return_codes })) => break return_codes,
                Incoming::Packet(Packet::Publish(_)) | Incoming::Oversized(_) => {} // kept messages may come early
                other => return Err(self.unexpected(Phase::Subscribe, "SUBACK", &other)),
            }
        };
        let took = took(start);
        let mut granted = Vec::new();
        for (filter, code) in filters.iter().zip(codes.iter().map(Some).chain([None, None])) {
            let answer = match code {
                Some(SubscribeReasonCode::Success(qos)) => format!("granted with QoS {}", level(*qos)),
                Some(SubscribeReasonCode::Failure) => "refused".to_owned(),
                None => "not answered".to_owned(),
            };
            self.tell(&format!("SUBSCRIBE: {} {answer}, in {took}", filter.path));
            granted.push(matches!(code, Some(SubscribeReasonCode::Success(_))));
        }
        Ok(match granted.as_slice() {
            [true, true] => Answers::Both,
            [false, false] => Answers::None,
            _ => Answers::One,
        })
    }

    /// PUBLISH to the answer, or to PUBACK where no answer can come.
    async fn exchange(&mut self, message: Message) -> Ended {
        let Message { report_id, encoding, payload } = message;
        let topic = self.way.settings.topic(encoding);
        let bytes = payload.len();
        let mut publish = Publish::new(topic.clone(), QoS::AtLeastOnce, payload);
        publish.pkid = PUBLISH_ID;
        let start = Instant::now();
        self.published = Some(start);
        if let Err(ended) = self.send(Phase::Publish, Packet::Publish(publish)).await {
            return ended;
        }
        self.published = Some(Instant::now());
        self.tell(&format!("PUBLISH: report {report_id}, {bytes} bytes, to {topic}"));
        let mut acknowledged = false;
        loop {
            let incoming = match self.incoming(self.way.deadline).await {
                Ok(incoming) => incoming,
                Err(broken) => return self.unanswered(broken, acknowledged),
            };
            match incoming {
                Incoming::Packet(Packet::PubAck(PubAck { pkid: PUBLISH_ID })) => {
                    acknowledged = true;
                    self.tell(&format!("PUBACK after {}", took(start)));
                    match self.answers {
                        Answers::Unwanted => {
                            return self.end(Outcome::Acknowledged, "acknowledged by the broker", None);
                        }
                        Answers::None => return self.unconfirmed(),
                        Answers::Both | Answers::One => {}
                    }
                }
                Incoming::Packet(Packet::Publish(answer)) => {
                    if let Some(ended) = self.answer(answer, report_id, start).await {
                        return ended;
                    }
                }
                Incoming::Oversized(bytes) => self.tell(&format!("ignored: a packet of {bytes} bytes")),
                other => self.tell(&format!("ignored: {}", name_of(&other))),
            }
        }
    }

    /// Judges a message that came: how it ended, if it is the answer.
    async fn answer(&mut self, message: Publish, report_id: u64, start: Instant) -> Option<Ended> {
        let Publish { qos, retain, topic, pkid, payload, .. } = message;
        if qos == QoS::AtLeastOnce {
            let _unsent = self.send(Phase::Publish, Packet::PubAck(PubAck::new(pkid))).await;
        }
        let accepted = topic == self.topic("accepted");
        if !accepted && topic != self.topic("rejected") {
            self.tell(&format!("ignored: a message to {}", shortened(&topic)));
            return None;
        }
        let answer = Answer { accepted, encoding: self.encoding, retained: retain, payload: &payload };
        let reply = match Reply::parse(&answer, &self.way.settings.thing_name, report_id) {
            Ok(reply) => reply,
            Err(reason) => {
                self.tell(&format!("ignored: an answer on {topic}: {reason}"));
                return None;
            }
        };
        let took = took(start);
        let throttled = reply.is_throttled();
        match reply {
            Reply::Accepted => {
                self.tell(&format!("accepted after {took}"));
                Some(self.end(Outcome::Accepted, "accepted", None))
            }
            Reply::Rejected { code, message } => {
                self.tell(&format!("rejected after {took}"));
                let why = match (code.as_str(), message.as_str()) {
                    ("", "") => "without a reason".to_owned(),
                    (code, "") => code.to_owned(),
                    ("", message) => message.to_owned(),
                    (code, message) => format!("{code}: {message}"),
                };
                let report = format!("report {report_id}");
                Some(if throttled {
                    let hint = "the service takes a report every 5 minutes; try again then";
                    self.end(Outcome::Throttled, &format!("{report} throttled: {why}"), Some(hint))
                } else {
                    let hint = "look at the report with --dry-run; the same one would be rejected again";
                    self.end(Outcome::Rejected, &format!("{report} rejected: {why}"), Some(hint))
                })
            }
        }
    }

    /// How it ends when no answer came after the PUBLISH.
    fn unanswered(&self, broken: Break, acknowledged: bool) -> Ended {
        let seen = if acknowledged { "the broker took the report (PUBACK)" } else { "no PUBACK came" };
        let hint = "the report may have arrived; the next one counts its traffic again. Try again in 5 minutes";
        match broken {
            Break::Closed if !acknowledged => {
                let hint = format!("AWS IoT does so when no policy allows iot:Publish on {}", self.topic(""));
                self.end(Outcome::NotAuthorized, "the broker closed the connection after the PUBLISH", Some(&hint))
            }
            Break::Broken(Broken::Io(error)) if about_our_certificate(&error).is_some() => self.refused(&error),
            Break::TimeUp(_) if self.answers == Answers::One => self.unconfirmed(),
            Break::TimeUp(_) if acknowledged => self.end(
                Outcome::Unanswered,
                &format!("no answer in time; {seen}"),
                Some(
                    "is Device Defender in use in this account, and may this client receive on .../accepted and \
                     .../rejected (iot:Receive)? For a broker without Device Defender there is --no-wait. Try again in 5 \
                     minutes",
                ),
            ),
            other => self.end(Outcome::Unanswered, &format!("{}; {seen}", self.reason(&other)), Some(hint)),
        }
    }

    /// How it ends when the answers must not be heard.
    fn unconfirmed(&self) -> Ended {
        let hint = format!("a policy must allow iot:Subscribe on {} and .../rejected", self.topic("accepted"));
        let text = "the report was sent, but the subscription to its answers is refused";
        self.end(Outcome::NotAuthorized, text, Some(&hint))
    }

    /// An end after the PUBLISH.
    fn end(&self, outcome: Outcome, text: &str, hint: Option<&str>) -> Ended {
        let text = format!("{}: {text}", self.way.settings.endpoint);
        Ended { outcome, published: self.published.map(Instant::into_std), text, hint: hint.map(str::to_owned) }
    }

    /// DISCONNECT, and the end of the connection, in good order if the other side lets us.
    async fn say_goodbye(&mut self) -> Result<(), Break> {
        let deadline = self.way.deadline.max(Instant::now()).min(later(FAREWELL));
        let farewell = async {
            self.stream.send(Packet::Disconnect).await?;
            self.stream.close().await
        };
        timeout_at(deadline, farewell).await.map_err(|_| Break::TimeUp(FAREWELL))?.map_err(Break::Broken)?;
        let Traffic { received, sent, .. } = &*self.traffic;
        self.tell(&format!("DISCONNECT; {} bytes sent, {} received", sent.get(), received.get()));
        Ok(())
    }

    /// Sends a packet.
    async fn send(&mut self, phase: Phase, packet: Packet) -> Result<(), Ended> {
        let start = Instant::now();
        let deadline = limit(self.way, phase);
        let broken = match timeout_at(deadline, self.stream.send(packet)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(broken)) => Break::Broken(broken),
            Err(_) => Break::TimeUp(start.elapsed()),
        };
        let said = self.last_words(broken).await;
        Err(match phase {
            Phase::Publish => self.unanswered(said, false),
            _ => self.lost(phase, said),
        })
    }

    /// What the other side said before a send failed: an alert, perhaps, which tells more than that the pipe is broken.
    async fn last_words(&mut self, broken: Break) -> Break {
        match self.incoming(self.way.deadline.min(later(FAREWELL))).await {
            Err(said @ Break::Broken(Broken::Io(_))) if !is_loss(&said) => said,
            _ => broken,
        }
    }

    /// Receives a packet in a phase before the PUBLISH.
    async fn receive(&mut self, phase: Phase) -> Result<Incoming, Ended> {
        match self.incoming(limit(self.way, phase)).await {
            Ok(incoming) => Ok(incoming),
            Err(broken) => Err(self.lost(phase, broken)),
        }
    }

    async fn incoming(&mut self, deadline: Instant) -> Result<Incoming, Break> {
        let start = Instant::now();
        match timeout_at(deadline, self.stream.next()).await {
            Ok(Some(Ok(incoming))) => Ok(incoming),
            Ok(None) => Err(Break::Closed),
            // TLS without its own farewell: what AWS IoT and others do when they close.
            Ok(Some(Err(Broken::Io(error)))) if error.kind() == ErrorKind::UnexpectedEof => Err(Break::Closed),
            Ok(Some(Err(broken))) => Err(Break::Broken(broken)),
            Err(_) => Err(Break::TimeUp(start.elapsed())),
        }
    }

    /// How it ends when the connection breaks before the PUBLISH.
    fn lost(&self, phase: Phase, broken: Break) -> Ended {
        let endpoint = &self.way.settings.endpoint;
        match broken {
            Break::Closed => {
                if let Some(stranger) = self.traffic.stranger(self.way.tls.is_some()) {
                    return Ended::before_publish(Outcome::Lost, format!("{phase}: {endpoint} is {stranger}"));
                }
                let text = format!("{phase}: {endpoint} closed the connection instead of answering");
                let hint = match phase {
                    Phase::Subscribe => {
                        format!("AWS IoT does so when no policy allows iot:Subscribe on {}", self.topic("accepted"))
                    }
                    _ => format!("AWS IoT does so when it lets a client not in: {}", self.connect_hint()),
                };
                Ended::before_publish(Outcome::NotAuthorized, text).hint(hint)
            }
            Break::Broken(Broken::Io(error)) if about_our_certificate(&error).is_some() => self.refused(&error),
            other => {
                let text = format!("{phase}: {endpoint}: {}", self.reason(&other));
                Ended::before_publish(Outcome::Lost, text).hint("nothing was sent; try again later")
            }
        }
    }

    /// How it ends when the other side does not accept our certificate: under TLS 1.3 it says so after the handshake.
    fn refused(&self, error: &std::io::Error) -> Ended {
        Ended { published: self.published.map(Instant::into_std), ..certificate_refused(self.way.settings, error) }
    }

    /// Why a connection broke.
    fn reason(&self, broken: &Break) -> String {
        match broken {
            Break::Closed => "the broker closed the connection".to_owned(),
            Break::TimeUp(after) => format!("no answer within {}", shown(*after)),
            Break::Broken(broken @ Broken::NotMqtt(_)) => match self.traffic.stranger(self.way.tls.is_some()) {
                Some(stranger) if self.way.tls.is_none() => format!("this is {stranger}"),
                _ => format!("the answer is not MQTT 3.1.1: {broken}"),
            },
            Break::Broken(broken) => format!("the connection broke: {broken}"),
        }
    }

    fn unexpected(&self, phase: Phase, wanted: &str, got: &Incoming) -> Ended {
        let text = format!("{phase}: {}: {} came instead of {wanted}", self.way.settings.endpoint, name_of(got));
        Ended::before_publish(Outcome::Lost, text).hint("is this an MQTT 3.1.1 broker?")
    }

    fn connect_hint(&self) -> String {
        let client_id = &self.way.settings.client_id;
        format!(
            "a policy of an active certificate must allow iot:Connect for client/{client_id}, and nobody else may use \
             that client id at the same time"
        )
    }

    /// The topic of a report, or of an answer to it.
    fn topic(&self, answer: &str) -> String {
        let topic = self.way.settings.topic(self.encoding);
        if answer.is_empty() { topic } else { format!("{topic}/{answer}") }
    }

    fn tell(&self, text: &str) {
        (self.way.tell)(text);
    }
}

/// Whether a connection simply went away.
fn is_loss(broken: &Break) -> bool {
    match broken {
        Break::Broken(Broken::Io(error)) => tls::error_within(error).is_none(),
        _ => true,
    }
}

fn level(qos: QoS) -> u8 {
    match qos {
        QoS::AtMostOnce => 0,
        QoS::AtLeastOnce => 1,
        QoS::ExactlyOnce => 2,
    }
}

fn number_of(code: ConnectReturnCode) -> u8 {
    match code {
        ConnectReturnCode::Success => 0,
        ConnectReturnCode::RefusedProtocolVersion => 1,
        ConnectReturnCode::BadClientId => 2,
        ConnectReturnCode::ServiceUnavailable => 3,
        ConnectReturnCode::BadUserNamePassword => 4,
        ConnectReturnCode::NotAuthorized => 5,
    }
}

/// What a packet is called.
fn name_of(incoming: &Incoming) -> String {
    match incoming {
        Incoming::Oversized(bytes) => format!("a packet of {bytes} bytes"),
        Incoming::ConnectRefused(_) | Incoming::Packet(Packet::ConnAck(_)) => "CONNACK".to_owned(),
        Incoming::Packet(Packet::SubAck(_)) => "SUBACK".to_owned(),
        Incoming::Packet(Packet::Publish(_)) => "PUBLISH".to_owned(),
        Incoming::Packet(Packet::PubAck(_)) => "PUBACK".to_owned(),
        Incoming::Packet(Packet::PingResp) => "PINGRESP".to_owned(),
        Incoming::Packet(_) => "another packet".to_owned(),
    }
}
