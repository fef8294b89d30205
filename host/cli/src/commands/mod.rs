//! One file for each command.

mod attest;
mod build;
mod check;
mod dump;
mod execution;
mod explain;
mod fsck;
mod gc;
pub(crate) mod limits;
mod list;
mod logs;
mod parameters;
mod resume;
mod rm;
mod run;
mod show;
mod verify;

use std::process::ExitCode;

pub(crate) use limits::LimitArgs;

use crate::args::Cli;
use crate::args::Command;
use crate::error::Result;
use crate::output::Output;

/// Does what the command line asks for.
pub(crate) fn run(cli: Cli, output: &mut Output) -> Result<ExitCode> {
    match cli.command {
        Command::Check(args) => check::run(&args, output),
        Command::Show(args) => show::run(&args, output).map(|()| ExitCode::SUCCESS),
        Command::Run { words } => run::run(&cli.common, &words, output),
        Command::Resume { words } => resume::run(&cli.common, &words, output),
        Command::Logs(args) => logs::run(&cli.common, &args, output).map(|()| ExitCode::SUCCESS),
        Command::Dump(args) => dump::run(&cli.common, &args, output).map(|()| ExitCode::SUCCESS),
        Command::List(args) => list::run(&cli.common, &args, output).map(|()| ExitCode::SUCCESS),
        Command::Verify(args) => verify::run(&cli.common, &args, output),
        Command::Explain(args) => {
            explain::run(&cli.common, &args, output).map(|()| ExitCode::SUCCESS)
        }
        Command::Attest(args) => {
            attest::run(&cli.common, &args, output).map(|()| ExitCode::SUCCESS)
        }
        Command::Fsck(args) => fsck::run(&cli.common, &args, output),
        Command::Gc(args) => gc::run(&cli.common, &args, output).map(|()| ExitCode::SUCCESS),
        Command::Rm(args) => rm::run(&cli.common, &args, output),
        Command::Build(args) => build::run(&args, output).map(|()| ExitCode::SUCCESS),
    }
}
