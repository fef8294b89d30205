//! What a verification has found, and in what two records of one task differ.

use std::sync::Arc;

use wflow_model::Digest;
use wflow_model::Grants;
use wflow_model::Name;
use wflow_model::TaskId;
use wflow_model::record::Artifact;
use wflow_model::record::Impurity;
use wflow_model::record::RunId;
use wflow_model::record::RunRecord;
use wflow_model::record::TaskRecord;

/// What was found.
#[derive(Debug, Clone)]
pub struct VerifyReport {
    /// The run.
    pub run: RunId,
    /// What is known of it.
    pub record: Arc<RunRecord>,
    /// How many tasks it has.
    pub tasks: u64,
    /// How many of them were chosen to be executed again.
    pub chosen: u64,
    /// How many of those could be reached. The records of tasks before the others are missing, or
    /// lead elsewhere.
    pub reached: u64,
    /// How many of those left the same, and let nothing in.
    pub same: u64,
    /// What there is to say of the others, in the order of steps and tasks.
    pub findings: Vec<Finding>,
    /// How many findings there were beyond those.
    pub more_findings: u64,
}

impl VerifyReport {
    /// Whether everything that was chosen is reproduced.
    pub fn is_reproduced(&self) -> bool {
        self.same == self.chosen
    }
}

/// What there is to say of one task.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Its step.
    pub step: Name,
    /// Which task of the step.
    pub task: TaskId,
    /// What.
    pub found: Found,
    /// Why it may leave something else each time.
    pub impure: Vec<Impurity>,
}

/// What was found of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It left something else.
    Differs(Vec<Difference>),
    /// It left the same, which it need not: the outside was let in.
    Outside,
    /// It was not executed, since that needs these grants of the run again.
    NeedsGrants(Grants),
    /// It was not executed: this run took it over from that one, which had another component, other
    /// grants or another engine.
    OtherRun(RunId),
    /// It was not executed: that it took too long, or that the host failed, says nothing.
    Accident,
}

/// Something that a task left, and now left otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What, as a person reads it.
    pub what: String,
    /// What it was.
    pub recorded: Option<Digest>,
    /// What it is.
    pub now: Option<Digest>,
}

/// In what two records of one task differ.
pub(super) fn differences(recorded: &TaskRecord, now: &TaskRecord) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut compare = |what: String, before: Option<&Artifact>, now: Option<&Artifact>| {
        let (recorded, now) = (before.map(|a| a.digest), now.map(|a| a.digest));
        if recorded != now {
            differences.push(Difference { what, recorded, now });
        }
    };
    let outcome = |record: &TaskRecord| record.failure().map(|failure| failure.message.clone());
    let names = recorded
        .artifacts
        .keys()
        .chain(now.artifacts.keys().filter(|name| !recorded.artifacts.contains_key(*name)));
    for name in names {
        let artifact = format!("artifact `{name}`");
        compare(artifact, recorded.artifacts.get(name), now.artifacts.get(name));
    }
    compare("standard output".to_owned(), recorded.stdout.text.as_ref(), now.stdout.text.as_ref());
    compare("standard error".to_owned(), recorded.stderr.text.as_ref(), now.stderr.text.as_ref());
    if recorded.removed != now.removed {
        let what = "the artifacts that were removed".to_owned();
        differences.push(Difference { what, recorded: None, now: None });
    }
    if outcome(recorded) != outcome(now) {
        let told = |record| match outcome(record) {
            None => "it was done".to_owned(),
            Some(message) => format!("it failed ({message})"),
        };
        let what = format!("how it ended: {}, and now {}", told(recorded), told(now));
        differences.push(Difference { what, recorded: None, now: None });
    }
    differences
}
