//! How the messages of a stream are separated, and which thing sent them.
//!
//! The sender of reports chooses every byte of them, newlines included. So a report names its thing only where its bytes
//! cannot pass for another message:
//!
//! | form | as printed by | a message | things |
//! |---|---|---|---|
//! | [`Form::Cbor`] | `mosquitto_sub` | a report in CBOR | one, not named |
//! | [`Form::Bare`] | `mosquitto_sub`, `collect`, `watch --print` | a report in JSON, on one or more lines | one, not named |
//! | [`Form::Topic`] | `mosquitto_sub -v` | topic, blank, report; also in hexadecimal, as `-F '%t %x'` prints it | one |
//! | [`Form::Json`] | `mosquitto_sub -F %j` or `%J` | a line: an object with `topic` and `payload` | any number |
//! | [`Form::Hex`] | `mosquitto_sub -F '%x %t'` | a line: report in hexadecimal, blank, topic | any number |
//!
//! The first line decides. `%t %x` is not a form for many things, because its first line looks like one of `-v` whose report
//! is in hexadecimal: the sender could choose the form, and with it whether lines that he writes are messages of others. The
//! same is true of the first report in a bare stream, which can look like `%j`. So an operator who expects one thing should
//! name it.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::report::encode::Encoding;
use crate::thing::ThingName;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Cbor,
    Bare,
    Topic,
    Json,
    Hex,
}

impl Form {
    /// The form of a stream of text that begins with this line, which is not blank.
    pub(super) fn of_line(line: &[u8]) -> Self {
        let line = line.trim_ascii_end();
        let has_level = |topic: &[u8]| topic.contains(&b'/');
        if line.starts_with(b"{") {
            if serde_json::from_slice::<Envelope>(line).is_ok() { Self::Json } else { Self::Bare }
        } else if split_hex(line).is_some_and(|(hex, topic)| is_hex(hex) && has_level(topic)) {
            Self::Hex
        } else if has_level(line.split(|&b| b == b'{').next().unwrap_or_default()) {
            Self::Topic
        } else {
            Self::Bare
        }
    }
}

/// The topic of a report: `$aws/things/THING/defender/metrics/json`. An MQTT bridge may have changed its beginning.
#[derive(Debug, PartialEq)]
pub(super) struct Topic {
    pub(super) thing: ThingName,
    pub(super) encoding: Encoding,
}

impl Topic {
    pub(super) fn parse(topic: &[u8]) -> Option<Self> {
        Self::split(topic).filter(|(_, rest)| rest.is_empty()).map(|(topic, _)| topic)
    }

    /// The topic at the start of a line, and what follows after a blank. The first end that a topic can have counts, as what
    /// follows may look like a topic, too. The thing name may contain blanks.
    pub(super) fn split(line: &[u8]) -> Option<(Self, &[u8])> {
        const END: &[u8] = b"/defender/metrics/";
        let (before, rest) = line.split_at_checked(memchr::memmem::find(line, END)?)?;
        let (encoding, rest) = rest.split_at_checked(END.len() + 4)?;
        let encoding = match encoding.strip_prefix(END)? {
            b"json" => Encoding::Json,
            b"cbor" => Encoding::Cbor,
            _ => return None,
        };
        let rest = if rest.is_empty() { rest } else { rest.strip_prefix(b" ")? };
        let (before, thing) = std::str::from_utf8(before).ok()?.rsplit_once('/')?;
        let thing = thing.parse().ok().filter(|_| before == "things" || before.ends_with("/things"))?;
        Some((Self { thing, encoding }, rest))
    }
}

/// What makes a line a message as `mosquitto_sub` prints it with `-F %j` or `%J`. No payload, not even one that is not UTF-8,
/// makes it another line.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "topic")]
    _topic: IgnoredAny,
    #[serde(rename = "payload")]
    _payload: IgnoredAny,
}

/// Splits a line before its first blank.
pub(super) fn split_hex(line: &[u8]) -> Option<(&[u8], &[u8])> {
    line.split_at_checked(memchr::memchr(b' ', line)?).map(|(hex, rest)| (hex, rest.trim_ascii()))
}

pub(super) fn is_hex(text: &[u8]) -> bool {
    text.len().is_multiple_of(2) && text.iter().all(u8::is_ascii_hexdigit)
}

/// The bytes of hexadecimal text.
pub(super) fn decode_hex(hex: &[u8]) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, []) = hex.as_chunks() else { return None };
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

/// Tracks the brackets of a JSON text to find its end.
#[derive(Default)]
pub(super) struct JsonDepth {
    open: u64,
    in_string: bool,
    escaped: bool,
}

impl JsonDepth {
    pub(super) fn read(&mut self, text: &[u8]) {
        for &b in text {
            match (self.in_string, b) {
                _ if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (_, b'"') => self.in_string = !self.in_string,
                (false, b'{' | b'[') => self.open += 1,
                (false, b'}' | b']') => self.open = self.open.saturating_sub(1),
                _ => {}
            }
        }
    }

    pub(super) fn balanced(&self) -> bool {
        self.open == 0 && !self.in_string
    }
}
