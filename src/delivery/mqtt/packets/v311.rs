//! MQTT 3.1.1.

use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, Packet, PubAck, Publish, Subscribe, SubscribeFilter,
};
use rumqttc::mqttbytes::v4::{SubAck, SubscribeReasonCode};
use rumqttc::mqttbytes::{Error, QoS};
use tokio_util::bytes::BytesMut;

use super::{Incoming, Limits, Message, Outgoing, PacketError};
use crate::delivery::mqtt::reason::{Carrier, Reason};
use crate::delivery::mqtt::version::Version;

/// The return code of a refused subscription (section 3.9.3).
const FAILURE: u8 = 0x80;

/// Decodes a whole packet.
pub(super) fn decode(mut packet: BytesMut) -> Result<Incoming, String> {
    Ok(match Packet::read(&mut packet, usize::MAX) {
        Ok(Packet::ConnAck(ConnAck { session_present, code })) => connack(session_present, number_of(code)),
        // A return code of AWS's own, or another that the standard does not define.
        Err(Error::InvalidConnectReturnCode(code)) => connack(false, code),
        Ok(Packet::SubAck(SubAck { pkid: id, return_codes })) => {
            let number = |code| match code {
                SubscribeReasonCode::Success(qos) => level(qos),
                SubscribeReasonCode::Failure => FAILURE,
            };
            Incoming::SubAck { id, codes: return_codes.into_iter().map(number).collect(), text: None }
        }
        Ok(Packet::PubAck(PubAck { pkid: id })) => {
            Incoming::PubAck { id, reason: Reason::new(Carrier::PubAck, Version::V311, 0) }
        }
        Ok(Packet::Publish(Publish { qos, retain, topic, pkid, payload, .. })) => {
            Incoming::Message(Message { id: pkid, qos: level(qos), retained: retain, topic, payload })
        }
        Ok(Packet::PingResp) => Incoming::PingResp,
        Ok(_) => Incoming::Other,
        Err(error) => return Err(error.to_string()),
    })
}

pub(super) fn encode(packet: Outgoing, stream: &mut BytesMut) -> Result<(), PacketError> {
    let packet = match packet {
        Outgoing::Connect { client_id, keep_alive } => {
            let mut connect = Connect::new(client_id);
            connect.keep_alive = keep_alive;
            connect.clean_session = true;
            Packet::Connect(connect)
        }
        Outgoing::Subscribe { id, filters } => {
            let filters = filters.into_iter().map(|filter| SubscribeFilter::new(filter, QoS::AtLeastOnce));
            Packet::Subscribe(Subscribe { pkid: id, filters: filters.collect() })
        }
        Outgoing::Publish(Message { id, qos, topic, payload, .. }) => {
            let qos = if qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
            let mut publish = Publish::from_bytes(topic, qos, payload);
            publish.pkid = id;
            Packet::Publish(publish)
        }
        Outgoing::PubAck(id) => Packet::PubAck(PubAck::new(id)),
        Outgoing::PingReq => Packet::PingReq,
        Outgoing::Disconnect => Packet::Disconnect,
    };
    let written = packet.write(stream, usize::MAX).map(drop);
    written.map_err(|error| PacketError::NotMqtt(error.to_string()))
}

pub(super) fn connack(session_present: bool, code: u8) -> Incoming {
    let reason = Reason::new(Carrier::ConnAck, Version::V311, code);
    Incoming::ConnAck(super::ConnAck { session_present, reason, limits: Limits::default() })
}

/// A quality of service as its number.
fn level(qos: QoS) -> u8 {
    match qos {
        QoS::AtMostOnce => 0,
        QoS::AtLeastOnce => 1,
        QoS::ExactlyOnce => 2,
    }
}

/// A return code of CONNACK as its number (section 3.2.2.3).
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
