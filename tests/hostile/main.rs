//! Flows that are written to do harm. Each has to end in one clear error, within its limits, and
//! leave the process so that the next flow runs well in it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod arena;
mod authority;
mod borders;
mod compiling;
mod describing;
mod documents;
mod exhaustion;
mod guest;
mod handles;
mod many;
mod spreading;
