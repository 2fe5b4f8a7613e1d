use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::Format;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::json;

/// Print the version of this program
///
/// Needs no cluster and no repository.
#[derive(Args, Debug)]
pub(crate) struct VersionArgs {
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// The version of this program.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionDoc {
    version: &'static str,
    /// The package of `wit/` that policies are built against.
    policy_contract: &'static str,
    /// The kustomize that renderings are equal to.
    kustomize: &'static str,
}

impl json::Body for VersionDoc {
    const KIND: &'static str = "Version";
}

pub(super) fn run(context: &Context, args: &VersionArgs) -> Result<Exit, Failure> {
    let version = VersionDoc {
        version: env!("CARGO_PKG_VERSION"),
        policy_contract: gitops_policy::CONTRACT,
        kustomize: gitops_kustomize::EQUALS_VERSION,
    };
    let text = match args.output {
        Format::Text => format!(
            "kubectl-gitops {}\npolicy contract {}\nrenders as kustomize {}\n",
            version.version, version.policy_contract, version.kustomize
        ),
        Format::Json => json::document(&version),
    };
    context.terminal.answer(&text)?;
    Ok(Exit::Yes)
}
