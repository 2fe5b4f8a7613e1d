//! Files that say what runs on a change, and who must approve it.

use gitops_tree::TreePath;

/// Whether a file belongs to the forge's pipelines or names code owners. No
/// promotion changes one of these: it would carry its own judge along.
///
/// These are `.github/`, `.gitea/`, `.forgejo/` and `.gitlab/` with all below,
/// `.gitlab-ci.yml`, `azure-pipelines*.yml`, and `CODEOWNERS` at the root and in
/// `docs/`, whatever the case of their letters.
pub fn is_pipeline(path: &TreePath) -> bool {
    let path = path.as_str().to_ascii_lowercase();
    let first = path.split('/').next().unwrap_or_default();
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let azure =
        name.starts_with("azure-pipelines") && (name.ends_with(".yml") || name.ends_with(".yaml"));
    azure
        || matches!(first, ".github" | ".gitea" | ".forgejo" | ".gitlab")
        || matches!((folder, name), ("", ".gitlab-ci.yml") | ("" | "docs", "codeowners"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pipelines_and_code_owners_are_known_by_their_places() {
        for (path, is) in [
            (".github/workflows/ci.yaml", true),
            (".github/CODEOWNERS", true),
            (".GitHub/x", true),
            (".gitea/workflows/a/b.yml", true),
            (".forgejo/x", true),
            (".gitlab/merge_request_templates/a.md", true),
            (".gitlab-ci.yml", true),
            ("CODEOWNERS", true),
            ("docs/CODEOWNERS", true),
            ("azure-pipelines.yml", true),
            ("ci/azure-pipelines-prod.yaml", true),
            ("azure-pipelines.md", false),
            // A link or a submodule in the folder's place.
            (".github", true),
            (".github-x/a", false),
            ("k8s/.github/x", false),
            ("k8s/CODEOWNERS", false),
            ("k8s/overlays/uat/kustomization.yaml", false),
            (".gitignore", false),
        ] {
            assert_eq!(is_pipeline(&TreePath::new(path).unwrap()), is, "{path}");
        }
    }
}
