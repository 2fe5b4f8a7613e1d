//! Texts of `prify.yml`: Go templates of variables alone.

use gitops_core::plan::Template;

use super::super::keys::suggest;

/// The variables of PRify.
const VARIABLES: [&str; 4] = [".subdir_name", ".base_branch", ".dir", ".rand"];

/// What our templates name where they stand for PRify's.
const HOLES: &[&str] = &["app", "base", "stable"];

/// What is wrong with a text, and what to do about it.
pub(super) type Problem = (String, Option<String>);

/// A Go template of variables alone, as ours. `dir` is the folder's name, and
/// `base` the base branch; without it the hole `{base}` stays open.
///
/// `{{- ` and ` -}}` take the blanks beside them away, as in Go's text/template.
pub(super) fn template(text: &str, dir: &str, base: Option<&str>) -> Result<Template, Problem> {
    let literal = |text: &str| text.replace('{', "{{").replace('}', "}}");
    let mut ours = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inside, after)) = after.split_once("}}") else {
            return Err(("`{{` is not closed by `}}`".to_owned(), None));
        };
        let (inside, before) = match inside.strip_prefix('-') {
            Some(trimmed) if trimmed.starts_with(blank) => {
                (trimmed, before.trim_end_matches(blank))
            }
            _ => (inside, before),
        };
        let (inside, after) = match inside.strip_suffix('-') {
            Some(trimmed) if trimmed.ends_with(blank) => (trimmed, after.trim_start_matches(blank)),
            _ => (inside, after),
        };
        ours.push_str(&literal(before));
        let variable = inside.trim_matches(blank);
        ours.push_str(&match variable {
            ".subdir_name" => "{app}".to_owned(),
            ".dir" => literal(dir),
            ".base_branch" => base.map_or_else(|| "{base}".to_owned(), literal),
            ".rand" => "{stable}".to_owned(),
            other => return Err(unknown(other)),
        });
        rest = after;
    }
    ours.push_str(&literal(rest));
    Template::parse_with(&ours, HOLES).map_err(|error| (error.to_string(), None))
}

fn unknown(inside: &str) -> Problem {
    let is_variable = inside.strip_prefix('.').is_some_and(|name| {
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    });
    let shown = inside.escape_debug();
    if is_variable {
        return (format!("unknown variable `{shown}`"), Some(suggest(inside, VARIABLES)));
    }
    let known: Vec<String> = VARIABLES.iter().map(|known| format!("`{{{{{known}}}}}`")).collect();
    (
        format!("`{{{{{shown}}}}}` is more than a variable, and is not read"),
        Some(format!("write it with {}, or plain text", known.join(", "))),
    )
}

/// What Go's templates call a space.
fn blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use gitops_core::plan::Values;

    use super::*;

    fn rendered(text: &str) -> String {
        let values = Values { app: "web", env: "prod", version: "1", from: "dev" };
        template(text, "prod", Some("main")).unwrap().render(values)
    }

    #[test]
    fn variables_are_filled() {
        assert_eq!(rendered("{{.dir}}/{{ .subdir_name }} on {{.base_branch}}"), "prod/web on main");
        assert_eq!(rendered("{plain} }} {app} {{.dir}}{"), "{plain} }} {app} prod{");
        assert_eq!(rendered("a \n {{- .dir -}} \t b"), "aprodb");
        assert_eq!(rendered("a {{- .dir}} b"), "aprod b");
        assert_eq!(rendered("{{.rand}}").len(), 9);
        assert_eq!(rendered("{{.rand}}"), rendered("{{.rand}}"));
        let open = template("{{.base_branch}}", "prod", None).unwrap();
        assert!(open.uses("base"));
    }

    #[test]
    fn anything_else_is_refused() {
        let problem = |text: &str| template(text, "prod", None).unwrap_err();
        let (message, hint) = problem("x {{.subdir}}");
        assert_eq!(message, "unknown variable `.subdir`");
        assert_eq!(hint.unwrap(), "known are `.subdir_name`, `.base_branch`, `.dir`, `.rand`");
        assert_eq!(problem("{{.ran}}").1.unwrap(), "did you mean `.rand`?");
        for text in [
            "{{if .dir}}x{{end}}",
            "{{.dir | upper}}",
            "{{\"x\"}}",
            "{{.}}",
            "{{}}",
            "{{dir}}",
            "{{-.dir}}",
        ] {
            let (message, hint) = problem(text);
            assert!(message.ends_with("is more than a variable, and is not read"), "{message}");
            assert!(hint.unwrap().contains("`{{.subdir_name}}`"));
        }
        assert_eq!(problem("{{.dir").0, "`{{` is not closed by `}}`");
    }
}
