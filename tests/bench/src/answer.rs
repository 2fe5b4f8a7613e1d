//! What a program answered, and whether it is right.

use std::collections::BTreeSet;

/// The objects that `kubectl diff` shows, as `Deployment/namespace/name`: each
/// has a line `diff -u -N LIVE MERGED`, whose files are named
/// `group.version.Kind.namespace.name`.
pub(crate) fn shown_by_kubectl(stdout: &str) -> BTreeSet<String> {
    stdout
        .lines()
        .filter(|line| line.starts_with("diff -u -N "))
        .filter_map(|line| line.rsplit('/').next())
        .map(|file| match file.split('.').collect::<Vec<_>>()[..] {
            ["apps", "v1", "Deployment", namespace, name] => {
                format!("Deployment/{namespace}/{name}")
            }
            _ => file.to_owned(),
        })
        .collect()
}

/// The objects that `kubectl gitops diff` shows, as `Deployment/namespace/name`
/// where they are configured, else with the word that it shows for them.
pub(crate) fn shown_by_gitops(stdout: &str) -> BTreeSet<String> {
    const WORDS: [&str; 7] =
        ["created", "configured", "replaced", "deleted", "error", "unverified", "skipped"];
    stdout
        .lines()
        .filter_map(|line| {
            let (word, key) = line.split_once(' ')?;
            WORDS.contains(&word).then(|| match word {
                "configured" => key.to_owned(),
                _ => line.to_owned(),
            })
        })
        .collect()
}

/// Says how a set of objects differs from the right one.
pub(crate) fn same_objects(
    shown: &BTreeSet<String>,
    expected: &BTreeSet<String>,
) -> Result<(), String> {
    if shown == expected {
        return Ok(());
    }
    let sample = |objects: Vec<&str>| match objects.as_slice() {
        [] => "none".to_owned(),
        [first, second, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second} and {} more", rest.len())
        }
        few => few.join(", "),
    };
    Err(format!(
        "shows {} objects, {} differ; too many: {}; too few: {}",
        shown.len(),
        expected.len(),
        sample(shown.difference(expected).map(String::as_str).collect()),
        sample(expected.difference(shown).map(String::as_str).collect()),
    ))
}

/// Says where two outputs part.
pub(crate) fn same_bytes(ours: &[u8], peer: &[u8]) -> Result<(), String> {
    if ours == peer {
        return Ok(());
    }
    let lines = |bytes: &[u8]| -> Vec<String> {
        String::from_utf8_lossy(bytes).split('\n').map(str::to_owned).collect()
    };
    let (ours, peer) = (lines(ours), lines(peer));
    let same = ours.iter().zip(&peer).take_while(|(ours, peer)| ours == peer).count();
    let show = |lines: &[String]| match lines.get(same) {
        Some(line) => format!("`{}`", line.chars().take(60).collect::<String>()),
        None => "the end".to_owned(),
    };
    Err(format!("line {}: ours has {}, the peer has {}", same + 1, show(&ours), show(&peer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(objects: &[&str]) -> BTreeSet<String> {
        objects.iter().map(|object| (*object).to_owned()).collect()
    }

    #[test]
    fn kubectls_objects_are_read_from_its_file_names() {
        let stdout = "\
diff -u -N /tmp/LIVE-1/apps.v1.Deployment.shop-eu.web /tmp/MERGED-2/apps.v1.Deployment.shop-eu.web
--- /tmp/LIVE-1/apps.v1.Deployment.shop-eu.web\t2026-01-01
+++ /tmp/MERGED-2/apps.v1.Deployment.shop-eu.web\t2026-01-01
@@ -1,2 +1,2 @@
-  image: a
+  image: b
diff -u -N /tmp/LIVE-1/v1.ConfigMap.shop-eu.web-config /tmp/MERGED-2/v1.ConfigMap.shop-eu.web-config
";
        let expected = set(&["Deployment/shop-eu/web", "v1.ConfigMap.shop-eu.web-config"]);
        assert_eq!(shown_by_kubectl(stdout), expected);
    }

    #[test]
    fn our_objects_are_read_from_their_heads() {
        let stdout = "\
configured Deployment/shop-eu/web
  shop-eu.yaml:3, applied as kubectl
--- cluster
+++ files
@@ -1 +1 @@
 created by someone
-image: a
+image: b

error Deployment/shop-eu/api
  forbidden
";
        let expected = set(&["Deployment/shop-eu/web", "error Deployment/shop-eu/api"]);
        assert_eq!(shown_by_gitops(stdout), expected);
    }

    #[test]
    fn a_wrong_set_is_told_in_both_directions() {
        assert_eq!(same_objects(&set(&["a"]), &set(&["a"])), Ok(()));
        let error = same_objects(&set(&["a", "x"]), &set(&["a", "b", "c", "d"]));
        let expected = "shows 2 objects, 4 differ; too many: x; too few: b, c and 1 more";
        assert_eq!(error, Err(expected.to_owned()));
    }

    #[test]
    fn the_first_other_line_is_named() {
        assert_eq!(same_bytes(b"a\nb\n", b"a\nb\n"), Ok(()));
        let error = same_bytes(b"a\nb\n", b"a\nc\n");
        assert_eq!(error, Err("line 2: ours has `b`, the peer has `c`".to_owned()));
        let error = same_bytes(b"a", b"a\nc");
        assert_eq!(error, Err("line 2: ours has the end, the peer has `c`".to_owned()));
    }
}
