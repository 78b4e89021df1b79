//! Arbitrary bytes as custom metrics. Accepted metrics are within the limits of the service. Written as a report writes
//! them, they are accepted again with the same values.
#![no_main]

mod alike;

use alike::alike;
use device_defender::internals::report::{CustomError, CustomMetrics, CustomNumber, CustomValue};
use libfuzzer_sys::fuzz_target;

fn check_number(number: CustomNumber) {
    match number {
        CustomNumber::Integer(_) => {}
        CustomNumber::Float(number) => assert!(number.is_finite()),
    }
}

fuzz_target!(|text: &[u8]| {
    let metrics = match CustomMetrics::parse(text) {
        Ok(metrics) => metrics,
        Err(CustomError::Faults(faults)) => return assert!(!faults.is_empty()),
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    for (name, value) in metrics.iter() {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b":_-".contains(&b);
        assert!((1..=128).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with("aws:"), "{name:?}");
        assert!(!value.to_string().contains(char::is_control));
        match value {
            CustomValue::Number(number) => check_number(*number),
            CustomValue::NumberList(list) => list.iter().copied().for_each(check_number),
            CustomValue::StringList(_) | CustomValue::IpList(_) => {}
        }
    }
    let written = serde_json::to_string(&metrics).unwrap();
    match CustomMetrics::parse(written.as_bytes()) {
        Ok(again) => assert_eq!(again, metrics, "{written}"),
        Err(error) => panic!("{written}: {error}"),
    }
    let mut cbor = Vec::new();
    ciborium::into_writer(&metrics, &mut cbor).unwrap();
    let decoded: serde_json::Value = ciborium::from_reader(cbor.as_slice()).unwrap();
    let document: serde_json::Value = serde_json::from_str(&written).unwrap();
    assert!(alike(&decoded, &document), "{decoded} {document}");
});
