//! Many things: which are remembered, and what the table at the end shows of them.

use std::num::NonZeroU32;

use device_defender::internals::detect::{BehaviorState, DeviceState, RecentThings};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::detect::{message, only_22};
use crate::support::{Dir, cases};

/// A report of a thing at this time, with these listening TCP ports, in its message.
fn on(thing: &str, time: u64, ports: &[u16]) -> String {
    let ports: Vec<Value> = ports.iter().map(|port| json!({ "port": port })).collect();
    let report = json!({"header": {"report_id": 1_700_000_000 + time, "version": "1.0"}, "metrics": {"listening_tcp_ports": {"ports": ports}}});
    message(thing, &report.to_string())
}

#[test]
fn the_least_recently_seen_thing_is_forgotten_and_starts_over() {
    let dir = Dir::with_profile(&only_22(2, 1));
    let stream = [
        on("a", 0, &[23]),
        on("b", 0, &[23]),
        on("a", 300, &[22]),
        on("c", 0, &[23]), // b is forgotten
        on("a", 600, &[23]),
        on("a", 900, &[23]), // in alarm
        on("b", 300, &[23]), // the first again; c is forgotten
        on("b", 600, &[22]),
        on("c", 300, &[23]), // a is forgotten, in alarm
    ];
    let forgets = "warning: report: standard input: line 4: more than 2 things (--max-things); the least recently seen are \
                   forgotten, with their alarms and counts";
    let run = dir.judge(stream.concat(), &["--max-things", "2"]).code(1).stderr(forgets);
    let events = run.lines();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((&events[0]["thingName"], &events[0]["violationEventType"]), (&json!("a"), &json!("in-alarm")));

    // Without an alarm it is not known that there would have been none.
    let run = dir.judge(stream[..4].concat(), &["--max-things", "2"]);
    assert_eq!(run.code(65).stderr(forgets).text(), "");
    assert_eq!(dir.judge(stream[..4].concat(), &["--max-things", "3"]).text(), "");
    dir.judge(stream.concat(), &["--max-things", "0"]).code(2).finish();
}

#[test]
fn the_table_shows_violations_first_and_says_how_much_it_leaves_out() {
    let mut second = only_22(1, 1)[0].clone();
    second["metric"] = json!("aws:listening-udp-ports");
    let dir = Dir::with_profile(&json!([only_22(1, 1)[0], second]));
    let mut stream: Vec<String> = (0..600).map(|n| on(&format!("t{n:03}"), 0, &[22])).collect();
    stream.push(on("t599", 300, &[23]));
    stream.push(on("t000", 300, &[23]));
    stream.push(on("t000", 600, &[22]));
    dir.write("reports", stream.concat());
    let table = dir.detect(&["--report", "reports"]).code(1).may_warn().text();
    let rows: Vec<&str> = table.lines().skip_while(|line| !line.starts_with("Thing")).skip(1).collect();
    let (rows, below) = rows.split_at(1000);
    assert!(rows[0].starts_with("t000   b") && rows[0].ends_with("conforms    no"), "{table}");
    let (last, rows) = rows.split_last().unwrap();
    assert!(last.starts_with("t599   b") && last.ends_with("violated    in-alarm"), "{last}");
    assert!(rows.iter().all(|row| !row.contains("violated")), "{table}");
    assert_eq!(below[0], "… and 200 more");
    assert_eq!(table.lines().last(), Some("1 violated, 599 conforming, 600 not judged, 1 in alarm"));
}

/// The memory of a fleet, with the points of a window, which are counted where they are kept.
#[test]
fn what_is_kept_of_a_thing_and_of_an_alarm_is_small() {
    assert_eq!((size_of::<DeviceState>(), size_of::<BehaviorState>()), (48, 16));
}

#[test]
fn more_behaviors_than_can_be_tracked_are_refused() {
    let dir = Dir::with_profile(&json!(vec![json!({}); 40_000]));
    let run = dir.detect(&["profile.json", "--report", "-"]).code(65);
    run.stderr("profiles: more than 65535 behaviors").text();
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn things_are_remembered_as_in_a_list(
        max in 1_u32..6,
        seen in prop::collection::vec("[a-h]", 0..60),
    ) {
        let mut things = RecentThings::<u32>::new(NonZeroU32::new(max).unwrap());
        let mut list: Vec<(String, u32)> = Vec::new();
        for name in seen {
            let place = list.iter().position(|(other, _)| *other == name);
            let mut entry = place.map_or((name.clone(), 0), |place| list.remove(place));
            entry.1 += 1;
            list.push(entry);
            let forgotten = (list.len() > max as usize).then(|| list.remove(0));
            let (count, found) = things.see(&name);
            *count += 1;
            prop_assert_eq!(*count, list.last().unwrap().1);
            prop_assert_eq!(found.map(|(name, count)| (String::from(name), count)), forgotten);
            let (mut counts, mut expected): (Vec<u32>, Vec<u32>) =
                (things.values().copied().collect(), list.iter().map(|(_, count)| *count).collect());
            counts.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(counts, expected);
        }
    }
}
