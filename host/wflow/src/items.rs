//! The items of a foreach.

use std::ops::Range;
use std::sync::Arc;

use wflow_model::cbor;
use wflow_model::cbor::CborError;
use wflow_sandbox::Value;

/// A list, and where its items are. Split once, and shared by all tasks of the foreach.
#[derive(Debug)]
pub(crate) struct Items {
    name: Arc<str>,
    list: Value,
    places: Vec<Range<usize>>,
}

impl Items {
    /// Finds the items of the list that is the artifact of that name, and how many there are. Of
    /// more than `most` none has a place.
    pub(crate) fn split(name: &str, list: Value, most: usize) -> Result<(Self, usize), CborError> {
        let (places, count) = cbor::items_up_to(&list.format, &list.data, most)?;
        Ok((Self { name: name.into(), list, places }, count))
    }

    /// The name of the artifact that the list is, shared.
    pub(crate) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// Where the item at a position stands.
    pub(crate) fn place(&self, index: u32) -> Option<Range<usize>> {
        self.places.get(index as usize).cloned()
    }

    /// The item at a position, by itself.
    pub(crate) fn get(&self, index: u32) -> Option<Value> {
        let place = self.place(index)?;
        Some(Value { format: Arc::clone(&self.list.format), data: self.list.data[place].into() })
    }
}
