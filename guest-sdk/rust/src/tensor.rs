//! Arrays of numbers.

use crate::codec::NPY_MARK;
use crate::error::{Error, Result};
use crate::values::{AsBytes, BytesVisitor};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::ops::{Deref, DerefMut};

/// Numbers in any number of dimensions, for data in bulk: an array of a million floats is moved
/// as it lies in memory.
///
/// As a whole artifact it is `application/x-npy`, byte for byte what `numpy.save` writes. It
/// dereferences to the slice of its elements, the last dimension varying fastest.
///
/// ```
/// # use wflow_sdk::Tensor;
/// let table = Tensor::new([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// assert_eq!(table.shape(), [2, 3]);
/// assert_eq!(table.row(1), [4.0, 5.0, 6.0]);
/// assert_eq!(table.iter().sum::<f64>(), 21.0);
/// # Ok::<(), wflow_sdk::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor<T> {
    shape: Vec<usize>,
    elements: Vec<T>,
}

impl<T> Tensor<T> {
    /// A tensor of that shape.
    ///
    /// # Errors
    ///
    /// If the shape is not one of as many elements.
    #[track_caller]
    pub fn new(shape: impl Into<Vec<usize>>, elements: Vec<T>) -> Result<Self> {
        let (shape, count) = (shape.into(), elements.len());
        if size(&shape) == Some(count) {
            Ok(Self { shape, elements })
        } else {
            Err(Error::msg(format_args!(
                "{count} elements do not make a tensor of shape {shape:?}"
            )))
        }
    }

    /// How long it is in each dimension.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// What is at `position` of the first dimension: the row of a table.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    #[track_caller]
    pub fn row(&self, position: usize) -> &[T] {
        let len = self.shape.iter().skip(1).product::<usize>();
        &self.elements[position * len..][..len]
    }

    /// All its elements.
    pub fn into_vec(self) -> Vec<T> {
        self.elements
    }
}

/// One dimension.
impl<T> From<Vec<T>> for Tensor<T> {
    fn from(elements: Vec<T>) -> Self {
        Self { shape: vec![elements.len()], elements }
    }
}

impl<T> Deref for Tensor<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.elements
    }
}

impl<T> DerefMut for Tensor<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.elements
    }
}

/// A type of number that a [`Tensor`] may hold. The list is closed.
pub trait Element: bytemuck::NoUninit + private::Sealed {
    /// What `npy` calls it.
    #[doc(hidden)]
    const NPY: &'static str;

    /// The element that these bytes are, the least significant first.
    #[doc(hidden)]
    fn from_le(bytes: &[u8]) -> Self;

    /// Appends those bytes.
    #[doc(hidden)]
    fn write_le(self, out: &mut Vec<u8>);
}

mod private {
    pub trait Sealed {}
}

macro_rules! elements {
    ($($ty:ty: $npy:literal),*) => {$(
        impl private::Sealed for $ty {}

        impl Element for $ty {
            const NPY: &'static str = $npy;

            fn from_le(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<Self>()];
                own.copy_from_slice(bytes);
                Self::from_le_bytes(own)
            }

            fn write_le(self, out: &mut Vec<u8>) {
                out.extend(self.to_le_bytes());
            }
        }
    )*};
}

elements!(
    f32: "<f4", f64: "<f8", i8: "|i1", i16: "<i2", i32: "<i4", i64: "<i8", u8: "|u1", u16: "<u2",
    u32: "<u4", u64: "<u8"
);

impl private::Sealed for bool {}

impl Element for bool {
    const NPY: &'static str = "|b1";

    fn from_le(bytes: &[u8]) -> Self {
        bytes != [0]
    }

    fn write_le(self, out: &mut Vec<u8>) {
        out.push(self.into());
    }
}

/// The number of elements, if it can be counted.
fn size(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |size, &len| size.checked_mul(len))
}

/// The bytes that every file starts with.
const MAGIC: &[u8] = b"\x93NUMPY";

/// What stands before the elements, with the paddings of `numpy`, so that equal arrays have
/// equal bytes in all languages.
fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let mut tuple = String::new();
    for (at, len) in shape.iter().enumerate() {
        tuple.push_str(if at == 0 { "" } else { " " });
        tuple.push_str(&format!("{len},"));
    }
    if shape.len() > 1 {
        tuple.pop();
    }
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({tuple}), }}");
    if let Some(first) = shape.first() {
        // Room for the first dimension to grow in place, up to 21 digits.
        text.extend(std::iter::repeat_n(' ', 21usize.saturating_sub(first.to_string().len())));
    }
    let before = MAGIC.len() + 4;
    let padding = 64 - (before + text.len() + 1) % 64;
    text.extend(std::iter::repeat_n(' ', padding));
    text.push('\n');

    let mut out = MAGIC.to_vec();
    out.extend([1, 0]);
    // 64 KiB of header would be some thousand dimensions.
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.as_bytes());
    out
}

/// The elements as bytes, which they are already where numbers lie that way in memory.
fn le_bytes<T: Element>(elements: &[T]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        return Cow::Borrowed(bytemuck::cast_slice(elements));
    }
    let mut out = Vec::with_capacity(size_of_val(elements));
    elements.iter().for_each(|element| element.write_le(&mut out));
    Cow::Owned(out)
}

fn parse<T: Element>(bytes: &[u8]) -> std::result::Result<Tensor<T>, &'static str> {
    const SHORT: &str = "the npy data is cut off";
    let rest = bytes.strip_prefix(MAGIC).ok_or("not in npy format")?;
    let (major, rest) = match rest {
        [major, _, rest @ ..] => (*major, rest),
        _ => return Err(SHORT),
    };
    let width = match major {
        1 => 2,
        2 | 3 => 4,
        _ => return Err("an npy version later than 3"),
    };
    let (len, rest) = rest.split_at_checked(width).ok_or(SHORT)?;
    let len = len.iter().rev().fold(0usize, |len, &byte| len << 8 | usize::from(byte));
    let (text, data) = rest.split_at_checked(len).ok_or(SHORT)?;
    let text = str::from_utf8(text).map_err(|_| "the npy header is not text")?;

    if entry(text, "fortran_order")?.starts_with("True") {
        return Err("the npy data is in Fortran order, not in C order");
    }
    let descr = entry(text, "descr")?.get(1..).unwrap_or_default();
    if !descr.strip_prefix(T::NPY).is_some_and(|rest| rest.starts_with(['\'', '"'])) {
        return Err("the elements are of another type");
    }
    let tuple = entry(text, "shape")?;
    let tuple = tuple.strip_prefix('(').and_then(|tuple| tuple.split(')').next());
    let tuple = tuple.ok_or("the npy header has no shape")?;
    let lens = tuple.split(',').map(str::trim).filter(|len| !len.is_empty());
    let shape: Vec<usize> = lens
        .map(|len| len.parse().map_err(|_| "the npy header has no shape"))
        .collect::<Result<_, _>>()?;

    let count = size(&shape).ok_or("the shape is too large")?;
    if count.checked_mul(size_of::<T>()) != Some(data.len()) {
        return Err("the shape does not fit the number of elements");
    }
    let elements = data.chunks_exact(size_of::<T>()).map(T::from_le).collect();
    Ok(Tensor { shape, elements })
}

/// What follows a key of the header.
fn entry<'a>(text: &'a str, key: &str) -> std::result::Result<&'a str, &'static str> {
    let at = text.find(key).ok_or("the npy header lacks a key")?;
    let rest = &text[at + key.len()..];
    let (_, rest) = rest.split_once(':').ok_or("the npy header lacks a value")?;
    Ok(rest.trim_start())
}

impl<T: Element> Serialize for Tensor<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let header = header(T::NPY, &self.shape);
        let pieces = (AsBytes(&header), AsBytes(&le_bytes(&self.elements)));
        serializer.serialize_newtype_struct(NPY_MARK, &pieces)
    }
}

impl<'de, T: Element> Deserialize<'de> for Tensor<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let bytes = deserializer.deserialize_newtype_struct(NPY_MARK, BytesVisitor)?;
        parse(&bytes).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    fn through<T: Element>(tensor: &Tensor<T>) -> Tensor<T> {
        let raw = codec::encode(tensor).unwrap();
        assert_eq!(raw.format, "application/x-npy");
        codec::decode(&raw.format, raw.data.into()).unwrap()
    }

    #[test]
    fn header_is_that_of_numpy() {
        // numpy.save of numpy.zeros((3,)), (2, 3) and ().
        for (shape, text) in [
            (&[3][..], "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }"),
            (&[2, 3], "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }"),
            (&[], "{'descr': '<f8', 'fortran_order': False, 'shape': (), }"),
        ] {
            let header = header("<f8", shape);
            assert_eq!(header[..10], *b"\x93NUMPY\x01\x00\x76\x00");
            assert_eq!(header.len(), 128);
            assert_eq!(str::from_utf8(&header[10..]).unwrap().trim_end(), text);
            assert!(header.ends_with(b" \n"));
        }
    }

    #[test]
    fn comes_back_as_it_was() {
        let table = Tensor::new([2, 2], vec![1.5f32, -0.0, f32::MAX, 3.0]).unwrap();
        assert_eq!(through(&table), table);
        assert_eq!(through(&Tensor::from(vec![true, false])).to_vec(), [true, false]);
        assert_eq!(through(&Tensor::<i16>::from(vec![])).shape(), [0]);
        let scalar = Tensor::new([], vec![7u64]).unwrap();
        assert_eq!(through(&scalar), scalar);
    }

    #[test]
    fn within_other_values_it_is_bytes() {
        let pair = ("x".to_owned(), Tensor::from(vec![1i32, 2]));
        let raw = codec::encode(&pair).unwrap();
        assert_eq!(raw.format, "application/cbor");
        let back: (String, Tensor<i32>) = codec::decode(&raw.format, raw.data.into()).unwrap();
        assert_eq!(back, pair);
        let some = codec::encode(&Some(Tensor::from(vec![1u8]))).unwrap();
        assert_eq!(some.format, "application/x-npy");
        let none = codec::encode(&None::<Tensor<u8>>).unwrap();
        assert_eq!((none.format.as_str(), &none.data[..]), ("application/cbor", &[0xf6][..]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Tensor::new([2, 2], vec![1, 2, 3]).is_err());
        assert!(Tensor::new([usize::MAX, 2], Vec::<u8>::new()).is_err());
        let good = codec::encode(&Tensor::from(vec![1.0f64, 2.0])).unwrap().data;
        assert!(parse::<f64>(&good).is_ok());
        assert!(parse::<i64>(&good).is_err(), "another type");
        for end in 0..good.len() {
            assert!(parse::<f64>(&good[..end]).is_err(), "cut off at {end}");
        }
        let text = String::from_utf8_lossy(&good).replace("False", "True ");
        assert!(parse::<f64>(text.as_bytes()).is_err());
    }
}
