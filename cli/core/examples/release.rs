//! Releases a version of an app into a kustomization and writes the file that
//! comes out, for comparisons: `release DIR APP VERSION OUT`. Prints to stderr
//! how long that took without the start of the process.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // reads the disk
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::time::Instant;

use gitops_core::judge::EnvironmentRef;
use gitops_core::plan::{
    AppRule, ImageRule, Mover, Pattern, Rules, Side, Step, Template, Texts, release,
};
use gitops_tree::{Memory, TreePath};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, app, version, out] = arguments.as_slice() else {
        panic!("release DIR APP VERSION OUT")
    };
    let begin = Instant::now();
    let file = TreePath::new("k/kustomization.yaml").unwrap();
    let mut tree = Memory::new();
    tree.insert(file.clone(), std::fs::read(format!("{folder}/kustomization.yaml")).unwrap());
    let template = |text: &str| Template::parse_with(text, &["app", "env", "version"]).unwrap();
    let rules = Rules(vec![AppRule {
        matches: Pattern::new("*").unwrap(),
        movers: vec![Mover::Image(ImageRule {
            name: Template::parse_with("{app}", &["app"]).unwrap(),
            fields: vec![gitops_core::judge::Moved::ImageTag],
        })],
        never: Vec::new(),
        environments: None,
        versions: None,
    }]);
    let texts = Texts {
        branch: template("release/{app}/{env}"),
        commit: template("Release {app} in {env} ({version})."),
        title: template("Release {app}"),
        body: template("{version}"),
        labels: Vec::new(),
        reviewers: Vec::new(),
    };
    let environment =
        EnvironmentRef { name: "dev".into(), path: "k".into(), ..EnvironmentRef::default() };
    let step = Step {
        rules: &rules,
        texts: &texts,
        target: Side { environment: &environment, tree: &tree, revision: "" },
        base: "main",
        direct: false,
        group: false,
    };
    let planned = release(&step, app, version).unwrap();
    let (_, contents) = &planned.plans[0];
    let bytes = contents.get(&file).unwrap().after.clone().unwrap();
    std::fs::write(out, bytes).unwrap();
    eprintln!("{:.3} ms", begin.elapsed().as_secs_f64() * 1000.0);
}
