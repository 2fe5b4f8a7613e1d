//! The gates of an environment.

use gitops_core::gate::{Approvals, Opening, Reviewers, Window, Zone, length, words};
use jiff::SignedDuration;

use super::super::gates::{
    ApprovalsForm, Contexts, Gate, OpeningForm, Rule, Text, WORDS, WindowForm, Written,
};
use super::super::keys::suggest;
use super::super::{Environment, Merge, file};
use super::{Below, Checker};
use super::{Item, Key};
use crate::config::STATE_BRANCH;

/// Gates that look at a request, which a direct push does not have.
const REQUEST_GATES: [&str; 2] = ["approvals", "status"];

/// Where a gate stands.
type At<'a> = [Below<'a>; 5];

impl Checker<'_> {
    pub(super) fn gates(&mut self, written: &file::Environment, index: usize) -> Vec<Gate> {
        let mut gates: Vec<Gate> = Vec::new();
        for (item, gate) in written.gates.iter().enumerate() {
            let at = [Key("environments"), Item(index), Key("gates"), Item(item)];
            let kinds = kinds(gate);
            if kinds.len() != 1 {
                self.problem(&at, "a gate is a mapping with one key", None);
            }
            for kind in kinds {
                if written.merge == Merge::Direct && REQUEST_GATES.contains(&kind) {
                    let message = format!(
                        "gate `{kind}` looks at a request, but `merge: direct` of `{}` opens none",
                        written.name
                    );
                    let hint = "write `merge: manual` or `merge: auto`".to_owned();
                    self.problem(&at, message, Some(hint));
                }
                if kind == "soak"
                    && let Some(first) = gates.iter().find(|gate| gate.kind == kind)
                {
                    let message =
                        format!("a second `soak`; the first is in line {}", first.place.line);
                    self.problem(&at, message, None);
                }
                let below = [at[0], at[1], at[2], at[3], Key(kind)];
                if let Some(rule) = self.rule(kind, gate, &below) {
                    gates.push(Gate { kind, place: self.place(&at), rule });
                }
            }
        }
        gates
    }

    fn rule(&mut self, kind: &str, gate: &Written, at: &At<'_>) -> Option<Rule> {
        Some(match kind {
            "merged" => Rule::Merged(gate.merged.clone()?),
            "soak" => Rule::Soak(self.length(gate.soak.as_ref()?, at)?),
            "window" => Rule::Window(self.window(gate.window.as_ref()?, at)?),
            "status" => Rule::Status(self.contexts(gate.status.as_ref()?, at)?),
            "approvals" => Rule::Approvals(self.approvals(gate.approvals.as_ref()?, at)?),
            _ => Rule::Later,
        })
    }

    fn length(&mut self, text: &Text, at: &[Below<'_>]) -> Option<SignedDuration> {
        match length(&text.0) {
            Ok(length) => Some(length),
            Err(error) => {
                let message = format!("`{}`: {error}", text.0.escape_debug());
                self.problem(at, message, Some(error.hint().to_owned()));
                None
            }
        }
    }

    fn window(&mut self, form: &WindowForm, at: &At<'_>) -> Option<Window> {
        let below = |key| [at[0], at[1], at[2], at[3], at[4], Key(key)];
        let zone = match form.tz.as_deref() {
            None => Some(Zone::utc()),
            Some(name) => match Zone::new(name) {
                Ok(zone) => Some(zone),
                Err(error) => {
                    let hint = match error.near.as_slice() {
                        [] => {
                            "write a name of the IANA database, such as `Europe/Paris`".to_owned()
                        }
                        near => {
                            let near: Vec<String> =
                                near.iter().map(|name| format!("`{name}`")).collect();
                            format!("did you mean {}?", near.join(" or "))
                        }
                    };
                    let message = format!("no time zone `{}`", error.name.escape_debug());
                    self.problem(&below("tz"), message, Some(hint));
                    None
                }
            },
        };
        if form.allow.is_none() && form.exclude.as_ref().is_none_or(Vec::is_empty) {
            let hint = "write `allow`, `exclude` or both".to_owned();
            self.problem(at, "a window that neither allows nor excludes any time", Some(hint));
            return None;
        }
        if form.allow.as_ref().is_some_and(Vec::is_empty) {
            let hint = "name a time, or take `allow` out to allow what is not excluded".to_owned();
            self.problem(&below("allow"), "a window that never opens", Some(hint));
            return None;
        }
        let allow = self.openings(form.allow.as_deref().unwrap_or_default(), "allow", at);
        let exclude = self.openings(form.exclude.as_deref().unwrap_or_default(), "exclude", at);
        let window = Window { zone: zone?, allow: allow?, exclude: exclude? };
        if !window.ever_opens() {
            let hint = "`exclude` takes away all that `allow` gives".to_owned();
            self.problem(at, "a window that never opens", Some(hint));
            return None;
        }
        Some(window)
    }

    fn openings(
        &mut self,
        forms: &[OpeningForm],
        key: &'static str,
        at: &At<'_>,
    ) -> Option<Vec<Opening>> {
        let mut openings = Vec::new();
        for (item, form) in forms.iter().enumerate() {
            let below = |name| [at[0], at[1], at[2], at[3], at[4], Key(key), Item(item), Key(name)];
            let length = self.length(&form.length, &below("for"));
            // So that a wrong pattern is told beside a wrong length.
            let long = length.unwrap_or(SignedDuration::from_mins(1));
            match Opening::new(&form.cron, long, form.why.clone()) {
                Ok(opening) if length.is_some() => openings.push(opening),
                Ok(_) => {}
                Err(error) => {
                    let message = format!("cron pattern `{}`: {error}", form.cron.escape_debug());
                    let hint = "write five fields, such as `0 9 * * 1-4` for nine o'clock from Monday to Thursday".to_owned();
                    self.problem(&below("cron"), message, Some(hint));
                }
            }
        }
        (openings.len() == forms.len()).then_some(openings)
    }

    fn contexts(&mut self, form: &Contexts, at: &At<'_>) -> Option<Vec<String>> {
        let contexts = match form {
            Contexts::One(context) => std::slice::from_ref(context),
            Contexts::List(contexts) => contexts,
        };
        let hint = || Some("name the contexts: `status: [e2e]`".to_owned());
        if contexts.is_empty() {
            self.problem(at, "no status is named", hint());
            return None;
        }
        for (item, context) in contexts.iter().enumerate() {
            let at = [at[0], at[1], at[2], at[3], at[4], Item(item)];
            if context.trim().is_empty() {
                self.problem(&at, "a status without a name", hint());
                return None;
            }
            if contexts[..item].contains(context) {
                let message = format!("status `{}` is named twice", context.escape_debug());
                self.problem(&at, message, None);
                return None;
            }
        }
        Some(contexts.to_vec())
    }

    fn approvals(&mut self, form: &ApprovalsForm, at: &At<'_>) -> Option<Approvals> {
        let below = |key| [at[0], at[1], at[2], at[3], at[4], Key(key)];
        let (min, by) = match form {
            ApprovalsForm::Number(min) => (*min, Reviewers::Anybody),
            ApprovalsForm::Form(form) => {
                let by = match (&form.team, form.codeowners) {
                    (Some(_), true) => {
                        let hint = "write two gates to ask for both".to_owned();
                        let message = "`approvals` takes either `team` or `codeowners`";
                        self.problem(at, message, Some(hint));
                        return None;
                    }
                    (Some(team), false) if team.trim().is_empty() => {
                        self.problem(&below("team"), "a team without a name", None);
                        return None;
                    }
                    (Some(team), false) => Reviewers::Team(team.clone()),
                    (None, true) => Reviewers::Owners,
                    (None, false) => Reviewers::Anybody,
                };
                (form.min.unwrap_or(1), by)
            }
        };
        if min == 0 {
            let hint = "ask for one at least, or take the gate out".to_owned();
            self.problem(at, "no approval is asked for", Some(hint));
            return None;
        }
        Some(Approvals { min, by })
    }

    pub(super) fn gate_timeout(
        &mut self,
        written: &file::Environment,
        gates: &[Gate],
        index: usize,
    ) -> Option<SignedDuration> {
        let at = [Key("environments"), Item(index), Key("gateTimeout")];
        let timeout = self.length(written.gate_timeout.as_ref()?, &at)?;
        for gate in gates {
            if let Rule::Soak(least) = gate.rule
                && timeout <= least
            {
                let message = format!(
                    "`gateTimeout` ({}) closes what `soak` ({}) in line {} still keeps waiting",
                    words(timeout),
                    words(least),
                    gate.place.line
                );
                self.problem(&at, message, Some("make it longer than `soak`".to_owned()));
            }
        }
        Some(timeout)
    }

    pub(super) fn exempt(&mut self, written: &file::Environment, index: usize) -> Vec<String> {
        for (item, word) in written.rollback.exempt.iter().enumerate() {
            if !WORDS.contains(&word.as_str()) {
                let at =
                    [Key("environments"), Item(index), Key("rollback"), Key("exempt"), Item(item)];
                let message = format!("no gate `{}`", word.escape_debug());
                self.problem(&at, message, Some(suggest(word, WORDS)));
            }
        }
        written.rollback.exempt.clone()
    }

    /// What gates say about other environments, once the order is known.
    pub(super) fn between_environments(&mut self, ordered: &[Environment]) {
        for (index, environment) in ordered.iter().enumerate() {
            for gate in &environment.gates {
                let problem = match &gate.rule {
                    Rule::Soak(_) if environment.after.names().is_empty() => Some((
                        format!(
                            "gate `soak` looks at the environment before, but none comes before `{}`",
                            environment.name
                        ),
                        "take it out, or say by `after` what comes before".to_owned(),
                    )),
                    Rule::Merged(name) if *name == environment.name => Some((
                        format!("gate `merged` of `{name}` waits for `{name}` itself"),
                        "name an environment before it".to_owned(),
                    )),
                    Rule::Merged(name) => {
                        match ordered.iter().position(|other| other.name == *name) {
                            None => Some((
                                format!("no environment `{}`", name.escape_debug()),
                                suggest(name, ordered.iter().map(|e| e.name.as_str())),
                            )),
                            Some(other) if other > index => Some((
                                format!(
                                    "gate `merged` waits for `{name}`, which comes after `{}`",
                                    environment.name
                                ),
                                "name an environment before it".to_owned(),
                            )),
                            Some(_) => None,
                        }
                    }
                    _ => None,
                };
                if let Some((message, hint)) = problem {
                    self.problem_at(gate.place, message, Some(hint));
                }
            }
            if environment.branch.as_deref() == Some(STATE_BRANCH) {
                let message = format!(
                    "environment `{}` is on `{STATE_BRANCH}`, the branch that keeps holds",
                    environment.name
                );
                self.problem_at(environment.place, message, None);
            }
        }
    }
}

/// The keys that stand in a gate.
fn kinds(gate: &Written) -> Vec<&'static str> {
    let kinds = [
        ("merged", gate.merged.is_some()),
        ("soak", gate.soak.is_some()),
        ("window", gate.window.is_some()),
        ("status", gate.status.is_some()),
        ("approvals", gate.approvals.is_some()),
        ("converged", gate.converged.is_some()),
        ("canary", gate.canary.is_some()),
    ];
    kinds.into_iter().filter(|(_, there)| *there).map(|(kind, _)| kind).collect()
}
