//! `generate config` and `generate units` for a Greengrass core: from a core to a service.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use device_defender::internals;
use serde_json::json;

use crate::support::{
    Broker, CommandLine, Device, Dir, Outcome, Run, Service, copy_program, in_namespaces, is_root, output, pki_str,
    powerless, private_etc,
};

/// The paths of the three files in a core's configuration.
const FILES: [&str; 3] = ["/certs/ca.pem", "/certs/gw.pem", "/certs/gw.key"];

fn write(dir: &Dir, name: &str, text: &str) {
    let file = dir.path(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

/// The configuration of a nucleus with these values.
fn nucleus(thing: &str, [ca, certificate, key]: [&str; 3], configuration: &serde_json::Value) -> String {
    let system =
        json!({"thingName": thing, "rootCaPath": ca, "certificateFilePath": certificate, "privateKeyPath": key});
    let service = json!({"configuration": configuration});
    let services = json!({"aws.greengrass.Nucleus": service, "aws.greengrass.NucleusLite": service});
    json!({"system": system, "services": services}).to_string() // JSON is YAML
}

fn generate(dir: &Dir, args: &[&str]) -> Run {
    Run::new(dir.root(), &[&["generate", "config"], args].concat())
}

/// The config file of the core in the directory `core`, which must be read without complaint: the delivery that it makes.
#[track_caller]
fn resolved(dir: &Dir) -> Outcome {
    let text = generate(dir, &["--greengrass-root", "core"]).text();
    dir.write("config.toml", text);
    CommandLine::new(dir.root(), "publish").flag("--once").flag("-v").set("--config", "config.toml").outcome()
}

#[test]
fn without_a_core_all_settings_are_explained_and_none_is_made() {
    let device = Device::new();
    let text = generate(&device, &[]).text();
    device.write("config.toml", &text);
    let missing =
        device.publish().ends(78, &["no endpoint", "hint: device-defender generate config prints a config file"]);
    let outcome = device.publish().set("--config", "config.toml").outcome();
    assert_eq!((outcome.code, outcome.stderr), (missing.code, missing.stderr));

    // What is said to be possible is.
    let is_setting = |line: &&str| line.starts_with('#') && !line.starts_with("# ") && line.contains(" = ");
    let examples: Vec<&str> = text.lines().filter(is_setting).map(|line| line.trim_start_matches('#')).collect();
    let key = |line: &str| line.split(" = ").next().unwrap().to_owned();
    let commands = internals::command();
    for command in ["publish", "watch", "collect", "detect"] {
        let mut command = commands.find_subcommand(command).unwrap().clone();
        command.build();
        for arg in command.get_arguments().filter(|arg| arg.get_env().is_some() && arg.get_id() != "config") {
            let found = examples.iter().filter(|line| key(line) == arg.get_long().unwrap()).count();
            assert_eq!(found, 1, "{arg}\n{text}");
        }
    }
    let values: Vec<&str> = examples.into_iter().filter(|line| key(line) != "custom-metrics").collect();
    device.write("config.toml", values.join("\n"));
    let watch = CommandLine::new(device.root(), "watch").flag("--print").set("--count", 1).set("--splay", 0);
    let outcome = watch.set("--config", "config.toml").outcome();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let long = text.lines().find(|line| line.len() > 130);
    assert_eq!(long, None);
}

#[test]
fn a_core_of_any_kind_is_filled_in() {
    let configuration = json!({"iotDataEndpoint": "data.example", "mqtt": {"port": 443}});
    let v2 = nucleus("gw", FILES, &configuration);
    let v1 = json!({"coreThing": {"caPath": "ca.pem", "certPath": "gw.pem", "keyPath": "gw.key", "iotMqttPort": 443,
        "thingArn": "arn:aws:iot:eu-west-1:123456789012:thing/gw", "iotHost": "data.example"}, "crypto": {
        "caPath": "file:///certs/ca.pem", "principals": {"IoTCertificate": {
        "certificatePath": "file:///certs/gw.pem", "privateKeyPath": "file:///certs/gw.key"}}}});
    let changes = [
        (&["system", "thingName"][..], json!("gw")),
        (&["system", "rootCaPath"], json!(FILES[0])),
        (&["system", "certificateFilePath"], json!(FILES[1])),
        (&["system", "privateKeyPath"], json!(FILES[2])),
        (&["services", "aws.greengrass.Nucleus", "configuration", "iotDataEndpoint"], json!("data.example")),
        (&["services", "aws.greengrass.Nucleus", "configuration", "mqtt", "port"], json!(443)),
    ];
    let changes =
        changes.map(|(path, value)| json!({"TS": 1, "TP": path, "W": "changed", "V": value}).to_string() + "\n");
    for (name, text) in [
        ("core/config/effectiveConfig.yaml", v2.as_str()),
        ("core/config.yaml", &v2),
        ("core/config/config.json", &v1.to_string()),
        ("core/config/config.tlog", &changes.concat()),
    ] {
        let dir = Dir::new();
        write(&dir, name, text);
        let outcome = resolved(&dir);
        outcome.is(66, &["/certs/gw.pem (", "/certs/gw.key (", "/certs/ca.pem (", "): No such file"]);
        outcome.says(&["settings from config.toml: endpoint, port, thing-name, ca-file, cert-file, key-file\n"]);
        let text = fs::read_to_string(dir.path("config.toml")).unwrap();
        for line in ["endpoint = \"data.example\"", "port = 443", "thing-name = \"gw\""] {
            assert!(text.lines().any(|found| found == line), "{text}");
        }
        assert!(text.contains(&format!("# Filled in from {name}.\n")), "{text}");
    }
}

#[test]
fn odd_values_are_what_they_were() {
    let odd = "a \"b\" \\ 'c' # \u{e9}\u{1f600}\u{202e}\t = [x]";
    let dir = Dir::new();
    let files = FILES.map(|file| format!("{file} {odd}"));
    let text =
        nucleus(odd, files.each_ref().map(String::as_str), &json!({"iotDataEndpoint": odd, "mqtt": {"port": "x\n1"}}));
    write(&dir, "core/config/effectiveConfig.yaml", &text);
    let outcome = resolved(&dir);
    assert_eq!(outcome.code, Some(78), "{}", outcome.stderr);
    let shown = internals::escape(odd);
    outcome.says(&[
        &format!("endpoint `{shown}` (config.toml, line "),
        &format!("thing name `{shown}` (config.toml, line "),
        "port `x\\u{a}1` (config.toml, line ",
        &format!("/certs/gw.pem {shown} (config.toml, line "),
        &format!("/certs/gw.key {shown} (config.toml, line "),
    ]);
}

/// Paths in a core's configuration that are not absolute, as no core writes them, still lead to the same files.
#[test]
fn relative_paths_become_absolute() {
    let dir = Dir::new();
    let text = nucleus("gw", ["ca.pem", "certs/gw.pem", "gw.key"], &json!({"iotDataEndpoint": "data.example"}));
    write(&dir, "core/config/effectiveConfig.yaml", &text);
    let told = |name: &str| format!("{} (config.toml, line ", dir.path(name).display());
    resolved(&dir).is(66, &[&told("ca.pem"), &told("certs/gw.pem"), &told("gw.key")]);
}

#[test]
fn what_a_core_cannot_provide_is_said() {
    let dir = Dir::new();
    let proxy = json!({"iotDataEndpoint": "data.example", "networkProxy": {"proxy": {"url": "http://proxy:3128"}}});
    write(&dir, "core/config/effectiveConfig.yaml", &nucleus("", [FILES[0], "", "pkcs11:object=key;pin=1234"], &proxy));
    let file = "core/config/effectiveConfig.yaml";
    let outcome = Outcome::of(generate(&dir, &["--greengrass-root", "core"]));
    let text = String::from_utf8(outcome.stdout.clone()).unwrap();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    outcome.says(&[
        &format!("warning: endpoint is not filled in: {file}: aws.greengrass.Nucleus: iotDataEndpoint: this core connects through"),
        &format!("warning: thing-name is not filled in: {file} has none\n"),
        &format!("warning: cert-file is not filled in: {file} has none\n"),
        &format!("warning: key-file is not filled in: {file}: system.privateKeyPath: keys and certificates in hardware"),
    ]);
    for line in ["#endpoint = \"data.example\"", "#thing-name = \"NAME\"", "#key-file = \"key.pem\""] {
        assert!(text.lines().any(|found| found == line), "{text}");
    }
    assert!(
        text.contains("\nca-file = ")
            && text.contains("# core/config/effectiveConfig.yaml: system.privateKeyPath: keys")
    );
    assert!(!text.contains("1234") && !outcome.stderr.contains("1234"));
    dir.write("config.toml", text);
    let publish = CommandLine::new(dir.root(), "publish").flag("--once").set("--config", "config.toml");
    publish.ends(78, &["no endpoint", "no thing name", "no certificate", "no private key"]);
}

#[test]
fn a_core_that_is_none_is_an_error() {
    let dir = Dir::new();
    for args in [&["generate", "config"][..], &["generate", "units", "units"]] {
        let run = || Outcome::of(Run::new(dir.root(), &[args, &["--greengrass-root", "core"]].concat()));
        fs::create_dir_all(dir.path("core/config")).unwrap();
        run().is(78, &["core: no Greengrass core found"]);
        write(&dir, "core/config/config.json", "{");
        run().is(78, &["core/config/config.json: cannot be parsed: "]);
        fs::remove_dir_all(dir.path("core")).unwrap();
    }
    assert!(!dir.path("units").exists());
}

#[test]
fn units_of_a_core_name_its_files() {
    let dir = Dir::new();
    let files = ["/certs/root ca.pem", "file:///certs/100%25.pem", "/certs/\"key\""];
    write(&dir, "core/config.yaml", &nucleus("gw", files, &json!({"iotDataEndpoint": "data.example"})));
    let generate = |to: &str| Run::new(dir.root(), &["generate", "units", to, "--greengrass-root", "core"]);
    generate("units").prints_nothing();
    let read = |name: &str| fs::read_to_string(dir.path("units").join(name)).unwrap();
    for service in ["device-defender.service", "device-defender-publish.service"] {
        let lines = "LoadCredential=ca.pem:/certs/root ca.pem\nLoadCredential=cert.pem:/certs/100%%.pem\n\
                     LoadCredential=key.pem:/certs/\"key\"\n";
        assert!(read(service).contains(lines), "{}", read(service));
    }
    let lines = "PathChanged=/certs/root ca.pem\nPathChanged=/certs/100%%.pem\nPathChanged=/certs/\"key\"\n";
    assert!(read("device-defender-renewed.path").contains(lines));

    for (files, told) in [
        (
            ["", "/certs/c.pem", "pkcs11:object=k"],
            "private key `pkcs11:…` (core/config.yaml: system.privateKeyPath): keys and",
        ),
        (["", "", "/certs/k.pem"], "no certificate: core/config.yaml has none"),
        (["/a\nExecStart=x", "/certs/c.pem", "/certs/k.pem"], "systemd cannot be given such a path"),
        (["/certs/a\\", "/certs/c.pem", "/certs/k.pem"], "systemd cannot be given such a path"),
    ] {
        write(&dir, "core/config.yaml", &nucleus("gw", files, &json!({"iotDataEndpoint": "data.example"})));
        Outcome::of(generate("others")).is(78, &[told]);
        assert!(!dir.path("others").exists());
    }
}

/// As on a core: two commands, and then the service runs as a user who cannot read the core's files, and root can try its
/// settings.
#[test]
fn from_a_core_to_a_service() {
    assert!(is_root(), "this test makes files that other users cannot read: run it as root");
    in_namespaces(&["--mount", "--fork", "--kill-child"], |part| {
        let broker = Broker::start();
        let service = Service::accepting(broker.plain);
        let secrets = Dir::new();
        for (name, from) in [("ca.pem", "ca.pem"), ("gw.pem", "ec.pem"), ("gw.key", "ec.key")] {
            fs::copy(pki_str(from), secrets.path(name)).unwrap();
        }
        fs::set_permissions(secrets.root(), Permissions::from_mode(0o700)).unwrap();
        let etc = private_etc(part);
        let files = ["ca.pem", "gw.pem", "gw.key"].map(|name| secrets.path(name).display().to_string());
        let configuration = json!({"iotDataEndpoint": "localhost", "mqtt": {"port": broker.tls}});
        for directory in ["greengrass", "device-defender"] {
            fs::create_dir(etc.join(directory)).unwrap();
        }
        let core = nucleus("gw", files.each_ref().map(String::as_str), &configuration);
        fs::write("/etc/greengrass/config.yaml", core).unwrap();

        let config = Run::new(&part.dir, &["generate", "config"]).text();
        fs::write("/etc/device-defender/config.toml", config).unwrap();
        Run::new(&part.dir, &["generate", "units", "units", "--greengrass-root", "/var/lib/greengrass"])
            .prints_nothing();

        Run::new(&part.dir, &["publish", "--once", "--state-dir", "state"]).prints_nothing();
        assert_eq!(service.reports().len(), 1);

        // What systemd does, as far as it matters here.
        let credentials = part.dir.join("credentials");
        fs::create_dir(&credentials).unwrap();
        let unit = fs::read_to_string(part.dir.join("units/device-defender.service")).unwrap();
        for line in unit.lines().filter_map(|line| line.strip_prefix("LoadCredential=")) {
            let (name, path) = line.split_once(':').unwrap();
            fs::copy(Path::new(path), credentials.join(name)).unwrap();
            fs::set_permissions(credentials.join(name), Permissions::from_mode(0o444)).unwrap();
        }
        let program = part.dir.join("device-defender");
        copy_program(&program);
        let state = part.dir.join("of-service");
        fs::create_dir(&state).unwrap();
        fs::set_permissions(&state, Permissions::from_mode(0o777)).unwrap();
        let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/device-defender ")).unwrap();
        let mut run = powerless(&program);
        run.args(command.split(' ')).args(["--count", "1", "--splay", "0"]);
        run.env_clear().env("CREDENTIALS_DIRECTORY", credentials).env("STATE_DIRECTORY", state);
        let output = output(&mut run);
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && log.contains(" accepted"), "{log}");
        assert_eq!(service.reports().len(), 1);
    });
}
