//! Parameters: values that the person who runs a flow gives it.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value as Json;

use crate::Name;
use crate::cbor;
use crate::name::excerpt;

/// The options of `wflow run`, which a parameter of the same name would hide.
pub const RESERVED: &[&str] = &[
    "allow",
    "color",
    "fuel",
    "help",
    "json",
    "max-artifact-size",
    "max-artifacts",
    "max-call-size",
    "max-handles",
    "max-log-size",
    "max-num-splits",
    "max-table-elements",
    "max-workers",
    "memory",
    "namespace",
    "no-config",
    "now",
    "quiet",
    "reuse",
    "run-id-file",
    "seed",
    "stack",
    "store",
    "tag",
    "timeout",
    "version",
    "with",
];

/// The declaration of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// The name that the person who runs the flow uses: `--name`.
    pub name: String,
    /// The artifact that holds the value.
    pub artifact: Name,
    /// What values it takes.
    pub kind: ParameterType,
    /// What it is for, in the author's words; may be empty.
    pub help: String,
    /// Whether a value must be given.
    pub required: bool,
    /// The value if none is given; none is the null.
    pub default: Option<ParameterValue>,
}

impl Parameter {
    /// The environment variable that can hold a value: `WFLOW_RUN_` and the name in capitals,
    /// with underscores for hyphens.
    pub fn variable(&self) -> String {
        format!("WFLOW_RUN_{}", self.name.to_ascii_uppercase().replace('-', "_"))
    }
}

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterType {
    /// Text.
    String,
    /// A whole number of 64 bits.
    Int,
    /// A floating-point number of 64 bits.
    Float,
    /// A truth value.
    Bool,
    /// Any JSON value.
    Json,
    /// The content of a text file in UTF-8.
    Text,
    /// The content of a file.
    Bytes,
}

impl ParameterType {
    /// Whether the value is a path to a file whose content becomes the artifact.
    pub fn is_file(self) -> bool {
        matches!(self, Self::Text | Self::Bytes)
    }

    /// The format of the artifact that holds a value.
    pub fn format(self) -> &'static str {
        match self {
            Self::Text => "text/plain",
            Self::Bytes => "application/octet-stream",
            _ => cbor::FORMAT,
        }
    }

    /// Reads a value as a person types it.
    ///
    /// # Errors
    ///
    /// If the text is no value of this type; the error says so in the form of the whole phrase.
    pub fn parse(self, text: &str) -> Result<ParameterValue, InvalidValue> {
        let shown = if text.is_empty() { "the empty text".to_owned() } else { excerpt(text) };
        let invalid = |what| InvalidValue { text: shown.clone(), what };
        match self {
            Self::String => Ok(ParameterValue::String(text.to_owned())),
            Self::Int => {
                text.parse().map(ParameterValue::Int).map_err(|_| invalid("a valid integer"))
            }
            Self::Float => {
                text.parse().map(ParameterValue::Float).map_err(|_| invalid("a valid float"))
            }
            Self::Bool => match text.to_ascii_lowercase().as_str() {
                "true" | "t" | "1" | "yes" | "y" | "on" => Ok(ParameterValue::Bool(true)),
                "false" | "f" | "0" | "no" | "n" | "off" => Ok(ParameterValue::Bool(false)),
                _ => Err(invalid("a valid boolean: true or false")),
            },
            Self::Json => serde_json::from_str(text)
                .map(ParameterValue::Json)
                .map_err(|_| invalid("valid JSON")),
            Self::Text | Self::Bytes => Ok(ParameterValue::File(text.into())),
        }
    }

    /// Reads a value as the description of a flow gives it.
    pub(crate) fn read(self, value: &Json) -> Result<ParameterValue, InvalidValue> {
        let what = match self {
            Self::String => "a string",
            Self::Int => "an integer of 64 bits",
            Self::Float => "a number",
            Self::Bool => "true or false",
            Self::Json => "JSON",
            Self::Text | Self::Bytes => "a path",
        };
        let read = match (self, value) {
            (Self::String, Json::String(text)) => Some(ParameterValue::String(text.clone())),
            (Self::Int, Json::Number(number)) => number.as_i64().map(ParameterValue::Int),
            (Self::Float, Json::Number(number)) => number.as_f64().map(ParameterValue::Float),
            (Self::Bool, Json::Bool(value)) => Some(ParameterValue::Bool(*value)),
            (Self::Json, _) => Some(ParameterValue::Json(value.clone())),
            (Self::Text | Self::Bytes, Json::String(path)) => {
                Some(ParameterValue::File(path.into()))
            }
            _ => None,
        };
        read.ok_or_else(|| InvalidValue { text: excerpt(&value.to_string()), what })
    }
}

impl fmt::Display for ParameterType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Json => "json",
            Self::Text => "text file",
            Self::Bytes => "file",
        })
    }
}

/// A text is no value of the type that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text} is not {what}")]
pub struct InvalidValue {
    text: String,
    what: &'static str,
}

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterValue {
    /// Text.
    String(String),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// Any JSON.
    Json(Json),
    /// A file, by its path.
    File(PathBuf),
}

impl ParameterValue {
    /// The bytes of the artifact that holds this value, in deterministic CBOR; none for a file,
    /// whose content is the artifact.
    pub fn to_cbor(&self) -> Option<Vec<u8>> {
        let json = match self {
            Self::String(text) => Json::String(text.clone()),
            Self::Int(number) => Json::from(*number),
            Self::Float(number) => return Some(cbor::encode_float(*number)),
            Self::Bool(value) => Json::Bool(*value),
            Self::Json(value) => return Some(cbor::encode_json(value)),
            Self::File(_) => return None,
        };
        Some(cbor::encode_json(&json))
    }
}

impl fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => f.write_str(text),
            Self::Int(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
            Self::Bool(value) => value.fmt(f),
            Self::Json(value) => value.fmt(f),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_typed() {
        use ParameterType as T;
        use ParameterValue as V;
        assert_eq!(T::Int.parse("-3"), Ok(V::Int(-3)));
        assert_eq!(T::Float.parse("0.3"), Ok(V::Float(0.3)));
        assert_eq!(T::Bool.parse("Yes"), Ok(V::Bool(true)));
        assert_eq!(T::String.parse(""), Ok(V::String(String::new())));
        assert_eq!(T::Int.parse("ten").unwrap_err().to_string(), "ten is not a valid integer");
        assert_eq!(T::Json.parse("{bad").unwrap_err().to_string(), "{bad is not valid JSON");
    }

    #[test]
    fn numbers_within_json_keep_every_bit() {
        for text in ["0.30000000000000004", "3.2e-53", "1.7976931348623157e308"] {
            let number = ParameterType::Float.parse(text).unwrap();
            let json = ParameterType::Json.parse(text).unwrap();
            assert_eq!(json.to_cbor(), number.to_cbor(), "{text}");
        }
    }

    #[test]
    fn defaults_have_the_type_of_the_parameter() {
        use ParameterType as T;
        assert!(T::Int.read(&Json::from("abc")).is_err());
        assert!(T::Int.read(&Json::from(1.5)).is_err());
        assert_eq!(T::Float.read(&Json::from(1)), Ok(ParameterValue::Float(1.0)));
        assert!(T::Json.read(&Json::Null).is_ok());
    }
}
