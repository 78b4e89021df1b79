//! When reports are due, on a clock of the test's own.

use std::time::Duration;

use device_defender::internals::{Schedule, default_splay as splay, first_tick};
use proptest::collection::vec;
use proptest::prelude::*;

const S: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(300);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn schedule() -> Schedule {
    Schedule::new(INTERVAL, at(1000), None)
}

#[test]
fn it_begins_at_its_start_or_an_interval_after_the_last_publish() {
    assert_eq!(schedule().due(), at(1000));
    assert_eq!(Schedule::new(INTERVAL, at(1000), Some(at(100))).due(), at(1000), "long ago");
    assert_eq!(Schedule::new(INTERVAL, at(1000), Some(at(900))).due(), at(1200));
    assert_eq!(Schedule::new(INTERVAL, at(1000), Some(at(1000))).due(), at(1300));
    assert_eq!(Schedule::new(INTERVAL, at(0), Some(Duration::MAX)).due(), Duration::MAX, "nothing overflows");
}

/// What happens: when the PUBLISH was written, when the cycle ended, and when the next report is due then.
#[test]
fn a_tick_follows_a_publish() {
    type Cycles = &'static [(u64, u64, u64)];
    let cases: [(&str, Cycles); 5] = [
        ("tick after tick", &[(1000, 1001, 1300), (1300, 1301, 1600)]),
        ("a late publish moves the grid: an interval between two arrivals", &[(1007, 1008, 1307), (1307, 1309, 1607)]),
        ("missed ticks are skipped, and no burst follows", &[(1001, 1950, 2200), (2200, 2201, 2500)]),
        ("woken days later, and reported at once", &[(1000, 1001, 1300), (900_000, 900_001, 900_300)]),
        ("an end exactly at a tick waits for the next", &[(1000, 1300, 1600)]),
    ];
    for (what, cycles) in cases {
        let mut schedule = schedule();
        for (published, ended, due) in cycles {
            schedule.published(at(*published), at(*ended));
            assert_eq!(schedule.due(), at(*due), "{what}");
        }
    }
}

#[test]
fn tries_come_after_growing_times_but_never_beyond_the_next_tick() {
    // The longest waits there can be, within an interval in which they all have room.
    let mut schedule = Schedule::new(at(86400), at(0), None);
    let mut now = Duration::ZERO;
    for expected in [2, 4, 8, 16, 32, 64, 128, 128, 128] {
        schedule.not_published(now, 1.0_f64.next_down());
        assert!(schedule.due() - now <= at(expected) && schedule.due() - now > at(expected) - S / 1000, "{expected}");
        now = schedule.due();
    }
    // The shortest.
    schedule.not_published(now, 0.0);
    assert_eq!(schedule.due(), now + S);
    // After a report it starts over.
    schedule.published(now + S, now + 2 * S);
    let now = schedule.due();
    schedule.not_published(now, 1.0_f64.next_down());
    assert!(schedule.due() - now <= 2 * S);

    let mut short = self::schedule();
    short.not_published(at(1299), 0.9);
    assert_eq!(short.due(), at(1300), "at the tick instead of beyond it");
    short.not_published(at(1300), 0.0);
    assert_eq!(short.due(), at(1301), "in the next interval");

    let mut hasty = Schedule::new(S / 5, at(0), None);
    hasty.not_published(S / 100, 0.5);
    assert_eq!(hasty.due(), S / 5);
}

#[test]
fn a_publish_of_another_run_is_waited_for() {
    let mut schedule = schedule();
    schedule.published(at(1000), at(1001));
    assert!(!schedule.postpone(at(1000)), "that was our own");
    assert_eq!(schedule.due(), at(1300));
    assert!(schedule.postpone(at(1200)));
    assert_eq!(schedule.due(), at(1500));
    assert!(!schedule.postpone(at(1200)), "once");
    assert!(!schedule.postpone(at(100)), "long ago");
    assert_eq!(schedule.due(), at(1500));
    schedule.published(at(1500), at(1501));
    assert_eq!(schedule.due(), at(1800));
}

#[test]
fn an_answer_that_is_not_yes_waits_for_the_next_tick() {
    let mut schedule = schedule();
    schedule.not_published(at(1000), 0.0);
    schedule.published(at(1001), at(1031)); // no answer in 30 s
    assert_eq!(schedule.due(), at(1301));
}

/// What happens in a cycle.
#[derive(Debug, Clone)]
enum Event {
    /// The PUBLISH was written after so many ms, and so many ms later the cycle ended.
    Published(u64, u64),
    /// It ended after so many ms without that.
    Failed(u64, f64),
}

/// What happens before it.
#[derive(Debug, Clone)]
struct Cycle {
    event: Event,
    /// How many ms later than due it begins.
    late: u64,
    /// The program is ended and started again before it, with this splay.
    restarted: Option<u64>,
}

fn cycles() -> impl Strategy<Value = Vec<Cycle>> {
    let latency = prop_oneof![8 => 1..2_000_u64, 2 => 2_000..40_000_u64, 1 => 40_000..10_000_000_u64];
    let event = prop_oneof![
        3 => (latency.clone(), 0..30_000_u64).prop_map(|(sent, answered)| Event::Published(sent, answered)),
        2 => (latency, 0.0..1.0_f64).prop_map(|(ended, random)| Event::Failed(ended, random)),
    ];
    let late = prop_oneof![9 => 0..50_u64, 1 => 0..100_000_000_u64]; // at times the machine was suspended
    let restarted = prop::option::weighted(0.05, 0..300_000_u64);
    vec((event, late, restarted).prop_map(|(event, late, restarted)| Cycle { event, late, restarted }), 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_publish_follows_another_within_the_interval(cycles in cycles(), interval in 1_000..400_000_u64) {
        let ms = Duration::from_millis;
        let interval = ms(interval);
        let mut now = ms(5_000);
        let mut schedule = Schedule::new(interval, now, None);
        let mut last: Option<Duration> = None;
        let mut failures = 0_u32;
        let mut begun = Vec::new();
        for Cycle { event, late, restarted } in cycles {
            if let Some(splay) = restarted {
                let rest = schedule.due().saturating_sub(now).as_millis() / 2;
                now += ms(u64::try_from(rest).unwrap()); // in the middle of waiting
                schedule = Schedule::new(interval, now + ms(splay).min(interval), last);
                failures = 0;
            }
            now = now.max(schedule.due()) + ms(late);
            begun.push(now);
            match event {
                Event::Published(sent, answered) => {
                    now += ms(sent);
                    prop_assert!(last.is_none_or(|last| now - last >= interval), "{last:?} {now:?}");
                    last = Some(now);
                    now += ms(answered);
                    schedule.published(last.unwrap(), now);
                    prop_assert!(schedule.due() > now || schedule.due() >= last.unwrap() + interval);
                    prop_assert!(schedule.due() <= now + interval);
                    failures = 0;
                }
                Event::Failed(ended, random) => {
                    now += ms(ended);
                    schedule.not_published(now, random);
                    failures += 1;
                    let wait = schedule.due() - now;
                    let most = at(128).min(S * 2_u32.saturating_pow(failures));
                    prop_assert!(wait <= most.min(interval), "{wait:?} after {failures}");
                    prop_assert!(wait >= S.min(wait) , "{wait:?}");
                }
            }
            prop_assert!(schedule.due() >= now, "due in the past makes bursts");
        }
        // No three cycles but tries begin within an interval; with a second at least between tries, or a tick.
        for pair in begun.windows(2) {
            prop_assert!(pair[1] > pair[0], "two at once: {pair:?}");
        }
    }

    #[test]
    fn without_failures_the_mean_period_is_an_interval_and_little_more(latencies in vec(1..5_000_u64, 50..300)) {
        let mut schedule = schedule();
        let first = schedule.due();
        let mut total = Duration::ZERO;
        for &latency in &latencies {
            let latency = Duration::from_millis(latency);
            total += latency;
            let sent = schedule.due() + latency;
            schedule.published(sent, sent + Duration::from_millis(40));
        }
        let cycles = u32::try_from(latencies.len()).unwrap();
        let passed = schedule.due() - first;
        prop_assert!(passed >= INTERVAL * cycles && passed <= INTERVAL * cycles + total, "{passed:?}");
    }

    #[test]
    fn it_never_panics(
        interval: Duration, start: Duration, last: Option<Duration>, at: Duration, now: Duration, random: f64,
    ) {
        let mut schedule = Schedule::new(interval, start, last);
        schedule.not_published(now, random);
        schedule.published(at, now);
        schedule.not_published(at, random);
        prop_assert!(schedule.due() >= at);
    }

    #[test]
    fn the_splay_is_the_same_each_time_and_below_the_interval(name in "[a-zA-Z0-9:_-]{1,128}", interval in 1..600_000_u64) {
        let interval = Duration::from_millis(interval);
        prop_assert_eq!(splay(&name, interval), splay(&name, interval));
        prop_assert!(splay(&name, interval) < interval);
    }
}

proptest! {
    #[test]
    fn a_restart_keeps_the_ticks(now in 0..10_000_000_u64, later in 0..1_000_000_u64, splay in 0..600_u64, interval in 1..600_u64) {
        let [now, later, interval] = [now, now + later, interval].map(Duration::from_millis);
        let splay = Duration::from_millis(splay).min(interval);
        let first = first_tick(now, splay, interval);
        prop_assert!(first >= now && first < now + interval.max(splay) + Duration::from_nanos(1));
        let after = first_tick(later, splay, interval);
        prop_assert!(after >= later);
        prop_assert_eq!((after - first).as_nanos() % interval.as_nanos(), 0);
    }
}

#[test]
fn the_splay_spreads_a_fleet_evenly() {
    for pattern in ["gateway-", "thing", "0000000", "factory:line_7/"] {
        let mut parts = [0_u32; 20];
        for n in 0..20_000 {
            let delay = splay(&format!("{pattern}{n}"), INTERVAL);
            parts[usize::try_from(delay.as_millis() * 20 / INTERVAL.as_millis()).unwrap()] += 1;
        }
        // 1000 expected each; five standard deviations are 155.
        assert!(parts.iter().all(|count| (840..1160).contains(count)), "{pattern}: {parts:?}");
    }
}
