//! Files named under `crds`: what the types of custom resources say about
//! names, labels and annotations in their fields.
//!
//! Rules from kustomize v5.8, api/internal/accumulator/loadconfigfromcrds.go.
//! The files map type names to OpenAPI definitions, as gen-openapi writes
//! them; they are not CustomResourceDefinitions.

use gitops_yaml::{Node, Text, Value};

use crate::decode::Decode;
use crate::defaults::{Config, NameReference};
use crate::error::BuildError;
use crate::fieldspec::FieldSpec;
use crate::id::Gvk;

/// Reads what a file adds to the configuration.
pub(crate) fn read(decode: Decode<'_>, root: &Node) -> Result<Config, BuildError> {
    if !root.is_mapping() {
        return Err(decode.wrong(root, "crds", "a mapping of type names to definitions"));
    }
    for (_, definition) in root.entries() {
        check_definition(decode, definition)?;
    }
    let mut types = Types { decode, root, open: Vec::new(), config: Config::default() };
    for (key, _) in root.entries() {
        let name = key.text().unwrap_or_default();
        let is_object = ["kind", "apiVersion", "metadata"]
            .iter()
            .all(|field| types.properties(name).is_some_and(|own| own.get(field).is_some()));
        if is_object {
            let kind = name.rsplit('.').next().unwrap_or(name);
            types.read(&Gvk { kind: kind.into(), ..Gvk::default() }, key, name, "")?;
        }
    }
    Ok(types.config)
}

/// Holds a definition against the Go types that kustomize reads it into.
fn check_definition(decode: Decode<'_>, definition: &Node) -> Result<(), BuildError> {
    if definition.is_null() {
        return Ok(());
    }
    if !definition.is_mapping() {
        return Err(decode.wrong(definition, "crds", "a mapping of type names to definitions"));
    }
    for (key, value) in definition.entries() {
        match key.text().unwrap_or_default().to_ascii_lowercase().as_str() {
            "schema" => check_schema(decode, value)?,
            "dependencies" if !value.is_null() => {
                decode.strings(value, "Dependencies")?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_schema(decode: Decode<'_>, schema: &Node) -> Result<(), BuildError> {
    if schema.is_null() {
        return Ok(());
    }
    if !schema.is_mapping() {
        return Err(decode.wrong(schema, "Schema", "a mapping"));
    }
    for (key, value) in schema.entries().iter().filter(|(_, value)| !value.is_null()) {
        match key.text().unwrap_or_default() {
            name @ ("description" | "format" | "title" | "$ref" | "pattern") => {
                decode.string(value, name)?;
            }
            "type" if matches!(value.value, Value::Sequence(_)) => {
                decode.strings(value, "type")?;
            }
            "type" => {
                decode.string(value, "type")?;
            }
            "required" => {
                decode.strings(value, "required")?;
            }
            "properties" if value.is_mapping() => {
                for (_, property) in value.entries() {
                    check_schema(decode, property)?;
                }
            }
            "properties" => return Err(decode.wrong(value, "properties", "a mapping")),
            _ => {}
        }
    }
    Ok(())
}

struct Types<'n> {
    decode: Decode<'n>,
    root: &'n Node,
    /// The types being read, from the outermost in.
    open: Vec<&'n str>,
    config: Config,
}

impl<'n> Types<'n> {
    fn properties(&self, name: &str) -> Option<&'n Node> {
        let definition = self.root.get(name)?;
        let schema = definition
            .entries()
            .iter()
            .find(|(key, _)| key.text().is_some_and(|key| key.eq_ignore_ascii_case("schema")))?;
        schema.1.get("properties")
    }

    /// Adds the fields of a type that stands at `path` of an object.
    fn read(&mut self, gvk: &Gvk, at: &Node, name: &'n str, path: &str) -> Result<(), BuildError> {
        let Some(properties) = self.properties(name) else { return Ok(()) };
        if self.open.contains(&name) {
            return Err(BuildError::Invalid {
                place: self.decode.place(at.mark),
                message: format!(
                    "the type `{name}` contains itself, which kustomize cannot read; leave the reference out"
                ),
            });
        }
        self.open.push(name);
        for (key, property) in properties.entries() {
            let field = key.text().unwrap_or_default();
            let path = if path.is_empty() { field.to_owned() } else { format!("{path}/{field}") };
            let says = |extension: &str| property.get(extension).and_then(Node::as_str);
            let spec = |path: &str| FieldSpec {
                gvk: gvk.clone(),
                path: path.to_owned().into(),
                create: false,
            };
            if says("x-kubernetes-annotation").is_some() {
                self.config.annotations.push(spec(&path));
            }
            if says("x-kubernetes-label-selector").is_some() {
                self.config.common_labels.push(spec(&path));
            }
            if says("x-kubernetes-identity").is_some() {
                self.config.name_prefix.push(spec(&path));
            }
            if let (Some(version), Some(kind)) =
                (says("x-kubernetes-object-ref-api-version"), says("x-kubernetes-object-ref-kind"))
            {
                let name = says("x-kubernetes-object-ref-name-key").unwrap_or("name");
                self.config.references.push(NameReference {
                    target: Gvk {
                        group: Text::default(),
                        version: version.into(),
                        kind: kind.into(),
                    },
                    fields: vec![spec(&format!("{path}/{name}"))],
                });
            }
            if let Some(reference) = says("$ref") {
                self.read(gvk, key, reference, &path)?;
            }
        }
        self.open.pop();
        Ok(())
    }
}
