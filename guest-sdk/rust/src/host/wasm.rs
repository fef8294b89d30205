//! The host itself.

pub(crate) use crate::bindings::wflow::flow::artifacts::{
    Reader, Writer, create, get, item, names, open, put, remove,
};
pub(crate) use crate::bindings::wflow::flow::inputs::{
    count as input_count, get as input_get, merge, open as input_open, step as input_step,
};
pub(crate) use crate::bindings::wflow::flow::task::{fail, identify, log, now, random, run_id};
