//! Plans and receipts as JSON.

use std::collections::BTreeMap;

use gitops_core::gate::moment;
use gitops_core::judge::{EnvironmentRef, Move, Operation};
use gitops_core::plan::{Edit, ReadEntry, RestsOn, Skipped, key_of, mode_word};
use schemars::JsonSchema;
use serde::Serialize;

use crate::operations::outcome::Outcome;
use crate::operations::perform::Next;
use crate::operations::preview::{Also, Preview};
use crate::operations::promote::{Failed, Judged};
use crate::operations::requests::Asked as AskedRequest;
use crate::operations::saved::Asked;
use crate::output::json::{self, ChangeDoc, SourceDoc};
use crate::output::schema;
use crate::output::verdict::{GateDoc, JudgementDoc, RefusalDoc, decision_word};

/// What would be done, a plan a request. A saved one says what was asked for,
/// holds no objects, and names its own contents.
#[derive(Serialize, JsonSchema)]
pub(crate) struct PlansDoc<'a> {
    /// Over the text of the file, with zeros in place of the digest, which is the
    /// first text in it that could be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<&'a Asked>,
    plans: Vec<PlanDoc<'a>>,
    skipped: Vec<SkippedDoc<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<FailedDoc<'a>>,
}

impl json::Body for PlansDoc<'_> {
    const KIND: &'static str = "Plan";
}

/// The steps as one document of kind `Plan`.
pub(crate) fn plans(steps: &[Judged], skipped: &[Skipped], failed: &[Failed]) -> String {
    json::document(&PlansDoc {
        digest: None,
        asked: None,
        plans: steps.iter().map(PlanDoc::from).collect(),
        skipped: skipped.iter().map(SkippedDoc::from).collect(),
        failed: failed.iter().map(FailedDoc::from).collect(),
    })
}

/// The same to be saved, without objects: `digest` stands where its own will.
pub(crate) fn saved(steps: &[Judged], skipped: &[Skipped], asked: &Asked, digest: &str) -> String {
    let mut plans: Vec<PlanDoc<'_>> = steps.iter().map(PlanDoc::from).collect();
    plans.iter_mut().filter_map(|plan| plan.preview.as_mut()).for_each(PreviewDoc::without_objects);
    json::document(&PlansDoc {
        digest: Some(digest),
        asked: Some(asked),
        plans,
        skipped: skipped.iter().map(SkippedDoc::from).collect(),
        failed: Vec::new(),
    })
}

/// What was done, a receipt a request.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ReceiptsDoc<'a> {
    receipts: Vec<ReceiptDoc<'a>>,
    skipped: Vec<SkippedDoc<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<FailedDoc<'a>>,
}

impl json::Body for ReceiptsDoc<'_> {
    const KIND: &'static str = "Receipt";
}

/// What was done about a plan.
#[derive(Serialize, JsonSchema)]
struct ReceiptDoc<'a> {
    #[schemars(schema_with = "schema::outcomes")]
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    /// Where a request is opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
    /// The request, where its forge was asked.
    #[serde(rename = "pullRequest", skip_serializing_if = "Option::is_none")]
    asked: Option<RequestDoc<'a>>,
    /// How it was merged, where this program did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::methods")]
    method: Option<&'static str>,
    /// The request's branch that is gone now.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<&'a str>,
    plan: PlanDoc<'a>,
}

/// A request, and what was done with it, in JSON.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RequestDoc<'a> {
    number: u64,
    page: &'a str,
    #[schemars(schema_with = "schema::done")]
    done: &'static str,
    /// What it waits for, where it was to be merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<&'a str>,
}

impl<'a> From<&'a AskedRequest> for RequestDoc<'a> {
    fn from(asked: &'a AskedRequest) -> Self {
        RequestDoc {
            number: asked.number,
            page: &asked.page,
            done: asked.done.word(),
            waits: asked.waits.as_deref(),
        }
    }
}

/// What was done as one document of kind `Receipt`.
pub(crate) fn receipts(
    steps: &[(Judged, Outcome)],
    skipped: &[Skipped],
    failed: &[Failed],
) -> String {
    let receipts = steps.iter().map(|(step, outcome)| {
        let plan = PlanDoc::from(step);
        let (word, receipt) = match outcome {
            Outcome::NothingToDo(_) => ("nothing-to-do", None),
            Outcome::Held(_) => ("held", None),
            Outcome::Left(_) => ("left-closed", None),
            Outcome::Done(receipt) if receipt.pushed && receipt.merged.is_some() => {
                ("merged", Some(receipt))
            }
            Outcome::Done(receipt) if receipt.pushed && receipt.next == Next::Push => {
                ("committed", Some(receipt))
            }
            Outcome::Done(receipt) if receipt.pushed => ("pushed", Some(receipt)),
            Outcome::Done(receipt) => ("stands", Some(receipt)),
        };
        let merged = receipt.and_then(|receipt| receipt.merged.as_ref());
        ReceiptDoc {
            outcome: word,
            branch: receipt.map(|receipt| receipt.branch.as_str()),
            commit: receipt.map(|receipt| receipt.commit.to_string()),
            request: receipt.and_then(|receipt| receipt.request.as_deref()),
            asked: match outcome {
                Outcome::NothingToDo(remains) => remains.closed.as_ref(),
                Outcome::Held(asked) => asked.as_ref(),
                Outcome::Left(left) => Some(left),
                Outcome::Done(receipt) => receipt.asked.as_ref(),
            }
            .map(RequestDoc::from),
            method: merged.map(|merged| merged.method.word()),
            deleted: match outcome {
                Outcome::NothingToDo(remains) => remains.deleted.as_deref(),
                _ => merged.and_then(|merged| merged.deleted.as_deref()),
            },
            plan,
        }
    });
    json::document(&ReceiptsDoc {
        receipts: receipts.collect(),
        skipped: skipped.iter().map(SkippedDoc::from).collect(),
        failed: failed.iter().map(FailedDoc::from).collect(),
    })
}

/// An app that is left out.
#[derive(Serialize, JsonSchema)]
struct SkippedDoc<'a> {
    app: &'a str,
    reason: String,
}

impl<'a> From<&'a Skipped> for SkippedDoc<'a> {
    fn from(skipped: &'a Skipped) -> Self {
        SkippedDoc { app: &skipped.app, reason: skipped.reason.to_string() }
    }
}

/// Apps that did not go.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct FailedDoc<'a> {
    apps: &'a [String],
    error: &'a str,
    causes: &'a [String],
    hints: &'a [String],
    /// The exit status that this would be alone.
    exit_code: u8,
}

impl<'a> From<&'a Failed> for FailedDoc<'a> {
    fn from(Failed { apps, failure }: &'a Failed) -> Self {
        FailedDoc {
            apps,
            error: &failure.error,
            causes: &failure.causes,
            hints: &failure.hints,
            exit_code: failure.exit.number(),
        }
    }
}

/// A plan and what it would do.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PlanDoc<'a> {
    #[schemars(schema_with = "schema::operations")]
    operation: &'static str,
    apps: &'a [String],
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<EnvironmentDoc<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_revision: Option<&'a str>,
    target: EnvironmentDoc<'a>,
    /// The branch that it goes into, in the end.
    base: &'a str,
    base_revision: &'a str,
    /// The branch of the request; absent where it goes into `base` at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<&'a str>,
    nothing_to_do: bool,
    edits: Vec<EditDoc<'a>>,
    moves: Vec<MoveDoc<'a>>,
    /// What it rests on.
    reads: Vec<ReadDoc<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rests_on: Vec<RestsOnDoc<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    warnings: &'a [String],
    /// Files of the environment that stay as they are.
    stays: &'a [String],
    /// Of the commit, with its trailers.
    message: String,
    title: &'a str,
    body: &'a str,
    labels: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    reviewers: &'a [String],
    /// Over the edits.
    change_digest: String,
    /// Over the edits and all that was read.
    plan_digest: String,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    preview: Option<PreviewDoc<'a>>,
}

/// What a change would do.
#[derive(Serialize, JsonSchema)]
pub(crate) struct PreviewDoc<'a> {
    #[schemars(schema_with = "schema::summary")]
    summary: BTreeMap<&'static str, usize>,
    /// The objects that differ; a saved plan holds none.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<ChangeDoc<'a>>>,
    /// Why the state before does not render, where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    unrendered_before: Option<&'a str>,
    judgements: Vec<JudgementDoc<'a>>,
    refusals: Vec<RefusalDoc<'a>>,
    gates: Vec<GateDoc<'a>>,
    /// Other environments that change on purpose.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also: Vec<AlsoDoc<'a>>,
    #[schemars(schema_with = "schema::decisions")]
    decision: &'static str,
    /// When all gates may be open at the earliest: RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    earliest: Option<String>,
}

impl PreviewDoc<'_> {
    fn without_objects(&mut self) {
        self.changes = None;
        self.also.iter_mut().for_each(|also| also.preview.without_objects());
    }
}

/// Another environment that changes on purpose.
#[derive(Serialize, JsonSchema)]
struct AlsoDoc<'a> {
    environment: &'a str,
    #[serde(flatten)]
    preview: PreviewDoc<'a>,
}

impl<'a> From<&'a Preview> for PreviewDoc<'a> {
    fn from(preview: &'a Preview) -> Self {
        PreviewDoc {
            summary: json::summary(&preview.changes),
            changes: Some(preview.changes.differences().map(ChangeDoc::from).collect()),
            unrendered_before: preview.unrendered.as_deref(),
            judgements: preview.judgements.iter().map(JudgementDoc::from).collect(),
            refusals: preview.refusals.iter().map(RefusalDoc::from).collect(),
            gates: preview.gates.states.iter().map(GateDoc::from).collect(),
            also: preview.also.iter().map(AlsoDoc::from).collect(),
            decision: decision_word(preview.decision),
            earliest: preview.gates.ready.map(moment),
        }
    }
}

impl<'a> From<&'a Also> for AlsoDoc<'a> {
    fn from(also: &'a Also) -> Self {
        AlsoDoc { environment: &also.environment, preview: PreviewDoc::from(&also.preview) }
    }
}

/// Where an environment stands.
#[derive(Serialize, JsonSchema)]
struct EnvironmentDoc<'a> {
    name: &'a str,
    path: &'a str,
    branch: &'a str,
}

impl<'a> From<&'a EnvironmentRef> for EnvironmentDoc<'a> {
    fn from(environment: &'a EnvironmentRef) -> Self {
        EnvironmentDoc {
            name: &environment.name,
            path: &environment.path,
            branch: &environment.git_ref,
        }
    }
}

/// A file that changes.
#[derive(Serialize, JsonSchema)]
struct EditDoc<'a> {
    path: &'a str,
    /// The blob; `null` where there is no file.
    before: Option<String>,
    /// The blob; `null` where there is no file.
    after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::file_modes")]
    mode: Option<&'static str>,
}

impl<'a> From<&'a Edit> for EditDoc<'a> {
    fn from(edit: &'a Edit) -> Self {
        EditDoc {
            path: edit.path.as_str(),
            before: edit.before.map(|blob| blob.to_string()),
            after: edit.after.map(|blob| blob.to_string()),
            mode: edit.mode.map(mode_word),
        }
    }
}

/// One value that moves.
#[derive(Serialize, JsonSchema)]
struct MoveDoc<'a> {
    app: &'a str,
    #[schemars(schema_with = "schema::moved")]
    what: &'static str,
    #[schemars(schema_with = "schema::moved_fields")]
    field: &'static str,
    name: &'a str,
    before: Option<&'a str>,
    after: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceDoc<'a>>,
}

impl<'a> From<&'a Move> for MoveDoc<'a> {
    fn from(moved: &'a Move) -> Self {
        MoveDoc {
            app: &moved.app,
            what: moved.what.word(),
            field: key_of(moved.what),
            name: &moved.name,
            before: moved.before.as_deref(),
            after: moved.after.as_deref(),
            source: moved.source.as_ref().map(SourceDoc::from),
        }
    }
}

/// An earlier promotion.
#[derive(Serialize, JsonSchema)]
struct RestsOnDoc<'a> {
    app: &'a str,
    commit: &'a str,
    source: &'a str,
}

impl<'a> From<&'a RestsOn> for RestsOnDoc<'a> {
    fn from(past: &'a RestsOn) -> Self {
        RestsOnDoc { app: &past.app, commit: &past.commit, source: &past.source }
    }
}

/// Something that was read.
#[derive(Serialize, JsonSchema)]
struct ReadDoc<'a> {
    #[schemars(schema_with = "schema::read_from")]
    from: &'static str,
    path: &'a str,
    /// Its kind and id, such as `file:` and a blob.
    found: String,
}

impl<'a> From<&'a ReadEntry> for ReadDoc<'a> {
    fn from(read: &'a ReadEntry) -> Self {
        ReadDoc { from: read.from.word(), path: read.path.as_str(), found: read.found.to_string() }
    }
}

impl<'a> From<&'a Judged> for PlanDoc<'a> {
    fn from(step: &'a Judged) -> Self {
        let plan = &step.plan;
        PlanDoc {
            operation: match plan.operation {
                Operation::Release => "release",
                Operation::Promote => "promote",
                Operation::Rollback => "rollback",
                Operation::Other => "other",
            },
            apps: &plan.apps,
            version: &plan.version,
            source: plan.source.as_ref().map(EnvironmentDoc::from),
            source_revision: plan.source_revision.as_deref(),
            target: EnvironmentDoc::from(&plan.target),
            base: &plan.base,
            base_revision: &plan.base_revision,
            branch: plan.branch.as_deref(),
            nothing_to_do: plan.nothing_to_do(),
            edits: plan.edits.iter().map(EditDoc::from).collect(),
            moves: plan.moves.iter().map(MoveDoc::from).collect(),
            reads: plan.reads.iter().map(ReadDoc::from).collect(),
            rests_on: plan.rests_on.iter().map(RestsOnDoc::from).collect(),
            notes: &plan.notes,
            warnings: &plan.warnings,
            stays: &plan.stays,
            message: plan.message(),
            title: &plan.title,
            body: &plan.body,
            labels: &plan.labels,
            reviewers: &plan.reviewers,
            change_digest: plan.change_digest(),
            plan_digest: plan.plan_digest(),
            preview: step.preview.as_ref().map(PreviewDoc::from),
        }
    }
}
