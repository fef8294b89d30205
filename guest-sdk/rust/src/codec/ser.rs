//! Deterministic CBOR from serde.

use super::number::{float, header};
use super::{CBOR, CodecError, MARK, MAX_DEPTH};
use serde::ser::{self, Serialize};

/// Writes one value. What it holds so far is always deterministic CBOR, or, in a value with a
/// format of its own, its bare bytes.
pub(super) struct Serializer {
    pub(super) out: Vec<u8>,
    pub(super) format: &'static str,
    /// Nothing has been written and no container is open: the next is the whole value.
    whole: bool,
    /// Text and bytes are written without their headers.
    bare: bool,
    depth: usize,
}

type Done = Result<(), CodecError>;

impl Serializer {
    pub(super) fn top() -> Self {
        Self { out: Vec::new(), format: CBOR, whole: true, bare: false, depth: 0 }
    }

    /// A serialiser for a part that is put in its place later.
    fn part(&self, bare: bool) -> Self {
        Self { out: Vec::new(), format: CBOR, whole: false, bare, depth: self.depth }
    }

    /// Where the next item is written.
    fn next(&mut self) -> &mut Vec<u8> {
        self.whole = false;
        &mut self.out
    }

    /// Writes text (major type 3) or bytes (2).
    fn string(&mut self, major: u8, bytes: &[u8]) {
        if !self.bare {
            header(self.next(), major, bytes.len() as u64);
        }
        self.next().extend(bytes);
    }

    fn descend(&mut self) -> Done {
        self.whole = false;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(CodecError(format!("the value nests deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    /// Starts an array; of unknown length, it is collected first.
    fn array(&mut self, len: Option<usize>) -> Result<Seq<'_>, CodecError> {
        self.descend()?;
        let held = match len {
            Some(len) => {
                header(self.next(), 4, len as u64);
                None
            }
            None => Some((self.part(false), 0)),
        };
        Ok(Seq { outer: self, held })
    }

    fn map(&mut self, len: usize) -> Result<Map<'_>, CodecError> {
        self.descend()?;
        let entries = Vec::with_capacity(len.min(4096));
        let part = self.part(false);
        Ok(Map { outer: self, part, entries })
    }

    /// Starts the map of one entry that a variant with content is.
    fn variant(&mut self, variant: &'static str) -> Done {
        self.descend()?;
        header(self.next(), 5, 1);
        self.string(3, variant.as_bytes());
        Ok(())
    }

    /// An integer of any size: as a number where one fits, else as a bignum.
    fn integer(&mut self, negative: bool, magnitude: u128) {
        match u64::try_from(magnitude) {
            Ok(small) if negative => header(self.next(), 1, small),
            Ok(small) => header(self.next(), 0, small),
            Err(_) => {
                let bytes = magnitude.to_be_bytes();
                let first = bytes.iter().position(|&byte| byte != 0).unwrap_or(0);
                header(self.next(), 6, if negative { 3 } else { 2 });
                self.string(2, &bytes[first..]);
            }
        }
    }
}

impl<'a> ser::Serializer for &'a mut Serializer {
    type Ok = ();
    type Error = CodecError;
    type SerializeSeq = Seq<'a>;
    type SerializeTuple = Seq<'a>;
    type SerializeTupleStruct = Seq<'a>;
    type SerializeTupleVariant = Seq<'a>;
    type SerializeMap = Map<'a>;
    type SerializeStruct = Map<'a>;
    type SerializeStructVariant = Map<'a>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Done {
        self.next().push(if value { 0xf5 } else { 0xf4 });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Done {
        // The number of a negative integer n is -1 - n, which is its complement.
        if value < 0 {
            header(self.next(), 1, !value as u64);
            Ok(())
        } else {
            self.serialize_u64(value as u64)
        }
    }

    fn serialize_i128(self, value: i128) -> Done {
        let magnitude = if value < 0 { !value } else { value };
        self.integer(value < 0, magnitude as u128);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Done {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Done {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Done {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Done {
        header(self.next(), 0, value);
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Done {
        self.integer(false, value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Done {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Done {
        float(self.next(), value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Done {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Done {
        self.string(3, value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.string(2, value);
        Ok(())
    }

    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        let start = self.out.len();
        value.serialize(&mut *self)?;
        if !self.bare && self.out[start..] == [0xf6] {
            let message = "a `Some` that holds nothing, as `Some(None)` or `Some(())`, would be \
                           read as `None`";
            return Err(CodecError(message.into()));
        }
        Ok(())
    }

    fn serialize_unit(self) -> Done {
        self.next().push(0xf6);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Done {
        let Some(format) = name.strip_prefix(MARK) else { return value.serialize(self) };
        if self.whole {
            self.format = format;
            self.bare = true;
            return value.serialize(self);
        }
        if format == super::TEXT {
            return value.serialize(self);
        }
        let mut part = self.part(true);
        value.serialize(&mut part)?;
        self.serialize_bytes(&part.out)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        self.variant(variant)?;
        value.serialize(&mut *self)?;
        self.depth -= 1;
        Ok(())
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Seq<'a>, CodecError> {
        self.array(len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Seq<'a>, CodecError> {
        if self.bare {
            // The pieces of one value, one after the other.
            self.depth += 1;
            return Ok(Seq { outer: self, held: None });
        }
        self.array(Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Seq<'a>, CodecError> {
        self.array(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Seq<'a>, CodecError> {
        self.variant(variant)?;
        self.depth -= 1;
        self.array(Some(len))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Map<'a>, CodecError> {
        self.map(len.unwrap_or(0))
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Map<'a>, CodecError> {
        self.map(len)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Map<'a>, CodecError> {
        self.variant(variant)?;
        self.depth -= 1;
        self.map(len)
    }
}

/// An array in the making.
pub(super) struct Seq<'a> {
    outer: &'a mut Serializer,
    /// The items so far and their number, where the number has to be known first.
    held: Option<(Serializer, u64)>,
}

impl Seq<'_> {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        match &mut self.held {
            Some((part, count)) => {
                *count += 1;
                value.serialize(part)
            }
            None => value.serialize(&mut *self.outer),
        }
    }

    fn finish(self) -> Done {
        if let Some((part, count)) = self.held {
            header(self.outer.next(), 4, count);
            self.outer.out.extend(part.out);
        }
        self.outer.depth -= 1;
        Ok(())
    }
}

/// A map in the making. Its entries are sorted when all are there.
pub(super) struct Map<'a> {
    outer: &'a mut Serializer,
    /// All entries so far, one after the other.
    part: Serializer,
    /// Where in `part` each entry starts, and its value.
    entries: Vec<(usize, usize)>,
}

impl Map<'_> {
    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        let start = self.part.out.len();
        key.serialize(&mut self.part)?;
        self.entries.push((start, self.part.out.len()));
        Ok(())
    }

    fn finish(self) -> Done {
        let bytes = &self.part.out;
        let ends = self.entries.iter().skip(1).map(|&(start, _)| start).chain([bytes.len()]);
        let mut entries: Vec<_> = self
            .entries
            .iter()
            .zip(ends)
            .map(|(&(start, value), end)| (&bytes[start..value], &bytes[value..end]))
            .collect();
        if !entries.is_sorted_by(|a, b| a.0 < b.0) {
            entries.sort_unstable_by_key(|entry| entry.0);
            if entries.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                return Err(CodecError("a map has a key twice".into()));
            }
        }
        let out = &mut self.outer.out;
        header(out, 5, entries.len() as u64);
        for (key, value) in entries {
            out.extend(key);
            out.extend(value);
        }
        self.outer.depth -= 1;
        Ok(())
    }
}

macro_rules! sequence {
    ($($name:ident $method:ident),*) => {$(
        impl ser::$name for Seq<'_> {
            type Ok = ();
            type Error = CodecError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.push(value)
            }

            fn end(self) -> Done {
                self.finish()
            }
        }
    )*};
}

sequence!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

impl ser::SerializeMap for Map<'_> {
    type Ok = ();
    type Error = CodecError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut self.part)
    }

    fn end(self) -> Done {
        self.finish()
    }
}

macro_rules! structure {
    ($($name:ident),*) => {$(
        impl ser::$name for Map<'_> {
            type Ok = ();
            type Error = CodecError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Done {
                self.key(key)?;
                value.serialize(&mut self.part)
            }

            fn end(self) -> Done {
                self.finish()
            }
        }
    )*};
}

structure!(SerializeStruct, SerializeStructVariant);
