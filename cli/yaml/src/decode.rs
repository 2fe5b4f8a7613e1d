//! Nodes → types that derive `Deserialize`, with a place for every error.

use std::fmt::{self, Display};

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected,
    IntoDeserializer, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
    value::StrDeserializer,
};
use serde::forward_to_deserialize_any;

use crate::resolve::{self, Number};
use crate::{Mark, Node, Scalar, Tag, Value};

/// Why a node does not fit a type. The caller knows the file. The message
/// names types, keys and variants, never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// 1-based line of the value, or of the key where the key is at fault; 0
    /// where no file holds the node.
    pub line: u32,
    /// 1-based column in characters.
    pub column: u32,
    /// Where in the document: `environments[0].merge`; empty for the root.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for DecodeError {}

/// Decodes a node.
///
/// Types are as strict as JSON's: a number is no string (the error says to
/// quote it), null fits an `Option` only. Timestamps and scalars with a tag of
/// the author's own are strings, as written. Keys are their text.
///
/// # Errors
///
/// The first thing that does not fit; an unknown field is reported at its key.
pub fn decode<T: DeserializeOwned>(node: &Node) -> Result<T, DecodeError> {
    serde_path_to_error::deserialize(At(node)).map_err(|error| {
        let path = error.path().to_string();
        let fault = error.into_inner();
        let mark = fault.mark.unwrap_or(node.mark);
        DecodeError {
            line: mark.line,
            column: mark.column,
            path: if path == "." { String::new() } else { path },
            message: fault.message,
        }
    })
}

/// An error on its way to the place where it is known where it happened.
#[derive(Debug)]
struct Fault {
    mark: Option<Mark>,
    message: String,
}

impl Fault {
    fn at(mut self, node: &Node) -> Fault {
        self.mark.get_or_insert(node.mark);
        self
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// What serde expected, in the words of YAML: it names types of ours.
fn shape(expected: &dyn Expected) -> String {
    match expected.to_string().as_str() {
        "a sequence" => "a list".into(),
        "a map" => "a mapping".into(),
        ours if ours.starts_with("struct ") => "a mapping".into(),
        other => other.into(),
    }
}

impl serde::de::Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Fault { mark: None, message: message.to_string() }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Fault::custom(format_args!("found {}, expected {}", kind(&found), shape(expected)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Fault::custom(format_args!("this {} does not fit, expected {expected}", noun(&found)))
    }
}

fn noun(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "integer",
        Unexpected::Float(_) => "number",
        Unexpected::Char(_) | Unexpected::Str(_) => "string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "list",
        Unexpected::Map => "mapping",
        _ => "value",
    }
}

fn kind(found: &Unexpected<'_>) -> String {
    match noun(found) {
        "null" => "nothing (null)".to_owned(),
        "integer" => "an integer".to_owned(),
        noun => format!("a {noun}"),
    }
}

#[derive(Clone, Copy)]
struct At<'a>(&'a Node);

impl<'a> At<'a> {
    fn scalar<'de, V: Visitor<'de>>(scalar: &Scalar, visitor: V) -> Result<V::Value, Fault> {
        match scalar.tag {
            Tag::Null => visitor.visit_unit(),
            Tag::Bool => visitor.visit_bool(resolve::boolean(&scalar.text).unwrap_or_default()),
            Tag::Int | Tag::Float => match resolve::number(&scalar.text) {
                Some(Number::Float(value)) => visitor.visit_f64(value),
                Some(Number::Int(value)) if scalar.tag == Tag::Float => {
                    visitor.visit_f64(value as f64)
                }
                Some(Number::Int(value)) => match u64::try_from(value) {
                    Ok(value) => visitor.visit_u64(value),
                    Err(_) => visitor.visit_i64(value),
                },
                Some(Number::Uint(value)) => visitor.visit_u64(value),
                None => visitor.visit_str(&scalar.text),
            },
            Tag::Str | Tag::Timestamp | Tag::Binary | Tag::Other(_) => {
                visitor.visit_str(&scalar.text)
            }
        }
    }

    fn any<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.0.value {
            Value::Scalar(scalar) => Self::scalar(scalar, visitor),
            Value::Sequence(items) => visitor.visit_seq(Items(items.iter())),
            Value::Mapping(entries) => {
                visitor.visit_map(Entries { entries: entries.iter(), value: None })
            }
        }
    }

    fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Value::Scalar(scalar) = &self.0.value else { return self.any(visitor) };
        let found = match scalar.tag {
            Tag::Bool => "a boolean",
            Tag::Int => "an integer",
            Tag::Float => "a number",
            _ => return self.any(visitor),
        };
        let expected: &dyn Expected = &visitor;
        let message = format!("found {found}, expected {expected}; put it in quotes");
        Err(Fault::custom(message))
    }
}

impl<'de> Deserializer<'de> for At<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.any(visitor).map_err(|fault| fault.at(self.0))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.text(visitor).map_err(|fault| fault.at(self.0))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) };
        result.map_err(|fault| fault.at(self.0))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self).map_err(|fault| fault.at(self.0))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let variant = match &self.0.value {
            Value::Mapping(entries) => match entries.as_slice() {
                [(key, value)] => Some(Variant { name: key, content: Some(value) }),
                _ => None,
            },
            Value::Scalar(_) => Some(Variant { name: self.0, content: None }),
            Value::Sequence(_) => None,
        };
        let expected: &dyn Expected = &visitor;
        match variant {
            Some(variant) => visitor.visit_enum(variant),
            None => {
                let message = format!("expected {expected}: a name, or a mapping with one key");
                Err(Fault::custom(message))
            }
        }
        .map_err(|fault| fault.at(self.0))
    }

    /// A struct is a mapping; what serde derives would take a list as well.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0.value {
            Value::Sequence(_) => Err(Fault::invalid_type(Unexpected::Seq, &visitor).at(self.0)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 bytes byte_buf unit unit_struct
        seq tuple tuple_struct map identifier
    }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        self.0
            .next()
            .map(|item| seed.deserialize(At(item)).map_err(|fault| fault.at(item)))
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Entries<'a> {
    entries: std::slice::Iter<'a, (Node, Node)>,
    value: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(Key(key)).map(Some).map_err(|fault| fault.at(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let value = self.value.take().ok_or_else(|| Fault::custom("a value without its key"))?;
        seed.deserialize(At(value)).map_err(|fault| fault.at(value))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// A key: its text, whatever its type; a number only where one is asked for.
struct Key<'a>(&'a Node);

macro_rules! key_numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            At(self.0).deserialize_any(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Key<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.text() {
            Some(text) => visitor.visit_str(text),
            None => visitor.visit_unit(),
        }
    }

    key_numbers! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        At(self.0).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

struct Variant<'a> {
    name: &'a Node,
    content: Option<&'a Node>,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Fault;
    type Variant = Content<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content<'a>), Fault> {
        let text = self.name.text().unwrap_or("null");
        let name: StrDeserializer<'_, Fault> = text.into_deserializer();
        let value = seed.deserialize(name).map_err(|fault| fault.at(self.name))?;
        Ok((value, Content(self.content)))
    }
}

struct Content<'a>(Option<&'a Node>);

impl Content<'_> {
    fn node(&self) -> Result<&Node, Fault> {
        self.0.ok_or_else(|| Fault::custom("expected a mapping with this name as its key"))
    }
}

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.0 {
            Some(node) if !node.is_null() => {
                Err(Fault::custom("this name takes no value").at(node))
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        let node = self.node()?;
        seed.deserialize(At(node)).map_err(|fault| fault.at(node))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Fault> {
        At(self.node()?).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        At(self.node()?).deserialize_any(visitor)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::{FileId, read};

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Config {
        environments: Vec<Environment>,
        #[serde(default)]
        limits: BTreeMap<String, u32>,
        #[serde(default)]
        ratio: Option<f64>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Environment {
        name: String,
        #[serde(default)]
        merge: Merge,
        #[serde(default)]
        gates: Vec<Gate>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Merge {
        #[default]
        Manual,
        Auto,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Gate {
        Soak(String),
        Approvals { count: u8 },
        Converged,
    }

    fn config(text: &str) -> Result<Config, DecodeError> {
        decode(read(FileId(0), text.as_bytes()).unwrap()[0].root.as_ref().unwrap())
    }

    #[test]
    fn a_whole_file() {
        let text = "environments:\n- name: dev\n  merge: auto\n  gates:\n  - soak: 1h\n  - approvals: {count: 2}\n  - converged\nlimits: {a: 1, 2: 0x10}\nratio: 1\n";
        let expected = Config {
            environments: vec![Environment {
                name: "dev".to_owned(),
                merge: Merge::Auto,
                gates: vec![
                    Gate::Soak("1h".to_owned()),
                    Gate::Approvals { count: 2 },
                    Gate::Converged,
                ],
            }],
            limits: BTreeMap::from([("a".to_owned(), 1), ("2".to_owned(), 16)]),
            ratio: Some(1.0),
        };
        assert_eq!(config(text), Ok(expected));
    }

    #[test]
    fn errors_have_places() {
        let cases = [
            (
                "environments:\n- name: dev\n  merge: later\n",
                "line 3, column 10: environments[0].merge: unknown variant `later`, expected `manual` or `auto`",
            ),
            (
                "environments:\n- name: dev\n  \"mërge\": auto\n",
                "line 3, column 3: environments[0].mërge: unknown field `mërge`, expected one of `name`, `merge`, `gates`",
            ),
            (
                "environments:\n- name: 1.10\n",
                "line 2, column 9: environments[0].name: found a number, expected a string; put it in quotes",
            ),
            (
                "environments:\n- name:\n",
                "line 2, column 8: environments[0].name: found nothing (null), expected a string",
            ),
            (
                "environments:\n- merge: auto\n",
                "line 2, column 3: environments[0]: missing field `name`",
            ),
            (
                "environments: [{name: a, gates: [soak]}]\n",
                "line 1, column 34: environments[0].gates[0].soak: expected a mapping with this name as its key",
            ),
            (
                "environments: []\nlimits: {a: -1}\n",
                "line 2, column 13: limits.a: this integer does not fit, expected u32",
            ),
            (
                "environments: []\nlimits: {a: hunter2}\n",
                "line 2, column 13: limits.a: found a string, expected u32",
            ),
            ("- a\n", "line 1, column 1: found a list, expected a mapping"),
        ];
        for (text, expected) in cases {
            assert_eq!(config(text).unwrap_err().to_string(), expected, "{text}");
        }
    }
}
