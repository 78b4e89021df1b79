//! One session with the broker, in one straight line: CONNECT, SUBSCRIBE, PUBLISH, the answer, DISCONNECT (MQTT 3.1.1).
//!
//! How AWS IoT says no is in its developer guide: CONNACK 5 or its own 7 ("MQTT"), or a connection that is closed after
//! CONNECT, SUBSCRIBE or PUBLISH when a policy forbids it.

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

use super::connection::{Phase, Running, Stream, Way, about_our_certificate, certificate_refused, connect, later};
use super::packets::{Broken, Incoming, Packets, level, number_of};
use super::reply::{Answer, Reply};
use super::settings::Settings;
use super::stream::Traffic;
use super::{Ended, Outcome};
use crate::escape::shortened;
use crate::report::Encoding;

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
    /// Whether the other side is still there.
    is_open: bool,
}

/// Whether the answers can come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    /// They are not wanted.
    Unwanted,
    /// Both will come.
    Both,
    /// The subscription to this one was refused.
    AllBut(&'static str),
    /// Both subscriptions were refused.
    None,
}

/// What a phase broke off with.
enum Break {
    /// The other side closed in good order.
    Closed,
    /// Anything else.
    Broken(Broken),
    /// The time was up.
    TimeUp(Running),
}

/// The answers, by the last level of their topics.
const ANSWERS: [&str; 2] = ["accepted", "rejected"];

impl<'a> Session<'a> {
    /// Connects, and subscribes to the answers if they are wanted.
    ///
    /// # Errors
    /// How it ended instead; nothing was published.
    pub async fn open(way: Way<'a>, encoding: Encoding, wants_answer: bool) -> Result<Self, Ended> {
        let (stream, traffic) = connect(way).await?;
        let stream = Framed::new(stream, Packets::default());
        let answers = Answers::Unwanted;
        let mut session = Self { way, stream, traffic, encoding, answers, published: None, is_open: true };
        session.log_in().await?;
        if wants_answer {
            session.answers = session.subscribe().await?;
        }
        Ok(session)
    }

    /// CONNECT to CONNACK.
    async fn log_in(&mut self) -> Result<(), Ended> {
        let Settings { client_id, .. } = self.way.settings;
        let mut connect = Connect::new(client_id);
        connect.keep_alive = KEEP_ALIVE;
        connect.clean_session = true;
        let running = self.way.begin(Phase::Connect);
        self.send(running, Packet::Connect(connect)).await?;
        let code = match self.receive(running).await? {
            Incoming::Packet(Packet::ConnAck(ConnAck { code: ConnectReturnCode::Success, session_present })) => {
                let old = if session_present { "; the broker had an old session" } else { "" };
                let took = running.took();
                self.tell(&format!("CONNECT: client id {client_id} accepted, clean session, in {took}{old}"));
                return Ok(());
            }
            Incoming::Packet(Packet::ConnAck(ConnAck { code, .. })) => number_of(code),
            Incoming::ConnectRefused(code) => code,
            other => return Err(self.unexpected(running, "CONNACK", &other)),
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
        let reason = format!("refused with CONNACK {code}: {meaning}");
        Err(Ended { outcome, ..self.way.lost(Phase::Connect, &reason) }.hint(hint))
    }

    /// SUBSCRIBE to SUBACK.
    async fn subscribe(&mut self) -> Result<Answers, Ended> {
        let filters = ANSWERS.map(|answer| SubscribeFilter::new(self.topic(answer), QoS::AtLeastOnce));
        let running = self.way.begin(Phase::Subscribe);
        let subscribe = Subscribe { pkid: SUBSCRIBE_ID, filters: filters.to_vec() };
        self.send(running, Packet::Subscribe(subscribe)).await?;
        let codes = loop {
            match self.receive(running).await? {
                Incoming::Packet(Packet::SubAck(SubAck { pkid: SUBSCRIBE_ID, return_codes })) => break return_codes,
                early @ (Incoming::Packet(Packet::Publish(_)) | Incoming::Oversized(_)) => {
                    self.tell(&format!("ignored: {early} before SUBACK"));
                }
                other => return Err(self.unexpected(running, "the SUBACK of this SUBSCRIBE", &other)),
            }
        };
        let took = running.took();
        let mut refused = Vec::new();
        for ((filter, answer), code) in filters.iter().zip(ANSWERS).zip(codes.iter().map(Some).chain([None, None])) {
            let said = match code {
                Some(SubscribeReasonCode::Success(qos)) => format!("granted with QoS {}", level(*qos)),
                Some(SubscribeReasonCode::Failure) => "refused".to_owned(),
                None => "not answered".to_owned(),
            };
            self.tell(&format!("SUBSCRIBE: {} {said}, in {took}", filter.path));
            if !matches!(code, Some(SubscribeReasonCode::Success(_))) {
                refused.push(answer);
            }
        }
        Ok(match refused.as_slice() {
            [] => Answers::Both,
            [one] => Answers::AllBut(one),
            _ => Answers::None,
        })
    }

    /// PUBLISH to the answer, or to PUBACK where no answer can come.
    pub async fn publish(&mut self, message: Message) -> Ended {
        let Message { report_id, encoding, payload } = message;
        let topic = self.way.settings.topic(encoding);
        let bytes = payload.len();
        let mut publish = Publish::new(topic.clone(), QoS::AtLeastOnce, payload);
        publish.pkid = PUBLISH_ID;
        let running = self.way.begin(Phase::Publish);
        self.published = Some(Instant::now());
        if let Err(ended) = self.send(running, Packet::Publish(publish)).await {
            return ended;
        }
        self.published = Some(Instant::now());
        self.tell(&format!("PUBLISH: report {report_id}, {bytes} bytes, to {topic}"));
        let mut acknowledged = false;
        loop {
            let incoming = match self.incoming(running).await {
                Ok(incoming) => incoming,
                Err(broken) => return self.unanswered(broken, acknowledged),
            };
            match incoming {
                Incoming::Packet(Packet::PubAck(PubAck { pkid: PUBLISH_ID })) => {
                    acknowledged = true;
                    self.published = Some(Instant::now()); // it has arrived by now, and not before it was written
                    self.tell(&format!("PUBACK after {}", running.took()));
                    match self.answers {
                        Answers::Unwanted => return self.end(Outcome::Acknowledged, "acknowledged by the broker", ""),
                        Answers::None => return self.unconfirmed("its answers", acknowledged),
                        Answers::Both | Answers::AllBut(_) => {}
                    }
                }
                Incoming::Packet(Packet::Publish(answer)) => {
                    if let Some(ended) = self.answer(answer, report_id, running).await {
                        return ended;
                    }
                }
                other => self.tell(&format!("ignored: {other}")),
            }
        }
    }

    /// Judges a message that came: how it ended, if it is the answer.
    async fn answer(&mut self, message: Publish, report_id: u64, running: Running) -> Option<Ended> {
        let Publish { qos, retain, topic, pkid, payload, .. } = message;
        if qos == QoS::AtLeastOnce {
            let _unsent = self.send(running, Packet::PubAck(PubAck::new(pkid))).await;
        }
        let Some(kind) = ANSWERS.into_iter().find(|answer| topic == self.topic(answer)) else {
            self.tell(&format!("ignored: a message to {}", shortened(&topic)));
            return None;
        };
        let accepted = kind == "accepted";
        let answer = Answer { accepted, encoding: self.encoding, retained: retain, payload: &payload };
        let reply = match Reply::parse(&answer, &self.way.settings.thing_name, report_id) {
            Ok(reply) => reply,
            Err(reason) => {
                self.tell(&format!("ignored: an answer on {topic}: {reason}"));
                return None;
            }
        };
        self.tell(&format!("{kind} after {}", running.took()));
        let throttled = reply.is_throttled();
        Some(match reply {
            Reply::Accepted => self.end(Outcome::Accepted, "accepted", ""),
            Reply::Rejected { code, message } => {
                let why = match (code.as_str(), message.as_str()) {
                    ("", "") => "without a reason".to_owned(),
                    (code, "") => code.to_owned(),
                    ("", message) => message.to_owned(),
                    (code, message) => format!("{code}: {message}"),
                };
                let text = format!("report {report_id} rejected: {why}");
                if throttled {
                    let hint = "the service takes a report every 5 minutes; try again then";
                    self.end(Outcome::Throttled, &text, hint)
                } else {
                    let hint = "look at the report with --dry-run; one like it would be rejected again";
                    self.end(Outcome::Rejected, &text, hint)
                }
            }
        })
    }

    /// How it ends when no answer came after the PUBLISH.
    fn unanswered(&self, broken: Break, acknowledged: bool) -> Ended {
        const LATER: &str =
            "the report may have arrived; the next one counts its traffic again. Try again in 5 minutes";
        const SILENCE: &str = "is Device Defender in use in this account, and may this client receive on .../accepted and \
                               .../rejected (iot:Receive)? For a broker without Device Defender there is --no-wait. Try \
                               again in 5 minutes";
        let seen = if acknowledged { "the broker took the report (PUBACK)" } else { "no PUBACK came" };
        match (broken, self.answers) {
            (Break::Closed, _) if !acknowledged => {
                let topic = self.way.settings.topic(self.encoding);
                let hint = format!("AWS IoT does so when no policy allows iot:Publish on {topic}");
                self.end(Outcome::NotAuthorized, "the broker closed the connection after the PUBLISH", &hint)
            }
            (Break::Broken(Broken::Io(error)), _) if about_our_certificate(&error).is_some() => self.refused(&error),
            (Break::TimeUp(_), Answers::AllBut(answer)) => self.unconfirmed(&format!(".../{answer}"), acknowledged),
            (Break::TimeUp(_), _) if acknowledged => {
                self.end(Outcome::Unanswered, &format!("no answer in time; {seen}"), SILENCE)
            }
            (other, _) => self.end(Outcome::Unanswered, &format!("{}; {seen}", self.reason(&other)), LATER),
        }
    }

    /// How it ends when answers must not be heard.
    fn unconfirmed(&self, answers: &str, acknowledged: bool) -> Ended {
        let seen = if acknowledged { "the broker took the report (PUBACK)" } else { "no PUBACK came" };
        let text = format!("the subscription to {answers} is refused, so the report is not confirmed; {seen}");
        let hint = format!("a policy must allow iot:Subscribe on {} and .../rejected", self.topic("accepted"));
        self.end(Outcome::NotAuthorized, &text, &hint)
    }

    /// An end after the PUBLISH.
    fn end(&self, outcome: Outcome, text: &str, hint: &str) -> Ended {
        let text = format!("{}: {text}", self.way.settings.endpoint);
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        Ended { outcome, published: self.published.map(Instant::into_std), text, hint }
    }

    /// DISCONNECT, and the end of the connection, in good order if the other side lets us.
    pub async fn close(mut self) {
        let farewell = async {
            self.stream.send(Packet::Disconnect).await?;
            self.stream.close().await
        };
        if self.is_open && matches!(timeout_at(later(FAREWELL), farewell).await, Ok(Ok(()))) {
            let Traffic { received, sent, .. } = &*self.traffic;
            self.tell(&format!("DISCONNECT; {} bytes sent, {} received", sent.get(), received.get()));
        }
    }

    /// Sends a packet.
    async fn send(&mut self, running: Running, packet: Packet) -> Result<(), Ended> {
        let broken = match timeout_at(running.deadline, self.stream.send(packet)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(broken)) => Break::Broken(broken),
            Err(_) => Break::TimeUp(running),
        };
        self.is_open = false;
        Err(match running.phase {
            Phase::Publish => self.unanswered(broken, false),
            _ => self.lost(running, broken),
        })
    }

    /// Receives a packet in a phase before the PUBLISH.
    async fn receive(&mut self, running: Running) -> Result<Incoming, Ended> {
        match self.incoming(running).await {
            Ok(incoming) => Ok(incoming),
            Err(broken) => Err(self.lost(running, broken)),
        }
    }

    async fn incoming(&mut self, running: Running) -> Result<Incoming, Break> {
        if Instant::now() >= running.deadline {
            return Err(Break::TimeUp(running)); // however much there is to read
        }
        let broken = match timeout_at(running.deadline, self.stream.next()).await {
            Ok(Some(Ok(incoming))) => return Ok(incoming),
            Err(_) => return Err(Break::TimeUp(running)),
            Ok(None) => Break::Closed,
            Ok(Some(Err(broken))) => Break::Broken(broken),
        };
        self.is_open = false;
        Err(broken)
    }

    /// How it ends when the connection breaks before the PUBLISH.
    fn lost(&self, running: Running, broken: Break) -> Ended {
        let phase = running.phase;
        match broken {
            Break::Broken(Broken::Io(error)) if about_our_certificate(&error).is_some() => self.refused(&error),
            Break::Closed if self.traffic.instead_of_mqtt().is_none() => {
                let hint = match phase {
                    Phase::Subscribe => {
                        format!("AWS IoT does so when no policy allows iot:Subscribe on {}", self.topic("accepted"))
                    }
                    _ => format!("AWS IoT does so when it does not accept a client: {}", self.connect_hint()),
                };
                let ended = self.way.lost(phase, "the broker closed the connection instead of answering");
                Ended { outcome: Outcome::NotAuthorized, ..ended }.hint(hint)
            }
            other => {
                let is_stranger = self.traffic.instead_of_mqtt().is_some();
                let hint = match &other {
                    Break::Broken(Broken::NotMqtt(_)) => "is this the right endpoint and port?",
                    _ if is_stranger => "is this the right endpoint and port?",
                    _ if self.way.tls.is_none() => "is this a port for TLS? Then leave out --insecure-plaintext",
                    _ => "nothing was sent; try again later",
                };
                self.way.lost(phase, &self.reason(&other)).hint(hint)
            }
        }
    }

    /// How it ends when the other side does not accept our certificate: under TLS 1.3 it says so after the handshake.
    fn refused(&self, error: &std::io::Error) -> Ended {
        Ended { published: self.published.map(Instant::into_std), ..certificate_refused(self.way.settings, error) }
    }

    /// Why a connection broke.
    fn reason(&self, broken: &Break) -> String {
        match (self.traffic.instead_of_mqtt(), broken) {
            (Some(stranger), _) => format!("no MQTT broker, but {stranger}"),
            (None, Break::Closed) => "the broker closed the connection".to_owned(),
            (None, Break::TimeUp(running)) => running.timed_out(),
            (None, Break::Broken(Broken::NotMqtt(error))) => format!("the answer is not MQTT 3.1.1: {error}"),
            (None, Break::Broken(Broken::MidPacket)) => {
                "the connection was closed in the middle of a packet".to_owned()
            }
            (None, Break::Broken(Broken::Io(error))) => format!("the connection broke: {error}"),
        }
    }

    fn unexpected(&self, running: Running, wanted: &str, got: &Incoming) -> Ended {
        let reason = format!("{got} came instead of {wanted}");
        self.way.lost(running.phase, &reason).hint("is this an MQTT 3.1.1 broker?")
    }

    fn connect_hint(&self) -> String {
        let client_id = &self.way.settings.client_id;
        format!(
            "a policy of an active certificate must allow iot:Connect for client/{client_id}, and nobody else may use \
             that client id at the same time"
        )
    }

    /// The topic of an answer.
    fn topic(&self, answer: &str) -> String {
        format!("{}/{answer}", self.way.settings.topic(self.encoding))
    }

    fn tell(&self, text: &str) {
        (self.way.tell)(text);
    }
}
