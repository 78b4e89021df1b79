//! `validate-params`: check the connector's parameters and report all problems at once.

mod probe;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use colored::{ColoredString, Colorize};
use serde::Serialize;
use serde_json::Value;

use crate::cli::{ValidateParamsArgs, VerdictFormat};
use crate::document;
use crate::error::{Error, InputError};
use crate::exit::Exit;
use crate::files;
use crate::params::definition::{Connector, Definition, Finding};
use crate::params::{Parameter, ParameterFault, ProcDestinationPath};
use crate::terminal::{Out, Terminal};
use crate::text::escape;
use probe::Probe;

/// In bytes.
const MAX_INPUT: u64 = 1 << 20;

/// How much of foreign text is shown, in characters.
const SHOWN: usize = 100;

#[derive(Serialize)]
struct JsonVerdict<'a> {
    /// Of this document. It rises when a field changes its meaning or is removed.
    version: u32,
    valid: bool,
    connectors: &'a [Connector],
    problems: Vec<JsonFinding<'a>>,
    warnings: Vec<JsonFinding<'a>>,
    probe: Option<&'a [Probe]>,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    connector: Option<usize>,
    name: &'a str,
    value: Option<&'a Value>,
    message: &'a str,
    rule: Option<&'static str>,
    pattern: Option<&'static str>,
    remedy: &'a str,
}

/// Reads a connector definition and checks it. Only a file that is not a definition at all is an error.
pub(super) fn read_definition(path: &Path) -> Result<Definition, Error> {
    const SHAPES: &str = "give the output of `aws greengrass get-connector-definition-version --connector-definition-id ID \
                          --connector-definition-version-id VERSION`, a template as `cdk synth` prints it, or an object with \
                          the parameters; as JSON or YAML";
    let name = files::input_name(path);
    let text = files::read_input(path, MAX_INPUT).map_err(|error| InputError::unreadable(&name, &error))?;
    let invalid =
        |reason: String| Error::Input { errors: vec![InputError::invalid(&name, reason)], hint: Some(SHAPES) };
    let document = document::parse(&text).map_err(|error| invalid(error.to_string()))?;
    Definition::check(&document).map_err(|error| invalid(error.to_string()))
}

pub(super) fn run(args: &ValidateParamsArgs, terminal: &Terminal) -> Result<Exit, Error> {
    if args.probe && args.file.is_none() && args.proc_destination_path.is_none() {
        return Err(Error::Usage {
            message: "--probe requires a path".to_owned(),
            hint: "give --proc-destination-path, or a definition that has one".to_owned(),
        });
    }
    let definition = match &args.file {
        Some(path) => read_definition(path)?,
        None => Definition::check_values(&[
            (Parameter::SampleIntervalSeconds, args.sample_interval_seconds.as_deref()),
            (Parameter::ProcDestinationPathResourceId, args.proc_destination_path_resource_id.as_deref()),
            (Parameter::ProcDestinationPath, args.proc_destination_path.as_deref()),
        ]),
    };
    let probes = args.probe.then(|| probe(&definition));
    let unusable = probes.iter().flatten().any(|probe| !probe.usable);
    let valid = definition.problems.is_empty() && !unusable;
    match args.format {
        VerdictFormat::Text => terminal.write(|out| write_text(&definition, probes.as_deref(), valid, out))?,
        VerdictFormat::Json => terminal.write_json(&JsonVerdict {
            version: 1,
            valid,
            connectors: &definition.connectors,
            problems: json_findings(&definition.problems),
            warnings: json_findings(&definition.warnings),
            probe: probes.as_deref(),
        })?,
    };
    Ok(if valid { Exit::Success } else { Exit::CheckFailed })
}

fn probe(definition: &Definition) -> Vec<Probe> {
    let paths = definition.checked().filter_map(|connector| connector.proc_destination_path.as_ref());
    let paths: BTreeSet<&Path> = paths.map(ProcDestinationPath::as_path).collect();
    paths.into_iter().map(Probe::run).collect()
}

fn write_text(definition: &Definition, probes: Option<&[Probe]>, valid: bool, out: &mut Out) -> io::Result<()> {
    let Definition { connectors, problems, warnings } = definition;
    for (place, connector) in (1..).zip(connectors).filter(|(_, connector)| !connector.checked) {
        let arn = connector.arn.as_deref().map_or_else(|| "without a readable ConnectorArn".to_owned(), cut);
        writeln!(out, "skipped: connector {place}: {arn}")?;
    }
    for (label, findings) in [("problem".red(), problems), ("warning".yellow(), warnings)] {
        findings.iter().try_for_each(|finding| write_finding(&label, finding, connectors, out))?;
    }
    for probe in probes.into_iter().flatten() {
        probe.write(out)?;
    }
    if probes.is_some_and(<[Probe]>::is_empty) {
        writeln!(out, "probe: skipped, no valid path")?;
    }
    if problems.is_empty() && !valid {
        let verdict = "valid, but not usable on this machine".red();
        return writeln!(out, "{verdict}, {}", count(warnings.len(), "warning"));
    }
    let verdict = if valid { "valid".green() } else { "not valid".red() };
    writeln!(out, "{verdict}: {}, {}", count(problems.len(), "problem"), count(warnings.len(), "warning"))
}

fn write_finding(label: &ColoredString, finding: &Finding, connectors: &[Connector], out: &mut Out) -> io::Result<()> {
    let Finding { connector, name, parameter, value, fault: ParameterFault { message, remedy } } = finding;
    write!(out, "{label}: ")?;
    if let Some(index) = connector.filter(|_| connectors.len() > 1) {
        write!(out, "connector {}: ", index + 1)?;
    }
    match value {
        Some(value) => writeln!(out, "{}: {} {}", cut(name), shown(value), escape(message))?,
        None => writeln!(out, "{} {}", cut(name), escape(message))?,
    }
    if let Some(parameter) = parameter {
        writeln!(out, "  rule:    {}\n  pattern: {}", parameter.rule(), parameter.pattern())?;
    }
    writeln!(out, "  remedy:  {}", cut(remedy))
}

/// A value as JSON, sanitized and shortened.
fn shown(value: &Value) -> String {
    let mut text = cut(&value.to_string());
    if value.is_string() && !text.ends_with('"') {
        text.push('"');
    }
    text
}

/// Foreign text, sanitized and shortened.
fn cut(text: &str) -> String {
    let mut kept = String::new();
    for c in text.chars() {
        let next = escape(c.encode_utf8(&mut [0; 4]));
        if kept.chars().count().saturating_add(next.len()) > SHOWN {
            kept.push('…');
            break;
        }
        kept.push_str(&next);
    }
    kept
}

fn count(number: usize, what: &str) -> String {
    match number {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

fn json_findings(findings: &[Finding]) -> Vec<JsonFinding<'_>> {
    let json = findings.iter().map(|finding| {
        let Finding { connector, name, parameter, value, fault: ParameterFault { message, remedy } } = finding;
        let (rule, pattern) = parameter.map(|parameter| (parameter.rule(), parameter.pattern())).unzip();
        JsonFinding { connector: *connector, name, value: value.as_ref(), message, rule, pattern, remedy }
    });
    json.collect()
}
