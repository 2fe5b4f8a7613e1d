//! Branches of this clone.

use gitops_git::{Identity, LocalMove};

use crate::commits::{author, write};
use crate::sandbox::Sandbox;

#[test]
fn a_local_branch_moves_only_from_where_it_was_seen_and_where_nobody_stands() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/a.yaml", "a: 1\n");
    sandbox.commit("repo", "first");
    let repository = sandbox.open("repo");
    let head = repository.resolve("HEAD").unwrap();
    let next =
        |text: &str| repository.commit(&head, &[write("a.yaml", text)], "next", &author()).unwrap();
    let (two, three) = (next("a: 2\n"), next("a: 3\n"));
    assert_eq!(repository.local_branch("release/web").unwrap(), None);
    let moves = |from, to| repository.move_local_branch("release/web", from, to).unwrap();

    assert_eq!(moves(Some(head), &two), LocalMove::Elsewhere(None));
    assert_eq!(moves(None, &two), LocalMove::Done);
    assert_eq!(moves(None, &two), LocalMove::Done, "it is there already");
    assert_eq!(moves(None, &three), LocalMove::Elsewhere(Some(two)));
    assert_eq!(moves(Some(head), &three), LocalMove::Elsewhere(Some(two)));
    assert_eq!(moves(Some(two), &three), LocalMove::Done);
    assert_eq!(repository.local_branch("release/web").unwrap(), Some(three));

    sandbox.git("repo", &["worktree", "add", "-q", "../tree", "release/web"]);
    match moves(Some(three), &two) {
        LocalMove::CheckedOut(folder) => assert!(folder.ends_with("tree"), "{folder:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(repository.local_branch("release/web").unwrap(), Some(three));
    // A branch without a commit, with a work tree that stands on it.
    sandbox.git("repo", &["symbolic-ref", "HEAD", "refs/heads/unborn"]);
    let unborn = repository.move_local_branch("unborn", None, &two).unwrap();
    assert!(matches!(unborn, LocalMove::CheckedOut(_)), "{unborn:?}");
    // A name below another branch cannot be made.
    let error = repository.move_local_branch("release/web/prod", None, &two).unwrap_err();
    assert!(error.to_string().contains("release/web/prod"), "{error}");
}

#[test]
fn author_and_committer_may_be_two() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/a.yaml", "a: 1\n");
    sandbox.commit("repo", "first");
    let repository = sandbox.open("repo");
    let head = repository.resolve("HEAD").unwrap();
    let bot = Identity { name: "Robot".into(), email: "robot@example.com".into() };
    let (bot, person) = (bot.at(author().when), author());
    let edits = [write("a.yaml", "a: 2\n")];
    let commit = repository.commit_as(&head, &edits, "next", &bot, &person).unwrap();
    let shown = sandbox
        .git("repo", &["log", "-1", "--format=%an <%ae> %at|%cn <%ce> %ct", &commit.to_string()]);
    assert_eq!(
        shown.trim(),
        "Robot <robot@example.com> 1750000000|Grace <grace@example.com> 1750000000"
    );
}
