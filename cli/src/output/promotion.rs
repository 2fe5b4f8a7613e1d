//! Plans, what they would do, and what was done.

mod documents;

use gitops_core::plan::{Pattern, Plan, printable, show};

use super::diff::{self, Comparison};
use super::{Bound, Paint, Terminal, verdict};
use crate::operations::outcome::Outcome;
use crate::operations::perform::Next;
use crate::operations::preview::Preview;
use crate::operations::promote::Judged;
use crate::operations::requests::Asked as AskedRequest;

pub(crate) use documents::{PlansDoc, PreviewDoc, ReceiptsDoc, plans, receipts, saved};

/// A step in text: the plan, what it would change, what policies say.
pub(crate) fn step(
    step: &Judged,
    sealed: &[Pattern],
    mut bound: Bound,
    terminal: Terminal,
) -> String {
    let width = terminal.width();
    let mut text = painted(&show(&step.plan, &step.contents, sealed, width), terminal);
    if let Some(preview) = &step.preview {
        text.push('\n');
        text.push_str(&judged(
            preview,
            &step.plan.target.name,
            &format!("{} at {}", step.plan.base, short(&step.plan.base_revision)),
            "as planned",
            &mut bound,
            terminal,
        ));
    }
    text
}

/// The objects that differ, what policies say of it, and the decision.
pub(crate) fn judged(
    preview: &Preview,
    environment: &str,
    before: &str,
    after: &str,
    bound: &mut Bound,
    terminal: Terminal,
) -> String {
    let comparison = Comparison {
        before: before.to_owned(),
        after: after.to_owned(),
        environment: Some(environment.to_owned()),
        changes: preview.changes.clone(),
        proved: 0,
    };
    let mut text = String::new();
    if let Some(reason) = &preview.unrendered {
        let word = terminal.paint(Paint::Warning, "nothing to compare with");
        text.push_str(&format!(
            "{word}: {environment} does not render before the change, so that every object counts as created: {}\n\n",
            printable(reason)
        ));
    }
    text.push_str(&diff::text_within(bound, &comparison, terminal));
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&format!("objects of {environment}: {}\n", comparison.summary()));
    for also in &preview.also {
        let name = &also.environment;
        text.push_str(&format!("\nalso {}\n", terminal.paint(Paint::Bold, name)));
        text.push_str(&judged(&also.preview, name, before, after, bound, terminal));
    }
    if !preview.also.is_empty() {
        text.push_str(&format!("\n{environment} and what changes with it\n"));
    }
    text.push_str(&verdict::text(preview, terminal));
    text
}

/// What was done, in lines.
pub(crate) fn outcome(plan: &Plan, outcome: &Outcome, terminal: Terminal) -> String {
    let told = |asked: &Option<AskedRequest>| {
        asked.as_ref().map(|asked| request(asked, terminal)).unwrap_or_default()
    };
    match outcome {
        Outcome::NothingToDo(remains) => {
            let is_merged = remains.closed.is_none();
            told(&remains.closed) + &deleted(remains.deleted.as_deref(), is_merged, terminal)
        }
        Outcome::Held(asked) => {
            format!("nothing was pushed: {} stays as it is\n", plan.target.name) + &told(asked)
        }
        Outcome::Left(left) => {
            let number = terminal.paint(Paint::Bold, &format!("#{}", left.number));
            format!(
                "nothing was pushed: {number} was closed with this very change in it: {}\n",
                left.page
            )
        }
        Outcome::Done(receipt) => {
            let commit = receipt.commit.short();
            let branch = terminal.paint(Paint::Bold, &receipt.branch);
            let what = match &receipt.merged {
                Some(merged) if receipt.pushed || receipt.asked.is_some() => {
                    format!("merged {commit} into {branch} ({})\n", merged.method.word())
                }
                None if receipt.pushed && receipt.asked.is_none() && receipt.next == Next::Push => {
                    format!("committed {commit} to {branch}, a branch of this clone\n")
                }
                None if receipt.pushed => format!("pushed {commit} to {branch}\n"),
                _ if receipt.asked.is_some() => {
                    format!("{branch} holds this change already, at {commit}\n")
                }
                _ => format!("nothing to do: {branch} holds this change already, at {commit}\n"),
            };
            let gone = receipt.merged.as_ref().and_then(|merged| merged.deleted.as_deref());
            what + &told(&receipt.asked) + &deleted(gone, true, terminal)
        }
    }
}

/// The branch of a request, which is merged or has nothing left to say.
fn deleted(branch: Option<&str>, is_merged: bool, terminal: Terminal) -> String {
    let why = if is_merged { ", which is merged" } else { "" };
    let told = |branch| format!("deleted {}{why}\n", terminal.paint(Paint::Bold, branch));
    branch.map(told).unwrap_or_default()
}

/// `request #12 opened: https://…`, and what it waits for.
fn request(asked: &AskedRequest, terminal: Terminal) -> String {
    let number = terminal.paint(Paint::Bold, &format!("#{}", asked.number));
    let mut text = format!("request {number} {}: {}\n", asked.done.word(), printable(&asked.page));
    if let Some(waits) = &asked.waits {
        text.push_str(&format!("  not merged yet: {}\n", printable(waits)));
    }
    text
}

/// Colours the lines of the hunks.
fn painted(text: &str, terminal: Terminal) -> String {
    text.split_inclusive('\n')
        .map(|line| {
            let (words, end) = match line.strip_suffix('\n') {
                Some(words) => (words, "\n"),
                None => (line, ""),
            };
            let paint = match words.as_bytes().first() {
                Some(b'+') => Paint::Added,
                Some(b'-') => Paint::Removed,
                Some(b'@') => Paint::Place,
                _ => return line.to_owned(),
            };
            format!("{}{end}", terminal.paint(paint, words))
        })
        .collect()
}

pub(crate) fn short(revision: &str) -> &str {
    revision.get(..10).unwrap_or(revision)
}
