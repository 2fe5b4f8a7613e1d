//! The values that can be written: nodes and JSON.

use std::borrow::Cow;

use serde_json::Value as Json;

use crate::json::{Meaning, meaning, number_of, number_text};
use crate::{Node, Tag, Value};

/// What can be written.
pub(super) trait Source: Sized {
    fn shape(&self) -> Shape<'_, Self>;

    /// Adds the entries of a mapping.
    fn entries<'v>(&'v self, to: &mut Vec<(&'v str, &'v Self)>);
}

/// A value about to be written.
pub(super) enum Shape<'v, S> {
    /// Text of a null, boolean or number.
    Bare(Cow<'v, str>),
    /// A string, which must be told from the other types.
    Text(Cow<'v, str>),
    Items(&'v [S]),
    Entries,
}

impl Source for Node {
    fn shape(&self) -> Shape<'_, Node> {
        match &self.value {
            Value::Scalar(scalar) => match scalar.tag {
                Tag::Str => Shape::Text(Cow::Borrowed(&scalar.text)),
                Tag::Int if is_decimal(&scalar.text) => Shape::Bare(Cow::Borrowed(&scalar.text)),
                _ => match meaning(scalar) {
                    Meaning::Null => Shape::Bare("null".into()),
                    Meaning::Bool(value) => boolean(value),
                    Meaning::Number(number) => Shape::Bare(number_text(number).into()),
                    Meaning::Text(text) => Shape::Text(text),
                },
            },
            Value::Sequence(items) => Shape::Items(items),
            Value::Mapping(_) => Shape::Entries,
        }
    }

    fn entries<'v>(&'v self, to: &mut Vec<(&'v str, &'v Node)>) {
        let entries: &'v [(Node, Node)] = match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        };
        to.extend(entries.iter().map(|(key, value)| (key.text().unwrap_or("null"), value)));
    }
}

impl Source for Json {
    fn shape(&self) -> Shape<'_, Json> {
        match self {
            Json::Null => Shape::Bare("null".into()),
            Json::Bool(value) => boolean(*value),
            Json::Number(number) => Shape::Bare(number_text(number_of(number)).into()),
            Json::String(text) => Shape::Text(text.into()),
            Json::Array(items) => Shape::Items(items),
            Json::Object(_) => Shape::Entries,
        }
    }

    fn entries<'v>(&'v self, to: &mut Vec<(&'v str, &'v Json)>) {
        if let Json::Object(map) = self {
            to.extend(map.iter().map(|(key, value)| (key.as_str(), value)));
        }
    }
}

fn boolean<S>(value: bool) -> Shape<'static, S> {
    Shape::Bare(if value { "true" } else { "false" }.into())
}

/// Whether this is how Go writes the integer that it is.
fn is_decimal(text: &str) -> bool {
    const SURELY_FITS: usize = 18;
    let digits = text.as_bytes();
    (digits == b"0" || digits.first().is_some_and(|first| (b'1'..=b'9').contains(first)))
        && digits.len() <= SURELY_FITS
        && digits.iter().all(u8::is_ascii_digit)
}
