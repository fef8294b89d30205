//! `wflow check`.

use std::io::Write;
use std::process::ExitCode;

use serde_json::Value as Json;
use serde_json::json;
use wflow::FlowError;
use wflow::Host;
use wflow::HostOptions;
use wflow::model::graph::Diagnostic;

use crate::args::FlowArgs;
use crate::error::FAILED;
use crate::error::Result;
use crate::flows;
use crate::format;
use crate::output::GOOD;
use crate::output::Output;

pub(crate) fn run(args: &FlowArgs, output: &mut Output) -> Result<ExitCode> {
    let host =
        Host::new(HostOptions { slots: 1, cache: flows::cache(), ..HostOptions::default() })?;
    let loaded = host.load(&args.flow);
    if let Err(error @ FlowError::Read { .. }) = loaded {
        return Err(flows::unloaded(&args.flow, error));
    }
    if args.json {
        let (name, problems) = match &loaded {
            Ok(flow) => (Some(flow.graph().name().to_string()), Vec::new()),
            Err(FlowError::Invalid { error, .. }) => {
                (None, error.diagnostics().iter().map(problem).collect())
            }
            Err(error) => (None, vec![json!({"message": error.to_string()})]),
        };
        output.json(&json!({"flow": name, "valid": problems.is_empty(), "problems": problems}))?;
        return Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) });
    }
    let flow = loaded?;
    let graph = flow.graph();
    writeln!(
        output.data(),
        "{}: {}, {}. {GOOD}The graph looks good!{GOOD:#}",
        graph.name(),
        format::count(graph.steps().len() as u64, "step"),
        format::count(graph.parameters().len() as u64, "parameter"),
    )?;
    Ok(ExitCode::SUCCESS)
}

fn problem(diagnostic: &Diagnostic) -> Json {
    json!({
        "step": diagnostic.step,
        "file": diagnostic.place.as_ref().map(|place| &place.file),
        "line": diagnostic.place.as_ref().map(|place| place.line),
        "message": diagnostic.message,
        "help": diagnostic.help,
    })
}
