//! Places that are not there, or not safe to edit.

use super::*;

fn refused(dev: &str, uat: &str) -> String {
    World::new(vec![Mover::Yaml(yaml("f.yaml", "a.v"))], &[("f.yaml", dev)], &[("f.yaml", uat)])
        .refused()
}

#[test]
fn what_cannot_be_proved_safe_is_refused() {
    let dev = "a: {v: new}\n";
    for (uat, reason) in [
        ("x: &x old\na: {v: *x}\n", "an alias stands there; write the value itself"),
        ("a:\n  v: &x old\nb: *x\n", "`b` would change as well"),
        ("x: &x {v: old}\na:\n  <<: *x\n", "`a.v` comes from line 1, by a merge key"),
        ("x: &x {v: old}\na: *x\n", "`a` is an alias of another place"),
        ("a: {v: !!int 3}\n", "cannot be set"),
        ("a: {v: !Ref x}\n", "cannot be set"),
    ] {
        let refused = refused(dev, uat);
        assert!(refused.contains(reason), "{uat:?}: {refused}");
    }
    // An anchor that nothing else uses stays.
    let world = World::new(
        vec![Mover::Yaml(yaml("f.yaml", "a.v"))],
        &[("f.yaml", dev)],
        &[("f.yaml", "a: {v: &x old}\n")],
    );
    assert_eq!(world.promoted("f.yaml"), "a: {v: &x new}\n");
}

#[test]
fn what_is_not_there_says_so() {
    let good = "a: {v: new}\n";
    for (dev, uat, reason) in [
        (
            "b: 1\n",
            good,
            "app `web` has no `a.v` in environment `dev`: dev/web/f.yaml:1: there is no key `a` in the document; it has `b`",
        ),
        (
            good,
            "b: 1\n",
            "app `web` has no `a.v` in environment `uat`: uat/web/f.yaml:1: there is no key `a` in the document; it has `b`",
        ),
        (
            good,
            "a: x\n",
            "app `web` has no `a.v` in environment `uat`: uat/web/f.yaml:1: `a` is a single value, so it has no key `v`",
        ),
        (
            "a: {v: {w: 1}}\n",
            good,
            "dev/web/f.yaml:1: `a.v` is a mapping, and only single values move",
        ),
        (good, "a: {v: [1]}\n", "uat/web/f.yaml:1: `a.v` is a list, and only single values move"),
        (
            "a: {v: }\n",
            good,
            "app `web` has no `a.v` in environment `dev`: dev/web/f.yaml:1: there is no value",
        ),
        (good, "a: {v: 1\n", "uat/web/f.yaml: line 2"),
        (good, "a: {v: 1}\na: {v: 2}\n", "uat/web/f.yaml: line 2"),
    ] {
        let refused = refused(dev, uat);
        assert!(refused.contains(reason), "{dev:?} {uat:?}: {refused}");
    }
    // The file of the target.
    let world = World::new(
        vec![Mover::Yaml(yaml("f.yaml", "a.v"))],
        &[("f.yaml", good)],
        &[("kustomization.yaml", "")],
    );
    assert_eq!(
        world.refused(),
        "app `web` has no `a.v` in environment `uat`: uat/web/f.yaml: there is no such file"
    );
    // JSON that is none.
    let world = World::new(
        vec![Mover::Yaml(yaml("f.json", "a"))],
        &[("f.json", "{\"a\": 1,}")],
        &[("f.json", "{\"a\": 1}")],
    );
    assert_eq!(world.refused(), "dev/web/f.json: not JSON: trailing comma at line 1 column 9");
    // A list without the item, and with two of it.
    for (file, reason) in [
        ("l: [{name: api, v: 1}]\n", "no item of `l` has `name: web`; there are `api`"),
        (
            "l: [{name: web, v: 1}, {name: web, v: 2}]\n",
            "two items of `l` have `name: web`, in lines 1 and 1",
        ),
    ] {
        let world = World::new(
            vec![Mover::Yaml(yaml("f.yaml", "l[name={app}].v"))],
            &[("f.yaml", file)],
            &[("f.yaml", file)],
        );
        assert!(world.refused().contains(reason), "{}", world.refused());
    }
}

#[test]
fn several_values_leave_no_one_version() {
    let file = "a: 1.0.0\nb: 2.0.0\n";
    let movers = vec![Mover::Yaml(yaml("f.yaml", "a")), Mover::Yaml(yaml("f.yaml", "b"))];
    let world = World::new(movers, &[("f.yaml", file)], &[("f.yaml", file)]);
    let refused = match world.release("3.0.0") {
        Ok(_) => panic!("there is a plan"),
        Err(error) => error.to_string(),
    };
    assert_eq!(
        refused,
        "the version of app `web` could be any of a (uat/web/f.yaml:1), b (uat/web/f.yaml:2)"
    );
}

#[test]
fn fenced_values_stay() {
    let mut world = World::new(
        vec![Mover::Yaml(yaml("f.yaml", "a.replicas")), Mover::Yaml(yaml("f.yaml", "a.v"))],
        &[("f.yaml", "a: {v: v2, replicas: 1}\n")],
        &[("f.yaml", "a: {v: v1, replicas: 3}\n")],
    );
    world.rules.0[0].never.push(FieldPattern::new("**.replicas").unwrap());
    assert_eq!(world.promoted("f.yaml"), "a: {v: v2, replicas: 3}\n");
}
