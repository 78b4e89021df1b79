//! The Greengrass component: its recipe against the format, and its script run as a nucleus would.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::support::{Device, Nucleus, Request, clocked, program, step, tool};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("packaging/greengrass").join(name)
}

fn recipe() -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path("recipe.yaml")).unwrap()).unwrap()
}

fn manifests() -> Vec<Value> {
    recipe()["Manifests"].as_array().unwrap().clone()
}

/// The object has exactly these fields.
#[track_caller]
fn has_fields(object: &Value, names: &[&str]) {
    let found: BTreeSet<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(found, names.iter().copied().collect(), "{object}");
}

#[test]
fn the_recipe_keeps_to_the_format() {
    let text = fs::read_to_string(path("recipe.yaml")).unwrap();
    let anchors = text.split_whitespace().filter(|word| word.starts_with(['&', '*']));
    assert_eq!(anchors.collect::<Vec<_>>(), [""; 0], "nucleus lite has no anchors");
    let recipe = recipe();
    let top = [
        "RecipeFormatVersion", "ComponentName", "ComponentVersion", "ComponentType", "ComponentDescription",
        "ComponentPublisher", "ComponentConfiguration", "Manifests",
    ];
    has_fields(&recipe, &top);
    assert_eq!(recipe["RecipeFormatVersion"], "2020-01-25");
    assert_eq!(recipe["ComponentVersion"], env!("CARGO_PKG_VERSION"));
    assert_eq!(recipe["ComponentType"], "aws.greengrass.generic");
    let name = recipe["ComponentName"].as_str().unwrap();
    has_fields(&recipe["ComponentConfiguration"], &["DefaultConfiguration"]);
    let configuration = &recipe["ComponentConfiguration"]["DefaultConfiguration"];
    has_fields(configuration, &["SampleIntervalSeconds", "Names", "ExcludeInterfaces", "Verbosity", "accessControl"]);

    let mut platforms = Vec::new();
    for manifest in manifests() {
        has_fields(&manifest, &["Platform", "Lifecycle", "Artifacts"]);
        has_fields(&manifest["Platform"], &["os", "architecture", "runtime"]);
        assert_eq!(manifest["Platform"]["os"], "linux");
        has_fields(&manifest["Lifecycle"], &["Setenv", "run"]);
        has_fields(&manifest["Lifecycle"]["run"], &["Script"]);
        let [artifact] = manifest["Artifacts"].as_array().unwrap().as_slice() else { panic!("{manifest}") };
        has_fields(artifact, &["Uri", "Permission"]);
        assert_eq!(artifact["Permission"], serde_json::json!({"Execute": "OWNER"}));
        let architecture = manifest["Platform"]["architecture"].as_str().unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(artifact["Uri"], format!("s3://BUCKET/{name}/{version}/{architecture}/device-defender"));
        let runtime = manifest["Platform"]["runtime"].as_str().unwrap();
        let limits = manifest["Lifecycle"]["run"]["Script"].as_str().unwrap().contains("--max-bytes 7200");
        assert_eq!(limits, runtime == "aws_nucleus_lite");
        platforms.push(format!("{runtime} {architecture}"));
    }
    let lite = ["aws_nucleus_lite aarch64", "aws_nucleus_lite arm", "aws_nucleus_lite amd64"];
    assert_eq!(platforms, [&lite[..], &["* aarch64", "* arm", "* amd64"]].concat());
}

/// What the recipe allows: an operation and a topic each.
fn allowed() -> Vec<String> {
    let access = &recipe()["ComponentConfiguration"]["DefaultConfiguration"]["accessControl"];
    has_fields(access, &["aws.greengrass.ipc.mqttproxy"]);
    let mut allowed = Vec::new();
    for policy in access["aws.greengrass.ipc.mqttproxy"].as_object().unwrap().values() {
        has_fields(policy, &["policyDescription", "operations", "resources"]);
        let [operation] = policy["operations"].as_array().unwrap().as_slice() else { panic!("{policy}") };
        let topics = policy["resources"].as_array().unwrap().iter();
        allowed.extend(topics.map(|topic| format!("{} {}", operation.as_str().unwrap(), topic.as_str().unwrap())));
    }
    allowed.sort();
    allowed
}

/// A nucleus that allows what the recipe does.
fn nucleus() -> Nucleus {
    let allowed = allowed();
    Nucleus::start(move |link| {
        let check = |request: &Request| {
            let topic = request.topic().replace("/gw/", "/+/");
            assert!(allowed.contains(&format!("aws.greengrass#{} {topic}", request.operation)), "{topic}");
        };
        link.accept_connect()?;
        for _ in 0..2 {
            let request = link.request()?;
            check(&request);
            link.respond(&request)?;
        }
        let (request, report) = link.report()?;
        check(&request);
        link.respond(&request)?;
        link.answer(&report.accepted())?;
        link.silence()
    })
}

#[test]
fn the_recipe_allows_what_a_report_needs_and_no_more() {
    let mut needed = Vec::new();
    for format in ["json", "cbor"] {
        let topic = format!("$aws/things/+/defender/metrics/{format}");
        needed.push(format!("aws.greengrass#PublishToIoTCore {topic}"));
        needed.extend(
            ["accepted", "rejected"].map(|answer| format!("aws.greengrass#SubscribeToIoTCore {topic}/{answer}")),
        );
    }
    needed.sort();
    assert_eq!(allowed(), needed);
}

/// A component, killed when dropped.
struct Component(Child);

impl Drop for Component {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn the_script_of_every_manifest_reports() {
    let configuration = &recipe()["ComponentConfiguration"]["DefaultConfiguration"];
    for manifest in manifests() {
        let (device, nucleus) = (Device::new(), nucleus());
        let filled = |text: &Value| {
            let mut text = text.as_str().unwrap().replace("{artifacts:path}/device-defender", program());
            for (key, value) in configuration.as_object().unwrap() {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                text = text.replace(&format!("{{configuration:/{key}}}"), &value);
            }
            text
        };
        let lifecycle = &manifest["Lifecycle"];
        let line = clocked(&device, device.watch().in_nucleus(&nucleus));
        let mut sh = tool("sh");
        sh.args(["-c", &filled(&lifecycle["run"]["Script"])]).env_clear().current_dir(device.root());
        sh.envs(line.env)
            .envs(lifecycle["Setenv"].as_object().unwrap().iter().map(|(name, value)| (name, filled(value))));
        // It looks at the clock often, as under a service manager with a watchdog.
        sh.env("DEVICE_DEFENDER_PROC", "proc").env("WATCHDOG_USEC", "100000");
        let mut component = Component(sh.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
        let mut log = BufReader::new(component.0.stderr.take().unwrap()).lines();
        assert!(log.next().unwrap().unwrap().contains("first report in "));
        step(&device, 0, 300);
        let report = nucleus.report();
        assert_eq!(report.topic, "$aws/things/gw/defender/metrics/json");
        drop(component);
        assert!(device.path("gw.json").exists(), "the state is in the component's directory");
    }
}
