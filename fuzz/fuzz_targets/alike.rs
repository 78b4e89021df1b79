//! Included by the targets that compare documents.

use serde_json::Value;

/// Whether two documents are equal, apart from the last bits of numbers with a fraction: without the feature
/// `float_roundtrip`, `serde_json` rounds them when it reads them.
pub fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((a, of_a), (b, of_b))| a == b && alike(of_a, of_b))
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= a.abs() * 1e-14 || a.abs().max(b.abs()) < 1e-300
        }
        _ => a == b,
    }
}
