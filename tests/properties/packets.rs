//! Packets of MQTT from anyone, in both versions: nothing makes the decoder panic, how the bytes are split does not matter, and
//! what a broker writes is understood.

use device_defender::internals::delivery::{Carrier, ConnAck, Incoming, Limits, Message, Packets, Reason, Version};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5;
use tokio_util::bytes::BytesMut;
use tokio_util::codec::Decoder;

use crate::support::cases;

/// Decodes the bytes in pieces of this size: every packet, and what ended the stream.
fn decode(version: Version, bytes: &[u8], piece: usize) -> (Vec<Incoming>, Option<String>) {
    let (mut packets, mut stream, mut decoded) = (Packets::new(version), BytesMut::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        stream.extend_from_slice(piece);
        loop {
            match packets.decode(&mut stream) {
                Ok(Some(packet)) => decoded.push(packet),
                Ok(None) => break,
                Err(error) => return (decoded, Some(error.to_string())),
            }
        }
    }
    match packets.decode_eof(&mut stream) {
        Ok(None) => (decoded, None),
        Ok(Some(packet)) => panic!("was there before: {packet:?}"),
        Err(error) => (decoded, Some(error.to_string())),
    }
}

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::V5), Just(Version::V311)]
}

/// A packet as `rumqttc`, which is the oracle here, writes it.
fn written(packet: &v5::Packet) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    packet.write(&mut bytes, None).unwrap();
    bytes.to_vec()
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,40}"
}

type Pairs = Vec<(String, String)>;

fn pairs() -> impl Strategy<Value = Pairs> {
    vec((text(), text()), 0..3)
}

fn reason(carrier: Carrier, code: u8, text: Option<String>, server: Option<String>) -> Reason {
    Reason { carrier, version: Version::V5, code, text, server }
}

/// A packet, and what is to be read in it.
fn packet() -> impl Strategy<Value = (Vec<u8>, Incoming)> {
    let suback =
        (1_u16.., vec(prop::sample::select(vec![0_u8, 1, 2, 0x80, 0x87, 0x97]), 1..4), option::of(text()), pairs())
            .prop_map(|(pkid, codes, reason_string, user_properties)| {
                use v5::SubscribeReasonCode as Code;
                let code = |code: &u8| match code {
                    0 => Code::Success(QoS::AtMostOnce),
                    1 => Code::Success(QoS::AtLeastOnce),
                    2 => Code::Success(QoS::ExactlyOnce),
                    0x80 => Code::Unspecified,
                    0x87 => Code::NotAuthorized,
                    _ => Code::QuotaExceeded,
                };
                let properties = Some(v5::SubAckProperties { reason_string: reason_string.clone(), user_properties });
                let suback = v5::SubAck { pkid, return_codes: codes.iter().map(code).collect(), properties };
                (written(&v5::Packet::SubAck(suback)), Incoming::SubAck { id: pkid, codes, text: reason_string })
            });
    let puback = (1_u16.., any::<bool>(), option::of(text()), pairs()).prop_map(
        |(pkid, refused, reason_string, user_properties)| {
            let (reason, code) =
                if refused { (v5::PubAckReason::NotAuthorized, 0x87) } else { (v5::PubAckReason::Success, 0) };
            let properties = Some(v5::PubAckProperties { reason_string: reason_string.clone(), user_properties });
            let bytes = written(&v5::Packet::PubAck(v5::PubAck { pkid, reason, properties }));
            (bytes, Incoming::PubAck { id: pkid, reason: self::reason(Carrier::PubAck, code, reason_string, None) })
        },
    );
    let disconnect =
        (option::of(text()), option::of(text()), pairs()).prop_map(|(reason_string, server, user_properties)| {
            let mut disconnect = v5::Disconnect::new(v5::DisconnectReasonCode::ServerBusy);
            let server_reference = server.clone();
            disconnect.properties = Some(v5::DisconnectProperties {
                session_expiry_interval: Some(3),
                reason_string: reason_string.clone(),
                user_properties,
                server_reference,
            });
            let reason = reason(Carrier::Disconnect, 0x89, reason_string, server);
            (written(&v5::Packet::Disconnect(disconnect)), Incoming::Disconnect(reason))
        });
    let message = (1_u16.., any::<bool>(), any::<bool>(), text(), vec(any::<u8>(), 0..300), pairs()).prop_map(
        |(id, acknowledged, retained, topic, payload, user_properties)| {
            let properties = v5::PublishProperties {
                user_properties,
                subscription_identifiers: vec![1, 200, 70_000],
                message_expiry_interval: Some(7),
                ..v5::PublishProperties::default()
            };
            let (qos, level, id) = if acknowledged { (QoS::AtLeastOnce, 1, id) } else { (QoS::AtMostOnce, 0, 0) };
            let mut publish = v5::Publish::new(topic.clone(), qos, payload.clone(), Some(properties));
            (publish.pkid, publish.retain) = (id, retained);
            let message = Message { id, qos: level, retained, topic, payload: payload.into() };
            (written(&v5::Packet::Publish(publish)), Incoming::Message(message))
        },
    );
    prop_oneof![suback, puback, disconnect, message]
}

/// A CONNACK, and what is to be read in it.
fn connack() -> impl Strategy<Value = (Vec<u8>, Incoming)> {
    let limits = (option::of(1_u32..), option::of(0_u8..2), option::of(1_u16..), option::of(any::<u16>()));
    (limits, any::<bool>(), option::of(text()), option::of(text()), pairs()).prop_map(
        |((packet, qos, receive, keep_alive), session_present, text, server, user_properties)| {
            let properties = v5::ConnAckProperties {
                session_expiry_interval: None,
                receive_max: receive,
                max_qos: qos,
                retain_available: Some(0),
                max_packet_size: packet,
                assigned_client_identifier: Some("x".to_owned()),
                topic_alias_max: None,
                reason_string: text.clone(),
                user_properties,
                wildcard_subscription_available: None,
                subscription_identifiers_available: Some(0),
                shared_subscription_available: None,
                server_keep_alive: keep_alive,
                response_information: None,
                server_reference: server.clone(),
                authentication_method: None,
                authentication_data: None,
            };
            let code = v5::ConnectReturnCode::Success;
            let bytes =
                written(&v5::Packet::ConnAck(v5::ConnAck { session_present, code, properties: Some(properties) }));
            let limits = Limits { packet, qos: qos.unwrap_or(2), receive: receive.unwrap_or(u16::MAX), keep_alive };
            let reason = reason(Carrier::ConnAck, 0, text, server);
            (bytes, Incoming::ConnAck(ConnAck { session_present, reason, limits }))
        },
    )
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn no_bytes_panic_and_how_they_are_split_does_not_matter(
        version in version(),
        begins in any::<bool>(),
        bytes in vec(prop_oneof![any::<u8>(), prop::sample::select(vec![0_u8, 1, 2, 0x20, 0x30, 0x32, 0x40, 0x90, 0xd0, 0xe0])], 0..80),
        piece in 1..9_usize,
    ) {
        // Most would end at their first byte.
        let bytes = if begins { [&[0x20, 3, 0, 0, 0][..], &bytes].concat() } else { bytes };
        let at_once = decode(version, &bytes, bytes.len().max(1));
        prop_assert_eq!(decode(version, &bytes, piece), at_once);
    }

    #[test]
    fn what_a_broker_writes_is_understood(connack in connack(), packets in vec(packet(), 0..6), piece in 1..200_usize) {
        let (bytes, expected): (Vec<_>, Vec<_>) = std::iter::once(connack).chain(packets).unzip();
        prop_assert_eq!(decode(Version::V5, &bytes.concat(), piece), (expected, None));
    }

    /// A packet that is cut off, or in which a byte differs, is another packet or none; nothing is taken for what follows.
    #[test]
    fn a_damaged_packet_takes_nothing_from_the_next(
        (bytes, _) in packet(),
        at in any::<prop::sample::Index>(),
        change in any::<u8>(),
        piece in 1..50_usize,
    ) {
        let mut damaged = bytes;
        let at = at.index(damaged.len());
        let in_length = damaged.iter().skip(1).take_while(|byte| **byte & 0x80 != 0).count() + 2;
        prop_assume!(at == 0 || at >= in_length);
        damaged[at] ^= change;
        let session = [&[0x20, 3, 0, 0, 0][..], &damaged, &[0xe0, 1, 0x8b]].concat();
        let (packets, error) = decode(Version::V5, &session, piece);
        let shutting_down = Incoming::Disconnect(reason(Carrier::Disconnect, 0x8b, None, None));
        prop_assert!(error.is_some() || (packets.len() == 3 && packets.last() == Some(&shutting_down)), "{packets:?}");
    }
}
