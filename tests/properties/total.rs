//! No bytes make a parser panic, and what it makes of them is sane.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use device_defender::internals::collector::{
    Addresses, Collector, Counters, Endian, HostId, Interfaces, Netns, counters, endian_of_route, read, read_fib_trie,
    read_if_inet6, read_route,
};
use device_defender::internals::report::{CustomMetrics, Report, Style};
use device_defender::internals::{NoBaseline, Since, State, ThingName, escape, escape_json, quote, things};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use regex::Regex;

use crate::properties::captured;
use crate::properties::captured::{content, damaged};
use crate::properties::documents::check_all_forms;
use crate::properties::kernel::{DEV_HEADER, Ip, ROUTE_HEADER, interfaces};
use crate::properties::scene::options;
use crate::support::{BOOT, NAMESPACE, cases, state};

/// Feeds `bytes` to everything that takes bytes.
fn read_as_everything(bytes: &[u8]) {
    for endian in [Endian::Little, Endian::Big] {
        let lines = bytes.split(|&b| b == b'\n').count();
        if let Ok(table) = read::<Ipv4Addr>(bytes, endian) {
            assert!(table.sockets.len() + table.repeated + usize::try_from(table.malformed.count).unwrap() <= lines);
        }
        if let Ok(table) = read::<Ipv6Addr>(bytes, endian) {
            assert!(table.sockets.is_sorted());
        }
        if let Ok((networks, _)) = read_route(bytes, endian) {
            let local = read_fib_trie(bytes).unwrap();
            Addresses::default().add_by_network(&local, &networks);
        }
    }
    let _unknown = endian_of_route(bytes);
    if let Ok((interfaces, _)) = counters::read(bytes) {
        assert!(interfaces.keys().all(|name| !name.is_empty()));
    }
    assert!(read_if_inet6(bytes, &mut Addresses::default()).is_ok());
    let trie = read_fib_trie(bytes).unwrap();
    assert!(trie.local.is_sorted() && trie.broadcast.is_sorted());
    if let Err(error) = CustomMetrics::parse(bytes) {
        assert!(!error.to_string().is_empty());
    }
}

/// A state file as the program writes it.
fn state_file() -> impl Strategy<Value = String> {
    (interfaces(), 0..3_u64, any::<bool>()).prop_map(|(interfaces, version, baseline)| {
        let counters = |c: &Counters| [c.bytes_in, c.packets_in, c.bytes_out, c.packets_out];
        let interfaces: Vec<_> = interfaces.iter().map(|(name, c)| (name.as_str(), counters(c))).collect();
        let mut state = state(7, &interfaces);
        state["version"] = version.into();
        if !baseline {
            state["baseline"] = serde_json::Value::Null;
        }
        state.to_string()
    })
}

/// What the state file says when it holds `bytes`.
fn load(bytes: &[u8]) -> Result<Option<State>, String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("gw.json"), bytes).unwrap();
    let name: ThingName = "gw".parse().unwrap();
    assert_eq!(things(dir.path()).unwrap(), std::slice::from_ref(&name));
    State::load(dir.path(), &name).map_err(|error| error.to_string())
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn any_bytes_are_read_by_every_parser(bytes in vec(any::<u8>(), 0..2000)) {
        read_as_everything(&bytes);
    }

    #[test]
    fn any_bytes_may_follow_a_header(
        header in select(vec![Ipv4Addr::header(false), Ipv6Addr::header(false), Ipv4Addr::header(true), ROUTE_HEADER, DEV_HEADER.trim_end()]),
        bytes in prop_oneof![vec(any::<u8>(), 0..2000), vec(select(b" \n\t:|0123456789ABCDEFabcdef".to_vec()), 0..2000)],
    ) {
        let mut text = format!("{header}\n").into_bytes();
        text.extend(bytes);
        read_as_everything(&text);
    }

    #[test]
    fn damaged_tables_are_read_by_every_parser(
        bytes in damaged(content(&["tcp", "tcp6", "udp", "udp6", "dev", "route", "if_inet6", "fib_trie"])),
    ) {
        read_as_everything(&bytes);
    }

    #[test]
    fn a_damaged_state_file_is_no_worse_than_none(text in damaged(state_file().prop_map(String::into_bytes))) {
        if let Err(error) = load(&text) {
            prop_assert!(error.contains("gw.json: "));
        }
    }

    #[test]
    fn any_bytes_may_stand_in_a_state_file(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(load(&bytes).is_err());
    }

    #[test]
    fn a_since_is_boot_or_report_or_up_to_a_day(text in ".{0,12}|[0-9]{1,22}(ns|us|ms|s|m|h|days|M|y)") {
        if let Ok(Since::Ago(duration)) = text.parse() {
            prop_assert!(!duration.is_zero() && duration <= Duration::from_secs(86400));
        }
    }

    #[test]
    fn every_duration_up_to_a_day_is_a_since(nanoseconds in prop_oneof![1..=86_400_000_000_000_u64, any::<u64>()]) {
        let duration = Duration::from_nanos(nanoseconds);
        let parsed = humantime::format_duration(duration).to_string().parse::<Since>();
        if duration.is_zero() || duration > Duration::from_secs(86400) {
            prop_assert!(parsed.is_err());
        } else {
            prop_assert_eq!(parsed.unwrap(), Since::Ago(duration));
        }
    }

    #[test]
    fn a_thing_name_fits_into_one_level_of_a_topic(text in prop_oneof![".{0,140}", "[a-z]{126,130}", "\\PC*", any::<String>()]) {
        let fits = (1..=128).contains(&text.len()) && !text.contains(|c: char| c.is_control() || "/+#".contains(c));
        let parsed = text.parse::<ThingName>();
        prop_assert_eq!(parsed.is_ok(), fits);
        if let Ok(name) = parsed {
            prop_assert_eq!((name.as_str(), name.to_string()), (text.as_str(), text.clone()));
        }
    }

    #[test]
    fn escaped_text_is_read_as_it_is(text in any::<String>()) {
        let escaped = escape(&text);
        prop_assert_eq!(escape(&escaped), escaped.clone());
        if text.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
            prop_assert_eq!(escaped, text);
        }
    }

    #[test]
    fn a_quoted_name_is_one_word_or_in_quotes_and_no_two_are_alike(names in any::<[String; 2]>(), word in "[a-zA-Z0-9._:/@+-]+") {
        let [one, other] = names.each_ref().map(|name| quote(name));
        prop_assert_eq!(one == other, names[0] == names[1]);
        let inside = one.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let is_closed = |text: &str| !text.replace(r"\\", "").replace("\\\"", "").contains('"');
        prop_assert!(inside.map_or(!one.is_empty() && one.chars().all(|c| c.is_alphanumeric() || "-_.:/@+".contains(c)), is_closed));
        prop_assert_eq!(quote(&word), word);
    }
}

#[test]
fn what_is_escaped_is_what_unicode_calls_control_format_or_ignorable() {
    let harmful = Regex::new(r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]").unwrap();
    for c in '\0'..=char::MAX {
        let text = c.to_string();
        assert_eq!(escape(&text) != text, harmful.is_match(&text), "{c:?}");
        assert_eq!(escape_json(&text) != text, harmful.is_match(&text) && c != '\n', "{c:?}");
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn a_network_namespace_is_auto_or_self_or_a_process(text in "auto|self|[+-]?[0-9]{1,12}|.{0,6}") {
        let number = text.parse().ok().filter(|&pid: &u32| pid > 0 && text.bytes().all(|b| b.is_ascii_digit()));
        let expected = match text.as_str() {
            "auto" => Some(Netns::Auto),
            "self" => Some(Netns::Own),
            _ => number.map(Netns::Process),
        };
        let parsed = text.parse::<Netns>().ok();
        prop_assert_eq!(parsed, expected);
    }

    #[test]
    fn a_damaged_host_still_gives_a_document_of_the_right_shape(
        tcp in damaged(content(&["tcp"])),
        tcp6 in damaged(content(&["tcp6"])),
        udp in damaged(content(&["udp"])),
        dev in damaged(content(&["dev"])),
        route in damaged(content(&["route"])),
        if_inet6 in damaged(content(&["if_inet6"])),
        fib_trie in damaged(content(&["fib_trie"])),
    ) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("net")).unwrap();
        let files = [("tcp", tcp), ("tcp6", tcp6), ("udp", udp), ("dev", dev), ("route", route), ("if_inet6", if_inet6), ("fib_trie", fib_trie)];
        for (name, bytes) in files {
            fs::write(dir.path().join("net").join(name), bytes).unwrap();
        }
        let sample = Collector::new(dir.path(), Netns::Auto).unwrap().sample();
        for style in [Style::Plain, Style::Connector] {
            check_all_forms(&Report::build(&sample, Some(&Interfaces::new()), 1, None, &options(style)), style);
        }
    }
}

#[test]
fn every_captured_host_gives_a_document_of_the_right_shape() {
    for file in captured::named("dev") {
        let root = file.path.parent().unwrap().parent().unwrap();
        let sample = Collector::new(root, Netns::Auto).unwrap().sample();
        let odd: Vec<_> = sample.problems.iter().map(ToString::to_string).collect();
        assert_eq!(odd, [""; 0]);
        for style in [Style::Plain, Style::Connector] {
            let report = Report::build(&sample, None, 1, None, &options(style));
            check_all_forms(&report, style);
        }
    }
}

#[test]
fn a_baseline_is_used_only_where_it_was_taken() {
    let state = load(state(7, &[("lo", [1, 2, 3, 4])]).to_string().as_bytes()).unwrap().unwrap();
    let boots = [Some(BOOT), Some("other"), None];
    let paths = ["proc", "/host_proc"];
    let namespaces = [Some(NAMESPACE), Some("other"), None];
    let all = (0..18).map(|n| (boots[n % 3], paths[n / 3 % 2], namespaces[n / 6]));
    for (boot, proc, namespace) in all {
        let now = HostId {
            boot_id: boot.map(str::to_owned),
            proc: PathBuf::from(proc),
            net: PathBuf::from(proc).join("net"),
            namespace: namespace.map(str::to_owned),
        };
        let expected = match (boot, proc, namespace) {
            (_, "/host_proc", _) => Err(NoBaseline::OtherProc),
            (None, ..) => Err(NoBaseline::UnknownBoot),
            (Some("other"), ..) => Ok(0),
            (_, _, Some(NAMESPACE)) => Ok(1),
            _ => Err(NoBaseline::OtherNamespace),
        };
        match (state.baseline(&now), expected) {
            (Ok(interfaces), Ok(expected)) => assert_eq!(interfaces.len(), expected, "{now:?}"),
            (Err(error), Err(expected)) => assert_eq!(error, expected, "{now:?}"),
            (got, expected) => panic!("{now:?}: {got:?}, not {expected:?}"),
        }
    }
}
