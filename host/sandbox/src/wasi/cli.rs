//! `wasi:cli`: the environment that was granted, no terminal, standard streams.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynInputStream;
use wasmtime_wasi::p2::DynOutputStream;
use wasmtime_wasi::p2::bindings::cli;

use super::streams::STDERR;
use super::streams::STDIN;
use super::streams::STDOUT;
use crate::state::State;

/// The guest ended itself through `wasi:cli/exit`. With which code is not known: all but 0 are
/// one failure to it, and so to the adapter of preview 1.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{}", self.in_words())]
pub(crate) struct Exit {
    failed: bool,
}

impl Exit {
    /// What happened.
    pub(crate) fn in_words(self) -> &'static str {
        if self.failed {
            "it exited with a failure instead of returning"
        } else {
            "it exited instead of returning"
        }
    }
}

impl cli::exit::Host for State {
    fn exit(&mut self, status: Result<(), ()>) -> wasmtime::Result<()> {
        Err(Exit { failed: status.is_err() }.into())
    }

    fn exit_with_code(&mut self, code: u8) -> wasmtime::Result<()> {
        Err(Exit { failed: code != 0 }.into())
    }
}

impl cli::environment::Host for State {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        if self.access.has_host_variables() {
            self.let_in("wasi:cli/environment");
        }
        Ok(self.access.variables().to_vec())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
}

impl cli::stdin::Host for State {
    fn get_stdin(&mut self) -> wasmtime::Result<Resource<DynInputStream>> {
        Ok(Resource::new_own(STDIN))
    }
}

impl cli::stdout::Host for State {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        Ok(Resource::new_own(STDOUT))
    }
}

impl cli::stderr::Host for State {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        Ok(Resource::new_own(STDERR))
    }
}

impl cli::terminal_input::Host for State {}

impl cli::terminal_input::HostTerminalInput for State {
    fn drop(&mut self, _: Resource<cli::terminal_input::TerminalInput>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl cli::terminal_output::Host for State {}

impl cli::terminal_output::HostTerminalOutput for State {
    fn drop(&mut self, _: Resource<cli::terminal_output::TerminalOutput>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl cli::terminal_stdin::Host for State {
    fn get_terminal_stdin(
        &mut self,
    ) -> wasmtime::Result<Option<Resource<cli::terminal_input::TerminalInput>>> {
        Ok(None)
    }
}

impl cli::terminal_stdout::Host for State {
    fn get_terminal_stdout(
        &mut self,
    ) -> wasmtime::Result<Option<Resource<cli::terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}

impl cli::terminal_stderr::Host for State {
    fn get_terminal_stderr(
        &mut self,
    ) -> wasmtime::Result<Option<Resource<cli::terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}
