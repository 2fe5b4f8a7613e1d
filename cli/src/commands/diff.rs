use std::borrow::Cow;
use std::path::PathBuf;

use clap::Args;
use gitops_core::change::{Action, Change};
use gitops_core::diff::Shown;
use gitops_core::object::Raw;
use gitops_core::predict::owner;
use gitops_kustomize::LabelSelector;
use serde_json::Value;

use super::Format;
use crate::args::ClusterArgs;
use crate::config::{Config, Controller, Environment};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::operations::desired::{self, Files, unknown_environment};
use crate::operations::live::{Asking, Connection, Drift};
use crate::operations::offline;
use crate::operations::renders::Renders;
use crate::operations::workspace::Workspace;
use crate::output::diff::{self as output, Comparison};

/// Show how a cluster differs from Git
///
/// One environment (or `--all`) is compared with its cluster: the API server
/// is asked, by dry run, what applying the desired objects would change.
/// Nothing is written. Two environments, or `--rev A..B`, are compared with
/// each other, without a cluster. `-f` and `-k` need no configuration.
///
/// Secret values are never printed: seals show whether they differ.
///
/// Examples:
///   kubectl gitops diff prod
///   kubectl gitops diff -f manifests/ --context kind-dev
///   kubectl gitops diff -k overlays/dev
///   kubectl gitops diff uat prod
///   kubectl gitops diff --rev v1.2..main prod
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct DiffArgs {
    /// One environment against its cluster, or two against each other
    #[arg(value_name = "ENV", num_args = 0..=2, conflicts_with_all = ["filename", "kustomize", "all"])]
    environments: Vec<String>,
    /// Compare every environment with its cluster
    #[arg(long, conflicts_with_all = ["filename", "kustomize"])]
    all: bool,
    /// Compare this revision instead of the work tree; `A..B` compares two
    #[arg(long, value_name = "REV", conflicts_with_all = ["filename", "kustomize"])]
    rev: Option<String>,
    /// Compare this file or folder, or `-` for stdin; may be repeated
    #[arg(short, long, value_name = "FILE", conflicts_with = "kustomize")]
    filename: Vec<PathBuf>,
    /// Compare what this kustomization builds
    #[arg(short, long, value_name = "DIR")]
    kustomize: Option<PathBuf>,
    /// Read folders of `-f` with everything below them
    #[arg(short = 'R', long, requires = "filename")]
    #[arg(conflicts_with_all = ["environments", "kustomize", "all", "rev"])]
    recursive: bool,
    /// Compare only objects whose labels match, such as `app=web,tier!=cache`
    #[arg(
        short = 'l',
        long,
        value_name = "SELECTOR",
        default_value = "",
        hide_default_value = true
    )]
    selector: LabelSelector,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    /// Ask as this field manager, instead of each object's owner
    #[arg(long, value_name = "NAME")]
    field_manager: Option<String>,
    /// Ask for a server-side apply that reports conflicts, as kubectl does
    #[arg(long)]
    server_side: bool,
    /// With `--server-side`: take fields from other managers
    #[arg(long, requires = "server_side")]
    force_conflicts: bool,
    /// Show `metadata.managedFields`, too
    #[arg(long)]
    show_managed_fields: bool,
    /// Ask the server about every object, and fail where a proof was wrong;
    /// with `--rev A..B`, render both in full, and fail where they were one
    /// and are not
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

pub(super) fn run(context: &Context, args: DiffArgs) -> Result<Exit, Failure> {
    let comparisons = if args.kustomize.is_some() || !args.filename.is_empty() {
        vec![args.files(context)?]
    } else {
        args.repository(context)?
    };
    args.tell(context, &comparisons)?;
    Ok(comparisons.iter().map(exit).fold(Exit::Yes, Exit::and))
}

/// Unknown is not "no difference": an error outweighs the rest.
fn exit(comparison: &Comparison) -> Exit {
    let broken = |change: &Change| matches!(change.action, Action::Error | Action::Unverified);
    if comparison.changes.changes().iter().any(broken) {
        Exit::World
    } else if comparison.changes.differences().next().is_some() {
        Exit::No
    } else {
        Exit::Yes
    }
}

impl DiffArgs {
    /// `-f` and `-k`.
    fn files(&self, context: &Context) -> Result<Comparison, Failure> {
        let files = match &self.kustomize {
            Some(dir) => Files::kustomization(dir)?,
            None => Files::manifests(&self.filename, self.recursive)?,
        };
        let objects = self.selected(files.desired(context.terminal)?);
        let connection = Connection::open(&self.cluster, None)?;
        let drift = connection.drift(&objects, &self.asking(None), &desired::sealer(None))?;
        Ok(against_cluster(&connection, "files", None, drift))
    }

    /// Everything that gitops.yaml is needed for.
    fn repository(&self, context: &Context) -> Result<Vec<Comparison>, Failure> {
        if let Some((from, to)) = self.rev.as_deref().and_then(|rev| rev.split_once("..")) {
            if to.starts_with('.') {
                return Err(Failure::usage("`A...B` is no pair of revisions")
                    .hint("take `A..B`, or `$(git merge-base A B)..B` for what B changed"));
            }
            self.refuse_cluster_flags("two revisions are", false)?;
            return self.revisions(context, from, to);
        }
        let workspace = Workspace::open(context, self.rev.as_deref())?;
        let config = workspace.config()?;
        if let [from, to] = self.environments.as_slice() {
            self.refuse_cluster_flags("two environments are", self.verify)?;
            return Ok(vec![self.two_environments(context, &workspace, &config, from, to)?]);
        }
        let chosen = self.chosen(&config)?;
        let mut comparisons = Vec::new();
        for environment in chosen {
            comparisons.extend(self.environment(context, &workspace, &config, environment)?);
        }
        Ok(comparisons)
    }

    /// What would be ignored is refused: nobody may take the answer for one
    /// about a cluster.
    fn refuse_cluster_flags(&self, what: &str, verify: bool) -> Result<(), Failure> {
        let own = [
            (self.field_manager.is_some(), "--field-manager"),
            (self.server_side, "--server-side"),
            (self.show_managed_fields, "--show-managed-fields"),
            (verify, "--verify"),
        ];
        let given = own.into_iter().find(|(given, _)| *given).map(|(_, flag)| flag);
        match given.or_else(|| self.cluster.first_given()) {
            None => Ok(()),
            Some(flag) => Err(Failure::usage(format!(
                "`{flag}` is for a cluster, but {what} compared without one"
            ))
            .hint("name one environment to compare it with its cluster, or leave the flag out")),
        }
    }

    fn chosen<'a>(&self, config: &'a Config) -> Result<Vec<&'a Environment>, Failure> {
        desired::chosen(config, &self.environments, self.all, "files by `-f` or `-k`")
    }

    /// One environment against each of its clusters.
    fn environment(
        &self,
        context: &Context,
        workspace: &Workspace,
        config: &Config,
        environment: &Environment,
    ) -> Result<Vec<Comparison>, Failure> {
        let (objects, place) = workspace.desired(config, environment, context.terminal)?;
        let objects = self.selected(objects);
        let sealer = desired::sealer(Some(config));
        let contexts: Vec<Option<&str>> = if environment.clusters.is_empty() {
            vec![None]
        } else {
            environment.clusters.iter().map(|cluster| cluster.context.as_deref()).collect()
        };
        if contexts.len() > 1 && self.cluster.context.is_some() {
            return Err(Failure::usage(format!(
                "`--context` names one cluster, environment `{}` has {}",
                environment.name,
                contexts.len()
            ))
            .hint("leave the contexts to gitops.yaml, or take one cluster's objects by `-k`"));
        }
        let mut comparisons = Vec::new();
        for cluster in contexts {
            let connection = Connection::open(&self.cluster, cluster)?;
            let mut asking = self.asking(environment.controller);
            asking.ignore = desired::ignore(config);
            let drift = connection.drift(&objects, &asking, &sealer)?;
            let name = Some(environment.name.clone());
            comparisons.push(against_cluster(&connection, place.label(), name, drift));
        }
        Ok(comparisons)
    }

    /// Two environments against each other, offline.
    fn two_environments(
        &self,
        context: &Context,
        workspace: &Workspace,
        config: &Config,
        from: &str,
        to: &str,
    ) -> Result<Comparison, Failure> {
        let before = config.environment(from).map_err(unknown_environment)?;
        let after = config.environment(to).map_err(unknown_environment)?;
        let (changes, pairs) = offline::environments(
            &self.selected(workspace.desired(config, before, context.terminal)?.0),
            &self.selected(workspace.desired(config, after, context.terminal)?.0),
            &desired::sealer(Some(config)),
        );
        for (from, to) in pairs {
            context.terminal.note(format!("namespace {from} is compared as {to}"));
        }
        Ok(Comparison {
            before: from.to_owned(),
            after: to.to_owned(),
            environment: None,
            changes,
            proved: 0,
        })
    }

    /// The same environments at two revisions.
    fn revisions(
        &self,
        context: &Context,
        from: &str,
        to: &str,
    ) -> Result<Vec<Comparison>, Failure> {
        let head = |rev: &str| if rev.is_empty() { "HEAD".to_owned() } else { rev.to_owned() };
        let before = Workspace::open(context, Some(&head(from)))?;
        let after = Workspace::open(context, Some(&head(to)))?;
        let (old, new) = (before.config()?, after.config()?);
        let mut names = self.environments.clone();
        if names.is_empty() {
            names = new.environments.iter().map(|environment| environment.name.clone()).collect();
        }
        let sealer = desired::sealer(Some(&new));
        let renders =
            Renders::new(desired::folders, desired::desired_of, context.terminal, self.verify);
        let mut comparisons = Vec::new();
        for name in names {
            let environment = new.environment(&name).map_err(unknown_environment)?;
            // An environment that is new at B has no objects at A.
            let earlier = match old.environment(&name) {
                Ok(environment) => {
                    Some(renders.get(before.place(&old, environment)?.tree(), environment)?)
                }
                Err(_) => None,
            };
            let later = renders.get(after.place(&new, environment)?.tree(), environment)?;
            let earlier = earlier.as_ref().map_or(&[] as &[Raw], |kept| kept.value.as_slice());
            let (earlier, later) = (self.of(earlier), self.of(&later.value));
            comparisons.push(Comparison {
                before: before.label().to_owned(),
                after: after.label().to_owned(),
                environment: Some(name),
                changes: gitops_core::diff::compare_sets(&earlier, &later, &sealer),
                proved: 0,
            });
        }
        Ok(comparisons)
    }

    /// The objects that `-l` leaves, of some that are shared.
    fn of<'a>(&self, objects: &'a [Raw]) -> Cow<'a, [Raw]> {
        if self.selector.is_empty() {
            return Cow::Borrowed(objects);
        }
        Cow::Owned(self.selected(objects.to_vec()))
    }

    /// The objects that `-l` leaves.
    fn selected(&self, mut objects: Vec<Raw>) -> Vec<Raw> {
        objects.retain(|raw| {
            let labels = raw.json.pointer("/metadata/labels");
            self.selector.matches(|key| labels?.get(key).and_then(Value::as_str))
        });
        objects
    }

    /// How the server is asked.
    fn asking(&self, controller: Option<Controller>) -> Asking {
        Asking {
            manager: self
                .field_manager
                .clone()
                .or_else(|| self.server_side.then(|| "kubectl".to_owned())),
            force: !self.server_side || self.force_conflicts,
            controller: controller.map(|controller| match controller {
                Controller::Flux => owner::Controller::Flux,
                Controller::Argocd => owner::Controller::ArgoCd,
                Controller::Kubectl => owner::Controller::Kubectl,
            }),
            verify: self.verify,
            shown: Shown { managed_fields: self.show_managed_fields },
            ignore: Vec::new(),
        }
    }

    fn tell(&self, context: &Context, comparisons: &[Comparison]) -> Result<(), Failure> {
        let terminal = context.terminal;
        match self.output {
            Format::Json => terminal.answer(&output::document(comparisons))?,
            Format::Text => {
                for comparison in comparisons {
                    terminal.answer(&output::text(comparison, terminal))?;
                    let scope = match &comparison.environment {
                        Some(name) => format!("{name}: "),
                        None => String::new(),
                    };
                    terminal.note(format!("{scope}{}", comparison.summary()));
                    if comparison.proved > 0 {
                        terminal.detail(format!(
                            "{} of them proved unchanged from managedFields, without a request each",
                            comparison.proved
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}

fn against_cluster(
    connection: &Connection,
    label: &str,
    environment: Option<String>,
    drift: Drift,
) -> Comparison {
    Comparison {
        before: format!("cluster {}", connection.name()),
        after: label.to_owned(),
        environment,
        changes: drift.changes,
        proved: drift.proved,
    }
}
