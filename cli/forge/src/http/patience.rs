//! How long one waits, and how often one asks again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// How long one waits for a forge, and how often one asks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The longest that one answer may take, from the first byte sent to the last
    /// one received.
    pub answer: Duration,
    /// The longest wait that a forge may ask for between two tries.
    pub wait: Duration,
    /// How often the same is asked before it is given up.
    pub tries: u32,
    /// The wait before the second try; it doubles from there.
    pub pause: Duration,
}

impl Default for Patience {
    /// A minute for an answer and for a wait that is asked for, four tries.
    fn default() -> Self {
        Patience {
            answer: Duration::from_secs(60),
            wait: Duration::from_secs(60),
            tries: 4,
            pause: Duration::from_millis(300),
        }
    }
}

impl Patience {
    /// The wait after the try of this number (from 1): a random part of a span
    /// that doubles, so that many who were refused together do not come together.
    pub(crate) fn pause_after(&self, tried: u32) -> Duration {
        let span = self.pause.saturating_mul(1 << tried.saturating_sub(1).min(16)).min(self.wait);
        // A new state hashes the same nothing to another number each time.
        let random = RandomState::new().build_hasher().finish();
        span / 2 + span.mul_f64((random >> 11) as f64 / (1_u64 << 53) as f64) / 2
    }
}

/// The moment that an answer gives as its own.
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

/// Until when an answer asks to wait: `retry-after`, in seconds or as a date,
/// or `x-ratelimit-reset` where nothing remains.
pub(crate) fn asked_wait(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let after = |seconds: i64| now.checked_add(jiff::SignedDuration::from_secs(seconds)).ok();
    if let Some(value) = text(RETRY_AFTER.as_str()) {
        return match value.trim().parse::<u32>() {
            Ok(seconds) => after(seconds.into()),
            // Counted from the server's clock, waited for on ours.
            Err(_) => {
                let until = http_date(value)?;
                let sent = date(headers).unwrap_or(now);
                after(until.as_second().saturating_sub(sent.as_second()).max(0))
            }
        };
    }
    if text("x-ratelimit-remaining")?.trim() != "0" {
        return None;
    }
    let reset: i64 = text("x-ratelimit-reset")?.trim().parse().ok()?;
    let sent = date(headers).map_or(now.as_second(), Timestamp::as_second);
    after(reset.saturating_sub(sent).max(0))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_wait_that_is_asked_for() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let at = |lines: &[_]| asked_wait(&headers(lines), now).map(|until| until.to_string());
        let expect = |text: &str| Some(text.to_owned());
        assert_eq!(at(&[("retry-after", "90")]), expect("2026-01-01T00:01:30Z"));
        let date = [("retry-after", "Thu, 01 Jan 2026 00:00:20 GMT")];
        assert_eq!(at(&date), expect("2026-01-01T00:00:20Z"));
        // The server's clock is a minute ahead of ours: still twenty seconds.
        let ahead = [
            ("retry-after", "Thu, 01 Jan 2026 00:01:20 GMT"),
            ("date", "Thu, 01 Jan 2026 00:01:00 GMT"),
        ];
        assert_eq!(at(&ahead), expect("2026-01-01T00:00:20Z"));
        let reset = ("x-ratelimit-reset", "1767225660");
        assert_eq!(at(&[reset, ("x-ratelimit-remaining", "0")]), expect("2026-01-01T00:01:00Z"));
        assert_eq!(at(&[reset, ("x-ratelimit-remaining", "12")]), None);
        assert_eq!(at(&[reset]), None);
        assert_eq!(at(&[("retry-after", "soon")]), None);
        assert_eq!(at(&[]), None);
    }

    #[test]
    fn pauses_grow_and_differ() {
        let patience = Patience { wait: Duration::from_secs(2), ..Patience::default() };
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..50 {
            let first = patience.pause_after(1);
            assert!(first >= patience.pause / 2 && first <= patience.pause, "{first:?}");
            assert!(patience.pause_after(9) >= Duration::from_secs(1));
            assert!(patience.pause_after(9) <= Duration::from_secs(2));
            seen.insert(first);
        }
        assert!(seen.len() > 10, "{seen:?}");
    }
}
