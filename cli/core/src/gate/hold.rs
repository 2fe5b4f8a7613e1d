//! Holds: somebody wants no promotion into an environment, until they say
//! otherwise or for a time. A hold is a file below `holds/` of the state branch.

use gitops_tree::TreePath;
use gitops_yaml::{FileId, Node, Value};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

const API_VERSION: &str = "kubectl-gitops.dev/v1alpha1";
const KIND: &str = "Hold";
const KEYS: [&str; 8] =
    ["apiVersion", "kind", "environment", "apps", "owner", "reason", "since", "expires"];

/// The folder of holds.
pub const FOLDER: &str = "holds";

/// Somebody wants no promotion into an environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hold {
    /// The environment.
    pub environment: String,
    /// The apps, sorted; all of them where there is none.
    pub apps: Vec<String>,
    /// Who holds it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; `None` until it is taken back.
    pub expires: Option<Timestamp>,
}

/// A file that is no hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}: {reason}")]
pub struct HoldError {
    /// The file.
    pub path: String,
    /// 1-based line.
    pub line: u32,
    /// What is wrong.
    pub reason: String,
}

impl Hold {
    /// Whether it counts at `now`.
    pub fn counts(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// Whether it is about one of `apps`, or about all.
    pub fn concerns(&self, apps: &[String]) -> bool {
        self.apps.is_empty() || self.apps.iter().any(|app| apps.contains(app))
    }

    /// Where it is kept: one file an environment, owner and set of apps, so that
    /// nobody overwrites what another one holds.
    pub fn path(&self) -> TreePath {
        let mut hash = Sha256::new();
        for text in std::iter::once(&self.owner).chain(&self.apps) {
            hash.update(format!("{}:{text}\n", text.len()));
        }
        let digest: String = hash.finalize().iter().take(6).map(|b| format!("{b:02x}")).collect();
        let mut name: String = self
            .owner
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .take(40)
            .collect();
        name = name.trim_matches('-').to_owned();
        TreePath::new(&format!("{FOLDER}/{}/{name}-{digest}.yaml", self.environment))
            .expect("names of environments stand in paths, and the rest is letters and digits")
    }

    /// The bytes of its file.
    pub fn write(&self) -> String {
        // A JSON string is a YAML string.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut text = format!(
            "apiVersion: {API_VERSION}\nkind: {KIND}\nenvironment: {}\n",
            quoted(&self.environment)
        );
        if !self.apps.is_empty() {
            let apps: Vec<String> = self.apps.iter().map(|app| quoted(app)).collect();
            text.push_str(&format!("apps: [{}]\n", apps.join(", ")));
        }
        text.push_str(&format!("owner: {}\n", quoted(&self.owner)));
        text.push_str(&format!("reason: {}\n", quoted(&self.reason)));
        text.push_str(&format!("since: {}\n", quoted(&moment(self.since))));
        if let Some(expires) = self.expires {
            text.push_str(&format!("expires: {}\n", quoted(&moment(expires))));
        }
        text
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// When anything in it is missing, unknown or not what it should be: who
    /// wrote it meant to hold something, so it is never passed over.
    pub fn read(path: &TreePath, bytes: &[u8]) -> Result<Hold, HoldError> {
        let wrong = |line: u32, reason: String| HoldError {
            path: path.as_str().to_owned(),
            line: line.max(1),
            reason,
        };
        let documents = gitops_yaml::read(FileId(0), bytes)
            .map_err(|error| wrong(error.line, error.reason.to_string()))?;
        let mut roots = documents.iter().filter_map(|document| document.root.as_ref());
        let root = roots.next().ok_or_else(|| wrong(1, "the file is empty".to_owned()))?;
        if let Some(second) = roots.next() {
            return Err(wrong(second.mark.line, "a second document".to_owned()));
        }
        let Value::Mapping(entries) = &root.value else {
            return Err(wrong(root.mark.line, "a hold is a mapping".to_owned()));
        };
        for (key, _) in entries {
            let name = key.text().unwrap_or_default();
            if !KEYS.contains(&name) {
                let reason = format!("unknown key `{}`", name.escape_debug());
                return Err(wrong(key.mark.line, reason));
            }
        }
        let text = |key: &str| -> Result<&str, HoldError> {
            let node = root
                .get(key)
                .ok_or_else(|| wrong(root.mark.line, format!("`{key}` is missing")))?;
            match node.text().filter(|text| !node.is_null() && !text.trim().is_empty()) {
                Some(text) => Ok(text),
                None => Err(wrong(node.mark.line, format!("`{key}` is no text"))),
            }
        };
        let line = |key: &str| root.get(key).map_or(root.mark.line, |node| node.mark.line);
        let time = |key: &str| -> Result<Timestamp, HoldError> {
            let text = text(key)?;
            text.parse().map_err(|_| {
                let reason = format!(
                    "`{key}: {}` is no time such as 2026-11-23T08:00:00Z",
                    text.escape_debug()
                );
                wrong(line(key), reason)
            })
        };
        for (key, known) in [("apiVersion", API_VERSION), ("kind", KIND)] {
            let found = text(key)?;
            if found != known {
                let reason = format!("`{key}: {}` is not `{known}`", found.escape_debug());
                return Err(wrong(line(key), reason));
            }
        }
        let environment = text("environment")?.to_owned();
        let folder = path.parent().unwrap_or_default();
        if folder.names().next_back() != Some(environment.as_str()) {
            let reason = format!(
                "it holds `{}`, but stands in the folder `{folder}`",
                environment.escape_debug()
            );
            return Err(wrong(line("environment"), reason));
        }
        let mut apps = Vec::new();
        if let Some(list) = root.get("apps") {
            // An empty list would hold all of them, or none.
            if !matches!(list.value, Value::Sequence(_)) || list.items().is_empty() {
                return Err(wrong(list.mark.line, "`apps` is no list of apps".to_owned()));
            }
            for item in list.items() {
                let app = Node::text(item)
                    .filter(|app| !item.is_null() && !app.is_empty())
                    .ok_or_else(|| wrong(item.mark.line, "`apps` is no list of apps".to_owned()))?;
                apps.push(app.to_owned());
            }
        }
        apps.sort();
        apps.dedup();
        let expires = match root.get("expires") {
            None => None,
            Some(_) => Some(time("expires")?),
        };
        Ok(Hold {
            environment,
            apps,
            owner: text("owner")?.to_owned(),
            reason: text("reason")?.to_owned(),
            since: time("since")?,
            expires,
        })
    }
}

/// A moment to the second, RFC 3339 in UTC.
pub fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn some() -> Hold {
        Hold {
            environment: "prod".to_owned(),
            apps: vec!["api".to_owned(), "web".to_owned()],
            owner: "ada@example.com".to_owned(),
            reason: "incident: \"42\"\nno change".to_owned(),
            since: time("2026-01-02T03:04:05Z"),
            expires: Some(time("2026-01-03T03:04:05Z")),
        }
    }

    #[test]
    fn it_counts_until_it_expires() {
        let hold = some();
        assert!(hold.counts(time("2026-01-03T03:04:04Z")));
        assert!(!hold.counts(time("2026-01-03T03:04:05Z")));
        assert!(Hold { expires: None, ..some() }.counts(time("2999-01-01T00:00:00Z")));
        assert!(hold.concerns(&["web".to_owned()]) && !hold.concerns(&["db".to_owned()]));
        assert!(Hold { apps: Vec::new(), ..some() }.concerns(&[]));
    }

    #[test]
    fn owners_and_apps_have_files_of_their_own() {
        let hold = some();
        assert!(hold.path().as_str().starts_with("holds/prod/ada-example-com-"));
        let others = [
            Hold { owner: "ada.example@com".to_owned(), ..some() },
            Hold { apps: Vec::new(), ..some() },
            Hold { environment: "uat".to_owned(), ..some() },
        ];
        for other in others {
            assert_ne!(other.path(), hold.path());
        }
        assert_eq!(Hold { reason: "x".to_owned(), expires: None, ..some() }.path(), hold.path());
    }

    #[test]
    fn a_broken_file_names_its_line() {
        let good = some().write();
        let path = some().path();
        let cases: [(&str, &str, &str); 11] = [
            ("kind: Hold", "kind: Holt", "2: `kind: Holt` is not `Hold`"),
            ("kind: Hold", "kind: Hold\nuntil: x", "3: unknown key `until`"),
            ("\"prod\"", "\"uat\"", "3: it holds `uat`, but stands in the folder `holds/prod`"),
            ("[\"api\", \"web\"]", "web", "4: `apps` is no list of apps"),
            ("[\"api\", \"web\"]", "[]", "4: `apps` is no list of apps"),
            ("owner: \"ada@example.com\"\n", "", "1: `owner` is missing"),
            ("\"ada@example.com\"", "\" \"", "5: `owner` is no text"),
            ("\"ada@example.com\"", "null", "5: `owner` is no text"),
            ("\"web\"]", "~]", "4: `apps` is no list of apps"),
            (
                "2026-01-03T03:04:05Z",
                "tomorrow",
                "8: `expires: tomorrow` is no time such as 2026-11-23T08:00:00Z",
            ),
            ("expires:", "expires: {", ""),
        ];
        for (from, to, message) in cases {
            let text = good.replacen(from, to, 1);
            assert_ne!(text, good, "{from}");
            let error = Hold::read(&path, text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{path}:{message}")), "{error}");
        }
        assert!(Hold::read(&path, b"").unwrap_err().to_string().ends_with(":1: the file is empty"));
        assert!(Hold::read(&path, b"[]").is_err());
        assert!(Hold::read(&path, format!("{good}---\n{good}").as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            owner in "[^\\x00-\\x1f\\x7f-\\x9f]*[a-zA-Z]",
            reason in "\\PC*[a-z]\\PC*",
            mut apps in proptest::collection::vec("[a-z#: \\\\\"-]{1,8}", 0..3),
            seconds in 0i64..4_000_000_000,
            more in proptest::option::of(0i64..100_000_000),
        ) {
            apps.sort();
            apps.dedup();
            let since = Timestamp::from_second(seconds).unwrap();
            let expires = more.map(|more| Timestamp::from_second(seconds + more).unwrap());
            let hold = Hold { environment: "prod".to_owned(), apps, owner, reason, since, expires };
            let read = Hold::read(&hold.path(), hold.write().as_bytes());
            prop_assert_eq!(read, Ok(hold));
        }
    }
}
