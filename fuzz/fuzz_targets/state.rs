//! Any bytes as a state file: what is loaded can be followed by another report, and gives a baseline to the very host
//! that it was taken of and to no other.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use device_defender::collector::proc_root::Identity;
use device_defender::state::{NoBaseline, State, things};
use device_defender::thing::ThingName;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tempfile::TempDir;

/// Nobody is there to remove it in the end but `fuzz/run`.
static DIR: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

fuzz_target!(|text: &[u8]| {
    let thing: ThingName = "gateway-7".parse().unwrap();
    let dir = DIR.path();
    std::fs::write(dir.join("gateway-7.json"), text).unwrap();
    assert_eq!(things(dir).unwrap(), [thing.clone()]);
    let state = match State::load(dir, &thing) {
        Ok(state) => state.expect("the file is there"),
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!(i64::try_from(state.last_report_id + 1).is_ok());

    let other = Identity { boot_id: None, proc: PathBuf::from("/elsewhere\0"), net: PathBuf::new(), namespace: None };
    let Some(baseline) = state.baseline.as_ref() else {
        return assert_eq!(state.baseline(&other), Err(NoBaseline::None));
    };
    // Not every text that is passed over in a field that is not known would be read as a value.
    let Ok(document) = serde_json::from_slice::<Value>(text) else { return };
    let Some(fields) = document["baseline"].as_object() else { return };
    assert_eq!(fields["taken_at"].as_str(), Some(baseline.taken_at.as_str()));
    let field = |name: &str| fields[name].as_str().unwrap().to_owned();
    let same = Identity {
        boot_id: Some(field("boot_id")),
        proc: field("proc").into(),
        net: field("net").into(),
        namespace: Some(field("namespace")),
    };
    let interfaces = state.baseline(&same).expect("taken of this host");
    assert_eq!(Some(interfaces.len()), fields["interfaces"].as_object().map(|list| list.len()));
    for (name, counters) in &interfaces {
        let written = &fields["interfaces"][name];
        if written.is_object() {
            assert_eq!(written["bytes_in"].as_u64(), Some(counters.bytes_in));
            assert_eq!(written["packets_out"].as_u64(), Some(counters.packets_out));
        }
    }

    let rebooted = Identity { boot_id: Some(format!("{}x", field("boot_id"))), ..same.clone() };
    assert!(state.baseline(&rebooted).unwrap().is_empty());
    let unknown_boot = Identity { boot_id: None, ..same.clone() };
    assert_eq!(state.baseline(&unknown_boot), Err(NoBaseline::UnknownBoot));
    let no_namespace = Identity { namespace: None, ..same.clone() };
    assert_eq!(state.baseline(&no_namespace), Err(NoBaseline::OtherNamespace));
    let moved = Identity { net: same.net.join("x"), ..same };
    assert_eq!(state.baseline(&moved), Err(NoBaseline::OtherProc));
});
