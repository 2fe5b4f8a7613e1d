//! `replacements` and the builtin plugins.

use crate::kinds::KINDS;
use crate::layers::{Known, Maker, list};
use crate::patches::indented;
use crate::template::Words;

impl Maker {
    /// `replacements`.
    pub fn replacements(&mut self) {
        if self.known.is_empty() || !self.dice.chance(14) {
            return;
        }
        let mut text = String::from("replacements:\n");
        for _ in 0..=self.dice.roll(2) {
            let one = self.replacement();
            if self.dice.chance(25) {
                let name = format!("replace{}.yaml", self.number());
                let many = self.dice.chance(40);
                let content =
                    if many { format!("- {}", indented(&one, 2).trim_start()) } else { one };
                self.write(&name, &content);
                text.push_str(&format!("- path: {name}\n"));
            } else {
                text.push_str(&format!("- {}", indented(&one, 2).trim_start()));
            }
        }
        self.fields.push(text);
    }

    fn replacement(&mut self) -> String {
        let source = self.dice.pick(&self.known).clone();
        let mut text;
        if self.dice.chance(12) {
            // Not what looks like a number: kustomize leaves the field that it
            // makes for one without a type, and what that is then depends on
            // whether a patch passes over the object afterwards
            // (IsYaml1_1NonString in FieldSetter, kyaml/yaml/fns.go). We type it
            // at once.
            text = self.fill("sourceValue: {plain}");
        } else {
            text = format!("source:\n  kind: {}\n", source.kind.kind);
            let name = source.name().to_owned();
            text.push_str(&format!("  name: {name}\n"));
            if !source.namespace().is_empty() {
                text.push_str(&format!("  namespace: {}\n", source.namespace()));
            }
            if self.dice.chance(85) {
                let mut paths = vec!["metadata.name", "metadata.name", "kind", "apiVersion"];
                match source.kind.template() {
                    Some("spec/template") => paths.extend([
                        "spec.template.spec.containers.0.image",
                        "spec.template.spec.containers.0.name",
                        "spec.template.spec.containers.[name=app].image",
                    ]),
                    _ if !source.namespace().is_empty() => paths.push("metadata.namespace"),
                    _ => {}
                }
                text.push_str(&format!("  fieldPath: {}\n", self.dice.pick(&paths)));
            }
            if self.dice.chance(20) {
                text.push_str(
                    &self.fill("  options:\n    delimiter: {delimiter}\n    ?index: {0|0|1|-1}"),
                );
            }
        }
        text.push_str("targets:\n");
        for _ in 0..=self.dice.roll(2) {
            let target = self.dice.pick(&self.known).clone();
            let target = self.replacement_target(&target);
            text.push_str(&format!("- {}", indented(&target, 2).trim_start()));
        }
        text
    }

    fn replacement_target(&mut self, known: &Known) -> String {
        let mut text = format!("select:\n  kind: {}\n", known.kind.kind);
        if self.dice.chance(60) {
            text.push_str(&format!("  name: {}\n", known.name()));
        } else if self.dice.chance(20) {
            text.push_str("  name: .*\n");
        }
        if self.dice.chance(15) {
            let reject = self.fill("reject:\n*- {name|kind|namespace}: {web|db|dev|Service}");
            text.push_str(&reject);
        }
        let mut paths = vec![
            "metadata.annotations.new".to_owned(),
            "metadata.labels.app".to_owned(),
            "metadata.annotations.a\\.b".to_owned(),
            "spec.added.deep".to_owned(),
            "metadata.name".to_owned(),
        ];
        if let Some(at) = known.kind.template() {
            let at = at.replace('/', ".");
            for rest in [
                "0.image",
                "*.image",
                "[name=app].image",
                "[name=app].env.[name=NEW].value",
                "1.name",
                "-",
                "[image=nginx].name",
                "[name=new].image",
            ] {
                paths.push(format!("{at}.spec.containers.{rest}"));
            }
        }
        text.push_str("fieldPaths:\n");
        for _ in 0..=self.dice.roll(2) {
            let path = self.dice.pick(&paths).clone();
            text.push_str(&format!("- {path}\n"));
        }
        if self.dice.chance(95) {
            text.push_str("options:\n  create: true\n");
            if self.dice.chance(10) {
                text.push_str("  delimiter: '-'\n  index: 1\n");
            }
        } else if self.dice.chance(40) {
            text.push_str(&self.fill("options:\n  delimiter: {delimiter}\n  index: {0|1|-1|5}"));
        }
        text
    }

    /// `transformers`, `generators` and `validators`, and `openapi`.
    pub fn plugins(&mut self) {
        for (field, percent) in [("generators", 5), ("transformers", 10), ("validators", 2)] {
            if !self.dice.chance(percent) {
                continue;
            }
            let mut entries = String::new();
            for _ in 0..=self.dice.roll(2) {
                let number = self.number();
                let plugin = match field {
                    "generators" => self.generator_plugin(number),
                    "transformers" => self.transformer_plugin(number),
                    _ => format!(
                        "apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata:\n  name: v{number}\n"
                    ),
                };
                if self.dice.chance(60) {
                    entries.push_str("- |-\n");
                    entries.push_str(&indented(&plugin, 2));
                } else if self.dice.chance(30) {
                    let folder = format!("plugin{number}");
                    self.write(&format!("{folder}/p.yaml"), &plugin);
                    self.write(
                        &format!("{folder}/kustomization.yaml"),
                        &list("resources", &["p.yaml".to_owned()]),
                    );
                    entries.push_str(&format!("- {folder}\n"));
                } else {
                    let name = format!("plugin{number}.yaml");
                    self.write(&name, &plugin);
                    entries.push_str(&format!("- {name}\n"));
                }
            }
            self.fields.push(format!("{field}:\n{entries}"));
        }
        if self.dice.chance(2) {
            let text = r#"{"definitions": {"v1.Widget": {"properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"},
"metadata": {"type": "object"}, "items": {"type": "array", "x-kubernetes-patch-merge-key": "name", "x-kubernetes-patch-strategy": "merge"},
"spec": {"type": "object", "properties": {"list": {"type": "array", "items": {"type": "object"}, "x-kubernetes-patch-merge-key": "name", "x-kubernetes-patch-strategy": "merge"}}}},
"x-kubernetes-group-version-kind": [{"group": "example.com", "kind": "Widget", "version": "v1"}]}}}
"#;
            self.files.insert(format!("{}/openapi.json", self.path), text.into());
            self.fields.push("openapi:\n  path: openapi.json\n".to_owned());
        }
    }

    fn generator_plugin(&mut self, number: usize) -> String {
        if self.dice.chance(10) {
            return self.fill(&format!("apiVersion: builtin\nkind: IAMPolicyGenerator\nmetadata:\n  name: iam{number}\ncloud: gke\nkubernetesService:\n  name: k{number}\n  ?namespace: {{prod|x}}\nserviceAccount:\n  name: {{web|'1'}}\n  projectId: {{p-1|'2'}}"));
        }
        let secret = self.dice.chance(40);
        let kind = &KINDS[usize::from(secret)];
        let entry = self.generator(kind, "");
        let name =
            entry.lines().next().and_then(|line| line.strip_prefix("- name: ")).unwrap_or("x");
        let mut text = format!(
            "apiVersion: builtin\nkind: {}Generator\nmetadata:\n  name: {name}\n",
            kind.kind
        );
        for line in entry.lines().skip(1) {
            text.push_str(&line[2..]);
            text.push('\n');
        }
        text
    }

    fn transformer_plugin(&mut self, number: usize) -> String {
        let head = |kind: &str| {
            format!("apiVersion: builtin\nkind: {kind}\nmetadata:\n  name: t{number}\n")
        };
        let known =
            if self.known.is_empty() { None } else { Some(self.dice.pick(&self.known).clone()) };
        match (self.dice.roll(13), known) {
            // No key that `commonAnnotations` has: whether one that this changes in
            // `metadata` changes in the template of its object, too, is open where
            // a name has changed in between (kustomize changes both, we one).
            (0, _) => head("AnnotationsTransformer") + &self.fill("annotations:\n  {tool|by}: {quoted}\nfieldSpecs:\n- path: {metadata/annotations|spec/x}\n  create: {true|false}\n  ?kind: {Deployment|Widget}"),
            (1, _) => head("LabelTransformer") + &self.fill("labels:\n  {labels-plain}\nfieldSpecs:\n- path: metadata/labels\n  create: {true|false}\n?- path: spec/selector\n  version: v1\n  kind: Service\n?- path: spec/template/metadata/labels\n  create: true\n  kind: Deployment"),
            (2, _) => head("PrefixTransformer") + &self.fill("prefix: {q-|z}\nfieldSpecs:\n- path: {metadata/name|spec/a}\n  ?kind: {Deployment|ConfigMap|Widget}"),
            (3, _) => head("SuffixTransformer") + &self.fill("suffix: -q\nfieldSpecs:\n- path: metadata/name\n  ?kind: {Deployment|ConfigMap|Widget}"),
            (4, _) => head("NamespaceTransformer").replace("metadata:\n", "metadata:\n  namespace: zone\n") + &self.fill("?unsetOnly: {true|false}\n?setRoleBindingSubjects: {none|defaultOnly|allServiceAccounts}\n?fieldSpecs:\n  - path: metadata/namespace\n    create: true\n  ?- path: spec/namespace\n    create: true\n    kind: Widget"),
            (5, _) => head("ImageTagTransformer") + &self.fill("imageTag:\n  name: {image-name}\n  ?newTag: {image-tag}\n  ?newName: {image-new}\n?fieldSpecs:\n  - path: {spec/template/spec/containers[]/image|image|spec/containers/image}"),
            (6, _) => head("ReplicaCountTransformer") + &self.fill("replica:\n  name: {web|db}\n  count: {small}\nfieldSpecs:\n- path: spec/replicas\n  create: true\n  kind: {Deployment|StatefulSet}"),
            (7, Some(known)) => {
                let patch = self.json_patch_of(&known);
                let target = format!("kind: {}\nname: {}\n", known.kind.kind, known.name());
                head("PatchTransformer") + &format!("patch: |-\n{}target:\n{}", indented(&patch, 2), indented(&target, 2))
            }
            (8, Some(known)) => {
                let patch = self.merge_patch(&known, true);
                head("PatchTransformer") + &format!("patch: |-\n{}", indented(&patch, 2))
            }
            (9, Some(known)) => {
                let patch = self.merge_patch(&known, true);
                head("PatchStrategicMergeTransformer") + &format!("patches: |-\n{}", indented(&patch, 2))
            }
            (10, Some(known)) => {
                let (group, version) = known.kind.api_version.split_once('/').unwrap_or(("", known.kind.api_version));
                let patch = self.json_patch_of(&known);
                head("PatchJson6902Transformer") + &format!("target:\n  group: \"{group}\"\n  version: {version}\n  kind: {}\n  name: {}\njsonOp: |-\n{}", known.kind.kind, known.name(), indented(&patch, 2))
            }
            (11, Some(known)) => {
                let target = self.fill(&format!("- selector:\n    kind: {}\n  fieldPath: {{metadata/annotations/x|spec/a|metadata/namespace}}\n  ?filePathPosition: {{0|1|2}}", known.kind.kind));
                // Not `1`: as for `sourceValue`.
                head("ValueAddTransformer") + &self.fill("value: {new|x}") + "targets:\n" + &target
            }
            _ => head("HashTransformer"),
        }
    }

    fn json_patch_of(&mut self, known: &Known) -> String {
        let path = if self.dice.chance(50) { "/metadata/annotations" } else { "/metadata/labels" };
        let _ = known;
        self.fill(&format!("- op: {{add|add|replace}}\n  path: {path}\n  value: {{ p: q }}"))
    }
}
