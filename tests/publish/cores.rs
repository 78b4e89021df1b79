//! Settings out of Greengrass cores that are not plain nuclei: fleet-provisioned ones, nucleus lite, and odd files.

use std::fs;

use serde_json::json;

use crate::support::{CommandLine, Device, copy_pki};

/// A device with a core's root `core`, which has these files, and with credentials.
fn core(files: &[(&str, &str)]) -> (Device, CommandLine) {
    let device = Device::new();
    copy_pki(&["ca.pem", "ec.pem", "ec.key"], device.root());
    for (name, content) in files {
        let file = device.path("core").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }
    let publish = device.publish().set("--greengrass-root", "core").flag("-v");
    (device, publish)
}

/// A version 2 configuration without settings, as before the first restart of a fleet-provisioned core.
const EMPTY: &str = r#"system: {certificateFilePath: "", privateKeyPath: "", rootCaPath: "", rootpath: "/greengrass/v2", thingName: ""}
services:
  aws.greengrass.Nucleus:
    configuration: {awsRegion: "", iotDataEndpoint: ""}
"#;

/// Lines of `config.tlog`.
fn log(changes: &[(i64, &[&str], &str, &str)]) -> String {
    let line = |(time, path, what, value): &(i64, &[&str], &str, &str)| {
        format!("{}\n", json!({"TS": time, "TP": path, "W": what, "V": value}))
    };
    changes.iter().map(line).collect()
}

const ENDPOINT: &[&str] = &["services", "aws.greengrass.Nucleus", "configuration", "iotDataEndpoint"];

#[test]
fn a_fleet_provisioned_core_has_its_settings_in_its_log() {
    let changes = log(&[
        (1, &["system", "thingName"], "changed", ""),
        (9, &["system", "thingName"], "changed", "gw-7"),
        (5, &["system", "thingName"], "changed", "older"),
        (9, &["system", "certificateFilePath"], "changed", "first.pem"),
        (9, &["system", "certificateFilePath"], "changed", "ec.pem"),
        (9, &["system", "privateKeyPath"], "changed", "ec.key"),
        (9, &["system", "rootCaPath"], "changed", "removed.pem"),
        (10, &["system", "rootCaPath"], "removed", ""),
        (9, ENDPOINT, "changed", "data.example"),
        (9, &["services", "com.example.Model", "iotDataEndpoint"], "changed", "other.example"),
    ]);
    let long = format!(
        "{{\"TS\":99,\"TP\":[\"system\",\"thingName\"],\"W\":\"changed\",\"V\":\"{}\"}}\n",
        "x".repeat(200_000)
    );
    let torn = "{\"TS\":99,\"TP\":[\"system\",\"thingNa";
    let text = format!("nonsense\n{long}{changes}{torn}");
    let files = [("config/effectiveConfig.yaml", EMPTY), ("config/config.tlog", &text)];
    for files in [&files[..], &files[1..]] {
        let (_device, publish) = core(files);
        let outcome = publish.set("--ca-file", "ca.pem").dry_run();
        outcome.says(&["thing name: gw-7 (core/config/config.tlog: system.thingName)", "certificate: ec.pem (core/"]);
        outcome.says(&["endpoint: data.example (core/config/config.tlog: aws.greengrass.Nucleus: iotDataEndpoint)"]);
    }
    // What the configuration itself has wins.
    let restarted = EMPTY.replace("thingName: \"\"", "thingName: new");
    let (_device, publish) = core(&[("config/effectiveConfig.yaml", &restarted), ("config/config.tlog", &text)]);
    let outcome = publish.set("--ca-file", "ca.pem").dry_run();
    outcome.says(&[
        "thing name: new (core/config/effectiveConfig.yaml: ",
        "endpoint: data.example (core/config/config.tlog: ",
    ]);
    // A root that was removed is none.
    let (_device, publish) = core(&files);
    publish.dry_run().says(&["certificates to trust: the system's (default)"]);
}

#[test]
fn nucleus_lite_is_found_in_its_directory() {
    let main = "---
system:
  privateKeyPath: \"ec.key\"
  certificateFilePath: \"ec.pem\"
  rootCaPath: \"ca.pem\"
  rootPath: \"/var/lib/greengrass\"
  thingName: 007
services:
  aws.greengrass.NucleusLite:
    componentType: \"NUCLEUS\"
    configuration:
      iotDataEndpoint: \"first.example\"
";
    let (device, publish) = core(&[("config.yaml", main)]);
    let outcome = publish.dry_run();
    outcome.says(&[
        "thing name: 007 (core/config.yaml: system.thingName)",
        "endpoint: first.example (core/config.yaml: aws.greengrass.NucleusLite: iotDataEndpoint)",
    ]);

    let endpoint = "services: {aws.greengrass.NucleusLite: {configuration: {iotDataEndpoint: second.example}}}\n";
    for (name, content) in [("10-a.yaml", "system: {thingName: ten}\n"), ("20-b.yaml", endpoint), ("30.txt", "[")] {
        fs::create_dir_all(device.path("core/config.d")).unwrap();
        fs::write(device.path("core/config.d").join(name), content).unwrap();
    }
    let outcome = publish.dry_run();
    outcome
        .says(&["thing name: ten (core/config.d/10-a.yaml: ", "endpoint: second.example (core/config.d/20-b.yaml: "]);
    outcome.says(&["private key: ec.key (core/config.yaml: "]);

    for key in ["handle:0x81000002", "parsec:import=core;object=core;file=x"] {
        let (_device, publish) = core(&[("config.yaml", &main.replace("\"ec.key\"", &format!("\"{key}\"")))]);
        publish.ends(78, &[&format!("private key `{key}` (core/config.yaml: system.privateKeyPath)"), "hardware"]);
    }
}

#[test]
fn what_other_components_are_configured_to_does_not_matter() {
    let text = "system: {certificateFilePath: ec.pem, privateKeyPath: ec.key, rootCaPath: ca.pem, thingName: gw}
services:
  com.example.Model:
    configuration: {threshold: .nan, limit: 1.0E400, <<: 5, twice: 1, twice: 2, !custom tagged: !custom [1]}
  aws.greengrass.Nucleus:
    configuration: {iotDataEndpoint: data.example, networkProxy: {proxy: {}}}
";
    let (_device, publish) = core(&[("config/effectiveConfig.yaml", text)]);
    publish.dry_run().says(&["endpoint: data.example"]);
    let (_device, publish) = core(&[("config/effectiveConfig.yaml", &format!("\u{feff}{text}"))]);
    publish.dry_run().says(&["endpoint: data.example"]);
}

/// A version 1 configuration of a core that has these values.
fn version1(arn: &str) -> String {
    json!({"coreThing": {"caPath": "root.pem", "certPath": "core.pem", "keyPath": "core.key", "thingArn": arn,
                         "iotHost": "data.example"}})
    .to_string()
}

#[test]
fn an_arn_that_is_none_is_shown() {
    for arn in ["gw-7", "gw:thing/gw-7", "arn:aws:iot:eu-west-1:123456789012:cert/x"] {
        let (_device, publish) = core(&[("config/config.json", &version1(arn))]);
        let outcome = publish.ends(78, &[&format!(
            "thing name `{arn}` (core/config/config.json: coreThing.thingArn): not the ARN of a thing; expected arn:…:thing/NAME"
        )]);
        outcome.says_nothing_of(&["has none"]);
    }
}

#[test]
fn a_file_in_another_encoding_is_read_or_named() {
    let text = version1("arn:aws:iot:eu-west-1:123456789012:thing/gw");
    let marked = format!("\u{feff}\r\n{text}");
    let (device, publish) = core(&[("config/config.json", &marked)]);
    publish.outcome().says(&["core/certs/core.pem (core/config/config.json: coreThing.certPath): no such file"]);
    let utf16: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (content, told) in [
        (utf16, "cannot be parsed: UTF-16 text; convert it with iconv -f UTF-16 -t UTF-8"),
        (json!(text).to_string().into(), "cannot be parsed: expected an object, found a quoted string"),
        (b"<html>".to_vec(), "cannot be parsed: an HTML page"),
    ] {
        fs::write(device.path("core/config/config.json"), content).unwrap();
        publish.ends(78, &["core/config/config.json: ", told]);
    }
}

#[test]
fn what_would_take_much_memory_is_refused() {
    for (text, told) in [
        (format!("a: &a [x, y]\nb: [{}]", "*a,".repeat(50_000)), "too many anchors or aliases at line 2, column 3005"),
        (format!("a: [{}]", "{},".repeat(200_000)), "too large at line 1, column 449996"),
        (format!("a: {}{}", "[".repeat(70), "]".repeat(70)), "nested too deeply"),
    ] {
        let (_device, publish) = core(&[("config/effectiveConfig.yaml", &text)]);
        publish.ends(78, &["core/config/effectiveConfig.yaml: cannot be parsed: ", told]);
    }
}

/// The usual places, of which none is on a machine that tests.
#[test]
fn nucleus_lite_is_configured_in_another_place_than_installed() {
    let device = Device::new();
    let publish = device.publish();
    publish
        .clone()
        .set("--greengrass-root", "/var/lib/greengrass")
        .ends(78, &["/etc/greengrass: no Greengrass core found"]);
    let roots = ["/greengrass/v2: no", "/greengrass: no", "/etc/greengrass: no"];
    publish.flag("-v").ends(78, &roots);
}
