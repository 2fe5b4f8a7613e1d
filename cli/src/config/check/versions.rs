//! `apps[].versions`: where versions are offered.

use gitops_core::plan::Versions;

use super::super::file::{self, File};
use super::super::keys::suggest;
use super::Below::{self, Key};
use super::Checker;
use super::repositories::address;

impl Checker<'_> {
    pub(super) fn versions(
        &mut self,
        versions: &file::Versions,
        at: [Below<'_>; 2],
        file: &File,
    ) -> Option<Versions> {
        let below = |key| [at[0], at[1], Key("versions"), Key(key)];
        let prefix = versions.prefix.as_deref();
        match (&versions.tags, &versions.file) {
            (Some(tags), None) => {
                self.offering(tags, file, &below("tags"));
                let of = self.template(tags, &["app"], &below("tags"));
                let prefix = self.template(prefix.unwrap_or_default(), &["app"], &below("prefix"));
                Some(Versions::Tags { of: of?, prefix: prefix? })
            }
            (None, Some(list)) => {
                if prefix.is_some() {
                    let message = "`prefix` goes with `tags`: a list holds versions alone";
                    self.problem(&below("prefix"), message, None);
                }
                let path = self.path(list, &below("file"))?;
                if path.is_root() {
                    self.problem(&below("file"), "no file is named", None);
                    return None;
                }
                self.template(path.as_str(), &["app"], &below("file")).map(Versions::File)
            }
            (tags, _) => {
                let message = match tags {
                    None => "`versions` says where versions are offered, and this says nothing",
                    Some(_) => "versions are offered in one place, and this names two",
                };
                let hint = "write `versions: {tags: URL}` or `versions: {file: PATH}`".to_owned();
                self.problem(&[at[0], at[1], Key("versions")], message, Some(hint));
                None
            }
        }
    }

    /// An address, or a repository that the file names.
    fn offering(&mut self, tags: &str, file: &File, at: &[Below<'_>]) {
        if file.repositories.contains_key(tags) {
            return;
        }
        if tags.contains(['/', ':']) || tags.is_empty() {
            if let Err((reason, hint)) = address(&tags.replace("{app}", "app")) {
                // An address may hold a credential: it is not repeated.
                let hint = hint.map(str::to_owned);
                self.problem(at, format!("the address in `tags` {reason}"), hint);
            } else if tags.starts_with("{app}") {
                let message = "the address in `tags` begins with `{app}`, so that an app's name would say where to ask";
                self.problem(at, message, Some("begin with a scheme or a host".to_owned()));
            }
            return;
        }
        let message = format!("no repository `{}`", tags.escape_debug());
        let mut hint = "write an address, or the name of one of `repositories`".to_owned();
        if !file.repositories.is_empty() {
            let near = suggest(tags, file.repositories.keys().map(String::as_str));
            hint = format!("{near}; an address does as well");
        }
        self.problem(at, message, Some(hint));
    }
}
