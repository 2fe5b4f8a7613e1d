//! How versions went through the environments: what their arrivals, as Git
//! keeps them, come to in numbers.

use std::collections::{BTreeMap, BTreeSet};

/// A version enters an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The app.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// The version in words; `None` where the app is gone.
    pub version: Option<String>,
    /// When: seconds since 1970, by the commit that reached the branch.
    pub at: i64,
    /// Whether an earlier state came back.
    pub rollback: bool,
}

/// An environment, and those right before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// The environments it is promoted from; none for a first one.
    pub after: Vec<String>,
}

/// Some durations in seconds: how many, and how they are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// How many.
    pub count: usize,
    /// The shortest.
    pub min: i64,
    /// The middle one; of an even number the mean of the middle two.
    pub median: i64,
    /// Nine in ten are at most so long.
    pub p90: i64,
    /// The longest.
    pub max: i64,
}

impl Spread {
    /// The spread of `seconds`; `None` of nothing.
    pub fn of(mut seconds: Vec<i64>) -> Option<Spread> {
        seconds.sort_unstable();
        let (min, max) = (*seconds.first()?, *seconds.last()?);
        let count = seconds.len();
        let middle = count / 2;
        let median = if count % 2 == 1 {
            seconds[middle]
        } else {
            i64::midpoint(seconds[middle - 1], seconds[middle])
        };
        // The nearest rank.
        let p90 = seconds[(count * 9).div_ceil(10) - 1];
        Some(Spread { count, min, median, p90, max })
    }
}

/// How one app did in one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The app.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// How often a version arrived.
    pub deployments: usize,
    /// How many of them brought an earlier state back.
    pub rollbacks: usize,
    /// The time from one arrival to the next.
    pub interval: Option<Spread>,
    /// Of the versions that the environments before held, how many arrived
    /// here, and how many there were. `None` for a first environment.
    pub promoted: Option<(usize, usize)>,
    /// The time from a version's first arrival in any environment to its first
    /// arrival here. `None` for a first environment.
    pub lead: Option<Spread>,
}

/// The records of every app in every environment it arrived in, in the order
/// of `stages` and apps. `arrivals` may be in any order; of two at one moment
/// the one that is given first came first.
///
/// With `since`, only arrivals from that second on are counted; what a
/// version's way began with may lie before.
pub fn records(stages: &[Stage], arrivals: &[Arrival], since: Option<i64>) -> Vec<Record> {
    let mut sorted: Vec<&Arrival> = arrivals.iter().collect();
    sorted.sort_by_key(|arrival| arrival.at);
    let mut by_app: BTreeMap<&str, BTreeMap<&str, Vec<&Arrival>>> = BTreeMap::new();
    for arrival in sorted {
        by_app
            .entry(&arrival.app)
            .or_default()
            .entry(&arrival.environment)
            .or_default()
            .push(arrival);
    }
    let counts = |arrival: &&&Arrival| since.is_none_or(|since| arrival.at >= since);
    let mut records = Vec::new();
    for stage in stages {
        for (app, places) in &by_app {
            let Some(here) = places.get(stage.name.as_str()) else { continue };
            let counted: Vec<&Arrival> = here.iter().filter(counts).copied().collect();
            let mut intervals: Vec<i64> =
                counted.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
            // The first one that counts came some time after one that does not.
            if let (Some(first), Some(before)) =
                (counted.first(), here.len().checked_sub(counted.len() + 1))
            {
                intervals.push(first.at - here[before].at);
            }
            let first = |place: &str| first_arrivals(places.get(place).map_or(&[], Vec::as_slice));
            let arrived = first(&stage.name);
            let upstream = ancestors(stages, stage);
            let mut lead = Vec::new();
            for (version, at) in &arrived {
                if since.is_some_and(|since| *at < since) {
                    continue;
                }
                let began = upstream.iter().filter_map(|place| first(place).get(version).copied());
                lead.extend(began.min().filter(|began| began <= at).map(|began| at - began));
            }
            let promoted = (!stage.after.is_empty()).then(|| {
                let mut offered: BTreeSet<&str> = BTreeSet::new();
                for place in &stage.after {
                    let there = places.get(place.as_str()).into_iter().flatten();
                    offered
                        .extend(there.filter(|a| counts(a)).filter_map(|a| a.version.as_deref()));
                }
                let taken = offered.iter().filter(|version| arrived.contains_key(*version)).count();
                (taken, offered.len())
            });
            records.push(Record {
                app: (*app).to_owned(),
                environment: stage.name.clone(),
                deployments: counted.len(),
                rollbacks: counted.iter().filter(|arrival| arrival.rollback).count(),
                interval: Spread::of(intervals),
                promoted,
                lead: if stage.after.is_empty() { None } else { Spread::of(lead) },
            });
        }
    }
    records
}

/// When each version arrived first.
fn first_arrivals<'a>(arrivals: &[&'a Arrival]) -> BTreeMap<&'a str, i64> {
    let mut first = BTreeMap::new();
    for arrival in arrivals {
        if let Some(version) = &arrival.version {
            first.entry(version.as_str()).or_insert(arrival.at);
        }
    }
    first
}

/// Every environment that comes before `stage`, near and far.
fn ancestors<'a>(stages: &'a [Stage], stage: &'a Stage) -> BTreeSet<&'a str> {
    let mut found: BTreeSet<&str> = BTreeSet::new();
    let mut next: Vec<&str> = stage.after.iter().map(String::as_str).collect();
    while let Some(name) = next.pop() {
        if found.insert(name)
            && let Some(stage) = stages.iter().find(|stage| stage.name == name)
        {
            next.extend(stage.after.iter().map(String::as_str));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stages() -> Vec<Stage> {
        let stage = |name: &str, after: &[&str]| Stage {
            name: name.to_owned(),
            after: after.iter().map(|name| (*name).to_owned()).collect(),
        };
        vec![stage("dev", &[]), stage("uat", &["dev"]), stage("prod", &["uat"])]
    }

    fn at(at: i64, environment: &str, version: &str) -> Arrival {
        Arrival {
            app: "web".to_owned(),
            environment: environment.to_owned(),
            version: Some(version.to_owned()),
            at,
            rollback: false,
        }
    }

    fn record(records: &[Record], environment: &str) -> Record {
        records.iter().find(|record| record.environment == environment).unwrap().clone()
    }

    #[test]
    fn a_spread_is_by_rank() {
        assert_eq!(Spread::of(vec![]), None);
        let one = Spread { count: 1, min: 7, median: 7, p90: 7, max: 7 };
        assert_eq!(Spread::of(vec![7]), Some(one));
        let ten = Spread { count: 10, min: 1, median: 5, p90: 9, max: 10 };
        assert_eq!(Spread::of((1..=10).rev().collect()), Some(ten));
    }

    #[test]
    fn a_version_is_followed_from_its_first_environment_on() {
        let arrivals = [
            at(0, "dev", "v1"),
            at(100, "dev", "v2"),
            at(250, "dev", "v3"),
            at(50, "uat", "v1"),
            at(300, "uat", "v3"),
            at(1000, "prod", "v3"),
        ];
        let records = records(&stages(), &arrivals, None);
        let dev = record(&records, "dev");
        assert_eq!((dev.deployments, dev.promoted, dev.lead), (3, None, None));
        assert_eq!(dev.interval.unwrap().max, 150);
        let uat = record(&records, "uat");
        assert_eq!(uat.promoted, Some((2, 3)));
        assert_eq!(uat.lead, Spread::of(vec![50, 50]));
        let prod = record(&records, "prod");
        assert_eq!(prod.promoted, Some((1, 2)));
        // From dev, not from uat.
        assert_eq!(prod.lead, Spread::of(vec![750]));
        assert_eq!(prod.interval, None);
    }

    #[test]
    fn what_comes_back_does_not_start_anew() {
        let mut back = at(400, "uat", "v1");
        back.rollback = true;
        let arrivals = [
            at(0, "dev", "v1"),
            at(10, "dev", "v2"),
            at(100, "uat", "v1"),
            at(200, "uat", "v2"),
            back,
        ];
        let uat = record(&records(&stages(), &arrivals, None), "uat");
        assert_eq!((uat.deployments, uat.rollbacks), (3, 1));
        assert_eq!(uat.lead, Spread::of(vec![100, 190]));
    }

    #[test]
    fn a_version_that_was_not_before_has_no_lead() {
        let arrivals = [at(0, "dev", "v1"), at(5, "uat", "hotfix"), at(9, "dev", "hotfix")];
        let uat = record(&records(&stages(), &arrivals, None), "uat");
        assert_eq!((uat.promoted, uat.lead), (Some((1, 2)), None));
    }

    #[test]
    fn a_period_counts_what_arrived_in_it() {
        let arrivals = [
            at(0, "dev", "v1"),
            at(100, "dev", "v2"),
            at(200, "dev", "v3"),
            at(90, "uat", "v1"),
            at(190, "uat", "v2"),
        ];
        let records = records(&stages(), &arrivals, Some(150));
        let dev = record(&records, "dev");
        assert_eq!((dev.deployments, dev.interval), (1, Spread::of(vec![100])));
        let uat = record(&records, "uat");
        assert_eq!((uat.deployments, uat.promoted), (1, Some((0, 1))));
        // Its way began before.
        assert_eq!(uat.lead, Spread::of(vec![90]));
    }
}
