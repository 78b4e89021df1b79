//! Keys and certificates: which work, and what is said of those that do not.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::support::{CommandLine, Device, Outcome, Peer, accepting, copy_pki, is_root, pki_str, program, tool};

#[test]
fn every_usual_key_and_certificate_works() {
    let (broker, service, device) = accepting();
    for (certificate, key) in [
        ("rsa", "rsa"),
        ("rsa", "rsa-pkcs1"),
        ("ec", "ec"),
        ("ec", "ec-sec1"),
        ("p384", "p384"),
        ("p384", "p384-sec1"),
        ("v1", "v1"),
        ("chained", "chained"),
        ("together", "together"),
        ("windows", "windows"),
        ("bag", "bag"),
        ("ec", "sec1-as-pkcs8"),
        ("ec", "pkcs8-as-pkcs1"),
        ("rsa", "pkcs1-as-pkcs8"),
        ("indented-ec", "indented-ec"),
    ] {
        let begins = |format: &str| fs::read_to_string(pki_str(&format!("{key}.key"))).unwrap().contains(format);
        assert!(begins(match key {
            "rsa-pkcs1" | "pkcs8-as-pkcs1" => "-----BEGIN RSA PRIVATE KEY-----",
            "ec-sec1" | "p384-sec1" => "-----BEGIN EC PRIVATE KEY-----",
            _ => "-----BEGIN PRIVATE KEY-----",
        }));
        device.publish_to(&broker).identity(certificate, key).succeeds();
        assert_eq!(service.reports().len(), 1, "{certificate} {key}");
    }
}

/// A run with these credentials, which must end before connecting.
fn unconnected(publish: impl FnOnce(&Device, CommandLine) -> CommandLine) -> Outcome {
    let (peer, device) = (Peer::raw(|_| Ok(())), Device::new());
    let outcome = publish(&device, device.publish_to_peer(&peer)).outcome();
    assert!(!peer.seen().connected, "{}", outcome.stderr);
    assert_eq!(device.state(), None);
    outcome
}

#[test]
fn a_key_that_does_not_belong_to_the_certificate_is_reported_before_connecting() {
    for (certificate, key) in [("ec", "rsa"), ("rsa", "ec"), ("ec", "expired"), ("v1", "rsa"), ("rsa", "v1")] {
        let outcome = unconnected(|_, publish| publish.identity(certificate, key));
        outcome.is(78, &[&format!("{certificate}.pem"), &format!("{key}.key"), "belong"]);
    }
}

#[test]
fn a_key_that_cannot_be_used_is_reported_before_connecting() {
    for (key, told) in [
        ("encrypted.key", "encrypted"),
        ("encrypted-sec1.key", "encrypted"),
        ("der.key", "PEM"),
        ("empty", "key"),
        ("ec.pem", "key"),
    ] {
        let key = pki_str(key);
        let outcome = unconnected(|_, publish| publish.set("--key-file", &key));
        outcome.is(78, &[&key, told]);
        outcome.says_nothing_of(&["InvalidPem", "NoItemsFound"]);
    }
    let outcome = unconnected(|_, publish| publish.identity("p521", "p521"));
    outcome.is(78, &["p521.key (--key-file): EC keys on P-521 are not supported; supported are "]);
    for key in ["explicit", "explicit-pkcs8"] {
        let outcome = unconnected(|_, publish| publish.identity("ec", key));
        outcome.is(78, &[&format!("{key}.key (--key-file): "), "openssl ec -param_enc named_curve -in OLD -out NEW"]);
        outcome.says_nothing_of(&["P-256"]);
    }
    let outcome = unconnected(|_, publish| publish.identity("ec", "without-public"));
    outcome.is(78, &["without-public.key (--key-file): the EC key is damaged, or lacks the public key"]);
    let broken = unconnected(|device, publish| {
        let key = fs::read_to_string(pki_str("ec.key")).unwrap();
        fs::write(device.path("half.key"), key.lines().take(2).collect::<String>()).unwrap();
        publish.set("--key-file", "half.key")
    });
    broken.is(78, &["half.key"]);
    broken.says_nothing_of(&[fs::read_to_string(pki_str("ec.key")).unwrap().lines().nth(1).unwrap()]);
}

#[test]
fn a_certificate_that_cannot_be_used_is_reported_before_connecting() {
    for certificate in ["empty", "ec.key"] {
        let certificate = pki_str(certificate);
        let outcome = unconnected(|_, publish| publish.set("--cert-file", &certificate));
        outcome.is(78, &[&certificate, "certificate"]);
    }
    let broken = unconnected(|device, publish| {
        fs::write(device.path("x.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        publish.set("--cert-file", "x.pem")
    });
    broken.is(78, &["x.pem"]);
}

/// Text in UTF-16, as an editor of Windows writes it.
fn utf16(text: &str) -> Vec<u8> {
    ["\u{feff}", text].concat().encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn a_file_of_another_kind_is_named_with_the_command_that_converts_it() {
    let read = |name: &str| fs::read_to_string(pki_str(name)).unwrap();
    let ssh = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----\n";
    let answer =
        |text: String| serde_json::json!({ "certificatePem": text, "keyPair": {"PrivateKey": text} }).to_string();
    let html = b"\n<!doctype html>\n<title>Sign in</title>".to_vec();
    let binary = |name: &str| fs::read(pki_str(name)).unwrap();
    for (flag, content, told) in [
        ("--key-file", ssh.into(), "ssh-keygen -p -m PKCS8 -f COPY"),
        ("--key-file", utf16(&read("ec.key")), "this is UTF-16 text; convert it with iconv -f UTF-16 -t UTF-8"),
        ("--key-file", answer(read("ec.key")).into(), "the line breaks are written as \\n, as in a JSON string"),
        ("--key-file", html.clone(), "this is an HTML page"),
        ("--key-file", binary("der.key"), "this is DER; run openssl pkey -inform DER -in OLD -out NEW"),
        ("--key-file", binary("der-sec1.key"), "this is DER; run openssl pkey -inform DER -in OLD -out NEW"),
        ("--key-file", binary("public.key"), "this is a public key"),
        ("--key-file", binary("ec.pem"), "this is a certificate"),
        ("--cert-file", binary("trusted.pem"), "openssl x509 -in OLD -out NEW"),
        ("--cert-file", binary("pkcs7.pem"), "this is PKCS #7; run openssl pkcs7 -print_certs -in OLD -out NEW"),
        ("--cert-file", binary("pkcs12.pem"), "this is PKCS #12; run openssl pkcs12 -nodes -in OLD -out NEW"),
        ("--cert-file", binary("der.pem"), "this is DER; run openssl x509 -inform DER -in OLD -out NEW"),
        ("--cert-file", binary("ec.csr"), "this is a certificate request"),
        ("--cert-file", binary("ec.key"), "this is a private key"),
        ("--cert-file", answer(read("ec.pem")).into(), "the line breaks are written as \\n, as in a JSON string"),
        ("--ca-file", utf16(&read("ca.pem")), "this is UTF-16 text"),
        ("--ca-file", html, "this is an HTML page, such as a login or error page"),
        ("--ca-file", b"\0\xff\x12".to_vec(), "this is not text: it contains bytes of value 0"),
    ] {
        let outcome = unconnected(|device, publish| {
            fs::write(device.path("other"), &content).unwrap();
            publish.set(flag, "other")
        });
        outcome.is(78, &[&format!("other ({flag}): no "), "found; expected PEM, with a line BEGIN ", told]);
    }
}

#[test]
fn files_that_cannot_be_opened_are_all_reported_at_once() {
    let outcome = unconnected(|_, publish| {
        publish.set("--cert-file", "gone.pem").set("--key-file", "proc").set("--ca-file", "gone-ca.pem")
    });
    outcome.is(66, &["gone.pem (--cert-file): no", "gone-ca.pem (--ca-file): no", "proc (--key-file): not a regular"]);
    let outcome = unconnected(|device, publish| {
        device.write("config.toml", "key-file = 'gone.key'");
        let publish = publish.without("--key-file").without("--cert-file").set("--config", "config.toml");
        publish.env("DEVICE_DEFENDER_CERT_FILE", "gone.pem")
    });
    outcome.is(
        66,
        &[
            "gone.key (config.toml, line 1: key-file): no",
            "gone.pem (environment variable DEVICE_DEFENDER_CERT_FILE): no",
        ],
    );
}

#[test]
fn validity_is_reported() {
    let (broker, service, device) = accepting();
    let expired = device.publish_to(&broker).identity("expired", "expired").outcome();
    expired.says(&["expired.pem", "expired", "2020-01-31"]);
    let early = device.publish_to(&broker).identity("early", "early").outcome();
    early.says(&["early.pem", "not valid before 2098-01-01", "clock"]);
    for outcome in [expired, early] {
        assert!(matches!(outcome.code, Some(77 | 78)), "{outcome:?}");
    }
    assert_eq!(service.reports(), []);
}

/// A run with a wrong clock.
fn at(date: &str, publish: &CommandLine) -> Outcome {
    let mut run = publish.run();
    let mut command = tool("faketime");
    command.args(["-f", date, program()]).args(run.command.get_args());
    command.env("TZ", "UTC").env("DONT_FAKE_MONOTONIC", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command.current_dir(run.command.get_current_dir().unwrap());
    run.command = command;
    Outcome::of(run)
}

#[test]
fn a_clock_that_is_plainly_wrong_is_reported() {
    let (broker, _service, device) = accepting();
    for date in ["@1970-01-01 00:00:10", "@2001-09-09 01:46:40"] {
        let outcome = at(date, &device.publish_to(&broker).set("--timeout", "10s"));
        outcome.says(&["clock"]);
        assert_ne!(outcome.code, Some(0), "{outcome:?}");
    }
}

#[test]
fn a_key_that_others_can_read_is_a_warning() {
    let (broker, service, device) = accepting();
    copy_pki(&["ec.key"], device.root());
    for mode in [0o644, 0o604, 0o666] {
        fs::set_permissions(device.path("ec.key"), Permissions::from_mode(mode)).unwrap();
        let outcome = device.publish_to(&broker).set("--key-file", "ec.key").outcome();
        outcome.is(0, &["warning: ", "ec.key", &format!("{mode:o}")]);
        device.publish_to(&broker).set("--key-file", "ec.key").flag("-q").succeeds();
    }
    for mode in [0o400, 0o640] {
        // A group is there on purpose, as that of Greengrass's users is.
        fs::set_permissions(device.path("ec.key"), Permissions::from_mode(mode)).unwrap();
        device.publish_to(&broker).set("--key-file", "ec.key").succeeds();
    }
    assert!(!service.reports().is_empty());
}

#[test]
fn a_file_that_may_not_be_read_is_reported_with_user_and_mode() {
    let device = Device::new();
    copy_pki(&["ec.pem", "ec.key", "ca.pem"], device.root());
    let mode = |mode| fs::set_permissions(device.path("ec.key"), Permissions::from_mode(mode)).unwrap();
    mode(if is_root() { 0o600 } else { 0o000 });
    let publish = device.publish_to_port(1).without("--state-dir").set("--ca-file", "ca.pem");
    let publish = publish.set("--cert-file", "ec.pem").set("--key-file", "ec.key");
    let outcome = Outcome::of(publish.run().by_nobody());
    outcome.is(66, &["ec.key", "permission denied"]);
    if is_root() {
        outcome.says(&["root", "600"]);
    }
}
