//! What a task sees: the artifacts set by the tasks before it.

use std::collections::BTreeSet;
use std::sync::Arc;

use wflow_model::Name;
use wflow_model::record::Artifact;
use wflow_model::record::Artifacts;
use wflow_model::record::TaskRecord;
use wflow_model::task::TaskRef;

use crate::schedule::Inputs;

/// After so many tasks in a row that set something, one takes copies of all it inherited, so
/// that nobody has to look further back than this for a name.
const MAX_DEPTH: u32 = 32;

/// What a finished task hands on: its own artifacts over those that it inherited. Shared by
/// all that inherit it.
#[derive(Debug, Clone)]
pub(crate) struct Environment(Arc<Layer>);

#[derive(Debug)]
struct Layer {
    /// The task whose record holds this layer.
    task: TaskRef,
    artifacts: Artifacts,
    removed: Vec<Name>,
    /// Complete copies, where there is no parent.
    inherited: Artifacts,
    parent: Option<Environment>,
    depth: u32,
    /// How many artifacts are seen from here, at most.
    at_most: usize,
    /// The last join before this task, which decided what was carried over.
    join: Option<Arc<LastJoin>>,
}

/// A join, for the explanation of what it lost.
#[derive(Debug)]
pub(crate) struct LastJoin {
    /// The join.
    pub(crate) task: TaskRef,
    /// What it joined.
    pub(crate) inputs: Arc<Inputs>,
}

/// What a name means in an environment.
pub(crate) enum Lookup<'a> {
    /// This artifact.
    Found(&'a Artifact),
    /// It was removed by this task.
    Removed(&'a TaskRef),
    /// Nobody set it.
    Unknown,
}

impl Environment {
    /// The environment that a task leaves: its own if it set or removed something, else the
    /// one that it inherited. Completes the record with where the rest is found.
    pub(crate) fn after(
        inherits: Option<&Self>,
        join: Option<&Arc<Inputs>>,
        record: &mut TaskRecord,
    ) -> Self {
        if let Some(parent) = inherits {
            if record.artifacts.is_empty() && record.removed.is_empty() {
                record.inherits = Some(parent.0.task.clone());
                return parent.clone();
            }
            if parent.0.depth >= MAX_DEPTH {
                let removed: BTreeSet<&Name> = record.removed.iter().collect();
                let inherited = parent.visible().into_iter();
                record.inherited = inherited.filter(|(name, _)| !removed.contains(name)).collect();
            } else {
                record.inherits = Some(parent.0.task.clone());
            }
        }
        let parent = inherits.filter(|_| record.inherits.is_some()).cloned();
        let join = match join {
            Some(inputs) => {
                Some(Arc::new(LastJoin { task: record.id.clone(), inputs: Arc::clone(inputs) }))
            }
            None => inherits.and_then(|parent| parent.0.join.clone()),
        };
        let own = record.artifacts.len() + record.inherited.len();
        Self(Arc::new(Layer {
            at_most: own + parent.as_ref().map_or(0, Self::at_most),
            task: record.id.clone(),
            artifacts: record.artifacts.clone(),
            removed: record.removed.clone(),
            inherited: record.inherited.clone(),
            depth: parent.as_ref().map_or(0, |parent| parent.0.depth + 1),
            parent,
            join,
        }))
    }

    /// What a name means here.
    pub(crate) fn lookup(&self, name: &str) -> Lookup<'_> {
        let mut layer = &self.0;
        loop {
            if let Some(artifact) = layer.artifacts.get(name) {
                return Lookup::Found(artifact);
            }
            if layer.removed.iter().any(|removed| removed == name) {
                return Lookup::Removed(&layer.task);
            }
            if let Some(artifact) = layer.inherited.get(name) {
                return Lookup::Found(artifact);
            }
            match &layer.parent {
                Some(parent) => layer = &parent.0,
                None => return Lookup::Unknown,
            }
        }
    }

    /// How many artifacts are seen here, at most: names that were set twice may count twice.
    pub(crate) fn at_most(&self) -> usize {
        self.0.at_most
    }

    /// Everything that is seen here, by name.
    pub(crate) fn visible(&self) -> Artifacts {
        let mut layers = vec![&self.0];
        while let Some(parent) = layers.last().and_then(|layer| layer.parent.as_ref()) {
            layers.push(&parent.0);
        }
        let mut visible = Artifacts::new();
        for layer in layers.into_iter().rev() {
            visible.extend(layer.inherited.clone());
            for name in &layer.removed {
                visible.remove(name);
            }
            visible.extend(layer.artifacts.clone());
        }
        visible
    }

    /// The last join before, if there was one.
    pub(crate) fn join(&self) -> Option<&LastJoin> {
        self.0.join.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use wflow_model::Digest;
    use wflow_model::TaskId;
    use wflow_model::record::Body;
    use wflow_model::record::Log;
    use wflow_model::record::Outcome;
    use wflow_model::record::Timestamp;
    use wflow_model::task::StepIndex;

    use super::*;

    fn record(step: u32, set: &[&str], removed: &[&str]) -> TaskRecord {
        let artifact = |name: &&str| {
            let bytes = format!("{name} of {step}").into_bytes();
            let artifact = Artifact {
                format: "text/plain".into(),
                digest: Digest::of(&bytes),
                size: bytes.len() as u64,
                body: Body::Inline(bytes.into()),
            };
            (Name::new(name).unwrap(), artifact)
        };
        TaskRecord {
            id: TaskRef { step: StepIndex(step), task: TaskId::ROOT },
            attempt: 0,
            started: Timestamp(0),
            finished: Timestamp(0),
            outcome: Outcome::Done,
            inherits: None,
            artifacts: set.iter().map(artifact).collect(),
            removed: removed.iter().map(|name| Name::new(name).unwrap()).collect(),
            inherited: Artifacts::new(),
            stdout: Log::default(),
            stderr: Log::default(),
            origin: None,
            trace: None,
        }
    }

    fn names(environment: &Environment) -> Vec<String> {
        environment.visible().keys().map(ToString::to_string).collect()
    }

    #[test]
    fn the_nearest_task_decides() {
        let first = Environment::after(None, None, &mut record(0, &["a", "b"], &[]));
        let mut second = record(1, &["b", "c"], &["a"]);
        let second = Environment::after(Some(&first), None, &mut second);
        assert_eq!(names(&second), ["b", "c"]);
        assert!(matches!(second.lookup("a"), Lookup::Removed(_)));
        assert!(matches!(second.lookup("d"), Lookup::Unknown));
        let Lookup::Found(b) = second.lookup("b") else { panic!("b is set") };
        assert_eq!(b.digest, Digest::of(b"b of 1"));
    }

    #[test]
    fn a_task_that_set_nothing_adds_no_layer() {
        let first = Environment::after(None, None, &mut record(0, &["a"], &[]));
        let mut second = record(1, &[], &[]);
        Environment::after(Some(&first), None, &mut second);
        let mut third = record(2, &["b"], &[]);
        let second = Environment::after(Some(&first), None, &mut record(1, &[], &[]));
        Environment::after(Some(&second), None, &mut third);
        let start = TaskRef { step: StepIndex(0), task: TaskId::ROOT };
        assert_eq!(second.0.task, start);
        assert_eq!(third.inherits, Some(start));
    }

    #[test]
    fn nobody_looks_far_back() {
        let mut environment = Environment::after(None, None, &mut record(0, &["a"], &[]));
        let mut copies = 0;
        for step in 1..200 {
            let mut record = record(step, &["b"], &[]);
            environment = Environment::after(Some(&environment), None, &mut record);
            assert!(environment.0.depth <= MAX_DEPTH);
            copies += usize::from(!record.inherited.is_empty());
            assert_eq!(names(&environment), ["a", "b"]);
        }
        assert!(copies < 10);
    }
}
