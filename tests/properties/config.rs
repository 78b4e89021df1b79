//! A config file says what it says.

use std::path::PathBuf;

use device_defender::internals::config::{Value, fill_watch, parse, quote};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::support::cases;

proptest! {
    #![proptest_config(cases(256))]

    /// What is written is read, in its line, whatever the text is.
    #[test]
    fn a_text_is_read_as_it_was_written(texts in btree_map(any::<String>(), any::<String>(), 0..20)) {
        let lines: Vec<String> =
            texts.iter().map(|(key, text)| format!("{} = {} # comment\n", quote(key), quote(text))).collect();
        let entries = parse(lines.concat().as_bytes()).unwrap();
        prop_assert_eq!(entries.len(), texts.len());
        for ((entry, (key, text)), line) in entries.iter().zip(&texts).zip(1..) {
            prop_assert_eq!((&entry.key, &entry.value, entry.line), (key, &Value::Text(text.clone()), line));
        }
    }

    /// It comes to the command as it was written, commas, newlines and NULs included.
    #[test]
    fn a_text_arrives_as_it_was_written(name in "[^/]{1,20}", patterns in vec("[a-z,\n\0]{0,3}", 0..5)) {
        let list: Vec<String> = patterns.iter().map(|pattern| quote(pattern)).collect();
        let text = format!("custom-metrics = {}\nexclude-interface = [{}]\n", quote(&name), list.join(", "));
        let (file, patterns_read, errors) = fill_watch(&parse(text.as_bytes()).unwrap());
        prop_assert_eq!(errors, Vec::<String>::new());
        let is_uri = ["file:", "pkcs11:", "handle:", "parsec:"].iter().any(|scheme| name.starts_with(scheme));
        prop_assume!(!is_uri);
        prop_assert_eq!(file, Some(PathBuf::from("/etc").join(name)));
        prop_assert_eq!(patterns_read, patterns.iter().filter(|pattern| !pattern.is_empty()).count());
    }

    /// Bytes are settings or errors, each with a line that there is.
    #[test]
    fn bytes_are_settings_or_errors(lines in vec(prop_oneof![
        "[a-z-]{0,8} ?= ?[\"'0-9a-z.\\[\\]{},-]{0,8}", any::<String>(), Just("port = 1".to_owned()), Just("[a]".to_owned())
    ], 0..6)) {
        let text = lines.join("\n");
        let lines = 1..=text.matches('\n').count() + 1;
        match parse(text.as_bytes()) {
            Err(error) => prop_assert!(lines.contains(&error.line) && !error.reason.is_empty()),
            Ok(entries) => {
                prop_assert!(entries.iter().all(|entry| lines.contains(&entry.line)));
                let (_, _, errors) = fill_watch(&entries);
                prop_assert!(errors.iter().all(|error| error.starts_with("/etc/config.toml, line ")), "{errors:?}");
            }
        }
    }
}
