//! Random kustomizations: layers of them over one another, with objects that
//! their fields, patches and references find.

use std::collections::BTreeMap;

use crate::dice::Dice;
use crate::kinds::{KINDS, Kind};
use crate::peer::Case;
use crate::template::{Words, without_repeated_keys};
use crate::values;

/// An object as a layer sees it.
#[derive(Clone)]
pub struct Known {
    pub kind: &'static Kind,
    /// What it was and is called, the present name last.
    pub names: Vec<String>,
    /// Likewise; empty where it has none.
    pub namespaces: Vec<String>,
}

impl Known {
    pub fn name(&self) -> &str {
        self.names.last().unwrap()
    }

    pub fn namespace(&self) -> &str {
        self.namespaces.last().unwrap()
    }

    fn is(&self, kind: &Kind, name: &str, namespace: &str) -> bool {
        self.kind.group() == kind.group()
            && self.kind.kind == kind.kind
            && self.name() == name
            && (kind.cluster || self.namespace() == namespace)
    }
}

/// What a layer shows to the one above it.
#[derive(Clone)]
pub struct Layer {
    pub path: String,
    pub known: Vec<Known>,
}

/// A case in the making.
pub struct Maker {
    pub dice: Dice,
    pub files: BTreeMap<String, Vec<u8>>,
    /// The objects that the layer being made sees.
    pub known: Vec<Known>,
    /// The folder of the layer being made.
    pub path: String,
    /// The fields of its kustomization so far, each a block of lines.
    pub fields: Vec<String>,
    /// How many things have a name of their own so far.
    pub count: usize,
    /// Names of vars that hold in this tree.
    pub variables: Vec<String>,
    pub mistakes: usize,
}

const NAMES: &[&str] = &["web", "db", "api", "app", "cache", "web-v2", "my.app", "a", "x-web"];
const FOLDERS: &[&str] =
    &["base", "app", "overlays/prod", "overlays/dev", "lib/common", "k8s", "x/y/z", "sub dir"];
const FILES: &[&str] =
    &["a.yaml", "b.yml", "deploy.yaml", "res/c.yaml", "all.yaml", "service.yaml"];

/// Makes the case of a seed and a number.
pub fn make(seed: u64, number: u64) -> Case {
    let mut maker = Maker {
        dice: Dice::new(seed, number),
        files: BTreeMap::new(),
        known: Vec::new(),
        path: String::new(),
        fields: Vec::new(),
        count: 0,
        variables: Vec::new(),
        mistakes: 0,
    };
    let depth = *maker.dice.pick(&[0, 0, 1, 1, 1, 2, 2, 3]);
    let top = maker.layer("top", depth, None);
    if maker.dice.chance(6) {
        crate::damage::damage(&mut maker);
    }
    Case { files: maker.files, dir: top.path }
}

impl Words for Maker {
    fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    fn word(&mut self, word: &str) -> Option<String> {
        if let Some(kind) = word.strip_prefix("ref:") {
            return Some(self.name_of(kind));
        }
        match word {
            "namespace" => return Some(self.some_namespace()),
            "sa" => {
                let of_account = self.name_of("ServiceAccount");
                return Some(if self.dice.chance(40) { "default".to_owned() } else { of_account });
            }
            _ => {}
        }
        let alternatives = values::alternatives(word)?;
        let chosen = *self.dice.pick(alternatives);
        Some(self.fill(chosen))
    }
}

impl Maker {
    /// A name that an object of this kind has, or a random one.
    fn name_of(&mut self, kind: &str) -> String {
        let names: Vec<String> = self
            .known
            .iter()
            .filter(|known| known.kind.kind == kind)
            .map(|known| known.names[0].clone())
            .chain(self.known.iter().filter(|k| k.kind.kind == kind).map(|k| k.name().to_owned()))
            .collect();
        if names.is_empty() || self.dice.chance(15) {
            return (*self.dice.pick(NAMES)).to_owned();
        }
        self.dice.pick(&names).clone()
    }

    pub fn some_namespace(&mut self) -> String {
        let used: Vec<String> = self
            .known
            .iter()
            .map(|known| known.namespace().to_owned())
            .filter(|namespace| !namespace.is_empty())
            .collect();
        if !used.is_empty() && self.dice.chance(50) {
            return self.dice.pick(&used).clone();
        }
        (*self.dice.pick(&["prod", "dev", "default", "kube-system", "x"])).to_owned()
    }

    /// A number that no other thing has.
    pub fn number(&mut self) -> usize {
        self.count += 1;
        self.count
    }

    /// Whether a mistake is made here that kustomize may refuse.
    pub fn mistake(&mut self) -> bool {
        let made = self.mistakes < 2 && self.dice.roll(1000) < 2;
        self.mistakes += usize::from(made);
        made
    }

    /// Writes a file below the layer's folder.
    pub fn write(&mut self, name: &str, text: &str) {
        let text = self.styled(text);
        self.files.insert(format!("{}/{name}", self.path), text);
    }

    /// Line ends, a mark of byte order, comments: what does not change a text.
    fn styled(&mut self, text: &str) -> Vec<u8> {
        let mut text = text.to_owned();
        if self.dice.chance(4) {
            text = text.replace('\n', "\r\n");
        }
        if self.dice.chance(3) {
            text.insert(0, '\u{feff}');
        }
        match self.dice.roll(40) {
            // Not before a mark of byte order: go-yaml takes one that is not at the
            // very start for a letter, and writes all after it as escapes; we fail.
            0 if !text.starts_with('\u{feff}') => text.insert_str(0, "# a comment first\n\n"),
            1 => text.push_str("# a comment last"),
            2 => text.truncate(text.trim_end_matches('\n').len()),
            3 => text.push_str("\n\n"),
            _ => {}
        }
        text.into_bytes()
    }

    /// Makes a layer over others; `affix` keeps its names apart from those of
    /// another over the same base.
    fn layer(&mut self, role: &str, depth: usize, over: Option<(&Layer, usize)>) -> Layer {
        let outer = (
            std::mem::take(&mut self.known),
            std::mem::take(&mut self.fields),
            std::mem::take(&mut self.path),
        );
        let folder = *self.dice.pick(FOLDERS);
        self.path = format!("{}{}", folder, self.number());
        if role == "component" {
            self.known = outer.0.clone();
        }
        let mut resources = Vec::new();
        if let Some((base, _)) = over {
            resources.push(relative(&self.path, &base.path));
            self.known.extend(base.known.iter().cloned());
        } else if depth > 0 {
            self.children(depth, &mut resources);
        }
        let plans = match (role, depth) {
            ("component", _) => self.dice.roll(2),
            (_, 0) => 1 + self.dice.roll(5),
            _ => self.dice.roll(3),
        };
        self.objects(if over.is_some() { 0 } else { plans }, &mut resources);
        if self.mistake() {
            resources.push((*self.dice.pick(&["missing.yaml", "../nowhere", "."])).to_owned());
        }
        if self.dice.chance(20) {
            self.dice.shuffle(&mut resources);
        }
        if !resources.is_empty() {
            let field = if self.dice.chance(4) { "bases" } else { "resources" };
            let only_folders = resources.iter().all(|r| !r.ends_with("ml"));
            let field = if only_folders { field } else { "resources" };
            self.fields.push(list(field, &resources));
        }
        let components =
            if role != "component" && self.dice.chance(12) { 1 + self.dice.roll(2) } else { 0 };
        self.generators();
        let mut names = Vec::new();
        for _ in 0..components {
            let component = self.layer("component", 0, None);
            names.push(relative(&self.path, &component.path));
            self.known = component.known;
        }
        if !names.is_empty() {
            self.fields.push(list("components", &names));
        }
        self.transformations(over.map(|(_, affix)| affix));
        self.finish(role == "component");
        let made =
            Layer { path: std::mem::take(&mut self.path), known: std::mem::take(&mut self.known) };
        (self.known, self.fields, self.path) = outer;
        made
    }

    /// What a layer stands on.
    fn children(&mut self, depth: usize, resources: &mut Vec<String>) {
        let mut made = Vec::new();
        if self.dice.chance(15) {
            let base = self.layer("base", depth - 1, None);
            for affix in 1..=2 {
                made.push(self.layer("side", 0, Some((&base, affix))));
            }
        } else {
            made.push(self.layer("base", depth - 1, None));
            if self.dice.chance(25) {
                let other = self.layer("base", 0, None);
                let clash = other.known.iter().any(|new| {
                    made[0].known.iter().any(|old| old.is(new.kind, new.name(), new.namespace()))
                });
                if !clash || self.mistake() {
                    made.push(other);
                }
            }
        }
        for child in made {
            let mut path = relative(&self.path, &child.path);
            if self.dice.chance(5) {
                path = format!("./{path}/");
            }
            resources.push(path);
            self.known.extend(child.known);
        }
    }

    /// Writes objects into files, and names the files as resources.
    fn objects(&mut self, count: usize, resources: &mut Vec<String>) {
        let first = self.known.len();
        for _ in 0..count {
            let kind = self.kind();
            let name = (*self.dice.pick(NAMES)).to_owned();
            let name = if kind.kind == "CustomResourceDefinition" {
                format!("widgets{}.example.com", self.number())
            } else {
                name
            };
            let namespace = match self.dice.roll(10) {
                _ if kind.cluster => "",
                0..=5 => "",
                6 => "prod",
                7 => "dev",
                8 => "default",
                _ => "kube-system",
            };
            let clash = self.known.iter().any(|known| known.is(kind, &name, namespace));
            if clash && !self.mistake() {
                continue;
            }
            self.known.push(Known {
                kind,
                names: vec![name],
                namespaces: vec![namespace.to_owned()],
            });
        }
        let mut files: Vec<(String, Vec<String>)> = Vec::new();
        for at in first..self.known.len() {
            let text = self.manifest(at);
            if files.is_empty() || self.dice.chance(50) {
                let name = *self.dice.pick(FILES);
                match files.iter_mut().find(|(file, _)| file == name) {
                    Some((_, texts)) => texts.push(text),
                    None => files.push((name.to_owned(), vec![text])),
                }
            } else {
                files.last_mut().unwrap().1.push(text);
            }
        }
        for (name, texts) in files {
            let text = self.file_of(texts);
            self.write(&name, &text);
            resources.push(name);
        }
    }

    /// Several documents, or a `List` of them.
    fn file_of(&mut self, texts: Vec<String>) -> String {
        if self.dice.chance(6) {
            let kind = *self.dice.pick(&["List", "List", "ConfigMapList", "DeploymentList"]);
            let mut out = format!("apiVersion: v1\nkind: {kind}\nitems:\n");
            if texts.iter().any(|text| text.starts_with('{')) {
                return texts.join("---\n");
            }
            for text in texts {
                for (number, line) in text.lines().enumerate() {
                    out.push_str(if number == 0 {
                        "- "
                    } else if line.is_empty() {
                        ""
                    } else {
                        "  "
                    });
                    out.push_str(line);
                    out.push('\n');
                }
            }
            return out;
        }
        let mut out = String::new();
        if self.dice.chance(15) {
            out.push_str("---\n");
        }
        let between = *self.dice.pick(&[
            "---\n",
            "---\n",
            "---\n",
            "---\n# empty\n---\n",
            "--- # x\n",
            "...\n---\n",
        ]);
        out.push_str(&texts.join(between));
        if self.dice.chance(5) {
            out.push_str("---\n");
        }
        out
    }

    /// Mostly without the keys that a mapping has already.
    pub fn once(&mut self, text: &str) -> String {
        if self.dice.roll(1000) < 2 { text.to_owned() } else { without_repeated_keys(text) }
    }

    fn kind(&mut self) -> &'static Kind {
        let total: usize = KINDS.iter().map(|kind| kind.weight).sum();
        let mut at = self.dice.roll(total);
        for kind in KINDS {
            if at < kind.weight {
                return kind;
            }
            at -= kind.weight;
        }
        unreachable!("the weights add up")
    }

    fn manifest(&mut self, at: usize) -> String {
        let known = self.known[at].clone();
        let mut parts = vec![
            format!("apiVersion: {}\n", known.kind.api_version),
            format!("kind: {}\n", known.kind.kind),
        ];
        let mut metadata = String::from("metadata:\n");
        let generate = known.kind.kind == "Job" && self.dice.chance(10);
        metadata.push_str(&format!(
            "  {}: {}\n",
            if generate { "generateName" } else { "name" },
            known.name()
        ));
        if !known.namespace().is_empty() {
            metadata.push_str(&format!("  namespace: {}\n", known.namespace()));
        }
        let typed = self.dice.chance(2);
        metadata.push_str(&self.fill(if typed {
            "  ?labels:\n    x: {any}\n  ?annotations:\n    x: {any}"
        } else {
            "  ?labels:\n    {labels}\n  ?annotations:\n    {annotations}\n  ??finalizers: [a, b]\n  ??creationTimestamp: null"
        }));
        if self.dice.chance(2) {
            metadata.push_str(&self.fill("  x: {any}"));
        }
        parts.push(metadata);
        parts.push(self.fill(known.kind.body));
        if self.dice.chance(15) {
            self.dice.shuffle(&mut parts);
        }
        let text = self.once(&parts.concat());
        if self.dice.chance(3) { as_json(&text).unwrap_or(text) } else { text }
    }

    /// Puts the fields together to a kustomization file.
    fn finish(&mut self, component: bool) {
        let mut fields = std::mem::take(&mut self.fields);
        if component {
            fields.push("kind: Component\n".to_owned());
            fields.push("apiVersion: kustomize.config.k8s.io/v1alpha1\n".to_owned());
        } else if self.dice.chance(70) {
            fields.push("apiVersion: kustomize.config.k8s.io/v1beta1\n".to_owned());
            fields.push("kind: Kustomization\n".to_owned());
        }
        if self.dice.chance(5) {
            fields.push("metadata:\n  name: x\n".to_owned());
        }
        if self.mistake() {
            fields.push(
                (*self.dice.pick(&[
                    "unknownField: 1\n",
                    "namePrefix: 1\n",
                    "resources: x\n",
                    "images: {}\n",
                ]))
                .to_owned(),
            );
        }
        self.dice.shuffle(&mut fields);
        if self.dice.chance(3) && !fields.is_empty() {
            let at = self.dice.roll(fields.len());
            let other = self.dice.roll(2);
            if let Some((name, rest)) = fields[at].clone().split_once(':') {
                let name = match other {
                    0 => name.to_lowercase(),
                    _ => name[..1].to_uppercase() + &name[1..],
                };
                fields[at] = format!("{name}:{rest}");
            }
        }
        let name = match self.dice.roll(20) {
            0 => "kustomization.yml",
            1 => "Kustomization",
            _ => "kustomization.yaml",
        };
        let text = self.once(&fields.concat());
        self.write(name, &text);
    }
}

/// The same as JSON, where it can be read.
pub fn as_json(text: &str) -> Option<String> {
    let documents = gitops_yaml::read(gitops_yaml::FileId::NONE, text.as_bytes()).ok()?;
    let json = documents.first()?.root.as_ref()?.to_json().ok()?;
    let escaped = |c: char| match c {
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
            format!("\\u{:04x}", u32::from(c))
        }
        _ => c.to_string(),
    };
    Some(json.to_string().chars().map(escaped).collect::<String>() + "\n")
}

/// A field with a list of strings.
pub fn list(field: &str, items: &[String]) -> String {
    let mut text = format!("{field}:\n");
    for item in items {
        text.push_str(&format!("- {item}\n"));
    }
    text
}

/// The way from one folder to another.
pub fn relative(from: &str, to: &str) -> String {
    let from: Vec<&str> = from.split('/').collect();
    let to: Vec<&str> = to.split('/').collect();
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = vec![".."; from.len() - same];
    up.into_iter().chain(to[same..].iter().copied()).collect::<Vec<_>>().join("/")
}
