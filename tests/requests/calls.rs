//! How much a forge is asked.

use gitops_forge::Kind;
use gitops_test_forges::Stage as Forge;

use crate::world::{World, told};

const ENVIRONMENTS: &str = "  - {name: dev, path: envs/dev, merge: direct}
  - {name: prod, path: envs/prod, after: [dev], gates: [{status: [e2e]}]}
  - {name: live, path: envs/live, after: [dev], gates: [{approvals: 1}]}
";

/// A request with a label, a reviewer and a gate: six calls to open it, three where
/// nothing has changed.
pub fn a_request_takes_few(forge: &'static dyn Forge) {
    let world = World::with(forge, ENVIRONMENTS, &[]);
    world.set("dev", "web", "v2");
    let opened = told(&world.ends(0, "promote web --from dev --to prod -v"));
    let expected: &[&str] = match forge.kind() {
        Kind::GitHub => &[
            "POST GraphQL Requests 200",
            "POST /repos/{owner}/{repo}/pulls 201",
            "POST /repos/{owner}/{repo}/issues/{issue_number}/labels 200",
            "POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers 201",
            "POST /repos/{owner}/{repo}/issues/{issue_number}/comments 201",
            "POST /repos/{owner}/{repo}/statuses/{sha} 201",
        ],
        _ => &[
            "GET /repos/{owner}/{repo}/pulls/{base}/{head} 404",
            "GET /repos/{owner}/{repo}/labels 200",
            "POST /repos/{owner}/{repo}/pulls 201",
            "POST /repos/{owner}/{repo}/issues/{index}/comments 201",
            "POST /repos/{owner}/{repo}/statuses/{sha} 201",
        ],
    };
    assert_eq!(opened, expected);
    let request = world.request("web", "prod");
    assert_eq!(request.labels.iter().collect::<Vec<_>>(), ["promotion"]);
    assert_eq!(request.reviewers.iter().collect::<Vec<_>>(), ["alice"]);
    let again = told(&world.ends(0, "promote web --from dev --to prod -v"));
    assert_eq!(again.len(), 3, "{again:?}");
    assert_eq!(world.request("web", "prod"), request);
    // Reviews are one question more, and who wrote them only where there are any.
    assert!(told(&world.ends(0, "promote web --from dev --to live -v")).len() <= 6);
    let again = told(&world.ends(0, "promote web --from dev --to live -v"));
    assert_eq!(again.len(), 4, "{again:?}");
    // Where the branch stood before, without a request.
    world.set("dev", "job", "v2");
    world.ends(0, "promote job --from dev --to prod -v");
    let closed = world.request("job", "prod");
    let edit = gitops_forge::Edit { open: Some(false), ..Default::default() };
    world.ask(world.api().edit(closed.number, &edit));
    let left = told(&world.ends(0, "promote job --from dev --to prod -v"));
    assert!(left.len() <= 4, "{left:?}");
}

/// Nobody who cannot be asked keeps a request from being opened.
pub fn a_reviewer_who_is_nobody_is_told(forge: &'static dyn Forge) {
    let world = World::with(forge, ENVIRONMENTS, &[]);
    let text = std::fs::read_to_string(world.here.repo().join("gitops.yaml")).unwrap();
    world.write("gitops.yaml", &text.replace("[alice]", "[alice, nobody-at-all]"));
    world.publish("one reviewer more");
    world.set("dev", "web", "v2");
    let said = world.ends(0, "promote web --from dev --to prod");
    let request = world.request("web", "prod");
    crate::world::says(
        &said.stderr,
        &[&format!("`nobody-at-all` cannot be asked to review #{}", request.number)],
    );
    assert_eq!(request.labels.iter().collect::<Vec<_>>(), ["promotion"]);
    assert_eq!(request.reviewers.iter().collect::<Vec<_>>(), ["alice"]);
    assert_eq!(world.comments(request.number).len(), 1);
}
