//! Any bytes as the configuration of a Greengrass core, of version 1 or 2: settings come out, or what is wrong with it.
#![no_main]

use std::fs;

use device_defender::delivery::greengrass;
use device_defender::delivery::settings::Inputs;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&kind, text)) = input.split_first() else { return };
    let root = tempfile::tempdir().unwrap();
    let name = if kind % 2 == 0 { "effectiveConfig.yaml" } else { "config.json" };
    fs::create_dir(root.path().join("config")).unwrap();
    fs::write(root.path().join("config").join(name), text).unwrap();
    let Ok(core) = greengrass::read(root.path()) else { return };
    let mut faults = Vec::new();
    let mut inputs = Inputs::default();
    inputs.fill_from(core, &mut faults);
    let settings = inputs.check(&mut faults).0;
    assert_eq!(settings.is_some(), faults.is_empty());
    if let Some(settings) = settings {
        assert!(settings.client_id.len() <= 128);
    }
});
