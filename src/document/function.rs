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

/// A string, or the text that a function makes.
pub(crate) struct Text {
    /// What is known only when the stack is deployed is `${…}`, as in `Fn::Sub`.
    pub(crate) text: String,
    /// Whether nothing of it is known only then.
    pub(crate) is_known: bool,
}

impl Text {
    /// `None` for a value that is neither a string nor a function.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        let Some(name) = function(value) else {
            return Some(Self { text: value.as_str()?.to_owned(), is_known: true });
        };
        let text = made_by(name, value.get(name)?).unwrap_or_else(|| placeholder(name));
        let is_known = !text.contains("${");
        Some(Self { text, is_known })
    }
}

fn made_by(name: &str, argument: &Value) -> Option<String> {
    let first = || argument.get(0).unwrap_or(argument).as_str();
    match name {
        "Ref" => argument.as_str().map(placeholder),
        "Fn::Sub" => first().map(str::to_owned),
        "Fn::Join" => {
            let parts = argument.get(1)?.as_array()?.iter().map(|part| Some(Text::of(part)?.text));
            Some(parts.collect::<Option<Vec<String>>>()?.join(first()?))
        }
        _ => None,
    }
}

fn placeholder(name: &str) -> String {
    format!("${{{name}}}")
}
