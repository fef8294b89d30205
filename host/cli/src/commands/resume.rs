//! `wflow resume`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::Args;
use clap::Command;
use clap::FromArgMatches;
use wflow::Resume;
use wflow::client;
use wflow::model::name::nearest;
use wflow::model::pathspec::Pathspec;

use super::execution;
use super::execution::Execution;
use super::execution::ExecutionArgs;
use super::parameters;
use crate::args::Common;
use crate::error::CliError;
use crate::error::Result;
use crate::flows;
use crate::output::Output;

/// Go on where a run has stopped: in a new run that reuses every task that has finished, and
/// executes the rest. Parameters, seed and time are those of the run that is resumed
#[derive(Debug, Args)]
struct ResumeArgs {
    /// The flow, a WebAssembly component
    #[arg(value_name = "FLOW")]
    flow: PathBuf,
    /// A step to execute again even if it has finished, and with it all that follows
    #[arg(value_name = "STEP")]
    step: Option<String>,
    /// The run to resume: RUN or FLOW/RUN [default: the latest of the flow]
    #[arg(long, value_name = "RUN")]
    origin: Option<String>,
    /// Reuse only tasks that this very component has executed
    #[arg(long)]
    only_unchanged: bool,
    #[command(flatten)]
    execution: ExecutionArgs,
    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(common: &Common, words: &[OsString], output: &mut Output) -> Result<ExitCode> {
    let mut args = parse(words)?;
    if args.common.store.is_none() {
        args.common.store.clone_from(&common.store);
    }
    let flow = execution::load(&args.flow)?;
    let in_file = args.execution.configure(&args.flow)?;
    let flow = execution::with_room(flow, &args.flow, &args.execution)?;
    let grants = args.execution.grants(&flow, in_file, output)?;
    let store = flows::open_store(&args.common)?;
    let origin = match &args.origin {
        None => None,
        Some(text) => {
            let spec = flows::pathspec(text)?;
            if let Pathspec { step: Some(_), .. } | Pathspec { run: None, .. } = spec {
                return Err(CliError::usage(anyhow!(
                    "'{text}' names no run to resume: give it as RUN or FLOW/RUN"
                )));
            }
            Some(client::run(&store, &spec)?.id())
        }
    };
    let resume = Resume { origin, step: args.step, only_unchanged: args.only_unchanged };
    let (path, common, args) = (&args.flow, &args.common, &args.execution);
    let execution = Execution { flow, path, store, common, args, grants };
    execution.go(output, move |flow, store, options| flow.resume(store, &resume, options))
}

/// Reads the words behind `resume`. If they ask for help, this does not return.
fn parse(words: &[OsString]) -> Result<ResumeArgs> {
    let command = ResumeArgs::augment_args(Command::new("resume"))
        .bin_name("wflow resume")
        .max_term_width(100)
        .arg_required_else_help(true);
    let options: Vec<String> =
        command.get_arguments().filter_map(|arg| arg.get_long()).map(str::to_owned).collect();
    let all = std::iter::once(OsString::from("wflow resume")).chain(words.iter().cloned());
    let matches = command.try_get_matches_from(all).map_err(|error| {
        let word = parameters::unknown_word(&error);
        let name = word.trim_start_matches('-');
        let advice = match nearest(name, options.iter().map(String::as_str)) {
            Some(meant) if word.starts_with('-') => format!("did you mean '--{meant}'?"),
            _ => "a resumed run has the parameters, the seed and the time of the run that it \
                  resumes, because what it reuses was computed with them; to change one, begin a \
                  new run with `wflow run`"
                .to_owned(),
        };
        CliError::usage(anyhow!("'{word}' cannot be given to `wflow resume`: {advice}"))
    })?;
    Ok(ResumeArgs::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()))
}
