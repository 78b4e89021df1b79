//! Certificates and keys that vanish, expire and are replaced on disk: each cycle reads them again.

use std::fs;

use crate::broker::mosquitto::Broker;
use crate::broker::service::Service;
use crate::device::Device;

/// What breaks a device, and what is told of it then.
type Damage<'a> = (&'a dyn Fn(&Device), &'a str);

/// Breaks something of a device whose reports are accepted, and mends it.
fn heals(breaks: &[Damage<'_>], mend: impl Fn(&Device)) {
    let (broker, device) = (Broker::start(), Device::new());
    let _service = Service::accepting(broker.plain);
    let mut watch = device.watch_broker(&broker).set("--timeout", "5s").start();
    watch.until("accepted");
    let mut expected = vec!["accepted"];
    for (break_it, told) in breaks {
        break_it(&device);
        watch.until(told);
        watch.stays(3, told);
        mend(&device);
        watch.until("accepted");
        watch.stays(2, "accepted");
        expected.extend([*told, "accepted"]);
    }
    watch.stop().logged(&expected);
}

#[test]
fn a_certificate_that_vanishes_expires_or_is_not_ours() {
    heals(
        &[
            (&|device| fs::remove_file(device.path("gw.pem")).unwrap(), "gw.pem: No such file"),
            (&|device| device.renew("gw.pem", "expired.pem"), "expired at 2020-"),
            (&|device| device.renew("gw.pem", "early.pem"), "not valid before 2098-"),
            (&|device| device.renew("gw.pem", "p384.pem"), "does not belong to the certificate"),
            (&|device| device.renew("gw.pem", "empty"), "no certificate in it"),
            (&|device| device.put("gw.pem", "-----BEGIN CERTIFICATE-----\nMIIB"), "gw.pem: "),
        ],
        |device| device.renew("gw.pem", "ec.pem"),
    );
}

#[test]
fn a_key_that_vanishes_or_is_locked() {
    heals(
        &[
            (&|device| fs::remove_file(device.path("gw.key")).unwrap(), "gw.key: No such file"),
            (&|device| device.renew("gw.key", "encrypted.key"), "the key is encrypted"),
            (&|device| device.renew("gw.key", "der.key"), "no private key in it"),
        ],
        |device| device.renew("gw.key", "ec.key"),
    );
}

#[test]
fn an_authority_that_is_another() {
    heals(
        &[
            (&|device| device.renew("ca.pem", "other-ca.pem"), "issued by none"),
            (&|device| fs::remove_file(device.path("ca.pem")).unwrap(), "ca.pem: No such file"),
        ],
        |device| device.renew("ca.pem", "ca.pem"),
    );
}

/// Whether it is trusted or not, it is told.
#[test]
fn an_authority_that_is_expired() {
    let (broker, device) = (Broker::start(), Device::new());
    let _service = Service::accepting(broker.plain);
    let mut watch = device.watch_broker(&broker).start();
    watch.until("accepted");
    device.renew("ca.pem", "expired-ca.pem");
    assert!(watch.logs("expired at 2020-").contains("ca.pem"));
    device.renew("ca.pem", "ca.pem");
    watch.catches_up();
    watch.stays(2, "accepted");
    let ended = watch.stop();
    ended.never_repeats();
    assert_eq!(ended.log.len(), 3, "{:#?}", ended.log);
}

/// As a service does that renews certificates: certificate and key are two files, and for a moment they do not fit.
#[test]
fn a_renewed_certificate_is_used_without_a_restart() {
    let (broker, device) = (Broker::start(), Device::new());
    let _service = Service::accepting(broker.plain);
    let mut watch = device.watch_broker(&broker).flag("-v").start();
    watch.until("accepted");
    for name in ["p384", "rsa", "ec"] {
        device.renew("gw.key", &format!("{name}.key"));
        watch.until("does not belong to the certificate");
        device.renew("gw.pem", &format!("{name}.pem"));
        watch.until("accepted");
    }
    watch.stop();
}

#[test]
fn a_certificate_that_is_missing_at_the_start_is_waited_for() {
    let (broker, device) = (Broker::start(), Device::new());
    let _service = Service::accepting(broker.plain);
    fs::remove_file(device.path("gw.pem")).unwrap();
    let mut watch = device.watch_broker(&broker).start();
    watch.is_ready();
    watch.until("No such file");
    device.renew("gw.pem", "ec.pem");
    watch.until("accepted");
    watch.stop().logged(&["No such file", "accepted"]);
}

/// The broker does not know the authority that signed it.
#[test]
fn a_certificate_that_the_broker_does_not_take() {
    let (broker, device) = (Broker::start(), Device::new());
    let _service = Service::accepting(broker.plain);
    device.renew("gw.pem", "foreign.pem");
    device.renew("gw.key", "foreign.key");
    let mut watch = device.watch_broker(&broker).start();
    watch.until("does not accept our certificate");
    watch.stays(3, "does not accept our certificate");
    device.renew("gw.key", "ec.key");
    device.renew("gw.pem", "ec.pem");
    watch.until("accepted");
    let ended = watch.stop();
    ended.never_repeats();
    assert!(ended.log[0].contains("does not accept our certificate"), "{:#?}", ended.log);
}
