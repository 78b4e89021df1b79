//! A stand-in for a Greengrass nucleus: takes connections on a Unix socket, one after the other, and plays a script on each.
//! It behaves as nucleus lite 2.6 does: a wrong token is not answered but closed, and so is a request that is too large.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use device_defender::internals::delivery::{Frame, Frames, HeaderValue};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

use super::{NEVER, Received};

/// The bytes of a frame from which nucleus lite closes the connection.
const LITE_LIMIT: usize = 10_012;

const TOKEN: &str = "0123456789ABCDEF";

/// The variables in which a nucleus passes the socket and the token.
pub(crate) const SOCKET_VARIABLE: &str = "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT";
pub(crate) const TOKEN_VARIABLE: &str = "SVCUID";

/// A running stand-in, stopped when dropped.
pub(crate) struct Nucleus {
    dir: TempDir,
    token: Arc<Mutex<String>>,
    reports: Receiver<Received>,
    thread: Option<JoinHandle<()>>,
}

/// A connection of the program.
pub(crate) struct NucleusLink {
    stream: UnixStream,
    buffer: BytesMut,
    token: String,
    /// The topics that were subscribed to, each with its stream.
    subscriptions: Vec<(String, i32)>,
    reports: Sender<Received>,
}

/// A request of the program.
pub(crate) struct Request {
    pub(crate) stream: i32,
    pub(crate) operation: String,
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn topic(&self) -> &str {
        self.body["topicName"].as_str().unwrap()
    }
}

impl Nucleus {
    /// Plays `script` on every connection. When it is over, the connection is closed.
    pub(crate) fn start(mut script: impl FnMut(&mut NucleusLink) -> io::Result<()> + Send + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("ipc.socket")).unwrap();
        for (path, mode) in [(dir.path().to_owned(), 0o755), (dir.path().join("ipc.socket"), 0o666)] {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap(); // as a nucleus's: for every user
        }
        let token = Arc::new(Mutex::new(TOKEN.to_owned()));
        let (sender, reports) = channel();
        let current = Arc::clone(&token);
        let serve = move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(NEVER)).unwrap();
                let token = current.lock().unwrap().clone();
                if token.is_empty() {
                    return; // dropped
                }
                let (buffer, subscriptions, reports) = (BytesMut::new(), Vec::new(), sender.clone());
                let mut link = NucleusLink { stream, buffer, token, subscriptions, reports };
                let _the_program_may_be_gone = script(&mut link);
            }
        };
        Self { dir, token, reports, thread: Some(thread::spawn(serve)) }
    }

    /// One that takes every report, and answers that it was accepted.
    pub(crate) fn accepting() -> Self {
        Self::start(|link| {
            link.accept_all()?;
            link.silence()
        })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("ipc.socket")
    }

    /// From now on another token is valid, as after a restart.
    pub(crate) fn restart(&self) {
        "another token".clone_into(&mut self.token.lock().unwrap());
    }

    /// The next report.
    #[track_caller]
    pub(crate) fn report(&self) -> Received {
        self.reports.recv_timeout(NEVER).unwrap()
    }

    /// The reports that came and were not asked for.
    pub(crate) fn reports(&self) -> Vec<Received> {
        self.reports.try_iter().collect()
    }

    /// What it passes to a component in the environment.
    pub(crate) fn environment(&self) -> [(&'static str, OsString); 3] {
        [(SOCKET_VARIABLE, self.socket().into()), (TOKEN_VARIABLE, TOKEN.into()), ("AWS_IOT_THING_NAME", "gw".into())]
    }
}

impl Drop for Nucleus {
    fn drop(&mut self) {
        self.token.lock().unwrap().clear();
        let _woken = UnixStream::connect(self.socket());
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || thread::panicking(), "the nucleus's script failed");
        }
    }
}

impl NucleusLink {
    fn receive(&mut self) -> io::Result<Frame> {
        loop {
            if let Some(length) = self.buffer.first_chunk().map(|length| u32::from_be_bytes(*length))
                && length > u32::try_from(LITE_LIMIT).unwrap()
            {
                return Err(ErrorKind::FileTooLarge.into()); // closed with something unread, which is a reset
            }
            if let Some(frame) = Frames.decode(&mut self.buffer).unwrap() {
                return Ok(frame);
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                length => self.buffer.extend_from_slice(&bytes[..length]),
            }
        }
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a frame with this type, these flags and on this stream.
    pub(crate) fn send(&mut self, [kind, flags, stream]: [i32; 3], model: &str, body: &Value) -> io::Result<()> {
        let int = |name: &str, value| (name.to_owned(), HeaderValue::Int(value));
        let headers = vec![
            int(":message-type", kind),
            int(":message-flags", flags),
            int(":stream-id", stream),
            ("service-model-type".to_owned(), HeaderValue::Text(format!("aws.greengrass#{model}"))),
        ];
        let mut bytes = BytesMut::new();
        Frames.encode(Frame { headers, payload: body.to_string().into_bytes() }, &mut bytes).unwrap();
        self.send_bytes(&bytes)
    }

    /// Reads the CONNECT, and accepts it unless the token is wrong.
    pub(crate) fn accept_connect(&mut self) -> io::Result<()> {
        let connect = self.receive()?;
        assert_eq!((connect.int(":message-type"), connect.int(":stream-id")), (Some(4), Some(0)));
        assert_eq!(connect.text(":version"), Some("0.1.0"));
        let body: Value = serde_json::from_slice(&connect.payload)?;
        if body["authToken"] != self.token.as_str() {
            return Err(ErrorKind::PermissionDenied.into());
        }
        self.send([5, 1, 0], "", &json!({}))
    }

    /// Reads a request.
    pub(crate) fn request(&mut self) -> io::Result<Request> {
        let frame = self.receive()?;
        assert_eq!(frame.int(":message-type"), Some(0));
        let operation = frame.text("operation").unwrap().strip_prefix("aws.greengrass#").unwrap().to_owned();
        assert_eq!(frame.text("service-model-type"), Some(&*format!("aws.greengrass#{operation}Request")));
        let body: Value = serde_json::from_slice(&frame.payload)?;
        Ok(Request { stream: frame.int(":stream-id").unwrap(), operation, body })
    }

    /// Says that a request was done.
    pub(crate) fn respond(&mut self, request: &Request) -> io::Result<()> {
        if request.operation == "SubscribeToIoTCore" {
            self.subscriptions.push((request.topic().to_owned(), request.stream));
        }
        self.send([0, 0, request.stream], &format!("{}Response", request.operation), &json!({}))
    }

    /// Says that a request failed.
    pub(crate) fn fail(&mut self, request: &Request, error: &str, message: &str) -> io::Result<()> {
        let body = json!({"_service": "aws.greengrass", "_message": message, "_errorCode": error});
        self.send([1, 2, request.stream], error, &body)
    }

    /// Accepts CONNECT and both subscriptions.
    pub(crate) fn accept_subscriptions(&mut self) -> io::Result<()> {
        self.accept_connect()?;
        for _ in 0..2 {
            let request = self.request()?;
            assert_eq!(request.operation, "SubscribeToIoTCore");
            self.respond(&request)?;
        }
        Ok(())
    }

    /// Reads the report, and says nothing.
    pub(crate) fn report(&mut self) -> io::Result<(Request, Received)> {
        let request = self.request()?;
        assert_eq!((&*request.operation, &request.body["qos"]), ("PublishToIoTCore", &json!("0")));
        let payload = BASE64_STANDARD.decode(request.body["payload"].as_str().unwrap()).unwrap();
        let report = Received { topic: request.topic().to_owned(), payload };
        let _the_test_may_be_over = self.reports.send(report.clone());
        Ok((request, report))
    }

    /// Grants everything, up to the report, which is taken.
    pub(crate) fn up_to_taken(&mut self) -> io::Result<Received> {
        self.accept_subscriptions()?;
        let (request, report) = self.report()?;
        self.respond(&request)?;
        Ok(report)
    }

    /// Grants everything, and answers that the report was accepted.
    pub(crate) fn accept_all(&mut self) -> io::Result<()> {
        let report = self.up_to_taken()?;
        self.answer(&report.accepted())
    }

    /// Passes on a message from the cloud, if there is a subscription to its topic.
    pub(crate) fn answer(&mut self, (topic, payload): &(String, Vec<u8>)) -> io::Result<()> {
        let subscription = self.subscriptions.iter().find(|(subscribed, _)| subscribed == topic);
        let stream = subscription.unwrap_or_else(|| panic!("no subscription to {topic}")).1;
        let body = json!({"message": {"topicName": topic, "payload": BASE64_STANDARD.encode(payload)}});
        self.send([0, 0, stream], "IoTCoreMessage", &body)
    }

    /// Reads until the program closes the connection.
    pub(crate) fn silence(&mut self) -> io::Result<()> {
        loop {
            self.receive()?;
        }
    }
}
