//! What it means when a session is refused or lost, in each of its phases.

use super::{Session, StreamError};
use crate::delivery::error::{Acknowledgment, Cause, Error};
use crate::delivery::mqtt::closing::Closing;
use crate::delivery::mqtt::packets::{Incoming, PacketError};
use crate::delivery::mqtt::reason::{Reason, Refusal};
use crate::delivery::mqtt::refusal::io_in_words;
use crate::delivery::mqtt::settings::aws_endpoint;
use crate::delivery::mqtt::tls::certificate_alert;
use crate::delivery::phase::{Phase, PhaseTimer};

impl Session<'_> {
    /// The error when the connection is lost before the PUBLISH.
    pub(super) fn lost(&self, timer: PhaseTimer, error: StreamError) -> Error {
        if let Some(refused) = self.certificate_refused(&error) {
            return refused;
        }
        let (plaintext, only) = (self.context.tls.is_none(), self.context.settings.versions.only());
        let cause = match (error, self.plaintext.instead_of_mqtt()) {
            (StreamError::Disconnected(reason), _) => return self.refusal(timer.phase, reason),
            (_, Some(found)) => Cause::WrongProtocol { expected: "an MQTT broker", found },
            (StreamError::Closed, None) if timer.phase == Phase::Publish => {
                let reason = "the broker closed the connection before the report was sent".to_owned();
                Cause::Connection { reason, plaintext, only }
            }
            (StreamError::Closed, None) => self.closed(timer.phase, Acknowledgment::None),
            (StreamError::TimedOut(timer), None) => return self.context.timed_out(timer),
            (error @ StreamError::Packet(PacketError::NotMqtt(_)), None) => Cause::BadPacket(self.reason(&error)),
            (error @ StreamError::Packet(_), None) => {
                Cause::Connection { reason: self.reason(&error), plaintext, only }
            }
        };
        self.context.error(timer.phase, cause)
    }

    /// The error when no answer came after the PUBLISH.
    pub(super) fn unanswered(&self, error: StreamError, acknowledgment: Acknowledgment) -> Error {
        if let Some(refused) = self.certificate_refused(&error) {
            return refused;
        }
        match (error, self.refused.as_deref()) {
            (StreamError::Disconnected(reason), _) => self.error_after_publish(self.refused(reason, acknowledgment)),
            (StreamError::Closed, _) => self.error_after_publish(self.closed(Phase::Publish, acknowledgment)),
            (StreamError::TimedOut(_), Some([(answer, reason)])) => {
                self.unconfirmed(&format!(".../{answer}"), reason.clone(), acknowledgment)
            }
            (StreamError::TimedOut(timer), _) if acknowledgment != Acknowledgment::None => {
                self.error_after_publish(Cause::NoAnswer { reason: timer.timed_out(), acknowledgment })
            }
            (error, _) => {
                self.error_after_publish(Cause::LostAfterPublish { reason: self.reason(&error), acknowledgment })
            }
        }
    }

    /// The error when answers could not be received.
    pub(super) fn unconfirmed(
        &self,
        answers: &str,
        reason: Option<Box<Reason>>,
        acknowledgment: Acknowledgment,
    ) -> Error {
        let (answers, topic) = (answers.to_owned(), self.answer_topics());
        self.error_after_publish(Cause::Unconfirmed { answers, topic, reason, acknowledgment })
    }

    /// The error when the subscription to an answer was refused and nothing is sent.
    pub(super) fn not_subscribed(&self, answer: &str, reason: Option<Box<Reason>>) -> Error {
        let (answers, topic) = (format!(".../{answer}"), self.answer_topics());
        self.context.error(Phase::Subscribe, Cause::NotSubscribed { answers, topic, reason })
    }

    pub(super) fn error_after_publish(&self, cause: Cause) -> Error {
        Error { published: self.published, ..self.context.error(Phase::Publish, cause) }
    }

    /// The error when the broker says no before the PUBLISH.
    pub(super) fn refusal(&self, phase: Phase, reason: Reason) -> Error {
        let topic = self.topic_of(phase);
        self.context.error(phase, self.refused_on(topic, reason, Acknowledgment::None))
    }

    /// The cause when the broker says no to the PUBLISH, or after it.
    pub(super) fn refused(&self, reason: Reason, acknowledgment: Acknowledgment) -> Cause {
        self.refused_on(self.topic_of(Phase::Publish), reason, acknowledgment)
    }

    fn refused_on(&self, topic: String, reason: Reason, acknowledgment: Acknowledgment) -> Cause {
        let client_id = self.context.settings.client_id.clone();
        Cause::Refused(Box::new(Refusal { reason, client_id, topic, acknowledgment }))
    }

    fn closed(&self, phase: Phase, acknowledgment: Acknowledgment) -> Cause {
        let settings = self.context.settings;
        Cause::Closed(Closing {
            client_id: settings.client_id.clone(),
            topic: self.topic_of(phase),
            is_aws: aws_endpoint(&settings.endpoint.host.to_str()).is_some(),
            only: settings.versions.only(),
            acknowledgment,
        })
    }

    /// The topic that a phase is about.
    fn topic_of(&self, phase: Phase) -> String {
        if phase == Phase::Publish { self.context.attempt.topic() } else { self.answer_topics() }
    }

    fn answer_topics(&self) -> String {
        format!("{} and .../rejected", self.context.attempt.answer_topic("accepted"))
    }

    /// The error when the server does not accept this device's certificate: under TLS 1.3 it says so after the handshake.
    fn certificate_refused(&self, error: &StreamError) -> Option<Error> {
        let StreamError::Packet(PacketError::Io(error)) = error else { return None };
        let cause = Cause::CertificateRefused { alert: certificate_alert(error)? };
        Some(Error { published: self.published, ..self.context.error(Phase::Tls, cause) })
    }

    /// Why the connection was lost.
    fn reason(&self, error: &StreamError) -> String {
        match (self.plaintext.instead_of_mqtt(), error) {
            (_, StreamError::Disconnected(reason)) => format!("the broker ended the session with {reason}"),
            (Some(found), _) => format!("not an MQTT broker, but {found}"),
            (None, StreamError::Closed) => "the broker closed the connection".to_owned(),
            (None, StreamError::TimedOut(timer)) => timer.timed_out(),
            (None, StreamError::Packet(error)) => match error {
                PacketError::NotMqtt(error) => format!("the answer is not {}: {error}", self.version),
                PacketError::MidPacket => "the connection was closed in the middle of a packet".to_owned(),
                PacketError::TooLarge { .. } => error.to_string(),
                PacketError::Io(error) => format!("the connection was lost: {}", io_in_words(error)),
            },
        }
    }

    pub(super) fn unexpected(&self, timer: PhaseTimer, expected: &'static str, got: &Incoming) -> Error {
        self.context.error(timer.phase, Cause::UnexpectedPacket { got: got.to_string(), expected })
    }
}
