//! Why a broker refuses: the reason codes of MQTT 5 (section 2.4, table 2-6), with what each means for the report and what to
//! do about it. The return codes of MQTT 3.1.1 (sections 3.2.2.3 and 3.9.3) are looked up as those that replaced them.

use std::fmt;

use super::version::Version;
use crate::delivery::error::{Acknowledgment, Kind, SEE_LOG};
use crate::delivery::phase::Phase;

/// The packets with a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    ConnAck,
    SubAck,
    PubAck,
    Disconnect,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    pub carrier: Carrier,
    pub version: Version,
    /// As it was received.
    pub code: u8,
    /// What the broker has to say about it. Foreign text.
    pub text: Option<String>,
    /// Another server that the broker names. Foreign text.
    pub server: Option<String>,
}

/// What kind of reason a code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// This client may not do this.
    NotAuthorized,
    /// It may work at another time.
    TryLater,
    /// The packet is not acceptable as it is.
    Unacceptable,
    /// Something else is wrong, on either side.
    Other,
}

use Class::{NotAuthorized, Other, TryLater, Unacceptable};

/// A reason code.
struct Entry {
    code: u8,
    words: &'static str,
    class: Class,
    /// What to do. `{client_id}` stands for the client ID, and [`POLICY`] for what the phase needs.
    hint: &'static str,
}

const UNSUPPORTED_VERSION: u8 = 0x84;

/// In place of a hint: what a policy must allow.
const POLICY: &str = "";

const BUG: &str = "this should not happen; look at the broker's log, and try --mqtt-version 3.1.1";
const LATER: &str = "try again later";
const UNUSED: &str = "this program does not use that; look at the broker's log";

/// The reason codes that say no. 0x00 to 0x18 are not refusals.
const TABLE: [Entry; 35] = [
    entry(0x80, "unspecified error", Other, SEE_LOG),
    entry(0x81, "malformed packet", Other, BUG),
    entry(0x82, "protocol error", Other, BUG),
    entry(0x83, "a reason of this broker's own", Other, SEE_LOG),
    entry(
        UNSUPPORTED_VERSION,
        "unsupported version of MQTT",
        Other,
        "this program speaks MQTT 5 and 3.1.1; --mqtt-version auto tries both",
    ),
    entry(0x85, "client ID not valid", Unacceptable, "give another --client-id than {client_id}"),
    entry(
        0x86,
        "bad user name or password",
        NotAuthorized,
        "this program sends neither: the broker must identify clients by their certificates; with AWS IoT, a policy must allow \
         iot:Connect for client/{client_id}",
    ),
    entry(0x87, "not authorized", NotAuthorized, POLICY),
    entry(0x88, "server not available", Other, LATER),
    entry(0x89, "server busy", TryLater, LATER),
    entry(
        0x8a,
        "banned",
        NotAuthorized,
        "the broker bans this client, its address or its certificate; ask its operator",
    ),
    entry(0x8b, "server shutting down", TryLater, LATER),
    entry(0x8c, "bad authentication method", NotAuthorized, UNUSED),
    entry(0x8d, "keep-alive timeout", TryLater, "the broker heard nothing for too long; is the network slow?"),
    entry(
        0x8e,
        "session taken over",
        TryLater,
        "another client connected as {client_id}; give this one a --client-id of its own",
    ),
    entry(0x8f, "topic filter not valid", Unacceptable, "the broker must allow subscriptions to $aws topics"),
    entry(0x90, "topic name not valid", Unacceptable, "the broker must allow messages to $aws topics"),
    entry(0x91, "packet ID in use", Other, BUG),
    entry(0x92, "packet ID not found", Other, BUG),
    entry(0x93, "receive maximum exceeded", TryLater, LATER),
    entry(0x94, "topic alias not valid", Other, BUG),
    entry(0x95, "packet too large", Unacceptable, "give a smaller --max-bytes, or let the broker take larger packets"),
    entry(0x96, "message rate too high", TryLater, "send reports less often"),
    entry(0x97, "quota exceeded", TryLater, "a limit of the broker or the account is reached; try again later"),
    entry(0x98, "administrative action", TryLater, "the broker's operator ended the session; try again later"),
    entry(
        0x99,
        "payload format not valid",
        Unacceptable,
        "look at the report with --dry-run; one like it would be refused again",
    ),
    entry(0x9a, "retain not supported", Other, UNUSED),
    entry(0x9b, "QoS not supported", Unacceptable, "let the broker take messages of QoS 1"),
    entry(0x9c, "use another server", TryLater, "try again later, or give the other server with --endpoint"),
    entry(0x9d, "server moved", Other, "give the new server with --endpoint"),
    entry(0x9e, "shared subscriptions not supported", Other, UNUSED),
    entry(0x9f, "connection rate exceeded", TryLater, LATER),
    entry(0xa0, "maximum connect time", TryLater, LATER),
    entry(0xa1, "subscription IDs not supported", Other, UNUSED),
    entry(0xa2, "wildcard subscriptions not supported", Other, UNUSED),
];

const UNKNOWN: Entry = entry(0xff, "unknown reason", Other, SEE_LOG);

/// A broker that ends a session with DISCONNECT may well say that nothing is wrong.
const NORMAL: Entry = entry(0x00, "without a reason", Other, SEE_LOG);

/// MQTT 3.1.1 has one return code for all reasons why a subscription is refused.
const FAILURE: Entry = entry(0x80, "failure", NotAuthorized, POLICY);

const fn entry(code: u8, words: &'static str, class: Class, hint: &'static str) -> Entry {
    Entry { code, words, class, hint }
}

impl Reason {
    pub(super) fn new(carrier: Carrier, version: Version, code: u8) -> Self {
        Self { carrier, version, code, text: None, server: None }
    }

    /// Whether the broker says no.
    pub(super) fn is_refusal(&self) -> bool {
        match self.carrier {
            Carrier::ConnAck => self.code != 0,
            Carrier::SubAck => self.code > 2,
            Carrier::PubAck | Carrier::Disconnect => self.code >= 0x80,
        }
    }

    /// What the broker has to say although it does not refuse, for people.
    pub(super) fn says(&self) -> String {
        self.text.as_ref().map(|text| format!("; it says `{text}`")).unwrap_or_default()
    }

    /// Whether the broker took the message, and says that nobody has subscribed to its topic.
    pub(super) fn is_unheard(&self) -> bool {
        self.version == Version::V5 && self.carrier == Carrier::PubAck && self.code == 0x10
    }

    /// Whether the broker does not speak the version of MQTT that it was spoken to in.
    pub(crate) fn is_of_version(&self) -> bool {
        self.entry().code == UNSUPPORTED_VERSION
    }

    /// What a refused subscription to `topic` means, and what to do about it. It is this client that is not confirmed,
    /// whatever the reason, unless that is over at another time.
    pub(crate) fn of_subscription(&self, topic: &str) -> (Kind, String) {
        let entry = self.entry();
        let kind = if entry.class == TryLater { Kind::TryLater } else { Kind::NotAuthorized };
        let hint = match entry.class {
            Other => format!("{}; {}", entry.hint, subscribe_hint(topic)),
            _ => hint(entry, Phase::Subscribe, "this client ID", topic),
        };
        (kind, hint)
    }

    fn entry(&self) -> &'static Entry {
        let code = match (self.version, self.carrier, self.code) {
            (_, _, 0) | (_, Carrier::Disconnect, 0..=0x7f) => return &NORMAL,
            (_, Carrier::ConnAck, 1) => UNSUPPORTED_VERSION,
            (Version::V5, _, code) => code,
            (Version::V311, Carrier::ConnAck, 2) => 0x85,
            (Version::V311, Carrier::ConnAck, 3) => 0x88,
            (Version::V311, Carrier::ConnAck, 4) => 0x86,
            (Version::V311, Carrier::ConnAck, 5 | 7) => 0x87, // 7 is AWS's own: "MQTT" in its developer guide
            (Version::V311, Carrier::SubAck, _) => return &FAILURE,
            (Version::V311, ..) => return &UNKNOWN,
        };
        TABLE.iter().find(|entry| entry.code == code).unwrap_or(&UNKNOWN)
    }
}

/// The packet, its code, what it means, and what the broker has to say about it.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.carrier {
            Carrier::ConnAck => "CONNACK",
            Carrier::SubAck => "SUBACK",
            Carrier::PubAck => "PUBACK",
            Carrier::Disconnect => "DISCONNECT",
        })?;
        let words = self.entry().words;
        match self.version {
            Version::V5 => write!(f, " 0x{:02x}: {words}", self.code)?,
            Version::V311 => write!(f, " {}: {words}", self.code)?,
        }
        if let Some(text) = &self.text {
            write!(f, " (`{text}`)")?;
        }
        if let Some(server) = &self.server {
            write!(f, "; it names the server `{server}`")?;
        }
        Ok(())
    }
}

/// A refusal, and what it is about.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) client_id: String,
    /// The topic that is subscribed or published to.
    pub(crate) topic: String,
    /// Whether the broker had taken the report.
    pub(crate) acknowledgment: Acknowledgment,
}

impl Refusal {
    /// What it means for the report, the message, and what to do next. `is_sent`: whether the report was.
    pub(crate) fn describe(&self, phase: Phase, is_sent: bool) -> (Kind, String, String) {
        let Self { reason, client_id, topic, acknowledgment } = self;
        let entry = reason.entry();
        let message = match reason.carrier {
            Carrier::ConnAck => format!("refused with {reason}"),
            Carrier::SubAck | Carrier::PubAck => format!("the report was refused with {reason}"),
            Carrier::Disconnect if is_sent => format!("the broker ended the session with {reason}; {acknowledgment}"),
            Carrier::Disconnect => format!("the broker ended the session with {reason}; nothing was sent"),
        };
        let is_taken = *acknowledgment != Acknowledgment::None;
        let kind = match entry.class {
            NotAuthorized => Kind::NotAuthorized,
            _ if is_sent && is_taken => Kind::Unanswered,
            TryLater if is_sent && reason.carrier == Carrier::Disconnect => Kind::Unanswered,
            TryLater => Kind::TryLater,
            Unacceptable if is_sent => Kind::Rejected,
            Other if is_sent && reason.carrier == Carrier::PubAck => Kind::Rejected,
            Other if is_sent => Kind::Unanswered,
            Unacceptable | Other => Kind::NotSent,
        };
        (kind, message, hint(entry, phase, client_id, topic))
    }
}

fn hint(entry: &Entry, phase: Phase, client_id: &str, topic: &str) -> String {
    match (entry.hint, phase) {
        (POLICY, Phase::Connect) => connect_hint(client_id),
        (POLICY, Phase::Subscribe) => subscribe_hint(topic),
        (POLICY, _) => format!("a policy must allow iot:Publish on {topic}"),
        (hint, _) => hint.replace("{client_id}", client_id),
    }
}

/// What to do when a client is not let in.
pub(crate) fn connect_hint(client_id: &str) -> String {
    format!(
        "a policy of an active certificate must allow iot:Connect for client/{client_id}, and no other client may use that \
         client ID at the same time"
    )
}

/// What to do when a subscription is refused.
pub(crate) fn subscribe_hint(topic: &str) -> String {
    format!("a policy must allow iot:Subscribe on {topic}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_standard_and_has_a_hint_for_each_code() {
        assert!(TABLE.is_sorted_by_key(|entry| entry.code));
        for entry in &TABLE {
            assert!(!entry.words.is_empty() && (!entry.hint.is_empty() || entry.code == 0x87), "{:#x}", entry.code);
        }
    }
}
