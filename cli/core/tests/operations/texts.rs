//! `regex:`.

use super::*;

fn regex(file: &str, pattern: &str, count: usize) -> Mover {
    Mover::Regex(RegexRule::new(template(file), pattern, count).unwrap())
}

#[test]
fn the_group_of_each_match_is_set() {
    for (file, pattern, count, old, new) in [
        (
            "main.tf",
            r#"source = "x\?ref=(.*)""#,
            1,
            "module \"a\" {\n  source = \"x?ref=v1\"\n}\n",
            "v2",
        ),
        ("run.sh", r"^VERSION=(\S+)$", 1, "#!/bin/sh\r\nVERSION=v1\r\necho v1\r\n", "v2"),
        (
            "Dockerfile",
            r"{app}:(\w+)",
            2,
            "FROM web:v1\nCOPY --from=web:v1 / /\nRUN api:v1\n",
            "v2",
        ),
        ("a.yaml", r"image: .*:(\w+)", 1, "image: \"r.io:5000/web:v1\" # v1\n", "v2"),
    ] {
        let expected = match file {
            "run.sh" => old.replacen("v1", new, 1),
            "Dockerfile" => old.replacen("v1", new, 2),
            "a.yaml" => old.replacen("v1", new, 1),
            _ => old.replace("v1", new),
        };
        let world =
            World::new(vec![regex(file, pattern, count)], &[(file, &expected)], &[(file, old)]);
        assert_eq!(world.promoted(file), expected, "{file}");
    }
}

#[test]
fn the_number_of_matches_is_exact() {
    let two = "v=1\nv=1\n";
    let refused = |count: usize, dev: &str| {
        World::new(vec![regex("f", r"^v=(\d)$", count)], &[("f", dev)], &[("f", dev)]).refused()
    };
    assert!(
        refused(1, two).ends_with("`^v=(\\d)$` matches 2 times (in line 1, 2), and `count` is 1"),
        "{}",
        refused(1, two)
    );
    assert!(refused(3, two).ends_with("`count` is 3"));
    assert!(refused(1, "x\n").ends_with("matches 0 times, and `count` is 1"));
    assert!(
        refused(2, "v=1\nv=2\n")
            .ends_with("its matches hold different values, `1` and `2` in line 2")
    );
    let missing = World::new(vec![regex("f", "(x)", 1)], &[("README.md", "")], &[("f", "x")]);
    assert_eq!(missing.refused(), "web is in uat and not in dev");
}

#[test]
fn a_yaml_file_keeps_its_other_values() {
    // What the match reaches is a part of the file's structure, not of a value.
    let world = World::new(
        vec![regex("f.yaml", r"^(\w+): 1", 1)],
        &[("f.yaml", "b: 1\n")],
        &[("f.yaml", "a: 1\n")],
    );
    assert!(world.refused().contains("would change as well"), "{}", world.refused());
    // A value that would become a number.
    let world = World::new(
        vec![regex("f.yaml", r"^v: (.+)", 1)],
        &[("f.yaml", "v: 12\n")],
        &[("f.yaml", "v: x\n")],
    );
    assert!(world.refused().contains("cannot be set"), "{}", world.refused());
}

#[test]
fn an_expression_has_one_group() {
    for (pattern, reason) in [
        ("x", "it has no group; put the value into `(…)`"),
        ("(a)(b)", "it has 2 groups, and the value is one; write `(?:…)` for the others"),
    ] {
        assert_eq!(RegexRule::new(template("f"), pattern, 1).unwrap_err(), reason);
    }
    assert!(RegexRule::new(template("f"), "(", 1).unwrap_err().contains("unclosed group"));
}
