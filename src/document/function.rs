//! CloudFormation's intrinsic functions, whose values are known only when a stack is deployed: `{"Ref": "Name"}` or
//! `{"Fn::Sub": "arn:…"}` in JSON, also `!Ref Name` or `!Sub arn:…` in YAML (AWS CloudFormation user guide, "Intrinsic function
//! reference").

use serde_json::Value;

/// The function of a YAML tag; `None` for a tag of another kind, such as `!!str`.
pub(super) fn of_tag(tag: &str) -> Option<String> {
    match tag.strip_prefix('!')? {
        "" => None,
        name if name.contains([':', '!']) => None,
        name @ ("Ref" | "Condition") => Some(name.to_owned()),
        name => Some(format!("Fn::{name}")),
    }
}

/// The name of the function that a value calls; `None` for a plain value.
pub(crate) fn function(value: &Value) -> Option<&str> {
    let mut names = value.as_object()?.keys();
    let name = names.next().filter(|_| names.next().is_none())?;
    (name == "Ref" || name.starts_with("Fn::")).then_some(name)
}

/// A string, or the text that a function makes. The parts that are not known before the stack is deployed are `${…}`, as in
/// `Fn::Sub`.
pub(crate) fn text(value: &Value) -> Option<String> {
    let Some(name) = function(value) else { return value.as_str().map(str::to_owned) };
    let argument = value.get(name)?;
    let first = || argument.get(0).unwrap_or(argument).as_str();
    let text = match name {
        "Ref" => argument.as_str().map(placeholder),
        "Fn::Sub" => first().map(str::to_owned),
        "Fn::Join" => first().zip(argument.get(1).and_then(Value::as_array)).and_then(|(separator, parts)| {
            let parts: Option<Vec<String>> = parts.iter().map(text).collect();
            Some(parts?.join(separator))
        }),
        _ => None,
    };
    Some(text.unwrap_or_else(|| placeholder(name)))
}

/// Whether a text has no parts that become known when the stack is deployed.
pub(crate) fn is_known(text: &str) -> bool {
    !text.contains("${")
}

fn placeholder(name: &str) -> String {
    format!("${{{name}}}")
}
