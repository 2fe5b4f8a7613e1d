//! Nodes as JSON and JSON as nodes, as kustomize goes from one to the other
//! (kyaml's go-yaml v3 into Go values, then `encoding/json`).

use std::borrow::Cow;

use serde_json::{Map, Number as JsonNumber, Value as Json};

use crate::resolve::{self, Number};
use crate::{Mark, Node, Scalar, Style, Tag, Value, base64, timestamp};

/// A node that JSON cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct JsonError {
    /// 1-based line; 0 where no file holds the node.
    pub line: u32,
    /// 1-based column.
    pub column: u32,
    /// What cannot be written as JSON.
    pub reason: &'static str,
}

impl Node {
    /// The value as JSON.
    ///
    /// Integers are `i64` or `u64`, other numbers `f64`; timestamps are RFC
    /// 3339 strings (`2024-01-01` becomes `2024-01-01T00:00:00Z`); `!!binary`
    /// is decoded, with U+FFFD for every byte that is not UTF-8; scalars with
    /// a tag of the author's own are strings; keys are their text.
    ///
    /// # Errors
    ///
    /// `.nan`, `.inf` and null keys, which JSON does not know.
    pub fn to_json(&self) -> Result<Json, JsonError> {
        Ok(match &self.value {
            Value::Scalar(scalar) => {
                scalar_to_json(scalar).map_err(|reason| fault(&self.mark, reason))?
            }
            Value::Sequence(items) => {
                Json::Array(items.iter().map(Node::to_json).collect::<Result<_, _>>()?)
            }
            Value::Mapping(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    let Some(text) = key.text() else {
                        return Err(fault(&key.mark, "a key is null, which JSON does not know"));
                    };
                    map.insert(text.to_owned(), value.to_json()?);
                }
                Json::Object(map)
            }
        })
    }

    /// A node without a place for a JSON value.
    pub fn from_json(json: &Json) -> Node {
        let string = |text: &str| Scalar { text: text.into(), tag: Tag::Str, style: Style::Plain };
        let value = match json {
            Json::Null => return Node::scalar("null", Tag::Null),
            Json::Bool(value) => {
                return Node::scalar(if *value { "true" } else { "false" }, Tag::Bool);
            }
            Json::Number(number) => {
                let text = number_text(number_of(number));
                let is_int =
                    matches!(resolve::number(&text), Some(Number::Int(_) | Number::Uint(_)));
                return Node::scalar(text, if is_int { Tag::Int } else { Tag::Float });
            }
            Json::String(text) => Value::Scalar(string(text)),
            Json::Array(items) => Value::Sequence(items.iter().map(Node::from_json).collect()),
            Json::Object(map) => Value::Mapping(
                map.iter()
                    .map(|(key, value)| (Node::string(key.as_str()), Node::from_json(value)))
                    .collect(),
            ),
        };
        Node { value, mark: Mark::NONE }
    }

    /// Whether two nodes mean the same: as JSON, so `0x10` is `16`, styles do
    /// not count, nor does the order of a mapping's entries.
    pub fn same_value(&self, other: &Node) -> bool {
        match (&self.value, &other.value) {
            (Value::Scalar(one), Value::Scalar(two)) => match (meaning(one), meaning(two)) {
                (Meaning::Number(one), Meaning::Number(two)) => same_number(one, two),
                (one, two) => one == two,
            },
            (Value::Sequence(one), Value::Sequence(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(a, b)| a.same_value(b))
            }
            (Value::Mapping(one), Value::Mapping(two)) => {
                let theirs: std::collections::HashMap<_, _> =
                    two.iter().map(|(key, value)| (key.text(), value)).collect();
                one.len() == two.len()
                    && one.iter().all(|(key, value)| {
                        theirs.get(&key.text()).is_some_and(|other| value.same_value(other))
                    })
            }
            _ => false,
        }
    }
}

fn fault(mark: &Mark, reason: &'static str) -> JsonError {
    JsonError { line: mark.line, column: mark.column, reason }
}

fn same_number(one: Number, two: Number) -> bool {
    match (one, two) {
        (Number::Float(one), Number::Float(two)) => one == two || one.is_nan() && two.is_nan(),
        _ => number_text(one) == number_text(two),
    }
}

/// What a scalar stands for in Go.
#[derive(PartialEq)]
pub(crate) enum Meaning<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
}

pub(crate) fn meaning(scalar: &Scalar) -> Meaning<'_> {
    let text = || Meaning::Text(Cow::Borrowed(&*scalar.text));
    match &scalar.tag {
        Tag::Null => Meaning::Null,
        Tag::Bool => resolve::boolean(&scalar.text).map_or_else(text, Meaning::Bool),
        Tag::Int => resolve::number(&scalar.text).map_or_else(text, Meaning::Number),
        Tag::Float => resolve::number(&scalar.text).map_or_else(text, |number| {
            Meaning::Number(match number {
                Number::Int(value) => Number::Float(value as f64),
                Number::Uint(value) => Number::Float(value as f64),
                float => float,
            })
        }),
        Tag::Timestamp => timestamp::parse(&scalar.text)
            .map_or_else(text, |stamp| Meaning::Text(Cow::Owned(stamp.to_rfc3339()))),
        Tag::Binary => base64::decode(&scalar.text)
            .map_or_else(text, |bytes| Meaning::Text(Cow::Owned(lossy(&bytes)))),
        Tag::Str | Tag::Other(_) => text(),
    }
}

/// Go's `encoding/json` puts one U+FFFD for each byte that is not UTF-8.
fn lossy(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    out
}

fn scalar_to_json(scalar: &Scalar) -> Result<Json, &'static str> {
    Ok(match meaning(scalar) {
        Meaning::Null => Json::Null,
        Meaning::Bool(value) => Json::Bool(value),
        Meaning::Number(Number::Int(value)) => value.into(),
        Meaning::Number(Number::Uint(value)) => value.into(),
        Meaning::Number(Number::Float(value)) => {
            // Go prints whole floats without a point, and so reads them as integers.
            match resolve::number(&number_text(Number::Float(value))) {
                Some(Number::Int(value)) => value.into(),
                Some(Number::Uint(value)) => value.into(),
                _ => Json::Number(
                    JsonNumber::from_f64(value)
                        .ok_or("a number is not finite, which JSON does not know")?,
                ),
            }
        }
        Meaning::Text(text) => Json::String(text.into_owned()),
    })
}

pub(crate) fn number_of(number: &JsonNumber) -> Number {
    if let Some(value) = number.as_i64() {
        Number::Int(value)
    } else if let Some(value) = number.as_u64() {
        Number::Uint(value)
    } else {
        Number::Float(number.as_f64().unwrap_or(f64::NAN))
    }
}

/// A number as Go's JSON prints it and go-yaml v2 then reads and prints it:
/// `1000`, `1.5`, `1.23456785e+07`.
pub(crate) fn number_text(number: Number) -> String {
    let float = match number {
        Number::Int(value) => return value.to_string(),
        Number::Uint(value) => return value.to_string(),
        Number::Float(value) => value,
    };
    if float.is_nan() {
        return ".nan".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    // encoding/json writes no exponent between 1e-6 and 1e21; what then looks
    // like an integer is one to the YAML reader.
    if float.fract() == 0.0 && float.abs() < 1e21 {
        let digits = format!("{float}");
        if let Ok(value) = digits.parse::<i64>() {
            return value.to_string();
        }
        if let Ok(value) = digits.parse::<u64>() {
            return value.to_string();
        }
    }
    shortest(float)
}

/// Go's `strconv.FormatFloat(f, 'g', -1, 64)`.
fn shortest(float: f64) -> String {
    let mut scientific = format!("{float:e}");
    if scientific.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count() == 17
    {
        // Between two 17-digit forms Go takes the even one, Rust the upper.
        scientific = format!("{float:.16e}");
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return format!("{float}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}
