//! The words of versions and constraints.

use semver::{BuildMetadata, Prerelease, Version};

/// A version as it is written in tags and charts: `1.2.3`, `v1.2`, `1`, with
/// or without a pre-release and build metadata. What is left out is zero, and
/// zeros in front of a number do not count, as in Masterminds' `NewVersion`.
pub fn read_version(text: &str) -> Option<Version> {
    let (parts, rest) = Parts::scan(text)?;
    if !rest.is_empty() {
        return None;
    }
    let number = |part: Option<&str>| match part {
        None => Some(0),
        Some(part) if part.bytes().all(|byte| byte.is_ascii_digit()) => part.parse().ok(),
        Some(_) => None,
    };
    let [major, minor, patch] = parts.numbers;
    Some(Version {
        major: number(major)?,
        minor: number(minor)?,
        patch: number(patch)?,
        pre: Prerelease::new(parts.pre).ok()?,
        build: BuildMetadata::new(parts.build).ok()?,
    })
}

/// A version as it is written in a constraint, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    /// The whole of it.
    pub(super) text: &'a str,
    /// Major, minor, patch; digits, or `x`, `X` and `*`.
    pub(super) numbers: [Option<&'a str>; 3],
    pub(super) pre: &'a str,
    pub(super) build: &'a str,
}

impl<'a> Parts<'a> {
    /// The longest version at the beginning of `text`, and what follows it.
    pub(super) fn scan(text: &'a str) -> Option<(Parts<'a>, &'a str)> {
        let mut rest = text.strip_prefix('v').unwrap_or(text);
        let mut numbers = [None; 3];
        for (index, slot) in numbers.iter_mut().enumerate() {
            let after = match index {
                0 => Some(rest),
                _ => rest.strip_prefix('.'),
            };
            let Some(after) = after else { break };
            let (part, below) = word(after, |c| matches!(c, '0'..='9' | 'x' | 'X' | '*'));
            if part.is_empty() {
                break;
            }
            *slot = Some(part);
            rest = below;
        }
        numbers[0]?;
        let (pre, rest) = identifiers(rest, '-');
        let (build, rest) = identifiers(rest, '+');
        Some((Parts { text: &text[..text.len() - rest.len()], numbers, pre, build }, rest))
    }
}

/// Dotted identifiers behind `mark`; empty where there are none.
fn identifiers(text: &str, mark: char) -> (&str, &str) {
    let Some(start) = text.strip_prefix(mark) else { return ("", text) };
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let (first, mut rest) = word(start, letter);
    if first.is_empty() {
        return ("", text);
    }
    while let Some(after) = rest.strip_prefix('.') {
        let (next, below) = word(after, letter);
        if next.is_empty() {
            break;
        }
        rest = below;
    }
    (&start[..start.len() - rest.len()], rest)
}

/// The characters at the beginning that `is` accepts, and the rest.
pub(super) fn word(text: &str, is: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !is(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn versions_are_read_as_they_are_written_in_tags() {
        for (text, expected) in [
            ("1.2.3", Some("1.2.3")),
            ("v1.2.3", Some("1.2.3")),
            ("1", Some("1.0.0")),
            ("v1.2", Some("1.2.0")),
            ("01.02.03", Some("1.2.3")),
            ("1.2.3-rc.1+build.5", Some("1.2.3-rc.1+build.5")),
            ("1.2-beta", Some("1.2.0-beta")),
            ("1.2.3-01", None),
            ("1.2.3-", None),
            ("1.2.3.4", None),
            ("1.x", None),
            ("V1.2.3", None),
            ("", None),
            ("v", None),
            ("v-f9a05b7", None),
            ("latest", None),
            ("18446744073709551616.0.0", None),
        ] {
            let read = read_version(text).map(|version| version.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
