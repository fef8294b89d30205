//! Runs the tasks of a flow: the only crate that knows the WebAssembly engine.
//!
//! A [`Sandbox`] loads the bytes of a flow into a [`Component`]: checked against the contract,
//! compiled, or found in the cache of compiled code. The component can then say what the flow
//! is ([`Component::describe`]) and run tasks ([`Component::run`]), each in a fresh instance
//! that has no authority of its own. What a task reads and writes goes through a [`TaskIo`]
//! that the caller provides: this crate knows no store and no schedule.
//!
//! Everything a guest can observe follows from the [`TaskContext`] and what the [`TaskIo`]
//! answers: clocks are virtual, random numbers are derived from the seed, NaNs are canonical.
//! What a guest can use is bounded by [`Limits`], and a guest that breaks one fails alone.

#![deny(missing_docs)]

mod access;
mod backtrace;
mod bounds;
mod cache;
mod clock;
mod contract;
mod encode;
mod engine;
mod error;
mod exceeded;
mod io;
mod limits;
mod load;
mod random;
mod run;
mod sniff;
mod state;
mod trap;
mod wasi;
mod world;

pub use access::Access;
pub use access::AccessError;
pub use contract::GuestFailure;
pub use contract::RUN_ID;
#[doc(hidden)]
pub use encode::component as encode_component;
pub use engine::ENGINE;
pub use engine::Sandbox;
pub use engine::SandboxOptions;
pub use engine::engine_config;
pub use error::DescribeError;
pub use error::LoadError;
pub use error::SandboxError;
pub use error::TaskError;
pub use error::Trap;
pub use exceeded::Exceeded;
pub use io::ArtifactRead;
pub use io::ArtifactWrite;
pub use io::Channel;
pub use io::Frame;
pub use io::MAX_READ;
pub use io::Problem;
pub use io::TaskContext;
pub use io::TaskIo;
pub use io::Value;
pub use limits::CancelToken;
pub use limits::Limits;
pub use load::Component;
pub use run::Ended;
