//! Texts with holes: `Release {app} in {env}`, and the rules of branch names.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// What a hole may name.
pub const VARIABLES: [&str; 4] = ["app", "env", "version", "from"];

/// A text with `{name}` holes; `{{` and `}}` stand for braces. `{name#PREFIX}` is
/// filled without the prefix, where it begins with that.
///
/// Besides [`VARIABLES`], readers of other formats may allow `{stable}`, nine
/// characters that are the same for the same apps and environment, and holes
/// that they fill by [`Template::with`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(&'static str),
    /// A variable without this at its beginning.
    Without(&'static str, String),
}

/// What fills the holes.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// `{app}`: the app, or several joined by `, `.
    pub app: &'a str,
    /// `{env}`: the target environment.
    pub env: &'a str,
    /// `{version}`: the version that moves.
    pub version: &'a str,
    /// `{from}`: the source environment; empty for a release, which has none.
    pub from: &'a str,
}

/// A text that is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A hole names nothing that is known.
    #[error("unknown template variable `{{{name}}}`; known are {}", variables(.known))]
    Unknown {
        /// The name in the hole.
        name: String,
        /// The names that are known.
        known: &'static [&'static str],
    },
    /// A brace without its partner.
    #[error("a `{brace}` stands alone; write `{brace}{brace}` for the character itself")]
    Brace {
        /// The brace.
        brace: char,
    },
}

fn variables(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{{{name}}}`")).collect::<Vec<_>>().join(", ")
}

impl Template {
    /// Reads a template whose holes may name any of [`VARIABLES`].
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        Template::parse_with(text, &VARIABLES)
    }

    /// Reads a template whose holes may name one of `known`.
    pub fn parse_with(
        text: &str,
        known: &'static [&'static str],
    ) -> Result<Template, TemplateError> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '{' | '}' if chars.peek() == Some(&c) => {
                    chars.next();
                    plain.push(c);
                }
                '{' => {
                    let mut name = String::new();
                    loop {
                        match chars.next() {
                            Some('}') => break,
                            Some(c) if c != '{' => name.push(c),
                            _ => return Err(TemplateError::Brace { brace: '{' }),
                        }
                    }
                    let (of, prefix) = match name.split_once('#') {
                        Some((of, prefix)) => (of, Some(prefix.to_owned())),
                        None => (name.as_str(), None),
                    };
                    let Some(variable) = known.iter().find(|known| **known == of) else {
                        let name = of.to_owned();
                        return Err(TemplateError::Unknown { name, known });
                    };
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(match prefix {
                        None => Part::Variable(variable),
                        Some(prefix) => Part::Without(variable, prefix),
                    });
                }
                '}' => return Err(TemplateError::Brace { brace: '}' }),
                c => plain.push(c),
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Template { parts })
    }

    /// Whether a hole names `variable`.
    pub fn uses(&self, variable: &str) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Text(_) => false,
            Part::Variable(name) | Part::Without(name, _) => *name == variable,
        })
    }

    /// The text with its holes filled.
    pub fn render(&self, values: Values<'_>) -> String {
        let stable = if self.uses("stable") { stable(values) } else { String::new() };
        let value = |name: &str| match name {
            "app" => values.app,
            "env" => values.env,
            "version" => values.version,
            "stable" => &stable,
            "from" => values.from,
            // A hole that was to be filled by `with`.
            _ => "",
        };
        let mut text = String::new();
        for part in &self.parts {
            text.push_str(match part {
                Part::Text(plain) => plain,
                Part::Variable(name) => value(name),
                Part::Without(name, prefix) => without(value(name), prefix),
            });
        }
        text
    }

    /// The template with one of its holes filled for good.
    pub fn with(&self, variable: &str, value: &str) -> Template {
        let fill = |part: &Part| match part {
            Part::Variable(name) if *name == variable => Part::Text(value.to_owned()),
            Part::Without(name, prefix) if *name == variable => {
                Part::Text(without(value, prefix).to_owned())
            }
            part => part.clone(),
        };
        Template { parts: self.parts.iter().map(fill).collect() }
    }

    /// What `{app}` must be for the text to be `rendered`: the inverse of
    /// rendering. `None` where it cannot be, or where there is no `{app}`.
    pub fn app_of(&self, rendered: &str) -> Option<String> {
        let at = self.parts.iter().position(|part| *part == Part::Variable("app"))?;
        let before = self.plain(&self.parts[..at], "")?;
        let rest = rendered.strip_prefix(before.as_str())?;
        // With several holes, the first one decides and rendering again checks.
        let after: String = match self.parts.get(at + 1) {
            Some(Part::Text(text)) => text.clone(),
            Some(Part::Variable(_) | Part::Without(..)) => return None,
            None => return (!rest.is_empty()).then(|| rest.to_owned()),
        };
        rest.match_indices(after.as_str())
            .map(|(end, _)| &rest[..end])
            .filter(|app| !app.is_empty())
            .find(|app| self.with_app(app).as_deref() == Some(rendered))
            .map(str::to_owned)
    }

    /// The text with `{app}` filled; `None` where it has other holes.
    pub fn with_app(&self, app: &str) -> Option<String> {
        self.plain(&self.parts, app)
    }

    /// Whether the text could come from here with `env` as the environment,
    /// whatever fills the other holes.
    pub fn may_be(&self, rendered: &str, env: &str) -> bool {
        fn rest(parts: &[Part], text: &str, env: &str) -> bool {
            let plain = match parts.first() {
                None => return text.is_empty(),
                Some(Part::Text(plain)) => plain.as_str(),
                Some(Part::Variable("env")) => env,
                Some(Part::Without("env", prefix)) => without(env, prefix),
                Some(Part::Variable(name) | Part::Without(name, _)) => {
                    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
                    // A release comes from nowhere.
                    return (*name == "from" && rest(&parts[1..], text, env))
                        || ends.into_iter().any(|end| rest(&parts[1..], &text[end..], env));
                }
            };
            text.strip_prefix(plain).is_some_and(|text| rest(&parts[1..], text, env))
        }
        rest(&self.parts, rendered, env)
    }

    fn plain(&self, parts: &[Part], app: &str) -> Option<String> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Variable("app") => text.push_str(app),
                Part::Without("app", prefix) => text.push_str(without(app, prefix)),
                Part::Variable(_) | Part::Without(..) => return None,
            }
        }
        Some(text)
    }
}

/// Nine characters that are the same for the same apps and environment, and
/// hardly for others.
fn stable(values: Values<'_>) -> String {
    let digest = Sha256::digest(format!("{}\0{}", values.env, values.app));
    digest.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(9).map(hexadecimal).collect()
}

fn without<'a>(text: &'a str, prefix: &str) -> &'a str {
    text.strip_prefix(prefix).unwrap_or(text)
}

fn hexadecimal(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16).unwrap_or('0')
}

/// Prints the template as it would be written.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}"))?,
                Part::Variable(name) => write!(f, "{{{name}}}")?,
                Part::Without(name, prefix) => write!(f, "{{{name}#{prefix}}}")?,
            }
        }
        Ok(())
    }
}

/// Why `name` cannot name a branch, or `None` where it can. The rules are
/// those of `git check-ref-format --branch`.
pub fn branch_problem(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.starts_with('-') {
        return Some("it starts with `-`");
    }
    if name == "HEAD" || name == "@" {
        return Some("Git keeps that name for itself");
    }
    if name.starts_with('/') || name.ends_with('/') || name.contains("//") {
        return Some("a part between slashes is empty");
    }
    if name.split('/').any(|part| part.starts_with('.')) {
        return Some("a part starts with `.`");
    }
    if name.split('/').any(|part| part.ends_with(".lock")) {
        return Some("a part ends in `.lock`");
    }
    if name.ends_with('.') {
        return Some("it ends in `.`");
    }
    if name.contains("..") {
        return Some("it holds `..`");
    }
    if name.contains("@{") {
        return Some("it holds `@{`");
    }
    if name.chars().any(|c| c.is_ascii_control() || " ~^:?*[\\".contains(c)) {
        return Some("it holds a blank, a control character or one of `~^:?*[\\`");
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const VALUES: Values<'static> = Values { app: "web", env: "uat", version: "1.2", from: "dev" };

    #[test]
    fn holes_are_filled_and_braces_kept() {
        let template = Template::parse("{{x}} {app} in {env} ({version}) from {from}").unwrap();
        assert_eq!(template.render(VALUES), "{x} web in uat (1.2) from dev");
        assert_eq!(template.to_string(), "{{x}} {app} in {env} ({version}) from {from}");
    }

    #[test]
    fn a_prefix_is_left_out_where_it_is_there() {
        let template = Template::parse("{app} {version#v-} ({version#1.}) {env#u}").unwrap();
        assert_eq!(template.render(VALUES), "web 1.2 (2) at");
        assert_eq!(template.render(Values { version: "v-9", ..VALUES }), "web 9 (v-9) at");
        assert_eq!(template.to_string(), "{app} {version#v-} ({version#1.}) {env#u}");
        assert!(template.uses("version") && !template.uses("from"));
        let branch = Template::parse("release/{app}/{env#u}/{version#v}").unwrap();
        assert!(
            branch.may_be("release/web/at/1", "uat") && !branch.may_be("release/web/x/1", "uat")
        );
        let error = Template::parse("{ap#v}").unwrap_err();
        assert!(error.to_string().starts_with("unknown template variable `{ap}`"));
    }

    #[test]
    fn an_unknown_variable_names_the_known_ones() {
        let error = Template::parse("{app} {ap}").unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown template variable `{ap}`; known are `{app}`, `{env}`, `{version}`, `{from}`"
        );
        let error = Template::parse_with("apps/{env}", &["app"]).unwrap_err();
        assert_eq!(error.to_string(), "unknown template variable `{env}`; known are `{app}`");
    }

    #[test]
    fn a_lone_brace_is_refused() {
        for text in ["{app", "app}", "{", "{a{b}}"] {
            assert!(matches!(Template::parse(text), Err(TemplateError::Brace { .. })), "{text}");
        }
    }

    #[test]
    fn the_app_is_read_back() {
        let cases = [
            ("{app}", "web", Some("web")),
            ("ghcr.io/acme/{app}", "ghcr.io/acme/web", Some("web")),
            ("ghcr.io/acme/{app}", "ghcr.io/other/web", None),
            ("{app}-image", "web-image-image", Some("web-image")),
            ("apps/{app}/{app}", "apps/web/web", Some("web")),
            ("apps/{app}/{app}", "apps/web/api", None),
            ("{app}", "", None),
            ("nginx", "nginx", None),
        ];
        for (template, text, app) in cases {
            let template = Template::parse_with(template, &["app"]).unwrap();
            assert_eq!(template.app_of(text).as_deref(), app, "{template} of {text}");
        }
    }

    #[test]
    fn what_a_template_could_have_given_is_known() {
        for (template, text, may) in [
            ("release/{app}/{env}", "release/web/uat", true),
            ("release/{app}/{env}", "release/web/prod", false),
            ("release/{app}/{env}", "release//uat", false),
            ("release/{app}/{env}", "fix/web/uat", false),
            ("{env}-{app}-{version}", "uat-a-b-1.2", true),
            ("{env}-{app}-{version}", "uat-a", false),
            ("promote", "promote", true),
            ("promote", "promoted", false),
        ] {
            let template = Template::parse(template).unwrap();
            assert_eq!(template.may_be(text, "uat"), may, "{template} of {text}");
        }
    }

    #[test]
    fn a_hole_may_be_stable_or_filled_for_good() {
        let template = Template::parse_with("{base}-{app}-{stable}", &["app", "base", "stable"]);
        let template = template.unwrap().with("base", "main");
        let text = template.render(VALUES);
        let random = text.strip_prefix("main-web-").unwrap();
        assert_eq!(random.len(), 9);
        assert!(random.chars().all(|c| c.is_ascii_hexdigit()), "{random}");
        assert_eq!(template.render(Values { version: "2", from: "x", ..VALUES }), text);
        assert_ne!(template.render(Values { env: "prod", ..VALUES }), text);
        let other = template.render(Values { app: "api", ..VALUES });
        assert!(!other.ends_with(random), "{other}");
    }

    #[test]
    fn branch_names_follow_git() {
        for good in ["main", "release/web/uat", "a.b/c", "x@y"] {
            assert_eq!(branch_problem(good), None, "{good}");
        }
        for bad in [
            "", "-x", "@", "HEAD", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a.lock/b", "a.",
            "a..b", "a@{b", "a b", "a~b", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "a\tb",
        ] {
            assert!(branch_problem(bad).is_some(), "{bad}");
        }
    }
}
