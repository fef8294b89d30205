//! `wflow dump`.

use std::fs;
use std::io::Write;

use anyhow::Context;
use anyhow::anyhow;
use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;
use wflow::client;
use wflow::client::CopyError;
use wflow::client::Task;
use wflow::model::pathspec::Pathspec;
use wflow::model::record::Artifact;
use wflow::model::record::Artifacts;

use crate::args::Common;
use crate::args::DumpArgs;
use crate::error::CliError;
use crate::error::Result;
use crate::flows;
use crate::format;
use crate::output::DIM;
use crate::output::NAME;
use crate::output::Output;

pub(crate) fn run(common: &Common, args: &DumpArgs, output: &mut Output) -> Result {
    let spec = flows::pathspec(&args.pathspec)?;
    let store = flows::open_store(common)?;
    if let Some(path) = &args.output {
        return save(&store, &spec, path, output);
    }
    // What is printed is on disk before.
    store.sync()?;
    for task in flows::tasks(&store, &spec, &args.page)? {
        let task = task?;
        let artifacts = chosen(&task, &spec, args)?;
        if args.json {
            output.json(&as_json(&task, &artifacts, args.max_value_size)?)?;
            continue;
        }
        output.talk(&format!("{DIM}Artifacts of {}{DIM:#}", task.pathspec()));
        for (name, artifact) in &artifacts {
            let (kind, value) = shown(&task, artifact, args.max_value_size)?;
            let size = artifact.size;
            write!(
                output.data(),
                "{NAME}{name}{NAME:#} {DIM}[size: {size} type: {kind}]{DIM:#} = "
            )?;
            output.guest(&value)?;
            writeln!(output.data())?;
        }
    }
    Ok(())
}

/// The artifacts that were asked for: one, some or all.
fn chosen(task: &Task, spec: &Pathspec, args: &DumpArgs) -> Result<Artifacts> {
    if let Some(name) = &spec.artifact {
        return Ok(Artifacts::from([(name.clone(), task.artifact(name)?)]));
    }
    for name in &args.include {
        task.artifact(name)?;
    }
    let mut artifacts = task.artifacts()?;
    if !args.include.is_empty() {
        artifacts.retain(|name, _| args.include.iter().any(|wanted| name == wanted.as_str()));
    }
    Ok(artifacts)
}

/// The type and the value of an artifact, as text.
fn shown(task: &Task, artifact: &Artifact, limit: u64) -> Result<(String, String)> {
    if artifact.size > limit {
        let kind = client::kind(artifact, &task.head(artifact, 16)?).to_owned();
        return Ok((kind, "< artifact too large >".to_owned()));
    }
    let bytes = task.bytes(artifact)?;
    let kind = client::kind(artifact, &bytes).to_owned();
    let value = match client::to_json(&artifact.format, &bytes) {
        Some(value) => format::value(&value),
        None => client::outline(&artifact.format, &bytes),
    };
    Ok((kind, value))
}

fn as_json(task: &Task, artifacts: &Artifacts, limit: u64) -> Result<Json> {
    let mut map = Map::new();
    for (name, artifact) in artifacts {
        let mut entry = json!({
            "format": &*artifact.format,
            "size": artifact.size,
            "digest": artifact.digest.to_string(),
        });
        if artifact.size <= limit
            && let Some(value) = client::to_json(&artifact.format, &task.bytes(artifact)?)
        {
            entry["value"] = value;
        }
        map.insert(name.to_string(), entry);
    }
    Ok(json!({"task": task.pathspec(), "artifacts": map}))
}

/// Writes the bytes of one artifact to a file.
fn save(
    store: &wflow::Store,
    spec: &Pathspec,
    path: &std::path::Path,
    output: &mut Output,
) -> Result {
    let Some(name) = &spec.artifact else {
        return Err(CliError::usage(anyhow!(
            "--output writes one artifact: name it, as in {spec}/ARTIFACT"
        )));
    };
    let Some(task) = client::tasks(store, spec)?.next() else { return Ok(()) };
    let task = task?;
    let artifact = task.artifact(name)?;
    // Before the file is made: what was there is worth more than half of something damaged.
    task.check(&artifact)?;
    let unwritable = || format!("cannot write '{}'", path.display());
    let mut file = fs::File::create(path).with_context(unwritable)?;
    task.copy(&artifact, &mut file).map_err(|error| match error {
        CopyError::Store(error) => CliError::failed(error),
        CopyError::Write(error) => anyhow::Error::from(error).context(unwritable()).into(),
    })?;
    output.talk(&format!("{} bytes written to {}", artifact.size, path.display()));
    Ok(())
}
