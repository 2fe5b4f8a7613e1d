//! Where a value stands in a document: `spec.containers[name=web].image`.

use gitops_yaml::{Node, Step, Value};

use super::template::Template;

/// A dotted path. Keys with dots are quoted (`metadata.labels."a.b/c"`), items
/// of a list are named by number (`[0]`) or by one of their keys
/// (`[name=web]`). `{app}` may stand in any of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValuePath {
    parts: Vec<Part>,
    written: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Key(Template),
    Item(usize),
    Where(Template, Template),
}

/// Why a path does not lead to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Miss {
    /// What was found instead, in words.
    pub(super) reason: String,
    /// How far it goes.
    pub(super) above: Vec<Step>,
    /// The keys that are not there; empty where the path cannot go on at all.
    pub(super) missing: Vec<Step>,
    /// 1-based line of the last node on the way.
    pub(super) line: u32,
}

impl ValuePath {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it, in words.
    pub fn new(text: &str) -> Result<ValuePath, String> {
        let mut reader = Reader { rest: text };
        let mut parts = Vec::new();
        if text.is_empty() {
            return Err("the path is empty".to_owned());
        }
        loop {
            if reader.take('[') {
                parts.push(reader.bracket()?);
            } else {
                parts.push(Part::Key(reader.key(&['.', '['])?));
            }
            if reader.rest.is_empty() {
                return Ok(ValuePath { parts, written: text.to_owned() });
            }
            if !reader.take('.') && !reader.rest.starts_with('[') {
                return Err(format!("`.` or `[` is missing before `{}`", reader.rest));
            }
        }
    }

    /// The path as written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Whether `{app}` stands in it.
    pub fn uses_app(&self) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Key(name) => name.uses("app"),
            Part::Where(key, value) => key.uses("app") || value.uses("app"),
            Part::Item(_) => false,
        })
    }

    /// The path with `{app}` filled, as people write it.
    pub(super) fn of_app(&self, app: &str) -> String {
        self.written.replace("{app}", app)
    }

    /// The parts as `never` sees them: items by their name or number.
    pub(super) fn names(&self, app: &str) -> Vec<String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Key(name) | Part::Where(_, name) => filled(name, app),
                Part::Item(index) => index.to_string(),
            })
            .collect()
    }

    /// Follows the path from `root`. Answers the steps and the value.
    pub(super) fn find<'a>(
        &self,
        root: &'a Node,
        app: &str,
    ) -> Result<(Vec<Step>, &'a Node), Miss> {
        let mut node = root;
        let mut steps: Vec<Step> = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            let miss = |reason: String, missing: Vec<Step>, above: &[Step]| Miss {
                reason,
                above: above.to_vec(),
                missing,
                line: node.mark.line,
            };
            let place = || match super::edit::spelled(&steps) {
                root if steps.is_empty() => root,
                path => format!("`{path}`"),
            };
            let (step, below) = match part {
                Part::Key(name) => {
                    let name = filled(name, app);
                    match (node.get(&name), &node.value) {
                        (Some(below), _) => (Step::Key(name), below),
                        (None, Value::Mapping(entries)) => {
                            let keys = entries.iter().filter_map(|(key, _)| key.text());
                            let reason = format!(
                                "there is no key `{name}` in {}; {}",
                                place(),
                                listed("it has", keys)
                            );
                            return Err(miss(reason, self.keys_from(at, app), &steps));
                        }
                        (None, _) if node.is_null() => {
                            let reason = format!("{} is empty", place());
                            return Err(miss(reason, self.keys_from(at, app), &steps));
                        }
                        (None, _) => {
                            let reason =
                                format!("{} is {}, so it has no key `{name}`", place(), kind(node));
                            return Err(miss(reason, Vec::new(), &steps));
                        }
                    }
                }
                Part::Item(index) => match node.items().get(*index) {
                    Some(below) => (Step::Item(*index), below),
                    None => {
                        let reason = match &node.value {
                            Value::Sequence(items) => format!(
                                "there is no item {index} in {}; it has {}",
                                place(),
                                items.len()
                            ),
                            _ => format!("{} is {}, not a list", place(), kind(node)),
                        };
                        return Err(miss(reason, Vec::new(), &steps));
                    }
                },
                Part::Where(key, value) => {
                    let (key, value) = (filled(key, app), filled(value, app));
                    let Value::Sequence(items) = &node.value else {
                        let reason = format!("{} is {}, not a list", place(), kind(node));
                        return Err(miss(reason, Vec::new(), &steps));
                    };
                    let mut fits = items
                        .iter()
                        .enumerate()
                        .filter(|(_, item)| item.get(&key).and_then(Node::text) == Some(&*value));
                    match (fits.next(), fits.next()) {
                        (Some((index, below)), None) => (Step::Item(index), below),
                        (Some((_, first)), Some((_, second))) => {
                            let reason = format!(
                                "two items of {} have `{key}: {value}`, in lines {} and {}",
                                place(),
                                first.mark.line,
                                second.mark.line
                            );
                            return Err(miss(reason, Vec::new(), &steps));
                        }
                        (None, _) => {
                            let there =
                                items.iter().filter_map(|item| item.get(&key).and_then(Node::text));
                            let reason = format!(
                                "no item of {} has `{key}: {value}`; {}",
                                place(),
                                listed("there are", there)
                            );
                            return Err(miss(reason, Vec::new(), &steps));
                        }
                    }
                }
            };
            steps.push(step);
            node = below;
        }
        Ok((steps, node))
    }

    /// The keys from one part on; none where not all of them are keys.
    fn keys_from(&self, at: usize, app: &str) -> Vec<Step> {
        let keys = self.parts[at..].iter().map(|part| match part {
            Part::Key(name) => Some(Step::Key(filled(name, app))),
            _ => None,
        });
        keys.collect::<Option<Vec<Step>>>().unwrap_or_default()
    }

    /// What `{app}` may be: the names that stand where it stands.
    pub(super) fn apps(&self, root: &Node) -> Vec<String> {
        let mut apps = Vec::new();
        let mut nodes = vec![root];
        for part in &self.parts {
            let mut below = Vec::new();
            for node in nodes {
                match part {
                    Part::Key(name) if name.uses("app") => {
                        let keys = node.entries().iter().filter_map(|(key, _)| key.text());
                        apps.extend(keys.filter_map(|key| name.app_of(key)));
                    }
                    Part::Key(name) => below.extend(node.get(&filled(name, ""))),
                    Part::Item(index) => below.extend(node.items().get(*index)),
                    Part::Where(key, value) => {
                        let key = filled(key, "");
                        for item in node.items() {
                            let Some(text) = item.get(&key).and_then(Node::text) else { continue };
                            if value.uses("app") {
                                apps.extend(value.app_of(text));
                            } else if filled(value, "") == text {
                                below.push(item);
                            }
                        }
                    }
                }
            }
            if !apps.is_empty() {
                break;
            }
            nodes = below;
        }
        apps.sort();
        apps.dedup();
        apps
    }
}

fn filled(name: &Template, app: &str) -> String {
    name.with_app(app).unwrap_or_default()
}

/// What a node is, in words.
pub(super) fn kind(node: &Node) -> &'static str {
    match &node.value {
        Value::Mapping(_) => "a mapping",
        Value::Sequence(_) => "a list",
        Value::Scalar(_) if node.is_null() => "empty",
        Value::Scalar(_) => "a single value",
    }
}

/// Some of the names that are there.
pub(super) fn listed<'a>(lead: &str, names: impl Iterator<Item = &'a str>) -> String {
    const MANY: usize = 8;
    let names: Vec<&str> = names.collect();
    let mut shown: Vec<String> =
        names.iter().take(MANY).map(|name| format!("`{}`", super::hunk::printable(name))).collect();
    if names.len() > MANY {
        shown.push(format!("{} more", names.len() - MANY));
    }
    if shown.is_empty() { format!("{lead} none") } else { format!("{lead} {}", shown.join(", ")) }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn take(&mut self, c: char) -> bool {
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// A key: quoted, or up to one of `ends`. `\` takes the next character as
    /// it is.
    fn key(&mut self, ends: &[char]) -> Result<Template, String> {
        for quote in ['"', '\''] {
            if self.take(quote) {
                let Some((name, rest)) = self.rest.split_once(quote) else {
                    return Err(format!("a `{quote}` stands alone"));
                };
                self.rest = rest;
                return template(name);
            }
        }
        let mut name = String::new();
        let mut chars = self.rest.char_indices();
        let end = loop {
            match chars.next() {
                None => break self.rest.len(),
                Some((at, c)) if ends.contains(&c) => break at,
                Some((_, '\\')) => match chars.next() {
                    Some((_, c)) => name.push(c),
                    None => return Err("a `\\` stands alone".to_owned()),
                },
                Some((_, c)) => name.push(c),
            }
        };
        self.rest = &self.rest[end..];
        if name.is_empty() {
            return Err("a key is empty".to_owned());
        }
        template(&name)
    }

    /// What stands between `[` and `]`.
    fn bracket(&mut self) -> Result<Part, String> {
        let digits = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let part = if digits > 0 && self.rest[digits..].starts_with(']') {
            let (number, rest) = self.rest.split_at(digits);
            self.rest = rest;
            Part::Item(number.parse().map_err(|_| format!("`{number}` is too large"))?)
        } else {
            let quoted = self.rest.starts_with(['"', '\'']);
            let key = self.key(&['=', ']'])?;
            if self.take('=') {
                Part::Where(key, self.key(&[']'])?)
            } else if quoted {
                Part::Key(key)
            } else {
                return Err(
                    "an item is named by number or by a key: `[0]`, `[name=web]`".to_owned()
                );
            }
        };
        if self.take(']') { Ok(part) } else { Err("a `[` is not closed".to_owned()) }
    }
}

fn template(text: &str) -> Result<Template, String> {
    Template::parse_with(text, &["app"]).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn root(text: &str) -> Node {
        let mut documents = gitops_yaml::read(gitops_yaml::FileId(0), text.as_bytes()).unwrap();
        documents.remove(0).root.unwrap()
    }

    const FILE: &str = "spec:\n  containers:\n  - name: web\n    image: a\n  - name: api\n    image: b\n  labels: {app.k/name: x, 'a b': y, web: z}\n  none:\n  text: t\n";

    #[test]
    fn paths_lead_to_values() {
        let root = root(FILE);
        for (path, value) in [
            ("spec.containers[name=api].image", "b"),
            ("spec.containers[0].image", "a"),
            ("spec.containers[name={app}].image", "a"),
            ("spec.containers[\"name\"='web'].image", "a"),
            ("spec.labels.\"app.k/name\"", "x"),
            ("spec.labels['app.k/name']", "x"),
            ("spec.labels.app\\.k/name", "x"),
            ("spec.labels.a b", "y"),
            ("spec.labels.{app}", "z"),
        ] {
            let (_, node) = ValuePath::new(path).unwrap().find(&root, "web").unwrap();
            assert_eq!(node.text(), Some(value), "{path}");
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_says_where_it_ends() {
        let root = root(FILE);
        for (path, reason) in [
            (
                "spec.image",
                "there is no key `image` in `spec`; it has `containers`, `labels`, `none`, `text`",
            ),
            ("metadata", "there is no key `metadata` in the document; it has `spec`"),
            ("spec.containers.image", "`spec.containers` is a list, so it has no key `image`"),
            ("spec.containers[2]", "there is no item 2 in `spec.containers`; it has 2"),
            (
                "spec.containers[name=db].image",
                "no item of `spec.containers` has `name: db`; there are `web`, `api`",
            ),
            ("spec.labels[0]", "`spec.labels` is a mapping, not a list"),
            ("spec.text.x", "`spec.text` is a single value, so it has no key `x`"),
            ("spec.none.x", "`spec.none` is empty"),
        ] {
            let miss = ValuePath::new(path).unwrap().find(&root, "web").unwrap_err();
            assert_eq!(miss.reason, reason, "{path}");
        }
        let two = self::root("a: [{n: x}, {n: x}]\n");
        let miss = ValuePath::new("a[n=x]").unwrap().find(&two, "").unwrap_err();
        assert_eq!(miss.reason, "two items of `a` have `n: x`, in lines 1 and 1");
    }

    #[test]
    fn a_path_that_is_none_is_refused() {
        for (path, reason) in [
            ("", "the path is empty"),
            ("a..b", "a key is empty"),
            ("a.", "a key is empty"),
            ("a[", "a key is empty"),
            ("a[b]", "an item is named by number or by a key: `[0]`, `[name=web]`"),
            ("a[0", "an item is named by number or by a key: `[0]`, `[name=web]`"),
            ("a[name=x", "a `[` is not closed"),
            ("a[0]b", "`.` or `[` is missing before `b`"),
            ("a.\"b", "a `\"` stands alone"),
            ("a.{env}", "unknown template variable `{env}`; known are `{app}`"),
            ("a\\", "a `\\` stands alone"),
        ] {
            assert_eq!(ValuePath::new(path).unwrap_err(), reason, "{path}");
        }
    }

    #[test]
    fn apps_are_the_names_that_stand_there() {
        let root = root(FILE);
        let apps = |path: &str| ValuePath::new(path).unwrap().apps(&root);
        assert_eq!(apps("spec.containers[name={app}].image"), ["api", "web"]);
        assert_eq!(apps("spec.{app}.x"), ["containers", "labels", "none", "text"]);
        assert!(apps("spec.text").is_empty());
    }
}
