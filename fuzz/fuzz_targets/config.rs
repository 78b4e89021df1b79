//! Arbitrary bytes as a config file. Every entry is a setting or an error with a line of the file, and a text that is written
//! anew is the same.
#![no_main]

use device_defender::internals::config::{Value, fill_watch, parse, quote};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let lines = input.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let entries = match parse(input) {
        Ok(entries) => entries,
        Err(error) => return assert!((1..=lines).contains(&error.line) && !error.reason.is_empty()),
    };
    assert!(entries.is_sorted_by_key(|entry| entry.line));
    assert!(entries.iter().all(|entry| (1..=lines).contains(&entry.line)));
    let (_, _, errors) = fill_watch(&entries);
    assert!(errors.len() <= entries.len());
    assert!(errors.iter().all(|error| error.starts_with("/etc/config.toml, line ")), "{errors:?}");
    for entry in entries {
        let Value::Text(text) = &entry.value else { continue };
        let again = parse(format!("{} = {}", quote(&entry.key), quote(text)).as_bytes()).unwrap();
        assert_eq!((&again[0].key, &again[0].value), (&entry.key, &entry.value));
    }
});
