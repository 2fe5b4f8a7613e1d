//! The front page cannot lie: its sessions are run, on the example it speaks
//! of, with a real API server, and must print what it shows.

use std::fs;

use crate::stage::{Stage, lines_that_differ, project};
use crate::{Field, server};

/// The commands of the page's `console` blocks with what they print.
fn sessions(page: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            found.push((command.to_owned(), String::new()));
        } else if let Some((_, output)) = found.last_mut().filter(|_| inside) {
            output.push_str(line);
            output.push('\n');
        }
    }
    found
}

/// The example, published, applied to the cluster, and drifted.
fn shop() -> Option<Field> {
    let server = server()?;
    let mut stage = Stage::new();
    stage.set("KUBECONFIG", server.kubeconfig().display().to_string());
    stage.lay(&project().join("examples/shop"));
    let wasm = gitops_policy_build::build(
        std::path::Path::new(&std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
        &project(),
        "no-floating-tag",
    )
    .unwrap()
    .join("no-floating-tag.wasm");
    fs::copy(wasm, stage.repo().join("policies/no-floating-tag/no-floating-tag.wasm")).unwrap();
    let said = stage.shell("kubectl gitops policy lock");
    assert_eq!(said.status, 0, "{}", said.stderr);
    stage.commit_and_publish();
    let field = Field { server, namespace: "shop-dev".to_owned(), stage };
    let overlay = field.stage.repo().join("overlays/dev");
    field.kubectl(&["create", "namespace", "shop-dev"]);
    field.kubectl(&["apply", "--server-side", "-k", &overlay.display().to_string()]);
    let image = "web=registry.example/shop/web:hotfix";
    field.kubectl(&["-n", "shop-dev", "set", "image", "deployment/web", image]);
    let password = r#"{"stringData":{"password":"changed by hand"}}"#;
    field.kubectl(&["-n", "shop-dev", "patch", "secret", "database", "-p", password]);
    Some(field)
}

/// The page with other outputs.
fn with_outputs(page: &str, outputs: &[String]) -> String {
    let mut text = String::new();
    let mut outputs = outputs.iter();
    let (mut inside, mut skipping) = (false, false);
    for line in page.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
            skipping = false;
        }
        let command = inside && line.starts_with("$ ");
        if command || !skipping {
            text.push_str(line);
            text.push('\n');
        }
        if command {
            text.push_str(outputs.next().map_or("", String::as_str));
            skipping = true;
        }
    }
    text
}

#[test]
fn the_readme_shows_what_is_printed() {
    let file = project().join("README.md");
    let page = fs::read_to_string(&file).unwrap();
    let sessions = sessions(&page);
    assert!(sessions.len() >= 4, "the page has sessions");
    let Some(field) = shop() else { return };
    let outputs: Vec<String> = sessions
        .iter()
        .map(|(command, _)| {
            let said = field.stage.shell(command);
            said.stdout + &said.stderr
        })
        .collect();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, with_outputs(&page, &outputs)).unwrap();
        return;
    }
    for ((command, expected), printed) in sessions.iter().zip(&outputs) {
        let (expected, printed) = (field.stage.normal(expected), field.stage.normal(printed));
        assert!(printed == expected, "$ {command}\n{}", lines_that_differ(&expected, &printed));
    }
}
