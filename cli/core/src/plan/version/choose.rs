//! The highest offered version that a constraint allows.

use semver::Version;

use gitops_tree::TreePath;
use gitops_yaml::{FileId, Node};

use super::super::hunk::printable;
use super::constraint::Constraint;
use super::scan::read_version;

/// A version that somebody offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// As it is offered: the name of a tag, a line of a list.
    pub name: String,
    /// What that reads as.
    pub version: Version,
}

/// What is asked of [`choose`].
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What is allowed.
    pub constraint: &'a Constraint,
    /// Whether pre-releases may be chosen.
    pub pre_release: bool,
    /// Whether a version may be chosen that is older than the one in place.
    pub downgrade: bool,
    /// What stands in the target now.
    pub current: Option<&'a str>,
    /// What stands before the version in the names that are offered.
    pub prefix: &'a str,
}

/// A choice, and what it rested on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The name as it was offered.
    pub name: String,
    /// What is written: the name, without the prefix where the version in place
    /// has none.
    pub written: String,
    /// The constraint as it was written.
    pub constraint: String,
    /// The versions it allows.
    pub interval: String,
    /// How it was read, where tools differ.
    pub flavour: Option<String>,
    /// How many versions were offered.
    pub offered: usize,
    /// What is in place, where it is no version that could be compared.
    pub unknown_before: Option<String>,
}

impl Chosen {
    /// The choice in one line.
    pub fn words(&self) -> String {
        let versions = if self.offered == 1 { "version" } else { "versions" };
        format!(
            "`{}` is {}; of {} {versions} offered the highest in it is `{}`",
            printable(&self.constraint),
            self.interval,
            self.offered,
            printable(&self.name),
        )
    }

    /// All there is to say about the choice for an app, a sentence each.
    pub fn notes(&self, app: &str) -> Vec<String> {
        let mut notes = vec![format!("{app}: {}", self.words())];
        if self.name != self.written {
            let written = printable(&self.written);
            notes.push(format!("it is written as `{written}`, as the version in place is"));
        }
        notes.extend(self.flavour.clone());
        if let Some(now) = &self.unknown_before {
            let now = printable(now);
            notes.push(format!(
                "`{now}`, which stands there, is no version: nobody can tell whether this goes back"
            ));
        }
        notes
    }
}

/// Why nothing was chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoVersion {
    /// There is nothing to choose from.
    #[error("no version is offered for `{constraint}`")]
    NothingOffered {
        /// What was asked for.
        constraint: String,
    },
    /// Nothing offered is allowed.
    #[error("no offered version is in `{constraint}` ({interval}); offered are {}", .offered.join(", "))]
    NoneAllowed {
        /// What was asked for.
        constraint: String,
        /// The versions it allows.
        interval: String,
        /// What was offered, the newest first, shortened.
        offered: Vec<String>,
        /// A pre-release that would do.
        pre_release: Option<String>,
        /// Versions that are next to what is allowed.
        nearest: Vec<String>,
    },
    /// Only a pre-release is allowed.
    #[error("`{version}`, the highest in `{constraint}` ({interval}), is a pre-release")]
    PreRelease {
        /// What was asked for.
        constraint: String,
        /// The versions it allows.
        interval: String,
        /// The pre-release.
        version: String,
    },
    /// The target holds a newer version.
    #[error("`{version}`, the highest in `{constraint}` ({interval}), is older than `{current}`")]
    Downgrade {
        /// What was asked for.
        constraint: String,
        /// The versions it allows.
        interval: String,
        /// The choice.
        version: String,
        /// What is there.
        current: String,
    },
}

impl NoVersion {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            NoVersion::NothingOffered { .. } => Some(
                "`versions` of the app in gitops.yaml says where they are offered, and behind which `prefix`"
                    .to_owned(),
            ),
            NoVersion::NoneAllowed { pre_release, nearest, .. } => {
                if let Some(version) = pre_release {
                    return Some(format!(
                        "`{version}` is a pre-release: `--pre-release` allows it"
                    ));
                }
                match nearest.as_slice() {
                    [] => None,
                    [only] => Some(format!("the nearest is `{only}`")),
                    several => Some(format!("the nearest are `{}`", several.join("` and `"))),
                }
            }
            NoVersion::PreRelease { .. } => Some("`--pre-release` allows it".to_owned()),
            NoVersion::Downgrade { .. } => Some("`--downgrade` allows it".to_owned()),
        }
    }

    /// Whether the answer is a plain no, which a flag turns into a yes.
    pub fn is_refusal(&self) -> bool {
        match self {
            NoVersion::PreRelease { .. } | NoVersion::Downgrade { .. } => true,
            NoVersion::NoneAllowed { pre_release, .. } => pre_release.is_some(),
            NoVersion::NothingOffered { .. } => false,
        }
    }
}

/// Takes the highest offered version that is allowed.
///
/// # Errors
///
/// When there is none, or it needs a flag that was not given.
pub fn choose(asked: &Asked<'_>, offered: &[Offered]) -> Result<Chosen, NoVersion> {
    let constraint = printable(asked.constraint.as_str());
    let interval = asked.constraint.interval(asked.pre_release);
    if offered.is_empty() {
        return Err(NoVersion::NothingOffered { constraint });
    }
    let bare = |name: &str| name.strip_prefix(asked.prefix).unwrap_or(name).to_owned();
    let current = asked.current.map(|text| (text, read_version(&bare(text))));
    let has_v = |name: &str| bare(name).starts_with('v');
    let v_now = asked.current.is_some_and(has_v);
    let highest = |pre_releases: bool| {
        let allowed =
            offered.iter().filter(|one| asked.constraint.allows(&one.version, pre_releases));
        allowed.max_by(|a, b| {
            // Of `v1.2.0` and `1.2.0` the one that is spelt as the present one.
            let spelt = |one: &Offered| has_v(&one.name) == v_now;
            let order = a.version.cmp_precedence(&b.version);
            order.then(spelt(a).cmp(&spelt(b))).then(a.name.cmp(&b.name))
        })
    };
    let Some(choice) = highest(asked.pre_release) else {
        return Err(NoVersion::NoneAllowed {
            constraint,
            interval,
            offered: shortened(offered),
            pre_release: highest(true).map(|one| printable(&one.name)),
            nearest: nearest(asked, offered),
        });
    };
    let version = printable(&choice.name);
    if !choice.version.pre.is_empty() && !asked.pre_release {
        return Err(NoVersion::PreRelease { constraint, interval, version });
    }
    if let Some((text, Some(now))) = &current
        && choice.version.cmp_precedence(now).is_lt()
        && !asked.downgrade
    {
        let current = printable(text);
        return Err(NoVersion::Downgrade { constraint, interval, version, current });
    }
    let without = asked.current.is_some_and(|text| !text.starts_with(asked.prefix));
    Ok(Chosen {
        written: if without { bare(&choice.name) } else { choice.name.clone() },
        name: choice.name.clone(),
        constraint: asked.constraint.as_str().to_owned(),
        interval,
        flavour: asked.constraint.flavour(),
        offered: offered.len(),
        unknown_before: match current {
            Some((text, None)) => Some(text.to_owned()),
            _ => None,
        },
    })
}

/// The last version before what is allowed begins, and the first one behind it.
fn nearest(asked: &Asked<'_>, offered: &[Offered]) -> Vec<String> {
    let start = asked.constraint.start();
    let stable = || offered.iter().filter(|one| asked.pre_release || one.version.pre.is_empty());
    let before = |one: &&Offered| one.version.cmp_precedence(&start).is_lt();
    let order = |a: &&Offered, b: &&Offered| a.version.cmp_precedence(&b.version);
    let below = stable().filter(before).max_by(order);
    let above = stable().filter(|one| !before(one)).min_by(order);
    below.into_iter().chain(above).map(|one| printable(&one.name)).collect()
}

/// The newest first, and no more than fit a line or two.
fn shortened(offered: &[Offered]) -> Vec<String> {
    const SHOWN: usize = 20;
    let mut sorted: Vec<&Offered> = offered.iter().collect();
    sorted.sort_by(|a, b| b.version.cmp(&a.version).then(b.name.cmp(&a.name)));
    let mut names: Vec<String> =
        sorted.iter().take(SHOWN).map(|one| printable(&one.name)).collect();
    if sorted.len() > SHOWN {
        names.push(format!("and {} more", sorted.len() - SHOWN));
    }
    names
}

/// The tags that are versions behind `prefix`. Others are not offered.
pub fn offered_tags<'a>(names: impl IntoIterator<Item = &'a str>, prefix: &str) -> Vec<Offered> {
    let version = |name: &'a str| {
        let version = read_version(name.strip_prefix(prefix)?)?;
        Some(Offered { name: name.to_owned(), version })
    };
    names.into_iter().filter_map(version).collect()
}

/// The versions of a list: a YAML list of strings where the file ends in
/// `.yaml`, `.yml` or `.json`, otherwise one version a line, with `#` comments.
///
/// # Errors
///
/// Where and why it is no such list. An entry that is no version is an error:
/// the list is there for nothing else.
pub fn offered_in_file(path: &TreePath, bytes: &[u8]) -> Result<Vec<Offered>, String> {
    let yaml = [".yaml", ".yml", ".json"].iter().any(|end| path.as_str().ends_with(end));
    let mut names: Vec<(u32, String)> = Vec::new();
    if yaml {
        let documents = gitops_yaml::read(FileId(0), bytes)
            .map_err(|error| format!("{path}:{}:{}: {}", error.line, error.column, error.reason))?;
        for root in documents.iter().filter_map(|document| document.root.as_ref()) {
            if !matches!(root.value, gitops_yaml::Value::Sequence(_)) {
                return Err(format!("{path}:{}: a list of versions is a list", root.mark.line));
            }
            for item in root.items() {
                let Some(text) = scalar(item) else {
                    return Err(format!("{path}:{}: a version is a string", item.mark.line));
                };
                names.push((item.mark.line, text));
            }
        }
    } else {
        let text = std::str::from_utf8(bytes).map_err(|_| format!("{path}: it is not UTF-8"))?;
        for (line, text) in (1..).zip(text.lines()) {
            let name = text.split('#').next().unwrap_or_default().trim();
            if !name.is_empty() {
                names.push((line, name.to_owned()));
            }
        }
    }
    let offered = names.into_iter().map(|(line, name)| match read_version(&name) {
        Some(version) => Ok(Offered { name, version }),
        None => Err(format!("{path}:{line}: `{}` is not a version", printable(&name))),
    });
    offered.collect()
}

/// The text of a scalar, a number's too: `1.10` is a version.
fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        gitops_yaml::Value::Scalar(scalar) => Some(scalar.text.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TAGS: [&str; 8] = [
        "v1.0.0",
        "v1.1.0",
        "v1.1.9",
        "v1.1.10",
        "v1.2.0-rc.1",
        "v1.2.0",
        "nightly",
        "chart-9.9.9",
    ];

    fn asked<'a>(constraint: &'a Constraint, current: Option<&'a str>) -> Asked<'a> {
        Asked { constraint, pre_release: false, downgrade: false, current, prefix: "" }
    }

    #[test]
    fn the_highest_allowed_version_is_chosen() {
        let constraint = Constraint::parse("~1.1").unwrap();
        let chosen = choose(&asked(&constraint, Some("v1.0.0")), &offered_tags(TAGS, "")).unwrap();
        assert_eq!(chosen.written, "v1.1.10");
        assert_eq!(
            chosen.words(),
            "`~1.1` is >=1.1.0, <1.2.0; of 6 versions offered the highest in it is `v1.1.10`"
        );
    }

    #[test]
    fn without_a_match_the_offer_is_listed() {
        let constraint = Constraint::parse("~3.0").unwrap();
        let error = choose(&asked(&constraint, None), &offered_tags(TAGS, "")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no offered version is in `~3.0` (>=3.0.0, <3.1.0); offered are v1.2.0, v1.2.0-rc.1, v1.1.10, v1.1.9, v1.1.0, v1.0.0"
        );
        assert_eq!(error.hint().unwrap(), "the nearest is `v1.2.0`");
        let hole = Constraint::parse("~1.0.5").unwrap();
        let error = choose(&asked(&hole, None), &offered_tags(TAGS, "")).unwrap_err();
        assert_eq!(error.hint().unwrap(), "the nearest are `v1.0.0` and `v1.1.0`");
        let nothing = choose(&asked(&constraint, None), &[]).unwrap_err();
        assert!(matches!(nothing, NoVersion::NothingOffered { .. }));
    }

    #[test]
    fn a_pre_release_needs_its_flag() {
        let offered = offered_tags(["1.1.0-rc.2", "1.1.0-rc.1"], "");
        let constraint = Constraint::parse("~1.1.0-0").unwrap();
        let error = choose(&asked(&constraint, None), &offered).unwrap_err();
        assert!(matches!(&error, NoVersion::PreRelease { version, .. } if version == "1.1.0-rc.2"));
        let plain = Constraint::parse("<=1.1.0").unwrap();
        let error = choose(&asked(&plain, None), &offered).unwrap_err();
        assert_eq!(
            error.hint().unwrap(),
            "`1.1.0-rc.2` is a pre-release: `--pre-release` allows it"
        );
        for constraint in [&constraint, &plain] {
            let asked = Asked { pre_release: true, ..asked(constraint, None) };
            assert_eq!(choose(&asked, &offered).unwrap().written, "1.1.0-rc.2");
        }
    }

    #[test]
    fn a_downgrade_needs_its_flag() {
        let constraint = Constraint::parse("~1.1").unwrap();
        let offered = offered_tags(TAGS, "");
        let plain = asked(&constraint, Some("v1.2.0"));
        let error = choose(&plain, &offered).unwrap_err();
        assert!(matches!(error, NoVersion::Downgrade { .. }) && error.is_refusal());
        assert_eq!(
            choose(&Asked { downgrade: true, ..plain }, &offered).unwrap().written,
            "v1.1.10"
        );
        // A branch's name is no version: that is told, not guessed.
        let unknown = choose(&asked(&constraint, Some("main")), &offered).unwrap();
        assert_eq!(unknown.unknown_before.as_deref(), Some("main"));
    }

    #[test]
    fn what_is_written_is_spelt_as_what_is_there() {
        let constraint = Constraint::parse("^1").unwrap();
        let offered = offered_tags(["web/v1.1.0", "web/v1.2.0", "api/v1.9.0"], "web/");
        for (current, written) in
            [(Some("v1.1.0"), "v1.2.0"), (Some("web/v1.1.0"), "web/v1.2.0"), (None, "web/v1.2.0")]
        {
            let asked = Asked { prefix: "web/", ..asked(&constraint, current) };
            assert_eq!(choose(&asked, &offered).unwrap().written, written);
        }
        let both = offered_tags(["v1.2.0", "1.2.0"], "");
        for current in ["1.1.0", "v1.1.0"] {
            let chosen = choose(&asked(&constraint, Some(current)), &both).unwrap();
            assert_eq!(chosen.written.starts_with('v'), current.starts_with('v'));
        }
    }

    #[test]
    fn lists_are_read_line_by_line_or_as_yaml() {
        let names = |path: &str, text: &str| {
            let path = TreePath::new(path).unwrap();
            let read = offered_in_file(&path, text.as_bytes());
            read.map(|all| all.into_iter().map(|one| one.name).collect::<Vec<_>>())
        };
        let plain = names("versions", "# offered\n1.2.0\n\nv1.3 # new\r\n").unwrap();
        assert_eq!(plain, ["1.2.0", "v1.3"]);
        assert_eq!(names("v.yaml", "- 1.10\n- \"2.0.0\"\n").unwrap(), ["1.10", "2.0.0"]);
        assert_eq!(names("v.json", "[\"1.0.0\"]").unwrap(), ["1.0.0"]);
        assert_eq!(names("v", "1.2.0\nlatest\n").unwrap_err(), "v:2: `latest` is not a version");
        assert_eq!(
            names("v.yaml", "a: 1\n").unwrap_err(),
            "v.yaml:1: a list of versions is a list"
        );
        assert_eq!(names("v.yaml", "- {a: 1}\n").unwrap_err(), "v.yaml:1: a version is a string");
    }
}
