//! CBOR (RFC 8949), as far as the host itself reads and writes artifacts: the values of
//! parameters, the items of a foreach, the value of a switch, and what a person is shown.

use std::fmt;
use std::ops::Range;

use minicbor::Decoder;
use minicbor::Encoder;
use minicbor::data::Type;
use serde::Deserializer as _;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_json::Map;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::graph::CaseValue;

/// The media type of CBOR, the default format of artifacts.
pub const FORMAT: &str = "application/cbor";

/// The media type of JSON, whose arrays a foreach can split as well.
pub const JSON_FORMAT: &str = "application/json";

/// The null, which stands for a parameter without a value.
pub const NULL: &[u8] = &[0xf6];

/// Values nested deeper than this are not shown.
const MAX_DEPTH: usize = 128;

/// A list or map that is the key of a map counts as nested by so much: its text is quoted in that
/// of the map, and quoting what is quoted doubles it.
const KEY_DEPTH: usize = 32;

/// Lists are not split whose items are nested deeper than this, which takes memory.
const MAX_OPEN: usize = 1 << 20;

/// The bytes are not the value that they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// They are not well-formed, or end too soon.
    #[error("the value is damaged: {0}")]
    Damaged(String),
    /// They are well-formed, and something other than a list.
    #[error("the value is {0}, not a list")]
    NotAList(&'static str),
    /// The format is neither CBOR nor JSON.
    #[error("the value has format `{0}`; a foreach goes over a list in CBOR or JSON")]
    Format(String),
    /// More bytes follow the value.
    #[error("the value is followed by {0} more bytes")]
    Trailing(usize),
    /// It is nested too deep to be shown.
    #[error("the value is nested more than {MAX_DEPTH} deep")]
    TooDeep,
}

impl From<minicbor::decode::Error> for CborError {
    fn from(error: minicbor::decode::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Encodes a JSON value in the deterministic encoding (section 4.2): shortest numbers, definite
/// lengths, map keys in the order of their encoding.
pub fn encode_json(value: &Json) -> Vec<u8> {
    encode(|encoder| write_json(encoder, value))
}

/// Encodes a number as the shortest float that has exactly its value.
pub fn encode_float(value: f64) -> Vec<u8> {
    encode(|encoder| write_float(encoder, value))
}

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn encode(write: impl FnOnce(&mut Encoder<Vec<u8>>) -> Written) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    #[expect(clippy::expect_used, reason = "a vector takes all bytes")]
    write(&mut encoder).expect("writing into memory succeeds");
    encoder.into_writer()
}

fn write_json(encoder: &mut Encoder<Vec<u8>>, value: &Json) -> Written {
    match value {
        Json::Null => encoder.null()?,
        Json::Bool(value) => encoder.bool(*value)?,
        Json::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => encoder.u64(number)?,
            (None, Some(number)) => encoder.i64(number)?,
            (None, None) => return write_float(encoder, number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => encoder.str(text)?,
        Json::Array(items) => {
            encoder.array(items.len() as u64)?;
            return items.iter().try_for_each(|item| write_json(encoder, item));
        }
        Json::Object(map) => {
            // The head of a text holds its length in the fewest bytes, so shorter texts come
            // first in the order of the encodings.
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| (key.len(), key.as_bytes()));
            encoder.map(entries.len() as u64)?;
            for (key, value) in entries {
                encoder.str(key)?;
                write_json(encoder, value)?;
            }
            encoder
        }
    };
    Ok(())
}

fn write_float(encoder: &mut Encoder<Vec<u8>>, value: f64) -> Written {
    #[expect(clippy::cast_possible_truncation, reason = "the value is checked to survive it")]
    let single = value as f32;
    if value.is_nan() {
        encoder.f16(f32::NAN)?;
    } else if f64::from(single).to_bits() != value.to_bits() {
        encoder.f64(value)?;
    } else {
        let half = encode(|encoder| encoder.f16(single).map(|_| ()));
        match Decoder::new(&half).f16() {
            Ok(read) if read.to_bits() == single.to_bits() => encoder.f16(single)?,
            _ => encoder.f32(single)?,
        };
    }
    Ok(())
}

/// Where the items of a list stand in its bytes.
///
/// # Errors
///
/// If the format has no lists, or the bytes are no list.
pub fn items(format: &str, bytes: &[u8]) -> Result<Vec<Range<usize>>, CborError> {
    items_up_to(format, bytes, usize::MAX).map(|(places, _)| places)
}

/// Where the items of a list stand in its bytes, and how many there are. If there are more than
/// `most`, the places are left out: they would take many times the memory of the list.
///
/// # Errors
///
/// As [`items`].
pub fn items_up_to(
    format: &str,
    bytes: &[u8],
    most: usize,
) -> Result<(Vec<Range<usize>>, usize), CborError> {
    let mut found = Found { most, count: 0, places: Vec::new() };
    match format {
        FORMAT => cbor_items(bytes, &mut found)?,
        JSON_FORMAT => json_items(bytes, &mut found)?,
        _ => return Err(CborError::Format(crate::name::excerpt(format))),
    }
    Ok((found.places, found.count))
}

/// The items found so far.
struct Found {
    most: usize,
    count: usize,
    places: Vec<Range<usize>>,
}

impl Found {
    fn add(&mut self, place: Range<usize>) {
        self.count += 1;
        if self.count <= self.most {
            self.places.push(place);
        } else {
            self.places = Vec::new();
        }
    }
}

fn cbor_items(bytes: &[u8], found: &mut Found) -> Result<(), CborError> {
    let mut decoder = Decoder::new(bytes);
    // A tag in front, such as that of a set, does not change what the items are.
    while decoder.datatype()? == Type::Tag {
        decoder.tag()?;
    }
    let kind = decoder.datatype()?;
    if !matches!(kind, Type::Array | Type::ArrayIndef) {
        return Err(CborError::NotAList(kind_name(kind)));
    }
    // The length that a guest claims is not believed: the list grows as items are found.
    let mut open = Vec::new();
    let length = decoder.array()?;
    while length.is_none_or(|length| (found.count as u64) < length) {
        if length.is_none() && decoder.datatype()? == Type::Break {
            decoder.skip()?;
            break;
        }
        let start = decoder.position();
        pass(&mut decoder, &mut open)?;
        found.add(start..decoder.position());
    }
    match bytes.len() - decoder.position() {
        0 => Ok(()),
        more => Err(CborError::Trailing(more)),
    }
}

/// A list or map that is being passed over.
struct Open {
    /// How many values it still has; none if a break ends it.
    left: Option<u64>,
    is_map: bool,
    /// Of a map that a break ends: a key was read, and not its value.
    after_key: bool,
}

/// Passes over one value; `open` is empty before and after. The decoder's own `skip` counts values
/// without regard to nesting, and so takes a break for a value where none may stand.
fn pass(decoder: &mut Decoder<'_>, open: &mut Vec<Open>) -> Result<(), CborError> {
    let damaged = |what: &str| CborError::Damaged(what.to_owned());
    let nest = |left, is_map| Open { left, is_map, after_key: false };
    open.push(nest(Some(1), false));
    while let Some(last) = open.last_mut() {
        match &mut last.left {
            Some(0) => {
                open.pop();
                continue;
            }
            Some(left) => *left -= 1,
            None if decoder.datatype()? == Type::Break && !last.after_key => {
                decoder.skip()?;
                open.pop();
                continue;
            }
            None => last.after_key = last.is_map && !last.after_key,
        }
        while decoder.datatype()? == Type::Tag {
            decoder.tag()?;
        }
        match decoder.datatype()? {
            Type::Array | Type::ArrayIndef => open.push(nest(decoder.array()?, false)),
            Type::Map => {
                let values = decoder.map()?.and_then(|entries| entries.checked_mul(2));
                open.push(nest(Some(values.ok_or_else(|| damaged("a map has no end"))?), true));
            }
            Type::MapIndef => open.push(nest(decoder.map()?, true)),
            Type::Break => return Err(damaged("it ends before all of its values were there")),
            _ => decoder.skip()?,
        }
        if open.len() > MAX_OPEN {
            return Err(damaged("it is nested too deep"));
        }
    }
    Ok(())
}

fn json_items(bytes: &[u8], found: &mut Found) -> Result<(), CborError> {
    /// Reads a list item by item.
    struct Items<'a> {
        base: usize,
        found: &'a mut Found,
    }

    impl<'de> Visitor<'de> for Items<'_> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
            while let Some(item) = items.next_element::<&'de RawValue>()? {
                let start = item.get().as_ptr() as usize - self.base;
                self.found.add(start..start + item.get().len());
            }
            Ok(())
        }
    }

    let damaged = |error: serde_json::Error| match error.classify() {
        serde_json::error::Category::Data => CborError::NotAList("another JSON value"),
        _ => CborError::Damaged(error.to_string()),
    };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let base = bytes.as_ptr() as usize;
    reader.deserialize_seq(Items { base, found }).map_err(damaged)?;
    reader.end().map_err(damaged)
}

/// The value of a switch; none if it is of a type that no case can name.
pub fn case_value(format: &str, bytes: &[u8]) -> Option<CaseValue> {
    match format {
        FORMAT => {
            let mut decoder = Decoder::new(bytes);
            let value = match decoder.datatype().ok()? {
                Type::Bool => CaseValue::Bool(decoder.bool().ok()?),
                Type::String => CaseValue::Text(decoder.str().ok()?.to_owned()),
                _ => CaseValue::Int(decoder.i64().ok()?),
            };
            (decoder.position() == bytes.len()).then_some(value)
        }
        JSON_FORMAT => serde_json::from_slice(bytes).ok(),
        "text/plain" => {
            std::str::from_utf8(bytes).ok().map(|text| CaseValue::Text(text.to_owned()))
        }
        _ => None,
    }
}

/// What a value is, in a word for people.
pub fn kind(bytes: &[u8]) -> &'static str {
    Decoder::new(bytes).datatype().map_or("damaged", kind_name)
}

fn kind_name(kind: Type) -> &'static str {
    match kind {
        Type::Bool => "bool",
        Type::Null | Type::Undefined => "null",
        Type::F16 | Type::F32 | Type::F64 => "float",
        Type::Bytes | Type::BytesIndef => "bytes",
        Type::String | Type::StringIndef => "string",
        Type::Array | Type::ArrayIndef => "list",
        Type::Map | Type::MapIndef => "map",
        Type::Tag => "tagged",
        Type::Simple | Type::Break | Type::Unknown(_) => "damaged",
        _ => "int",
    }
}

/// A value as JSON, for people and machines that do not read CBOR.
///
/// What JSON lacks is written as an object with one key that begins with `$`: `$bytes` in
/// hexadecimal, `$float` for NaN and the infinities, `$tag` beside its `value`.
///
/// # Errors
///
/// If the bytes are no well-formed CBOR value, or nested too deep.
pub fn to_json(bytes: &[u8]) -> Result<Json, CborError> {
    let mut decoder = Decoder::new(bytes);
    let value = read_json(&mut decoder, 0)?;
    match bytes.len() - decoder.position() {
        0 => Ok(value),
        more => Err(CborError::Trailing(more)),
    }
}

fn read_json(decoder: &mut Decoder<'_>, depth: usize) -> Result<Json, CborError> {
    if depth > MAX_DEPTH {
        return Err(CborError::TooDeep);
    }
    Ok(match decoder.datatype()? {
        Type::Bool => Json::Bool(decoder.bool()?),
        Type::Null => {
            decoder.null()?;
            Json::Null
        }
        Type::Undefined => {
            decoder.undefined()?;
            Json::Null
        }
        Type::F16 => float(f64::from(decoder.f16()?)),
        Type::F32 => float(f64::from(decoder.f32()?)),
        Type::F64 => float(decoder.f64()?),
        Type::Bytes | Type::BytesIndef => {
            let mut text = String::new();
            for part in decoder.bytes_iter()? {
                part?.iter().for_each(|byte| text.push_str(&format!("{byte:02x}")));
            }
            marked("$bytes", Json::String(text))
        }
        Type::String | Type::StringIndef => {
            let parts: Result<String, _> = decoder.str_iter()?.collect();
            Json::String(parts?)
        }
        Type::Array => {
            let length = decoder.array()?.unwrap_or(0);
            let items: Result<_, _> = (0..length).map(|_| read_json(decoder, depth + 1)).collect();
            Json::Array(items?)
        }
        Type::ArrayIndef => {
            decoder.array()?;
            let mut items = Vec::new();
            while decoder.datatype()? != Type::Break {
                items.push(read_json(decoder, depth + 1)?);
            }
            decoder.skip()?;
            Json::Array(items)
        }
        Type::Map | Type::MapIndef => {
            let length = decoder.map()?;
            let mut map = Map::new();
            let mut read = 0;
            while length.is_none_or(|length| read < length) {
                if length.is_none() && decoder.datatype()? == Type::Break {
                    decoder.skip()?;
                    break;
                }
                let nested = match decoder.datatype()? {
                    Type::Array | Type::ArrayIndef | Type::Map | Type::MapIndef | Type::Tag => {
                        KEY_DEPTH
                    }
                    _ => 1,
                };
                let key = match read_json(decoder, depth + nested)? {
                    Json::String(text) => text,
                    other => other.to_string(),
                };
                map.insert(key, read_json(decoder, depth + 1)?);
                read += 1;
            }
            Json::Object(map)
        }
        Type::Tag => {
            let tag = decoder.tag()?.as_u64();
            if let (2 | 3, Type::Bytes) = (tag, decoder.datatype()?)
                && let Some(number) = big_number(tag == 3, decoder.clone().bytes()?)
            {
                decoder.skip()?;
                return Ok(Json::String(number));
            }
            let mut map = Map::new();
            map.insert("$tag".to_owned(), tag.into());
            map.insert("value".to_owned(), read_json(decoder, depth + 1)?);
            Json::Object(map)
        }
        Type::Simple | Type::Break | Type::Unknown(_) => {
            return Err(CborError::Damaged("unknown type of value".to_owned()));
        }
        _ => {
            let number = i128::from(decoder.int()?);
            match (u64::try_from(number), i64::try_from(number)) {
                (Ok(number), _) => number.into(),
                (_, Ok(number)) => number.into(),
                _ => Json::String(number.to_string()),
            }
        }
    })
}

/// A whole number of up to 128 bits in decimal: CBOR's bignum (section 3.4.3).
fn big_number(negative: bool, bytes: &[u8]) -> Option<String> {
    let mut padded = [0; 16];
    padded.get_mut(16_usize.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
    let magnitude = u128::from_be_bytes(padded);
    if negative {
        Some((-1_i128).checked_sub_unsigned(magnitude)?.to_string())
    } else {
        Some(magnitude.to_string())
    }
}

fn float(value: f64) -> Json {
    serde_json::Number::from_f64(value)
        .map_or_else(|| marked("$float", Json::String(value.to_string())), Json::Number)
}

fn marked(mark: &str, value: Json) -> Json {
    Json::Object(Map::from_iter([(mark.to_owned(), value)]))
}

#[cfg(test)]
mod tests;
