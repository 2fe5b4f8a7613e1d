//! `apps:`: what moves, app by app.

use gitops_core::judge::Moved;
use gitops_core::plan::{AppRule, FieldPattern, ImageRule, Mover, Pattern, Rules, Template};

use super::super::file::{self, File, ImageField};
use super::super::keys::suggest;
use super::Below::{self, Item, Key};
use super::Checker;

impl Checker<'_> {
    pub(super) fn rules(&mut self, file: &File) -> Rules {
        let mut rules = Vec::new();
        for (index, app) in file.apps.iter().enumerate() {
            let at = [Key("apps"), Item(index)];
            let matches = match Pattern::new(&app.matches) {
                Ok(pattern) => pattern,
                Err(reason) => {
                    let message =
                        format!("`{}` is not a glob: {reason}", app.matches.escape_debug());
                    self.problem(&[at[0], at[1], Key("match")], message, None);
                    continue;
                }
            };
            let movers = self.movers(app, &matches, at, file);
            let mut never = Vec::new();
            for (item, text) in app.never.iter().enumerate() {
                match FieldPattern::new(text) {
                    Ok(pattern) => never.push(pattern),
                    Err(reason) => {
                        let message = format!("`{}`: {reason}", text.escape_debug());
                        self.problem(&[at[0], at[1], Key("never"), Item(item)], message, None);
                    }
                }
            }
            let only = app.only.as_ref().map(|only| only.environments.clone());
            for (item, name) in only.iter().flatten().enumerate() {
                if !file.environments.iter().any(|other| other.name == *name) {
                    let message = format!("no environment `{}`", name.escape_debug());
                    let hint = suggest(name, file.environments.iter().map(|e| e.name.as_str()));
                    let at = [at[0], at[1], Key("only"), Key("environments"), Item(item)];
                    self.problem(&at, message, Some(hint));
                }
            }
            rules.push(AppRule { matches, movers, never, environments: only });
        }
        if file.apps.is_empty() {
            // Without `apps:`, every image's tag moves.
            let name = Template::parse_with("{app}", &["app"]).expect("`{app}` is a template");
            rules.push(AppRule {
                matches: Pattern::new("*").expect("`*` is a glob"),
                movers: vec![Mover::Image(ImageRule { name, fields: vec![Moved::ImageTag] })],
                never: Vec::new(),
                environments: None,
            });
        }
        Rules(rules)
    }

    fn movers(
        &mut self,
        app: &file::App,
        matches: &Pattern,
        at: [Below<'_>; 2],
        file: &File,
    ) -> Vec<Mover> {
        let default = [file::Promote {
            image: file::Image { name: "{app}".to_owned(), fields: vec![ImageField::NewTag] },
        }];
        let mut movers = Vec::new();
        for (item, promote) in app.promote.as_deref().unwrap_or(&default).iter().enumerate() {
            let image = &promote.image;
            let below = |key| [at[0], at[1], Key("promote"), Item(item), Key("image"), Key(key)];
            let Some(name) = self.template(&image.name, &["app"], &below("name")) else { continue };
            let tells = file.environments.iter().all(|e| e.path.contains("{app}"));
            if !name.uses("app") && matches.literal().is_none() && !tells {
                let message = format!(
                    "image `{}` belongs to no one app: neither it nor `match` names one",
                    image.name.escape_debug()
                );
                let hint = "put `{app}` into the name, or match one app by its name".to_owned();
                self.problem(&below("name"), message, Some(hint));
            }
            if image.fields.is_empty() {
                self.problem(&below("fields"), "no field moves", None);
            }
            let fields = image.fields.iter().map(|field| match field {
                ImageField::NewTag => Moved::ImageTag,
                ImageField::Digest => Moved::ImageDigest,
                ImageField::NewName => Moved::ImageName,
            });
            movers.push(Mover::Image(ImageRule { name, fields: fields.collect() }));
        }
        movers
    }
}
