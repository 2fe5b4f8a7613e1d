//! What `promote:` finds and edits, over trees in memory: shapes as they stand
//! in real repositories.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods
)]

mod charts;
mod copies;
mod errors;
mod images;
mod real;
mod refs;
mod rollback;
mod texts;
mod values;

use gitops_core::judge::{EnvironmentRef, Moved};
use gitops_core::plan::*;
use gitops_tree::{Memory, TreePath};

pub(crate) fn path(text: &str) -> TreePath {
    TreePath::new(text).unwrap()
}

pub(crate) fn template(text: &str) -> Template {
    Template::parse_with(text, &["app"]).unwrap()
}

pub(crate) fn yaml(file: &str, at: &str) -> YamlRule {
    YamlRule {
        file: template(file),
        path: ValuePath::new(at).unwrap(),
        kind: None,
        name: None,
        create: false,
    }
}

pub(crate) fn values(file: &str, key: &str) -> Mover {
    let file = match file {
        "HelmRelease" | "Application" => ValuesFile::Kind(file.to_owned()),
        file => ValuesFile::File(template(file)),
    };
    Mover::Values(ValuesRule { file, key: ValuePath::new(key).unwrap(), create: false })
}

pub(crate) fn chart(name: &str) -> Mover {
    Mover::Chart(ChartRule { name: template(name) })
}

pub(crate) fn reference(base: &str) -> Mover {
    Mover::Ref(RefRule { base: template(base) })
}

pub(crate) fn image(name: &str, fields: &[Moved]) -> Mover {
    Mover::Image(ImageRule { name: template(name), fields: fields.to_vec() })
}

/// Environments `dev` and `uat`, and one app `web` with a folder in each.
pub(crate) struct World {
    pub(crate) tree: Memory,
    pub(crate) rules: Rules,
    pub(crate) folder: &'static str,
}

impl World {
    /// Files of `dev/web` and `uat/web`, by their names there.
    pub(crate) fn new(movers: Vec<Mover>, dev: &[(&str, &str)], uat: &[(&str, &str)]) -> World {
        let mut tree = Memory::new();
        for (env, files) in [("dev", dev), ("uat", uat)] {
            for (name, text) in files {
                tree.insert(path(&format!("{env}/web/{name}")), text.as_bytes());
            }
        }
        let rule = AppRule {
            matches: Pattern::new("*").unwrap(),
            movers,
            never: Vec::new(),
            environments: None,
            versions: None,
        };
        World { tree, rules: Rules(vec![rule]), folder: "{env}/{app}" }
    }

    pub(crate) fn environment(&self, name: &str) -> EnvironmentRef {
        EnvironmentRef {
            name: name.to_owned(),
            path: self.folder.replace("{env}", name),
            git_ref: "main".to_owned(),
            ..EnvironmentRef::default()
        }
    }

    pub(crate) fn step<T>(&self, run: impl FnOnce(&Step<'_>) -> T) -> T {
        let text = |text| Template::parse(text).unwrap();
        let texts = Texts {
            branch: text("release/{app}/{env}"),
            commit: text("Release {app} in {env} ({version})."),
            title: text("{app}"),
            body: text("{app}"),
            labels: Vec::new(),
            reviewers: Vec::new(),
        };
        let uat = self.environment("uat");
        run(&Step {
            rules: &self.rules,
            texts: &texts,
            target: Side { environment: &uat, tree: &self.tree, revision: "ba5e" },
            base: "main",
            direct: false,
            group: false,
        })
    }

    pub(crate) fn promote(&self) -> Result<Planned, PlanError> {
        let dev = self.environment("dev");
        let from = Side { environment: &dev, tree: &self.tree, revision: "5eed" };
        let apps = ["web".to_owned()];
        let promotion = Promotion { apps: &apps, ..Promotion::default() };
        let planned = self.step(|step| promote(step, from, &promotion))?;
        match planned.failed.into_iter().next() {
            Some(failed) => Err(failed.reason),
            None => Ok(Planned { failed: Vec::new(), ..planned }),
        }
    }

    pub(crate) fn release(&self, version: &str) -> Result<Planned, PlanError> {
        self.step(|step| release(step, "web", version))
    }

    pub(crate) fn apps(&self, env: &str) -> Vec<App> {
        discover_apps(&self.tree, &self.environment(env), &self.rules).unwrap()
    }

    /// The file of `uat/web` after the promotion.
    pub(crate) fn promoted(&self, file: &str) -> String {
        self.text(&self.promote().unwrap(), file)
    }

    pub(crate) fn text(&self, planned: &Planned, file: &str) -> String {
        let (_, contents) = &planned.plans[0];
        let at = path(&self.folder.replace("{env}", "uat").replace("{app}", "web"));
        let bytes = contents.get(&at.join(file).unwrap()).expect("the file changes");
        String::from_utf8(bytes.after.as_deref().unwrap().to_vec()).unwrap()
    }

    /// Why there is no promotion.
    pub(crate) fn refused(&self) -> String {
        match self.promote() {
            Ok(_) => panic!("there is a plan"),
            Err(error) => error.to_string(),
        }
    }
}

/// What moves, as `name: before → after (file:line)`.
pub(crate) fn told(planned: &Planned) -> Vec<String> {
    let moves = &planned.plans[0].0.moves;
    moves
        .iter()
        .map(|moved| {
            let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            format!(
                "{} {}: {} → {} ({})",
                moved.what.word(),
                moved.name,
                value(&moved.before),
                value(&moved.after),
                moved.source.as_ref().unwrap()
            )
        })
        .collect()
}
