//! The workflows of GitHub and Gitea, step by step as their runners take them.

use std::fs;

use serde_json::Value as Json;

use crate::play::{Play, Request, Variables};
use crate::stage::Said;
use crate::{WORKFLOWS, parsed, text};

/// An event with what the expressions of a workflow may ask of it.
struct Event {
    name: &'static str,
    reference: &'static str,
    values: Variables,
}

fn pairs(values: &[(&str, &str)]) -> Variables {
    values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn requested(request: &Request) -> Event {
    let values = pairs(&[
        ("github.base_ref", "main"),
        ("github.head_ref", &request.branch),
        ("github.event.pull_request.head.sha", &request.head),
        ("github.event.pull_request.number", "1"),
    ]);
    Event { name: "pull_request", reference: "refs/pull/1/merge", values }
}

fn pushed(before: &str, after: &str) -> Event {
    let values = pairs(&[("github.event.before", before), ("github.event.after", after)]);
    Event { name: "push", reference: "refs/heads/main", values }
}

fn dispatched(environment: &str, app: &str) -> Event {
    let values = pairs(&[("inputs.environment", environment), ("inputs.app", app)]);
    Event { name: "workflow_dispatch", reference: "refs/heads/main", values }
}

fn scheduled() -> Event {
    Event { name: "schedule", reference: "refs/heads/main", values: Variables::new() }
}

impl Event {
    /// Text with its `${{ … }}` put in; one that nothing is known of is an error.
    fn put_in(&self, text: &str) -> String {
        let mut parts = text.split("${{ ");
        let mut whole = parts.next().unwrap().to_owned();
        for part in parts {
            let (expression, rest) = part.split_once(" }}").expect(text);
            let value = match expression {
                "github.token" | "secrets.GITEA_TOKEN" | "secrets.GITOPS_TOKEN" => "t0ken",
                "github.server_url" => "https://git.example",
                other => {
                    let known = self.values.iter().find(|(name, _)| name == other);
                    &known.unwrap_or_else(|| panic!("`{other}` in `{}`", self.name)).1
                }
            };
            whole.push_str(value);
            whole.push_str(rest);
        }
        whole
    }

    /// Whether a step's condition holds.
    fn allows(&self, step: &Json) -> bool {
        let Some(condition) = step["if"].as_str() else { return true };
        let event = condition.strip_prefix("github.event_name == '").expect(condition);
        event.strip_suffix('\'').expect(condition) == self.name
    }

    fn variables(&self, of: &Json) -> Variables {
        let Some(map) = of["env"].as_object() else { return Variables::new() };
        map.iter()
            .map(|(name, value)| (name.clone(), self.put_in(value.as_str().expect(name))))
            .collect()
    }
}

/// Runs the one job of a workflow until a step fails, with an archive of that
/// digest to install.
fn run(play: &Play, workflow: &Json, event: &Event, digest: &str) -> Said {
    assert!(workflow["on"].get(event.name).is_some(), "{}", event.name);
    assert_eq!(workflow["defaults"]["run"]["shell"], "bash");
    let jobs: Vec<&Json> = workflow["jobs"].as_object().unwrap().values().collect();
    let [job] = jobs[..] else { panic!("one job") };
    let mut path = String::new();
    let mut all = Said { stdout: String::new(), stderr: String::new(), status: 0 };
    for step in job["steps"].as_array().unwrap().iter().filter(|step| event.allows(step)) {
        let Some(script) = step["run"].as_str() else {
            play.check_out(step["with"]["fetch-depth"].as_u64().unwrap_or(1), event.reference);
            continue;
        };
        let mut variables = event.variables(job);
        variables.extend(event.variables(step));
        for (_, value) in variables.iter_mut().filter(|(name, _)| name == "SHA256") {
            digest.clone_into(value);
        }
        let temp = play.temp();
        let written = temp.join("path");
        variables.push(("RUNNER_TEMP".to_owned(), temp.display().to_string()));
        variables.push(("GITHUB_PATH".to_owned(), written.display().to_string()));
        let said = play.script(script, &path, &variables);
        for folder in fs::read_to_string(written).unwrap_or_default().lines() {
            path = format!("{folder}:");
        }
        all.stdout.push_str(&said.stdout);
        all.stderr.push_str(&said.stderr);
        all.status = said.status;
        if said.status != 0 {
            break;
        }
    }
    all
}

fn each(kind: &str, mut check: impl FnMut(&str, &Json)) {
    for name in WORKFLOWS.into_iter().filter(|name| name.ends_with(kind)) {
        check(name, &parsed(&text(name)));
    }
}

/// A change that a promotion may make, and one that moves a value and the
/// pipeline that judges it.
const OPEN: &str = "sed -i 's/newTag: .*/newTag: v8/' envs/uat/web/kustomization.yaml";
const CLOSED: &str = "sed -i 's/newTag: .*/newTag: v8/' envs/uat/web/kustomization.yaml \
                      && mkdir -p .github/workflows && echo 'on: push' > .github/workflows/gate.yaml";

#[test]
fn a_request_from_a_fork_is_judged() {
    each("gate.yaml", |name, workflow| {
        let play = Play::new();
        let digest = play.digest();
        let said = run(&play, workflow, &requested(&play.request("tidy", OPEN)), &digest);
        assert_eq!(said.status, 0, "{name}: {}", said.transcript());
        assert!(said.stdout.contains("\ngate: open"), "{name}: {}", said.stdout);
        // The names of branches of the base mean nothing here.
        for branch in ["tidy", "main", "try/$(false)"] {
            let request = play.request(branch, CLOSED);
            let said = run(&play, workflow, &requested(&request), &digest);
            assert_eq!(said.status, 1, "{name}, {branch}: {}", said.transcript());
            assert!(said.stdout.contains("gitops/pipeline-changed"), "{name}: {}", said.stdout);
        }
        // A branch of that name is a promotion into `prod`, and touches `uat`.
        let request = play.request("release/web/prod", OPEN);
        let said = run(&play, workflow, &requested(&request), &digest);
        assert_eq!(said.status, 1, "{name}: {}", said.transcript());
        assert!(said.stdout.contains("gitops/outside-target"), "{name}: {}", said.stdout);
    });
}

/// Without the history there is no answer, never a wrong one.
#[test]
fn a_shallow_clone_judges_nothing() {
    each("gate.yaml", |name, workflow| {
        let play = Play::new();
        let event = requested(&play.request("tidy", OPEN));
        let mut shallow = workflow.clone();
        shallow["jobs"]["gate"]["steps"][0]["with"]["fetch-depth"] = 1.into();
        let said = run(&play, &shallow, &event, &play.digest());
        assert_ne!(said.status, 0, "{name}: {}", said.transcript());
        // Neither where both commits are there, and what is between them is not.
        shallow["jobs"]["gate"]["steps"][2]["run"] = "\
            git fetch -q --depth=1 origin refs/pull/1/head && git branch tidy FETCH_HEAD\n\
            git fetch -q --depth=1 origin main && git branch base FETCH_HEAD\n\
            kubectl-gitops gate --base base --head tidy"
            .into();
        let said = run(&play, &shallow, &event, &play.digest());
        assert_eq!(said.status, 2, "{name}: {}", said.transcript());
        assert!(said.stderr.contains("no commit in common"), "{name}: {}", said.stderr);
        assert!(said.stderr.contains("git fetch --unshallow"), "{name}: {}", said.stderr);
    });
}

#[test]
fn another_archive_is_not_installed() {
    for name in WORKFLOWS {
        let play = Play::new();
        let event = match name.ends_with("gate.yaml") {
            true => requested(&play.request("tidy", OPEN)),
            false => scheduled(),
        };
        let said = run(&play, &parsed(&text(name)), &event, &"0".repeat(64));
        assert_eq!(said.status, 1, "{name}: {}", said.transcript());
        assert!(said.stdout.contains("archive") || said.stdout.contains("FAILED"), "{name}");
        assert_eq!(play.url(), krew_address(), "{name}");
    }
}

/// Where the krew manifest has the archive for this platform.
pub fn krew_address() -> String {
    let krew = parsed(&fs::read_to_string(crate::stage::project().join("krew.yaml")).unwrap());
    let address = krew["spec"]["platforms"][0]["uri"].as_str().unwrap().to_owned();
    assert!(address.ends_with("_linux_amd64.tar.gz"));
    address
}

#[test]
fn a_push_goes_on_from_each_of_its_commits() {
    each("promote.yaml", |name, workflow| {
        let play = Play::new();
        let digest = play.digest();
        let before = play.ok("git rev-parse HEAD");
        play.release("api", "v7");
        let after = play.release("web", "v9");
        let said = run(&play, workflow, &pushed(&before, &after), &digest);
        assert_eq!(said.status, 0, "{name}: {}", said.transcript());
        assert_eq!(play.runs("main", "uat", "web"), "v9", "{name}");
        assert_eq!(play.runs("main", "uat", "api"), "v7", "{name}");
        // What that run pushed is the next push: into prod goes a request.
        let next = play.ok("git rev-parse origin/main");
        let said = run(&play, workflow, &pushed(&after, &next), &digest);
        assert_eq!(said.status, 0, "{name}: {}", said.transcript());
        assert_eq!(play.branches(), "main\nrelease/api/prod\nrelease/web/prod", "{name}");
        assert_eq!(play.runs("release/web/prod", "prod", "web"), "v9", "{name}");
        let author = play.ok("git log -1 --format='%an <%ae> %cn' origin/release/web/prod");
        assert!(author.contains("bot"), "{name}: {author}");
        // It must be known what was pushed.
        let said = run(&play, workflow, &pushed(&after, &"0".repeat(40)), &digest);
        assert_ne!(said.status, 0, "{name}: {}", said.transcript());
    });
}

#[test]
fn a_schedule_promotes_what_may_go() {
    each("promote.yaml", |name, workflow| {
        let play = Play::new();
        play.release("web", "v9");
        for _ in 0..2 {
            let said = run(&play, workflow, &scheduled(), &play.digest());
            assert_eq!(said.status, 0, "{name}: {}", said.transcript());
            assert_eq!(play.runs("main", "uat", "web"), "v9", "{name}");
            // `api` was behind before.
            assert_eq!(play.branches(), "main\nrelease/api/prod\nrelease/web/prod", "{name}");
            assert_eq!(play.runs("release/web/prod", "prod", "web"), "v9", "{name}");
        }
    });
}

#[test]
fn a_dispatch_promotes_what_was_asked_for() {
    each("promote.yaml", |name, workflow| {
        let play = Play::new();
        let digest = play.digest();
        play.release("web", "v9");
        play.release("api", "v7");
        let said = run(&play, workflow, &dispatched("uat", "api"), &digest);
        assert_eq!(said.status, 0, "{name}: {}", said.transcript());
        assert_eq!(play.runs("main", "uat", "api"), "v7", "{name}");
        assert_ne!(play.runs("main", "uat", "web"), "v9", "{name}");
        let said = run(&play, workflow, &dispatched("uat", ""), &digest);
        assert_eq!(said.status, 0, "{name}: {}", said.transcript());
        assert_eq!(play.runs("main", "uat", "web"), "v9", "{name}");
        let said = run(&play, workflow, &dispatched("uat", "--dry-run"), &digest);
        assert_eq!(said.status, 2, "{name}: {}", said.transcript());
    });
}
