//! `wflow list`.

use std::io::Write;

use anyhow::anyhow;
use serde_json::json;
use wflow::Store;
use wflow::client;
use wflow::client::Step;
use wflow::model::pathspec::Pathspec;
use wflow::model::record::Outcome;
use wflow::model::record::Resumed;
use wflow::model::record::RunId;

use crate::args::Common;
use crate::args::ListArgs;
use crate::error::CliError;
use crate::error::Result;
use crate::flows;
use crate::format;
use crate::output::BAD;
use crate::output::DIM;
use crate::output::GOOD;
use crate::output::NAME;
use crate::output::Output;

pub(crate) fn run(common: &Common, args: &ListArgs, output: &mut Output) -> Result {
    let spec = args.pathspec.as_deref().map(flows::pathspec).transpose()?;
    let store = flows::open_store(common)?;
    match &spec {
        None => flows_of(&store, args, output),
        Some(spec @ Pathspec { run: None, .. }) => runs(&store, spec, args, output),
        Some(spec @ Pathspec { step: None, .. }) => steps(&store, spec, args, output),
        Some(spec @ Pathspec { task: None, .. }) => tasks(&store, spec, args, output),
        Some(spec) => artifacts(&store, spec, args, output),
    }
}

/// So many are listed unless more are wanted.
fn limit(args: &ListArgs) -> usize {
    args.page.limit.unwrap_or(1000)
}

fn flows_of(store: &Store, args: &ListArgs, output: &mut Output) -> Result {
    for flow in store.flows()?.into_iter().take(limit(args)) {
        let (name, runs, latest) = (&flow.name, flow.runs, flow.latest);
        let summary = client::run_by_id(store, latest)?.summary;
        let (word, style) = format::state(summary.state);
        if args.json {
            output.json(&json!({
                "flow": name, "runs": runs, "latest": latest.to_string(), "state": word,
            }))?;
        } else {
            let runs = format::count(runs, "run");
            writeln!(
                output.data(),
                "{NAME}{name}{NAME:#}  {runs}, the latest {latest} {style}{word}{style:#}"
            )?;
        }
    }
    Ok(())
}

fn runs(store: &Store, spec: &Pathspec, args: &ListArgs, output: &mut Output) -> Result {
    let Some(flow) = &spec.flow else { return Ok(()) };
    client::known_flow(store, flow)?;
    let before = args.page.after.as_deref().map(run_id).transpose()?;
    let runs = store.runs(Some(flow), before, limit(args))?;
    for run in &runs {
        if args.json {
            let record = store.run(run.id)?.map(|run| run.record);
            let resumes = record.as_ref().and_then(|record| record.resumes.as_ref());
            output.json(&json!({
                "flow": run.flow,
                "run": run.id.to_string(),
                "state": format::state(run.state).0,
                "created": run.created.0,
                "finished": run.finished.map(|at| at.0),
                "resumes": resumes.map(|resumed| json!({
                    "run": resumed.run.to_string(),
                    "step": resumed.from,
                })),
                "reproducible": record.as_ref().map(|record| record.is_reproducible()),
            }))?;
            continue;
        }
        let (word, style) = format::state(run.state);
        let began = format::moment(run.created);
        let took = run.finished.map(|at| format::span(run.created, at)).unwrap_or_default();
        let id = run.id;
        writeln!(output.data(), "{NAME}{id}{NAME:#}  {style}{word:11}{style:#}  {began}  {took}")?;
    }
    if let Some(last) = runs.last()
        && !store.runs(Some(flow), Some(last.id), 1)?.is_empty()
    {
        tell_of_more(&last.id.to_string(), output);
    }
    Ok(())
}

fn run_id(text: &str) -> Result<RunId> {
    text.parse().map_err(|_| CliError::usage(anyhow!("'{text}' is no id of a run")))
}

/// The list was cut short.
fn tell_of_more(last: &str, output: &mut Output) {
    output.talk(&format!("{DIM}and more: --after {last} begins behind this one{DIM:#}"));
}

fn steps(store: &Store, spec: &Pathspec, args: &ListArgs, output: &mut Output) -> Result {
    let run = client::run(store, spec)?;
    let (word, style) = format::state(run.summary.state);
    if !args.json {
        let resumes = match &run.record.resumes {
            None => String::new(),
            Some(Resumed { run, from: None }) => format!(", resumes run {run}"),
            Some(Resumed { run, from: Some(step) }) => {
                format!(", resumes run {run} from step {step} on")
            }
        };
        let letting_in: Vec<String> =
            run.record.grants.letting_in().map(ToString::to_string).collect();
        let granted = match letting_in.as_slice() {
            [] => String::new(),
            grants => format!(", not reproducible: granted {}", grants.join(", ")),
        };
        output.talk(&format!(
            "Run {}/{}: {style}{word}{style:#}, begun {}{resumes}{granted}",
            run.record.flow,
            run.id(),
            format::moment(run.summary.created)
        ));
    }
    for (step, counts) in run.graph.steps().iter().zip(run.counts()?).take(limit(args)) {
        let (done, failed) = (counts.done, counts.failed);
        if args.json {
            output.json(&json!({"step": step.name, "done": done, "failed": failed}))?;
        } else {
            let name = &step.name;
            write!(output.data(), "{NAME}{name}{NAME:#}  {}", format::count(done, "task"))?;
            if failed > 0 {
                write!(output.data(), " done, {BAD}{failed} failed{BAD:#}")?;
            }
            writeln!(output.data())?;
        }
    }
    Ok(())
}

fn tasks(store: &Store, spec: &Pathspec, args: &ListArgs, output: &mut Output) -> Result {
    let step: Step = client::step(store, spec)?;
    let after = args.page.after.as_deref().map(|text| step.task_id(text)).transpose()?;
    let mut tasks = step.tasks_after(after);
    let mut last = None;
    for task in tasks.by_ref().take(limit(args)) {
        let task = task?;
        last = Some(task.record.id.task.clone());
        let record = &task.record;
        let (word, style) = match &record.outcome {
            Outcome::Done => ("done", GOOD),
            Outcome::Failed(_) => ("failed", BAD),
        };
        if args.json {
            output.json(&json!({
                "task": task.pathspec(),
                "state": word,
                "started": record.started.0,
                "finished": record.finished.0,
                "failure": record.failure(),
                "origin": task.origin(),
                "reproducible": task.key().map(|_| task.impure().is_empty()),
            }))?;
            continue;
        }
        let took = format::span(record.started, record.finished);
        let name = format!("{}/{}", step.name(), record.id.task);
        write!(output.data(), "{NAME}{name}{NAME:#}  {style}{word}{style:#}  {took}")?;
        if let Some(failure) = record.failure() {
            write!(output.data(), "  {}", failure.message.lines().next().unwrap_or_default())?;
        }
        if !task.impure().is_empty() {
            let why: Vec<String> = task.impure().iter().map(ToString::to_string).collect();
            write!(output.data(), "  {BAD}not reproducible{BAD:#}: {}", why.join(", "))?;
        }
        if let Some(origin) = &record.origin {
            write!(output.data(), "  {DIM}reused from run {}{DIM:#}", origin.run)?;
        }
        writeln!(output.data())?;
    }
    if let (Some(last), Some(_)) = (last, tasks.next()) {
        tell_of_more(&last.to_string(), output);
    }
    Ok(())
}

fn artifacts(store: &Store, spec: &Pathspec, args: &ListArgs, output: &mut Output) -> Result {
    for task in client::tasks(store, spec)? {
        let task = task?;
        for (name, artifact) in task.artifacts()?.iter().take(limit(args)) {
            let own = task.record.artifacts.contains_key(name);
            let parameter = task.run.record.parameters.contains_key(name);
            let origin = match (own, parameter) {
                (true, _) => "set here",
                (false, true) => "parameter",
                (false, false) => "inherited",
            };
            let (size, media, digest) = (artifact.size, &artifact.format, artifact.digest);
            if args.json {
                output.json(&json!({
                    "artifact": name,
                    "format": &**media,
                    "size": size,
                    "digest": digest.to_string(),
                    "origin": origin,
                }))?;
            } else {
                let size = format::count(size, "byte");
                writeln!(
                    output.data(),
                    "{NAME}{name}{NAME:#}  {size} of {media}, {origin}  {DIM}{digest}{DIM:#}"
                )?;
            }
        }
    }
    Ok(())
}
