//! What a foreach may go over, so that the compiler knows.

use crate::artifact::Artifact;
use crate::param::Param;
use crate::values::Json;
use std::collections::{BTreeSet, HashSet, VecDeque};

/// A list.
#[diagnostic::on_unimplemented(
    message = "a foreach goes over a list, which `{Self}` is not",
    label = "no list",
    note = "lists are Vec, VecDeque, BTreeSet, HashSet, arrays, boxed slices, and Json values"
)]
pub trait List {}

/// A list of these items.
#[diagnostic::on_unimplemented(
    message = "the items of the foreach's list, a `{Self}`, are not of type `{T}`",
    label = "not the type of the items"
)]
pub trait ListOf<T>: List {}

macro_rules! lists {
    ($($list:ty),*) => {$(
        impl<T> List for $list {}
        impl<T> ListOf<T> for $list {}
    )*};
}

lists!(Vec<T>, VecDeque<T>, BTreeSet<T>, HashSet<T>, Box<[T]>);

impl<T, const N: usize> List for [T; N] {}
impl<T, const N: usize> ListOf<T> for [T; N] {}

// What such a value holds is only known when it is there.
impl List for serde_json::Value {}
impl<T> ListOf<T> for serde_json::Value {}

impl<L: List> List for Json<L> {}
impl<L: ListOf<T>, T> ListOf<T> for Json<L> {}

/// A field that holds an `L`.
pub trait Field<L> {}

impl<L> Field<L> for Artifact<L> {}
impl<L> Field<L> for Param<L> {}

/// Compiles if the field holds a list.
pub fn is_list<L: List>(_: &impl Field<L>) {}

/// Compiles if the field holds a list of `T`.
pub fn is_list_of<L: ListOf<T>, T>(_: &impl Field<L>) {}

/// What a switch may look at.
#[diagnostic::on_unimplemented(
    message = "a switch looks at a string, an integer or a bool, which `{Self}` is not"
)]
pub trait Switch {
    /// What its cases are written as.
    type Case;
}

impl Switch for String {
    type Case = &'static str;
}

macro_rules! switches {
    ($($ty:ty),*) => {$(
        impl Switch for $ty {
            type Case = Self;
        }
    )*};
}

switches!(bool, i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

/// Compiles if a switch can look at the field, and what it returns with each of its cases if
/// the field can ever have it.
pub fn is_switch<T: Switch>(_: &impl Field<T>) -> fn(T::Case) {
    |_| ()
}
