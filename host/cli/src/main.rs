//! The `wflow` command: arguments in, text out.

mod args;
mod commands;
mod config;
mod console;
mod error;
mod flows;
mod format;
mod output;
mod progress;
mod quantity;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::output::Output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("WFLOW_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let mut output = Output::new();
    let result = commands::run(cli, &mut output).and_then(|code| {
        output.flush()?;
        Ok(code)
    });
    match result {
        Ok(code) => code,
        Err(error) => error.report(&mut output),
    }
}
