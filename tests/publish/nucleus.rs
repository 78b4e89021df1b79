//! Delivery through the IPC of a Greengrass nucleus.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;

use regex::Regex;
use serde_json::json;

use crate::support::{
    BEFORE, CommandLine, Device, Dir, Nucleus, NucleusLink, SOCKET_VARIABLE, TOKEN_VARIABLE, accepted, assert_snapshot,
    rejected,
};

const AFTER: [u64; 4] = [1500, 15, 2700, 27];

/// A device that has reported [`BEFORE`] already and shows [`AFTER`] now.
fn device() -> Device {
    let device = Device::new();
    device.remember(7, BEFORE);
    device.count(AFTER);
    device
}

/// Runs a report through a nucleus that plays this script. It ends with this code and texts; whether it was delivered.
#[track_caller]
fn ends(
    flags: impl FnOnce(CommandLine) -> CommandLine,
    script: impl FnMut(&mut NucleusLink) -> io::Result<()> + Send + 'static,
    code: i32,
    texts: &[&str],
) {
    let (device, nucleus) = (device(), Nucleus::start(script));
    flags(device.publish().in_nucleus(&nucleus)).ends(code, texts);
    let moved = if code == 0 { AFTER } else { BEFORE };
    assert_eq!(device.baseline(), Some(moved), "the baseline moves exactly when the report is accepted");
}

#[test]
fn a_report_is_accepted() {
    let (device, nucleus) = (device(), Nucleus::accepting());
    device.publish().in_nucleus(&nucleus).succeeds();
    let report = nucleus.report();
    assert_eq!(report.topic, "$aws/things/gw/defender/metrics/json");
    assert_eq!((device.last_id(), device.baseline()), (Some(report.id()), Some(AFTER)));
    device.publish().in_nucleus(&nucleus).set("--format", "cbor").succeeds();
    let second = nucleus.report();
    assert_eq!(second.topic, "$aws/things/gw/defender/metrics/cbor");
    assert!(second.id() > report.id());
}

#[test]
fn an_ordinary_user_needs_nothing_more() {
    let (device, nucleus) = (Device::new(), Nucleus::accepting());
    fs::set_permissions(device.path("state"), Permissions::from_mode(0o777)).unwrap();
    device.publish().in_nucleus(&nucleus).run().by_nobody().prints_nothing();
    assert_eq!(device.last_id(), Some(nucleus.report().id()));
}

#[test]
fn the_transcript_shows_every_step() {
    let (device, nucleus) = (Device::new(), Nucleus::accepting());
    let outcome = device.publish().in_nucleus(&nucleus).flag("-v").set("--via", "greengrass").outcome();
    assert_eq!(outcome.code, Some(0));
    let socket = nucleus.socket().display().to_string();
    let times = Regex::new("(in|after) (under 1 ms|[0-9]+ ms)").unwrap();
    let transcript = times.replace_all(&outcome.stderr, "$1 [TIME]").replace(&socket, "[SOCKET]");
    assert_snapshot(
        transcript,
        snapbox::str![[r#"
device-defender: via: greengrass (--via)
device-defender: thing name: gw (environment variable AWS_IOT_THING_NAME)
device-defender: timeout: 30s (default)
device-defender: socket: [SOCKET] (environment variable AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT)
device-defender: state directory: state (--state-dir)
device-defender: /proc path: proc (--proc)
device-defender: state of gw in state
device-defender: reading proc/net
device-defender: proc/1/net: No such file or directory (os error 2); reading proc/net instead
device-defender: proc/net/tcp: 2 rows
device-defender: proc/net/tcp6: 1 rows
device-defender: proc/net/udp: 1 rows
device-defender: proc/net/udp6: 0 rows
device-defender: proc/net/dev: 1 rows
device-defender: no network_stats: no report of this thing was accepted yet
device-defender: IPC: connected in [TIME]
device-defender: CONNECT: accepted in [TIME]
device-defender: SUBSCRIBE: $aws/things/gw/defender/metrics/json/accepted in [TIME]
device-defender: SUBSCRIBE: $aws/things/gw/defender/metrics/json/rejected in [TIME]
device-defender: PUBLISH: report [ID], 329 bytes, to $aws/things/gw/defender/metrics/json
device-defender: taken by the nucleus after [TIME]
device-defender: accepted after [TIME]

"#]],
    );
}

#[test]
fn every_refusal_has_its_code() {
    type Script = fn(&mut NucleusLink) -> io::Result<()>;
    let cases: [(Script, i32, &[&str]); 11] = [
        (|_| Ok(()), 69, &["CONNECT: ", "does not accept this component's token"]),
        (
            |link| {
                link.accept_subscriptions()?;
                link.report().map(drop)
            },
            75,
            &["PUBLISH: ", "the nucleus closed the connection when the report of "],
        ),
        (
            |link| {
                link.accept_connect()?;
                let request = link.request()?;
                link.fail(&request, "UnauthorizedError", "")?;
                link.silence()
            },
            77,
            &[
                "SUBSCRIBE: ",
                "not authorized",
                "aws.greengrass#SubscribeToIoTCore on $aws/things/gw/defender/metrics/json/accepted",
            ],
        ),
        (
            |link| {
                link.accept_connect()?;
                let request = link.request()?;
                link.fail(&request, "ServiceError", "Failed to bind the subscription.")?;
                link.silence()
            },
            69,
            &["SUBSCRIBE: ", "ServiceError: Failed to bind the subscription."],
        ),
        (
            |link| {
                link.accept_subscriptions()?;
                let (request, _) = link.report()?;
                link.fail(&request, "UnauthorizedError", "")?;
                link.silence()
            },
            77,
            &["PUBLISH: ", "aws.greengrass#PublishToIoTCore on $aws/things/gw/defender/metrics/json"],
        ),
        (
            |link| {
                link.accept_subscriptions()?;
                let (request, _) = link.report()?;
                link.fail(&request, "ServiceError", "Failed to publish the message.")?;
                link.silence()
            },
            69,
            &["PUBLISH: ", "Failed to publish the message.", "nothing was sent"],
        ),
        (
            |link| {
                let report = link.up_to_taken()?;
                link.answer(&report.rejected("InvalidPayload", "Malformed"))?;
                link.silence()
            },
            76,
            &["rejected: InvalidPayload: Malformed"],
        ),
        (
            |link| {
                let report = link.up_to_taken()?;
                link.answer(&report.rejected("Throttled", ""))?;
                link.silence()
            },
            75,
            &["Throttled"],
        ),
        (
            |link| {
                link.accept_connect()?;
                link.request()?;
                link.send([6, 0, 0], "", &json!({"message": "Bad request"}))?;
                link.silence()
            },
            69,
            &["SUBSCRIBE: ", "the nucleus reports an error: Bad request"],
        ),
        (|link| link.up_to_taken().map(drop), 75, &["the nucleus took the report"]),
        (
            |link| {
                link.accept_connect()?;
                link.send_bytes(b"HTTP/1.1 400 Bad Request\r\n")?;
                link.silence()
            },
            69,
            &["SUBSCRIBE: ", "not EventStream RPC", "a checksum is wrong"],
        ),
    ];
    for (script, code, texts) in cases {
        ends(|line| line, script, code, texts);
    }
}

#[test]
fn a_silent_nucleus_ends_with_the_phase() {
    type Script = fn(&mut NucleusLink) -> io::Result<()>;
    let cases: [(Script, i32, &str); 4] = [
        (NucleusLink::silence, 69, "CONNECT: "),
        (
            |link| {
                link.accept_connect()?;
                link.silence()
            },
            69,
            "SUBSCRIBE: ",
        ),
        (
            |link| {
                link.accept_subscriptions()?;
                link.silence()
            },
            75,
            "it is unknown whether the nucleus took the report",
        ),
        (
            |link| {
                link.up_to_taken()?;
                link.silence()
            },
            75,
            "; the nucleus took the report",
        ),
    ];
    for (script, code, text) in cases {
        ends(|line| line.set("--timeout", "300ms"), script, code, &[text]);
    }
}

#[test]
fn only_the_answer_to_this_report_counts() {
    ends(
        |line| line.set("--timeout", "500ms"),
        |link| {
            link.accept_connect()?;
            let first = link.request()?;
            link.respond(&first)?;
            let topic = first.topic().to_owned();
            let anonymous = json!({"thingName": "gw", "status": "ACCEPTED"}).to_string().into_bytes();
            link.answer(&(topic.clone(), anonymous.clone()))?; // before the report
            let second = link.request()?;
            link.respond(&second)?;
            let (request, report) = link.report()?;
            link.answer(&(topic.clone(), anonymous))?; // before the nucleus took it
            link.answer(&report.answer("accepted", &accepted(report.id() - 1)))?;
            link.answer(&report.answer("rejected", &rejected(Some(report.id() + 1), "InvalidPayload", "")))?;
            link.respond(&request)?;
            link.silence()
        },
        75,
        &["no answer within", "the nucleus took the report"],
    );
    // An answer with the id counts also when it is faster than the response, and pings are answered.
    ends(
        |line| line,
        |link| {
            link.accept_subscriptions()?;
            let (request, report) = link.report()?;
            link.send([2, 0, 0], "", &json!({}))?;
            link.answer(&report.accepted())?;
            link.respond(&request)?;
            link.silence()
        },
        0,
        &[],
    );
}

#[test]
fn without_waiting_the_nucleus_is_enough() {
    ends(
        |line| line.flag("--no-wait"),
        |link| {
            link.accept_connect()?;
            let (request, _) = link.report()?;
            link.respond(&request)?;
            link.silence()
        },
        0,
        &[],
    );
}

#[test]
fn a_component_needs_what_a_nucleus_passes() {
    let device = Device::new();
    let line = device.publish().set("--via", "greengrass");
    let thing_name = "no thing name: give --thing-name, the environment variable DEVICE_DEFENDER_THING_NAME, or thing-name in the \
         config file\n";
    line.ends(78, &[SOCKET_VARIABLE, TOKEN_VARIABLE, thing_name]);
    let nowhere = Dir::new();
    let line = line.env(SOCKET_VARIABLE, nowhere.path("none")).env(TOKEN_VARIABLE, "secret").set("--thing-name", "gw");
    let outcome = line.clone().flag("-v").ends(69, &["IPC: ", "No such file", "is the nucleus running?"]);
    outcome.says_nothing_of(&["secret"]);
    // All that only MQTT uses, at once.
    let mqtt = line.set("--endpoint", "broker.test").set("--port", 1).set("--client-id", "c").set("--ca-file", "a");
    let mqtt = mqtt.set("--mqtt-version", 5);
    let mqtt = mqtt.set("--cert-file", "b").set("--key-file", "c").flag("--insecure-plaintext");
    mqtt.ends(
        2,
        &[
            "--endpoint: only", "--port: only", "--client-id: only", "--mqtt-version: only", "--ca-file",
            "--cert-file", "--key-file", "--insecure-",
        ],
    );
    // Who did not choose the nucleus is told how to choose MQTT.
    let nucleus = Nucleus::accepting();
    device
        .publish()
        .in_nucleus(&nucleus)
        .set("--cert-file", "b")
        .ends(2, &["hint: a Greengrass nucleus started", "--via mqtt"]);
}

#[test]
fn a_token_is_valid_until_the_nucleus_restarts() {
    let (device, nucleus) = (Device::new(), Nucleus::accepting());
    device.publish().in_nucleus(&nucleus).succeeds();
    nucleus.restart();
    device.publish().in_nucleus(&nucleus).ends(69, &["CONNECT: ", "does not accept this component's token (SVCUID)"]);
}

#[test]
fn an_endpoint_or_the_flag_chooses_the_transport() {
    let (device, nucleus) = (Device::new(), Nucleus::accepting());
    let line = device.publish().in_nucleus(&nucleus);
    line.dry_run().says(&[&nucleus.socket().display().to_string(), "via: greengrass (started by a Greengrass nucleus"]);
    line.clone().set("--endpoint", "broker.test").ends(78, &["no certificate"]);
    line.clone().env("DEVICE_DEFENDER_ENDPOINT", "broker.test").ends(78, &["no certificate"]);
    line.clone().env("DEVICE_DEFENDER_VIA", "mqtt").ends(78, &["no certificate"]);
    line.env("DEVICE_DEFENDER_VIA", "mail").ends(78, &["via `mail`", "must be one of greengrass, mqtt"]);
    assert_eq!(nucleus.reports(), []);
}

#[test]
fn a_nucleus_is_checked_as_well() {
    let (nucleus, device) = (Nucleus::accepting(), Device::new());
    let publish = device
        .publish()
        .set("--thing-name", "gw")
        .without("--once")
        .without("--state-dir")
        .flag("--check")
        .in_nucleus(&nucleus);
    publish.succeeds();
    publish.clone().flag("-v").ends(0, &["IPC: connected", "CONNECT: accepted", "SUBSCRIBE: "]);
    publish.clone().flag("--no-wait").succeeds();
    publish.env("SVCUID", "wrong").ends(69, &["token"]);
    assert_eq!(fs::read_dir(device.path("state")).unwrap().count(), 0);
}
