//! Arbitrary bytes as a PEM file with certificates and a key. A byte order mark and blanks at the start of lines change
//! nothing, subjects are short, and whatever cannot be used has a reason.
#![no_main]

use device_defender::internals::delivery::{certificates, private_key};
use libfuzzer_sys::fuzz_target;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The text with a byte order mark, and with blanks at the start of its lines.
fn indented(text: &[u8]) -> Vec<u8> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let lines: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(|line| [b" \t", line].concat()).collect();
    [BYTE_ORDER_MARK, &lines.join(&b'\n')].concat()
}

fuzz_target!(|text: &[u8]| {
    let found = certificates(text);
    let again = certificates(&indented(text));
    match &found {
        Ok(subjects) => {
            assert!(!subjects.is_empty());
            assert!(subjects.iter().flatten().all(|subject| subject.chars().count() <= 201));
            assert_eq!(again.as_ref(), Ok(subjects));
        }
        Err(reason) => assert!(!reason.is_empty() && again.is_err()),
    }
    let key = private_key(text);
    assert_eq!(key.is_ok(), private_key(&indented(text)).is_ok());
    assert!(key.err().is_none_or(|reason| (1..500).contains(&reason.len())));
});
