//! A constraint as a set of intervals.

use semver::{BuildMetadata, Prerelease, Version};

use super::ConstraintError;
use super::scan::{Parts, word};

/// Which versions are allowed: some of them, each of them all at once.
///
/// `1.2.3`, `=`, `!=`, `>`, `>=`, `<`, `<=`, `~`, `~>`, `^`, x-ranges (`1.2.x`),
/// hyphen ranges (`1.2 - 1.4`); blanks or commas between them mean *and*, `||`
/// means *or*. Pre-releases take part only where a constraint of the same group
/// names one, or where they are asked for.
#[derive(Clone, Debug)]
pub struct Constraint {
    text: String,
    groups: Vec<Group>,
    /// Whether `~>` stands in it, and with how many numbers.
    pessimistic: Option<usize>,
    tilde: bool,
}

/// Conditions that hold together.
#[derive(Clone, Debug, Default)]
struct Group {
    from: Vec<Edge>,
    to: Vec<Edge>,
    not: Vec<Hole>,
    /// Whether a pre-release is named.
    pre: bool,
}

/// One end of an interval.
#[derive(Clone, Debug, PartialEq)]
struct Edge {
    version: Version,
    inclusive: bool,
}

/// Versions that are left out.
#[derive(Clone, Debug)]
struct Hole {
    written: String,
    from: Version,
    /// Up to here, without it; `None` for `from` alone.
    to: Option<Version>,
    /// Only versions with the pre-release of `from`.
    same_pre: bool,
}

/// The version of a comparison, and how much of it was said.
struct Said {
    version: Version,
    known: Known,
}

/// How much of a version was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Nothing,
    Major,
    Minor,
    All,
}

/// The longest first, so that `>=` is not read as `>`.
const OPERATORS: [&str; 11] = [">=", "=>", "<=", "=<", "!=", "~>", "=", ">", "<", "~", "^"];

fn blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

impl Constraint {
    /// Reads a constraint.
    ///
    /// # Errors
    ///
    /// When it is none. Nothing is guessed.
    pub fn parse(text: &str) -> Result<Constraint, ConstraintError> {
        let mut constraint = Constraint {
            text: text.trim_matches(blank).to_owned(),
            groups: Vec::new(),
            pessimistic: None,
            tilde: false,
        };
        for part in text.split("||") {
            let group = constraint.group(part).map_err(|reason| ConstraintError {
                text: text.escape_debug().to_string(),
                reason,
            })?;
            constraint.groups.push(group);
        }
        Ok(constraint)
    }

    /// Whether a text asks for more than one version: it holds an operator, a
    /// wildcard or a hyphen range. `1.2.3`, `v-f9a05b7` and `1.2` do not.
    pub fn is_meant(text: &str) -> bool {
        let wild = |text: &str| {
            Parts::scan(text).is_some_and(|(parts, rest)| {
                let numbers = || parts.numbers.iter().flatten();
                rest.is_empty()
                    && numbers().any(|part| matches!(*part, "x" | "X"))
                    && numbers()
                        .all(|part| matches!(*part, "x" | "X") || part.parse::<u64>().is_ok())
            })
        };
        text.contains(['~', '^', '<', '>', '=', '!', '|', '*', ','])
            || text.contains(" - ")
            || wild(text)
    }

    /// The constraint as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `version` is allowed. Pre-releases are, where `pre_releases` says
    /// so or the constraint names one.
    pub fn allows(&self, version: &Version, pre_releases: bool) -> bool {
        self.groups.iter().any(|group| group.allows(version, pre_releases))
    }

    /// The allowed versions as intervals: `>=1.1.0, <1.2.0`. With
    /// `pre_releases` the lowest pre-release of an end is told: `<1.2.0-0`.
    pub fn interval(&self, pre_releases: bool) -> String {
        let groups: Vec<String> =
            self.groups.iter().map(|group| group.words(pre_releases || group.pre)).collect();
        groups.join(" || ")
    }

    /// The version at which what is allowed begins.
    pub(super) fn start(&self) -> Version {
        let lower = |group: &Group| {
            let from = group.from.iter().map(|edge| edge.version.clone());
            from.max_by(Version::cmp_precedence).unwrap_or_else(|| lowest(0, 0, 0))
        };
        let starts = self.groups.iter().map(lower);
        starts.min_by(Version::cmp_precedence).unwrap_or_else(|| lowest(0, 0, 0))
    }

    /// How `~` and `~>` are read, where they stand in it: other tools read the
    /// second one otherwise.
    pub fn flavour(&self) -> Option<String> {
        let as_here = "as Flux, Helm and Argo CD read it (Masterminds semver)";
        match self.pessimistic {
            Some(2) => Some(format!(
                "`~>` is read {as_here}: the same as `~`, so the minor version stays; Ruby and Terraform would go up to the next major version"
            )),
            Some(_) => Some(format!("`~>` is read {as_here}: the same as `~`")),
            None if self.tilde => Some(format!("`~` is read {as_here}")),
            None => None,
        }
    }

    fn group(&mut self, text: &str) -> Result<Group, String> {
        let mut group = Group::default();
        let mut rest = text.trim_matches(blank);
        if rest.is_empty() {
            return Err("a part of it is empty; `*` allows every version".to_owned());
        }
        let mut by_comma = true;
        loop {
            let operator = OPERATORS.into_iter().find(|op| rest.starts_with(op)).unwrap_or("");
            let behind = rest[operator.len()..].trim_start_matches(blank);
            let Some((parts, after)) = Parts::scan(behind) else {
                return Err(format!("a version is missing at `{}`", behind.escape_debug()));
            };
            let said = said(&parts)?;
            group.pre |= !said.version.pre.is_empty();
            rest = after;
            match hyphen(after) {
                Some(_) if !operator.is_empty() => {
                    return Err(format!("`{operator}` and a range do not go together"));
                }
                // Masterminds rewrites the range and loses the blank before it.
                Some(_) if !by_comma => {
                    return Err("a range needs a comma before it".to_owned());
                }
                Some((upper, after)) => {
                    let upper = self::said(&upper)?;
                    group.pre |= !upper.version.pre.is_empty();
                    group.add(">=", &said, parts.text);
                    group.add("<=", &upper, "");
                    rest = after;
                }
                None => {
                    let numbers = parts.numbers.iter().flatten().count();
                    self.tilde |= operator == "~";
                    if operator == "~>" {
                        // The reading that differs is the one to tell about.
                        let differs = numbers == 2 || self.pessimistic == Some(2);
                        self.pessimistic = Some(if differs { 2 } else { numbers });
                    }
                    group.add(operator, &said, parts.text);
                }
            }
            let ranged = hyphen(after).is_some();
            let (blanks, after) = word(rest, blank);
            if after.is_empty() {
                return Ok(group);
            }
            match after.strip_prefix(',') {
                Some(after) => {
                    by_comma = true;
                    rest = after.trim_start_matches(blank);
                }
                None if !blanks.is_empty() => {
                    by_comma = ranged;
                    rest = after;
                }
                None => {
                    return Err(format!("`{}` is not understood", after.escape_debug()));
                }
            }
        }
    }
}

/// The upper end of a hyphen range, where `text` goes on with one.
fn hyphen(text: &str) -> Option<(Parts<'_>, &str)> {
    let (before, rest) = word(text, blank);
    let (after, rest) = word(rest.strip_prefix('-')?, blank);
    if before.is_empty() || after.is_empty() {
        return None;
    }
    Parts::scan(rest)
}

/// The version of a comparison. What was left open is zero.
fn said(parts: &Parts<'_>) -> Result<Said, String> {
    let open = |part: Option<&str>| part.is_none_or(|part| matches!(part, "x" | "X" | "*"));
    let [major, minor, patch] = parts.numbers;
    let known = if open(major) {
        Known::Nothing
    } else if open(minor) {
        Known::Major
    } else if open(patch) {
        Known::Minor
    } else {
        Known::All
    };
    let number = |part: Option<&str>, wanted: bool| match part {
        Some(part) if wanted => {
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u64>()
                .ok()
                .filter(|_| digits)
                .ok_or_else(|| format!("`{part}` in `{}` is not a number", parts.text))
        }
        _ => Ok(0),
    };
    let bad = |what: &str| format!("`{}` has a bad {what}", parts.text);
    Ok(Said {
        version: Version {
            major: number(major, known != Known::Nothing)?,
            minor: number(minor, matches!(known, Known::Minor | Known::All))?,
            patch: number(patch, known == Known::All)?,
            pre: Prerelease::new(parts.pre).map_err(|_| bad("pre-release"))?,
            build: BuildMetadata::EMPTY,
        },
        known,
    })
}

/// The lowest of all versions with these numbers: its first pre-release.
fn lowest(major: u64, minor: u64, patch: u64) -> Version {
    let pre = Prerelease::new("0").expect("`0` is a pre-release");
    Version { major, minor, patch, pre, build: BuildMetadata::EMPTY }
}

/// The first version behind all those of this major version.
fn next_major(version: &Version) -> Option<Version> {
    Some(lowest(version.major.checked_add(1)?, 0, 0))
}

fn next_minor(version: &Version) -> Option<Version> {
    match version.minor.checked_add(1) {
        Some(minor) => Some(lowest(version.major, minor, 0)),
        None => next_major(version),
    }
}

fn next_patch(version: &Version) -> Option<Version> {
    match version.patch.checked_add(1) {
        Some(patch) => Some(lowest(version.major, version.minor, patch)),
        None => next_minor(version),
    }
}

impl Group {
    fn add(&mut self, operator: &str, said: &Said, written: &str) {
        let at = &said.version;
        match (operator, said.known) {
            ("" | "=", Known::All) => {
                self.at_least(at.clone());
                self.to.push(Edge { version: at.clone(), inclusive: true });
            }
            ("" | "=" | "~" | "~>", _) => {
                self.at_least(at.clone());
                // `~0.0.0` and `~*` are everything from there on.
                let zero = at.major == 0 && at.minor == 0 && at.patch == 0;
                match said.known {
                    Known::Nothing => {}
                    Known::All if zero => {}
                    Known::Major => self.below(next_major(at)),
                    Known::Minor | Known::All => self.below(next_minor(at)),
                }
            }
            ("!=", known) => self.not.push(Hole {
                written: written.to_owned(),
                from: match known {
                    Known::Major => lowest(at.major, 0, 0),
                    Known::Minor => {
                        Version { pre: at.pre.clone(), ..lowest(at.major, at.minor, 0) }
                    }
                    Known::Nothing | Known::All => at.clone(),
                },
                to: match known {
                    Known::Major => next_major(at),
                    Known::Minor => next_minor(at),
                    Known::Nothing | Known::All => None,
                },
                same_pre: known == Known::Minor,
            }),
            (">", Known::Major) => self.starting_at(next_major(at)),
            (">", Known::Minor) => self.starting_at(next_minor(at)),
            (">", _) => self.from.push(Edge { version: at.clone(), inclusive: false }),
            ("<", _) => self.to.push(Edge { version: at.clone(), inclusive: false }),
            ("<=" | "=<", Known::All) => {
                self.to.push(Edge { version: at.clone(), inclusive: true });
            }
            ("<=" | "=<", Known::Major) => self.below(next_major(at)),
            ("<=" | "=<", _) => self.below(next_minor(at)),
            ("^", known) => {
                self.at_least(at.clone());
                self.below(match known {
                    Known::Major => next_major(at),
                    _ if at.major > 0 => next_major(at),
                    Known::Minor => next_minor(at),
                    _ if at.minor > 0 => next_minor(at),
                    _ => next_patch(at),
                });
            }
            // `>=` and `=>`: no other operator is in the table.
            _ => self.at_least(at.clone()),
        }
    }

    fn at_least(&mut self, version: Version) {
        self.from.push(Edge { version, inclusive: true });
    }

    /// From there on; where no such version can be written, nothing is.
    fn starting_at(&mut self, version: Option<Version>) {
        let last = Version::new(u64::MAX, u64::MAX, u64::MAX);
        self.from.push(match version {
            Some(version) => Edge { version, inclusive: true },
            None => Edge { version: last, inclusive: false },
        });
    }

    fn below(&mut self, version: Option<Version>) {
        self.to.extend(version.map(|version| Edge { version, inclusive: false }));
    }

    fn allows(&self, version: &Version, pre_releases: bool) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        if !version.pre.is_empty() && !pre_releases && !self.pre {
            return false;
        }
        let beyond = |edge: &Edge, wanted| match version.cmp_precedence(&edge.version) {
            Equal => edge.inclusive,
            order => order == wanted,
        };
        self.from.iter().all(|edge| beyond(edge, Greater))
            && self.to.iter().all(|edge| beyond(edge, Less))
            && !self.not.iter().any(|hole| hole.holds(version))
    }

    /// The interval in words; `exact` tells the pre-releases at its ends.
    fn words(&self, exact: bool) -> String {
        use std::cmp::Ordering::{Equal, Less};
        // Unless pre-releases take part, `-0` stands for the version itself.
        let plain = |edge: &Edge| {
            let mut edge = edge.clone();
            if !exact {
                edge.version.pre = Prerelease::EMPTY;
            }
            edge
        };
        let order = |a: &Edge, b: &Edge| a.version.cmp_precedence(&b.version);
        let from = self.from.iter().map(plain);
        let from = from.max_by(|a, b| order(a, b).then(b.inclusive.cmp(&a.inclusive)));
        let to = self.to.iter().map(plain);
        let to = to.min_by(|a, b| order(a, b).then(a.inclusive.cmp(&b.inclusive)));
        let mut words = Vec::new();
        match (from, to) {
            (Some(from), Some(to)) => match order(&from, &to) {
                Equal if from.inclusive && to.inclusive => words.push(format!("={}", from.version)),
                Less => words.extend([lower(&from), upper(&to)]),
                _ => return "no version".to_owned(),
            },
            (Some(from), None) => words.push(lower(&from)),
            (None, Some(to)) => words.push(upper(&to)),
            (None, None) => words.push(">=0.0.0".to_owned()),
        }
        words.extend(self.not.iter().map(|hole| format!("!={}", hole.written)));
        words.join(", ")
    }
}

fn lower(edge: &Edge) -> String {
    format!("{}{}", if edge.inclusive { ">=" } else { ">" }, edge.version)
}

fn upper(edge: &Edge) -> String {
    format!("{}{}", if edge.inclusive { "<=" } else { "<" }, edge.version)
}

impl Hole {
    fn holds(&self, version: &Version) -> bool {
        use std::cmp::Ordering::Equal;
        if self.same_pre {
            return version.major == self.from.major
                && version.minor == self.from.minor
                && version.pre == self.from.pre;
        }
        match &self.to {
            None => version.cmp_precedence(&self.from) == Equal,
            Some(to) => {
                version.cmp_precedence(&self.from).is_ge() && version.cmp_precedence(to).is_lt()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::read_version;
    use super::*;

    #[test]
    fn intervals_are_those_of_the_dialect() {
        for (text, interval) in [
            ("~1.1", ">=1.1.0, <1.2.0"),
            ("~> 1.1", ">=1.1.0, <1.2.0"),
            ("~1.2.3", ">=1.2.3, <1.3.0"),
            ("~1", ">=1.0.0, <2.0.0"),
            ("~1.2.3-beta.2", ">=1.2.3-beta.2, <1.3.0-0"),
            ("~0.0.0", ">=0.0.0"),
            ("*", ">=0.0.0"),
            ("^1.2.3", ">=1.2.3, <2.0.0"),
            ("^0.2.3", ">=0.2.3, <0.3.0"),
            ("^0.0.3", ">=0.0.3, <0.0.4"),
            ("^0.0", ">=0.0.0, <0.1.0"),
            ("^0", ">=0.0.0, <1.0.0"),
            ("1.2.x", ">=1.2.0, <1.3.0"),
            ("v1.X", ">=1.0.0, <2.0.0"),
            ("1.2 - 1.4.5", ">=1.2.0, <=1.4.5"),
            ("1.2 - 1.4", ">=1.2.0, <1.5.0"),
            (">1.2", ">=1.3.0"),
            (">1", ">=2.0.0"),
            ("<=1", "<2.0.0"),
            (">=1.2, <2 !=1.5.x", ">=1.2.0, <2.0.0, !=1.5.x"),
            ("=1.2.3", "=1.2.3"),
            ("~1.1 || ^3", ">=1.1.0, <1.2.0 || >=3.0.0, <4.0.0"),
            (">2 <1", "no version"),
            (">1.1 <1.2", "no version"),
        ] {
            assert_eq!(Constraint::parse(text).unwrap().interval(false), interval, "{text}");
        }
        assert_eq!(Constraint::parse("~1.1").unwrap().interval(true), ">=1.1.0, <1.2.0-0");
    }

    #[test]
    fn pre_releases_take_part_only_where_one_is_named_or_asked_for() {
        let version = read_version("1.1.5-rc.1").unwrap();
        for (text, asked, allowed) in [
            ("~1.1", false, false),
            ("~1.1", true, true),
            ("~1.1.0-0", false, true),
            ("~1.1 || >=9.0.0-0", false, false),
            (">=1.1.5", true, false),
        ] {
            assert_eq!(Constraint::parse(text).unwrap().allows(&version, asked), allowed, "{text}");
        }
        // The first pre-release of the next minor version is no `1.1`.
        let next = read_version("1.2.0-alpha").unwrap();
        assert!(!Constraint::parse("~1.1").unwrap().allows(&next, true));
    }

    #[test]
    fn what_is_no_constraint_says_why() {
        for (text, reason) in [
            ("", "a part of it is empty"),
            ("1.2 ||", "a part of it is empty"),
            (">", "a version is missing at ``"),
            ("1.2.3.4", "`.4` is not understood"),
            ("1.2,", "a version is missing"),
            ("~1.1 latest", "a version is missing at `latest`"),
            (">1 - 2", "`>` and a range do not go together"),
            ("1.1x", "`1x` in `1.1x` is not a number"),
            ("1.2.3-01", "bad pre-release"),
        ] {
            let error = Constraint::parse(text).unwrap_err();
            assert!(error.reason.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn plain_versions_are_not_constraints() {
        for (text, meant) in [
            ("~1.1", true),
            ("1.x", true),
            ("v1.2.X", true),
            ("*", true),
            ("1 - 2", true),
            ("1.2.3 || 4", true),
            ("1.2", false),
            ("1.2.3-rc.1", false),
            ("v-f9a05b7", false),
            ("latest", false),
            ("x", true),
            ("xenial", false),
            ("v 1", false),
            ("sha256:00", false),
        ] {
            assert_eq!(Constraint::is_meant(text), meant, "{text}");
        }
    }

    #[test]
    fn the_reading_of_the_tilde_is_told() {
        let flavour = |text| Constraint::parse(text).unwrap().flavour();
        assert!(flavour("~> 1.1").unwrap().contains("Ruby and Terraform would go up"));
        assert!(!flavour("~> 1.1.2").unwrap().contains("Terraform"));
        assert!(flavour("~1.1").unwrap().contains("Masterminds"));
        assert_eq!(flavour("^1.1"), None);
    }
}
