//! `copy:`, where nothing but how a file is held changes.

use gitops_tree::{Mode, Tree};

use super::*;

fn world(dev: impl Fn(&mut Memory, TreePath), uat: impl Fn(&mut Memory, TreePath)) -> World {
    let rule = CopyRule::new(".", &[], Vec::new()).unwrap();
    let mut world = World::new(vec![Mover::Copy(rule)], &[], &[]);
    dev(&mut world.tree, path("dev/web/run"));
    uat(&mut world.tree, path("uat/web/run"));
    world
}

fn program(tree: &mut Memory, file: TreePath) {
    tree.insert_executable(file, *b"#!/bin/sh\n");
}

fn plain(tree: &mut Memory, file: TreePath) {
    tree.insert(file, *b"#!/bin/sh\n");
}

#[test]
fn a_mode_alone_is_an_edit() {
    let link = |to: &'static str| move |tree: &mut Memory, file| tree.insert_link(file, to);
    for (world, mode) in [
        (world(program, plain), Mode::Executable),
        (world(plain, program), Mode::Regular),
        (world(link("a"), link("b")), Mode::Link),
        (world(link("#!/bin/sh\n"), plain), Mode::Link),
    ] {
        let planned = world.promote().unwrap();
        let (plan, contents) = &planned.plans[0];
        let [edit] = plan.edits.as_slice() else { panic!("{:?}", plan.edits) };
        assert_eq!(edit.mode, Some(mode));
        assert_eq!(plan.moves.len(), 1);
        let (before, after) = (world.tree.kind(&edit.path), contents.over(&world.tree));
        let executable = mode != Mode::Link && after.executable(&edit.path).unwrap();
        assert_eq!(executable, mode == Mode::Executable);
        if mode == Mode::Link && before.unwrap() == after.kind(&edit.path).unwrap() {
            assert_eq!(after.link(&edit.path).unwrap(), "a");
        }
        // Two edits that differ in the mode alone are two changes.
        let other = Edit { mode: None, ..edit.clone() };
        assert_ne!(change_digest(std::slice::from_ref(edit)), change_digest(&[other]));
    }
}

#[test]
fn a_mode_that_moves_meanwhile_makes_a_plan_untrue() {
    for (now, later) in [
        (program as fn(&mut Memory, TreePath), plain as fn(&mut Memory, TreePath)),
        (plain, program),
    ] {
        let mut world = world(now, |tree, file| tree.insert(file, *b"old"));
        let plan = world.promote().unwrap().plans.remove(0).0;
        let digest = plan.plan_digest();
        let holds = |world: &World| {
            plan.reads.iter().all(|read| match read.from {
                ReadFrom::Source => read.holds_in(&world.tree).unwrap(),
                _ => true,
            })
        };
        assert!(holds(&world));
        later(&mut world.tree, path("dev/web/run"));
        assert!(!holds(&world));
        assert_ne!(world.promote().unwrap().plans.remove(0).0.plan_digest(), digest);
    }
}
