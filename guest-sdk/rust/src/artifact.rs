//! Artifacts: the fields of a flow that cross from step to step.

use crate::codec;
use crate::error::{Error, Result};
use crate::host;
use crate::source::{Place, Source};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::OnceCell;
use std::cmp::Ordering;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::rc::Rc;

/// A field of a flow that is kept from step to step.
///
/// It is read when it is first looked at and written, if it was changed, when the step is
/// done; what a step does not touch is not moved. It looks like a `T`: it dereferences to
/// one, prints like one and compares with one.
///
/// ```no_run
/// # use wflow_sdk::prelude::*;
/// # struct F { count: Artifact<i64>, name: Artifact<String> }
/// # impl F { fn step(&mut self) {
/// self.name = "dog".into(); // sets it, whatever it was
/// self.count = 0.into();
/// *self.count += 1; // reads it, changes it
/// if *self.count > 1 && self.name == "dog" {
///     println!("{} {}", self.count, self.name.len());
/// }
/// # } }
/// ```
///
/// Looking at an artifact that no earlier step has set is a panic, which fails the step with
/// the name of the artifact and the line that looked; [`load`](Self::load) returns the error
/// instead.
///
/// Its own methods have names that no common type has for its, so that `self.list.get(0)` or
/// `self.map.remove("x")` mean the list and the map; but `self.name.clone()` clones the artifact.
/// A clone of an input's artifact is taken over as it is, without being decoded.
///
/// `None` is stored as null, and so is `()`; as `Some(None)` and `Some(())` would be read as
/// `None`, a step that sets such a value fails.
pub struct Artifact<T> {
    place: Place,
    value: OnceCell<T>,
    change: Change,
}

/// What the step has done to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Nothing.
    None,
    /// Its value is to be written.
    Set,
    /// It is to be removed.
    Unset,
}

impl<T> Artifact<T> {
    fn at(place: Place) -> Self {
        Self { place, value: OnceCell::new(), change: Change::None }
    }

    /// Sets it, as `self.name = value.into()` does.
    pub fn set(&mut self, value: T) {
        *self = value.into();
    }

    /// Takes it away, for the rest of this step and for those that follow.
    pub fn unset(&mut self) {
        self.place = Place::Nowhere;
        self.value = OnceCell::new();
        self.change = Change::Unset;
    }
}

impl<T: DeserializeOwned> Artifact<T> {
    /// Its value, or why there is none.
    ///
    /// # Errors
    ///
    /// If it is missing or is no `T`.
    #[track_caller]
    pub fn load(&self) -> Result<&T> {
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        match self.place.load() {
            Ok(value) => Ok(self.value.get_or_init(|| value)),
            Err(error) => Err(error.at(Location::caller())),
        }
    }

    /// Its value to change, or why there is none.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    #[track_caller]
    pub fn load_mut(&mut self) -> Result<&mut T> {
        let value = match self.value.take() {
            Some(value) => value,
            None => match self.place.load() {
                Ok(value) => value,
                Err(error) => return Err(error.at(Location::caller())),
            },
        };
        self.change = Change::Set;
        let _ = self.value.set(value);
        match self.value.get_mut() {
            Some(value) => Ok(value),
            None => unreachable!("the value has just been set"),
        }
    }

    /// The value itself, out of the artifact.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    #[track_caller]
    pub fn into_value(self) -> Result<T> {
        let location = Location::caller();
        match self.value.into_inner() {
            Some(value) => Ok(value),
            None => self.place.load().map_err(|error| error.at(location)),
        }
    }

    /// Whether there is a value. One that is there but is no `T` counts, too.
    pub fn is_set(&self) -> bool {
        match &self.place {
            _ if self.value.get().is_some() => true,
            // Opened, it moves no bytes.
            Place::Task(name) => host::open(name).is_ok(),
            place => place.with(|_| Ok(())).is_ok(),
        }
    }
}

/// What an artifact may hold.
#[diagnostic::on_unimplemented(
    message = "an artifact cannot hold `{Self}`: it, or what is in it, is no type of `serde`",
    label = "cannot be stored",
    note = "a type of your own becomes one by `#[value]` before its `struct` or `enum`, one of another crate often by its feature `serde`"
)]
pub trait Value: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Value for T {}

/// What the generated code does with an artifact whose type it need not know.
pub trait Slot {
    /// Makes it independent of other artifacts, which are about to be written.
    ///
    /// # Errors
    ///
    /// If it stands for another artifact that cannot be read.
    fn settle(&mut self, name: &'static str) -> Result<()>;

    /// Writes it if it was changed.
    ///
    /// # Errors
    ///
    /// If its value cannot be encoded or the host refuses it.
    fn commit(&mut self, name: &'static str) -> Result<()>;
}

impl<T: Value> Slot for Artifact<T> {
    fn settle(&mut self, name: &'static str) -> Result<()> {
        // So it is after `mem::swap` of two fields.
        if self.change == Change::None && matches!(self.place, Place::Task(other) if other != name)
        {
            let raw = self.place.with(|raw| Ok(raw.into_owned()))?;
            self.place = Place::Held(Rc::new(raw));
        }
        Ok(())
    }

    fn commit(&mut self, name: &'static str) -> Result<()> {
        match (self.change, self.value.get(), &self.place) {
            (Change::Set, Some(value), _) => {
                let raw = codec::encode(value).map_err(|error| {
                    Error::inner(error).context(format_args!("artifact `{name}`"))
                })?;
                put(name, &raw.format, &raw.data)?;
            }
            (Change::Unset, ..) => match host::remove(name) {
                Err(problem) if !problem.is_missing() => {
                    return Err(Error::inner(problem.about(name)));
                }
                _ => {}
            },
            (_, _, place @ (Place::Input(..) | Place::Held(_))) => {
                place.with(|raw| put(name, &raw.format, &raw.data))?;
            }
            _ => {}
        }
        self.change = Change::None;
        self.place = Place::Task(name);
        Ok(())
    }
}

/// The artifact for a visitor. The type is written out, so that it is there that it is wrong.
pub fn slot<T: Value>(artifact: &mut Artifact<T>) -> &mut dyn Slot
where
    Artifact<T>: Slot,
{
    artifact
}

fn put(name: &str, format: &str, data: &[u8]) -> Result<()> {
    host::put(name, format, data).map_err(|problem| Error::inner(problem.about(name)))
}

/// A field that the generated code binds to where it reads from.
pub trait Bind {
    /// The field of that name.
    fn bind(source: &Source, name: &'static str) -> Self;
}

impl<T> Bind for Artifact<T> {
    fn bind(source: &Source, name: &'static str) -> Self {
        Self::at(match source {
            Source::Task => Place::Task(name),
            Source::Input(joined, index) => Place::Input(joined.clone(), *index, name),
        })
    }
}

impl<T: DeserializeOwned> Deref for Artifact<T> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        match self.load() {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }
}

impl<T: DeserializeOwned> DerefMut for Artifact<T> {
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        match self.load_mut() {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }
}

impl<T> From<T> for Artifact<T> {
    fn from(value: T) -> Self {
        Self { place: Place::Nowhere, value: OnceCell::from(value), change: Change::Set }
    }
}

impl From<&str> for Artifact<String> {
    fn from(value: &str) -> Self {
        value.to_owned().into()
    }
}

impl<T, const N: usize> From<[T; N]> for Artifact<Vec<T>> {
    fn from(values: [T; N]) -> Self {
        Vec::from(values).into()
    }
}

impl<const N: usize> From<[&str; N]> for Artifact<Vec<String>> {
    fn from(values: [&str; N]) -> Self {
        values.map(str::to_owned).into()
    }
}

/// Unset.
impl<T> Default for Artifact<T> {
    fn default() -> Self {
        Self { change: Change::Unset, ..Self::at(Place::Nowhere) }
    }
}

impl<T: Clone + DeserializeOwned> Clone for Artifact<T> {
    /// What an input has is only referred to, as it cannot change; else the value is cloned.
    ///
    /// # Panics
    ///
    /// If it is missing, as in [`deref`](Deref::deref).
    #[track_caller]
    fn clone(&self) -> Self {
        match &self.place {
            Place::Input(..) if self.change == Change::None => {
                if let Err(error) = self.place.with(|_| Ok(())) {
                    panic!("{error}");
                }
                Self::at(self.place.clone())
            }
            _ => T::clone(self).into(),
        }
    }
}

impl<T: fmt::Display + DeserializeOwned> fmt::Display for Artifact<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::flow::shown(self.load()).fmt(f)
    }
}

impl<T: fmt::Debug + DeserializeOwned> fmt::Debug for Artifact<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.load() {
            Ok(value) => value.fmt(f),
            Err(error) => write!(f, "<{error}>"),
        }
    }
}

impl<T: PartialEq<U> + DeserializeOwned, U: ?Sized> PartialEq<U> for Artifact<T> {
    #[track_caller]
    fn eq(&self, other: &U) -> bool {
        **self == *other
    }
}

impl<T: PartialOrd<U> + DeserializeOwned, U: ?Sized> PartialOrd<U> for Artifact<T> {
    #[track_caller]
    fn partial_cmp(&self, other: &U) -> Option<Ordering> {
        (**self).partial_cmp(other)
    }
}
