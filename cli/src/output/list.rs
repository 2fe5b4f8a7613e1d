//! The environments and what stands in them.

use gitops_core::plan::App;
use serde::Serialize;

use super::{Paint, Terminal, json};
use crate::config::{Environment, Merge};

/// One environment.
pub(crate) struct Row<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) apps: Vec<App>,
}

fn strategy(merge: Merge) -> &'static str {
    match merge {
        Merge::Auto => "auto",
        Merge::Manual => "manual",
        Merge::Direct => "direct",
    }
}

/// A block an environment: where it comes in the order, its folder and
/// strategy, then a line an app.
pub(crate) fn text(rows: &[Row<'_>], terminal: Terminal) -> String {
    let mut text = String::new();
    let width = rows.iter().flat_map(|row| &row.apps).map(|app| app.name.len()).max().unwrap_or(0);
    for row in rows {
        let environment = row.environment;
        let after = environment.after.names();
        let order =
            if after.is_empty() { String::new() } else { format!(", after {}", after.join(", ")) };
        text.push_str(&terminal.paint(Paint::Bold, &environment.name));
        text.push_str(&format!(
            "  {}, merge {}{order}\n",
            match environment.path.as_str() {
                "" => ".",
                path => path,
            },
            strategy(environment.merge)
        ));
        for app in &row.apps {
            let version = app.version().unwrap_or_else(|| "no version".to_owned());
            text.push_str(&format!("  {:width$}  {version}\n", app.name));
        }
        if row.apps.is_empty() {
            text.push_str("  no apps\n");
        }
    }
    text
}

/// One JSON document of kind `EnvironmentList`.
pub(crate) fn document(rows: &[Row<'_>]) -> String {
    #[derive(Serialize)]
    struct Body<'a> {
        environments: Vec<Entry<'a>>,
    }
    #[derive(Serialize)]
    struct Entry<'a> {
        name: &'a str,
        path: &'a str,
        after: &'a [String],
        merge: &'a str,
        clusters: Vec<&'a str>,
        apps: Vec<AppEntry<'a>>,
    }
    #[derive(Serialize)]
    struct AppEntry<'a> {
        name: &'a str,
        path: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    }
    let environments = rows
        .iter()
        .map(|row| Entry {
            name: &row.environment.name,
            path: &row.environment.path,
            after: row.environment.after.names(),
            merge: strategy(row.environment.merge),
            clusters: row.environment.clusters.iter().map(|c| c.name.as_str()).collect(),
            apps: row
                .apps
                .iter()
                .map(|app| AppEntry {
                    name: &app.name,
                    path: app.folder.to_string(),
                    version: app.version(),
                })
                .collect(),
        })
        .collect();
    json::document("EnvironmentList", &Body { environments })
}
