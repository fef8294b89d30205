//! The vocabulary of wflow: graphs, parameters, pathspecs, artifacts, and the records of tasks
//! and runs.
//!
//! Everything here is plain data and the rules that hold for it. This crate does no input or
//! output, knows no WebAssembly, and never blocks, so every other crate can build on it.

pub mod cbor;
pub mod digest;
pub mod grant;
pub mod graph;
pub mod lookup;
pub mod name;
pub mod parameter;
pub mod pathspec;
pub mod record;
pub mod tag;
pub mod task;

pub use digest::Digest;
pub use grant::Grant;
pub use grant::Grants;
pub use name::Name;
pub use tag::Tag;
pub use task::TaskId;
