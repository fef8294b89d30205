//! Parameters: the fields of a flow that whoever starts a run sets.

use crate::artifact::Bind;
use crate::error::Result;
use crate::flow::shown;
use crate::source::{Place, Source};
use crate::values::{Bytes, Json, Text};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::OnceCell;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;
use std::panic::Location;

/// A field of a flow that is set when a run starts, and never changes.
///
/// It dereferences to its value, which is read when it is first looked at. Its type says what
/// is accepted: a [`String`], an integer, a float, a `bool`, [`Json<T>`](Json) for anything
/// else, or a file as [`Text`] or [`Bytes`]. One that may be left out, and has no default, is
/// an `Option` of these.
pub struct Param<T> {
    name: &'static str,
    value: OnceCell<T>,
}

impl<T: DeserializeOwned> Param<T> {
    /// Its value, or why there is none.
    ///
    /// # Errors
    ///
    /// If what was given is no `T`, such as 300 where `T` is `u8`.
    #[track_caller]
    pub fn load(&self) -> Result<&T> {
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        match Place::Task(self.name).load() {
            Ok(value) => Ok(self.value.get_or_init(|| value)),
            Err(error) => Err(error.at(Location::caller())),
        }
    }
}

impl<T> Bind for Param<T> {
    fn bind(_: &Source, name: &'static str) -> Self {
        // Every task of a run has the same parameters, the inputs of a join among them.
        Self { name, value: OnceCell::new() }
    }
}

/// What can be assigned, for the compiler to say that a parameter cannot.
#[diagnostic::on_unimplemented(
    message = "a parameter cannot be assigned: it is set when the run starts, and never changes",
    label = "a parameter",
    note = "what a step sets is an artifact: a field of type `Artifact<T>`"
)]
pub trait Assigned {}

#[doc(hidden)]
impl<T, U> From<U> for Param<T>
where
    Self: Assigned,
{
    fn from(_: U) -> Self {
        unreachable!("nothing is `Assigned`")
    }
}

impl<T: DeserializeOwned> Deref for Param<T> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        match self.load() {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }
}

impl<T: fmt::Display + DeserializeOwned> fmt::Display for Param<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(self.load()).fmt(f)
    }
}

impl<T: fmt::Debug + DeserializeOwned> fmt::Debug for Param<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.load() {
            Ok(value) => value.fmt(f),
            Err(error) => write!(f, "<{error}>"),
        }
    }
}

impl<T: PartialEq<U> + DeserializeOwned, U: ?Sized> PartialEq<U> for Param<T> {
    #[track_caller]
    fn eq(&self, other: &U) -> bool {
        **self == *other
    }
}

impl<T: PartialOrd<U> + DeserializeOwned, U: ?Sized> PartialOrd<U> for Param<T> {
    #[track_caller]
    fn partial_cmp(&self, other: &U) -> Option<Ordering> {
        (**self).partial_cmp(other)
    }
}

/// What a parameter may be.
#[diagnostic::on_unimplemented(
    message = "a parameter cannot be of type `{Self}`",
    note = "it is a String, an integer, a float, a bool, a file as Text or Bytes, or Json<T> for any serde type"
)]
pub trait ParamType {
    /// What the contract calls it.
    const KIND: &'static str;
    /// The type of its default: a path for a file, else its own.
    type Default: Serialize;
}

macro_rules! param_types {
    ($($kind:literal: $($ty:ty),+;)*) => {$($(
        impl ParamType for $ty {
            const KIND: &'static str = $kind;
            type Default = Self;
        }
    )+)*};
}

param_types! {
    "string": String;
    "int": i8, i16, i32, i64, isize, u8, u16, u32, u64, usize;
    "float": f32, f64;
    "bool": bool;
}

impl<T: Serialize> ParamType for Json<T> {
    const KIND: &'static str = "json";
    type Default = Self;
}

impl ParamType for Text {
    const KIND: &'static str = "text";
    type Default = String;
}

impl ParamType for Bytes {
    const KIND: &'static str = "bytes";
    type Default = String;
}

impl<T: ParamType> ParamType for Option<T> {
    const KIND: &'static str = T::KIND;
    type Default = T::Default;
}
