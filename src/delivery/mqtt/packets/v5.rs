//! MQTT 5.
//!
//! `rumqttc`'s decoder is not made for packets from anywhere. It drops one whose content ends too early without a word and
//! waits for the next, among them a DISCONNECT that is only a reason code, which the standard allows and mosquitto sends. It
//! reads properties beyond the end of their list, into the payload. It refuses a packet whose reason code it does not know.
//! So each packet is checked here first, and reason codes are read here: `rumqttc` sees [`UNSPECIFIED`] in their place.

use std::ops::Range;

use rumqttc::v5::mqttbytes::v5::{
    Connect, ConnectProperties, Disconnect, DisconnectReasonCode, Filter, Packet, PingReq, PubAck, Publish, Subscribe,
};
use rumqttc::v5::mqttbytes::{Error, QoS};
use tokio_util::bytes::BytesMut;

use super::{
    CONNACK, ConnAck, DISCONNECT, Incoming, Limits, Message, Outgoing, PINGRESP, PUBACK, PacketError, SUBACK,
    header_length, v311,
};
use crate::delivery::mqtt::reason::{Carrier, Reason};
use crate::delivery::mqtt::version::Version;
use crate::text::{MAX_SHOWN, truncate};

/// A reason code that every packet with reasons may have (section 2.4).
const UNSPECIFIED: u8 = 0x80;

/// Decodes a whole packet.
pub(super) fn decode(mut packet: BytesMut) -> Result<Incoming, String> {
    let Some((&first, body)) = packet.first().zip(packet.get(header_length(&packet)..)) else {
        return Err("an empty packet".to_owned());
    };
    let codes = match (first, body) {
        // A broker that speaks only MQTT 3.1.1 answers in it.
        (CONNACK, [flags, code]) => return Ok(v311::connack(*flags == 1, *code)),
        // Without properties even their length is left out.
        (DISCONNECT, []) => return Ok(Incoming::Disconnect(reason(Carrier::Disconnect, 0, None, None))),
        (DISCONNECT, [code]) => return Ok(Incoming::Disconnect(reason(Carrier::Disconnect, *code, None, None))),
        _ => check(first, body)?,
    };
    let before = packet.len().saturating_sub(body.len());
    let codes = packet.get_mut(before..).and_then(|body| body.get_mut(codes)).unwrap_or_default();
    let reasons = codes.to_vec();
    codes.fill(UNSPECIFIED);
    let code = reasons.first().copied().unwrap_or_default();

    Ok(match Packet::read(&mut packet, None).map_err(|error| error.to_string())? {
        Packet::ConnAck(connack) => {
            let (mut limits, mut text, mut server) = (Limits::default(), None, None);
            if let Some(properties) = connack.properties {
                limits = Limits {
                    packet: properties.max_packet_size,
                    qos: properties.max_qos.unwrap_or(limits.qos),
                    receive: properties.receive_max.unwrap_or(limits.receive),
                    keep_alive: properties.server_keep_alive,
                };
                (text, server) = (properties.reason_string, properties.server_reference);
            }
            if limits.packet == Some(0) || limits.receive == 0 || limits.qos > 2 {
                return Err("a limit in CONNACK is out of range".to_owned());
            }
            let reason = reason(Carrier::ConnAck, code, text, server);
            Incoming::ConnAck(ConnAck { session_present: connack.session_present, reason, limits })
        }
        Packet::SubAck(suback) => {
            let text = suback.properties.and_then(|properties| properties.reason_string);
            Incoming::SubAck { id: suback.pkid, codes: reasons, text: text.map(short) }
        }
        Packet::PubAck(puback) => {
            let text = puback.properties.and_then(|properties| properties.reason_string);
            Incoming::PubAck { id: puback.pkid, reason: reason(Carrier::PubAck, code, text, None) }
        }
        Packet::Disconnect(disconnect) => {
            let (text, server) = disconnect
                .properties
                .map_or((None, None), |properties| (properties.reason_string, properties.server_reference));
            Incoming::Disconnect(reason(Carrier::Disconnect, code, text, server))
        }
        Packet::Publish(Publish { qos, retain: retained, topic, pkid: id, payload, .. }) => {
            let topic = String::from_utf8(topic.to_vec()).map_err(|_| "a topic is not UTF-8")?;
            let qos = match qos {
                QoS::AtMostOnce => 0,
                QoS::AtLeastOnce => 1,
                QoS::ExactlyOnce => 2,
            };
            Incoming::Message(Message { id, qos, retained, topic, payload })
        }
        Packet::PingResp(_) => Incoming::PingResp,
        _ => Incoming::Other,
    })
}

fn reason(carrier: Carrier, code: u8, text: Option<String>, server: Option<String>) -> Reason {
    Reason { text: text.map(short), server: server.map(short), ..Reason::new(carrier, Version::V5, code) }
}

#[expect(clippy::needless_pass_by_value, reason = "takes the place of the text")]
fn short(text: String) -> String {
    truncate(&text, MAX_SHOWN)
}

/// Checks that a packet of those that a session needs has what belongs to it, and that its properties are whole. Returns where
/// in its body the reason codes are.
fn check(first: u8, body: &[u8]) -> Result<Range<usize>, &'static str> {
    const CUT_OFF: &str = "a packet ends too early";
    let no_codes = 0..0;
    let (codes, list, has_payload) = match (first, body) {
        (CONNACK, [0 | 1, _, list @ ..]) => (1..2, list, false),
        (PUBACK, [_, _]) | (PINGRESP, []) => return Ok(no_codes),
        (PUBACK, [_, _, _]) => return Ok(2..3),
        (PUBACK, [_, _, _, list @ ..]) => (2..3, list, false),
        (SUBACK, [_, _, list @ ..]) => (no_codes, list, true),
        (DISCONNECT, [_, list @ ..]) => (0..1, list, false),
        (0x30..=0x3f, [high, low, rest @ ..]) => {
            let id = if first & 0b110 == 0 { 0 } else { 2 };
            let topic = usize::from(u16::from_be_bytes([*high, *low]));
            (no_codes, rest.get(topic.saturating_add(id)..).ok_or(CUT_OFF)?, true)
        }
        (0x20..=0x4f | 0x90..=0x9f | 0xd0..=0xef, _) => return Err("a packet is malformed"),
        _ => return Ok(no_codes),
    };
    let payload = after_properties(list).ok_or("a packet has malformed properties")?;
    match (first, payload) {
        (SUBACK, []) => Err(CUT_OFF),
        (SUBACK, codes) => Ok(body.len().saturating_sub(codes.len())..body.len()),
        (_, [_, ..]) if !has_payload => Err("a packet goes on after its properties"),
        _ => Ok(codes),
    }
}

/// What comes after a list of properties (section 2.2.2), each of which must be whole, and there once if more are not
/// allowed.
fn after_properties(bytes: &[u8]) -> Option<&[u8]> {
    const SUBSCRIPTION: u8 = 11;
    const USER: u8 = 38;
    let (length, bytes) = variable_integer(bytes)?;
    let (mut list, payload) = bytes.split_at_checked(length)?;
    let mut seen = 0_u64;
    while let [id, value @ ..] = list {
        let string = |bytes: &[u8]| {
            let &[high, low] = bytes.first_chunk()?;
            Some(usize::from(u16::from_be_bytes([high, low])).saturating_add(2))
        };
        let length = match *id {
            1 | 23 | 25 | 36 | 37 | 40 | 41 | 42 => 1,
            19 | 33 | 34 | 35 => 2,
            2 | 17 | 24 | 39 => 4,
            3 | 8 | 9 | 18 | 21 | 22 | 26 | 28 | 31 => string(value)?,
            SUBSCRIPTION => value.len().saturating_sub(variable_integer(value)?.1.len()),
            USER => {
                let name = string(value)?;
                name.saturating_add(string(value.get(name..)?)?)
            }
            _ => return None,
        };
        let bit = 1 << id;
        if seen & bit != 0 && !matches!(*id, SUBSCRIPTION | USER) {
            return None;
        }
        seen |= bit;
        list = value.get(length..)?;
    }
    Some(payload)
}

/// A variable byte integer (section 1.5.5), and what comes after it.
fn variable_integer(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(4) {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at.saturating_add(1)..)?));
        }
    }
    None
}

/// Encodes a packet of at most `max` bytes, with no properties that AWS IoT does not support (its developer guide, "MQTT 5
/// supported features").
pub(super) fn encode(packet: Outgoing, max: u32, stream: &mut BytesMut) -> Result<(), PacketError> {
    let packet = match packet {
        Outgoing::Connect { client_id, keep_alive } => {
            let mut properties = ConnectProperties::new();
            properties.session_expiry_interval = Some(0);
            properties.request_problem_info = Some(1);
            Packet::Connect(
                Connect { keep_alive, client_id, clean_start: true, properties: Some(properties) },
                None,
                None,
            )
        }
        Outgoing::Subscribe { id, filters } => {
            let filters = filters.into_iter().map(|filter| Filter::new(filter, QoS::AtLeastOnce));
            Packet::Subscribe(Subscribe { pkid: id, ..Subscribe::new_many(filters, None) })
        }
        Outgoing::Publish(Message { id, qos, topic, payload, .. }) => {
            let qos = if qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
            Packet::Publish(Publish { pkid: id, ..Publish::new(topic, qos, payload, None) })
        }
        Outgoing::PubAck(id) => Packet::PubAck(PubAck::new(id, None)),
        Outgoing::PingReq => Packet::PingReq(PingReq),
        Outgoing::Disconnect => Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection)),
    };
    packet.write(stream, Some(max)).map(drop).map_err(|error| match error {
        Error::OutgoingPacketTooLarge { pkt_size, max } => PacketError::TooLarge { bytes: pkt_size, max },
        error => PacketError::NotMqtt(error.to_string()),
    })
}
