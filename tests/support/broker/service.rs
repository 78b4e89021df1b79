//! A stand-in for Device Defender: takes reports from a broker and answers them as a test says.

use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Connect, Packet, Subscribe, SubscribeFilter};
use serde_json::{Value, json};
use tokio_util::bytes::BytesMut;

use super::NEVER;
use super::wire::{bytes, message, puback, receive};

/// A report as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Received {
    /// The topic it was sent to.
    pub(crate) topic: String,
    /// Its bytes.
    pub(crate) payload: Vec<u8>,
}

impl Received {
    /// The report as JSON, whichever format it came in.
    pub(crate) fn json(&self) -> Value {
        if self.topic.ends_with("/cbor") {
            ciborium::from_reader(&self.payload[..]).unwrap()
        } else {
            serde_json::from_slice(&self.payload).unwrap()
        }
    }

    /// Its report ID.
    pub(crate) fn id(&self) -> u64 {
        let report = self.json();
        report.pointer("/header/report_id").or(report.pointer("/hed/rid")).unwrap().as_u64().unwrap()
    }

    /// An answer as the service writes it, in the format of the report.
    pub(crate) fn answer(&self, status: &str, answer: &Value) -> Answer {
        let payload = if self.topic.ends_with("/cbor") {
            let mut payload = Vec::new();
            ciborium::into_writer(answer, &mut payload).unwrap();
            payload
        } else {
            answer.to_string().into_bytes()
        };
        (format!("{}/{status}", self.topic), payload)
    }

    /// The thing it is about, as its topic tells.
    fn thing(&self) -> &str {
        self.topic.split('/').nth(2).unwrap()
    }

    /// The answer that it was accepted.
    pub(crate) fn accepted(&self) -> Answer {
        let mut answer = accepted(self.id());
        answer["thingName"] = json!(self.thing());
        self.answer("accepted", &answer)
    }

    /// The answer that it was rejected with this code and message.
    pub(crate) fn rejected(&self, code: &str, text: &str) -> Answer {
        let mut answer = rejected(Some(self.id()), code, text);
        answer["thingName"] = json!(self.thing());
        self.answer("rejected", &answer)
    }
}

/// A topic and a payload.
pub(crate) type Answer = (String, Vec<u8>);

/// What the service says of a report of the thing `gw` that it took.
pub(crate) fn accepted(id: u64) -> Value {
    json!({"thingName": "gw", "reportId": id, "status": "ACCEPTED", "timestamp": 1_700_000_300_123_u64})
}

/// What the service says of a report of the thing `gw` that it did not take. It may leave the id out.
pub(crate) fn rejected(id: Option<u64>, code: &str, text: &str) -> Value {
    let mut answer = json!({
        "thingName": "gw",
        "status": "REJECTED",
        "statusDetails": {"ErrorCode": code, "ErrorMessage": text},
        "timestamp": 1_700_000_300_123_u64,
    });
    if let Some(id) = id {
        answer["reportId"] = json!(id);
    }
    answer
}

/// A running stand-in, stopped when dropped.
pub(crate) struct Service {
    socket: TcpStream,
    thread: Option<JoinHandle<()>>,
    reports: Receiver<Received>,
}

impl Service {
    /// Connects to the port of a broker that has no TLS and waits until it will be given every report. `answer` says
    /// what is sent when one arrives.
    pub(crate) fn start(port: u16, answer: impl FnMut(&Received) -> Vec<Answer> + Send + 'static) -> Self {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        socket.set_read_timeout(Some(NEVER)).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut connect = Connect::new("device-defender-stand-in");
        connect.keep_alive = 0;
        connect.clean_session = true;
        let filter = SubscribeFilter::new("$aws/things/+/defender/metrics/+".to_owned(), QoS::AtLeastOnce);
        let mut subscribe = Subscribe::new_many([filter]);
        subscribe.pkid = 1;
        socket.write_all(&bytes(&Packet::Connect(connect))).unwrap();
        socket.write_all(&bytes(&Packet::Subscribe(subscribe))).unwrap();
        let mut buffer = BytesMut::new();
        while !matches!(receive(&mut socket, &mut buffer).unwrap(), Packet::SubAck(_)) {}
        socket.set_read_timeout(None).unwrap(); // ended by dropping
        let (sender, reports) = channel();
        let stream = socket.try_clone().unwrap();
        let thread = Some(thread::spawn(move || serve(stream, buffer, answer, &sender)));
        Self { socket, thread, reports }
    }

    /// One that accepts every report.
    pub(crate) fn accepting(port: u16) -> Self {
        Self::start(port, |report| vec![report.accepted()])
    }

    /// The next report that arrived, or will arrive.
    pub(crate) fn report(&self) -> Received {
        self.reports.recv_timeout(NEVER).unwrap()
    }

    /// The reports that arrived and were not asked for before.
    pub(crate) fn reports(&self) -> Vec<Received> {
        self.reports.try_iter().collect()
    }
}

fn serve(
    mut stream: TcpStream,
    mut buffer: BytesMut,
    mut answer: impl FnMut(&Received) -> Vec<Answer>,
    reports: &Sender<Received>,
) {
    while let Ok(packet) = receive(&mut stream, &mut buffer) {
        let Packet::Publish(publish) = packet else { continue };
        let acknowledgment = if publish.qos == QoS::AtMostOnce { Vec::new() } else { puback(publish.pkid) };
        let report = Received { topic: publish.topic, payload: publish.payload.to_vec() };
        let answers = answer(&report);
        let sent = reports.send(report); // first, so that a run that has its answer has left its report
        let acknowledged = stream.write_all(&acknowledgment);
        let answered = answers.into_iter().try_for_each(|(topic, payload)| stream.write_all(&message(&topic, payload)));
        if sent.is_err() || acknowledged.is_err() || answered.is_err() {
            return; // the test is over
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.socket.shutdown(Shutdown::Both));
        let ended = self.thread.take().unwrap().join();
        if !thread::panicking() {
            ended.unwrap();
        }
    }
}
