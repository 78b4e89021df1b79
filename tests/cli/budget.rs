//! `--max-bytes`: never a byte more, never an entry less than would fit, the totals true, every port and every remote
//! address before a second entry of another.

use std::collections::BTreeSet;

use ciborium::Value;

use crate::common::Run;
use crate::fixtures;

/// A list of the report: where it is, and what makes an entry the first of its kind.
struct List {
    path: &'static [&'static str],
    /// The remote address of a connection, the port of a port.
    kind: fn(&Value) -> String,
}

const LISTS: [List; 3] = [
    List { path: &["metrics", "listening_tcp_ports", "ports"], kind: |entry| format!("{:?}", entry_of(entry, "port")) },
    List { path: &["metrics", "listening_udp_ports", "ports"], kind: |entry| format!("{:?}", entry_of(entry, "port")) },
    List {
        path: &["metrics", "tcp_connections", "established_connections", "connections"],
        kind: |entry| {
            let remote = entry_of(entry, "remote_addr").as_text().unwrap();
            remote.rsplit_once(':').unwrap().0.to_owned()
        },
    },
];

/// How the document is encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Json,
    Cbor,
}

impl Form {
    fn flag(self) -> &'static str {
        if self == Self::Json { "json" } else { "cbor" }
    }

    fn decode(self, document: &[u8]) -> Value {
        match self {
            Self::Json => serde_json::from_slice(document).unwrap(),
            Self::Cbor => ciborium::from_reader(document).unwrap(),
        }
    }

    fn size(self, value: &Value) -> usize {
        match self {
            Self::Json => serde_json::to_vec(value).unwrap().len(),
            Self::Cbor => {
                let mut bytes = Vec::new();
                ciborium::into_writer(value, &mut bytes).unwrap();
                bytes.len()
            }
        }
    }

    /// What an entry costs in a list that has so many: its own size, and a comma or a longer head of the list.
    fn cost(self, entry: &Value, entries: usize) -> usize {
        let head = |entries: usize| match entries {
            0..24 => 1,
            24..256 => 2,
            _ => 3,
        };
        self.size(entry)
            + match self {
                Self::Json => usize::from(entries > 0),
                Self::Cbor => head(entries + 1) - head(entries),
            }
    }
}

fn entry_of<'a>(map: &'a Value, name: &str) -> &'a Value {
    let entries = map.as_map().unwrap();
    entries.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value).unwrap()
}

/// The entries of a list, and its total.
fn list_of<'a>(report: &'a Value, list: &List) -> (&'a [Value], &'a Value) {
    let (name, parents) = list.path.split_last().unwrap();
    let parent = parents.iter().fold(report, |value, name| entry_of(value, name));
    (entry_of(parent, name).as_array().unwrap(), entry_of(parent, "total"))
}

/// `collect` over the saved tree `busy`.
fn busy(form: Form, args: &[&str]) -> Run {
    Run::new(&fixtures(), &[&["collect", "--proc", "busy/proc", "--format", form.flag()], args].concat())
}

/// Checks the document of at most `max` bytes, and returns how many entries were left out in all.
fn check(form: Form, max: usize, whole: &Value) -> usize {
    let output = busy(form, &["--max-bytes", &max.to_string()]).finish();
    let told = String::from_utf8(output.stderr).unwrap();
    let document = output.stdout;
    assert_eq!(output.status.code(), Some(0), "{form:?} {max}: {told}");
    assert!(document.len() <= max, "{form:?} {max}: {} bytes", document.len());
    let left = max - document.len();

    let report = form.decode(&document);
    let mut left_out = Vec::new();
    for list in &LISTS {
        let ((kept, total), (all, true_total)) = (list_of(&report, list), list_of(whole, list));
        assert_eq!(total, true_total, "{form:?} {max}");
        let mut rest = kept.iter().peekable();
        let gone: Vec<&Value> = all.iter().filter(|entry| rest.next_if_eq(entry).is_none()).collect();
        assert_eq!(rest.next(), None, "{form:?} {max}: kept entries are those of the whole report, in its order");
        for entry in &gone {
            assert!(form.cost(entry, kept.len()) > left, "{form:?} {max}: {entry:?} would have fitted into {left}");
        }
        // An entry that is the second of its kind was only kept once no first one fitted any more.
        let kinds: BTreeSet<String> = kept.iter().map(list.kind).collect();
        let smallest = kept.iter().map(|entry| form.size(entry)).min();
        let missing = gone.iter().filter(|entry| !kinds.contains(&(list.kind)(entry)));
        if kinds.len() < kept.len() {
            for entry in missing {
                assert!(Some(form.size(entry)) > smallest, "{form:?} {max}: {entry:?} should have come first");
            }
        }
        left_out.push(gone.len());
    }
    let expected = match left_out[..] {
        [0, 0, 0] => String::new(),
        [tcp, udp, connections] => format!(
            "device-defender: warning: cut to {max} bytes: left out {tcp} listening TCP ports, {udp} listening UDP ports, \
             {connections} connections; the totals are true\n"
        ),
        _ => panic!("three lists"),
    };
    assert_eq!(told, expected, "{form:?} {max}");
    left_out.iter().sum()
}

/// The least size that `--max-bytes` takes.
fn least(form: Form) -> usize {
    (200..400).find(|max| busy(form, &["-q", "--max-bytes", &max.to_string()]).finish().status.success()).unwrap()
}

#[test]
fn the_document_is_as_full_as_it_can_be_and_never_too_large() {
    for form in [Form::Json, Form::Cbor] {
        let whole = busy(form, &[]).output();
        let report = form.decode(&whole);
        let least = least(form);
        let near = [least, least + 1, least + 9, least + 10, least + 11, least + 12, least + 30, least + 100];
        let end = whole.len() - 120..whole.len() + 2;
        let sizes =
            near.into_iter().chain((least..whole.len()).step_by(197)).chain(end.step_by(9)).chain([whole.len()]);
        for max in sizes {
            let left_out = check(form, max, &report);
            assert_eq!(left_out == 0, max >= whole.len(), "{form:?} {max}");
        }
        assert_eq!(check(form, whole.len() - 1, &report), 1, "{form:?}");
        assert_eq!(check(form, 128_000, &report), 0);
    }
}

#[test]
fn every_port_and_every_remote_address_is_there_as_soon_as_all_of_them_fit() {
    for form in [Form::Json, Form::Cbor] {
        let report = form.decode(&busy(form, &[]).output());
        let mut enough = least(form);
        let mut kinds = Vec::new();
        for list in &LISTS {
            let mut seen = BTreeSet::new();
            for entry in list_of(&report, list).0 {
                if seen.insert((list.kind)(entry)) {
                    enough += form.cost(entry, seen.len() - 1);
                }
            }
            kinds.push(seen);
        }
        let args = ["-q", "--max-bytes", &enough.to_string()];
        let document = busy(form, &args).output();
        assert_eq!(document.len(), enough, "{form:?}: there is room for one of each and no more");
        let cut = form.decode(&document);
        for (list, kinds) in LISTS.iter().zip(kinds) {
            let kept: Vec<String> = list_of(&cut, list).0.iter().map(list.kind).collect();
            assert_eq!(kept.len(), kinds.len(), "{form:?}");
            assert_eq!(kept.into_iter().collect::<BTreeSet<_>>(), kinds, "{form:?}");
        }
    }
}

#[test]
fn a_cut_document_is_the_same_every_time() {
    for form in [Form::Json, Form::Cbor] {
        for max in ["700", "5000"] {
            let lists = || {
                let report = form.decode(&busy(form, &["-q", "--max-bytes", max]).output());
                entry_of(&report, "metrics").clone()
            };
            assert_eq!(lists(), lists(), "{form:?} {max}");
        }
    }
}

#[test]
fn short_names_leave_room_for_more_and_a_table_of_a_few_bytes_is_refused() {
    let size = |names: &str| busy(Form::Json, &["-q", "--names", names, "--max-bytes", "5000"]).output();
    let entries = |report: Vec<u8>| String::from_utf8(report).unwrap().matches("},{").count();
    assert!(entries(size("short")) > entries(size("long")) * 4 / 3);
    for max in ["0", "1", "100"] {
        for form in [Form::Json, Form::Cbor] {
            let output = busy(form, &["--max-bytes", max]).finish();
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
            assert!(told.starts_with(&format!("device-defender: --max-bytes {max} is too small: the report takes ")));
            assert!(told.ends_with("\ndevice-defender: hint: see device-defender collect --help\n"), "{told}");
        }
    }
}

#[test]
fn the_size_that_a_refusal_names_is_enough() {
    for form in [Form::Json, Form::Cbor] {
        let told = String::from_utf8(busy(form, &["--max-bytes", "0"]).finish().stderr).unwrap();
        let needed: usize = told.split_once("takes ").unwrap().1.split(' ').next().unwrap().parse().unwrap();
        let run = |max: usize| busy(form, &["-q", "--max-bytes", &max.to_string()]).finish();
        assert_eq!(run(needed - 1).status.code(), Some(2), "{form:?}: {needed} is the least");
        let output = run(needed);
        assert_eq!(output.status.code(), Some(0), "{form:?}: {needed} bytes are said to be enough");
        assert_eq!(output.stdout.len(), needed, "{form:?}");
    }
}

#[test]
fn the_other_forms_keep_to_the_limit_too() {
    for form in [Form::Json, Form::Cbor] {
        for args in
            [&["--names", "short"][..], &["--compat", "connector"], &["--names", "short", "--compat", "connector"]]
        {
            for max in [400, 1000, 4001, 8000] {
                let max_bytes = max.to_string();
                let args = [args, &["-q", "--max-bytes", &max_bytes]].concat();
                let document = busy(form, &args).output();
                assert!((max - 130..=max).contains(&document.len()), "{form:?} {args:?}: {}", document.len());
                form.decode(&document);
            }
        }
    }
}
