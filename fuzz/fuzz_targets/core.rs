//! Arbitrary bytes as the configuration of a Greengrass core, version 1 or 2. It yields either settings or errors.
#![no_main]

use std::fs;

use device_defender::internals::greengrass;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&kind, text)) = input.split_first() else { return };
    let root = tempfile::tempdir().unwrap();
    let name = if kind % 2 == 0 { "effectiveConfig.yaml" } else { "config.json" };
    fs::create_dir(root.path().join("config")).unwrap();
    fs::write(root.path().join("config").join(name), text).unwrap();
    if let Err(error) = greengrass::read(root.path()) {
        return assert!(!error.to_string().is_empty());
    }
    let (client_id, errors) = greengrass::resolve_core(root.path());
    assert_eq!(client_id.is_some(), errors.is_empty());
    assert!(errors.iter().all(|error| !error.is_empty()));
    assert!(client_id.is_none_or(|id| (1..=128).contains(&id.len())));
});
