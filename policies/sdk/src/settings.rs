//! Settings: JSON to the author's type, with a pointer where that fails.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::types::{PolicyError, SettingsProblem};

/// Something wrong with the settings: an RFC 6901 pointer and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, empty for the whole.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

impl Problem {
    /// A problem at `pointer`.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem { pointer: pointer.into(), message: message.into() }
    }
}

/// Reads the settings of a context. Empty text and `null` are read as `{}`.
pub fn parse_settings<T: DeserializeOwned>(text: &str) -> Result<T, PolicyError> {
    let value = value(text).map_err(|problem| PolicyError::InvalidSettings(problem.message))?;
    read(value).map_err(|problem| {
        PolicyError::InvalidSettings(format!("{}: {}", problem.pointer, problem.message))
    })
}

/// What reading `settings` as `T` says.
pub(crate) fn validate_as<T: DeserializeOwned>(settings: &Value) -> Vec<Problem> {
    read::<T>(settings.clone()).err().into_iter().collect()
}

/// Runs `validate` on the JSON of `text`.
pub(crate) fn validate_text(
    text: &str,
    validate: impl FnOnce(&Value) -> Vec<Problem>,
) -> Vec<SettingsProblem> {
    crate::report_panics();
    let problems = match value(text) {
        Ok(value) => validate(&value),
        Err(problem) => vec![problem],
    };
    problems
        .into_iter()
        .map(|Problem { pointer, message }| SettingsProblem { pointer, message })
        .collect()
}

fn value(text: &str) -> Result<Value, Problem> {
    let value = match text {
        "" => Value::Null,
        text => serde_json::from_str(text).map_err(|error| Problem::new("", error.to_string()))?,
    };
    Ok(if value.is_null() { Value::Object(serde_json::Map::new()) } else { value })
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = error.path().iter().map(segment).collect::<String>();
        Problem::new(pointer, error.into_inner().to_string())
    })
}

fn segment(segment: &serde_path_to_error::Segment) -> String {
    use serde_path_to_error::Segment;
    match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        #[allow(dead_code)]
        kinds: Option<Vec<String>>,
    }

    #[test]
    fn absent_settings_are_empty() {
        for text in ["", "null", "{}"] {
            assert!(value(text).map(|value| validate_as::<Settings>(&value)).unwrap().is_empty());
        }
    }

    #[test]
    fn a_problem_has_a_pointer() {
        let problems = validate_as::<Settings>(&serde_json::json!({"kinds": ["Pod", 3]}));
        assert_eq!(problems[0].pointer, "/kinds/1");
        let problems = validate_as::<Settings>(&serde_json::json!({"kind": []}));
        assert!(problems[0].message.contains("unknown field `kind`"), "{problems:?}");
    }
}
