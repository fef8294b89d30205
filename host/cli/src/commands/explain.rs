//! `wflow explain`.

use std::io::Write;

use anyhow::anyhow;
use serde_json::Value as Json;
use serde_json::json;
use wflow::Store;
use wflow::client;
use wflow::client::KeyDifference;
use wflow::client::Task;

use crate::args::Common;
use crate::args::ExplainArgs;
use crate::error::CliError;
use crate::error::Result;
use crate::flows;
use crate::output::BAD;
use crate::output::DIM;
use crate::output::HEAD;
use crate::output::NAME;
use crate::output::Output;

pub(crate) fn run(common: &Common, args: &ExplainArgs, output: &mut Output) -> Result {
    let store = flows::open_store(common)?;
    let task = one(&store, &args.task)?;
    let other = match &args.other {
        Some(other) => Some(one(&store, other)?),
        None => task.predecessor()?,
    };
    let why = why(&task, other.as_ref());
    let differences = other.as_ref().map(|other| task.key_differences(other));
    if args.json {
        output.json(&as_json(&task, other.as_ref(), differences.as_deref(), &why))?;
        return Ok(());
    }
    let out = output.data();
    writeln!(out, "{HEAD}{}{HEAD:#}", task.pathspec())?;
    writeln!(out, "    {why}")?;
    match task.key() {
        Some(key) => writeln!(out, "Key {DIM}{key}{DIM:#}, which follows from")?,
        None => writeln!(out, "It has no key. As far as it is known, its outcome follows from")?,
    }
    let fields = task.key_fields();
    let width = fields.iter().map(|field| field.name.len()).max().unwrap_or_default();
    for field in &fields {
        writeln!(
            out,
            "    {NAME}{:width$}{NAME:#}  {}",
            field.name,
            shown(&field.name, &field.value)
        )?;
    }
    for impurity in task.impure() {
        writeln!(out, "{BAD}It may leave something else each time{BAD:#}: {impurity}")?;
    }
    let (Some(other), Some(differences)) = (other, differences) else {
        writeln!(out, "There is no run before it that has this task")?;
        return Ok(());
    };
    writeln!(out, "Compared with {HEAD}{}{HEAD:#}", other.pathspec())?;
    for KeyDifference { name, ours, theirs } in &differences {
        let value = |value: &Option<String>| match value {
            Some(value) => shown(name, value),
            None => "not read".to_owned(),
        };
        writeln!(out, "    {NAME}{name}{NAME:#}  {}, there {}", value(ours), value(theirs))?;
    }
    if differences.is_empty() {
        let same = task.key() == other.key() && task.key().is_some();
        writeln!(out, "    {}", if same { "the same key" } else { OTHER_PLACE })?;
    }
    Ok(())
}

/// What is left if all that is told is the same, and the keys are not.
const OTHER_PLACE: &str = "all of this is the same; the foreach around it has another width";

/// The one task that a pathspec names.
fn one(store: &Store, text: &str) -> Result<Task> {
    let mut tasks = client::tasks(store, &flows::pathspec(text)?)?;
    match (tasks.next().transpose()?, tasks.next()) {
        (Some(task), None) => Ok(task),
        (None, _) => Err(CliError::failed(anyhow!("'{text}' names no task that has finished"))),
        (Some(_), Some(_)) => Err(CliError::usage(anyhow!(
            "'{text}' names several tasks: give one, as RUN/STEP/TASK"
        ))),
    }
}

/// Why a task was reused, or was not.
fn why(task: &Task, other: Option<&Task>) -> String {
    let record = &task.run.record;
    if let Some(origin) = &task.record.origin {
        return match &record.resumes {
            Some(_) => format!("It was taken over from run {} when that was resumed", origin.run),
            None => format!("It was reused: run {} has executed it with the same key", origin.run),
        };
    }
    if !record.reuse {
        return "It was executed: its run was not asked to reuse anything (--reuse)".to_owned();
    }
    let Some(other) = other else {
        return "It was executed: no run before it has this task".to_owned();
    };
    if task.key().is_none() {
        "It was executed, and failed".to_owned()
    } else if other.key().is_none() {
        "It was executed: the one before failed, or an older wflow has run it".to_owned()
    } else if let Some(impurity) = other.impure().first() {
        format!(
            "It was executed: the one before may leave something else each time, since {impurity}"
        )
    } else if task.key() == other.key() {
        "It was executed, though a run before has the same key: that one was still running, or has \
         lost what it left"
            .to_owned()
    } else {
        "It was executed: its key differs from that of the one before".to_owned()
    }
}

/// A value as a person reads it: of a digest, so much that it can be told from others.
fn shown(name: &str, value: &str) -> String {
    let digest = value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (name, value.parse::<i128>()) {
        _ if digest => value[..16].to_owned(),
        ("time", Ok(nanoseconds)) => {
            let moment = jiff::Timestamp::from_nanosecond(nanoseconds);
            moment.map_or_else(|_| value.to_owned(), |moment| moment.to_string())
        }
        _ => value.to_owned(),
    }
}

fn as_json(
    task: &Task,
    other: Option<&Task>,
    differences: Option<&[KeyDifference]>,
    why: &str,
) -> Json {
    let fields: serde_json::Map<String, Json> =
        task.key_fields().into_iter().map(|field| (field.name, field.value.into())).collect();
    let impure: Vec<String> = task.impure().iter().map(ToString::to_string).collect();
    let differences: Vec<Json> = differences
        .unwrap_or_default()
        .iter()
        .map(|d| json!({"name": d.name, "ours": d.ours, "theirs": d.theirs}))
        .collect();
    json!({
        "task": task.pathspec(),
        "key": task.key().map(|key| key.to_string()),
        "fields": fields,
        "impure": impure,
        "reused": task.record.origin.is_some(),
        "origin": task.origin(),
        "why": why,
        "other": other.map(Task::pathspec),
        "other_key": other.and_then(Task::key).map(|key| key.to_string()),
        "differences": differences,
    })
}
