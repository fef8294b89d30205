//! `wflow gc`, and what `wflow rm` shares with it.

use std::io::Write;

use anyhow::Context;
use anyhow::anyhow;
use jiff::Timestamp;
use serde_json::json;
use wflow::Collected;
use wflow::Selection;
use wflow::Spared;
use wflow::Store;
use wflow::StoreError;
use wflow::client;
use wflow::client::FindError;
use wflow::model::pathspec::Pathspec;
use wflow::model::pathspec::RunSelector;
use wflow::model::record;
use wflow::model::record::RunId;

use crate::args::Common;
use crate::args::GcArgs;
use crate::error::CliError;
use crate::error::Result;
use crate::flows;
use crate::format;
use crate::output::DIM;
use crate::output::NAME;
use crate::output::Output;
use crate::progress::ProgressLine;

pub(crate) fn run(common: &Common, args: &GcArgs, output: &mut Output) -> Result {
    let specs = args.runs.iter().map(|text| spec(text)).collect::<Result<Vec<_>>>()?;
    let store = flows::open_store(common)?;
    if let Some(flow) = &args.flow {
        client::known_flow(&store, flow)?;
    }
    let now = Timestamp::now().as_microsecond();
    let older_than = args.older_than.map(|age| {
        let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        record::Timestamp(now.saturating_sub(age))
    });
    let selection = Selection {
        older_than,
        keep: args.keep,
        tags: args.tags.iter().cloned().collect(),
        runs: specs.iter().map(|spec| find(&store, spec)).collect::<Result<_>>()?,
        flow: args.flow.clone(),
    };
    let collected = collect(&store, &selection, args.dry_run)?;
    tell(&collected, args.dry_run, args.json, output)
}

/// Reads the name of a run that is to be removed.
pub(super) fn spec(text: &str) -> Result<Pathspec> {
    let spec = flows::pathspec(text)?;
    match &spec {
        Pathspec { run: Some(RunSelector::Id(_)), step: None, .. } => Ok(spec),
        Pathspec { run: Some(RunSelector::Latest), .. } => Err(CliError::usage(anyhow!(
            "`latest` may be another run by now: name the run to remove by its id, which \
             `wflow list FLOW` shows"
        ))),
        _ => Err(CliError::usage(anyhow!("'{spec}' names no run as a whole: [FLOW/]RUN does"))),
    }
}

/// The run that is to be removed. It may be damaged: then that is the way to be rid of it.
pub(super) fn find(store: &Store, spec: &Pathspec) -> Result<RunId> {
    let Some(RunSelector::Id(run)) = spec.run else {
        return Err(CliError::usage(anyhow!("'{spec}' names no run")));
    };
    match client::run(store, spec) {
        Ok(_) | Err(FindError::Graph(_) | FindError::Store(StoreError::DamagedRun { .. })) => {
            Ok(run)
        }
        Err(error) => Err(error.into()),
    }
}

/// Collects garbage; a person at a terminal sees how far it has come.
pub(super) fn collect(store: &Store, selection: &Selection, dry_run: bool) -> Result<Collected> {
    let line = ProgressLine::new();
    let result = store.collect(selection, dry_run, &mut |progress| line.tell(progress));
    drop(line);
    let result = match result {
        Err(error @ (StoreError::DamagedRun { .. } | StoreError::DamagedTask { .. })) => Err(error)
            .context(
                "no blob was removed, since what a damaged record refers to is not known: \
                 `wflow fsck` names it, and `wflow rm` removes its run",
            ),
        result => result.map_err(anyhow::Error::from),
    };
    Ok(result?)
}

/// Tells what was removed, or would be.
pub(super) fn tell(
    collected: &Collected,
    dry_run: bool,
    as_json: bool,
    output: &mut Output,
) -> Result {
    if as_json {
        let spared: Vec<_> = collected
            .spared
            .iter()
            .map(|(run, why)| json!({"run": run.to_string(), "why": reason(*why)}))
            .collect();
        output.json(&json!({
            "dry_run": dry_run,
            "runs": collected.runs.iter().map(RunId::to_string).collect::<Vec<_>>(),
            "spared": spared,
            "remains": collected.remains,
            "tasks": collected.tasks,
            "blobs": collected.blobs,
            "bytes": collected.bytes,
            "leftovers": collected.leftovers,
        }))?;
        return Ok(());
    }
    for run in &collected.runs {
        writeln!(output.data(), "{NAME}{run}{NAME:#}")?;
    }
    for (run, why) in &collected.spared {
        output.talk(&format!("{DIM}Run {run} stays: {}.{DIM:#}", reason(*why)));
    }
    let verb = if dry_run { "Would remove" } else { "Removed" };
    output.talk(&format!("{verb} {}.", summary(collected)));
    Ok(())
}

/// What there was of each sort.
fn summary(collected: &Collected) -> String {
    let mut parts = Vec::new();
    for (number, thing) in [
        (collected.runs.len() as u64, "run"),
        (collected.remains, "half removed run"),
        (collected.tasks, "task"),
        (collected.leftovers, "stray file"),
    ] {
        if number > 0 {
            parts.push(format::count(number, thing));
        }
    }
    if collected.blobs > 0 {
        let blobs = format::count(collected.blobs, "blob");
        parts.push(format!("{blobs} of {}", format::bytes(collected.bytes)));
    }
    match parts.pop() {
        None => "nothing".to_owned(),
        Some(only) if parts.is_empty() => only,
        Some(last) => format!("{} and {last}", parts.join(", ")),
    }
}

fn reason(why: Spared) -> &'static str {
    match why {
        Spared::Live => "it is still being written",
        Spared::Shared => "another run has reused all of its tasks, and needs them",
        Spared::Held => "a run that resumes or reuses it, or a verification, is reading it",
    }
}
