//! A report with its topic, on one line of JSON.

use serde::de::MapAccess;

use super::fields::{Document, DocumentShape, Unsigned, read_fields};
use super::typed::{Field, FieldName, Found, Names, Read, Shape, Skip};
use crate::detect::framing::Topic;

const MESSAGE: [Names; 3] = [("topic", "topic"), ("payload", "payload"), ("payloadlen", "payloadlen")];

/// A message as `mosquitto_sub` prints it with `-F %j` or `%J`.
pub(super) struct Message {
    /// `None` if it is not a topic of reports.
    pub(super) topic: Found<Option<Topic>>,
    pub(super) payload: Found<Payload>,
    /// The bytes of the payload.
    pub(super) length: Found<u64>,
}

#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(super) enum Payload {
    /// As `%j` prints it.
    Text(String),
    /// As `%J` prints it, if it is an object.
    Document(Document),
}

#[derive(Default)]
pub(super) struct MessageShape;

impl Shape for MessageShape {
    type Value = Message;

    fn object<'de, A: MapAccess<'de>>(self, object: A) -> Result<Result<Message, String>, A::Error> {
        read_fields!(object, MESSAGE, { 0 => topic: TopicShape, 1 => payload: PayloadShape, 2 => length: Unsigned });
        Ok(Ok(Message { topic, payload, length }))
    }
}

struct TopicShape;

impl Shape for TopicShape {
    type Value = Option<Topic>;

    fn text(self, text: &str) -> Option<Option<Topic>> {
        Some(Topic::parse(text.as_bytes()))
    }
}

struct PayloadShape;

impl Shape for PayloadShape {
    type Value = Payload;

    fn text(self, text: &str) -> Option<Payload> {
        Some(Payload::Text(text.to_owned()))
    }

    fn object<'de, A: MapAccess<'de>>(self, object: A) -> Result<Result<Payload, String>, A::Error> {
        Ok(DocumentShape.object(object)?.map(Payload::Document))
    }
}
