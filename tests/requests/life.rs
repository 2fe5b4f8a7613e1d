//! How a request lives: one story a row of the table in
//! `cli/src/operations/requests/mod.rs`.

use gitops_core::gate::{Status, Verdict};
use gitops_core::request::Marker;
use gitops_forge::{Edit, RequestState};
use gitops_test_forges::{Stage as Forge, Who};

use crate::world::{World, calls, says};

pub fn a_request_is_opened_once(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    let said = world.ends(0, "promote web --to prod -v");
    let request = world.request("web", "prod");
    says(
        &said.stdout,
        &["pushed ", &format!("request #{} opened: {}", request.number, request.page)],
    );
    assert_eq!(request.state, RequestState::Open);
    assert_eq!(request.title, "Release `web` in `prod`");
    assert_eq!(request.labels.iter().collect::<Vec<_>>(), ["promotion"]);
    assert_eq!(request.reviewers.iter().collect::<Vec<_>>(), ["alice"]);
    assert_eq!(request.head_commit, world.tip("release/web/prod"));
    let marker = Marker::find(&request.body).unwrap();
    assert_eq!(marker.promotion, "web/prod");
    says(&request.body, &["Puts `v2` of `web` into `prod`."]);
    let comment = world.comment(request.number);
    says(
        &comment.body,
        &[
            "### `web` `v2`: `dev` → `prod`",
            "The gate is **pending**",
            "| gate `approvals` | **pending** | no approval yet; 1 approval asked |",
            "| `web` | `newTag` | `v1` | `v2` | `envs/prod/kustomization.yaml:",
            "-  - image: web:v1\n+  - image: web:v2\n",
        ],
    );
    let statuses = world.statuses(&request.head_commit);
    assert_eq!(statuses.len(), 1, "{statuses:?}");
    assert_eq!(statuses[0].context, "gitops/gate/prod/web/approvals");
    assert_eq!(statuses[0].state, Status::Pending);
    assert!(calls(&said) <= 6, "{}", said.stderr);
    // Again: nothing is done, and hardly anything asked.
    let again = world.ends(0, "promote web --to prod -v");
    says(&again.stdout, &["holds this change already", "unchanged"]);
    assert_eq!(world.request("web", "prod"), request);
    assert_eq!(world.comment(request.number), comment);
    assert_eq!(world.statuses(&request.head_commit), statuses);
    let plain = world.ends(0, "promote web --to plain -v");
    assert!(calls(&plain) <= 6, "{}", plain.stderr);
    let plain = world.ends(0, "promote web --to plain -v");
    assert!(calls(&plain) <= 3, "{}", plain.stderr);
    let document = world.ends(0, "promote web --to plain -o json").stdout;
    says(&document, &["\"pullRequest\": {", "\"done\": \"unchanged\""]);
}

pub fn a_moved_base_keeps_the_approvals(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    world.ends(0, "promote web --to prod");
    let before = world.request("web", "prod");
    let comment = world.comment(before.number);
    forge.review(&world.repository, before.number, Who::Alice, Verdict::Approved).unwrap();
    world.pull();
    world.write("elsewhere.txt", "x\n");
    world.publish("elsewhere");
    let said = world.ends(0, "promote web --to prod");
    says(&said.stdout, &["gate approvals: open: approved by alice"]);
    let after = world.request("web", "prod");
    assert_eq!(after.head_commit, before.head_commit);
    let now = world.comment(after.number);
    assert_eq!(now.id, comment.id);
    says(&now.body, &["The gate is **open**", "| gate `approvals` | open | approved by alice"]);
    let statuses = world.statuses(&after.head_commit);
    assert_eq!(statuses[0].state, Status::Success);
}

pub fn a_new_change_replaces_the_old_one(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    world.ends(0, "promote web --to prod");
    let before = world.request("web", "prod");
    let comment = world.comment(before.number);
    world.set("dev", "web", "v3");
    let said = world.ends(0, "promote web --to prod");
    let after = world.request("web", "prod");
    says(&said.stdout, &["pushed ", &format!("request #{} updated", before.number)]);
    assert_eq!(after.number, before.number);
    assert_ne!(after.head_commit, before.head_commit);
    assert_eq!(after.head_commit, world.tip("release/web/prod"));
    says(&after.body, &["Puts `v3` of `web` into `prod`."]);
    let now = world.comment(after.number);
    assert_eq!(now.id, comment.id);
    says(&now.body, &["`v3`: `dev` → `prod`", "+  - image: web:v3\n"]);
    // One commit on today's base.
    let log =
        world.did("git fetch -q && git rev-list --count origin/main..origin/release/web/prod");
    assert_eq!(log.trim(), "1");
}

pub fn a_base_moved_in_the_same_file_is_built_upon(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    world.ends(0, "promote web --to prod");
    let before = world.request("web", "prod");
    world.set("prod", "job", "v9");
    world.ends(0, "promote web --to prod");
    let after = world.request("web", "prod");
    assert_eq!(after.number, before.number);
    assert_ne!(after.head_commit, before.head_commit);
    let text =
        world.did("git fetch -q && git show origin/release/web/prod:envs/prod/kustomization.yaml");
    says(&text, &["- name: job\n  newTag: v9", "- name: web\n  newTag: v2"]);
    let base = world.did("git merge-base origin/main origin/release/web/prod");
    assert_eq!(base.trim(), world.tip("main"));
}

pub fn commits_of_others_stop(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    world.ends(0, "promote web --to prod");
    let before = world.request("web", "prod");
    world.did("git fetch -q && git checkout -q -b mine origin/release/web/prod");
    world.write("mine.txt", "x\n");
    world.did(
        "git add -A && GIT_AUTHOR_NAME=Alice GIT_COMMITTER_NAME=Alice git commit -q -m mine \
         && git push -q origin mine:release/web/prod && git checkout -q main",
    );
    let theirs = world.tip("release/web/prod");
    world.set("dev", "web", "v3");
    let said = world.ends(1, "promote web --to prod");
    says(&said.stderr, &["is not ours to replace", "of Alice", "--takeover"]);
    assert_eq!(world.tip("release/web/prod"), theirs);
    let said = world.ends(0, "promote web --to prod --takeover");
    says(&said.stdout, &[&format!("request #{} updated", before.number)]);
    let log =
        world.did("git fetch -q && git log --format=%an origin/main..origin/release/web/prod");
    assert_eq!(log.trim(), "Bot");
}

pub fn closed_without_a_merge_is_respected(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    world.ends(0, "promote web --to prod");
    let closed = world.request("web", "prod");
    let edit = Edit { open: Some(false), ..Edit::default() };
    world.ask(world.api().edit(closed.number, &edit));
    let said = world.ends(0, "promote web --to prod");
    says(
        &said.stdout,
        &["nothing was pushed", &format!("#{} was closed with this very change", closed.number)],
    );
    says(&said.stderr, &["--reopen"]);
    assert_eq!(world.request("web", "prod").state, RequestState::Closed);
    let said = world.ends(0, "promote web --to prod --reopen");
    says(&said.stdout, &["request #", "opened"]);
    let open: Vec<_> = world
        .requests("web", "prod")
        .into_iter()
        .filter(|request| request.state == RequestState::Open)
        .collect();
    assert_eq!(open.len(), 1);
    // Another change is another matter.
    world.ask(world.api().edit(open[0].number, &edit));
    world.set("dev", "web", "v3");
    let said = world.ends(0, "promote web --to prod");
    says(&said.stdout, &["opened"]);
}

pub fn a_target_that_holds_it_needs_no_request(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    world.ends(0, "promote web --to prod");
    let before = world.request("web", "prod");
    world.set("prod", "web", "v2");
    let said = world.ends(0, "promote web --to prod");
    says(
        &said.stdout,
        &[&format!("request #{} closed", before.number), "deleted release/web/prod"],
    );
    assert_eq!(world.request("web", "prod").state, RequestState::Closed);
    assert_eq!(world.tip("release/web/prod"), "");
    says(&world.comment(before.number).body, &["Closed: `prod` holds `v2` of `web` already"]);
    let said = world.ends(0, "promote web --to prod -v");
    assert!(!said.stdout.contains("request #"), "{}", said.stdout);
}

pub fn several_apps_take_the_requests_of_one(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    world.set("dev", "api", "v2");
    world.ends(0, "promote web --to prod");
    let alone = world.request("web", "prod");
    let said = world.ends(0, "promote web api --to prod --group");
    let both = world.request("api+web", "prod");
    says(&said.stderr, &[&format!("closed #{}: #{} took its app", alone.number, both.number)]);
    assert_eq!(world.request("web", "prod").state, RequestState::Closed);
    assert_eq!(world.tip("release/web/prod"), "");
    says(&world.comment(alone.number).body, &[&format!("Closed: #{}", both.number)]);
    assert_eq!(world.statuses(&both.head_commit)[0].context, "gitops/gate/prod/api+web/approvals");
}

pub fn what_people_edit_is_put_right(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    world.ends(0, "promote web --to prod");
    let before = world.request("web", "prod");
    let edit =
        Edit { title: Some("my title".to_owned()), body: Some("no marker".to_owned()), open: None };
    world.ask(world.api().edit(before.number, &edit));
    let said = world.ends(0, "promote web --to prod");
    says(&said.stdout, &[&format!("request #{} updated", before.number)]);
    let after = world.request("web", "prod");
    assert_eq!((after.title, after.body), (before.title, before.body));
    assert_eq!(after.head_commit, before.head_commit);
    // Somebody who writes our last line does not become us.
    let comment = world.comment(before.number);
    world.ask(world.api().edit_comment(comment.id, "mine now"));
    world.ends(0, "promote web --to prod");
    assert_eq!(world.comments(before.number).len(), 2);
}

pub fn a_long_comment_is_cut(forge: &'static dyn Forge) {
    let mut many = String::new();
    for number in 0..3000 {
        many.push_str(&format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: web-{number}}}\n\
             spec: {{containers: [{{name: web, image: web}}]}}\n---\n"
        ));
    }
    let world = World::with(forge, crate::world::ENVIRONMENTS, &[("envs/plain/web.yaml", &many)]);
    world.set("dev", "web", "v2");
    world.ends(0, "promote web --to plain -q");
    let request = world.request("web", "plain");
    let comment = world.comment(request.number);
    let limit = world.api().limits().comment;
    let length = comment.body.chars().count();
    assert!(length <= limit && length > limit / 2, "{length} of {limit}");
    says(
        &comment.body,
        &["lines are left out here", "kubectl gitops promote web --to plain --dry-run"],
    );
    assert_eq!(
        comment.body.matches("<details>").count(),
        comment.body.matches("</details>").count()
    );
    world.ends(0, "promote web --to plain -q");
    assert_eq!(world.comment(request.number), comment);
}

pub fn a_shut_gate_is_told_to_the_request(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    world.ends(0, "promote web --to prod");
    let request = world.request("web", "prod");
    forge.review(&world.repository, request.number, Who::Alice, Verdict::ChangesRequested).unwrap();
    let said = world.ends(1, "promote web --to prod");
    says(&said.stdout, &["alice asked for changes", "nothing was pushed", "updated"]);
    says(
        &world.comment(request.number).body,
        &["The gate is **closed**", "alice asked for changes"],
    );
    let statuses = world.statuses(&request.head_commit);
    assert_eq!(statuses[0].state, Status::Failure);
    assert_eq!(statuses[0].description, "alice asked for changes");
}

pub fn texts_of_others_do_nothing(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    world.ends(
        0,
        "hold prod --owner '@all ![x](http://evil.example/x)' --reason '</details> <b> #1 @bob'",
    );
    world.ends(0, "promote web --to prod");
    let request = world.request("web", "prod");
    let body = world.comment(request.number).body;
    says(&body, &["&#64;&#8203;all", "gate `hold`"]);
    assert!(
        !body.contains("@all") && !body.contains("![x]") && !body.contains("http://evil"),
        "{body}"
    );
    assert!(!body.contains("</details> <b>"), "{body}");
}
