//! Many processes that start together: how their reports spread over the interval, and whether all of them arrive.

use std::collections::BTreeMap;
use std::fs;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::broker::mosquitto::Broker;
use crate::broker::service::Service;
use crate::watcher::{SMALL, directory, watch};

const INTERVAL: Duration = Duration::from_secs(5);

/// The number of parts of the interval in the table.
const PARTS: usize = 20;

/// A report that arrived: time, thing, report ID.
type Arrival = (Instant, String, u64);

/// Runs the fleet and prints how its reports spread.
pub(crate) fn run(watchers: usize, count: usize) {
    println!(
        "{watchers} watchers, an interval of {} s; reports in each twentieth of the interval:\n",
        INTERVAL.as_secs()
    );
    println!(
        "| splay | cycle | {} | max/mean |",
        (1..=PARTS).map(|part| part.to_string()).collect::<Vec<_>>().join(" | ")
    );
    println!("|---|---|{}---|", "---|".repeat(PARTS));
    for (splay, count) in [(None, count), (Some("0s"), 2)] {
        let (start, arrivals) = arrivals(watchers, count, splay);
        let label = splay.unwrap_or("by name");
        let mut cycles = vec![0, count / 2, count - 1];
        cycles.dedup();
        for cycle in cycles {
            let of_cycle = arrivals.values().map(|of_thing| of_thing[cycle].0);
            print_row(label, &(cycle + 1).to_string(), start, of_cycle);
        }
        print_row(label, "all", start, arrivals.values().flatten().map(|(at, _)| *at));
        if splay.is_none() {
            let gaps = arrivals.values().flat_map(|of_thing| of_thing.windows(2).map(|pair| pair[1].0 - pair[0].0));
            let mut gaps: Vec<Duration> = gaps.collect();
            gaps.sort_unstable();
            eprintln!("time between two reports of a thing: {:?} to {:?}", gaps[0], gaps[gaps.len() - 1]);
        }
    }
    println!();
}

/// Runs the fleet. Returns its start and the arrivals by thing. Panics if a report is lost or not accepted.
fn arrivals(watchers: usize, count: usize, splay: Option<&str>) -> (Instant, BTreeMap<String, Vec<(Instant, u64)>>) {
    let (broker, dir) = (Broker::start(), directory());
    let all: Arc<Mutex<Vec<Arrival>>> = Arc::default();
    let ours = Arc::clone(&all);
    let service = Service::start(broker.plain, move |report| {
        let thing = report.topic.split('/').nth(2).unwrap().to_owned();
        ours.lock().unwrap().push((Instant::now(), thing, report.id()));
        vec![report.accepted()]
    });
    let start = Instant::now();
    let things: Vec<String> = (0..watchers).map(|n| format!("gateway-{n}")).collect();
    let mut children: Vec<Child> = Vec::new();
    for thing in &things {
        let mut command = watch(&broker, dir.path(), thing);
        command.args(["--proc", SMALL]);
        command.arg("--interval").arg(INTERVAL.as_secs().to_string()).arg("--count").arg(count.to_string());
        command.args(splay.map(|splay| ["--splay", splay]).iter().flatten());
        children.push(command.spawn().unwrap());
    }
    eprintln!("{watchers} watchers started within {:?}", start.elapsed());
    for (child, thing) in children.iter_mut().zip(&things) {
        let status = child.wait().unwrap();
        let log = fs::read_to_string(dir.path().join(format!("{thing}.log"))).unwrap();
        let fine = |line: &str| line.contains("first report in ") || line.contains(" accepted");
        assert!(status.success() && log.lines().all(fine) && log.lines().count() <= 2, "{thing}: {status}\n{log}");
    }
    drop(service);
    let mut of_things: BTreeMap<String, Vec<(Instant, u64)>> = BTreeMap::new();
    for (at, thing, id) in all.lock().unwrap().drain(..) {
        of_things.entry(thing).or_default().push((at, id));
    }
    assert_eq!(of_things.len(), watchers);
    for (thing, reports) in &of_things {
        let ids: Vec<u64> = reports.iter().map(|(_, id)| *id).collect();
        assert!(ids.len() == count && ids.is_sorted_by(|a, b| a < b), "{thing}: {ids:?}");
        let state: serde_json::Value =
            serde_json::from_slice(&fs::read(dir.path().join(format!("{thing}.json"))).unwrap()).unwrap();
        assert_eq!(state["last_report_id"].as_u64(), ids.last().copied(), "{thing}");
    }
    eprintln!("{} reports, all accepted, IDs in order", watchers * count);
    (start, of_things)
}

fn print_row(splay: &str, cycle: &str, start: Instant, arrivals: impl Iterator<Item = Instant>) {
    let mut parts = [0_u32; PARTS];
    for at in arrivals {
        let phase = (at - start).as_micros() % INTERVAL.as_micros();
        parts[usize::try_from(phase).unwrap() * PARTS / usize::try_from(INTERVAL.as_micros()).unwrap()] += 1;
    }
    let total: u32 = parts.iter().sum();
    let most = f64::from(parts.into_iter().max().unwrap_or_default());
    let ratio = most * f64::from(u32::try_from(PARTS).unwrap()) / f64::from(total);
    println!("| {splay} | {cycle} | {} | {ratio:.2} |", parts.map(|count| count.to_string()).join(" | "));
}
