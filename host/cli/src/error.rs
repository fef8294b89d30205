//! Errors as the user meets them: what happened, and the exit code.

use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::output::Output;

/// What `main` returns when the flow failed, or could not be run.
pub(crate) const FAILED: u8 = 1;
/// What it returns when the command line was wrong.
pub(crate) const USAGE: u8 = 2;
/// What it returns when it was interrupted: 128 and the number of SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Why the command could not do what it was asked for.
#[derive(Debug)]
pub(crate) struct CliError {
    error: anyhow::Error,
    code: u8,
}

pub(crate) type Result<T = ()> = std::result::Result<T, CliError>;

impl CliError {
    /// The command line asked for something that cannot be.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), code: USAGE }
    }

    /// Somebody stopped it before there was a run.
    pub(crate) fn interrupted(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), code: INTERRUPTED }
    }

    /// Something failed.
    pub(crate) fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), code: FAILED }
    }

    /// Tells the user, and gives the exit code.
    pub(crate) fn report(&self, output: &mut Output) -> ExitCode {
        let broken_pipe = |cause: &(dyn Error + 'static)| {
            cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
        };
        if self.error.chain().any(broken_pipe) {
            // Whoever read our output has seen enough.
            return ExitCode::SUCCESS;
        }
        output.error(&self.to_string());
        ExitCode::from(self.code)
    }
}

impl fmt::Display for CliError {
    /// The error and its causes, each that says something new.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = String::new();
        for cause in self.error.chain() {
            let text = cause.to_string();
            if told.is_empty() {
                told = text;
            } else if !told.contains(&text) {
                told += ": ";
                told += &text;
            }
        }
        f.write_str(&told)
    }
}

impl<E: Into<anyhow::Error>> From<E> for CliError {
    fn from(error: E) -> Self {
        Self::failed(error)
    }
}
