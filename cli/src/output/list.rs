//! The environments and what stands in them.

use gitops_core::plan::App;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Paint, Terminal, json, schema};
use crate::config::{After, Environment, Merge};

/// One environment.
pub(crate) struct Row<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) apps: Vec<App>,
    /// Whether nothing is promoted from it.
    pub(crate) last: bool,
}

pub(super) fn strategy(merge: Merge) -> &'static str {
    match merge {
        Merge::Auto => "auto",
        Merge::Manual => "manual",
        Merge::Direct => "direct",
    }
}

/// Its folder, and its branch and repository where it has its own.
fn place(environment: &Environment) -> String {
    let mut place = match environment.path.as_str() {
        "" => ".".to_owned(),
        path => path.to_owned(),
    };
    if let Some(branch) = &environment.branch {
        place.push_str(&format!(" on {branch}"));
    }
    if let Some(repository) = &environment.repository {
        place.push_str(&format!(" in {repository}"));
    }
    place
}

/// What it comes after, and whether nothing comes after it.
fn order(environment: &Environment, last: bool) -> String {
    let names = environment.after.names().join(", ");
    let mut order = match &environment.after {
        After::All(list) if list.is_empty() => String::new(),
        After::Any(list) if list.len() > 1 => format!(", after any of {names}"),
        After::All(_) | After::Any(_) => format!(", after {names}"),
    };
    if !environment.from.is_empty() {
        order.push_str(&format!(", also from {}", environment.from.join(", ")));
    }
    if last {
        order.push_str(", last");
    }
    order
}

/// A block an environment: where it comes in the order, its folder and
/// strategy, then a line an app.
pub(crate) fn text(rows: &[Row<'_>], terminal: Terminal) -> String {
    let mut text = String::new();
    let width = rows.iter().flat_map(|row| &row.apps).map(|app| app.name.len()).max().unwrap_or(0);
    for row in rows {
        let environment = row.environment;
        let order = order(environment, row.last);
        text.push_str(&terminal.paint(Paint::Bold, &environment.name));
        text.push_str(&format!(
            "  {}, merge {}{order}\n",
            place(environment),
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

/// The environments, each behind those it comes after, and their apps.
#[derive(Serialize, JsonSchema)]
pub(crate) struct EnvironmentListDoc<'a> {
    environments: Vec<EnvironmentDoc<'a>>,
}

impl json::Body for EnvironmentListDoc<'_> {
    const KIND: &'static str = "EnvironmentList";
}

/// One environment.
#[derive(Serialize, JsonSchema)]
struct EnvironmentDoc<'a> {
    name: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<&'a str>,
    after: &'a [String],
    /// Where a promotion may start besides.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    from: &'a [String],
    /// Whether nothing is promoted from it.
    last: bool,
    #[schemars(schema_with = "schema::strategies")]
    merge: &'a str,
    clusters: Vec<&'a str>,
    apps: Vec<AppDoc<'a>>,
}

/// One app.
#[derive(Serialize, JsonSchema)]
struct AppDoc<'a> {
    name: &'a str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

/// One JSON document of kind `EnvironmentList`.
pub(crate) fn document(rows: &[Row<'_>]) -> String {
    let environments = rows
        .iter()
        .map(|row| EnvironmentDoc {
            name: &row.environment.name,
            path: &row.environment.path,
            branch: row.environment.branch.as_deref(),
            repository: row.environment.repository.as_deref(),
            after: row.environment.after.names(),
            from: &row.environment.from,
            last: row.last,
            merge: strategy(row.environment.merge),
            clusters: row.environment.clusters.iter().map(|c| c.name.as_str()).collect(),
            apps: row
                .apps
                .iter()
                .map(|app| AppDoc {
                    name: &app.name,
                    path: app.folder.to_string(),
                    version: app.version(),
                })
                .collect(),
        })
        .collect();
    json::document(&EnvironmentListDoc { environments })
}
