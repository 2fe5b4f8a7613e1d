//! The gates of an environment: as written, and as they are meant.

use std::borrow::Cow;
use std::fmt;

use gitops_core::gate::{Approvals, Window};
use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IgnoredAny, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::problem::Place;

/// The words of gates that `rollback: {exempt: […]}` and `--override` know.
pub(crate) const WORDS: [&str; 6] = ["merged", "soak", "window", "hold", "status", "approvals"];

/// One entry of `gates:`; just one of the keys is there.
#[derive(Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    #[serde(default)]
    pub(crate) merged: Option<String>,
    #[serde(default)]
    pub(crate) soak: Option<Text>,
    #[serde(default)]
    pub(crate) window: Option<WindowForm>,
    #[serde(default)]
    pub(crate) status: Option<Contexts>,
    #[serde(default)]
    pub(crate) approvals: Option<ApprovalsForm>,
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Value>")]
    pub(crate) converged: Option<IgnoredAny>,
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Value>")]
    pub(crate) canary: Option<IgnoredAny>,
}

/// A text; a number is taken as it reads, so that a missing unit can be told.
#[derive(Debug)]
pub(crate) struct Text(pub(crate) String);

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Length".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number"]})
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time such as `30m`")
            }
            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// `window: {tz, allow, exclude}`.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct WindowForm {
    #[serde(default)]
    pub(crate) tz: Option<String>,
    #[serde(default)]
    pub(crate) allow: Option<Vec<OpeningForm>>,
    #[serde(default)]
    pub(crate) exclude: Option<Vec<OpeningForm>>,
}

/// `{cron: "0 9 * * 1-4", for: 7h, why: …}`.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpeningForm {
    pub(crate) cron: String,
    #[serde(rename = "for")]
    pub(crate) length: Text,
    #[serde(default)]
    pub(crate) why: Option<String>,
}

/// `[e2e, lint]` or `e2e`.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(untagged, expecting = "expected a list of status contexts")]
pub(crate) enum Contexts {
    One(String),
    List(Vec<String>),
}

/// `2`, or `{min: 2, team: platform}`.
#[derive(JsonSchema, Debug)]
#[schemars(untagged)]
pub(crate) enum ApprovalsForm {
    Number(u32),
    Form(ApprovalsBy),
}

// Derived, a list would be taken for the fields of the long form.
impl<'de> Deserialize<'de> for ApprovalsForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ApprovalsForm, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = ApprovalsForm;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or `min` with `team` or `codeowners`")
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<ApprovalsForm, E> {
                let wrong = |_| E::invalid_value(Unexpected::Signed(number), &self);
                u32::try_from(number).map(ApprovalsForm::Number).map_err(wrong)
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<ApprovalsForm, E> {
                let wrong = |_| E::invalid_value(Unexpected::Unsigned(number), &self);
                u32::try_from(number).map(ApprovalsForm::Number).map_err(wrong)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ApprovalsForm, A::Error> {
                let form = ApprovalsBy::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ApprovalsForm::Form(form))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// The long form of `approvals`.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApprovalsBy {
    #[serde(default)]
    pub(crate) min: Option<u32>,
    #[serde(default)]
    pub(crate) team: Option<String>,
    #[serde(default)]
    pub(crate) codeowners: bool,
}

/// `rollback: {exempt: [soak, window]}`.
#[derive(Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollback {
    #[serde(default)]
    pub(crate) exempt: Vec<String>,
}

/// A gate that the file names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gate {
    /// Its word.
    pub(crate) kind: &'static str,
    /// Where it stands in the file.
    pub(crate) place: Place,
    /// What it asks.
    pub(crate) rule: Rule,
}

/// What a gate asks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    /// This environment holds what moves.
    Merged(String),
    /// The environment before has held it for so long.
    Soak(SignedDuration),
    /// It is time.
    Window(Window),
    /// These statuses succeeded.
    Status(Vec<String>),
    /// Others approved.
    Approvals(Approvals),
    /// Something that this version does not evaluate.
    Later,
}

/// What a promotion asks for that a rollback never does: it brings back what
/// stood there before. A hold stops promotions, and every rollback leaves one.
const NEVER_FOR_ROLLBACKS: [&str; 5] = ["merged", "soak", "converged", "canary", "hold"];

/// Whether a gate is left out for a rollback of an environment that exempts
/// `exempt`.
pub(crate) fn exempt_from(gate: &str, exempt: &[String]) -> bool {
    NEVER_FOR_ROLLBACKS.contains(&gate) || exempt.iter().any(|word| word == gate)
}
