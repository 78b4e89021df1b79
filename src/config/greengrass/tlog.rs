//! `config.tlog`: every change of a core's configuration, a line of JSON each: `{"TS": milliseconds, "TP": [path…],
//! "W": "changed", "V": value}`. Of a path the change with the latest time counts, of several the last one.
//!
//! Source: `ConfigurationReader` and `ConfigurationWriter` of the Greengrass nucleus.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::files;

/// The most bytes that are read: far more than a nucleus writes before it compacts the file.
const MAX_FILE: u64 = 64 << 20;

/// The most bytes of a line. Longer ones belong to other components.
const MAX_LINE: u64 = 1 << 16;

/// The settings of the nucleus, below `services`.
const NUCLEUS: [&str; 3] = ["services", "aws.greengrass.Nucleus", "configuration"];

/// The paths of the values that are of use here, those of the nucleus below [`NUCLEUS`].
const SYSTEM: [[&str; 2]; 4] = [
    ["system", "thingName"],
    ["system", "rootCaPath"],
    ["system", "certificateFilePath"],
    ["system", "privateKeyPath"],
];
const OF_NUCLEUS: [&[&str]; 3] = [&["iotDataEndpoint"], &["mqtt", "port"], &["networkProxy", "proxy", "url"]];

#[derive(Deserialize)]
struct Change<'l> {
    #[serde(rename = "TS")]
    time: i64,
    #[serde(rename = "TP")]
    path: Vec<String>,
    #[serde(rename = "W")]
    what: String,
    #[serde(rename = "V", borrow)]
    value: Option<&'l RawValue>,
}

/// A value and the time of its latest change.
struct Latest {
    path: Vec<&'static str>,
    time: i64,
    value: Value,
}

/// Reads the configuration as an object; what is not of use here is left out. Lines that are broken, as the last one may be,
/// are skipped.
pub(super) fn read(file: &Path) -> io::Result<Value> {
    let system = SYSTEM.iter().map(|path| path.to_vec());
    let paths = system.chain(OF_NUCLEUS.iter().map(|path| [&NUCLEUS, *path].concat()));
    let mut values: Vec<Latest> = paths.map(|path| Latest { path, time: i64::MIN, value: Value::Null }).collect();
    let mut lines = BufReader::new(files::open(file)?.take(MAX_FILE));
    let mut line = Vec::new();
    let mut is_continued = false;
    loop {
        line.clear();
        if lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if !is_continued && let Ok(change) = serde_json::from_slice(&line) {
            apply(&change, &mut values);
        }
        is_continued = !line.ends_with(b"\n");
    }
    if lines.get_ref().limit() == 0 {
        return Err(io::Error::other(format!("larger than {MAX_FILE} bytes")));
    }
    let mut config = Map::new();
    for Latest { path, value, .. } in values {
        insert(&mut config, &path, value);
    }
    Ok(Value::Object(config))
}

fn insert(config: &mut Map<String, Value>, path: &[&str], value: Value) {
    match path {
        [] => {}
        [name] => drop(config.insert((*name).to_owned(), value)),
        [name, below @ ..] => {
            if let Value::Object(child) = config.entry(*name).or_insert_with(|| Value::Object(Map::new())) {
                insert(child, below, value);
            }
        }
    }
}

fn apply(change: &Change<'_>, values: &mut [Latest]) {
    for latest in values.iter_mut().filter(|latest| change.time >= latest.time) {
        let value = match change.what.as_str() {
            "changed" if latest.path == change.path => {
                change.value.and_then(|value| serde_json::from_str(value.get()).ok())
            }
            "removed" if change.path.iter().eq(latest.path.iter().take(change.path.len())) => None,
            _ => continue,
        };
        latest.time = change.time;
        latest.value = value.unwrap_or_default();
    }
}
