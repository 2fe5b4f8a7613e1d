//! The suite on a GitHub of our own: with a token, as an App, and where an Enterprise
//! server has its APIs; and what is GitHub's alone.

#![allow(clippy::unwrap_used, missing_docs)]

mod apps;
mod defects;
mod own;
mod told;

use std::sync::OnceLock;

use gitops_forge::{Api, ForgeToken};
use gitops_test_forges::github::GitHub;
use gitops_test_forges::suite::Scene;
use gitops_test_forges::{Stage, github, scenarios};

fn stage() -> Option<&'static dyn Stage> {
    Some(github::github())
}

scenarios!(stage());

/// The scenarios in which the way to the APIs has a part.
mod enterprise {
    use super::*;

    fn stage() -> &'static dyn Stage {
        static STAGE: OnceLock<GitHub> = OnceLock::new();
        STAGE.get_or_init(|| GitHub::start().as_enterprise())
    }

    #[test]
    fn requests() {
        gitops_test_forges::suite::requests::a_request_lives(stage());
        gitops_test_forges::suite::requests::comments(stage());
        gitops_test_forges::suite::requests::statuses(stage());
    }

    #[test]
    fn pages_and_faults() {
        gitops_test_forges::suite::faults::pages_of_one(stage());
        gitops_test_forges::suite::faults::slow_and_cut(stage());
        gitops_test_forges::suite::faults::another_page(stage());
    }

    #[test]
    fn renamed() {
        gitops_test_forges::suite::refusals::renamed(stage());
    }
}

/// The API of a repository with that token.
fn with_token(github: &GitHub, repository: &str, secret: &str) -> Box<dyn Api> {
    let token = ForgeToken {
        origin: github.web(),
        user: "x-access-token",
        variable: "GH_TOKEN",
        secret: secret.to_owned(),
    };
    let settings = gitops_test_forges::suite::settings();
    github.connect(&github.forge(repository), &token, &settings).unwrap()
}

/// A scene on a GitHub of its own, with a request.
fn scene<'a>(github: &'a GitHub, name: &str) -> (Scene<'a>, u64, String) {
    let scene = Scene::new(github, name);
    let (request, commit) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    github.seen();
    (scene, request.number, commit)
}
