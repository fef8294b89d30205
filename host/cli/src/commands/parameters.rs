//! The command line of `wflow run`: the flow's own parameters, and the options of every run.
//!
//! Which parameters there are is known only once the flow is loaded, so the words are looked at
//! twice: first for the flow alone, then with everything that it declares.

use std::env;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;
use clap::Args;
use clap::Command;
use clap::FromArgMatches;
use clap::builder::StyledStr;
use clap::error::ContextKind;
use clap::error::ContextValue;
use clap::error::ErrorKind;
use wflow::Flow;
use wflow::ParameterInput;
use wflow::Source;
use wflow::model::name::nearest;
use wflow::model::parameter::Parameter;
use wflow::model::parameter::ParameterType;

use super::execution::ExecutionArgs;
use crate::args::Common;
use crate::error::CliError;
use crate::error::Result;
use crate::quantity;

/// The options of every run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every run")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    /// Take over tasks that an earlier run has executed and that would leave the same
    #[arg(long, env = "WFLOW_RUN_REUSE", hide_env = true)]
    pub(crate) reuse: bool,
    /// The seed of the random numbers that tasks draw
    #[arg(
        long,
        value_name = "NUMBER",
        env = "WFLOW_RUN_SEED",
        hide_env = true,
        default_value_t = 0
    )]
    pub(crate) seed: u64,
    /// The time at which tasks find themselves [default: 2020-01-01T00:00:00Z, in every run]
    #[arg(long, value_name = "TIME", env = "WFLOW_RUN_NOW", hide_env = true, value_parser = quantity::moment)]
    pub(crate) now: Option<u64>,
}

/// What `wflow run` was told.
pub(crate) struct Told {
    pub(crate) common: Common,
    pub(crate) run: RunArgs,
    pub(crate) parameters: Vec<ParameterInput>,
}

const PARAMETER: &str = "parameter:";

/// The command without a flow: what is known of it before one is loaded.
fn command(flow: Option<&Flow>) -> Command {
    let mut command = Command::new("run")
        .bin_name("wflow run")
        .max_term_width(100)
        .disable_help_flag(true)
        .override_usage("wflow run [OPTIONS] FLOW [PARAMETERS AND OPTIONS]")
        .help_template("{about-with-newline}\n{usage-heading} {usage}\n\n{all-args}");
    let mut about = "Run a flow".to_owned();
    if let Some(flow) = flow {
        let graph = flow.graph();
        about = format!("Run {}", graph.name());
        let paragraph = graph.doc().lines().map(str::trim).take_while(|line| !line.is_empty());
        let paragraph = paragraph.collect::<Vec<_>>().join(" ");
        if !paragraph.is_empty() {
            about = format!("{about}: {paragraph}");
        }
        command = command.next_help_heading(format!("Parameters of {}", graph.name()));
        command = command.args(graph.parameters().iter().map(argument));
    }
    command = RunArgs::augment_args(command);
    command = Common::augment_args(command);
    // Last, since each group of options brings a text about itself.
    command
        .about(about)
        .arg(Arg::new("FLOW").required(true).help("The flow, a WebAssembly component"))
        .arg(
            Arg::new("help")
                .long("help")
                .short('h')
                .action(ArgAction::Help)
                .help("Print help; behind a flow, with the flow's parameters"),
        )
}

/// A parameter as an option.
fn argument(parameter: &Parameter) -> Arg {
    let kind = match parameter.kind {
        ParameterType::String => "TEXT",
        ParameterType::Int => "INTEGER",
        ParameterType::Float => "FLOAT",
        ParameterType::Bool => "BOOLEAN",
        ParameterType::Json => "JSON",
        ParameterType::Text | ParameterType::Bytes => "FILE",
    };
    // Clap knows negative numbers, but not `-1e-3`.
    let number =
        matches!(parameter.kind, ParameterType::Int | ParameterType::Float | ParameterType::Json);
    let need = match (&parameter.default, parameter.required) {
        (Some(default), _) => format!("[default: {default}]"),
        (None, true) => "[required]".to_owned(),
        (None, false) => String::new(),
    };
    let help = format!("{} {need}", parameter.help.trim()).trim().to_owned();
    Arg::new(format!("{PARAMETER}{}", parameter.name))
        .long(parameter.name.clone())
        .value_name(kind)
        .help(StyledStr::from(help))
        .value_parser(clap::value_parser!(OsString))
        .allow_hyphen_values(number)
        .allow_negative_numbers(true)
        .action(ArgAction::Set)
}

/// The flow among the words behind `run`: the first that is neither an option nor the value of
/// one. Without a flow the words are wrong, or ask for help: then this does not return.
pub(crate) fn flow_path(words: &[OsString]) -> Result<PathBuf> {
    let command = command(None);
    let option = |word: &str| {
        let name = word.split('=').next().unwrap_or_default();
        command.get_arguments().find(|arg| match name.strip_prefix("--") {
            Some(long) => arg.get_long() == Some(long),
            None => arg.get_short().is_some_and(|short| {
                name.strip_prefix('-') == Some(short.encode_utf8(&mut [0; 4]))
            }),
        })
    };
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match word.to_str() {
            Some(word) if word.starts_with('-') && word.len() > 1 => match option(word) {
                None => {
                    return Err(CliError::usage(anyhow!(
                        "`wflow run` has no option '{word}'; the parameters of a flow go behind it: \
                         wflow run FLOW {word} ..."
                    )));
                }
                Some(option) if option.get_action().takes_values() && !word.contains('=') => {
                    rest.next();
                }
                Some(_) => {}
            },
            _ => return Ok(PathBuf::from(word)),
        }
    }
    // Tells what is wrong, or prints the help.
    match command.try_get_matches_from(full(words)) {
        Ok(_) => Ok(PathBuf::new()),
        Err(error) => error.exit(),
    }
}

fn full(words: &[OsString]) -> impl Iterator<Item = &OsStr> {
    std::iter::once(OsStr::new("wflow run")).chain(words.iter().map(OsString::as_os_str))
}

/// The word that a command knows no option by. Of other errors clap says all there is to say, and
/// this does not return.
pub(super) fn unknown_word(error: &clap::Error) -> String {
    match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::UnknownArgument, Some(ContextValue::String(word))) => word.clone(),
        _ => error.exit(),
    }
}

/// What to say of a word that is neither a parameter nor an option. Clap would advise to put it
/// behind `--`, where it makes no sense. Of other errors it says all there is to say.
fn unknown(error: &clap::Error, flow: &Flow) -> CliError {
    let word = unknown_word(error);
    let command = command(Some(flow));
    let names = command.get_arguments().filter_map(Arg::get_long);
    let advice = match nearest(word.trim_start_matches('-'), names) {
        Some(meant) => format!("did you mean '--{meant}'?"),
        None if word.starts_with('-') => {
            "a value that begins with a hyphen is given as in '--name=-1'".to_owned()
        }
        None => "what stands behind the flow is given as '--name VALUE'".to_owned(),
    };
    CliError::usage(anyhow!(
        "{} has no parameter or option '{word}': {advice}\n\nFor what there is, try 'wflow run \
         FLOW --help'",
        flow.graph().name()
    ))
}

/// Reads the words behind `run`, knowing the flow. If they are wrong, or ask for help, this does
/// not return.
pub(crate) fn parse(flow: &Flow, words: &[OsString]) -> Result<Told> {
    let matches = command(Some(flow))
        .try_get_matches_from(full(words))
        .map_err(|error| unknown(&error, flow))?;
    let run = RunArgs::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let common = Common::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let mut parameters = Vec::new();
    for parameter in flow.graph().parameters() {
        parameters.extend(inputs(parameter, &matches)?);
    }
    Ok(Told { common, run, parameters })
}

/// What the command line and the environment say of a parameter.
fn inputs(parameter: &Parameter, matches: &ArgMatches) -> Result<Vec<ParameterInput>> {
    let given = matches.get_one::<OsString>(&format!("{PARAMETER}{}", parameter.name));
    let variable = parameter.variable();
    let inherited = env::var_os(&variable);
    let sources = [
        inherited.map(|text| (text, Source::Environment(variable))),
        given.map(|text| (text.clone(), Source::Given)),
    ];
    let input = |(text, source): (OsString, Source)| match text.into_string() {
        Ok(text) => Ok(ParameterInput { name: parameter.name.clone(), text, source }),
        Err(_) => Err(CliError::usage(anyhow!(
            "invalid value for '--{}', {source}: it is not text in UTF-8",
            parameter.name
        ))),
    };
    sources.into_iter().flatten().map(input).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_of_a_run_is_reserved() {
        for argument in command(None).get_arguments() {
            if let Some(name) = argument.get_long() {
                assert!(wflow::model::parameter::RESERVED.contains(&name), "{name}");
            }
        }
    }

    #[test]
    fn the_flow_is_found_among_options() {
        let words = |text: &str| text.split_whitespace().map(OsString::from).collect::<Vec<_>>();
        for text in [
            "a.wasm",
            "--max-workers 2 a.wasm --x 1",
            "--max-workers=2 --json a.wasm",
            "--store s -q a.wasm b",
        ] {
            assert_eq!(flow_path(&words(text)).unwrap(), PathBuf::from("a.wasm"), "{text}");
        }
        assert!(flow_path(&words("--x 1 a.wasm")).is_err());
    }
}
