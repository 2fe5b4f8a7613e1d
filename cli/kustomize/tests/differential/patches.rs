//! Patches of every kind, for objects that are there.

use crate::layers::{Known, Maker, as_json};
use crate::template::Words;

const POD_PATCH: &str = "?metadata:\n  ?labels:\n    {labels-patch}\n  ?annotations:\n    {labels-patch}\nspec:\n  ??$setElementOrder/containers:\n    - name: {sidecar|app}\n    - name: {app|web}\n  ?containers:\n    - name: {container}\n      {container-patch}\n    ??- name: {container}\n      {container-patch}\n    ??- $patch: {delete|replace|merge}\n      ?name: sidecar\n  ??initContainers:\n    - name: init\n      {container-patch}\n  ??volumes:\n    - name: {config|data|new}\n      ?$patch: delete\n      ?emptyDir: {}\n      ??configMap: null\n      ??$retainKeys: [name, emptyDir]\n  ??tolerations:\n    - key: {a|c}\n  ??nodeSelector: {nothing}\n  ??nodeSelector:\n    $patch: {replace|delete|merge}\n    x: a\n  ??imagePullSecrets:\n    - name: {a|web}\n  ??serviceAccountName: {web|null}\n  ??affinity: null\n  ??hostAliases:\n    - ip: 1.2.3.4\n      ?hostnames: [c]\n    ?- ip: 5.6.7.8\n  ??topologySpreadConstraints:\n    - maxSkew: 2\n      topologyKey: {zone|host}\n      ?whenUnsatisfiable: DoNotSchedule";

impl Maker {
    /// `patches` and the two older fields.
    pub fn patches(&mut self) {
        if self.known.is_empty() {
            return;
        }
        if self.dice.chance(35) {
            let mut text = String::from("patches:\n");
            for _ in 0..=self.dice.roll(3) {
                let entry = self.patch_entry();
                text.push_str(&entry);
            }
            self.fields.push(text);
        }
        if self.dice.chance(8) {
            let known = self.dice.pick(&self.known).clone();
            let patch = self.merge_patch(&known, true);
            let mut text = String::from("patchesStrategicMerge:\n");
            if self.dice.chance(50) {
                text.push_str("- |-\n");
                text.push_str(&indented(&patch, 2));
            } else {
                let name = format!("psm{}.yaml", self.number());
                self.write(&name, &patch);
                text.push_str(&format!("- {name}\n"));
            }
            self.fields.push(text);
        }
        if self.dice.chance(6) {
            let known = self.dice.pick(&self.known).clone();
            let mut text = String::from("patchesJson6902:\n");
            let target = self.exact_target(&known);
            text.push_str(&format!("- target:\n{}", indented(&target, 4)));
            let patch = self.json_patch(&known, false);
            self.patch_source(&patch, &mut text);
            self.fields.push(text);
        }
    }

    fn patch_source(&mut self, patch: &str, text: &mut String) {
        if self.dice.chance(60) {
            text.push_str(if self.dice.chance(80) { "  patch: |-\n" } else { "  patch: |\n" });
            text.push_str(&indented(patch, 4));
        } else {
            let extension = *self.dice.pick(&["yaml", "json", "yml"]);
            let name = format!("patch{}.{extension}", self.number());
            self.write(&name, patch);
            text.push_str(&format!("  path: {name}\n"));
        }
    }

    fn patch_entry(&mut self) -> String {
        let known = self.dice.pick(&self.known).clone();
        let mut text = String::from("- ");
        let json = self.dice.chance(45);
        let targeted = json || self.dice.chance(35);
        let mut body = String::new();
        let wide = self.dice.chance(50);
        if targeted {
            let target = if wide { self.wide_target(&known) } else { self.exact_target(&known) };
            body.push_str("  target:\n");
            body.push_str(&indented(&target, 4));
        }
        let patch = if json {
            self.json_patch(&known, wide)
        } else {
            let named = !targeted || self.dice.chance(60);
            let mut patch = self.merge_patch(&known, named);
            if self.dice.chance(if targeted { 1 } else { 10 }) {
                let other = self.dice.pick(&self.known).clone();
                let more = self.merge_patch(&other, true);
                patch = format!("{patch}---\n{more}");
            }
            patch
        };
        self.patch_source(&patch, &mut body);
        if self.dice.chance(10) {
            body.push_str(
                &self.fill("  options:\n    {allowNameChange|allowKindChange}: {true|false}"),
            );
        }
        text.push_str(body.trim_start());
        text
    }

    fn old_name(&mut self, known: &Known) -> String {
        if self.dice.chance(50) { known.names[0].clone() } else { known.name().to_owned() }
    }

    fn exact_target(&mut self, known: &Known) -> String {
        let (group, version) =
            known.kind.api_version.split_once('/').unwrap_or(("", known.kind.api_version));
        let name = self.old_name(known);
        let mut target = format!("kind: {}\nname: {name}\n", known.kind.kind);
        if self.dice.chance(50) {
            target.push_str(&format!("version: {version}\n"));
            if !group.is_empty() {
                target.push_str(&format!("group: {group}\n"));
            }
        }
        if !known.namespace().is_empty() && self.dice.chance(50) {
            target.push_str(&format!("namespace: {}\n", known.namespace()));
        }
        target
    }

    fn wide_target(&mut self, known: &Known) -> String {
        let kind = known.kind.kind;
        let some = self.fill(&format!("??kind: {kind}\n??name: {{name-pattern}}\n??kind: {{kind-pattern}}\n??group: {{apps|batch|a.*}}\n??version: {{v1|v1.*}}\n??namespace: {{prod|dev|.*|default}}\n??labelSelector: {{target-labels}}\n??annotationSelector: {{target-annotations}}"));
        let mut seen = Vec::new();
        let mut target = String::new();
        for line in some.lines() {
            let field = line.split(':').next().unwrap_or_default();
            if !seen.contains(&field) {
                seen.push(field);
                target.push_str(line);
                target.push('\n');
            }
        }
        if target.is_empty() { format!("kind: {kind}\n") } else { target }
    }

    fn json_patch(&mut self, known: &Known, wide: bool) -> String {
        let mut operations = Vec::new();
        for _ in 0..=self.dice.roll(3) {
            let template = known.kind.template();
            let operation = match (self.dice.roll(24), template) {
                _ if wide && !self.dice.chance(1) => self.line("{json-any}"),
                (0..=7, Some(at)) => self.line("{json-template}").replace("AT", at),
                (8..=11, Some("spec/template")) => self.line("{json-spec}"),
                (12, _) => format!("op: test\npath: /kind\nvalue: {}", known.kind.kind),
                (13, _) if known.kind.kind == "ConfigMap" => self.line("{json-data}"),
                (16, _) if self.dice.chance(25) => self.line("{json-risky}"),
                _ => self.line("{json-any}"),
            };
            operations.push(operation);
        }
        if self.dice.chance(25) {
            return format!(
                "[{}]\n",
                operations
                    .iter()
                    .filter_map(|operation| Some(as_json(operation)?.trim().to_owned()))
                    .collect::<Vec<_>>()
                    .join(", ")
            );
        }
        operations
            .iter()
            .map(|operation| format!("- {}\n", operation.trim_end().replace('\n', "\n  ")))
            .collect()
    }

    /// A strategic merge patch; without a head of its own where the target
    /// says what it is for.
    pub fn merge_patch(&mut self, known: &Known, own_name: bool) -> String {
        let name = if own_name { self.old_name(known) } else { "ignored".to_owned() };
        let mut text = format!(
            "apiVersion: {}\nkind: {}\nmetadata:\n  name: {name}\n",
            known.kind.api_version, known.kind.kind
        );
        let namespace = if known.names[0] == name {
            &known.namespaces[0]
        } else {
            known.namespaces.last().unwrap()
        };
        if !namespace.is_empty() {
            text.push_str(&format!("  namespace: {namespace}\n"));
        }
        text.push_str(&self.fill("  ??labels:\n    {labels-patch}\n  ??annotations:\n    {labels-patch}\n  ??$deleteFromPrimitiveList/finalizers: [a]\n  ??finalizers: [c]\n  ??$setElementOrder/finalizers: [b, c, a]"));
        if self.dice.chance(4) {
            text.push_str(&self.line("$patch: {delete|delete|replace|merge}\n"));
            if self.dice.chance(70) {
                return text;
            }
        }
        let body = match (known.kind.kind, known.kind.template()) {
            ("CronJob", _) => format!("spec:\n  ?schedule: x\n  ?jobTemplate:\n    spec:\n      template:\n{}", indented(POD_PATCH, 8)),
            (_, Some(_)) => format!("spec:\n  ?replicas: {{small}}\n  ??strategy:\n    $retainKeys: [type]\n    type: Recreate\n  ??selector:\n    matchLabels:\n      {{labels-patch}}\n  template:\n{}", indented(POD_PATCH, 4)),
            ("Pod", _) => POD_PATCH.split_once("spec:\n").map_or(String::new(), |(_, rest)| format!("spec:\n{rest}")),
            ("ConfigMap" | "Secret", _) => "?data:\n  {labels-patch}\n??stringData:\n  {strings}\n??data: {nothing}\n??data:\n  $patch: replace\n  n: x\n??binaryData:\n  bin: null\n??immutable: true\n??type: {x|null}".to_owned(),
            ("Service", _) => "spec:\n  ?ports:\n    - port: {80|443|9090}\n      ?name: {http|x}\n      ?$patch: delete\n      ?targetPort: {port}\n  ?selector:\n    {labels-patch}\n  ??type: null\n  ??$patch: replace".to_owned(),
            ("ServiceAccount", _) => "?secrets:\n  - name: {a|web}\n    ?$patch: delete\n?imagePullSecrets:\n  - name: {a|b}".to_owned(),
            ("Ingress", _) => "spec:\n  ?rules:\n    - host: {b|c}.example.com\n  ?tls: null\n  ??ingressClassName: x\n  ??defaultBackend:\n    {tree}".to_owned(),
            (kind, _) if kind.ends_with("WebhookConfiguration") => "webhooks:\n  - name: {a|b}.example.com\n    ?$patch: delete\n    ?failurePolicy: Ignore\n    ?clientConfig:\n      caBundle: null".to_owned(),
            (kind, _) if kind.ends_with("Binding") => "subjects:\n  - kind: ServiceAccount\n    name: {new|default}\n    ?namespace: x".to_owned(),
            (kind, _) if kind.ends_with("Role") => "rules:\n  - apiGroups: [a]\n    verbs: [{a|b}]".to_owned(),
            ("Widget" | "Gadget" | "Cluster", _) => "?spec:\n  {tree-patch}\n?items:\n  *- name: {one}\n    value: {any}\n??image: null\n??configRef:\n  $patch: {delete|replace}\n  ?name: x\n??status: null".to_owned(),
            _ => "?spec:\n  {tree-patch}".to_owned(),
        };
        text.push_str(&self.fill(&body));
        self.once(&text)
    }
}

/// The lines, moved to the right.
pub fn indented(text: &str, by: usize) -> String {
    let spaces = " ".repeat(by);
    text.lines()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{spaces}{line}\n") })
        .collect()
}
