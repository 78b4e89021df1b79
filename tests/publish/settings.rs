//! Settings: where they may come from, what wins, and what is said of those that are missing or wrong.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use rumqttc::mqttbytes::v4::Packet;

use crate::support::{BEFORE, CommandLine, Device, Outcome, Peer, Tls, accepting, closed_port, pki, pki_str};

#[test]
fn once_is_the_default() {
    let device = Device::new();
    let [plain, once] = [device.publish(), device.publish().flag("--once")].map(|publish| publish.outcome());
    assert_eq!((plain.code, &plain.stderr), (once.code, &once.stderr));
    device.publish_plain(1).flag("--once").flag("--dry-run").outcome().says(&["not sent: "]);
}

#[test]
fn all_that_is_missing_is_reported_at_once() {
    let device = Device::new();
    let outcome = device.publish().outcome();
    outcome.is(78, &["endpoint", "thing name", "certificate", "key", "--endpoint", "--thing-name"]);
    outcome.says(&["--cert-file", "--key-file"]);
    device.publish().set("--thing-name", "gw").set("--endpoint", "localhost").ends(78, &["--cert-file", "--key-file"]);
    device.publish().flag("--insecure-plaintext").ends(78, &["--endpoint", "--thing-name"]).says_nothing_of(&["--key"]);
    assert_eq!(device.state(), None);
}

#[test]
fn all_that_is_wrong_is_reported_at_once() {
    let device = Device::new();
    let outcome = device
        .publish()
        .env("DEVICE_DEFENDER_THING_NAME", "a/b")
        .env("DEVICE_DEFENDER_ENDPOINT", "https://host")
        .env("DEVICE_DEFENDER_PORT", "0")
        .env("DEVICE_DEFENDER_CLIENT_ID", "x".repeat(129))
        .env("DEVICE_DEFENDER_TIMEOUT", "soon")
        .outcome();
    outcome.is(78, &["DEVICE_DEFENDER_THING_NAME", "a/b", "DEVICE_DEFENDER_ENDPOINT", "https://host"]);
    outcome.says(&["DEVICE_DEFENDER_PORT", "DEVICE_DEFENDER_CLIENT_ID", "128", "DEVICE_DEFENDER_TIMEOUT", "soon"]);
}

/// A wrong value on the command line is a usage error; the same in the environment is one of settings. Nobody is
/// connected to either way.
fn refused(flag: &'static str, variable: &'static str, value: &str, told: &[&str]) {
    let (peer, device) = (Peer::raw(|_| Ok(())), Device::new());
    let publish = device.publish_to_peer(&peer).without(flag);
    let outcome = publish.clone().set(flag, value).outcome();
    assert_eq!(outcome.code, Some(2), "{flag} {value:?}\n{}", outcome.stderr);
    outcome.says(&[flag]);
    outcome.says(told);
    let outcome = publish.env(variable, value).outcome();
    assert_eq!(outcome.code, Some(78), "{variable}={value:?}\n{}", outcome.stderr);
    outcome.says(&[variable]);
    outcome.says(told);
    assert!(!peer.seen().connected, "{flag} {value:?}");
    assert_eq!(device.state(), None);
}

#[test]
fn wrong_values_are_refused_before_connecting() {
    let [long, wide] = ["x".repeat(129), "ü".repeat(65)];
    for name in ["a/b", "a+b", "a#b", "a\nb", "\u{7f}", "a\u{85}b", &long, &wide] {
        refused("--thing-name", "DEVICE_DEFENDER_THING_NAME", name, &["128"]);
    }
    for id in [&long, &wide] {
        refused("--client-id", "DEVICE_DEFENDER_CLIENT_ID", id, &["128"]);
    }
    for id in ["a\nb", "\u{1}", "a\u{9f}b", "a/b", "a+b", "a#b"] {
        refused("--client-id", "DEVICE_DEFENDER_CLIENT_ID", id, &["control"]);
    }
    for host in [
        "https://localhost",
        "mqtts://localhost:8883",
        "localhost:8883",
        "localhost/",
        "local host",
        "a\nb",
        "a#b",
        ".",
        "a..b",
        "[::1",
        &"x".repeat(64),
        &"x.".repeat(130),
    ] {
        refused("--endpoint", "DEVICE_DEFENDER_ENDPOINT", host, &[]);
    }
    for port in ["0", "65536", "mqtt", "8883x", "1e3"] {
        refused("--port", "DEVICE_DEFENDER_PORT", port, &["65535"]);
    }
    for timeout in ["0", "0s", "soon", "99years"] {
        refused("--timeout", "DEVICE_DEFENDER_TIMEOUT", timeout, &[]);
    }
}

#[test]
fn the_client_id_is_the_thing_name_and_more_unless_given() {
    let device = Device::new();
    let id = |publish: CommandLine| {
        let peer = Peer::tls(Tls::default(), |link| {
            link.receive()?;
            link.close()
        });
        publish.set("--port", peer.port()).set("--mqtt-version", 5).ends(77, &[]);
        match peer.seen().packets.first() {
            Some(Packet::Connect(connect)) => connect.client_id.clone(),
            other => panic!("{other:?}"),
        }
    };
    let publish = device.publish_to_port(1);
    assert_eq!(id(publish.clone()), "gw-device-defender");
    assert_eq!(id(publish.clone().set("--client-id", "probe-1")), "probe-1");
    assert_eq!(id(publish.env("DEVICE_DEFENDER_CLIENT_ID", "")), "gw-device-defender");

    // 112 bytes and 16 more fit, 113 do not.
    device.publish_to_port(1).set("--thing-name", "x".repeat(112)).dry_run();
    let long = device.publish_to_port(1).set("--thing-name", "x".repeat(113));
    let outcome = long.clone().outcome();
    assert!(matches!(outcome.code, Some(2 | 78)), "{outcome:?}");
    outcome.says(&["client ID", "128", "--client-id"]);
    assert_eq!(long.set("--client-id", "x").flag("--dry-run").outcome().code, Some(0));
}

#[test]
fn the_environment_does_and_a_flag_wins_over_it() {
    let (broker, service, device) = accepting();
    let from_environment = device
        .publish()
        .without("--proc")
        .without("--state-dir")
        .env("DEVICE_DEFENDER_ENDPOINT", "localhost")
        .env("DEVICE_DEFENDER_PORT", broker.tls.to_string())
        .env("DEVICE_DEFENDER_THING_NAME", "gw")
        .env("DEVICE_DEFENDER_CLIENT_ID", "from-environment")
        .env("DEVICE_DEFENDER_CA_FILE", pki("ca.pem"))
        .env("DEVICE_DEFENDER_CERT_FILE", pki("ec.pem"))
        .env("DEVICE_DEFENDER_KEY_FILE", pki("ec.key"))
        .env("DEVICE_DEFENDER_STATE_DIR", "state")
        .env("DEVICE_DEFENDER_PROC", "proc")
        .env("DEVICE_DEFENDER_TIMEOUT", "20s");
    from_environment.clone().succeeds();
    assert!(service.report().topic.contains("/gw/"));
    assert_eq!(device.baseline(), Some(BEFORE));
    broker.has_logged("from-environment");

    from_environment.clone().set("--thing-name", "other").set("--client-id", "from-flag").succeeds();
    assert!(service.report().topic.contains("/other/"));
    broker.has_logged("from-flag");

    // Greengrass tells its components their thing name; ours wins over it.
    let greengrass = from_environment.env("AWS_IOT_THING_NAME", "core");
    greengrass.clone().succeeds();
    assert!(service.report().topic.contains("/gw/"));
    greengrass.clone().env("DEVICE_DEFENDER_THING_NAME", "").succeeds();
    assert!(service.report().topic.contains("/core/"));
    let wrong = greengrass.env("DEVICE_DEFENDER_THING_NAME", "").env("AWS_IOT_THING_NAME", "a/b");
    wrong.ends(78, &["AWS_IOT_THING_NAME", "a/b"]);
}

#[test]
fn what_is_no_text_is_refused() {
    let device = Device::new();
    let publish = device.publish_to_port(1);
    let no_text = OsStr::from_bytes(b"a\xffb");
    let variable = publish.clone().without("--endpoint").env("DEVICE_DEFENDER_ENDPOINT", no_text).outcome();
    assert_eq!(variable.code, Some(78), "{}", variable.stderr);
    variable.says(&["DEVICE_DEFENDER_ENDPOINT"]);
    let greengrass = publish.clone().without("--thing-name").env("AWS_IOT_THING_NAME", no_text).outcome();
    assert_eq!(greengrass.code, Some(78), "{}", greengrass.stderr);
    greengrass.says(&["AWS_IOT_THING_NAME"]);
    let mut flag = publish.without("--endpoint").run();
    flag.command.arg("--endpoint").arg(no_text);
    assert_eq!(Outcome::of(flag).code, Some(2));
}

#[test]
fn what_is_no_setting_cannot_be_set_by_the_environment() {
    let (peer, device) = (Peer::raw(|_| Ok(())), Device::new());
    let publish = device.publish_to_peer(&peer).env("DEVICE_DEFENDER_DRY_RUN", "true");
    publish.outcome().says(&["warning: environment variable DEVICE_DEFENDER_DRY_RUN: not a setting"]);
    assert!(peer.seen().connected);
}

#[test]
fn quiet_leaves_errors_only() {
    let (port, _kept) = closed_port();
    let device = Device::new();
    fs::write(device.path("state/gw.json"), "broken").unwrap();
    let outcome = device.publish_to_port(port).flag("-q").ends(69, &["TCP"]);
    outcome.says_nothing_of(&["warning"]);
    fs::write(device.path("state/gw.json"), "broken").unwrap();
    device.publish_to_port(port).ends(69, &["TCP", "warning: ", "state/gw.json"]);
}

#[test]
fn what_came_from_where_is_reported_when_asked_for() {
    let (broker, service, device) = accepting();
    let publish = device.publish_to(&broker).without("--thing-name").env("DEVICE_DEFENDER_THING_NAME", "gw");
    for way in ["-v", "--dry-run"] {
        let outcome = publish.clone().flag(way).outcome();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        outcome.says(&["localhost", "--endpoint", "DEVICE_DEFENDER_THING_NAME", "gw-device-defender", "default"]);
        outcome.says(&["--key-file", "ec.key", "--ca-file", &broker.tls.to_string()]);
        outcome.says_nothing_of(&["BEGIN"]);
    }
    assert_eq!(service.reports().len(), 1);
}

#[test]
fn verbose_shows_each_phase_with_its_time_and_no_secrets() {
    let (broker, _service, device) = accepting();
    let outcome = device.publish_to(&broker).flag("-v").outcome();
    outcome.is(0, &["TLS 1.3", "DNS", "TCP", "CONNECT", "SUBSCRIBE", "PUBLISH", "PUBACK", "accepted", " ms"]);
    let order = ["DNS", "TCP", "TLS 1.3", "CONNECT", "SUBSCRIBE", "PUBACK", "accepted after"];
    let places = order.map(|phase| {
        let line = outcome.stderr.lines().position(|line| line.contains(phase) && line.contains(" ms"));
        line.unwrap_or_else(|| panic!("no line with {phase} and a time\n{}", outcome.stderr))
    });
    assert!(places.is_sorted(), "{places:?}\n{}", outcome.stderr);
    let key = fs::read_to_string(pki_str("ec.key")).unwrap();
    outcome.says_nothing_of(&[key.lines().nth(1).unwrap(), "BEGIN"]);
}

#[test]
fn an_endpoint_of_aws_that_takes_no_reports_is_a_warning() {
    let device = Device::new();
    let warned = |host: &str| device.publish_to_port(8883).set("--endpoint", host).dry_run();
    let told = ["warning: ", "describe-endpoint --endpoint-type iot:Data-ATS"];
    for host in ["a1b2.credentials.iot.eu-west-1.amazonaws.com", "a1b2.iot.eu-west-1.amazonaws.com"] {
        let outcome = warned(host);
        outcome.says(&told);
        outcome.says(&[host]);
    }
    for host in ["a1b2-ats.iot.eu-west-1.amazonaws.com", "ec2-192-0-2-1.compute-1.amazonaws.com", "broker.test"] {
        warned(host).says_nothing_of(&["warning"]);
    }
    let watch = device.watch_port(1).set("--endpoint", "a1b2.iot.eu-west-1.amazonaws.com").set("--count", 1);
    watch.set("--timeout", "1ms").outcome().says(&told);
}
