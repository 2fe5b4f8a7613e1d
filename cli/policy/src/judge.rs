//! Asks every policy that is bound to a step, or to environments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use gitops_core::judge::{Fault, Judgement, Outcome, PolicyRef, Rendered, Request, Subject};
use gitops_core::object::Object;
use sha2::{Digest as _, Sha256};

use crate::answer::Reader;
use crate::carry::{self, wit};
use crate::engine::Ticker;
use crate::evaluate::{Guest, LACKS, Question};
use crate::host::Host;
use crate::load::{Bound, PolicySet};
use crate::text::{self, fault};

/// How many problems of settings are told.
const PROBLEMS: usize = 10;

/// Asks the gates bound to the step from `request.source` to
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
    let about = about_step(request);
    let tasks: Vec<Task<'_>> = policies
        .bound_to(source, &request.target.name)
        .map(|bound| Task {
            bound,
            question: Question::Gate(Box::new(carry::request(request))),
            about: &about,
            subject: Arc::clone(subject),
        })
        .collect();
    let judgements = Panel { host, policies, now, dry_run }.ask(&tasks);
    let faults = judgements.iter().filter_map(|judgement| judgement.result.as_ref().err());
    let lacks: BTreeSet<String> =
        faults.filter(|fault| fault.kind == LACKS).map(|fault| fault.message.clone()).collect();
    if lacks.is_empty() { Ok(judgements) } else { Err(Lacks(lacks)) }
}

/// What a check says of environments.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The environments it looked at; several where its binding compares them.
    pub environments: Vec<String>,
    /// What it says.
    pub judgement: Judgement,
}

/// Asks the checks bound to environments, of which the whole desired objects
/// are given, in the order of their bindings, then of the environments there.
/// A check that compares environments is asked where all of them are given.
/// `now` as in [`judge`]; nothing is performed after it.
pub fn check(
    host: &Host,
    policies: &PolicySet,
    environments: Vec<(Rendered, Vec<Object>)>,
    now: &str,
) -> Vec<Checked> {
    let all: BTreeMap<String, (Rendered, Arc<Subject>)> = environments
        .into_iter()
        .map(|(rendered, objects)| {
            let name = rendered.environment.name.clone();
            let desired = BTreeMap::from([(name.clone(), Some(objects))]);
            (name, (rendered, Arc::new(Subject { desired, ..Subject::default() })))
        })
        .collect();
    let mut asked = Vec::new();
    for (binding, bound) in policies.checks() {
        let groups: Vec<&[String]> = match binding.compare {
            true => vec![&binding.environments],
            false => binding.environments.chunks(1).collect(),
        };
        for group in groups {
            let given: Option<Vec<_>> = group.iter().map(|name| all.get(name)).collect();
            let Some(given) = given else { continue };
            let rendered: Vec<Rendered> = given.iter().map(|(one, _)| one.clone()).collect();
            asked.push((bound, about_environments(&rendered), rendered, together(&given)));
        }
    }
    let tasks: Vec<Task<'_>> = asked
        .iter()
        .map(|(bound, about, rendered, subject)| Task {
            bound,
            question: Question::Check(carry::check(rendered)),
            about,
            subject: Arc::clone(subject),
        })
        .collect();
    let judgements = Panel { host, policies, now, dry_run: true }.ask(&tasks);
    let names =
        |rendered: &[Rendered]| rendered.iter().map(|one| one.environment.name.clone()).collect();
    let checked = asked.iter().zip(judgements);
    checked
        .map(|((_, _, rendered, _), judgement)| Checked {
            environments: names(rendered),
            judgement,
        })
        .collect()
}

/// The objects of several environments as one subject.
fn together(given: &[&(Rendered, Arc<Subject>)]) -> Arc<Subject> {
    if let [(_, only)] = given {
        return Arc::clone(only);
    }
    let desired = given.iter().flat_map(|(_, subject)| subject.desired.clone()).collect();
    Arc::new(Subject { desired, ..Subject::default() })
}

/// Environments whose objects a policy asked for before they were looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacks(pub BTreeSet<String>);

/// A policy, and what it is asked.
struct Task<'a> {
    bound: &'a Bound,
    question: Question,
    /// What tells one question from another.
    about: &'a [String],
    subject: Arc<Subject>,
}

struct Panel<'a> {
    host: &'a Host,
    policies: &'a PolicySet,
    now: &'a str,
    dry_run: bool,
}

impl Panel<'_> {
    fn ask(&self, tasks: &[Task<'_>]) -> Vec<Judgement> {
        if tasks.is_empty() {
            return Vec::new();
        }
        match Ticker::start(&self.host.engine) {
            Ok(_ticker) => self.all(tasks),
            Err(error) => {
                let fault = fault("host", format!("no thread to keep time: {error}"));
                tasks.iter().map(|task| self.judgement(task.bound, Err(fault.clone()))).collect()
            }
        }
    }

    /// Asks side by side, as many at once as there are processors.
    fn all(&self, tasks: &[Task<'_>]) -> Vec<Judgement> {
        let queue = Mutex::new(tasks.iter().enumerate());
        let done = Mutex::new(Vec::new());
        let work = || {
            loop {
                let next = lock(&queue).next();
                let Some((index, task)) = next else { break };
                let judgement = self.judgement(task.bound, self.one(task));
                lock(&done).push((index, judgement));
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(tasks.len());
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

    fn one(&self, task: &Task<'_>) -> Result<Outcome, Fault> {
        let bound = task.bound;
        let policy = self.policies.policy(&bound.name).ok_or_else(|| {
            fault("policy", format!("the policy `{}` was not loaded", bound.name))
        })?;
        let module = policy.module.as_ref().map_err(Clone::clone)?;
        let ready = self.host.prepare(module, task.question.role())?;
        let guest = Guest { host: self.host, ready: &ready, policy: &bound.name };
        let settings = bound.settings.to_string();
        let problems = guest.validate(&settings)?;
        if !problems.is_empty() {
            return Err(fault("settings", in_words(bound, &problems)));
        }
        let context = wit::Context {
            evaluation_id: self.id(&module.digest, &settings, task.about),
            evaluated_at: self.now.to_owned(),
            mode: if self.dry_run {
                wit::EvaluationMode::DryRun
            } else {
                wit::EvaluationMode::Enforce
            },
            settings,
        };
        let answer = guest.evaluate(&context, &task.question, Arc::clone(&task.subject))?;
        let limits = &self.host.options.limits;
        Reader { limits, codes: &policy.codes, subject: &task.subject }.read(answer)
    }

    /// The same question has the same id.
    fn id(&self, digest: &str, settings: &str, about: &[String]) -> String {
        let mut hasher = Sha256::new();
        let parts = [digest, settings, self.now];
        for part in parts.into_iter().chain(about.iter().map(String::as_str)) {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn about_step(request: &Request) -> Vec<String> {
    let Request { source, target, source_revision, target_revision, apps, .. } = request;
    let source = source.as_ref().map_or_else(String::new, |source| source.name.clone());
    let revision = source_revision.clone().unwrap_or_default();
    let mut about = vec![source, target.name.clone(), revision, target_revision.clone()];
    about.extend(apps.iter().cloned());
    about
}

fn about_environments(all: &[Rendered]) -> Vec<String> {
    all.iter().flat_map(|one| [one.environment.name.clone(), one.revision.clone()]).collect()
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
