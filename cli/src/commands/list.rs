use clap::Args;
use gitops_core::plan::{PlanError, discover_apps};
use gitops_tree::EntryKind;

use super::Format;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::operations::workspace::Workspace;
use crate::output::list::{self as output, Row};

/// List environments, their order, apps and versions
///
/// Reads gitops.yaml and the environments' folders; needs no cluster.
///
/// Examples:
///   kubectl gitops list
///   kubectl gitops list --rev v1.2 -o json
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct ListArgs {
    /// List this revision instead of the work tree
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(super) fn run(context: &Context, args: ListArgs) -> Result<Exit, Failure> {
    let workspace = Workspace::open(context, args.rev.as_deref())?;
    let config = workspace.config()?;
    let trust = config.trust_branch.clone().unwrap_or_default();
    let mut rows = Vec::new();
    for environment in &config.environments {
        let reference = environment.reference(&trust);
        let place = workspace.place(&config, environment)?;
        let apps = match discover_apps(place.tree(), &reference, &config.rules) {
            Ok(apps) => apps,
            // A folder of plain manifests: nothing in it can be promoted.
            Err(PlanError::NoKustomization { ref folder, .. })
                if matches!(place.tree().kind(folder), Ok(Some(EntryKind::Directory))) =>
            {
                Vec::new()
            }
            Err(error) => {
                let attempt = format!("could not list environment `{}`", environment.name);
                let failure = Failure::usage(attempt).because(&error);
                return Err(match error.hint() {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                });
            }
        };
        let last = config.targets(&environment.name).is_empty();
        rows.push(Row { environment, apps, last });
    }
    let text = match args.output {
        Format::Text => output::text(&rows, context.terminal),
        Format::Json => output::document(&rows),
    };
    context.terminal.answer(&text)?;
    Ok(Exit::Yes)
}
