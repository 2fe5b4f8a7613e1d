//! `ref:`, the ref of a repository that something is taken from: `?ref=` of a
//! remote base, Flux's GitRepository and OCIRepository, Argo CD's sources.

use gitops_tree::{Tree, TreePath};
use gitops_yaml::{Node, Step, Value};

use crate::judge::Moved;

use super::super::apps::KUSTOMIZATION_FILES;
use super::super::edit::{self, At, Change, change};
use super::super::error::PlanError;
use super::super::rules::RefRule;
use super::super::slot::{Held, SlotId, Spot};
use super::chart::argo_sources;
use super::scan::Files;
use super::{Doc, Looked, Place, keys, named};

/// The keys of a kustomization that take in other kustomizations.
const TAKEN_IN: [&str; 3] = ["resources", "components", "bases"];

/// The fields of Flux's `spec.ref`.
const FLUX: [&str; 6] = ["tag", "semver", "branch", "commit", "name", "digest"];

/// The parameters of a query that name a ref (kustomize
/// `api/internal/git/repospec.go`).
const QUERY: [&str; 2] = ["ref", "version"];

/// A place that names a repository.
struct Use<'a> {
    url: &'a str,
    /// The refs that stand there: the steps to each, and its node.
    refs: Vec<(Vec<Step>, &'a Node)>,
    /// Whether the ref is a part of the URL.
    in_url: bool,
    /// What holds it, for when there is no ref.
    holder: &'a Node,
}

pub(super) fn look(place: &Place<'_>, mover: usize, rule: &RefRule) -> Result<Looked, PlanError> {
    let base = rule.base.with_app(place.app).unwrap_or_default();
    let needle = repository(&base).rsplit('/').next().unwrap_or_default().to_owned();
    let mut looked = Looked::default();
    let mut found = Vec::new();
    for scanned in place.files.with(place.tree, place.folder, &[&needle])? {
        for doc in Doc::all(&scanned.file, &scanned.bytes, &scanned.documents) {
            for used in uses(&doc).into_iter().filter(|used| same_repository(used.url, &base)) {
                if used.refs.is_empty() {
                    let reason = "it names no ref, so it follows the default branch".to_owned();
                    looked.missing.push(doc.missing(used.holder, reason));
                }
                for (steps, node) in used.refs {
                    let key = match steps.last() {
                        Some(Step::Key(key)) => key.clone(),
                        _ => "?ref".to_owned(),
                    };
                    let short = if FLUX.contains(&key.as_str()) {
                        format!("{base} {key}")
                    } else {
                        base.clone()
                    };
                    let within = if used.in_url {
                        repository(used.url)
                    } else {
                        doc.identity(place.environment)
                    };
                    let id = SlotId { mover, place: format!("{short} in {within}") };
                    let names = steps.iter().map(Step::to_string).collect();
                    let mut slot =
                        doc.slot(id, Moved::GitRef, base.clone(), names, steps.clone(), node)?;
                    if used.in_url {
                        let value = query(used.url).map(|range| used.url[range].to_owned());
                        slot.value = value.map(Held::text);
                        slot.spot = Spot::Query { document: doc.index, path: steps };
                    }
                    found.push((short, slot));
                }
            }
        }
    }
    looked.slots = named(found)?;
    Ok(looked)
}

/// The apps in the URLs that an environment's files name.
pub(super) fn apps(
    tree: &dyn Tree,
    folder: &TreePath,
    rule: &RefRule,
) -> Result<Vec<String>, PlanError> {
    if !rule.base.uses("app") {
        return Ok(Vec::new());
    }
    let mut apps = Vec::new();
    let base = repository(&rule.base.to_string());
    let Ok(base) = super::super::Template::parse_with(&base, &["app"]) else {
        return Ok(apps);
    };
    let needles = ["ref=", "version=", "url:", "repoURL", "\"url\""];
    for scanned in Files::default().with(tree, folder, &needles)? {
        for doc in Doc::all(&scanned.file, &scanned.bytes, &scanned.documents) {
            for used in uses(&doc) {
                let url = repository(used.url);
                // A base may be a folder of the repository.
                let ends = url.match_indices('/').map(|(at, _)| at).chain([url.len()]);
                apps.extend(ends.filter_map(|end| base.app_of(&url[..end])));
            }
        }
    }
    apps.retain(|app| !app.contains('/'));
    apps.sort();
    apps.dedup();
    Ok(apps)
}

/// The file with another ref in the URL at a path.
pub(super) fn set(
    file: &TreePath,
    bytes: &[u8],
    document: usize,
    path: &[Step],
    value: &str,
) -> Result<Vec<u8>, String> {
    let documents = edit::read(file, bytes)?;
    let root = documents.get(document).and_then(|document| document.root.as_ref());
    let url = root.and_then(|root| edit::follow(root, path)).and_then(Node::text);
    let url = url.ok_or("the URL is no longer there")?;
    let range = query(url).ok_or("the URL has no ref")?;
    if value.contains(['&', '#', '?', ' ']) {
        return Err(format!("`{}` cannot stand in a URL", value.escape_debug()));
    }
    let text = format!("{}{value}{}", &url[..range.start], &url[range.end..]);
    change(file, bytes, &At { document, path }, &Change::Set { value: Held::text(text) })
}

/// Every repository that a document names.
fn uses<'a>(doc: &Doc<'a>) -> Vec<Use<'a>> {
    let mut uses = Vec::new();
    if doc.file.name().is_some_and(|name| KUSTOMIZATION_FILES.contains(&name)) {
        for list in TAKEN_IN {
            let items = doc.root.get(list).map_or(&[][..], Node::items);
            for (index, item) in items.iter().enumerate() {
                // A path of the tree is no repository.
                let Some(url) = item.text().filter(|url| is_remote(url)) else { continue };
                let steps = vec![Step::Key(list.to_owned()), Step::Item(index)];
                let refs = query(url).map(|_| (steps, item)).into_iter().collect();
                uses.push(Use { url, refs, in_url: true, holder: item });
            }
        }
    }
    if let "GitRepository" | "OCIRepository" = doc.kind()
        && let Some(url) = doc.root.at_path(&["spec", "url"]).and_then(Node::text)
    {
        let holder = doc.root.at_path(&["spec", "ref"]);
        let fields = FLUX.iter().filter_map(|key| {
            let node = holder?.get(key).filter(|node| !node.is_null())?;
            Some((keys(&["spec", "ref", key]), node))
        });
        let refs = fields.collect();
        uses.push(Use { url, refs, in_url: false, holder: holder.unwrap_or(doc.root) });
    }
    for (above, holder) in argo_sources(doc) {
        let Some(url) = holder.get("repoURL").and_then(Node::text) else { continue };
        // Of a chart, the revision is its version.
        if holder.get("chart").is_some() {
            continue;
        }
        let node = holder.get("targetRevision").filter(|node| match &node.value {
            Value::Scalar(scalar) => !scalar.text.is_empty() && !node.is_null(),
            _ => true,
        });
        let mut steps = above;
        steps.push(Step::Key("targetRevision".to_owned()));
        let refs = node.map(|node| (steps, node)).into_iter().collect();
        uses.push(Use { url, refs, in_url: false, holder });
    }
    uses
}

/// Whether kustomize would fetch this: it has a scheme, a user, a query, or a
/// host that it knows.
fn is_remote(url: &str) -> bool {
    url.contains("://")
        || url.contains("?")
        || url.starts_with("git@")
        || url.starts_with("git::")
        || url.starts_with("github.com/")
        || url.starts_with("github.com:")
}

/// Where the ref stands in the query of a URL.
fn query(url: &str) -> Option<std::ops::Range<usize>> {
    let start = url.find('?')? + 1;
    let mut found: Option<(usize, std::ops::Range<usize>)> = None;
    let mut at = start;
    for part in url[start..].split('&') {
        if let Some((name, value)) = part.split_once('=')
            && let Some(rank) = QUERY.iter().position(|known| *known == name)
            // `ref` decides where `version` stands beside it.
            && found.as_ref().is_none_or(|(other, _)| rank < *other)
            && !value.is_empty()
        {
            let from = at + name.len() + 1;
            found = Some((rank, from..from + value.len()));
        }
        at += part.len() + 1;
    }
    found.map(|(_, range)| range)
}

/// Whether a URL names the repository of `base`, or a folder in it.
pub(crate) fn same_repository(url: &str, base: &str) -> bool {
    let (url, base) = (repository(url), repository(base));
    url == base || url.strip_prefix(&base).is_some_and(|rest| rest.starts_with('/'))
}

/// A URL as `host/owner/name/folder`: without scheme, user, `.git` and query.
fn repository(url: &str) -> String {
    let url = url.strip_prefix("git::").unwrap_or(url);
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    // `git@host:owner/name` has its path behind a colon, a URL a port.
    let (host, path) = match host.split_once(':') {
        Some((host, owner)) if scheme.is_empty() => (host, format!("{owner}/{path}")),
        _ => (host, path.to_owned()),
    };
    let path: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(|part| part.strip_suffix(".git").unwrap_or(part))
        .collect();
    format!("{}/{}", host.to_ascii_lowercase(), path.join("/"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_repository_has_many_names() {
        let base = "github.com/acme/base";
        for url in [
            "https://github.com/acme/base",
            "https://GitHub.com/acme/base.git",
            "git@github.com:acme/base.git",
            "ssh://git@github.com/acme/base",
            "git::https://token@github.com/acme/base//overlays/x?ref=v1&timeout=90s",
            "github.com/acme/base/overlays?ref=v1",
            "https://github.com/acme/base.git//x?version=1",
        ] {
            assert!(same_repository(url, base), "{url}");
        }
        for url in ["github.com/acme/base2", "github.com/acme", "gitlab.com/acme/base"] {
            assert!(!same_repository(url, base), "{url}");
        }
        assert!(!same_repository("https://a.b:8443/x/y", "a.b:8443/x/y"));
        assert!(same_repository("https://a.b:8443/x/y", "ssh://a.b:8443/x/y"));
        assert!(same_repository("https://a/x//apps/web?ref=1", "https://a/x//apps/web"));
        assert!(!same_repository("https://a/x//apps/api?ref=1", "https://a/x//apps/web"));
    }

    #[test]
    fn the_ref_stands_anywhere_in_the_query() {
        let of = |url: &str| query(url).map(|range| url[range].to_owned());
        for (url, expected) in [
            ("a?ref=v1", Some("v1")),
            ("a?timeout=9s&ref=v1&submodules=false", Some("v1")),
            ("a?version=v1", Some("v1")),
            ("a?version=v0&ref=v1", Some("v1")),
            ("a?ref=v1&version=v0", Some("v1")),
            ("a?ref=", None),
            ("a?reference=v1", None),
            ("a", None),
        ] {
            assert_eq!(of(url).as_deref(), expected, "{url}");
        }
    }
}
