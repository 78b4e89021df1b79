//! `validate-params`: judge the connector's parameters, all problems at once.

mod document;
mod probe;

use std::io::{self, Write};
use std::path::Path;

use colored::{ColoredString, Colorize};
use serde::Serialize;
use serde_json::Value;

use super::gather;
use crate::cli::{ValidateParamsArgs, VerdictFormat};
use crate::escape::escape;
use crate::exit::{Exit, Failure};
use crate::params::definition::{Connector, Definition, Finding};
use crate::params::{Parameter, ProcDestinationPath};
use crate::terminal::{Out, Terminal};
use document::Document;
use probe::Probe;

/// What some editors begin a file with: U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How much of foreign text is shown, in characters.
const SHOWN: usize = 100;

/// The verdict, as `--format json` prints it.
#[derive(Serialize)]
struct Verdict<'a> {
    valid: bool,
    connectors: Vec<ConnectorLine<'a>>,
    problems: Vec<FindingLine<'a>>,
    warnings: Vec<FindingLine<'a>>,
    probe: Option<&'a [Probe]>,
}

/// A connector, as `--format json` prints it.
#[derive(Serialize)]
struct ConnectorLine<'a> {
    id: Option<&'a str>,
    arn: Option<&'a str>,
    checked: bool,
}

/// A problem or warning, as `--format json` prints it.
#[derive(Serialize)]
struct FindingLine<'a> {
    connector: Option<usize>,
    name: &'a str,
    value: Option<&'a Value>,
    message: &'a str,
    rule: Option<&'static str>,
    pattern: Option<&'static str>,
    remedy: &'a str,
}

/// Reads a connector definition and checks it.
///
/// # Errors
/// [`Exit::NoInput`] when it cannot be read, [`Exit::Input`] when it is none.
pub(super) fn read_definition(path: &Path) -> Result<Definition, Failure> {
    let name = gather::input_name(path);
    let text = gather::read(path).map_err(|e| Failure::new(Exit::NoInput, format!("{name}: {e}")))?;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
    let Document(document) =
        serde_json::from_slice(text).map_err(|e| Failure::new(Exit::Input, format!("{name}: {}", not_json(&e))))?;
    let hint = "wanted is an object with Connectors, Definition or InitialVersion, or one with the parameters; \
                the answer of get-connector-definition has none of them";
    Definition::check(&document).map_err(|e| Failure::new(Exit::Input, format!("{name}: {e}")).hint(hint))
}

/// Runs `validate-params`.
///
/// # Errors
/// [`Failure`] with what keeps the input from being judged.
pub(super) fn run(args: &ValidateParamsArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    if args.probe && args.file.is_none() && args.proc_destination_path.is_none() {
        let failure = Failure::new(Exit::Usage, "--probe needs a path to look at");
        return Err(failure.hint("give --proc-destination-path, or a definition that has one"));
    }
    let definition = match &args.file {
        Some(path) => read_definition(path)?,
        None => Definition::check_values(values(args)),
    };
    let probes = args.probe.then(|| probe(&definition));
    let unusable = probes.iter().flatten().any(|probe| !probe.usable);
    let valid = definition.problems.is_empty() && !unusable;
    match args.format {
        VerdictFormat::Text => terminal.result(|out| write_text(&definition, probes.as_deref(), valid, out))?,
        VerdictFormat::Json => terminal.document(&Verdict {
            valid,
            connectors: definition.connectors.iter().map(ConnectorLine::from).collect(),
            problems: definition.problems.iter().map(FindingLine::from).collect(),
            warnings: definition.warnings.iter().map(FindingLine::from).collect(),
            probe: probes.as_deref(),
        })?,
    }
    Ok(if valid { Exit::Done } else { Exit::No })
}

/// What is wrong with a text that is no document, with line and column. A repeated name is JSON all the same.
fn not_json(error: &serde_json::Error) -> String {
    if error.is_data() { error.to_string() } else { format!("not JSON: {error}") }
}

/// The values that the flags give.
fn values(args: &ValidateParamsArgs) -> impl Iterator<Item = (Parameter, String)> {
    let given = [
        (Parameter::SampleIntervalSeconds, &args.sample_interval_seconds),
        (Parameter::ProcDestinationPathResourceId, &args.proc_destination_path_resource_id),
        (Parameter::ProcDestinationPath, &args.proc_destination_path),
    ];
    given.into_iter().filter_map(|(parameter, value)| Some((parameter, value.clone()?)))
}

/// Looks at every path that is a right one.
fn probe(definition: &Definition) -> Vec<Probe> {
    let mut paths: Vec<&str> = definition.values(Parameter::ProcDestinationPath).collect();
    paths.sort_unstable();
    paths.dedup();
    let paths = paths.into_iter().filter_map(|path| ProcDestinationPath::parse(path).ok());
    paths.map(|path| Probe::look(path.as_path())).collect()
}

fn write_text(definition: &Definition, probes: Option<&[Probe]>, valid: bool, out: &mut Out) -> io::Result<()> {
    let Definition { connectors, problems, warnings } = definition;
    for (place, connector) in (1..).zip(connectors).filter(|(_, connector)| !connector.checked) {
        let arn = connector.arn.as_deref().map_or_else(|| "without a readable ConnectorArn".to_owned(), cut);
        writeln!(out, "skipped: connector {place}: {arn}")?;
    }
    for finding in problems {
        write_finding(&"problem".red(), finding, connectors, out)?;
    }
    for finding in warnings {
        write_finding(&"warning".yellow(), finding, connectors, out)?;
    }
    for probe in probes.into_iter().flatten() {
        probe.write(out)?;
    }
    if probes.is_some_and(<[Probe]>::is_empty) {
        writeln!(out, "probe: not done, as there is no path that is right")?;
    }
    if problems.is_empty() && !valid {
        return writeln!(
            out,
            "{}, {}",
            "valid, but not usable on this machine".red(),
            count(warnings.len(), "warning")
        );
    }
    let verdict = if valid { "valid".green() } else { "not valid".red() };
    writeln!(out, "{verdict}: {}, {}", count(problems.len(), "problem"), count(warnings.len(), "warning"))
}

fn write_finding(label: &ColoredString, finding: &Finding, connectors: &[Connector], out: &mut Out) -> io::Result<()> {
    let Finding { connector, name, parameter, value, fault } = finding;
    write!(out, "{label}: ")?;
    if let Some(index) = connector.filter(|_| connectors.len() > 1) {
        write!(out, "connector {}: ", index.saturating_add(1))?;
    }
    match value {
        Some(value) => writeln!(out, "{}: {} {}", cut(name), shown(value), escape(&fault.message))?,
        None => writeln!(out, "{} {}", cut(name), escape(&fault.message))?,
    }
    if let Some(parameter) = parameter {
        writeln!(out, "  rule:    {}\n  pattern: {}", parameter.rule(), parameter.pattern())?;
    }
    writeln!(out, "  remedy:  {}", cut(&fault.remedy))
}

/// A value as JSON, harmless and not too long.
fn shown(value: &Value) -> String {
    let mut text = cut(&value.to_string());
    if value.is_string() && !text.ends_with('"') {
        text.push('"');
    }
    text
}

/// Foreign text, harmless and not too long.
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

impl<'a> From<&'a Connector> for ConnectorLine<'a> {
    fn from(connector: &'a Connector) -> Self {
        Self { id: connector.id.as_deref(), arn: connector.arn.as_deref(), checked: connector.checked }
    }
}

impl<'a> From<&'a Finding> for FindingLine<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            connector: finding.connector,
            name: &finding.name,
            value: finding.value.as_ref(),
            message: &finding.fault.message,
            rule: finding.parameter.map(Parameter::rule),
            pattern: finding.parameter.map(Parameter::pattern),
            remedy: &finding.fault.remedy,
        }
    }
}
