//! Included by the targets that compare documents.

use serde_json::Value;

/// Whether two documents say the same. `serde_json` reads a number with a fraction to within a few of its last bits; with
/// the feature that reads it exactly, the library under test would have it too.
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
