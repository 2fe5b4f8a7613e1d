use clap::{Args, Subcommand};
use gitops_tree::TreePath;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::operations::policies;
use crate::operations::workspace::Workspace;

/// Manage the policies of the repository
#[derive(Args, Debug)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    Lock(LockArgs),
}

/// Write policies.lock: which bytes may judge
///
/// Every policy beside the bindings is loaded, compiled and held to the
/// contract; its digest, version and imports go into the lock. A policy whose
/// file differs from the lock closes every gate it is bound to.
///
/// Examples:
///   kubectl gitops policy lock
///   kubectl gitops policy lock --check
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
struct LockArgs {
    /// Write nothing; exit 1 where the lock is out of date
    #[arg(long)]
    check: bool,
}

pub(super) fn run(context: &Context, args: PolicyArgs) -> Result<Exit, Failure> {
    match args.action {
        Action::Lock(args) => lock(context, &args),
    }
}

fn lock(context: &Context, args: &LockArgs) -> Result<Exit, Failure> {
    // The lock is written before the first commit, so no repository is needed.
    let folder = crate::operations::desired::start(context);
    let tree = Workspace::files(&folder)?;
    let config = crate::config::read(tree.as_ref())
        .map_err(|error| crate::operations::desired::config_failure(&error))?;
    let Some(bindings) = &config.policies else {
        return Err(Failure::usage("gitops.yaml binds no policies")
            .hint("name the bindings: `policies: policies/bindings.yaml`"));
    };
    if !matches!(tree.kind(bindings), Ok(Some(_))) {
        return Err(Failure::usage(format!("could not read the bindings `{bindings}`"))
            .hint("`policies` in gitops.yaml names the file; write it, or correct the name"));
    }
    // What is bound must be there: a name that is mistyped is found here, not by a closed gate.
    gitops_policy::load(tree.as_ref(), bindings)
        .map_err(|error| policies::policy_failure(&error))?;
    let host = policies::host(context.terminal)?;
    let text = gitops_policy::write_lock(&host, tree.as_ref(), bindings)
        .map_err(|error| policies::policy_failure(&error))?;
    let path = TreePath::new(gitops_policy::LOCK_FILE).expect("a plain name stays inside the tree");
    if tree.read(&path).is_ok_and(|before| *before == *text.as_bytes()) {
        context.terminal.note(format!("{path} is up to date"));
        return Ok(Exit::Yes);
    }
    if args.check {
        context.terminal.answer(&format!("{path} is out of date\n"))?;
        context.terminal.hint("write it with `kubectl gitops policy lock`, and review the change");
        return Ok(Exit::No);
    }
    let file = Workspace::root_of(&folder)?.join(path.as_str());
    std::fs::write(&file, text).map_err(|error| {
        Failure::world(format!("could not write `{}`", file.display())).because(&error)
    })?;
    context.terminal.answer(&format!("wrote {path}\n"))?;
    Ok(Exit::Yes)
}
