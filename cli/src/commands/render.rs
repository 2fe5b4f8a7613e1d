use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::operations::desired::{self, Workspace};

/// Print desired objects, as `kustomize build` prints them
///
/// Of an environment of gitops.yaml, or of any folder by `-k`. Secret values
/// are printed: this is what would be applied.
///
/// Examples:
///   kubectl gitops render prod
///   kubectl gitops render prod --rev v1.2
///   kubectl gitops render -k overlays/prod | kubectl apply --dry-run=server -f -
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct RenderArgs {
    /// The environment
    #[arg(value_name = "ENV", required_unless_present = "kustomize", conflicts_with = "kustomize")]
    environment: Option<String>,
    /// Render this folder, without any configuration
    #[arg(short, long, value_name = "DIR")]
    kustomize: Option<PathBuf>,
    /// Render this revision instead of the work tree
    #[arg(long, value_name = "REV", conflicts_with = "kustomize")]
    rev: Option<String>,
    /// Whether a kustomization may read files outside its folder
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    load_restrictor: LoadRestrictor,
}

/// kustomize's names for it.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum LoadRestrictor {
    // None, as kustomize by default.
    #[default]
    #[value(name = "LoadRestrictionsRootOnly")]
    RootOnly,
    // All of the tree, as Flux does.
    #[value(name = "LoadRestrictionsNone")]
    None,
}

pub(super) fn run(context: &Context, args: RenderArgs) -> Result<Exit, Failure> {
    let options = gitops_kustomize::Options {
        load_restrictor: match args.load_restrictor {
            LoadRestrictor::RootOnly => gitops_kustomize::LoadRestrictor::RootOnly,
            LoadRestrictor::None => gitops_kustomize::LoadRestrictor::None,
        },
        ..gitops_kustomize::Options::default()
    };
    let mut text = String::new();
    if let Some(dir) = &args.kustomize {
        let files = desired::Files::kustomization(dir)?;
        text.push_str(&files.rendered(&options, context.terminal)?);
    } else if let Some(name) = &args.environment {
        let workspace = Workspace::open(context, args.rev.as_deref())?;
        let config = workspace.config()?;
        let environment = config.environment(name).map_err(desired::unknown_environment)?;
        for folder in workspace.folders(environment)? {
            let rendered = workspace.rendered(&folder, &options, context.terminal)?;
            if !text.is_empty() && !rendered.is_empty() {
                text.push_str("---\n");
            }
            text.push_str(&rendered);
        }
    }
    context.terminal.answer(&text)?;
    Ok(Exit::Yes)
}
