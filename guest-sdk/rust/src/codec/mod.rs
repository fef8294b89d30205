//! How values become the bytes of artifacts, and back.
//!
//! Any serde type is CBOR in the deterministic encoding of RFC 8949, section 4.2: the shortest
//! form of every number, definite lengths, and maps sorted by the bytes of their keys. It is
//! written that way at once. Reading accepts any well-formed CBOR, and JSON.
//!
//! [`Text`](crate::Text), [`Bytes`](crate::Bytes) and [`Tensor`](crate::Tensor) have formats of
//! their own where one is the whole value. They serialise as newtypes whose names start with
//! [`MARK`], which the serialiser here knows; inside other values, and in other serialisers,
//! they are plain text and bytes.

mod de;
mod number;
mod ser;

use crate::host::Raw;
use std::borrow::Cow;
use std::fmt;

/// Any serde type.
pub(crate) const CBOR: &str = "application/cbor";
/// As other languages may write.
pub(crate) const JSON: &str = "application/json";
/// [`Text`](crate::Text).
pub(crate) const TEXT: &str = "text/plain";
/// [`Bytes`](crate::Bytes).
pub(crate) const BYTES: &str = "application/octet-stream";
/// [`Tensor`](crate::Tensor).
pub(crate) const NPY: &str = "application/x-npy";

/// What the names of newtypes with a format of their own start with; the format follows.
pub(crate) const MARK: &str = "wflow:";
/// The newtype of [`Text`](crate::Text).
pub(crate) const TEXT_MARK: &str = "wflow:text/plain";
/// The newtype of [`Bytes`](crate::Bytes).
pub(crate) const BYTES_MARK: &str = "wflow:application/octet-stream";
/// The newtype of [`Tensor`](crate::Tensor).
pub(crate) const NPY_MARK: &str = "wflow:application/x-npy";

/// How deep values may nest, so that none overflows the stack.
const MAX_DEPTH: usize = 128;

/// Why a value could not be written or read.
#[derive(Debug)]
pub(crate) struct CodecError(String);

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CodecError {}

impl serde::ser::Error for CodecError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl serde::de::Error for CodecError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl From<minicbor::decode::Error> for CodecError {
    fn from(error: minicbor::decode::Error) -> Self {
        Self(format!("not well-formed CBOR: {error}"))
    }
}

/// The value with the format that it has by its type.
pub(crate) fn encode<T: serde::Serialize + ?Sized>(value: &T) -> Result<Raw, CodecError> {
    let mut serializer = ser::Serializer::top();
    value.serialize(&mut serializer)?;
    Ok(Raw { format: serializer.format.to_owned(), data: serializer.out })
}

/// A value of the type wanted, from bytes in the format given.
pub(crate) fn decode<T: serde::de::DeserializeOwned>(
    format: &str,
    data: Cow<'_, [u8]>,
) -> Result<T, CodecError> {
    match format {
        CBOR => from_cbor(&data),
        JSON => from_cbor(&json_to_cbor(&data)?),
        TEXT => match String::from_utf8(data.into_owned()) {
            Ok(text) => T::deserialize(de::Whole::Text(text)),
            Err(error) => Err(CodecError(format!("the text is not UTF-8: {}", error.utf8_error()))),
        },
        BYTES | NPY => T::deserialize(de::Whole::Bytes(data.into_owned())),
        _ => Err(CodecError(format!(
            "its format is `{format}`, which `wflow_sdk::artifacts` reads as bytes"
        ))),
    }
}

/// Only the decoding of CBOR is compiled for every type, so JSON takes a way round.
fn json_to_cbor(data: &[u8]) -> Result<Vec<u8>, CodecError> {
    let value: serde_json::Value = serde_json::from_slice(data)
        .map_err(|error| CodecError(format!("not well-formed JSON: {error}")))?;
    Ok(encode(&value)?.data)
}

fn from_cbor<T: serde::de::DeserializeOwned>(data: &[u8]) -> Result<T, CodecError> {
    let mut deserializer = de::Deserializer::new(data);
    let value = T::deserialize(&mut deserializer)?;
    deserializer.finish()?;
    Ok(value)
}

#[cfg(test)]
mod tests;
