//! What a config file sets, and what wins over it.

use std::fs;

use device_defender::internals;
use serde_json::json;

use super::{profile, publish};
use crate::support::{CommandLine, Device, Outcome, Run, accepting, fixtures, without_id};

const COMPLETE: &str = r#"# All that a delivery needs.
endpoint = "file.example"
thing-name = "of-file"
port = 8_884
ca-file = "ca.pem"
cert-file = "gw.pem"
key-file = "gw.key"
client-id = 'id "of" file'
timeout = "20s"
"#;

#[test]
fn each_setting_is_shown_with_its_line() {
    let (_device, publish) = publish(COMPLETE);
    let outcome = publish.dry_run();
    outcome.says(&[
        "endpoint: file.example (config.toml, line 2: endpoint)",
        "thing name: of-file (config.toml, line 3: thing-name)",
        "port: 8884 (config.toml, line 4: port)",
        "certificates to trust: ca.pem (config.toml, line 5: ca-file)",
        "certificate: gw.pem (config.toml, line 6: cert-file)",
        "private key: gw.key (config.toml, line 7: key-file)",
        "client ID: id \"of\" file (config.toml, line 8: client-id)",
        "timeout: 20s (config.toml, line 9: timeout)",
        "to file.example:8884, topic $aws/things/of-file/defender/metrics/json",
    ]);
    let keys = "endpoint, thing-name, port, ca-file, cert-file, key-file, client-id, timeout";
    publish.flag("-v").dry_run().says(&[&format!("settings from config.toml: {keys}\n")]);
}

#[cfg(full)]
#[test]
fn flags_and_variables_win_over_the_file_and_the_file_over_a_core() {
    let (device, publish) = publish(&format!("{COMPLETE}greengrass-root = \"core\"\n"));
    fs::create_dir_all(device.path("core/config")).unwrap();
    let core = json!({"coreThing": {"iotHost": "core.example", "thingArn": "arn:aws:iot:eu-west-1:1:thing/core",
                                    "caPath": "x", "certPath": "x", "keyPath": "x"}});
    fs::write(device.path("core/config/config.json"), core.to_string()).unwrap();
    let outcome = publish.dry_run();
    outcome.says(&["endpoint: file.example (config.toml, line 2: endpoint)"]);
    outcome.says_nothing_of(&["core.example"]);

    let variable = publish.clone().env("DEVICE_DEFENDER_ENDPOINT", "variable.example");
    variable.dry_run().says(&["endpoint: variable.example (environment variable DEVICE_DEFENDER_ENDPOINT)"]);
    let flag = variable.set("--endpoint", "flag.example");
    flag.dry_run().says(&["endpoint: flag.example (--endpoint)", "thing name: of-file (config.toml, line 3: "]);
    // A variable of Greengrass, too, is about this run.
    let outcome = publish.clone().env("AWS_IOT_THING_NAME", "of-nucleus").dry_run();
    outcome.says(&["thing name: of-nucleus (environment variable AWS_IOT_THING_NAME)"]);
    // An empty variable is none, and so is an empty text.
    publish.env("DEVICE_DEFENDER_ENDPOINT", "").dry_run().says(&["endpoint: file.example (config.toml, "]);
    device.write("config.toml", COMPLETE.replace("\"file.example\"", "\"\"") + "greengrass-root = \"core\"\n");
    let line = device.publish().set("--config", "config.toml");
    line.dry_run().says(&["endpoint: core.example (core/config/config.json: coreThing.iotHost)"]);
}

#[test]
fn a_value_that_loses_is_not_looked_at() {
    let (_device, publish) = publish(&COMPLETE.replace("8_884", "99999"));
    publish.clone().ends(78, &["port `99999` (config.toml, line 4: port): expected a number from 1 to 65535"]);
    publish.set("--port", 1).dry_run().says(&["port: 1 (--port)"]);
}

#[test]
fn the_file_is_named_by_a_flag_or_a_variable() {
    let (device, publish) = publish(COMPLETE);
    device.write("other.toml", COMPLETE.replace("file.example", "other.example"));
    let variable = publish.clone().without("--config").env("DEVICE_DEFENDER_CONFIG", "other.toml");
    variable.dry_run().says(&["endpoint: other.example (other.toml, line 2: endpoint)"]);
    let both = publish.env("DEVICE_DEFENDER_CONFIG", "other.toml");
    both.dry_run().says(&["endpoint: file.example (config.toml, line 2: endpoint)"]);
}

#[test]
fn relative_paths_start_at_the_file() {
    let device = Device::with_credentials();
    fs::create_dir(device.path("etc")).unwrap();
    let absolute = device.path("gw.pem").display().to_string();
    let text = COMPLETE.replace("\"gw.pem\"", &format!("\"{absolute}\"")).replace("gw.key", "../gw.key");
    let uri = format!("file://{}", device.path("ca.pem").display());
    let text = text.replace("\"ca.pem\"", &format!("\"{uri}\"")) + "proc = \"../proc\"\nstate-dir = \"../state\"\n";
    device.write("etc/config.toml", text);
    let line = CommandLine::new(device.root(), "publish").flag("--once").set("--config", "etc/config.toml");
    line.dry_run().says(&[
        &format!("certificate: {absolute} (etc/config.toml, line 6"),
        "private key: etc/../gw.key (etc/config.toml, line 7",
        &format!("certificates to trust: {uri} (etc/config.toml, line 5"),
        "/proc path: etc/../proc (etc/config.toml, line 10: proc)",
        "state directory: etc/../state (etc/config.toml, line 11: state-dir)",
    ]);
}

/// A command-line tool and the service see the same host.
#[cfg(feature = "detect")]
#[test]
fn collect_and_detect_read_what_the_service_reads() {
    let device = Device::with(&[("eth0", [1, 2, 3, 4]), ("lo", [10, 20, 30, 40])]);
    let shared = "proc = \"proc\"\nexclude-interface = \"lo,docker*\"\ncustom-metrics = \"metrics.json\"\n";
    device.write("config.toml", format!("{shared}names = \"short\"\nmax-bytes = 1\ninterval = 600\n"));
    device.write("metrics.json", "{\"temperature\": 48}");
    let collect = |args: &[&str]| Run::new(device.root(), &[&["collect", "--config", "config.toml"], args].concat());
    let report = collect(&[]).json();
    assert_eq!(report["metrics"]["listening_tcp_ports"]["total"], 1);
    assert_eq!(report["metrics"]["network_stats"]["bytes_in"], 1);
    assert_eq!(report["custom_metrics"]["temperature"], json!([{"number": 48}]));
    let all = collect(&["--exclude-interface", "none", "--format", "table"]).text();
    assert!(all.contains("11 B"), "{all}");
    let verbose = Outcome::of(collect(&["-v"]));
    verbose.says(&["settings from config.toml: proc, exclude-interface, custom-metrics\n"]);

    device.write("profile.json", profile());
    let detect = ["detect", "--config", "config.toml", "--profile", "profile.json", "--format", "json"];
    let verdicts = Run::new(device.root(), &detect).json();
    assert_eq!(verdicts["behaviors"][0]["observed"], json!({"count": 1}));
}

/// The reports are those of other devices, so the settings of this one do not matter, not even if they are wrong.
#[cfg(feature = "detect")]
#[test]
fn saved_reports_are_judged_without_the_file() {
    let device = Device::new();
    device.write("config.toml", "thing-name = \"this\"\nnonsense = 1\n");
    device.write("profile.json", profile());
    let mut report = Run::new(device.root(), &["collect", "--proc", "proc"]).text();
    report.insert_str(0, "$aws/things/other/defender/metrics/json ");
    device.write("reports", &report);
    let args = ["detect", "--profile", "profile.json", "--report", "reports"];
    let plain = Run::new(device.root(), &args).text();
    for variable in ["DEVICE_DEFENDER_CONFIG", "DEVICE_DEFENDER_CUSTOM_METRICS", "DEVICE_DEFENDER_EXCLUDE_INTERFACE"] {
        assert_eq!(Run::new(device.root(), &args).env(variable, "config.toml").text(), plain, "{variable}");
    }
    for flag in ["--config", "--custom-metrics", "--netns", "--exclude-interface"] {
        let refused = format!(
            "{flag} cannot be used with --report, which reads nothing from this device\nhint: see device-defender detect --help"
        );
        let args = [&args[..], &[flag, "self"]].concat();
        Run::new(device.root(), &args).code(2).stderr(&refused).prints_nothing();
    }
}

#[test]
fn what_is_sent_is_as_the_file_says() {
    let (broker, service, device) = accepting();
    let settings = "endpoint = \"localhost\"\nthing-name = \"gw\"\nca-file = \"ca.pem\"\ncert-file = \"gw.pem\"\n\
                    key-file = \"gw.key\"\nproc = \"proc\"\nstate-dir = \"state\"\nnames = \"short\"\nformat = \"cbor\"\n\
                    interval = \"100ms\"\nsplay = 0\nallow-short-interval = true\n";
    device.write("config.toml", format!("{settings}port = {}\n", broker.tls));
    let line = CommandLine::new(device.root(), "publish").flag("--once").set("--config", "config.toml");
    line.succeeds();
    let report: ciborium::Value = ciborium::from_reader(&service.reports()[0].payload[..]).unwrap();
    assert!(format!("{report:?}").contains("\"hed\""), "{report:?}");

    let watch = CommandLine::new(device.root(), "watch").set("--config", "config.toml").set("--count", 2);
    assert_eq!(watch.clone().start().ends().status.code(), Some(0));
    assert_eq!(service.reports().len(), 2);
    // A format is that of what is sent; lines are always JSON.
    let lines = watch.flag("--print").outcome();
    let stdout = String::from_utf8(lines.stdout).unwrap();
    assert_eq!((lines.code, stdout.lines().count()), (Some(0), 2));
    assert!(stdout.lines().all(|line| line.starts_with("{\"hed\":")), "{stdout}");

    let no_wait =
        "endpoint = \"127.0.0.1\"\nthing-name = \"gw\"\ninsecure-plaintext = true\nno-wait = true\nproc = \"proc\"\n";
    device.write("config.toml", format!("{no_wait}port = {}\n", broker.plain));
    line.clone().set("--state-dir", "state").succeeds();
    device.write("config.toml", no_wait.replace("127.0.0.1", "broker.example"));
    line.ends(
        78,
        &["config.toml, line 3: insecure-plaintext requires a loopback address, which broker.example is not"],
    );
}

/// A connector definition that is given for this run wins over the file.
#[test]
fn the_parameters_of_a_connector_win() {
    let device = Device::with_credentials();
    let connector = json!({"Connectors": [{"Id": "d", "ConnectorArn": "arn:aws:greengrass:eu-west-1::/connectors/DeviceDefender/versions/3",
        "Parameters": {"SampleIntervalSeconds": "700", "ProcDestinationPath": "/proc",
                       "ProcDestinationPath-ResourceId": "proc"}}]});
    device.write("connector.json", connector.to_string());
    device.write("config.toml", "interval = 600\nproc = \"proc\"\nsplay = \"1h\"\n");
    let watch = CommandLine::new(device.root(), "watch").flag("--print").set("--config", "config.toml");
    for (line, told) in [
        (watch.clone(), "every 10m"),
        (watch.clone().set("--params", "connector.json"), "every 11m 40s"),
        (watch.set("--params", "connector.json").set("--interval", 800), "every 13m 20s"),
    ] {
        let mut watch = line.start();
        let first = watch.logs("first report in 1h");
        assert!(first.ends_with(told), "{first}");
        watch.stop();
    }
}

/// A component of Greengrass uses what the nucleus passes to it; the file is that of the device.
#[cfg(feature = "greengrass")]
#[test]
fn the_file_does_not_turn_a_component_away_from_its_nucleus() {
    let (_device, publish) = publish(COMPLETE);
    let nucleus = publish.env("AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT", "socket").env("SVCUID", "secret");
    for line in [nucleus.clone(), nucleus.clone().set("--via", "greengrass")] {
        let outcome = line.dry_run();
        outcome.says(&["socket: socket (environment variable ", "thing name: of-file (config.toml, line 3"]);
        outcome.says_nothing_of(&["file.example"]);
    }
    nucleus.set("--via", "mqtt").dry_run().says(&["endpoint: file.example"]);
}

/// Each flag with a variable is a key, in every command that has the flag, and nothing else is.
#[cfg(full)]
#[test]
fn every_setting_is_a_key() {
    let device = Device::new();
    let commands = internals::command();
    let keys = |command: &str| -> Vec<String> {
        let mut command = commands.find_subcommand(command).unwrap().clone();
        command.build();
        let settings = command.get_arguments().filter(|arg| arg.get_env().is_some() && arg.get_id() != "config");
        settings.map(|arg| arg.get_long().unwrap().to_owned()).collect()
    };
    for command in ["publish", "watch", "collect", "detect"] {
        let keys = keys(command);
        assert!(keys.contains(&"exclude-interface".to_owned()) && keys.contains(&"thing-name".to_owned()));
        let lines: Vec<String> = keys.iter().map(|key| format!("{key} = {{}}\n")).collect();
        device.write("config.toml", lines.concat());
        device.write("profile.json", profile());
        let line = CommandLine::new(device.root(), command).set("--config", "config.toml");
        let line = if command == "publish" { line.flag("--once") } else { line };
        let line = if command == "detect" { line.set("--profile", "profile.json") } else { line };
        let outcome = line.ends(78, &[]);
        for (number, key) in keys.iter().enumerate() {
            outcome.says(&[&format!("config.toml, line {}: {key}: expected ", number + 1)]);
        }
    }
}

#[test]
fn an_unused_file_changes_nothing() {
    let collect = |args: &[&str]| {
        let args = [&["collect", "--proc", "idle/proc"], args].concat();
        without_id(&Run::new(&fixtures(), &args).text())
    };
    let device = Device::new();
    device.write("config.toml", "# nothing\n\n");
    let file = device.path("config.toml").display().to_string();
    assert_eq!(collect(&[]), collect(&["--config", &file]));
}
