//! Addresses without credentials.

/// `text` with the credentials of every address in it taken out: everything
/// before the `@` of an `https://…@host` address (a user alone may be a token),
/// the password of an `ssh://user:…@host` one. The rest stays as it is.
pub fn without_credentials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let scheme = before[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '+').next();
        let ssh = scheme.is_some_and(|scheme| scheme.to_ascii_lowercase().contains("ssh"));
        let (user, host) = after.split_at(length_of_user(after));
        if ssh && !user.is_empty() {
            let name = user.split([':', '@']).next().unwrap_or_default();
            out.push_str(name);
            out.push('@');
        }
        rest = host;
    }
    out.push_str(rest);
    out
}

/// How many bytes `user:password@` takes at the start of an address.
fn length_of_user(address: &str) -> usize {
    let word_end =
        address.find(|c: char| c.is_whitespace() || "'\"`<>".contains(c)).unwrap_or(address.len());
    let word = &address[..word_end];
    let authority = word.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some(at) = authority.rfind('@') {
        return at + 1;
    }
    // `user:pass/word@host`: what stands where a port should is no number, so
    // that a slash in a password does not show the rest of it.
    match authority.rsplit_once(':') {
        Some((_, port)) if !port.bytes().all(|b| b.is_ascii_digit()) && !port.ends_with(']') => {
            word.rfind('@').map_or(0, |at| at + 1)
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credential_stays() {
        for (text, expected) in [
            ("https://github.com/acme/apps.git", "https://github.com/acme/apps.git"),
            ("https://user:pw@host/x", "https://host/x"),
            ("https://ghp_token@host/x", "https://host/x"),
            ("HTTPS://u:p@host:8443/x", "HTTPS://host:8443/x"),
            ("https://u:p@ss@host/x", "https://host/x"),
            ("https://u:p/w@host/x", "https://host/x"),
            ("https://u:@host", "https://host"),
            ("https://host/scope@v1", "https://host/scope@v1"),
            ("https://host:8080/scope@v1", "https://host:8080/scope@v1"),
            ("https://[::1]/scope@v1", "https://[::1]/scope@v1"),
            ("https://[::1]:3000/a@b", "https://[::1]:3000/a@b"),
            ("ssh://git@host:22/x", "ssh://git@host:22/x"),
            ("ssh://git:pw@host/x", "ssh://git@host/x"),
            ("git+ssh://git:pw@host/x", "git+ssh://git@host/x"),
            ("git@host:acme/apps.git", "git@host:acme/apps.git"),
            ("file:///srv/a@b.git", "file:///srv/a@b.git"),
            (
                "fatal: unable to access 'https://u:p@h/x/': no route, from http://t@i/ to j@k",
                "fatal: unable to access 'https://h/x/': no route, from http://i/ to j@k",
            ),
            ("", ""),
            ("://", "://"),
        ] {
            assert_eq!(without_credentials(text), expected);
        }
    }
}
