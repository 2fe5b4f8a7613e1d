//! Addresses of what lies elsewhere.
//!
//! Rules from kustomize v5.8, api/internal/git/repospec.go and
//! api/internal/loader/fileloader.go.

use std::time::Duration;

use gitops_tree::TreePath;

/// A folder of a Git repository, as an address names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    /// What to clone.
    pub url: String,
    /// The branch, tag or commit; the remote's own branch where there is none.
    pub reference: Option<String>,
    /// The folder in the repository, as written; empty for its root.
    pub folder: String,
    /// Whether submodules are cloned, too.
    pub submodules: bool,
    /// How long each command of Git may take.
    pub timeout: Duration,
}

/// Whether `file` can only be behind HTTP.
pub(crate) fn is_file(address: &str) -> bool {
    let scheme = address.split_once(':').map_or("", |(scheme, _)| scheme);
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// The repository that an address names; `None` where it is a local path.
pub(crate) fn repository(address: &str) -> Option<Repository> {
    if address.starts_with('/') {
        return None;
    }
    let (location, query) = address.split_once('?').unwrap_or((address, ""));
    let (host, rest) = split_host(location)?;
    let (path, folder) = split_path(rest, host.starts_with("file://"))?;
    if path.is_empty() || leaves(folder) {
        return None;
    }
    let mut repository = Repository {
        url: format!("{host}{path}"),
        reference: None,
        folder: folder.trim_start_matches('/').to_owned(),
        submodules: true,
        timeout: Duration::from_secs(27),
    };
    read_query(query, &mut repository);
    Some(repository)
}

impl Repository {
    /// The repository that an address names; `None` where it is a local path.
    pub fn of(address: &str) -> Option<Repository> {
        repository(address)
    }

    /// Where the repository stands among the files of a build.
    pub(crate) fn mount(&self) -> TreePath {
        let name = match &self.reference {
            Some(reference) => format!("{}@{reference}", self.url),
            None => self.url.clone(),
        };
        mount(&name)
    }
}

/// A path that stands for an address.
pub(crate) fn mount(address: &str) -> TreePath {
    let names: Vec<&str> =
        address.split('/').filter(|name| !matches!(*name, "" | "." | "..")).collect();
    TreePath::new(&names.join("/")).unwrap_or_default()
}

/// Takes a prefix off, in any case.
fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// The part of an address before the repository's path, made uniform, and
/// what follows it.
fn split_host(location: &str) -> Option<(String, &str)> {
    let location = strip(location, "git::").unwrap_or(location);
    let (scheme, rest) = ["ssh://", "https://", "http://", "file://"]
        .into_iter()
        .find_map(|scheme| strip(location, scheme).map(|rest| (scheme, rest)))
        .unwrap_or(("", location));
    if scheme == "file://" {
        return Some((scheme.to_owned(), rest));
    }
    let (user, rest) = split_user(rest);
    let is_github = strip(rest, "github.com/").is_some() || strip(rest, "github.com:").is_some();
    // `user@host:path`, where the scheme is left out.
    let may_be_scp = scheme.is_empty() && (!user.is_empty() || is_github);
    if scheme.is_empty() && !may_be_scp {
        return None;
    }
    let slash = rest.find('/');
    let colon = rest.find(':').filter(|_| may_be_scp);
    let end = match (slash, colon) {
        (None, colon) => colon,
        (Some(slash), Some(colon)) if colon > 0 && colon < slash => Some(colon),
        (slash, _) => slash,
    };
    let (host, path) = end.map_or((rest, ""), |end| rest.split_at(end + 1));
    if host.is_empty() {
        return None;
    }
    if !is_github {
        return Some((format!("{scheme}{user}{host}"), path));
    }
    if scheme == "ssh://" || !user.is_empty() {
        return Some((format!("{user}github.com:"), path));
    }
    Some(("https://github.com/".to_owned(), path))
}

/// `user@`, and what follows it.
fn split_user(text: &str) -> (&str, &str) {
    let Some(at) = text.find('@') else { return ("", text) };
    let name = &text[..at];
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if fits { text.split_at(at + 1) } else { ("", text) }
}

/// The repository's path and the folder in it: split at a mark, else after the
/// owner and the name.
fn split_path(path: &str, is_whole: bool) -> Option<(&str, &str)> {
    const AZURE: &str = "_git/";
    const SUFFIX: &str = ".git";
    if let Some(at) = path.find(AZURE) {
        let name = at + AZURE.len();
        let end = path[name..].find('/').map_or(path.len(), |end| name + end);
        return Some((&path[..end], path[end..].strip_prefix('/').unwrap_or_default()));
    }
    if let Some(at) = path.find("//") {
        return Some((&path[..at], &path[at + 2..]));
    }
    if let Some(at) = path.find(SUFFIX) {
        return Some(path.split_at(at + SUFFIX.len()));
    }
    if is_whole {
        return Some((path, ""));
    }
    let owner = path.find('/')?;
    match path[owner + 1..].find('/') {
        Some(name) => Some((&path[..owner + 1 + name], &path[owner + 2 + name..])),
        None => Some((path, "")),
    }
}

/// Whether a folder lies outside of its repository.
fn leaves(folder: &str) -> bool {
    let mut depth = 0_i64;
    for name in folder.split('/') {
        match name {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

fn read_query(query: &str, repository: &mut Repository) {
    let first = |wanted: &str| {
        let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let found = pairs.find(|(name, _)| *name == wanted).map(|(_, value)| unescape(value));
        found.filter(|value| !value.is_empty())
    };
    repository.reference = first("ref").or_else(|| first("version"));
    if let Some(timeout) = first("timeout").as_deref().and_then(duration) {
        repository.timeout = timeout;
    }
    match first("submodules").as_deref() {
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => repository.submodules = false,
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => repository.submodules = true,
        _ => {}
    }
}

/// Whole seconds, or what Go writes durations as (`1m30s`).
fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return (seconds > 0).then(|| Duration::from_secs(seconds));
    }
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = &rest[digits..];
        let length = unit.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(unit.len());
        total += number
            * match &unit[..length] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &unit[length..];
    }
    Duration::try_from_secs_f64(total).ok().filter(|total| !total.is_zero())
}

/// Percent signs and pluses of a query, read.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(read)) => {
                out.push(read);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_are_taken_apart_as_kustomize_does() {
        // From kustomize v5.8, api/internal/git/repospec_test.go: address,
        // what is cloned, folder, reference.
        let cases = [
            (
                "https://git-codecommit.us-east-2.amazonaws.com/someorg/somerepo/somedir",
                "https://git-codecommit.us-east-2.amazonaws.com/someorg/somerepo",
                "somedir",
                "",
            ),
            (
                "https://fabrikops2.visualstudio.com/someorg/_git/somerepo/somedir?ref=b",
                "https://fabrikops2.visualstudio.com/someorg/_git/somerepo",
                "somedir",
                "b",
            ),
            (
                "http://github.com/someorg/somerepo/somedir",
                "https://github.com/someorg/somerepo",
                "somedir",
                "",
            ),
            (
                "git@github.com:someorg/somerepo/somedir",
                "git@github.com:someorg/somerepo",
                "somedir",
                "",
            ),
            (
                "git@gitlab2.sqtools.ru:10022/infra/kubernetes/thanos-base.git?ref=v0.1.0",
                "git@gitlab2.sqtools.ru:10022/infra/kubernetes/thanos-base.git",
                "",
                "v0.1.0",
            ),
            (
                "git@bitbucket.org:company/project.git//path?ref=branch",
                "git@bitbucket.org:company/project.git",
                "path",
                "branch",
            ),
            (
                "https://bitbucket.example.com/scm/project/repository.git?version=x&ref=y",
                "https://bitbucket.example.com/scm/project/repository.git",
                "",
                "y",
            ),
            (
                "ssh://git-codecommit.us-east-2.amazonaws.com/someorg/somerepo",
                "ssh://git-codecommit.us-east-2.amazonaws.com/someorg/somerepo",
                "",
                "",
            ),
            (
                "ssh://git@ssh.github.com:443/YOUR-USERNAME/YOUR-REPOSITORY.git",
                "ssh://git@ssh.github.com:443/YOUR-USERNAME/YOUR-REPOSITORY.git",
                "",
                "",
            ),
            (
                "git::https://github.com/kubernetes-sigs/kustomize",
                "https://github.com/kubernetes-sigs/kustomize",
                "",
                "",
            ),
            ("github.com/a/b//deploy/x?ref=v1", "https://github.com/a/b", "deploy/x", "v1"),
            ("GitHub.com/a/b", "https://github.com/a/b", "", ""),
            ("ssh://git@github.com/a/b", "git@github.com:a/b", "", ""),
            ("file:///srv/repo.git//x", "file:///srv/repo.git", "x", ""),
            ("file://srv/repo", "file://srv/repo", "", ""),
            (
                "https://dev.azure.com/org/project/_git/repo",
                "https://dev.azure.com/org/project/_git/repo",
                "",
                "",
            ),
            ("https://example.org/path/to/repo//../x", "", "", ""),
            ("https://example.org/repo", "", "", ""),
            ("../base", "", "", ""),
            ("base", "", "", ""),
            ("/etc/passwd", "", "", ""),
            ("host.xz:path/to/repo.git", "", "", ""),
        ];
        for (address, url, folder, reference) in cases {
            let found = repository(address);
            let found = found.map(|found| (found.url, found.folder, found.reference));
            let wanted = (!url.is_empty()).then(|| {
                let reference = (!reference.is_empty()).then(|| reference.to_owned());
                (url.to_owned(), folder.to_owned(), reference)
            });
            assert_eq!(found, wanted, "{address}");
        }
    }

    #[test]
    fn queries_say_how_to_clone() {
        let of = |query: &str| repository(&format!("github.com/a/b?{query}")).unwrap();
        assert_eq!(of("timeout=61").timeout, Duration::from_secs(61));
        assert_eq!(of("timeout=1m1s").timeout, Duration::from_secs(61));
        assert_eq!(of("timeout=-1").timeout, Duration::from_secs(27));
        assert_eq!(of("timeout=soon").timeout, Duration::from_secs(27));
        assert!(!of("submodules=false").submodules);
        assert!(of("submodules=perhaps").submodules);
        assert_eq!(of("ref=a%2Fb").reference.as_deref(), Some("a/b"));
        assert_eq!(of("version=v1").reference.as_deref(), Some("v1"));
    }
}
