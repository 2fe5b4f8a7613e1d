//! Forges and repositories that are not as they should be: each told with its way
//! out, and nothing half done.

use gitops_test_forges::{Fault, Guard, Stage as Forge};

use crate::world::{World, says};

pub fn a_branch_that_takes_no_push(forge: &'static dyn Forge) {
    let world = World::new(forge);
    let before = world.tip("main");
    forge.guard(&world.repository, "main", &Guard { no_push: true, ..Guard::default() });
    let said = world.ends(3, "release web v2");
    says(
        &said.stderr,
        &["refused the push to `main`", "where `main` is protected, set `merge: manual`"],
    );
    assert_eq!(world.tip("main"), before);
}

pub fn a_base_that_lets_nobody_merge(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    let before = world.tip("main");
    forge.guard(&world.repository, "main", &Guard { approvals: 1, ..Guard::default() });
    let said = world.gitops("promote web --to uat");
    let all = format!("{}{}", said.stdout, said.stderr);
    assert!(said.status == 0 || said.status == 3, "{all}");
    let words = all.to_lowercase();
    assert!(words.contains("approv") && words.contains("merge"), "{all}");
    assert_eq!(world.tip("main"), before);
    // The request stands, once, and is what the next run goes on with.
    let request = world.request("web", "uat");
    let again = world.gitops("promote web --to uat");
    assert_eq!(again.status, said.status, "{}{}", again.stdout, again.stderr);
    assert_eq!(world.request("web", "uat").number, request.number);
}

pub fn a_repository_that_moved(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    let to = format!("{}-now", world.repository);
    forge.rename(&world.repository, &to);
    let said = world.ends(3, "promote web --to plain");
    says(
        &said.stderr,
        &[
            &format!("acme/{} has moved to acme/{to}", world.repository),
            "`git remote set-url` points the remote at the new address",
        ],
    );
    assert_eq!(world.tip("release/web/plain"), "");
}

pub fn an_archived_repository(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    forge.archive(&world.repository);
    let said = world.ends(3, "promote web --to plain");
    says(&said.stderr, &["archived"]);
    assert_eq!(world.tip("release/web/plain"), "");
}

pub fn a_page_instead_of_json(forge: &'static dyn Forge) {
    let mut world = World::new(forge);
    world.set("dev", "web", "v2");
    let faults = world.through_faults();
    let (method, path) = forge.finding();
    faults.fail(method, path, Fault::Page, 1);
    let said = world.ends(3, "promote web --to plain");
    says(
        &said.stderr,
        &["something that is not its API: 200, text/html", "says where the forge is"],
    );
    assert_eq!(world.tip("release/web/plain"), "");
    world.ends(0, "promote web --to plain");
}

pub fn two_remotes(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    world.did("git remote add elsewhere http://127.0.0.1:1/acme/other.git");
    // `origin` is meant.
    world.ends(0, "promote web --to plain");
    world.request("web", "plain");
    world.did("git remote rename origin upstream 2>&1");
    let said = world.gitops("promote web --to prod");
    assert_ne!(said.status, 0, "{}", said.stdout);
    says(&said.stderr, &["several remotes and none is `origin`", "git remote rename"]);
    world.did("git remote rename upstream origin 2>&1");
}
