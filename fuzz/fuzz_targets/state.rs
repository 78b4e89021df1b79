//! Arbitrary bytes as a state file. A loaded state leaves room for another report ID, and is a baseline for the host that it
//! was taken of and for no other.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use device_defender::internals::collector::HostId;
use device_defender::internals::{NoBaseline, State, ThingName, things};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tempfile::TempDir;

/// libFuzzer ends the process without running destructors, so `fuzz/run` removes this directory.
static DIR: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

fuzz_target!(|text: &[u8]| {
    let thing: ThingName = "gateway-7".parse().unwrap();
    let dir = DIR.path();
    std::fs::write(dir.join("gateway-7.json"), text).unwrap();
    assert_eq!(things(dir).unwrap(), [thing.clone()]);
    let state = match State::load(dir, &thing) {
        Ok(state) => state.expect("the file exists"),
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!(i64::try_from(state.last_report_id + 1).is_ok());

    // The loader skips unknown fields without parsing them, so it accepts some texts that are not valid as a `Value`.
    let Ok(document) = serde_json::from_slice::<Value>(text) else { return };
    let Some(fields) = document["baseline"].as_object() else {
        let host = HostId { boot_id: None, proc: PathBuf::from("/elsewhere"), net: PathBuf::new(), namespace: None };
        return assert_eq!(state.baseline(&host), Err(NoBaseline::None));
    };
    let field = |name: &str| fields[name].as_str().unwrap().to_owned();
    let same = HostId {
        boot_id: Some(field("boot_id")),
        proc: field("proc").into(),
        net: field("net").into(),
        namespace: Some(field("namespace")),
    };
    let interfaces = state.baseline(&same).expect("the baseline is of this host");
    assert_eq!(Some(interfaces.len()), fields["interfaces"].as_object().map(|list| list.len()));
    for (name, counters) in &interfaces {
        let written = &fields["interfaces"][name];
        if written.is_object() {
            assert_eq!(written["bytes_in"].as_u64(), Some(counters.bytes_in));
            assert_eq!(written["packets_out"].as_u64(), Some(counters.packets_out));
        }
    }

    let rebooted = HostId { boot_id: Some(format!("{}x", field("boot_id"))), ..same.clone() };
    assert!(state.baseline(&rebooted).unwrap().is_empty());
    let unknown_boot = HostId { boot_id: None, ..same.clone() };
    assert_eq!(state.baseline(&unknown_boot), Err(NoBaseline::UnknownBoot));
    let no_namespace = HostId { namespace: None, ..same.clone() };
    assert_eq!(state.baseline(&no_namespace), Err(NoBaseline::OtherNamespace));
    let moved = HostId { net: same.net.join("x"), ..same };
    assert_eq!(state.baseline(&moved), Err(NoBaseline::OtherProc));
});
