//! Timestamps as go-yaml reads them (Go's `time.Parse` with its four layouts)
//! and as Go writes them in JSON (RFC 3339).

use std::fmt::Write;

/// A timestamp without interpretation: the fields as written, checked.
pub(crate) struct Timestamp<'a> {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    /// Digits after the point.
    fraction: &'a str,
    /// Minutes east of UTC.
    offset: i32,
}

/// Reads one of `2006-1-2T15:4:5.9Z07:00` (or `t`), `2006-1-2 15:4:5.9` and
/// `2006-1-2`.
pub(crate) fn parse(text: &str) -> Option<Timestamp<'_>> {
    let bytes = text.as_bytes();
    if bytes.len() < 5 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return None;
    }
    let mut rest = Rest(&text[5..]);
    let mut stamp = Timestamp {
        year: text[..4].parse().ok()?,
        month: rest.number()?,
        day: {
            rest.literal('-')?;
            rest.number()?
        },
        hour: 0,
        minute: 0,
        second: 0,
        fraction: "",
        offset: 0,
    };
    if !(1..=12).contains(&stamp.month)
        || !(1..=days_in(stamp.month, stamp.year)).contains(&stamp.day)
    {
        return None;
    }
    if rest.0.is_empty() {
        return Some(stamp);
    }
    let zoned = !rest.0.starts_with(' ');
    if zoned {
        rest.literal('T').or_else(|| rest.literal('t'))?;
    } else {
        rest.0 = rest.0.trim_start_matches(' ');
    }
    stamp.hour = rest.number()?;
    rest.literal(':')?;
    stamp.minute = rest.number()?;
    rest.literal(':')?;
    stamp.second = rest.number()?;
    if stamp.hour > 23 || stamp.minute > 59 || stamp.second > 59 {
        return None;
    }
    if let Some(fraction) = rest.0.strip_prefix(['.', ',']) {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            stamp.fraction = &fraction[..digits];
            rest.0 = &fraction[digits..];
        }
    }
    if zoned && rest.literal('Z').is_none() {
        stamp.offset = rest.offset()?;
    }
    rest.0.is_empty().then_some(stamp)
}

/// Whether some YAML 1.1 reader may take the text for a timestamp: it begins
/// with a date, and a time may follow.
pub(crate) fn looks_like(text: &str) -> bool {
    let mut rest = Rest(text);
    let date = (|| {
        rest.number()?;
        rest.number()?;
        rest.literal('-')?;
        rest.number()?;
        rest.literal('-')?;
        rest.number()
    })();
    date.is_some() && (rest.0.is_empty() || rest.0.starts_with(['T', 't', ' ', '\t']))
}

struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn literal(&mut self, expected: char) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// One digit, or two.
    fn number(&mut self) -> Option<u32> {
        let digits = self.0.bytes().take(2).take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        number.parse().ok()
    }

    /// `+07:00`, in minutes.
    fn offset(&mut self) -> Option<i32> {
        let sign = match self.0.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let bytes = self.0.as_bytes();
        if bytes.len() < 6 || bytes[3] != b':' {
            return None;
        }
        let pair = |at: usize| -> Option<i32> {
            let (tens, units) = (bytes[at], bytes[at + 1]);
            (tens.is_ascii_digit() && units.is_ascii_digit())
                .then(|| i32::from(tens - b'0') * 10 + i32::from(units - b'0'))
        };
        let (hours, minutes) = (pair(1)?, pair(4)?);
        if hours > 24 || minutes > 60 {
            return None;
        }
        self.0 = &self.0[6..];
        Some(sign * (hours * 60 + minutes))
    }
}

fn days_in(month: u32, year: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Timestamp<'_> {
    /// RFC 3339 with as many digits of the second as count, nine at most:
    /// what Go's `encoding/json` prints.
    pub(crate) fn to_rfc3339(&self) -> String {
        let mut out = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            self.year, self.month, self.day, self.hour, self.minute, self.second
        );
        let fraction = &self.fraction[..self.fraction.len().min(9)];
        let fraction = fraction.trim_end_matches('0');
        if !fraction.is_empty() {
            out.push('.');
            out.push_str(fraction);
        }
        if self.offset == 0 {
            out.push('Z');
        } else {
            let sign = if self.offset < 0 { '-' } else { '+' };
            let minutes = self.offset.abs();
            write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
                .expect("writing to a String does not fail");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn forms() {
        let cases = [
            ("2024-01-01", "2024-01-01T00:00:00Z"),
            ("2024-1-1", "2024-01-01T00:00:00Z"),
            ("2001-12-14t21:59:43.10-05:00", "2001-12-14T21:59:43.1-05:00"),
            ("2001-12-14 21:59:43", "2001-12-14T21:59:43Z"),
            ("2001-12-14   1:2:3.5", "2001-12-14T01:02:03.5Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
            ("2024-02-29T00:00:00+00:00", "2024-02-29T00:00:00Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap().to_rfc3339(), expected, "{text}");
        }
        for text in [
            "2023-02-29",
            "2024-13-01",
            "2024-01",
            "2024-01-01T",
            "2024-01-01T00:00:00",
            "2001-12-14 21:59:43.10 -5",
            "24-01-01",
            "2024-001-01",
            "2024-01-01x",
            "2024-01-01 24:00:00",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
