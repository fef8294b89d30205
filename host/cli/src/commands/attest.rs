//! `wflow attest`: how a run came about, as a statement that other tools understand.
//!
//! The form is that of in-toto (<https://in-toto.io/Statement/v1>) with SLSA's predicate for
//! provenance (<https://slsa.dev/spec/v1.0/provenance>). It is not signed: whoever wants that wraps it
//! into an envelope.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;
use wflow::client;
use wflow::client::Run;
use wflow::client::RunState;
use wflow::client::Task;
use wflow::model::record::Artifact;
use wflow::model::record::Impurity;
use wflow::model::record::RunId;
use wflow::model::record::Timestamp;

use crate::args::AttestArgs;
use crate::args::Common;
use crate::error::Result;
use crate::flows;
use crate::format;
use crate::output::Output;

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "https://slsa.dev/provenance/v1";
/// Names the meaning of the parameters below; another meaning gets another number.
const BUILD_TYPE: &str = "urn:wflow:run:v1";
const BUILDER: &str = "urn:wflow:host";

pub(crate) fn run(common: &Common, args: &AttestArgs, output: &mut Output) -> Result {
    let store = flows::open_store(common)?;
    let run = client::run(&store, &flows::pathspec(&args.run)?)?;
    let seen = Seen::of(&run)?;
    output.json(&json!({
        "_type": STATEMENT,
        "subject": subjects(&run)?,
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": external(&run)?,
                "internalParameters": internal(&run),
                "resolvedDependencies": dependencies(&run, &seen),
            },
            "runDetails": {
                "builder": {
                    "id": BUILDER,
                    "version": {"wflow": run.record.host_version, "engine": run.record.engine},
                },
                "metadata": {
                    "invocationId": format!("{}/{}", run.record.flow, run.id()),
                    "startedOn": moment(run.summary.created),
                    "finishedOn": run.summary.finished.map(moment),
                },
                "byproducts": [{
                    "name": "outcome",
                    "annotations": {
                        "state": format::state(run.summary.state).0,
                        "tasks": seen.tasks,
                        "failed": seen.failed,
                        "reused": seen.reused,
                        "reproducible": run.record.is_reproducible() && seen.impure == 0,
                        "imports": seen.imports,
                    },
                }],
            },
        },
    }))?;
    Ok(())
}

/// What the tasks of a run tell together.
#[derive(Default)]
struct Seen {
    tasks: u64,
    failed: u64,
    reused: u64,
    /// How many may leave something else each time, or are not known to leave the same.
    impure: u64,
    /// The runs of which tasks were reused.
    origins: BTreeMap<RunId, wflow::model::Digest>,
    /// The imports through which the outside came in, and in how many tasks.
    imports: BTreeMap<String, u64>,
}

impl Seen {
    fn of(run: &Run) -> Result<Self> {
        let mut seen = Self::default();
        for (step, _) in run.graph.indexed_steps() {
            for task in run.step_at(step).tasks() {
                seen.take(&task?);
            }
        }
        Ok(seen)
    }

    fn take(&mut self, task: &Task) {
        self.tasks += 1;
        self.failed += u64::from(task.record.failure().is_some());
        if let Some(origin) = &task.record.origin {
            self.reused += 1;
            self.origins.insert(origin.run, origin.component);
        }
        self.impure += u64::from(task.key().is_none() || !task.impure().is_empty());
        for impurity in task.impure() {
            if let Impurity::Outside(import) = impurity {
                *self.imports.entry(import.clone()).or_default() += 1;
            }
        }
    }
}

/// What the run is for: the artifacts that its last step sees.
fn subjects(run: &Run) -> Result<Vec<Json>> {
    let mut subjects = Vec::new();
    if run.summary.state != RunState::Done {
        return Ok(subjects);
    }
    let end = &run.graph.step(run.graph.end()).name;
    for task in run.step_at(run.graph.end()).tasks() {
        let task = task?;
        for (name, artifact) in task.artifacts()? {
            subjects.push(json!({
                "name": format!("{end}/{}/{name}", task.record.id.task),
                "digest": whole_digest(&task, &artifact)?,
                "mediaType": &*artifact.format,
                "annotations": {"size": artifact.size},
            }));
        }
    }
    Ok(subjects)
}

/// The digest of an artifact in the store covers its media type as well, so it has a name of its own.
fn digest(artifact: &Artifact) -> Json {
    json!({"wflowArtifact": artifact.digest.to_string()})
}

/// The same, with the digest of the plain bytes beside it, as `b3sum` prints it of what `wflow dump
/// --output` writes.
fn whole_digest(task: &Task, artifact: &Artifact) -> Result<Json> {
    task.check(artifact)?;
    let mut hasher = blake3::Hasher::new();
    task.copy(artifact, &mut hasher)?;
    let plain = hasher.finalize().to_hex().to_string();
    Ok(json!({"blake3": plain, "wflowArtifact": artifact.digest.to_string()}))
}

/// What whoever ran it decided.
fn external(run: &Run) -> Result<Json> {
    let record = &run.record;
    let mut parameters = Map::new();
    for (name, artifact) in &record.parameters {
        let mut described = json!({
            "mediaType": &*artifact.format,
            "size": artifact.size,
            "digest": digest(artifact),
        });
        if let Some(value) = run.small_value(artifact)? {
            described["value"] = value;
        }
        parameters.insert(name.to_string(), described);
    }
    let grants: Vec<String> = record.grants.iter().map(ToString::to_string).collect();
    Ok(json!({
        "flow": record.flow,
        "component": {"digest": {"blake3": record.component.to_string()}},
        "parameters": parameters,
        "seed": record.seed,
        "time": record.logical_time,
        "grants": grants,
        "reuse": record.reuse,
    }))
}

/// What bounded it.
fn internal(run: &Run) -> Json {
    json!({"limits": run.record.limits})
}

/// What it was made from: its component, and the runs that it read.
fn dependencies(run: &Run, seen: &Seen) -> Vec<Json> {
    let record = &run.record;
    let mut dependencies = vec![json!({
        "name": record.flow,
        "uri": format!("urn:wflow:component:{}", record.component),
        "digest": {"blake3": record.component.to_string()},
        "mediaType": "application/wasm",
    })];
    let mut runs: BTreeMap<RunId, Option<wflow::model::Digest>> =
        seen.origins.iter().map(|(run, component)| (*run, Some(*component))).collect();
    if let Some(resumed) = &record.resumes {
        runs.entry(resumed.run).or_default();
    }
    dependencies.extend(runs.into_iter().map(|(run, component)| {
        json!({
            "name": format!("{}/{run}", record.flow),
            "uri": format!("urn:wflow:run:{run}"),
            "annotations": {"component": component.map(|component| component.to_string())},
        })
    }));
    dependencies
}

fn moment(moment: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(moment.0)
        .map_or_else(|_| moment.0.to_string(), |at| at.to_string())
}
