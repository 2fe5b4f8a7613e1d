use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gitops_kustomize as kustomize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::operations::desired::{self, Files};
use crate::operations::rendition::{Rendition, Wanted};
use crate::operations::workspace::Workspace;
use crate::operations::written;
use crate::output::render as output;

/// Print desired objects, as `kustomize build` prints them
///
/// Of environments of gitops.yaml, or of any folder by `-k`. Secret values
/// are printed, and written by `--write`: this is what would be applied.
///
/// `--write` puts each object into a file of its own, for branches that hold
/// rendered manifests: `prod/shop/deployment.apps_web.yaml` is the Deployment
/// `web` in namespace `shop` of `prod`. Either all files are written or none.
/// It keeps an index of its files there, and neither overwrites nor deletes
/// a file that is not in it or was edited since. A file whose object is gone
/// is named, and deleted with `--prune`.
///
/// `-o json` is a List, `-o name` one `kind.group/name` a line, as kubectl
/// prints them. With `--origin`, comments above each object say where it comes
/// from and what changed it; in JSON, each object stands beside its origin.
///
/// Examples:
///   kubectl gitops render prod
///   kubectl gitops render prod --rev v1.2 --origin
///   kubectl gitops render --all --write ../rendered --prune
///   kubectl gitops render -k overlays/prod | kubectl apply --dry-run=server -f -
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct RenderArgs {
    /// The environments
    #[arg(value_name = "ENV", conflicts_with_all = ["kustomize", "all"])]
    environments: Vec<String>,
    /// Render every environment
    #[arg(long, conflicts_with = "kustomize")]
    all: bool,
    /// Render this folder, without any configuration
    #[arg(short, long, value_name = "DIR")]
    kustomize: Option<PathBuf>,
    /// Render this revision instead of the work tree
    #[arg(long, value_name = "REV", conflicts_with = "kustomize")]
    rev: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    /// Say of each object where it comes from and what changed it
    #[arg(long)]
    origin: bool,
    /// Write a file an object into this folder, instead of printing them
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    write: Option<PathBuf>,
    /// With `--write`: delete the files of objects that are gone
    #[arg(long, requires = "write")]
    prune: bool,
    /// Whether a kustomization may read files outside its folder; by default
    /// as the environment's controller builds it
    #[arg(long, value_enum, value_name = "WHICH")]
    load_restrictor: Option<LoadRestrictor>,
    /// The order of the objects, where no `sortOptions` set it
    #[arg(long, value_enum, default_value_t, value_name = "ORDER")]
    reorder: Reorder,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Yaml,
    Json,
    Name,
}

/// kustomize's names for it.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LoadRestrictor {
    // None, as kustomize by default.
    #[value(name = "LoadRestrictionsRootOnly")]
    RootOnly,
    // All of the tree, as Flux does.
    #[value(name = "LoadRestrictionsNone")]
    None,
}

/// kustomize's names for it.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Reorder {
    // Namespaces first, webhooks last.
    #[default]
    Legacy,
    // As they were read.
    None,
}

pub(super) fn run(context: &Context, args: RenderArgs) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    if args.origin && args.output == Format::Name {
        return Err(Failure::usage("`-o name` has no room for `--origin`")
            .hint("take `-o yaml` or `-o json`"));
    }
    let renditions = args.renditions(context)?;
    if let Some(dir) = &args.write {
        let files = written::files_of(&renditions, args.origin, args.all)?;
        written::write(dir, &files, args.prune)?.tell(dir, terminal)?;
        return Ok(Exit::Yes);
    }
    match (args.output, args.origin) {
        (Format::Yaml, false) => {
            terminal.answer_in_pieces(|write| output::yaml(&renditions, write))?;
        }
        (Format::Yaml, true) => terminal.answer(&output::yaml_with_origins(&renditions))?,
        (Format::Json, false) => terminal.answer(&output::list(&renditions)?)?,
        (Format::Json, true) => terminal.answer(&output::list_with_origins(&renditions)?)?,
        (Format::Name, _) => terminal.answer(&output::names(&renditions))?,
    }
    // The process ends: to let go of a million nodes one by one is work for nothing.
    std::mem::forget(renditions);
    Ok(Exit::Yes)
}

impl RenderArgs {
    /// What to print: nothing of it, where anything does not render.
    fn renditions(&self, context: &Context) -> Result<Vec<Rendition>, Failure> {
        let wanted = Wanted {
            load_restrictor: self.load_restrictor.map(|restrictor| match restrictor {
                LoadRestrictor::RootOnly => kustomize::LoadRestrictor::RootOnly,
                LoadRestrictor::None => kustomize::LoadRestrictor::None,
            }),
            reorder: match self.reorder {
                Reorder::Legacy => kustomize::Reorder::Legacy,
                Reorder::None => kustomize::Reorder::None,
            },
        };
        let terminal = context.terminal;
        if let Some(dir) = &self.kustomize {
            let files = Files::kustomization(dir)?;
            return Ok(vec![Rendition::of_folder(&files, wanted, terminal)?]);
        }
        let workspace = Workspace::open(context, self.rev.as_deref())?;
        let config = workspace.config()?;
        desired::chosen(&config, &self.environments, self.all, "a folder by `-k`")?
            .into_iter()
            .map(|environment| {
                Rendition::of_environment(&workspace, &config, environment, wanted, terminal)
            })
            .collect()
    }
}
