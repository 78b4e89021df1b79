//! Settings out of a Greengrass core's root, of version 1 and 2.

use std::fmt::Write;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::support::{Broker, CommandLine, Device, Outcome, accepting, fixtures, is_root, pki};

/// The endpoint of the fixtures.
const ENDPOINT: &str = "a1b2c3d4e5f6g7-ats.iot.eu-west-1.amazonaws.com";

/// A core's root, `core` on this device, made of a fixture.
struct Core<'a> {
    device: &'a Device,
    config: PathBuf,
    root: PathBuf,
}

impl<'a> Core<'a> {
    /// A core that connects to this broker.
    fn new(device: &'a Device, fixture: &str, broker: &Broker) -> Self {
        let root = device.path("core");
        let version1 = fixture.starts_with("v1");
        let (file, usual_root) =
            if version1 { ("config.json", "/greengrass/") } else { ("effectiveConfig.yaml", "/greengrass/v2/") };
        let text = fs::read_to_string(fixtures().join("greengrass").join(fixture).join("config").join(file)).unwrap();
        let text = text.replace(usual_root, &format!("{}/", root.display())).replace(ENDPOINT, "localhost");
        let text = text.replace("8883", &broker.tls.to_string());
        if root.exists() {
            fs::remove_dir_all(&root).unwrap();
        }
        for dir in ["config", "certs"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        let files = if version1 {
            [
                ("certs/root.ca.pem", "ca.pem"),
                ("certs/0a1b2c3d4e.cert.pem", "rsa.pem"),
                ("certs/0a1b2c3d4e.private.key", "rsa-pkcs1.key"),
            ]
        } else {
            [("rootCA.pem", "ca.pem"), ("thingCert.crt", "rsa.pem"), ("privKey.key", "rsa-pkcs1.key")]
        };
        for (name, original) in files {
            fs::copy(pki(original), root.join(name)).unwrap();
        }
        let config = root.join("config").join(file);
        fs::write(&config, text).unwrap();
        Self { device, config, root }
    }

    /// Changes its configuration.
    fn change(&self, what: &str, into: &str) {
        let text = fs::read_to_string(&self.config).unwrap();
        assert!(text.contains(what), "{text}");
        fs::write(&self.config, text.replace(what, into)).unwrap();
    }

    /// A run that is given the root and nothing else.
    fn publish(&self) -> CommandLine {
        self.device.publish().set("--greengrass-root", "core")
    }
}

#[test]
fn a_core_needs_no_other_settings() {
    let (broker, service, device) = accepting();
    for fixture in ["v1-port", "v2", "v2-text-port"] {
        let core = Core::new(&device, fixture, &broker);
        core.publish().succeeds();
        assert_eq!(service.report().topic, "$aws/things/gw/defender/metrics/json", "{fixture}");
        let in_environment = device.publish().env("DEVICE_DEFENDER_GREENGRASS_ROOT", &core.root);
        in_environment.succeeds();
        assert_eq!(service.reports().len(), 1);
    }
    // Without a port in the configuration it is the usual one.
    for fixture in ["v1", "v1-old"] {
        let core = Core::new(&device, fixture, &broker);
        core.publish().set("--port", broker.tls).succeeds();
        assert_eq!(service.reports().len(), 1, "{fixture}");
        let dry = core.publish().dry_run();
        dry.says(&["8883", "default"]);
    }
    // Never the core's own client ID.
    assert!(broker.log().contains("gw-device-defender") && !broker.log().contains(" as gw "));
}

#[test]
fn what_came_from_a_core_is_reported() {
    let (broker, device) = (Broker::start(), Device::new());
    for (fixture, file, fields) in [
        (
            "v1-port",
            "core/config/config.json",
            ["coreThing.iotHost", "iotMqttPort", "thingArn", "certificatePath", "caPath"],
        ),
        ("v1-old", "core/config/config.json", ["iotHost", "keyPath", "thingArn", "certPath", "coreThing.caPath"]),
        (
            "v2",
            "core/config/effectiveConfig.yaml",
            ["iotDataEndpoint", "mqtt.port", "system.thingName", "system.privateKeyPath", "system.rootCaPath"],
        ),
    ] {
        let core = Core::new(&device, fixture, &broker);
        let dry = core.publish().dry_run();
        dry.says(&[file, "localhost"]);
        dry.says(&fields);
    }
}

#[test]
fn flags_and_environment_win_over_a_core() {
    let (broker, service, device) = accepting();
    let core = Core::new(&device, "v2", &broker);
    core.publish().set("--thing-name", "flag").env("DEVICE_DEFENDER_THING_NAME", "environment").succeeds();
    assert!(service.report().topic.contains("/flag/"));
    core.publish().env("DEVICE_DEFENDER_THING_NAME", "environment").succeeds();
    assert!(service.report().topic.contains("/environment/"));
    core.publish().env("AWS_IOT_THING_NAME", "component").succeeds();
    assert!(service.report().topic.contains("/component/"));
    // A core whose own settings would be of no use is, with others.
    core.change("thingName: \"gw\"", "thingName: \"a/b\"");
    core.publish().ends(78, &["effectiveConfig.yaml", "thingName", "a/b"]);
    core.publish().set("--thing-name", "gw").succeeds();
    assert!(service.report().topic.contains("/gw/"));
}

#[test]
fn a_root_is_looked_through_in_order() {
    let (broker, device) = (Broker::start(), Device::new());
    let core = Core::new(&device, "v1-port", &broker);
    let v1 = fs::read_to_string(&core.config).unwrap();
    let core = Core::new(&device, "v2", &broker);
    fs::write(core.root.join("config/config.json"), v1).unwrap();
    let both = core.publish().dry_run();
    both.says(&["effectiveConfig.yaml"]);
}

#[test]
fn a_file_uri_is_decoded() {
    let (broker, service, device) = accepting();
    let core = Core::new(&device, "v1-port", &broker);
    fs::rename(core.root.join("certs"), core.root.join("my certs%")).unwrap();
    core.change("/certs/", "/my%20certs%25/");
    core.publish().succeeds();
    core.change("file:///", "file://localhost/");
    core.publish().succeeds();
    core.change("file://localhost/", "file://elsewhere/");
    core.publish().ends(78, &["a file URI has an absolute path"]);
    core.change("file://elsewhere/", "/");
    core.change("/my%20certs%25/", "/my certs%/"); // some write plain paths
    core.publish().succeeds();
    assert_eq!(service.reports().len(), 3);
}

#[test]
fn keys_in_hardware_are_recognized_and_refused() {
    let (broker, service, device) = accepting();
    for fixture in ["v1-pkcs11", "v2-pkcs11"] {
        let core = Core::new(&device, fixture, &broker);
        assert!(fs::read_to_string(&core.config).unwrap().contains("pin-value=swordfish"));
        let refused = core.publish().flag("-v").ends(78, &["pkcs11", "config/", "privateKeyPath"]);
        refused.says_nothing_of(&["swordfish"]);
        core.publish().flag("--dry-run").outcome().says_nothing_of(&["swordfish"]);
        // The rest of its settings are good.
        core.publish().identity("ec", "ec").set("--port", broker.tls).succeeds();
        assert_eq!(service.reports().len(), 1, "{fixture}");
    }
    device.publish_to(&broker).set("--key-file", "pkcs11:object=core;type=private").outcome().says(&["pkcs11"]);
}

#[test]
fn a_proxy_is_recognized_and_refused() {
    let (broker, service, device) = accepting();
    for fixture in ["v1-proxy", "v2-proxy"] {
        let core = Core::new(&device, fixture, &broker);
        let outcome = core.publish().set("--port", broker.tls).ends(78, &["networkProxy", "proxy", "config/"]);
        outcome.says_nothing_of(&["swordfish"]);
        assert_eq!(service.reports(), []);
        // Who says where to, says that it is reached.
        core.publish().set("--endpoint", "localhost").set("--port", broker.tls).succeeds();
        assert_eq!(service.reports().len(), 1, "{fixture}");
    }
}

#[test]
fn a_core_that_lacks_settings_is_reported_with_what_is_missing() {
    let (broker, device) = (Broker::start(), Device::new());
    let core = Core::new(&device, "v2-bare", &broker);
    core.publish().ends(78, &["--endpoint", "--thing-name", "--cert-file", "--key-file"]);
    let core = Core::new(&device, "v1-port", &broker);
    core.change("arn:aws:iot:eu-west-1:123456789012:thing/gw", "arn:aws:iot:eu-west-1:123456789012:cert/x");
    core.publish().ends(78, &["thingArn"]);
    let core = Core::new(&device, "v1-port", &broker);
    core.change("arn:aws:", "arn:aws-cn:");
    assert_eq!(core.publish().flag("--dry-run").outcome().code, Some(0), "another partition");
    core.change(&broker.tls.to_string(), "99999");
    core.publish().ends(78, &["iotMqttPort", "99999"]);
}

#[test]
fn a_configuration_that_is_of_no_use_is_named_by_its_file() {
    let (broker, device) = (Broker::start(), Device::new());
    for (fixture, content) in [
        ("v1", "{"),
        ("v1", ""),
        ("v2", "system: {"),
        ("v2", "system:\n\t- x"),
        ("v2", "a: &a [*a, *a]"),
        ("v2", "privateKey: \"swordfish\n"),
        // Without any setting.
        ("v1", "[]"),
        ("v1", r#"{"coreThing": [], "crypto": 5}"#),
        ("v2", "- 1\n- 2\n"),
        ("v2", "system: 5\nservices: x\n"),
    ] {
        let core = Core::new(&device, fixture, &broker);
        fs::write(&core.config, content).unwrap();
        let outcome = core.publish().outcome();
        assert!(matches!(outcome.code, Some(65 | 78)), "{content}\n{outcome:?}");
        outcome.says(&[core.config.file_name().unwrap().to_str().unwrap()]);
        outcome.says_nothing_of(&["swordfish"]);
        assert!(outcome.stderr.len() < 2000, "{}", outcome.stderr);
    }
    // A bomb of aliases.
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let before = format!("*a{}, ", n - 1).repeat(10);
        writeln!(bomb, "a{n}: &a{n} [{before}]").unwrap();
    }
    let core = Core::new(&device, "v2", &broker);
    fs::write(&core.config, bomb).unwrap();
    let outcome = core.publish().outcome();
    assert!(matches!(outcome.code, Some(65 | 78)), "{outcome:?}");
}

#[test]
fn a_root_without_a_core_is_reported() {
    let device = Device::new();
    fs::create_dir(device.path("core")).unwrap();
    for root in ["core", "gone", "proc/net/tcp"] {
        let outcome = device.publish().set("--greengrass-root", root).outcome();
        assert!(matches!(outcome.code, Some(66 | 78)), "{outcome:?}");
        outcome.says(&[root, "effectiveConfig.yaml", "config.json"]);
    }
}

#[test]
fn what_may_not_be_read_is_reported_with_the_user_it_takes() {
    let (broker, device) = (Broker::start(), Device::new());
    // Anybody but root owns these files, and is kept out only by a mode that keeps the owner out.
    let shut = if is_root() { 0o700 } else { 0 };
    let mode = |path: &PathBuf, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for (fixture, key) in [("v1-port", "certs/0a1b2c3d4e.private.key"), ("v2", "privKey.key")] {
        for closed in ["config file", "config directory", "key"] {
            let core = Core::new(&device, fixture, &broker);
            mode(&core.root.join(key), 0o644);
            let path = match closed {
                "config file" => core.config.clone(),
                "config directory" => core.root.join("config"),
                _ => core.root.join(key),
            };
            mode(&path, shut);
            let outcome = Outcome::of(core.publish().without("--state-dir").run().by_nobody());
            let file = path.file_name().unwrap().to_str().unwrap();
            outcome.is(66, &[file, &format!("(mode {shut:04o})"), "this process runs as user "]);
            outcome.says_nothing_of(&["--endpoint"]); // nobody knows what is missing
            mode(&path, 0o755);
        }
    }
}
