//! Addresses of repositories: which are one, what a relative one means.

use std::path::{Component, Path, PathBuf};

/// Whether two addresses are of one repository, as far as they can tell: the
/// same host and path, whatever the scheme, the user, `.git` and a slash at
/// the end. Paths of this machine are compared after links are followed.
pub fn same_address(one: &str, other: &str) -> bool {
    normal(one) == normal(other)
}

/// `address` as it is meant beside `base`: one that starts with `./` or `../`
/// is relative to `base`, as `git submodule` takes it; any other is as it is.
/// `None` where it leads out of what `base` has.
pub fn beside(base: &str, address: &str) -> Option<String> {
    if !is_relative(address) {
        return Some(address.to_owned());
    }
    let (start, path) = split(base);
    let absolute = path.starts_with('/');
    let mut names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    for name in address.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop()?;
            }
            name => names.push(name),
        }
    }
    if names.is_empty() {
        return None;
    }
    Some(format!("{start}{}{}", if absolute { "/" } else { "" }, names.join("/")))
}

/// Whether an address is relative to another one.
pub fn is_relative(address: &str) -> bool {
    address.starts_with("./") || address.starts_with("../")
}

/// `scheme://host`, or `host:`, or nothing; and the path behind it.
fn split(address: &str) -> (&str, &str) {
    if let Some(at) = address.find("://") {
        let after = at + 3;
        let end = address[after..].find('/').map_or(address.len(), |slash| after + slash);
        return address.split_at(end);
    }
    match scp(address) {
        Some(colon) => address.split_at(colon + 1),
        None => ("", address),
    }
}

/// Where the colon of `host:path` stands; a slash before it makes it a path.
fn scp(address: &str) -> Option<usize> {
    let colon = address.find(':')?;
    (colon > 0 && !address[..colon].contains('/')).then_some(colon)
}

fn normal(address: &str) -> (String, PathBuf) {
    let (start, path) = split(address);
    let host = start.split_once("://").map_or(start.trim_end_matches(':'), |(_, host)| host);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host).to_ascii_lowercase();
    let scheme = start.split_once("://").map(|(scheme, _)| scheme);
    let usual = match scheme {
        Some("https") => ":443",
        Some("http") => ":80",
        Some("ssh") => ":22",
        Some("git") => ":9418",
        _ => "",
    };
    let host = host.strip_suffix(usual).unwrap_or(&host).to_owned();
    let plain = |path: &str| {
        let path = path.trim_end_matches('/');
        path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/').to_owned()
    };
    if host.is_empty() {
        let path = real(Path::new(path));
        return (host, PathBuf::from(plain(&path.to_string_lossy())));
    }
    (host, PathBuf::from(plain(path.trim_start_matches('/'))))
}

/// A path of this machine without links, as far as it exists.
pub(crate) fn real(path: &Path) -> PathBuf {
    if let Ok(real) = std::fs::canonicalize(path) {
        return real;
    }
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_repository_has_many_addresses() {
        for (one, other, same) in [
            ("https://github.com/acme/apps", "https://github.com/acme/apps.git", true),
            ("https://github.com/acme/apps", "git@github.com:acme/apps.git", true),
            ("https://GitHub.com/acme/apps/", "ssh://git@github.com/acme/apps", true),
            ("https://github.com:443/acme/apps", "https://github.com/acme/apps", true),
            ("ssh://git@h:22/acme/apps", "git@h:acme/apps", true),
            ("https://h:8443/acme/apps", "https://h/acme/apps", false),
            ("https://github.com/acme/apps", "https://github.com/acme/app", false),
            ("https://github.com/acme/apps", "https://gitlab.com/acme/apps", false),
            ("/srv/git/apps.git", "/srv/git/x/../apps", true),
            ("file:///srv/git/apps.git", "/srv/git/apps", true),
            ("/srv/git/apps", "/srv/git/Apps", false),
        ] {
            assert_eq!(same_address(one, other), same, "{one} {other}");
        }
    }

    #[test]
    fn relative_addresses_stand_beside_another() {
        for (base, address, expected) in [
            ("https://h/acme/gitops.git", "../apps.git", Some("https://h/acme/apps.git")),
            ("https://h/acme/gitops", "../../other/apps", Some("https://h/other/apps")),
            ("git@h:acme/gitops.git", "../apps.git", Some("git@h:acme/apps.git")),
            ("ssh://git@h:22/acme/gitops", "../apps", Some("ssh://git@h:22/acme/apps")),
            ("/srv/git/gitops.git", "../apps.git", Some("/srv/git/apps.git")),
            ("/srv/git/gitops.git", "./apps.git", Some("/srv/git/gitops.git/apps.git")),
            ("https://h/acme", "../../../apps", None),
            ("https://h/acme", "https://i/apps", Some("https://i/apps")),
            ("https://h/acme", "/srv/apps", Some("/srv/apps")),
        ] {
            assert_eq!(beside(base, address).as_deref(), expected, "{base} {address}");
        }
    }
}
