//! Runs flows.
//!
//! A flow is a WebAssembly component that describes a graph of steps. A [`Host`] loads it into
//! a [`Flow`]; [`Flow::run`] runs it, each task in a fresh instance, and keeps everything that
//! the tasks produced in a [`Store`]; [`client`] reads it back, while the run is going on or
//! long after.
//!
//! This crate prints nothing, reads no environment variable but those that are granted to a flow,
//! and leaves the terminal alone:
//! who wants to watch a run gives it an [`event::Observer`].

#![deny(missing_docs)]

mod bind;
pub mod client;
mod context;
mod driver;
mod environment;
mod error;
pub mod event;
mod execute;
mod flow;
mod granting;
mod items;
mod join;
mod log;
mod options;
mod output;
mod pieces;
mod quota;
mod replay;
mod resume;
mod reuse;
mod run;
mod sample;
mod schedule;
mod session;
mod shelf;
mod slots;
mod trace;
mod transition;
mod verify;

pub use bind::Arguments;
pub use bind::ParameterError;
pub use error::FlowError;
pub use error::HostError;
pub use error::RunError;
pub use flow::Flow;
pub use flow::Host;
pub use flow::HostOptions;
pub use granting::Ungranted;
pub use options::DEFAULT_LOGICAL_TIME;
pub use options::DEFAULT_MAX_NUM_SPLITS;
pub use options::ParameterInput;
pub use options::RunOptions;
pub use options::Source;
pub use resume::Resume;
pub use resume::ResumeError;
pub use run::FailedTask;
pub use run::RunReport;
pub use verify::Difference;
pub use verify::Finding;
pub use verify::Found;
pub use verify::Verify;
pub use verify::VerifyError;
pub use verify::VerifyReport;
pub use wflow_model as model;
pub use wflow_sandbox::AccessError;
pub use wflow_sandbox::CancelToken;
pub use wflow_sandbox::Limits;
pub use wflow_store::Collected;
pub use wflow_store::Progress;
pub use wflow_store::Selection;
pub use wflow_store::Spared;
pub use wflow_store::Store;
pub use wflow_store::StoreError;
