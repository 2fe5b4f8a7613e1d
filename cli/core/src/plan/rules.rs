//! What moves: the rules of `apps:` in `gitops.yaml`, resolved.

use globset::{GlobBuilder, GlobMatcher};

use crate::judge::Moved;

use super::copy::CopyRule;
use super::movers::compile;
use super::path::ValuePath;
use super::slot::{Slot, SlotId};
use super::template::Template;

/// A glob over one name: `*`, `?`, `[…]`, `{a,b}`.
#[derive(Clone, Debug)]
pub struct Pattern(GlobMatcher);

impl Pattern {
    /// Reads a glob.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the glob, in words.
    pub fn new(glob: &str) -> Result<Pattern, String> {
        GlobBuilder::new(glob)
            .build()
            .map(|glob| Pattern(glob.compile_matcher()))
            .map_err(|error| error.kind().to_string())
    }

    /// Whether the glob matches the whole of `name`.
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }

    /// The glob as written.
    pub fn as_str(&self) -> &str {
        self.0.glob().glob()
    }

    /// The only name it matches, where it holds no wildcard.
    pub fn literal(&self) -> Option<&str> {
        let glob = self.as_str();
        (!glob.contains(['*', '?', '[', '{', '\\'])).then_some(glob)
    }
}

/// A glob over the path of a field, part by part: `**.replicas`,
/// `images.*.digest`. `**` stands for any number of parts.
#[derive(Clone, Debug)]
pub struct FieldPattern {
    parts: Vec<Option<Pattern>>,
}

impl FieldPattern {
    /// Reads a dotted glob.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the glob, in words.
    pub fn new(text: &str) -> Result<FieldPattern, String> {
        let parts = text
            .split('.')
            .map(|part| match part {
                "" => Err("a part between dots is empty".to_owned()),
                "**" => Ok(None),
                part => Pattern::new(part).map(Some),
            })
            .collect::<Result<_, _>>()?;
        Ok(FieldPattern { parts })
    }

    /// Whether it matches the whole path.
    pub fn matches(&self, path: &[&str]) -> bool {
        fn from(parts: &[Option<Pattern>], path: &[&str]) -> bool {
            match (parts.split_first(), path.split_first()) {
                (None, None) => true,
                (None, Some(_)) => false,
                (Some((None, rest)), _) => {
                    (0..=path.len()).any(|skipped| from(rest, &path[skipped..]))
                }
                (Some((Some(part), rest)), Some((name, below))) => {
                    part.matches(name) && from(rest, below)
                }
                (Some(_), None) => false,
            }
        }
        from(&self.parts, path)
    }
}

/// One kustomize image that moves with an app.
#[derive(Clone, Debug)]
pub struct ImageRule {
    /// Its name in `images:`; may hold `{app}`.
    pub name: Template,
    /// Which of its fields move.
    pub fields: Vec<Moved>,
}

/// One entry of `promote:`: where the values stand that move.
#[derive(Clone, Debug)]
pub enum Mover {
    /// Fields of an entry of a kustomization's `images:`.
    Image(ImageRule),
    /// A value of any YAML or JSON file.
    Yaml(YamlRule),
    /// A Helm value.
    Values(ValuesRule),
    /// The version of a Helm chart.
    Chart(ChartRule),
    /// The ref of a repository that something is taken from.
    Ref(RefRule),
    /// A part of any text file.
    Regex(RegexRule),
    /// The files of a folder.
    Copy(CopyRule),
}

/// A value of a YAML or JSON file.
#[derive(Clone, Debug)]
pub struct YamlRule {
    /// The file, from the app's folder; may hold `{app}`.
    pub file: Template,
    /// Where the value stands in it.
    pub path: ValuePath,
    /// The kind of the document, where the file holds several.
    pub kind: Option<String>,
    /// The `metadata.name` of the document; may hold `{app}`.
    pub name: Option<Template>,
    /// Whether keys of the path that the target lacks are added.
    pub create: bool,
}

/// A Helm value.
#[derive(Clone, Debug)]
pub struct ValuesRule {
    /// Where the values stand.
    pub file: ValuesFile,
    /// The key, dotted.
    pub key: ValuePath,
    /// Whether a key that the target lacks is added.
    pub create: bool,
}

/// Where Helm values stand.
#[derive(Clone, Debug)]
pub enum ValuesFile {
    /// In a file, from the app's folder; may hold `{app}`. It may be an object
    /// that holds values inline.
    File(Template),
    /// Inline in the objects of a kind, wherever they stand in the app's
    /// folder: `HelmRelease`, `Application` or `ApplicationSet`.
    Kind(String),
}

/// The version of a Helm chart.
#[derive(Clone, Debug)]
pub struct ChartRule {
    /// The chart's name; may hold `{app}`.
    pub name: Template,
}

/// The ref of a repository that something is taken from.
#[derive(Clone, Debug)]
pub struct RefRule {
    /// The repository's URL, perhaps with a folder in it; may hold `{app}`.
    pub base: Template,
}

/// A part of a text file.
#[derive(Clone, Debug)]
pub struct RegexRule {
    /// The file, from the app's folder; may hold `{app}`.
    pub(super) file: Template,
    /// A regular expression whose one group is the value; `{app}` stands for
    /// the app's name.
    pub(super) pattern: String,
    /// How often it must match.
    pub(super) count: usize,
}

impl RegexRule {
    /// Reads a rule.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the expression, in words.
    pub fn new(file: Template, pattern: &str, count: usize) -> Result<RegexRule, String> {
        compile(pattern, "app")?;
        Ok(RegexRule { file, pattern: pattern.to_owned(), count })
    }
}

impl Mover {
    /// What it moves of an app, for people.
    pub(super) fn describe(&self, app: &str) -> String {
        let filled = |template: &Template| template.with_app(app).unwrap_or_default();
        match self {
            Mover::Image(rule) => filled(&rule.name),
            Mover::Yaml(rule) => rule.path.of_app(app),
            Mover::Values(rule) => rule.key.of_app(app),
            Mover::Chart(rule) => format!("chart {}", filled(&rule.name)),
            Mover::Ref(rule) => format!("ref of {}", filled(&rule.base)),
            Mover::Regex(rule) => filled(&rule.file),
            Mover::Copy(rule) => format!("files of `{}`", rule.from),
        }
    }

    /// Its key under `promote:`.
    pub fn word(&self) -> &'static str {
        match self {
            Mover::Image(_) => "image",
            Mover::Yaml(_) => "yaml",
            Mover::Values(_) => "values",
            Mover::Chart(_) => "chart",
            Mover::Ref(_) => "ref",
            Mover::Regex(_) => "regex",
            Mover::Copy(_) => "copy",
        }
    }
}

/// Where the versions of an app are offered; each text may hold `{app}`.
#[derive(Clone, Debug)]
pub enum Versions {
    /// By the tags of a repository.
    Tags {
        /// Its address, or its name in `repositories`.
        of: Template,
        /// What stands before the version in the tags.
        prefix: Template,
    },
    /// By a list in a file of the environment's repository.
    File(Template),
}

/// What moves for the apps that match.
#[derive(Clone, Debug)]
pub struct AppRule {
    /// Which apps.
    pub matches: Pattern,
    /// The values that move.
    pub movers: Vec<Mover>,
    /// Fields that stay with their environment, whatever else is said.
    pub never: Vec<FieldPattern>,
    /// The environments these apps may enter; `None` for all.
    pub environments: Option<Vec<String>>,
    /// Where their versions are offered, where that is said.
    pub versions: Option<Versions>,
}

impl AppRule {
    /// Whether the value of a slot moves: it is among the fields of its mover,
    /// and `never` does not cover it.
    pub fn moves(&self, slot: &Slot) -> bool {
        let wanted = match self.movers.get(slot.id.mover) {
            Some(Mover::Image(image)) => image.fields.contains(&slot.what),
            Some(_) => true,
            None => false,
        };
        wanted && !self.fences(slot)
    }

    /// Whether a slot is a file that `copy` moves.
    pub fn copies(&self, id: &SlotId) -> bool {
        matches!(self.movers.get(id.mover), Some(Mover::Copy(_)))
    }

    /// The base whose ref is all that a version of these apps can mean.
    pub fn only_base(&self) -> Option<&Template> {
        let mut bases = self.movers.iter().filter_map(|mover| match mover {
            Mover::Ref(rule) => Some(&rule.base),
            _ => None,
        });
        let others = self.movers.iter().any(|m| matches!(m, Mover::Image(_) | Mover::Chart(_)));
        let base = bases.next().filter(|_| !others)?;
        bases.next().is_none().then_some(base)
    }

    /// Whether something else than images moves.
    pub(super) fn looks_beyond_images(&self) -> bool {
        self.movers.iter().any(|mover| !matches!(mover, Mover::Image(_)))
    }

    /// Whether `never` covers a slot.
    pub fn fences(&self, slot: &Slot) -> bool {
        let path: Vec<&str> = slot.path.iter().map(String::as_str).collect();
        self.never.iter().any(|pattern| pattern.matches(&path))
    }
}

/// All rules; the first one that matches an app decides for it.
#[derive(Clone, Debug, Default)]
pub struct Rules(pub Vec<AppRule>);

impl Rules {
    /// The rule of `app`.
    pub fn of(&self, app: &str) -> Option<&AppRule> {
        self.0.iter().find(|rule| rule.matches.matches(app))
    }

    /// The app that an image named `image` belongs to, and the entry of
    /// `promote:` that speaks of it.
    pub(super) fn app_of_image(&self, image: &str) -> Option<(String, usize, &ImageRule)> {
        self.0.iter().enumerate().find_map(|(index, rule)| {
            rule.movers.iter().enumerate().find_map(|(mover, entry)| {
                let Mover::Image(image_rule) = entry else { return None };
                let app = if image_rule.name.uses("app") {
                    image_rule.name.app_of(image)?
                } else if image_rule.name.with_app("")? == image {
                    rule.matches.literal()?.to_owned()
                } else {
                    return None;
                };
                let first = self.0.iter().position(|rule| rule.matches.matches(&app));
                (first == Some(index)).then_some((app, mover, image_rule))
            })
        })
    }
}

/// The word for a promoted value on a terminal; for a field of an image its
/// key.
pub fn key_of(what: Moved) -> &'static str {
    match what {
        Moved::ImageTag => "newTag",
        Moved::ImageDigest => "digest",
        Moved::ImageName => "newName",
        Moved::ChartVersion => "chart",
        Moved::GitRef => "ref",
        Moved::Value => "value",
        Moved::Folder => "folder",
        Moved::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn field_patterns_match_part_by_part() {
        let path = ["images", "web", "newTag"];
        for (pattern, matches) in [
            ("**.newTag", true),
            ("images.*.newTag", true),
            ("images.**", true),
            ("**", true),
            ("**.replicas", false),
            ("images.newTag", false),
            ("images.api.newTag", false),
            ("*.*.*.*", false),
        ] {
            assert_eq!(FieldPattern::new(pattern).unwrap().matches(&path), matches, "{pattern}");
        }
        assert!(FieldPattern::new("a..b").is_err());
    }

    #[test]
    fn the_first_matching_rule_owns_an_image() {
        let rule = |matches: &str, name: &str| AppRule {
            matches: Pattern::new(matches).unwrap(),
            movers: vec![Mover::Image(ImageRule {
                name: Template::parse_with(name, &["app"]).unwrap(),
                fields: vec![Moved::ImageTag],
            })],
            never: Vec::new(),
            environments: None,
            versions: None,
        };
        let rules =
            Rules(vec![rule("web", "nginx"), rule("api-*", "acme/{app}"), rule("*", "{app}")]);
        let app_of = |image| rules.app_of_image(image).map(|(app, ..)| app);
        assert_eq!(app_of("nginx").as_deref(), Some("web"));
        assert_eq!(app_of("acme/api-a").as_deref(), Some("api-a"));
        // `api-b` belongs to the second rule, which wants another image name.
        assert_eq!(app_of("api-b"), None);
        assert_eq!(app_of("other").as_deref(), Some("other"));
    }
}
