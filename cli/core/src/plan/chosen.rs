//! Which apps a promotion is asked for: by name, by glob, or all.

use std::collections::{BTreeMap, BTreeSet};

use crate::judge::EnvironmentRef;

use super::error::PlanError;
use super::rules::Pattern;

/// The apps that are asked for, and whether each was asked for by its name: one
/// that was not may be left out. Without any word, all apps of the source.
///
/// # Errors
///
/// When a glob cannot be read, or matches no app of the source.
pub(super) fn chosen(
    held: BTreeSet<String>,
    asked: &[String],
    source: &EnvironmentRef,
) -> Result<BTreeMap<String, bool>, PlanError> {
    let mut chosen = BTreeMap::new();
    if asked.is_empty() {
        chosen.extend(held.iter().map(|app| (app.clone(), false)));
    }
    for word in asked {
        let is_name = !is_glob(word) || held.contains(word);
        if is_name {
            chosen.insert(word.clone(), true);
            continue;
        }
        let pattern = Pattern::new(word)
            .map_err(|reason| PlanError::BadGlob { glob: word.clone(), reason })?;
        let mut matched = held.iter().filter(|app| pattern.matches(app)).peekable();
        if matched.peek().is_none() {
            let plain = word.replace(['*', '?', '[', ']', '{', '}'], "");
            let mut known: Vec<String> = held.into_iter().collect();
            known.sort_by_key(|name| {
                let start: String = name.chars().take(plain.chars().count()).collect();
                strsim::damerau_levenshtein(&start, &plain)
            });
            return Err(PlanError::NoMatch {
                glob: word.clone(),
                environment: source.name.clone(),
                known,
            });
        }
        for app in matched {
            chosen.entry(app.clone()).or_insert(false);
        }
    }
    Ok(chosen)
}

pub(super) fn is_glob(word: &str) -> bool {
    word.contains(['*', '?', '[', '{'])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn apps_are_chosen_by_name_glob_or_all() {
        let held = BTreeSet::from(["api", "web", "web-admin"].map(str::to_owned));
        let source = EnvironmentRef { name: "dev".to_owned(), ..EnvironmentRef::default() };
        let choose = |asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|word| (*word).to_owned()).collect();
            chosen(held.clone(), &asked, &source).map(|chosen| {
                let name =
                    |(name, named): (String, bool)| if named { format!("={name}") } else { name };
                chosen.into_iter().map(name).collect::<Vec<_>>().join(" ")
            })
        };
        for (asked, expected) in [
            (&[] as &[&str], "api web web-admin"),
            (&["web*"], "web web-admin"),
            (&["web*", "web"], "=web web-admin"),
            (&["web", "web*"], "=web web-admin"),
            (&["{api,web}"], "api web"),
            (&["[ab]pi", "web-?????"], "api web-admin"),
            (&["nobody"], "=nobody"),
        ] {
            assert_eq!(choose(asked).unwrap(), expected, "{asked:?}");
        }
        let error = choose(&["wep*"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no app of environment `dev` matches `wep*`; the most similar are web, web-admin, api"
        );
        assert!(matches!(choose(&["we[b"]), Err(PlanError::BadGlob { .. })));
    }
}
