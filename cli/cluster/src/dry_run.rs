//! What the server would make of a write, stored nowhere.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Method;
use serde_json::Value;

use crate::connect::Cluster;
use crate::discovery::Target;
use crate::error::{ApplyError, Refusal};
use crate::read::{text, unexpected};
use crate::wire::DryRun;

/// What the server does with fields it does not know or that stand twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validation {
    /// Drops them and says so in a warning.
    #[default]
    Warn,
    /// Refuses the object.
    Strict,
    /// Drops them in silence.
    Ignore,
}

/// How a write is made.
#[derive(Clone, Copy, Debug)]
pub struct ApplyOptions<'a> {
    /// The field manager it is made as.
    pub field_manager: &'a str,
    /// Whether an apply takes fields from other managers.
    pub force: bool,
    /// What happens to unknown fields.
    pub validation: Validation,
}

/// The kind of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch {
    /// RFC 7386.
    Merge,
    /// Kubernetes' own, with the merge keys of the built-in types.
    Strategic,
    /// RFC 6902.
    Json,
}

/// A write.
#[derive(Clone, Copy)]
pub enum Write<'a> {
    /// Server-side apply.
    Apply(&'a Value),
    /// Create; refused where the object is there.
    Create(&'a Value),
    /// Replace the whole object.
    Replace(&'a Value),
    /// Change a part of it.
    Patch(Patch, &'a Value),
}

/// What the object would be after the write. It has no `Debug`: it may be a
/// Secret.
#[derive(Clone)]
pub struct Predicted {
    /// The whole object.
    pub json: Value,
    /// The server's warnings.
    pub warnings: Vec<String>,
    /// The state of the live object this was computed on; empty where there is
    /// none and the write would create it.
    pub resource_version: String,
}

impl Cluster {
    /// What a server-side apply of `body` would leave.
    pub async fn apply_dry_run(
        &self,
        target: &Target,
        body: &Value,
        options: ApplyOptions<'_>,
    ) -> Result<Predicted, ApplyError> {
        self.dry_run(target, Write::Apply(body), options).await
    }

    /// What a write would leave. `force` is of no concern to writes other than
    /// an apply.
    ///
    /// Errors about a Secret never repeat a value of it: the server's text is
    /// withheld where it does.
    pub async fn dry_run(
        &self,
        target: &Target,
        write: Write<'_>,
        options: ApplyOptions<'_>,
    ) -> Result<Predicted, ApplyError> {
        self.promises_dry_runs(&target.resource).await?;
        let (method, content_type, body) = match write {
            Write::Apply(body) => (Method::PATCH, "application/apply-patch+yaml", body),
            Write::Create(body) => (Method::POST, "application/json", body),
            Write::Replace(body) => (Method::PUT, "application/json", body),
            Write::Patch(Patch::Merge, body) => {
                (Method::PATCH, "application/merge-patch+json", body)
            }
            Write::Patch(Patch::Strategic, body) => {
                (Method::PATCH, "application/strategic-merge-patch+json", body)
            }
            Write::Patch(Patch::Json, body) => (Method::PATCH, "application/json-patch+json", body),
        };
        let path = match write {
            Write::Create(_) => target.resource.path(target.namespace.as_deref(), None),
            _ => target.path(),
        };
        let validation = match options.validation {
            Validation::Warn => "Warn",
            Validation::Strict => "Strict",
            Validation::Ignore => "Ignore",
        };
        let mut query =
            vec![("fieldManager", options.field_manager), ("fieldValidation", validation)];
        if matches!(write, Write::Apply(_)) && options.force {
            query.push(("force", "true"));
        }
        let what = format!("{method} {path} (dry run)");
        let request = DryRun {
            method,
            path,
            query,
            content_type,
            body: serde_json::to_vec(body).expect("a JSON value can always be written"),
        };
        match self.wire().dry_run(request).await?.success() {
            Ok(answer) => {
                let json: Value = serde_json::from_slice(&answer.body)
                    .map_err(|error| unexpected(what, &error))?;
                Ok(Predicted {
                    resource_version: text(&json, "/metadata/resourceVersion").to_owned(),
                    warnings: scrub_all(answer.warnings, target, body),
                    json,
                })
            }
            Err(refusal) => Err(scrub(refusal, target, body).into_apply_error(what, self.server())),
        }
    }
}

const WITHHELD: &str = "the server's text is withheld, since it quotes a value of the Secret";

fn is_secret(target: &Target) -> bool {
    target.resource.group.is_empty() && target.resource.kind == "Secret"
}

/// The server quotes values in some refusals ("expected string, got 1234").
fn scrub(mut refusal: Box<Refusal>, target: &Target, body: &Value) -> Box<Refusal> {
    if is_secret(target) {
        let values = secret_values(body);
        for message in std::iter::once(&mut refusal.message)
            .chain(refusal.causes.iter_mut().map(|cause| &mut cause.message))
        {
            if quotes(message, &values) {
                WITHHELD.clone_into(message);
            }
        }
    }
    refusal
}

fn scrub_all(mut texts: Vec<String>, target: &Target, body: &Value) -> Vec<String> {
    if is_secret(target) {
        let values = secret_values(body);
        for text in texts.iter_mut().filter(|text| quotes(text, &values)) {
            WITHHELD.clone_into(text);
        }
    }
    texts
}

fn quotes(text: &str, values: &[String]) -> bool {
    values.iter().any(|value| text.contains(value))
}

/// Every scalar under `data` and `stringData`, in each form in which a server
/// or a webhook may print it: as written, quoted, encoded, decoded.
fn secret_values(body: &Value) -> Vec<String> {
    fn collect(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::String(text) => {
                into.push(text.clone());
                into.push(BASE64.encode(text));
                let decoded = BASE64.decode(text).ok();
                into.extend(decoded.and_then(|bytes| String::from_utf8(bytes).ok()));
            }
            Value::Number(_) | Value::Bool(_) => into.push(value.to_string()),
            Value::Null => {}
            Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
            Value::Object(fields) => fields.values().for_each(|field| collect(field, into)),
        }
    }
    let mut values = Vec::new();
    for field in ["data", "stringData"] {
        if let Some(value) = body.get(field) {
            collect(value, &mut values);
        }
    }
    let quoted: Vec<String> = values
        .iter()
        .map(|value| Value::from(value.as_str()).to_string().trim_matches('"').to_owned())
        .collect();
    values.extend(quoted);
    values.retain(|value| !value.is_empty());
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_in_every_form() {
        let body = serde_json::json!({
            "data": {"a": "aHVudGVyMg==", "n": 8675309, "e": ""},
            "stringData": {"b": "two\nlines"},
        });
        let values = secret_values(&body);
        let quoted = |text: &str| quotes(text, &values);
        assert!(quoted("data[a]: Invalid value: \"aHVudGVyMg==\""));
        assert!(quoted("the password hunter2 is too weak"));
        assert!(quoted("expected string, got 8675309"));
        assert!(quoted("got \"two\\nlines\""));
        assert!(quoted("illegal: dHdvCmxpbmVz"));
        assert!(!quoted("data[a]: illegal base64 data at input byte 4"));
    }
}
