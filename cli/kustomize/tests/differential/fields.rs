//! The fields of a kustomization.

use crate::kinds::{KINDS, Kind};
use crate::layers::{Known, Maker, list};
use crate::template::Words;

const CONFIG_MAP: usize = 0;
const SECRET: usize = 1;

impl Maker {
    /// `configMapGenerator`, `secretGenerator` and `generatorOptions`.
    pub fn generators(&mut self) {
        for (field, kind, percent) in [
            ("configMapGenerator", &KINDS[CONFIG_MAP], 25),
            ("secretGenerator", &KINDS[SECRET], 15),
        ] {
            if !self.dice.chance(percent) {
                continue;
            }
            let mut text = format!("{field}:\n");
            for _ in 0..=self.dice.roll(2) {
                text.push_str(&self.generator(kind, ""));
            }
            self.fields.push(text);
        }
        if self.dice.chance(12) {
            let text = self.fill(
                "generatorOptions:\n  ?labels:\n    {labels-plain}\n  ?annotations:\n    {strings-plain}\n  ?disableNameSuffixHash: {true|false}\n  ??immutable: true",
            );
            if text.lines().count() > 1 {
                self.fields.push(text);
            }
        }
    }

    /// An entry of a generator.
    pub fn generator(&mut self, kind: &'static Kind, at: &str) -> String {
        let old: Vec<Known> = self
            .known
            .iter()
            .filter(|known| known.kind.kind == kind.kind && known.kind.api_version == "v1")
            .cloned()
            .collect();
        let change = !old.is_empty() && self.dice.chance(40);
        let mut text;
        if change {
            let known = self.dice.pick(&old).clone();
            text = format!("- name: {}\n", known.names[0]);
            if !known.namespace().is_empty() {
                text.push_str(&format!("  namespace: {}\n", known.namespaces[0]));
            }
            text.push_str(&self.line("  behavior: {merge|merge|replace}\n"));
        } else {
            let name =
                format!("{}-{}", self.dice.pick(&["gen", "conf", "my.gen", "cfg"]), self.number());
            let namespace = if self.dice.chance(10) { "prod" } else { "" };
            text = format!("- name: {name}\n");
            if !namespace.is_empty() {
                text.push_str(&format!("  namespace: {namespace}\n"));
            }
            if self.dice.chance(10) {
                text.push_str("  behavior: create\n");
            }
            self.known.push(Known {
                kind,
                names: vec![name],
                namespaces: vec![namespace.to_owned()],
            });
        }
        let mut literals = self.fill(
            "  ?literals:\n    - {literal-a}\n    ?- {literal-b}\n    ?- {literal-c}\n    ??- {literal-d}",
        );
        if literals.lines().count() < 2 {
            literals.clear();
        }
        text.push_str(&literals);
        if self.dice.chance(30) {
            let name =
                format!("{}{}", self.number(), self.dice.pick(&[".txt", ".bin", "-x", ".conf"]));
            let name = format!("{}f{name}", self.dice.pick(&["", "files/"]));
            let bytes = self.data();
            self.files.insert(format!("{}/{name}", self.path), bytes);
            let key = *self.dice.pick(&["", "", "key=", "file.txt=", "x_y="]);
            text.push_str(&format!("  files:\n  - {key}{name}\n"));
        }
        if self.dice.chance(20) {
            let name = format!("e{}.env", self.number());
            let bytes = self.environment();
            self.files.insert(format!("{}/{name}", self.path), bytes);
            if self.dice.chance(20) {
                text.push_str(&format!("  env: {name}\n"));
            } else {
                text.push_str(&format!("  envs: [{name}]\n"));
            }
        }
        if kind.kind == "Secret" && self.dice.chance(30) {
            text.push_str(&self.line("  type: {Opaque|kubernetes.io/tls|x/y}\n"));
        }
        if self.dice.chance(20) {
            let options = self.fill("  options:\n    ?labels:\n      {labels-plain}\n    ?annotations:\n      {strings-plain}\n    ?disableNameSuffixHash: {true|false}\n    ??immutable: {true|false}");
            if options.lines().count() > 1 {
                text.push_str(&options);
            }
        }
        text.lines().map(|line| format!("{at}{line}\n")).collect()
    }

    fn data(&mut self) -> Vec<u8> {
        match self.dice.roll(9) {
            0 => vec![0, 159, 146, 150, 255],
            1 => Vec::new(),
            2 => b"a\xff\n".to_vec(),
            3 => (0..100).map(|_| self.dice.roll(256) as u8).collect(),
            4 => b"line\r\nline\r\n".to_vec(),
            5 => "\u{feff}with a mark\n".into(),
            6 => "trailing \n\tand tabs\n\n".into(),
            7 => "no line end".into(),
            _ => self.fill("{tree}").into_bytes(),
        }
    }

    fn environment(&mut self) -> Vec<u8> {
        let mut text = String::new();
        for (key, value) in [
            ("A", "1"),
            ("B", "two words"),
            ("C", "\"quoted\""),
            ("D", ""),
            ("E", "a=b"),
            ("F", "'x'"),
            ("G", " lead"),
            ("H", "é😀"),
        ] {
            if self.dice.chance(35) {
                text.push_str(&format!("{key}={value}"));
                text.push_str(self.dice.pick::<&str>(&[
                    "\n",
                    "\n",
                    "\r\n",
                    " \n",
                    "\n\n",
                    "\n# comment\n",
                    "\n   \n",
                ]));
            }
        }
        match self.dice.roll(30) {
            0 => text.insert(0, '\u{feff}'),
            1 => text.push_str("  INDENTED=1\n"),
            2 => text.push_str("NOVALUE\n"),
            3 => text.push_str("bad key=1\n"),
            4 => text.push_str("=1\n"),
            _ => {}
        }
        text.into_bytes()
    }

    /// All that changes what was read; names change in the order in which
    /// kustomize carries the fields out.
    pub fn transformations(&mut self, affix: Option<usize>) {
        self.variables();
        self.crds();
        self.configurations();
        self.patches();
        if affix == Some(2) && self.dice.chance(50) {
            self.set_namespace("side");
        } else if self.dice.chance(22) {
            let namespace = *self.dice.pick(&["prod", "dev", "stage", "default", "n1", "x-y"]);
            self.set_namespace(namespace);
        }
        match affix {
            Some(number) => self.set_affix("namePrefix", &format!("s{number}-")),
            None if self.dice.chance(18) => {
                let prefix = *self.dice.pick(&["a-", "dev-", "x", "\"1-\"", "p."]);
                self.set_affix("namePrefix", prefix);
            }
            None => {}
        }
        if self.dice.chance(12) {
            let suffix = *self.dice.pick(&["-b", "-v1", "'-1'", "x"]);
            self.set_affix("nameSuffix", suffix);
        }
        if self.dice.chance(15) {
            let text = self.fill("labels:\n*- pairs:\n    {labels-plain}\n  ?includeSelectors: {true|false}\n  ?includeTemplates: {true|false}\n  ??fields:\n    - path: {spec/labels|metadata/labels|spec/template/metadata/labels|spec/x/y}\n      create: true\n      ?kind: {Widget|Deployment|Gadget}");
            self.fields.push(text);
        }
        if self.dice.chance(10) {
            let text = self.fill("commonLabels:\n  {labels-plain}");
            self.fields.push(text);
        }
        if self.dice.chance(15) {
            let text = self.fill("commonAnnotations:\n  {strings-plain}");
            self.fields.push(text);
        }
        if self.dice.chance(15) {
            let text = self.fill("{images|images|images|imageTags}:\n*- name: {image-name}\n  ?newName: {image-new}\n  ?newTag: {image-tag}\n  ??digest: sha256:24a0c4b4a4c0eb97a1aabb8e29f18e917d05abfe1b7a7c07857230879ce7d3d3\n  ??tagSuffix: {-x|_1}");
            self.fields.push(text);
        }
        let scaled: Vec<String> = self
            .known
            .iter()
            .filter(|known| {
                ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"]
                    .contains(&known.kind.kind)
            })
            .map(|known| known.names[0].clone())
            .collect();
        if !scaled.is_empty() && self.dice.chance(18) {
            let name = self.dice.pick(&scaled).clone();
            let text = self.fill(&format!("replicas:\n- name: {name}\n  count: {{small}}"));
            self.fields.push(text);
        }
        self.replacements();
        self.plugins();
        if self.dice.chance(6) {
            let text = self.fill("sortOptions:\n  order: {fifo|legacy|legacy}");
            let text = if text.contains("legacy") && self.dice.chance(50) {
                text + &self.fill("  legacySortOptions:\n    ?orderFirst:\n      *- {Deployment|Service|Widget|ConfigMap|Namespace}\n    ?orderLast:\n      *- {Secret|Ingress|Gadget|Pod}\n    ??orderFirst: []")
            } else {
                text
            };
            self.fields.push(text);
        }
        if self.dice.chance(8) {
            let mut options = vec!["originAnnotations", "transformerAnnotations", "managedByLabel"];
            self.dice.shuffle(&mut options);
            options.truncate(1 + self.dice.roll(3));
            self.fields.push(format!("buildMetadata: [{}]\n", options.join(", ")));
        }
    }

    fn set_namespace(&mut self, namespace: &str) {
        let clash = self.known.iter().enumerate().any(|(at, one)| {
            !one.kind.cluster
                && self.known[..at]
                    .iter()
                    .any(|other| other.kind.kind == one.kind.kind && other.name() == one.name())
        });
        if clash && !self.mistake() {
            return;
        }
        self.fields.push(format!("namespace: {namespace}\n"));
        for known in &mut self.known {
            if !known.kind.cluster {
                known.namespaces.push(namespace.trim_matches('"').to_owned());
            }
        }
    }

    fn set_affix(&mut self, field: &str, affix: &str) {
        self.fields.push(format!("{field}: {affix}\n"));
        let affix = affix.trim_matches(['"', '\'']);
        for known in &mut self.known {
            if ["Namespace", "CustomResourceDefinition", "APIService"].contains(&known.kind.kind) {
                continue;
            }
            let name = known.name();
            let name = if field == "namePrefix" {
                format!("{affix}{name}")
            } else {
                format!("{name}{affix}")
            };
            known.names.push(name);
        }
    }

    /// `vars`, each with a name of its own.
    fn variables(&mut self) {
        if self.known.is_empty() || !self.dice.chance(8) {
            return;
        }
        let known = self.dice.pick(&self.known).clone();
        let name = ["VAR_A", "VAR_B", "IMAGE", "HOST"]
            .into_iter()
            .find(|name| !self.variables.iter().any(|used| used == name));
        let Some(name) = name else { return };
        self.variables.push(name.to_owned());
        let text = self.fill(&format!(
            "vars:\n- name: {name}\n  objref:\n    kind: {}\n    apiVersion: {}\n    name: {}\n  ?fieldref:\n    fieldpath: {{metadata.name|metadata.name|metadata.namespace|kind}}",
            known.kind.kind, known.kind.api_version, known.name()
        ));
        self.fields.push(text);
    }

    fn configurations(&mut self) {
        if !self.dice.chance(7) {
            return;
        }
        let text = self.fill(
            "?nameReference:\n  - kind: {ConfigMap|Secret|Service|Widget}\n    ?version: v1\n    fieldSpecs:\n      *- path: {configRef/name|spec/a|spec/list/name|spec/b/c}\n        kind: {Widget|Gadget|Cluster}\n        ??create: true\n?commonLabels:\n  - path: spec/{labels|selector}\n    create: true\n    kind: {Widget|Gadget}\n?commonAnnotations:\n  - path: spec/annotations\n    create: true\n    kind: Widget\n?images:\n  - path: {image|spec/containers/image|spec/images[]/image|items/value}\n    ?kind: {Gadget|Cluster}\n?replicas:\n  - path: replicas\n    kind: Gadget\n    ?create: true\n?namePrefix:\n  - path: {metadata/name|spec/a}\n    ?kind: {Widget|Gadget}\n?nameSuffix:\n  - path: spec/a\n    kind: Widget\n?namespace:\n  - path: {metadata/namespace|spec/namespace}\n    kind: {Widget|Gadget}\n    create: true\n?varReference:\n  - path: {spec/a|spec|metadata/annotations|data}\n    kind: {Widget|ConfigMap|Gadget}\n??templateLabels:\n  - path: spec/template/metadata/labels\n    kind: Cluster\n    create: true\n??labels:\n  - path: spec/x\n    kind: Widget\n    create: true",
        );
        let name = format!("config{}.yaml", self.number());
        self.write(&name, &text);
        self.fields.push(list("configurations", &[name]));
    }

    fn crds(&mut self) {
        if !self.dice.chance(3) {
            return;
        }
        let text = r#"{"github.com/x/Widget": {"Schema": {"description": "a", "properties": {
 "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"$ref": "k8s.io/apimachinery/pkg/apis/meta/v1.ObjectMeta"},
 "spec": {"$ref": "github.com/x/WidgetSpec"},
 "configRef": {"x-kubernetes-object-ref-api-version": "v1", "x-kubernetes-object-ref-kind": "ConfigMap", "$ref": "github.com/x/Ref"}}},
 "Dependencies": ["github.com/x/WidgetSpec"]},
"github.com/x/WidgetSpec": {"Schema": {"properties": {"a": {"type": "string", "x-kubernetes-label-selector": ""},
 "b": {"$ref": "github.com/x/Ref", "x-kubernetes-object-ref-kind": "Secret", "x-kubernetes-object-ref-name-key": "c"}}}},
"github.com/x/Ref": {"Schema": {"properties": {"name": {"type": "string"}}}}}
"#;
        let name = format!("crd{}.json", self.number());
        self.files.insert(format!("{}/{name}", self.path), text.into());
        self.fields.push(list("crds", &[name]));
    }
}
