//! `apps:`: what moves, app by app.

use gitops_core::judge::Moved;
use gitops_core::plan::CopyRule;
use gitops_core::plan::{
    AppRule, ChartRule, FieldPattern, ImageRule, Mover, Pattern, RefRule, RegexRule, Rules,
    Template, ValuePath, ValuesFile, ValuesRule, YamlRule,
};

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
            let versions = app.versions.as_ref().and_then(|v| self.versions(v, at, file));
            rules.push(AppRule { matches, movers, never, environments: only, versions });
        }
        if file.apps.is_empty() {
            // Without `apps:`, every image's tag moves.
            let name = Template::parse_with("{app}", &["app"]).expect("`{app}` is a template");
            rules.push(AppRule {
                matches: Pattern::new("*").expect("`*` is a glob"),
                movers: vec![Mover::Image(ImageRule { name, fields: vec![Moved::ImageTag] })],
                never: Vec::new(),
                environments: None,
                versions: None,
            });
        }
        Rules(rules)
    }

    /// What `promote:` of one entry of `apps:` says; by default, that the
    /// image named like the app moves by its tag.
    fn movers(
        &mut self,
        app: &file::App,
        matches: &Pattern,
        at: [Below<'_>; 2],
        file: &File,
    ) -> Vec<Mover> {
        let image = file::Image { name: "{app}".to_owned(), fields: vec![ImageField::NewTag] };
        let default = [file::Promote { image: Some(image), ..file::Promote::default() }];
        // Where no folder tells the apps apart, and the entry matches several,
        // what it finds must name the app.
        let tells = file.environments.iter().all(|e| e.path.contains("{app}"));
        let alone = matches.literal().is_some() || tells;
        let mut movers = Vec::new();
        for (item, promote) in app.promote.as_deref().unwrap_or(&default).iter().enumerate() {
            let place = Entry { at, item, alone };
            let mut found = Vec::new();
            let mut count = 0;
            if let Some(image) = &promote.image {
                count += 1;
                found.extend(self.image(image, place));
            }
            if let Some(yaml) = &promote.yaml {
                count += 1;
                found.extend(self.yaml(yaml, place));
            }
            if let Some(values) = &promote.values {
                count += 1;
                found.extend(self.values(values, place));
            }
            if let Some(chart) = &promote.chart {
                count += 1;
                let name = self.app_template(&chart.name, place, "chart", "name");
                if let Some(name) = name {
                    self.must_name_app(place, "chart", "name", &chart.name, name.uses("app"));
                    found.push(Mover::Chart(ChartRule { name }));
                }
            }
            if let Some(copy) = &promote.copy {
                count += 1;
                let at = [at[0], at[1], Key("promote"), Item(item), Key("copy")];
                if !file.environments.iter().all(|e| e.path.contains("{app}")) {
                    let message = "`copy` takes an app's own folder, and a path of an environment has no `{app}`";
                    let hint = "write `path: FOLDER/{app}` for every environment".to_owned();
                    self.problem(&at, message, Some(hint));
                }
                let fences = app.never.iter().filter_map(|text| FieldPattern::new(text).ok());
                match CopyRule::new(&copy.from, &copy.exclude, fences.collect()) {
                    Ok(rule) => found.push(Mover::Copy(rule)),
                    Err(reason) => self.problem(&at, reason, None),
                }
            }
            if let Some(reference) = &promote.reference {
                count += 1;
                let base = self.app_template(&reference.base, place, "ref", "base");
                if let Some(base) = base {
                    self.must_name_app(place, "ref", "base", &reference.base, base.uses("app"));
                    found.push(Mover::Ref(RefRule { base }));
                }
            }
            if let Some(regex) = &promote.regex {
                count += 1;
                found.extend(self.regex(regex, place));
            }
            if count != 1 {
                let message = if count == 0 {
                    "an entry of `promote` says what moves, and this one says nothing"
                } else {
                    "an entry of `promote` says one thing that moves, and this one says several"
                };
                let hint =
                    "give each an entry of its own: `- image: {…}`, `- chart: {…}`".to_owned();
                self.problem(&place.path(), message, Some(hint));
            }
            movers.extend(found);
        }
        movers
    }

    fn image(&mut self, image: &file::Image, place: Entry<'_>) -> Option<Mover> {
        let name = self.app_template(&image.name, place, "image", "name")?;
        self.must_name_app(place, "image", "name", &image.name, name.uses("app"));
        if image.fields.is_empty() {
            self.problem(&place.below("image", "fields"), "no field moves", None);
        }
        let fields = image.fields.iter().map(|field| match field {
            ImageField::NewTag => Moved::ImageTag,
            ImageField::Digest => Moved::ImageDigest,
            ImageField::NewName => Moved::ImageName,
        });
        Some(Mover::Image(ImageRule { name, fields: fields.collect() }))
    }

    fn yaml(&mut self, yaml: &file::Yaml, place: Entry<'_>) -> Option<Mover> {
        let file = self.file(&yaml.file, place, "yaml");
        let path = self.value_path(&yaml.path, place, "yaml", "path");
        let name = yaml.name.as_ref().map(|name| self.app_template(name, place, "yaml", "name"));
        let (file, path) = (file?, path?);
        let name = match name {
            Some(name) => Some(name?),
            None => None,
        };
        let names = file.uses("app")
            || path.uses_app()
            || name.as_ref().is_some_and(|name| name.uses("app"));
        self.must_name_app(place, "yaml", "path", &yaml.path, names);
        let kind = yaml.kind.clone();
        Some(Mover::Yaml(YamlRule { file, path, kind, name, create: yaml.create }))
    }

    fn values(&mut self, values: &file::HelmValues, place: Entry<'_>) -> Option<Mover> {
        let kind = INLINE.contains(&values.file.as_str());
        let file = if kind {
            Some(ValuesFile::Kind(values.file.clone()))
        } else {
            self.file(&values.file, place, "values").map(ValuesFile::File)
        };
        let key = self.value_path(&values.key, place, "values", "key");
        let (file, key) = (file?, key?);
        let names = key.uses_app() || matches!(&file, ValuesFile::File(file) if file.uses("app"));
        self.must_name_app(place, "values", "key", &values.key, names);
        Some(Mover::Values(ValuesRule { file, key, create: values.create }))
    }

    fn regex(&mut self, regex: &file::Regex, place: Entry<'_>) -> Option<Mover> {
        let file = self.file(&regex.file, place, "regex")?;
        let names = file.uses("app") || regex.matches.contains("{app}");
        self.must_name_app(place, "regex", "file", &regex.file, names);
        if regex.count == 0 {
            self.problem(&place.below("regex", "count"), "it must match at least once", None);
        }
        match RegexRule::new(file, &regex.matches, regex.count) {
            Ok(rule) => Some(Mover::Regex(rule)),
            Err(reason) => {
                let message = format!("`{}`: {reason}", regex.matches.escape_debug());
                self.problem(&place.below("regex", "match"), message, None);
                None
            }
        }
    }

    /// A file of an app's folder.
    fn file(&mut self, file: &str, place: Entry<'_>, kind: &'static str) -> Option<Template> {
        let at = place.below(kind, "file");
        let path = self.path(file, &at)?;
        if path.is_root() {
            self.problem(&at, "no file is named", None);
            return None;
        }
        self.template(path.as_str(), &["app"], &at)
    }

    fn value_path(
        &mut self,
        path: &str,
        place: Entry<'_>,
        kind: &'static str,
        key: &'static str,
    ) -> Option<ValuePath> {
        match ValuePath::new(path) {
            Ok(path) => Some(path),
            Err(reason) => {
                let message = format!("`{}`: {reason}", path.escape_debug());
                let hint = "write it as `spec.containers[name=web].image`, keys with dots quoted";
                self.problem(&place.below(kind, key), message, Some(hint.to_owned()));
                None
            }
        }
    }

    fn app_template(
        &mut self,
        text: &str,
        place: Entry<'_>,
        kind: &'static str,
        key: &'static str,
    ) -> Option<Template> {
        self.template(text, &["app"], &place.below(kind, key))
    }

    /// Refuses what would belong to any app.
    fn must_name_app(
        &mut self,
        place: Entry<'_>,
        kind: &'static str,
        key: &'static str,
        text: &str,
        names: bool,
    ) {
        if names || place.alone {
            return;
        }
        let message = format!(
            "{kind} `{}` belongs to no one app: neither it nor `match` names one",
            text.escape_debug()
        );
        let hint = match kind {
            "image" | "chart" => "put `{app}` into the name, or match one app by its name",
            _ => "put `{app}` into it, or match one app by its name",
        };
        self.problem(&place.below(kind, key), message, Some(hint.to_owned()));
    }
}

/// The kinds of objects that hold Helm values inline.
const INLINE: [&str; 3] = ["HelmRelease", "Application", "ApplicationSet"];

/// An entry of `promote:`.
#[derive(Clone, Copy)]
struct Entry<'a> {
    at: [Below<'a>; 2],
    item: usize,
    /// Whether everything that is found belongs to one app.
    alone: bool,
}

impl<'a> Entry<'a> {
    fn path(self) -> [Below<'a>; 4] {
        [self.at[0], self.at[1], Key("promote"), Item(self.item)]
    }

    fn below(self, kind: &'a str, key: &'a str) -> [Below<'a>; 6] {
        let [a, b, c, d] = self.path();
        [a, b, c, d, Key(kind), Key(key)]
    }
}
