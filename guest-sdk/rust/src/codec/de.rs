//! serde from CBOR, as any encoder may have written it.

use super::number::from_half;
use super::{CodecError, MAX_DEPTH};
use minicbor::Decoder;
use minicbor::data::{IanaTag, Type};
use serde::de::value::{StrDeserializer, StringDeserializer};
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// Reads one value from CBOR.
pub(super) struct Deserializer<'de> {
    decoder: Decoder<'de>,
    depth: usize,
}

impl<'de> Deserializer<'de> {
    pub(super) fn new(data: &'de [u8]) -> Self {
        Self { decoder: Decoder::new(data), depth: 0 }
    }

    /// Fails if anything follows the value.
    pub(super) fn finish(&self) -> Result<(), CodecError> {
        match self.decoder.input().len() - self.decoder.position() {
            0 => Ok(()),
            more => Err(CodecError(format!("{more} bytes follow the value"))),
        }
    }

    fn at_break(&self) -> bool {
        self.decoder.input().get(self.decoder.position()) == Some(&0xff)
    }

    /// A half-precision float.
    fn half(&mut self) -> Result<f64, CodecError> {
        let start = self.decoder.position() + 1;
        let Some(&[high, low]) = self.decoder.input().get(start..start + 2) else {
            return Err(CodecError("not well-formed CBOR: it ends within a float".into()));
        };
        self.decoder.set_position(start + 2);
        Ok(from_half(u16::from_be_bytes([high, low])))
    }

    /// Reads what is one level deeper.
    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, CodecError>,
    ) -> Result<T, CodecError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(CodecError(format!("the value nests deeper than {MAX_DEPTH} levels")));
        }
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    /// Reads the items of an array or the entries of a map whose head has been read.
    fn items<T>(
        &mut self,
        len: Option<u64>,
        read: impl FnOnce(&mut Items<'_, 'de>) -> Result<T, CodecError>,
    ) -> Result<T, CodecError> {
        self.nested(|outer| {
            let mut items = Items { outer, left: len };
            let value = read(&mut items)?;
            if items.done()? {
                Ok(value)
            } else {
                Err(CodecError("more items than expected".into()))
            }
        })
    }

    /// What a tag says about: a number too large for 64 bits, or something else that reads as
    /// the plain value in it.
    fn tagged<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, CodecError> {
        let negative = match IanaTag::try_from(self.decoder.tag()?) {
            Ok(IanaTag::PosBignum) => false,
            Ok(IanaTag::NegBignum) => true,
            _ => return self.nested(|inner| de::Deserializer::deserialize_any(inner, visitor)),
        };
        let bytes = self.decoder.bytes()?;
        let bytes = &bytes[bytes.iter().take_while(|&&byte| byte == 0).count()..];
        let too_large = || CodecError("an integer of more than 128 bits".into());
        if bytes.len() > 16 {
            return Err(too_large());
        }
        let magnitude = bytes.iter().fold(0u128, |number, &byte| number << 8 | u128::from(byte));
        if !negative {
            return visitor.visit_u128(magnitude);
        }
        let magnitude = i128::try_from(magnitude).map_err(|_| too_large())?;
        visitor.visit_i128(-1 - magnitude)
    }
}

impl<'de> de::Deserializer<'de> for &mut Deserializer<'de> {
    type Error = CodecError;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let decoder = &mut self.decoder;
        match decoder.datatype()? {
            Type::Bool => visitor.visit_bool(decoder.bool()?),
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => visitor.visit_u64(decoder.u64()?),
            Type::I8 | Type::I16 | Type::I32 | Type::I64 => visitor.visit_i64(decoder.i64()?),
            Type::Int => visitor.visit_i128(decoder.int()?.into()),
            Type::F16 => visitor.visit_f64(self.half()?),
            Type::F32 => visitor.visit_f64(decoder.f32()?.into()),
            Type::F64 => visitor.visit_f64(decoder.f64()?),
            Type::Bytes => visitor.visit_borrowed_bytes(decoder.bytes()?),
            Type::String => visitor.visit_borrowed_str(decoder.str()?),
            Type::BytesIndef => {
                let mut bytes = Vec::new();
                for piece in decoder.bytes_iter()? {
                    bytes.extend(piece?);
                }
                visitor.visit_byte_buf(bytes)
            }
            Type::StringIndef => {
                let mut text = String::new();
                for piece in decoder.str_iter()? {
                    text.push_str(piece?);
                }
                visitor.visit_string(text)
            }
            Type::Null => {
                decoder.null()?;
                visitor.visit_unit()
            }
            Type::Undefined => {
                decoder.undefined()?;
                visitor.visit_unit()
            }
            Type::Array | Type::ArrayIndef => {
                let len = decoder.array()?;
                self.items(len, |items| visitor.visit_seq(items))
            }
            Type::Map | Type::MapIndef => {
                let len = decoder.map()?;
                self.items(len, |items| visitor.visit_map(items))
            }
            Type::Tag => self.tagged(visitor),
            other => Err(CodecError(format!("unexpected CBOR item: {other}"))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.decoder.datatype()? {
            Type::Null | Type::Undefined => {
                self.decoder.skip()?;
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        visitor.visit_newtype_struct(self)
    }

    /// A variant without content is its name, one with content a map of one entry.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        match self.decoder.datatype()? {
            Type::Map | Type::MapIndef => {
                let len = self.decoder.map()?;
                self.items(len, |items| visitor.visit_enum(items))
            }
            Type::String => {
                let name: StrDeserializer<'_, CodecError> = self.decoder.str()?.into_deserializer();
                visitor.visit_enum(name)
            }
            other => Err(CodecError(format!("unexpected CBOR item: {other}, not a variant"))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        // `skip` needs no stack, however deep the value is.
        self.decoder.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier
    }
}

/// The items of an array, or of a map, that are still to be read.
struct Items<'a, 'de> {
    outer: &'a mut Deserializer<'de>,
    left: Option<u64>,
}

impl Items<'_, '_> {
    /// Whether there are no more. The mark that ends a list of unknown length is read.
    fn done(&mut self) -> Result<bool, CodecError> {
        if self.left.is_none() && self.outer.at_break() {
            let position = self.outer.decoder.position();
            self.outer.decoder.set_position(position + 1);
            self.left = Some(0);
        }
        Ok(self.left == Some(0))
    }

    /// Counts one more off, if there is one.
    fn more(&mut self) -> Result<bool, CodecError> {
        let more = !self.done()?;
        if more && let Some(left) = &mut self.left {
            *left -= 1;
        }
        Ok(more)
    }
}

impl<'de> de::SeqAccess<'de> for &mut Items<'_, 'de> {
    type Error = CodecError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, CodecError> {
        if self.more()? { seed.deserialize(&mut *self.outer).map(Some) } else { Ok(None) }
    }

    fn size_hint(&self) -> Option<usize> {
        // An item takes a byte at least, so what is left of the input bounds their number.
        let rest = self.outer.decoder.input().len() - self.outer.decoder.position();
        self.left.map(|left| usize::try_from(left).unwrap_or(usize::MAX).min(rest))
    }
}

impl<'de> de::MapAccess<'de> for &mut Items<'_, 'de> {
    type Error = CodecError;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, CodecError> {
        if self.more()? { seed.deserialize(&mut *self.outer).map(Some) } else { Ok(None) }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, CodecError> {
        seed.deserialize(&mut *self.outer)
    }

    fn size_hint(&self) -> Option<usize> {
        de::SeqAccess::size_hint(self)
    }
}

impl<'de> de::EnumAccess<'de> for &mut Items<'_, 'de> {
    type Error = CodecError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(
        mut self,
        seed: S,
    ) -> Result<(S::Value, Self), CodecError> {
        match de::MapAccess::next_key_seed(&mut self, seed)? {
            Some(name) => Ok((name, self)),
            None => Err(CodecError("an empty map, not a variant".into())),
        }
    }
}

impl<'de> de::VariantAccess<'de> for &mut Items<'_, 'de> {
    type Error = CodecError;

    fn unit_variant(self) -> Result<(), CodecError> {
        de::Deserialize::deserialize(&mut *self.outer)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<S::Value, CodecError> {
        seed.deserialize(&mut *self.outer)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, CodecError> {
        de::Deserializer::deserialize_any(&mut *self.outer, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        de::Deserializer::deserialize_any(&mut *self.outer, visitor)
    }
}

/// An artifact in a format that is not CBOR: its bytes are the value.
pub(super) enum Whole {
    Text(String),
    Bytes(Vec<u8>),
}

impl<'de> de::Deserializer<'de> for Whole {
    type Error = CodecError;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self {
            Self::Text(text) => {
                let text: StringDeserializer<CodecError> = text.into_deserializer();
                text.deserialize_any(visitor)
            }
            Self::Bytes(bytes) => visitor.visit_byte_buf(bytes),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
