//! Single values: taken exactly when the platform's pattern matches all of them, by the word of the crate `regex`.

use std::path::Path;
use std::time::Duration;

use device_defender::internals::params::{Connector, Parameter, ParameterFault, ProcDestinationPath, SampleInterval};
use proptest::prelude::*;
use proptest::sample::select;
use regex::Regex;

use crate::params::{PATTERNS, oracles};
use crate::support::cases;

/// What an interval beyond `u32` is refused with, which no other value is.
const TOO_LONG: &str = "matches the pattern, but exceeds 136 years";

/// The pattern of an interval, matched whole.
fn interval_oracle() -> &'static Regex {
    let [(_, oracle), ..] = oracles();
    oracle
}

/// The warnings that a right interval must give rise to, said in the plainest way.
fn expected_warnings(text: &str, seconds: u32) -> Vec<&'static str> {
    let divides = |window: u32| (1..=window / seconds).any(|times| times * seconds == window);
    let warnings = [
        (text.starts_with('0'), "has leading zeros"),
        (seconds / 60 * 60 != seconds, "is not a whole number of minutes"),
        (
            !(divides(300) || divides(600) || divides(900) || divides(1800) || divides(3600)),
            "does not divide any durationSeconds that a behavior can have",
        ),
    ];
    warnings.into_iter().filter_map(|(given, message)| given.then_some(message)).collect()
}

/// The warnings about a value, or what is wrong with it.
pub(crate) fn check_value(parameter: Parameter, value: &str) -> Result<Vec<ParameterFault>, ParameterFault> {
    Connector::default().set(parameter, value)
}

fn messages(faults: &[ParameterFault]) -> Vec<&str> {
    faults.iter().map(|fault| fault.message.as_str()).collect()
}

#[test]
fn the_patterns_shown_are_those_of_the_platforms_documentation() {
    assert_eq!(Parameter::ALL.map(|parameter| (parameter, parameter.pattern())), PATTERNS);
}

#[test]
fn every_interval_up_to_20000_with_up_to_three_leading_zeros_is_judged_as_the_pattern_does() {
    let oracle = interval_oracle();
    let mut taken = 0;
    for number in 0..=20_000_u32 {
        for zeros in ["", "0", "00", "000"] {
            let text = format!("{zeros}{number}");
            let result = SampleInterval::parse(&text);
            assert_eq!(result.is_ok(), oracle.is_match(&text), "{text:?}: {result:?}");
            match result {
                Ok(interval) => {
                    taken += 1;
                    assert_eq!(interval.duration(), Duration::from_secs(number.into()), "{text:?}");
                    let warnings = check_value(Parameter::SampleIntervalSeconds, &text).unwrap();
                    assert_eq!(messages(&warnings), expected_warnings(&text, number), "{text:?}");
                }
                Err(fault) => assert_eq!(fault.message, "is below 300", "{text:?}"),
            }
        }
    }
    assert_eq!(taken, 4 * (20_000 - 299));
}

#[test]
fn an_interval_is_taken_up_to_the_last_one_that_a_computer_can_wait_for() {
    let zeros = "0".repeat(400);
    for (text, seconds) in [
        ("300", Some(300)),
        ("4294967294", Some(u32::MAX - 1)),
        ("4294967295", Some(u32::MAX)),
        ("00004294967295", Some(u32::MAX)),
        (&format!("{zeros}300"), Some(300)),
        (&format!("{zeros}4294967295"), Some(u32::MAX)),
        ("4294967296", None),
        ("00004294967296", None),
        ("9999999999", None),
        ("10000000000", None),
        ("18446744073709551615", None),
        ("18446744073709551616", None),
        ("18446744073709551916", None), // 300 when it wraps around
        ("340282366920938463463374607431768211456", None),
        (&"9".repeat(400), None),
        (&format!("{zeros}{}", "9".repeat(400)), None),
    ] {
        assert!(interval_oracle().is_match(text), "{text}");
        let result = SampleInterval::parse(text);
        match seconds {
            Some(seconds) => assert_eq!(result.unwrap().duration(), Duration::from_secs(seconds.into()), "{text}"),
            None => assert_eq!(result.unwrap_err().message, TOO_LONG, "{text}"),
        }
    }
    for text in ["0", &zeros, &format!("{zeros}299")] {
        assert_eq!(SampleInterval::parse(text).unwrap_err().message, "is below 300", "{text}");
    }
}

#[test]
fn what_looks_right_to_other_engines_or_to_the_eye_is_refused() {
    let [(_, interval), (_, resource_id), (_, path)] = oracles();
    for text in [
        "300\n", "300\r\n", "\n300", "300 ", " 300", "+300", "-300", "300.0", "3e2", "0x12c", "300s", "5m", "1_000",
        "1,000", "\u{663}\u{660}\u{660}", "\u{ff13}\u{ff10}\u{ff10}", "30\u{660}", "3\u{b2}0", "300\u{0}",
        "\u{feff}300", "300\u{200b}", "\u{2212}300", "3 00", "", "''300''", "\"300\"",
    ] {
        assert!(!interval.is_match(text), "{text:?}");
        assert!(SampleInterval::parse(text).is_err(), "{text:?}");
    }
    for text in [
        "", "a b", "a:b", "a.b", "caf\u{e9}", "cafe\u{301}", "\u{430}bc", "a\u{200b}b", "name\n", "\u{212a}",
        "\u{17f}", "a/b", "/a", "a\\b", "\u{0}",
    ] {
        assert!(!resource_id.is_match(text), "{text:?}");
        assert!(check_value(Parameter::ProcDestinationPathResourceId, text).is_err(), "{text:?}");
    }
    for text in [
        "", "/", "//", "//a", "/a/", "/a/b", "a", "a/b", "./a", "/.", "/..", "/a.b", "/a\n", " /a", "/a ", "/a b",
        "/host\u{2010}proc", "\u{2044}a", "\u{ff0f}a", "C:/a", "\\a", "/\u{0}", "/~",
    ] {
        assert!(!path.is_match(text), "{text:?}");
        assert!(ProcDestinationPath::parse(text).is_err(), "{text:?}");
    }
    for text in ["-", "_", "0", "-a", "--probe", &"a".repeat(5000)] {
        assert_eq!(check_value(Parameter::ProcDestinationPathResourceId, text), Ok(vec![]));
        assert_eq!(ProcDestinationPath::parse(&format!("/{text}")).unwrap().as_path(), Path::new(&format!("/{text}")));
    }
}

/// Pieces of right values, and what is easily taken for one.
const PIECES: [&str; 60] = [
    "0", "00", "3", "9", "29", "99", "299", "300", "301", "1000", "4294967295", "4294967296", "/", "//", "a", "z", "A",
    "Z", "_", "-", "host_proc", "my-proc-resource", "proc", "", "@", "[", "`", "{", "+", ".", "..", ":", ",", "e", "x",
    "'", "\"", "\\", " ", "\t", "\n", "\r", "\r\n", "\0", "\u{1b}[31m", "\u{7f}", "\u{85}", "\u{a0}", "\u{b2}",
    "\u{e9}", "\u{17f}", "\u{663}", "\u{430}", "\u{200b}", "\u{2028}", "\u{202e}", "\u{212a}", "\u{2167}", "\u{ff13}",
    "\u{feff}",
];

/// Strings near what is right: pieces put together, runs of digits, right values with a character more or less.
fn near() -> impl Strategy<Value = String> {
    let pieces = || prop::collection::vec(select(&PIECES[..]), 0..5).prop_map(|pieces| pieces.concat());
    let right = prop_oneof!["0{0,3}[3-9][0-9]{2,11}", "[a-zA-Z0-9_-]{1,20}", "/[a-zA-Z0-9_-]{1,20}"];
    let changed =
        (right.clone(), any::<prop::sample::Index>(), any::<Option<char>>()).prop_map(|(text, place, other)| {
            let mut chars: Vec<char> = text.chars().collect();
            let place = place.index(chars.len());
            match other {
                Some(other) => chars.insert(place, other),
                None => drop(chars.remove(place)),
            }
            chars.into_iter().collect()
        });
    prop_oneof![3 => pieces(), 1 => "[0-9]{0,400}", 1 => "0{0,20}[0-9]{1,11}", 1 => r"\d{1,6}", 1 => right, 2 => changed]
}

/// Whether a string that matches the interval's pattern is a number beyond `u32`, found out by comparing digits.
fn is_too_long(text: &str) -> bool {
    let digits = text.trim_start_matches('0');
    (digits.len(), digits) > (10, "4294967295")
}

/// Holds all three parameters against their patterns.
fn check(text: &str) -> Result<(), TestCaseError> {
    for (parameter, oracle) in oracles() {
        let (parameter, result) = (*parameter, check_value(*parameter, text));
        let matches = oracle.is_match(text);
        let too_long = matches && parameter == Parameter::SampleIntervalSeconds && is_too_long(text);
        prop_assert_eq!(result.is_ok(), matches && !too_long, "{} {:?}: {:?}", parameter, text, &result);
        if let Err(fault) = &result {
            prop_assert_eq!(fault.message == TOO_LONG, too_long, "{} {:?}: {:?}", parameter, text, fault);
            prop_assert!(!fault.message.is_empty() && !fault.remedy.is_empty());
        }
        let right = result.is_ok();
        match parameter {
            Parameter::SampleIntervalSeconds => {
                let parsed = SampleInterval::parse(text).map(SampleInterval::duration).ok();
                let expected = right.then(|| Duration::from_secs(text.trim_start_matches('0').parse().unwrap()));
                prop_assert_eq!(parsed, expected, "{:?}", text);
                if let (Some(interval), Ok(warnings)) = (expected, &result) {
                    let seconds = u32::try_from(interval.as_secs()).unwrap();
                    prop_assert_eq!(messages(warnings), expected_warnings(text, seconds), "{:?}", text);
                }
            }
            Parameter::ProcDestinationPathResourceId => {
                prop_assert!(result.is_err() || result == Ok(vec![]));
            }
            Parameter::ProcDestinationPath => {
                let parsed = ProcDestinationPath::parse(text);
                let path = parsed.as_ref().ok().map(ProcDestinationPath::as_path);
                prop_assert_eq!(path, right.then_some(Path::new(text)));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn any_string_is_judged_as_the_patterns_do(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn a_string_near_a_right_one_is_judged_as_the_patterns_do(text in near()) {
        check(&text)?;
    }

    #[test]
    fn any_interval_is_taken_for_what_it_is(seconds in 300..=u32::MAX, zeros in 0..30_usize) {
        check(&format!("{}{seconds}", "0".repeat(zeros)))?;
    }
}
