//! Lengths of time as gitops.yaml and flags write them: `30m`, `1h30m`, `7d`.

use jiff::SignedDuration;

/// A text that is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LengthError {
    /// Nothing stands there.
    #[error("it is empty")]
    Empty,
    /// A number without a unit.
    #[error("`{number}` has no unit")]
    NoUnit {
        /// The number.
        number: String,
    },
    /// Something else than a whole number and one of the units.
    #[error("`{part}` is neither a whole number nor one of the units `w`, `d`, `h`, `m`, `s`")]
    Part {
        /// What stands there.
        part: String,
    },
    /// Units out of order, or one of them twice.
    #[error("its units go from large to small, each once")]
    Order,
    /// It goes beyond a thousand years.
    #[error("it is longer than a thousand years")]
    TooLong,
    /// It is nothing.
    #[error("it is no time at all")]
    Zero,
}

impl LengthError {
    /// What to write instead.
    pub fn hint(&self) -> &'static str {
        "write a length of time such as `30m`, `1h30m` or `7d`"
    }
}

const DAY: i64 = 24 * 3600;
const UNITS: [(char, i64); 5] = [('w', 7 * DAY), ('d', DAY), ('h', 3600), ('m', 60), ('s', 1)];
const LONGEST: i64 = 1000 * 366 * DAY;

/// Reads a length of time: whole numbers with the units `w`, `d`, `h`, `m` and
/// `s`, from large to small. A day is 24 hours, whatever the clocks do.
///
/// # Errors
///
/// When it is anything else, or no time at all.
pub fn length(text: &str) -> Result<SignedDuration, LengthError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(LengthError::Empty);
    }
    let mut seconds: i64 = 0;
    let mut units = UNITS.as_slice();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let Some(letter) = after.chars().next() else {
            return Err(LengthError::NoUnit { number: number.to_owned() });
        };
        if number.is_empty() || !UNITS.iter().any(|(unit, _)| *unit == letter) {
            return Err(LengthError::Part { part: rest.escape_debug().to_string() });
        }
        let Some(at) = units.iter().position(|(unit, _)| *unit == letter) else {
            return Err(LengthError::Order);
        };
        let number: i64 = number.parse().map_err(|_| LengthError::TooLong)?;
        let more = number.checked_mul(units[at].1).ok_or(LengthError::TooLong)?;
        seconds = seconds.checked_add(more).ok_or(LengthError::TooLong)?;
        if seconds > LONGEST {
            return Err(LengthError::TooLong);
        }
        units = &units[at + 1..];
        rest = after[letter.len_utf8()..].trim_start();
    }
    if seconds == 0 {
        return Err(LengthError::Zero);
    }
    Ok(SignedDuration::from_secs(seconds))
}

/// A length of time in words, its two largest units: `2d 4h`.
pub fn words(length: SignedDuration) -> String {
    let mut rest = length.as_secs();
    if rest < 0 {
        return format!("-{}", words(length.abs()));
    }
    let mut parts: Vec<String> = Vec::new();
    for (unit, seconds) in &UNITS[1..] {
        if parts.len() == 2 {
            break;
        }
        let count = rest / seconds;
        rest %= seconds;
        if count > 0 {
            parts.push(format!("{count}{unit}"));
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lengths_are_read() {
        let cases = [
            ("30m", 1800),
            ("1h30m", 5400),
            (" 1h 30m ", 5400),
            ("7d", 7 * DAY),
            ("2w1d", 15 * DAY),
            ("336h", 336 * 3600),
            ("90s", 90),
            ("0h5m", 300),
        ];
        for (text, seconds) in cases {
            assert_eq!(length(text).unwrap().as_secs(), seconds, "{text}");
        }
    }

    #[test]
    fn what_is_no_length_is_told() {
        let cases = [
            ("", "it is empty"),
            ("30", "`30` has no unit"),
            ("1h30", "`30` has no unit"),
            ("0m", "it is no time at all"),
            ("30m1h", "its units go from large to small, each once"),
            ("1h1h", "its units go from large to small, each once"),
            ("99999999999999999999h", "it is longer than a thousand years"),
            ("9999999999999999w", "it is longer than a thousand years"),
            ("2000000d", "it is longer than a thousand years"),
        ];
        for (text, message) in cases {
            assert_eq!(length(text).unwrap_err().to_string(), message, "{text}");
        }
        for text in ["half an hour", "-5m", "1.5h", "5min", "5M", "m"] {
            assert!(matches!(length(text), Err(LengthError::Part { .. })), "{text}");
        }
    }

    #[test]
    fn lengths_in_words() {
        let cases = [
            (0, "0s"),
            (59, "59s"),
            (61, "1m 1s"),
            (3600, "1h"),
            (3661, "1h 1m"),
            (2 * DAY + 4 * 3600 + 5, "2d 4h"),
            (14 * DAY + 59, "14d"),
            (-90, "-1m 30s"),
        ];
        for (seconds, text) in cases {
            assert_eq!(words(SignedDuration::from_secs(seconds)), text);
        }
    }
}
