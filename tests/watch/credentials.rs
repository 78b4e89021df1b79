//! Certificates and keys that vanish, expire and are replaced on disk: each cycle reads them again.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::support::{accepting, pki};

/// Each file is removed, or replaced by another of the key infrastructure, and then mended.
#[test]
fn credentials_that_are_damaged_for_a_while() {
    let (broker, _service, device) = accepting();
    let mut watch = device.watch_broker(&broker).set("--timeout", "5s").start();
    watch.until("accepted");
    let mut expected = vec!["accepted"];
    for (name, replacement, told) in [
        ("gw.pem", "", "gw.pem (--cert-file): No such file"),
        ("gw.pem", "expired.pem", "expired at 2020-"),
        ("gw.pem", "early.pem", "not valid before 2098-"),
        ("gw.pem", "p384.pem", "does not belong to the certificate"),
        ("gw.pem", "empty", "no certificate found"),
        ("gw.pem", "half.pem", "gw.pem (--cert-file): "),
        ("gw.key", "", "gw.key (--key-file): No such file"),
        ("gw.key", "encrypted.key", "the key is encrypted"),
        ("gw.key", "der.key", "no private key found"),
        ("ca.pem", "other-ca.pem", "issued it"),
        ("ca.pem", "", "ca.pem (--ca-file): No such file"),
    ] {
        match replacement {
            "" => fs::remove_file(device.path(name)).unwrap(),
            other => device.renew(name, other),
        }
        watch.until(told);
        watch.stays(3, told);
        device.renew(name, &name.replace("gw", "ec"));
        watch.until("accepted");
        watch.stays(2, "accepted");
        expected.extend([told, "accepted"]);
    }
    watch.stop().logged(&expected);
}

/// Whether it is trusted or not, it is told.
#[test]
fn an_authority_that_is_expired() {
    let (broker, _service, device) = accepting();
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

/// Two warnings of one kind.
#[test]
fn a_warning_that_is_joined_by_another_is_logged() {
    let (broker, _service, device) = accepting();
    fs::set_permissions(device.path("gw.key"), Permissions::from_mode(0o644)).unwrap();
    let mut watch = device.watch_broker(&broker).start();
    watch.logs("any user can read this key");
    let both = ["ca.pem", "expired-ca.pem"].map(|name| fs::read_to_string(pki(name)).unwrap()).concat();
    device.write("ca.pem", both);
    assert!(watch.logs("expired at 2020-").contains("any user can read this key"));
    watch.stop().never_repeats();
}

/// As a service does that renews certificates: certificate and key are two files, and for a moment they do not fit.
#[test]
fn a_renewed_certificate_is_used_without_a_restart() {
    let (broker, _service, device) = accepting();
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
    let (broker, _service, device) = accepting();
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
    let (broker, _service, device) = accepting();
    device.renew("gw.pem", "foreign.pem");
    device.renew("gw.key", "foreign.key");
    let mut watch = device.watch_broker(&broker).start();
    watch.until("does not accept this device's certificate");
    watch.stays(3, "does not accept this device's certificate");
    device.renew("gw.key", "ec.key");
    device.renew("gw.pem", "ec.pem");
    watch.until("accepted");
    let ended = watch.stop();
    ended.never_repeats();
    assert!(ended.log[0].contains("does not accept this device's certificate"), "{:#?}", ended.log);
}
