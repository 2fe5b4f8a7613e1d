use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::Value;

use super::version::VersionDoc;
use crate::config;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::json::Body;
use crate::output::schema::{of_document, of_file};
use crate::output::{audit, check, diff, gate, history, holds, list, promotion, render};

/// Print the JSON Schema of a document or file
///
/// Of what `-o json` prints, by its `kind`, and of the files that are read from
/// repositories: GitOps is gitops.yaml. Without KIND, lists the kinds. Needs no
/// cluster and no repository.
///
/// Examples:
///   kubectl gitops schema
///   kubectl gitops schema GitOps > gitops.schema.json
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct SchemaArgs {
    /// The kind of document
    #[arg(value_name = "KIND", value_parser = kinds(), ignore_case = true, hide_possible_values = true)]
    kind: Option<String>,
}

/// A kind, and what makes its schema.
type Kind = (&'static str, fn() -> Value);

/// Every kind, and its schema.
const KINDS: [Kind; 16] = [
    document::<audit::AuditDoc<'static>>(),
    document::<check::CheckDoc<'static>>(),
    document::<gate::DecisionDoc<'static>>(),
    document::<diff::DiffDoc<'static>>(),
    document::<list::EnvironmentListDoc<'static>>(),
    (config::KIND, || of_file(config::KIND, config::schema)),
    document::<history::HistoryDoc<'static>>(),
    ("Hold", || of_file("Hold", holds::file)),
    document::<holds::HoldListDoc<'static>>(),
    document::<holds::HoldReceiptDoc<'static>>(),
    document::<promotion::PlansDoc<'static>>(),
    ("Policy", || of_file("Policy", gitops_policy::policy_schema)),
    ("PolicyBinding", || of_file("PolicyBinding", gitops_policy::binding_schema)),
    document::<promotion::ReceiptsDoc<'static>>(),
    document::<render::RenderingDoc<'static>>(),
    document::<VersionDoc>(),
];

const fn document<T: Body>() -> (&'static str, fn() -> Value) {
    (T::KIND, of_document::<T>)
}

fn kinds() -> PossibleValuesParser {
    KINDS.map(|(kind, _)| kind).into()
}

pub(super) fn run(context: &Context, args: &SchemaArgs) -> Result<Exit, Failure> {
    let text = match &args.kind {
        None => KINDS.iter().map(|(kind, _)| format!("{kind}\n")).collect(),
        Some(name) => {
            let found = KINDS.iter().find(|(kind, _)| kind.eq_ignore_ascii_case(name));
            let (_, schema) = found.expect("the command line takes no other kinds");
            format!("{:#}\n", schema())
        }
    };
    context.terminal.answer(&text)?;
    Ok(Exit::Yes)
}

#[cfg(test)]
mod tests;
