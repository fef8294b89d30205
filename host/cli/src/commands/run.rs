//! `wflow run`.

use std::ffi::OsString;
use std::process::ExitCode;

use super::execution;
use super::execution::Execution;
use super::parameters;
use crate::args::Common;
use crate::error::CliError;
use crate::error::Result;
use crate::flows;
use crate::output::Output;

pub(crate) fn run(common: &Common, words: &[OsString], output: &mut Output) -> Result<ExitCode> {
    let path = parameters::flow_path(words)?;
    let flow = execution::load(&path)?;
    let mut told = parameters::parse(&flow, words)?;
    let in_file = told.run.execution.configure(&path)?;
    let flow = execution::with_room(flow, &path, &told.run.execution)?;
    if told.common.store.is_none() {
        told.common.store.clone_from(&common.store);
    }
    let arguments = flow.arguments(&told.parameters).map_err(CliError::usage)?;
    let grants = told.run.execution.grants(&flow, in_file, output)?;
    let store = flows::create_store(&told.common)?;
    let (seed, now, reuse) = (told.run.seed, told.run.now, told.run.reuse);
    let args = &told.run.execution;
    let execution = Execution { flow, path: &path, store, common: &told.common, args, grants };
    execution.go(output, move |flow, store, options| {
        let mut options = options.arguments(arguments).seed(seed).reuse(reuse);
        if let Some(now) = now {
            options = options.logical_time(now);
        }
        flow.run(store, options)
    })
}
