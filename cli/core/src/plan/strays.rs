//! Files of an environment that belong to no app, where apps are folders that
//! are copied: no promotion moves them.

use gitops_tree::{EntryKind, Tree, TreeError, TreePath};

use super::apps::folder_of;
use super::error::PlanError;
use super::hunk::printable;
use super::make::Side;
use super::rules::{Mover, Rules};

/// The files that stand beside the folders of the apps of `source`, are not
/// excluded, and differ from those of `target`: a sentence each. None where no
/// folder is copied.
///
/// # Errors
///
/// When a folder or file cannot be read.
pub fn strays(rules: &Rules, source: Side<'_>, target: Side<'_>) -> Result<Vec<String>, PlanError> {
    let movers = rules.0.iter().flat_map(|rule| &rule.movers);
    let copies: Vec<_> = movers
        .filter_map(|mover| match mover {
            Mover::Copy(rule) => Some(rule),
            _ => None,
        })
        .collect();
    let is_above_apps = |side: &Side<'_>| side.environment.path.rsplit('/').next() == Some("{app}");
    if copies.is_empty() || !is_above_apps(&source) {
        return Ok(Vec::new());
    }
    let folder = folder_of(source.environment)?;
    let place = folder_of(target.environment)?;
    let entries = match source.tree.list(&folder) {
        Ok(entries) => entries,
        Err(TreeError::Absent { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut strays = Vec::new();
    for entry in entries {
        let is_file = matches!(entry.kind, EntryKind::File | EntryKind::Link);
        if !is_file || copies.iter().all(|copy| copy.excludes(&entry.name)) {
            continue;
        }
        let below =
            |folder: &TreePath| folder.join(&entry.name).expect("a name stays inside the tree");
        let (ours, theirs) = (below(&folder), below(&place));
        let there = held(target.tree, &theirs)?;
        if there == held(source.tree, &ours)? {
            continue;
        }
        let how = match there {
            None => format!("{} has none", target.environment.name),
            Some(_) => format!("it differs from `{theirs}`"),
        };
        strays.push(printable(&format!("`{ours}` belongs to no app and is not promoted: {how}")));
    }
    Ok(strays)
}

/// What stands at a path: whether it is a link, and its bytes.
fn held(tree: &dyn Tree, path: &TreePath) -> Result<Option<(EntryKind, Vec<u8>)>, PlanError> {
    let kind = tree.kind(path)?;
    Ok(match kind {
        Some(EntryKind::File) => Some((EntryKind::File, tree.read(path)?.to_vec())),
        Some(EntryKind::Link) => Some((EntryKind::Link, tree.link(path)?.into_bytes())),
        Some(kind) => Some((kind, Vec::new())),
        None => None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use gitops_tree::Memory;

    use super::*;
    use crate::judge::EnvironmentRef;
    use crate::plan::{AppRule, CopyRule, Pattern};

    #[test]
    fn files_beside_the_apps_are_told_where_they_differ() {
        let mut tree = Memory::new();
        for (path, text) in [
            ("dev/web/a.yaml", "a: 1"),
            ("dev/same", "1"),
            ("dev/other", "1"),
            ("dev/new", ""),
            ("dev/env-specific.yaml", "1"),
            ("prod/web/a.yaml", "a: 2"),
            ("prod/same", "1"),
            ("prod/other", "2"),
            ("prod/own", "1"),
        ] {
            tree.insert(TreePath::new(path).unwrap(), text.as_bytes());
        }
        tree.insert_link(TreePath::new("dev/link").unwrap(), "same");
        tree.insert(TreePath::new("prod/link").unwrap(), "same".as_bytes());
        let environment = |name: &str, path: &str| EnvironmentRef {
            name: name.to_owned(),
            path: path.to_owned(),
            ..EnvironmentRef::default()
        };
        let rules = |movers| {
            Rules(vec![AppRule {
                matches: Pattern::new("*").unwrap(),
                movers,
                never: Vec::new(),
                environments: None,
                versions: None,
            }])
        };
        let copy = CopyRule::new(".", &["env-specific*".to_owned()], Vec::new()).unwrap();
        let copy = rules(vec![Mover::Copy(copy)]);
        let told = |rules: &Rules, path: &str| {
            let (dev, prod) = (environment("dev", path), environment("prod", "prod/{app}"));
            let side = |environment| Side { environment, tree: &tree, revision: "" };
            strays(rules, side(&dev), side(&prod)).unwrap()
        };
        assert_eq!(
            told(&copy, "dev/{app}"),
            [
                "`dev/link` belongs to no app and is not promoted: it differs from `prod/link`",
                "`dev/new` belongs to no app and is not promoted: prod has none",
                "`dev/other` belongs to no app and is not promoted: it differs from `prod/other`",
            ]
        );
        assert_eq!(told(&copy, "gone/{app}"), Vec::<String>::new());
        assert_eq!(told(&copy, "dev/{app}/config"), Vec::<String>::new());
        assert_eq!(told(&rules(Vec::new()), "dev/{app}"), Vec::<String>::new());
    }
}
