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
    /// Finds the items of the list that is the artifact of that name.
    pub(crate) fn split(name: &str, list: Value) -> Result<Self, CborError> {
        let places = cbor::items(&list.format, &list.data)?;
        Ok(Self { name: name.into(), list, places })
    }

    /// The name of the artifact that the list is, shared.
    pub(crate) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// The item at a position, by itself.
    pub(crate) fn get(&self, index: u32) -> Option<Value> {
        let place = self.places.get(index as usize)?;
        Some(Value {
            format: Arc::clone(&self.list.format),
            data: self.list.data[place.clone()].into(),
        })
    }
}
