//! What a build says when it is asked for a part that it is without. A build with all features has nothing to say here.

#[cfg(not(all(feature = "greengrass", feature = "yaml")))]
use crate::support::Device;
use crate::support::{Dir, Run};

#[test]
fn the_version_has_the_features_that_are_left_out() {
    let version = Run::new(Dir::new().root(), &["--version"]).text();
    for (name, is_built) in [
        ("detect", cfg!(feature = "detect")),
        ("generate", cfg!(feature = "generate")),
        ("greengrass", cfg!(feature = "greengrass")),
        ("yaml", cfg!(feature = "yaml")),
    ] {
        assert_eq!(version.contains(&format!(", without {name}")), !is_built, "{version}");
    }
}

#[cfg(any(not(feature = "detect"), not(feature = "generate")))]
#[test]
fn a_command_that_is_left_out_is_named() {
    for (name, is_built) in [("detect", cfg!(feature = "detect")), ("generate", cfg!(feature = "generate"))] {
        if !is_built {
            let output = Run::new(Dir::new().root(), &[name, "--help"]).code(2).finish();
            let stderr = String::from_utf8(output.stderr).unwrap();
            let tip = format!("tip: this build is without '{name}'; use a build with all features");
            assert!(stderr.contains(&tip), "{stderr}");
        }
    }
}

#[cfg(not(feature = "yaml"))]
#[test]
fn a_build_without_yaml_reads_json_only() {
    let dir = Dir::new();
    let run = Run::new(dir.root(), &["validate-params", "-"]).stdin("Parameters: {}\n").code(65);
    let output = run.finish();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let error = "standard input: not JSON; this build reads JSON only (it is without the feature yaml)\n";
    assert!(stderr.contains(error), "{stderr}");
}

#[cfg(all(feature = "greengrass", not(feature = "yaml")))]
#[test]
fn a_build_without_yaml_reads_no_core_of_version_2() {
    let device = Device::new();
    std::fs::create_dir_all(device.path("core/config")).unwrap();
    std::fs::write(device.path("core/config/effectiveConfig.yaml"), "system: {}\n").unwrap();
    let error = "core/config/effectiveConfig.yaml: cannot be parsed: this build reads JSON only";
    device.publish().set("--greengrass-root", "core").ends(78, &[error]);
}

#[cfg(not(feature = "greengrass"))]
#[test]
fn a_build_without_greengrass_sends_over_mqtt_with_settings_of_its_own() {
    let device = Device::new();
    let publish = device.publish();
    publish.ends(78, &["no endpoint: give --endpoint"]).says_nothing_of(&["greengrass"]);
    publish.clone().set("--greengrass-root", "core").ends(
        78,
        &["core: this build cannot read Greengrass cores (it is without the feature greengrass); use a build with all features, or give all settings in another way"],
    );
    let error = "via `greengrass` (--via): this build sends over MQTT only (it is without the feature greengrass)";
    publish.set("--via", "greengrass").ends(2, &[error]);
}
