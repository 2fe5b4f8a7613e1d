//! The real binary and requests on forges: one living request of a promotion,
//! whatever happens to it.
//!
//! Every story is told on GitHub's stand-in, and on a real Gitea where
//! `GITOPS_GITEA` names one.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, unreachable_pub)]

mod apps;
mod at_once;
mod bad;
mod calls;
mod faults;
mod gates;
mod kills;
mod life;
mod merges;
mod secrets;
mod seeds;
mod together;
mod waits;
mod world;

#[path = "../remotes/chance.rs"]
mod chance;

#[path = "../remotes/session.rs"]
mod session;

#[path = "../cases/stage.rs"]
#[allow(dead_code, reason = "the other test programs use the rest")]
mod stage;

use std::sync::OnceLock;

use gitops_test_forges::github::GitHub;
use gitops_test_forges::{Stage as Forge, gitea};

/// One `#[test]` a story, for each forge.
macro_rules! stories {
    ($forge:ident: $($room:ident { $($name:ident),+ $(,)? })+) => {
        mod $forge {
            $(mod $room {
                $(#[test]
                fn $name() {
                    if let Some(forge) = super::super::$forge() {
                        crate::$room::$name(forge);
                    }
                })+
            })+
        }
    };
}

/// The Gitea of this test program.
fn on_gitea() -> Option<&'static dyn Forge> {
    gitea().map(|gitea| gitea as &dyn Forge)
}

/// GitHub's stand-in, where an Enterprise server has its APIs: by the address of
/// a remote no other GitHub is known.
fn on_github() -> Option<&'static dyn Forge> {
    static GITHUB: OnceLock<GitHub> = OnceLock::new();
    Some(GITHUB.get_or_init(|| GitHub::start().as_enterprise()))
}

/// Every story, on each forge.
macro_rules! on_each {
    ($($forge:ident)+) => {
        $(stories! {
            $forge:
            life {
                a_request_is_opened_once,
                a_moved_base_keeps_the_approvals,
                a_new_change_replaces_the_old_one,
                a_base_moved_in_the_same_file_is_built_upon,
                commits_of_others_stop,
                closed_without_a_merge_is_respected,
                a_target_that_holds_it_needs_no_request,
                several_apps_take_the_requests_of_one,
                what_people_edit_is_put_right,
                a_long_comment_is_cut,
                a_shut_gate_is_told_to_the_request,
                texts_of_others_do_nothing,
            }
            gates {
                approvals_count_as_they_should,
                owners_approve_their_files,
                a_status_is_waited_for,
                a_request_is_judged_alike_in_ci,
                ci_says_what_promote_said,
                ci_comments_on_requests_of_people,
            }
            merges {
                an_open_gate_merges,
                an_approval_merges,
                each_method_keeps_the_record,
                the_forge_waits_only_where_it_is_made_to,
                many_into_one_file,
            }
            calls {
                a_request_takes_few,
                a_reviewer_who_is_nobody_is_told,
            }
            together {
                all_go_in_one_run,
                one_that_fails_stops_no_other,
                a_killed_run_is_gone_on_with,
            }
            faults {
                one_effect_an_intent,
                a_token_that_will_not_do,
                an_unknown_label_is_told,
            }
            at_once {
                twenty_from_clones_of_their_own,
                twenty_from_one_clone,
                one_app_by_several,
                a_merge_that_comes_too_soon_or_too_late,
            }
            kills {
                at_each_exchange,
                at_any_moment,
            }
            secrets {
                a_token_is_nowhere_to_be_read,
            }
            waits {
                a_gate_that_opens_is_waited_for,
                what_stays_pending_is_told_in_the_end,
            }
            seeds {
                demo_gitops,
                apps_gitops,
            }
            bad {
                a_branch_that_takes_no_push,
                a_base_that_lets_nobody_merge,
                a_repository_that_moved,
                an_archived_repository,
                a_page_instead_of_json,
                two_remotes,
            }
        })+
    };
}

on_each!(on_gitea on_github);
