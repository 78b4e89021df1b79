//! What is said of the outcomes that are met most, word by word: people search for it.

use crate::broker::mosquitto::{Broker, closed_port};
use crate::broker::peer::{Peer, Tls};
use crate::broker::service::{Received, Service};
use crate::broker::wire::connack;
use crate::device::Device;

/// What is said when the service answers like this.
fn said(code: i32, answer: fn(&Received) -> crate::broker::service::Answer, told: impl Fn(u16, u64) -> String) {
    let (broker, device) = (Broker::start(), Device::new());
    let id = 5_000_000_000;
    device.remember(id - 1, [0; 4]);
    let _service = Service::start(broker.plain, move |report| vec![answer(report)]);
    let words = told(broker.tls, id);
    device.publish_to(&broker).run().exits(code).tells(&words).output();
}

#[test]
fn what_the_service_says_is_passed_on() {
    let rejected = |port, id| {
        format!(
            "localhost:{port}: report {id} rejected: InvalidPayload: Malformed metrics report\n\
             hint: look at the report with --dry-run; one like it would be rejected again"
        )
    };
    said(76, |report| report.rejected("InvalidPayload", "Malformed metrics report"), rejected);
    let throttled = |port, id| {
        format!(
            "localhost:{port}: report {id} rejected: Throttled: Too many reports\n\
             hint: the service takes a report every 5 minutes; try again then"
        )
    };
    said(75, |report| report.rejected("Throttled", "Too many reports"), throttled);
}

#[test]
fn what_is_missing_is_listed() {
    let words = "no endpoint: give --endpoint, the environment variable DEVICE_DEFENDER_ENDPOINT, or --greengrass-root\n\
         no thing name: give --thing-name, the environment variable DEVICE_DEFENDER_THING_NAME, or --greengrass-root\n\
         no certificate: give --cert-file, the environment variable DEVICE_DEFENDER_CERT_FILE, or --greengrass-root\n\
         no private key: give --key-file, the environment variable DEVICE_DEFENDER_KEY_FILE, or --greengrass-root";
    Device::new().publish().run().exits(78).tells(words).output();
}

#[test]
fn what_keeps_the_report_from_being_sent_is_named_by_its_phase() {
    let device = Device::new();
    let (port, _kept) = closed_port();
    let words = format!(
        "TCP: 127.0.0.1:{port}: 127.0.0.1:{port}: Connection refused (os error 111)\n\
         hint: is the port right, and does a firewall let it through?"
    );
    device.publish_to_port(port).set("--endpoint", "127.0.0.1").run().exits(69).tells(&words).output();

    let peer = Peer::tls(Tls::default(), |link| {
        link.receive()?;
        link.send(&connack(5))?;
        link.close()
    });
    let words = format!(
        "CONNECT: localhost:{}: refused with CONNACK 5: not authorized\n\
         hint: a policy of an active certificate must allow iot:Connect for client/gw-device-defender, and nobody else \
         may use that client id at the same time",
        peer.port()
    );
    device.publish_to_peer(&peer).run().exits(77).tells(&words).output();
    assert!(peer.seen().connected);
}
