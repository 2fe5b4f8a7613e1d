//! Asks every policy that is bound to a step.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use gitops_core::judge::{Fault, Judgement, Outcome, PolicyRef, Request, Subject};
use sha2::{Digest as _, Sha256};

use crate::answer::Reader;
use crate::carry::{self, wit};
use crate::engine::Ticker;
use crate::evaluate::{Guest, LACKS};
use crate::host::Host;
use crate::load::{Bound, PolicySet};
use crate::text::{self, fault};

/// How many problems of settings are told.
const PROBLEMS: usize = 10;

/// Asks the policies bound to the step from `request.source` to
/// `request.target`, in the order of their bindings. `now` is the time of
/// judgement (RFC 3339, UTC), the only clock of policies; `dry_run` tells them
/// that nothing will be performed. No judgement at all means that no policy is
/// bound.
///
/// # Errors
///
/// [`Lacks`] where a policy asked for objects of environments that
/// [`Subject::desired`] has as not looked up yet: look them up, and ask again.
pub fn judge(
    host: &Host,
    policies: &PolicySet,
    request: &Request,
    subject: &Arc<Subject>,
    now: &str,
    dry_run: bool,
) -> Result<Vec<Judgement>, Lacks> {
    let source = request.source.as_ref().map(|source| source.name.as_str());
    let bound: Vec<&Bound> = policies.bound_to(source, &request.target.name).collect();
    if bound.is_empty() {
        return Ok(Vec::new());
    }
    let step = Step { host, policies, request, subject, now, dry_run };
    let judgements = match Ticker::start(&host.engine) {
        Ok(_ticker) => step.all(&bound),
        Err(error) => {
            let fault = fault("host", format!("no thread to keep time: {error}"));
            bound.iter().map(|bound| step.judgement(bound, Err(fault.clone()))).collect()
        }
    };
    let faults = judgements.iter().filter_map(|judgement| judgement.result.as_ref().err());
    let lacks: BTreeSet<String> =
        faults.filter(|fault| fault.kind == LACKS).map(|fault| fault.message.clone()).collect();
    if lacks.is_empty() { Ok(judgements) } else { Err(Lacks(lacks)) }
}

/// Environments whose objects a policy asked for before they were looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacks(pub BTreeSet<String>);

struct Step<'a> {
    host: &'a Host,
    policies: &'a PolicySet,
    request: &'a Request,
    subject: &'a Arc<Subject>,
    now: &'a str,
    dry_run: bool,
}

impl Step<'_> {
    /// Asks side by side, as many at once as there are processors.
    fn all(&self, bound: &[&Bound]) -> Vec<Judgement> {
        let queue = Mutex::new(bound.iter().enumerate());
        let done = Mutex::new(Vec::new());
        let work = || {
            loop {
                let next = lock(&queue).next();
                let Some((index, bound)) = next else { break };
                let judgement = self.judgement(bound, self.one(bound));
                lock(&done).push((index, judgement));
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(bound.len());
        std::thread::scope(|scope| {
            for _ in 1..threads {
                // This thread works too, so a missing helper only costs time.
                let _ = std::thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, judgement)| judgement).collect()
    }

    fn judgement(&self, bound: &Bound, result: Result<Outcome, Fault>) -> Judgement {
        let digest = self.policies.policy(&bound.name).map(|policy| policy.digest.clone());
        let policy = PolicyRef {
            name: bound.name.clone(),
            digest: digest.unwrap_or_default(),
            mode: bound.mode,
        };
        Judgement { policy, result }
    }

    fn one(&self, bound: &Bound) -> Result<Outcome, Fault> {
        let policy = self.policies.policy(&bound.name).ok_or_else(|| {
            fault("policy", format!("the policy `{}` was not loaded", bound.name))
        })?;
        let module = policy.module.as_ref().map_err(Clone::clone)?;
        let ready = self.host.prepare(module)?;
        let guest = Guest { host: self.host, ready: &ready, policy: &bound.name };
        let settings = bound.settings.to_string();
        let problems = guest.validate(&settings)?;
        if !problems.is_empty() {
            return Err(fault("settings", in_words(bound, &problems)));
        }
        let context = wit::Context {
            evaluation_id: self.id(&module.digest, &settings),
            evaluated_at: self.now.to_owned(),
            mode: if self.dry_run {
                wit::EvaluationMode::DryRun
            } else {
                wit::EvaluationMode::Enforce
            },
            settings,
        };
        let request = carry::request(self.request);
        let answer = guest.evaluate(&context, &request, Arc::clone(self.subject))?;
        let limits = &self.host.options.limits;
        Reader { limits, codes: &policy.codes, subject: self.subject }.read(answer)
    }

    /// The same question has the same id.
    fn id(&self, digest: &str, settings: &str) -> String {
        let Request { source, target, source_revision, target_revision, apps, .. } = self.request;
        let mut hasher = Sha256::new();
        let source = source.as_ref().map_or("", |source| source.name.as_str());
        let revision = source_revision.as_deref().unwrap_or_default();
        let parts = [digest, settings, self.now, source, &target.name, revision, target_revision];
        for part in parts.into_iter().chain(apps.iter().map(String::as_str)) {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn in_words(bound: &Bound, problems: &[wit::SettingsProblem]) -> String {
    let mut words: Vec<String> = problems
        .iter()
        .take(PROBLEMS)
        .map(|problem| match problem.pointer.as_str() {
            "" => text::excerpt(&problem.message, 500),
            pointer => {
                format!("{}: {}", text::excerpt(pointer, 200), text::excerpt(&problem.message, 500))
            }
        })
        .collect();
    if problems.len() > PROBLEMS {
        words.push(format!("{} more", problems.len() - PROBLEMS));
    }
    format!("settings at {}: {}", bound.place, words.join("; "))
}
