//! Several at once, on one clone and on one remote: each lands or says why, and
//! nothing is lost or done twice.

use std::process::Stdio;

use super::{APPS, server, shop, whole, worked};
use crate::stage::{Said, Stage};

/// Runs each line in the folder before it, all at once.
fn at_once(stage: &Stage, lines: &[(String, String)]) -> Vec<Said> {
    let children: Vec<_> = lines
        .iter()
        .map(|(folder, line)| {
            let mut command = stage.command(&format!("cd {folder} && exec kubectl-gitops {line}"));
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    children.into_iter().map(|child| Said::of(child.wait_with_output().unwrap())).collect()
}

/// Runs all at once, and those again that said why not, until all have landed.
/// Answers how many rounds it took.
#[track_caller]
fn until_all_land(stage: &Stage, lines: &[(String, String)]) -> usize {
    let mut open = lines.to_vec();
    for round in 1..=lines.len() + 2 {
        let said = at_once(stage, &open);
        let mut again = Vec::new();
        for (line, said) in open.iter().zip(&said) {
            if said.status == 0 {
                continue;
            }
            assert_eq!(said.status, 3, "{line:?}: {}{}", said.stdout, said.stderr);
            let told =
                ["has moved since the plan was made", "moves faster than it can be pushed to"];
            assert!(
                told.iter().any(|told| said.stderr.contains(told)),
                "{line:?}: {}",
                said.stderr
            );
            assert!(said.stderr.contains("hint: run it again"), "{line:?}: {}", said.stderr);
            again.push(line.clone());
        }
        if again.is_empty() {
            return round;
        }
        assert!(again.len() < open.len(), "nobody landed: {}", said[0].stderr);
        open = again;
    }
    panic!("they never all land: {open:?}");
}

/// `clones` clones of the server beside the work tree.
fn clones(stage: &Stage, clones: usize) -> Vec<String> {
    (0..clones)
        .map(|number| {
            let folder = format!("../clone{number}");
            worked(&stage.shell(&format!("git clone -q ../srv/apps.git {folder}")));
            folder
        })
        .collect()
}

#[track_caller]
fn landed(stage: &Stage, expected: usize) {
    let log = server(stage, "log --format=%s main");
    assert_eq!(log.lines().count() - 1, expected, "{log}");
    whole(stage);
}

fn places(stage: &Stage, count: usize, own: bool) -> Vec<String> {
    if own { clones(stage, count) } else { vec![".".to_owned(); count] }
}

#[test]
fn the_same_app_is_released_once() {
    for (count, own) in [(2, false), (2, true), (8, false), (8, true)] {
        let stage = shop();
        let lines: Vec<_> = places(&stage, count, own)
            .into_iter()
            .map(|folder| (folder, "release web v2".to_owned()))
            .collect();
        let rounds = until_all_land(&stage, &lines);
        println!("{count} at once, clones {own}: {rounds} rounds");
        landed(&stage, 1);
    }
}

#[test]
fn different_apps_of_one_file_all_land() {
    for (count, own) in [(2, false), (2, true), (8, false), (8, true)] {
        let stage = shop();
        let lines: Vec<_> = places(&stage, count, own)
            .into_iter()
            .zip(APPS)
            .map(|(folder, app)| (folder, format!("release {app} v2")))
            .collect();
        let rounds = until_all_land(&stage, &lines);
        println!("{count} at once, clones {own}: {rounds} rounds");
        landed(&stage, count);
        let file = server(&stage, "show main:envs/dev/kustomization.yaml");
        assert_eq!(file.matches("newTag: v2").count(), count, "{file}");
    }
}

#[test]
fn requests_of_one_app_are_one_branch_and_of_several_are_several() {
    for (count, own) in [(2, false), (8, true)] {
        let stage = shop();
        for app in &APPS[..count] {
            worked(&stage.shell(&format!("kubectl gitops release {app} v2")));
        }
        worked(&stage.shell("kubectl gitops promote --to uat"));
        let places = places(&stage, count, own);
        let same: Vec<_> =
            places.iter().map(|folder| (folder.clone(), "promote web --to prod".into())).collect();
        until_all_land(&stage, &same);
        let branches = || server(&stage, "for-each-ref --format='%(refname:short)' refs/heads");
        assert_eq!(branches().lines().count(), 2, "{}", branches());
        let others: Vec<_> = places
            .iter()
            .zip(APPS)
            .map(|(folder, app)| (folder.clone(), format!("promote {app} --to prod")))
            .collect();
        until_all_land(&stage, &others);
        assert_eq!(branches().lines().count(), count + 1, "{}", branches());
        for branch in branches().lines().filter(|branch| *branch != "main") {
            assert_eq!(server(&stage, &format!("rev-list --count {branch} --not main")), "1");
        }
        whole(&stage);
    }
}

#[test]
fn a_merge_by_itself_happens_once() {
    for (count, own) in [(2, false), (8, false), (8, true)] {
        let stage = shop();
        worked(&stage.shell("kubectl gitops release web v2"));
        let lines: Vec<_> = places(&stage, count, own)
            .into_iter()
            .map(|folder| (folder, "promote web --to uat".to_owned()))
            .collect();
        until_all_land(&stage, &lines);
        landed(&stage, 2);
    }
}
