//! What the outcome of a task follows from, and in what two tasks differ.

use wflow_model::Digest;
use wflow_model::Name;
use wflow_model::record::Impurity;
use wflow_model::record::Read;
use wflow_model::record::RunId;

use super::FindError;
use super::Task;

/// So many earlier runs are looked at for a task to compare with.
const LOOKED_AT: usize = 200;

/// One of the things that the outcome of a task follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyField {
    /// Which: `component`, `seed`, `artifact x`.
    pub name: String,
    /// What it is, as text; a digest where it is large.
    pub value: String,
}

/// A thing of which two tasks have not the same. None where one has it not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDifference {
    /// Which.
    pub name: String,
    /// What the first task has.
    pub ours: Option<String>,
    /// What the other has.
    pub theirs: Option<String>,
}

impl Task {
    /// The key of the task; none if it failed or was executed by an older wflow.
    pub fn key(&self) -> Option<Digest> {
        self.record.trace.as_ref().map(|trace| trace.key)
    }

    /// Why it may leave something else the next time; empty if it leaves the same.
    pub fn impure(&self) -> &[Impurity] {
        self.record.trace.as_ref().map_or(&[], |trace| &trace.impure)
    }

    /// Everything that the outcome of the task follows from, as far as it is told: what all tasks
    /// of its run have in common, which task it is, and what it read.
    pub fn key_fields(&self) -> Vec<KeyField> {
        // Of a task that was taken over, what was true where it was executed.
        let origin = self.record.origin.as_ref();
        let there = origin.and_then(|origin| self.run.store.run_record(origin.run).ok());
        let run = there.as_ref().unwrap_or(&self.run.record);
        let component = origin.map_or(run.component, |origin| origin.component);
        let grants: Vec<String> = run.grants.iter().map(ToString::to_string).collect();
        let step = &self.run.graph.step(self.record.id.step).name;
        let field = |name: &str, value: String| KeyField { name: name.to_owned(), value };
        let mut fields = vec![
            field("component", component.to_string()),
            field("engine", run.engine.clone()),
            field("seed", run.seed.to_string()),
            field("time", run.logical_time.to_string()),
            field("grants", if grants.is_empty() { "none".into() } else { grants.join(", ") }),
            field("step", step.to_string()),
            field("task", self.record.id.task.to_string()),
        ];
        let reads = self.record.trace.iter().flat_map(|trace| &trace.reads);
        fields.extend(reads.map(|(read, found)| match (read, found) {
            (Read::Artifact(name), Some(found)) => match self.parameter(name, found) {
                Some(value) => field(&format!("parameter {name}"), value),
                None => field(&read.to_string(), found.to_string()),
            },
            (_, Some(found)) => field(&read.to_string(), found.to_string()),
            (_, None) => field(&read.to_string(), "not there".to_owned()),
        }));
        fields
    }

    /// The value of a parameter, if that is what was found by this name, and it is small; else its
    /// digest.
    fn parameter(&self, name: &Name, found: &Digest) -> Option<String> {
        let parameter = self.run.record.parameters.get(name)?;
        if parameter.digest != *found {
            return None;
        }
        match self.run.small_value(parameter) {
            Ok(Some(value)) => Some(value.to_string()),
            _ => Some(found.to_string()),
        }
    }

    /// In what the keys of two tasks differ.
    pub fn key_differences(&self, other: &Self) -> Vec<KeyDifference> {
        let (ours, theirs) = (self.key_fields(), other.key_fields());
        let find = |fields: &[KeyField], name: &str| {
            fields.iter().find(|field| field.name == name).map(|field| field.value.clone())
        };
        let new = theirs.iter().filter(|field| ours.iter().all(|ours| ours.name != field.name));
        let names = ours.iter().chain(new).map(|field| field.name.clone());
        let all = names.map(|name| {
            let (ours, theirs) = (find(&ours, &name), find(&theirs, &name));
            KeyDifference { name, ours, theirs }
        });
        all.filter(|difference| difference.ours != difference.theirs).collect()
    }

    /// The same task in the latest run of the flow before this one that has it; none if there is
    /// none.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn predecessor(&self) -> Result<Option<Self>, FindError> {
        let (store, flow) = (&self.run.store, &self.run.record.flow);
        let step = self.run.graph.step(self.record.id.step).name.clone();
        let earlier: Vec<RunId> = store
            .runs(Some(flow), Some(self.run.id()), LOOKED_AT)?
            .into_iter()
            .map(|summary| summary.id)
            .collect();
        for id in earlier {
            let run = super::run_by_id(store, id)?;
            let Some(index) = run.graph.find(&step) else { continue };
            let task =
                wflow_model::task::TaskRef { step: index, task: self.record.id.task.clone() };
            if let Some(record) = store.task(id, &task)? {
                return Ok(Some(Self { run, record }));
            }
        }
        Ok(None)
    }
}
