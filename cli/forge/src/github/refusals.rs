//! What a token lacks, in the words of GitHub's settings.

use reqwest::header::HeaderMap;

/// The permission that GitHub asks for in the headers of a refusal: of a
/// fine-grained token or an App (`pull_requests=write`), else the scope of a
/// classic token that has none of those it takes.
///
/// Source: GitHub docs, "Troubleshooting the REST API", "Insufficient permission
/// errors", and "Scopes for OAuth apps".
pub(crate) fn permission(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let accepted = text("x-accepted-github-permissions").filter(|value| !value.is_empty());
    if let Some(accepted) = accepted {
        // Several sets may do, apart by `;`; all of one are needed, apart by `,`.
        let sets = accepted.split(';').map(|set| {
            let each: Vec<String> = set.split(',').map(words).collect();
            each.join(" and ")
        });
        let sets: Vec<String> = sets.collect();
        return Some(sets.join(", or ").chars().take(200).collect());
    }
    lacking_scope(headers)
}

/// The scope that a classic token would need, if it has none that does.
pub(crate) fn lacking_scope(headers: &HeaderMap) -> Option<String> {
    let list = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        let scopes = value.split(',').map(str::trim).filter(|scope| !scope.is_empty());
        Some(scopes.collect::<Vec<&str>>())
    };
    let (accepted, held) = (list("x-accepted-oauth-scopes")?, list("x-oauth-scopes")?);
    let lacks = !accepted.is_empty() && !accepted.iter().any(|scope| held.contains(scope));
    lacks.then(|| format!("the scope {}", accepted.join(" or ")).chars().take(200).collect())
}

/// `pull_requests=write` as the settings of a token have it: `Pull requests: write`.
fn words(one: &str) -> String {
    let (name, level) = one.trim().split_once('=').unwrap_or((one.trim(), ""));
    let mut name = match name {
        "statuses" => "commit statuses".to_owned(),
        name => name.replace('_', " "),
    };
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if level.is_empty() { name } else { format!("{name}: {level}") }
}

/// The permission that a GraphQL document needs, which its refusal does not say.
pub(super) fn permission_of(template: &str) -> Option<String> {
    let found = match template {
        "GraphQL Requests" | "GraphQL Reviews" | "GraphQL Readiness" => "Pull requests: read",
        "GraphQL Statuses" => "Commit statuses: read and Checks: read",
        "GraphQL Protection" | "GraphQL Authors" => "Contents: read",
        "GraphQL EnableAutoMerge" | "GraphQL DisableAutoMerge" | "GraphQL Enqueue" => {
            "Contents: write and Pull requests: write"
        }
        _ => return None,
    };
    Some(found.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn said(lines: &[(&'static str, &str)]) -> Option<String> {
        let headers = lines.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()));
        permission(&headers.collect())
    }

    #[test]
    fn what_is_missing_is_named_as_the_settings_name_it() {
        let fine = "x-accepted-github-permissions";
        for (lines, expected) in [
            (&[(fine, "pull_requests=write")][..], Some("Pull requests: write")),
            (
                &[(fine, "contents=read,pull_requests=write; issues=write")],
                Some("Contents: read and Pull requests: write, or Issues: write"),
            ),
            (&[(fine, "metadata")], Some("Metadata")),
            (&[(fine, "statuses=write")], Some("Commit statuses: write")),
            (
                &[("x-accepted-oauth-scopes", "repo"), ("x-oauth-scopes", "gist, read:org")],
                Some("the scope repo"),
            ),
            (
                &[("x-accepted-oauth-scopes", "admin:org, repo"), ("x-oauth-scopes", "")],
                Some("the scope admin:org or repo"),
            ),
            (&[("x-accepted-oauth-scopes", "repo"), ("x-oauth-scopes", "repo")], None),
            (&[("x-accepted-oauth-scopes", ""), ("x-oauth-scopes", "gist")], None),
            // A fine-grained token has no scopes.
            (&[("x-accepted-oauth-scopes", "repo")], None),
            (&[], None),
        ] {
            assert_eq!(said(lines).as_deref(), expected, "{lines:?}");
        }
    }
}
