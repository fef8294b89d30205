//! What can go wrong around a run.

use std::path::PathBuf;

use wflow_model::graph::InvalidFlow;
use wflow_sandbox::AccessError;
use wflow_sandbox::DescribeError;
use wflow_sandbox::LoadError;
use wflow_sandbox::SandboxError;
use wflow_store::StoreError;

use crate::bind::ParameterError;
use crate::granting::Ungranted;
use crate::resume::ResumeError;

/// A flow could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// The file cannot be read.
    #[error("cannot read the flow '{path}': {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The file is no component for this host.
    #[error("'{path}' cannot be loaded: {error}")]
    Load {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: LoadError,
    },
    /// The component could not say what it is.
    #[error("'{path}': {error}")]
    Describe {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: DescribeError,
    },
    /// The flow breaks rules.
    #[error("'{path}' is not a valid flow:\n{error}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it.
        error: InvalidFlow,
    },
}

/// A flow could not be run, or the run could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A parameter is wrong. Nothing has begun.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// There is nothing to resume, or this flow cannot resume it. Nothing has begun.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// The flow wishes for what it is not granted. Nothing has begun.
    #[error(transparent)]
    Ungranted(#[from] Ungranted),
    /// Something is granted that is not there. Nothing has begun.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// It was cancelled while it took over the tasks to be reused. No run has begun.
    #[error("cancelled before the run began: nothing has changed")]
    Cancelled,
    /// The host was not set up for the limits; see [`crate::HostOptions::fit`]. Nothing has begun.
    #[error("{0}: set the host up for the limits of its tasks")]
    Limits(String),
    /// No thread could be started to run tasks on.
    #[error("no thread could be started to run tasks on: {0}")]
    Thread(std::io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The host could not be set up.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct HostError(#[from] SandboxError);
