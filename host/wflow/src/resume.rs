//! Going on where another run has stopped.

use std::sync::Arc;

use wflow_model::Digest;
use wflow_model::Name;
use wflow_model::cbor;
use wflow_model::graph::Before;
use wflow_model::graph::Graph;
use wflow_model::name::excerpt;
use wflow_model::name::nearest;
use wflow_model::parameter::Parameter;
use wflow_model::parameter::ParameterType;
use wflow_model::record::Artifacts;
use wflow_model::record::Origin;
use wflow_model::record::Resumed;
use wflow_model::record::RunId;
use wflow_model::record::RunRecord;
use wflow_model::task::StepIndex;
use wflow_store::Run;
use wflow_store::RunWriter;
use wflow_store::Store;
use wflow_store::StoreError;

use crate::Flow;
use crate::bind;
use crate::bind::Arguments;
use crate::bind::ParameterError;
use crate::context::now;
use crate::error::RunError;
use crate::event::Change;
use crate::event::Event;
use crate::event::StepReuse;
use crate::options::RunOptions;
use crate::replay::Count;
use crate::replay::Replay;
use crate::run::RunInProgress;
use crate::run::RunReport;
use crate::schedule::Scheduler;
use crate::shelf::Shelf;

/// What to resume, and how much of it to reuse.
#[derive(Debug, Clone, Default)]
pub struct Resume {
    /// The run; by default the latest of the flow, be it one that was resumed itself.
    pub origin: Option<RunId>,
    /// A step that is executed again even where it was done, and with it all that follows.
    pub step: Option<String>,
    /// Reuses only tasks that the very same component has executed.
    pub only_unchanged: bool,
}

/// A run cannot be resumed. Nothing has begun.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The flow has no runs.
    #[error("there is no run of flow `{0}` to resume in this store: begin one with `wflow run`")]
    NoRuns(Name),
    /// The origin is of another flow.
    #[error("run {run} is of flow `{found}`, not of `{expected}`")]
    OtherFlow {
        /// The origin.
        run: RunId,
        /// Its flow.
        found: Name,
        /// The flow that is to resume it.
        expected: Name,
    },
    /// The graph that is kept with the origin cannot be read.
    #[error("the graph of run {0} is damaged, so it cannot be resumed")]
    Graph(RunId),
    /// The flow has no such step.
    #[error("the flow has no step `{step}`{}", meant.as_ref().map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default())]
    Step {
        /// The step that was asked for.
        step: String,
        /// The one that was probably meant.
        meant: Option<String>,
    },
    /// A parameter was given.
    #[error(
        "a resumed run has the parameters of its origin, so `{0}` cannot be given: what is reused \
         was computed with the old value. Begin a new run to change it"
    )]
    Given(String),
    /// A parameter has changed its type.
    #[error(
        "parameter `{name}` has another type than in run {run}, so its value there does not fit: \
         begin a new run"
    )]
    Type {
        /// The parameter.
        name: String,
        /// The origin.
        run: RunId,
    },
    /// A parameter had no value, and now has to have one.
    #[error(
        "run {run} has no value for parameter `{name}`, which cannot be without one any more: \
         begin a new run"
    )]
    Unset {
        /// The parameter.
        name: String,
        /// The origin.
        run: RunId,
    },
    /// A parameter is new, and has no default.
    #[error(
        "run {run} has no value for a parameter that was added since ({error}): begin a new run"
    )]
    Added {
        /// The origin.
        run: RunId,
        /// What is wrong with the parameter.
        error: ParameterError,
    },
}

impl ResumeError {
    /// Whether it was asked for in a wrong way, rather than that it cannot be done.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Given(_) | Self::Step { .. })
    }
}

impl Flow {
    /// Resumes a run: begins a new one that reuses every task the origin has done and that is
    /// still valid, and executes the rest. Blocks until its end.
    ///
    /// A task is reused if all before it are, if its step stands in the graph where it stood, and
    /// if the store still has what it left. It keeps its id and the digests of its artifacts. The
    /// parameters, the seed and the logical time are those of the origin.
    ///
    /// # Errors
    ///
    /// If there is nothing to resume, or it cannot be resumed by this flow: then no run begins.
    /// Also if the store fails.
    pub fn resume(
        &self,
        store: &Store,
        resume: &Resume,
        options: RunOptions,
    ) -> Result<RunReport, RunError> {
        if let Some(given) = options.parameters.first() {
            return Err(ResumeError::Given(given.name.clone()).into());
        }
        self.check_limits(&options)?;
        let access = self.open(&options.grants)?;
        let origin = self.origin(store, resume)?;
        let id = origin.summary.id;
        // Nobody removes it as long as its tasks are read.
        let _hold = store.hold(id)?;
        let earlier = Graph::parse(&origin.record.graph).map_err(|_| ResumeError::Graph(id))?;
        let before = self.graph().compare(&earlier);
        let from = resume.step.as_deref().map(|step| self.named(step)).transpose()?;
        let added = self.added(&origin, &earlier)?;

        let writer = store.reserve(now())?;
        let record = RunRecord {
            seed: origin.record.seed,
            logical_time: origin.record.logical_time,
            reuse: false,
            resumes: Some(Resumed {
                run: id,
                from: from.map(|step| self.graph().step(step).name.clone()),
            }),
            ..self.record(self.parameters_of(&origin, &added, &writer)?, &writer, &options)?
        };
        let run = RunInProgress::new(self, store, writer, access, &record, &options);
        let reusable = |(step, before): (usize, &Before)| match before {
            Before::Same(old) if from.is_none_or(|from| from.get() != step) => Some(*old),
            _ => None,
        };
        let mut replay = Replay {
            run: Arc::clone(&run.context),
            writer: Arc::clone(&run.writer),
            origin: Origin { run: id, component: origin.record.component },
            steps: before.iter().enumerate().map(reusable).collect(),
            only: resume.only_unchanged.then(|| self.digest()),
            tasks: Shelf::new(store.clone(), id),
            own: Shelf::new(store.clone(), run.context.run),
            counts: vec![Count::default(); before.len()],
        };
        let mut scheduler = Scheduler::new(Arc::clone(self.shared_graph()));
        if !replay.take_over(&mut scheduler, self.digest(), &options.cancel)? {
            return Err(RunError::Cancelled);
        }
        run.begin(&record, &options.tags)?;
        self.tell(&run, &earlier, &before, &replay);
        run.complete(scheduler, Some(&replay), options)
    }

    /// The run to resume.
    fn origin(&self, store: &Store, resume: &Resume) -> Result<Run, RunError> {
        let flow = self.graph().name();
        let id = match resume.origin {
            Some(id) => id,
            None => store.latest(Some(flow))?.ok_or_else(|| ResumeError::NoRuns(flow.clone()))?,
        };
        let origin = store.run(id)?.ok_or(StoreError::NoRun(id))?;
        let found = &origin.summary.flow;
        if found != flow {
            let (found, expected) = (found.clone(), flow.clone());
            return Err(ResumeError::OtherFlow { run: id, found, expected }.into());
        }
        Ok(origin)
    }

    fn named(&self, step: &str) -> Result<StepIndex, ResumeError> {
        self.graph().find(step).ok_or_else(|| {
            let names = self.graph().steps().iter().map(|step| step.name.as_str());
            let meant = nearest(step, names).map(ToOwned::to_owned);
            ResumeError::Step { step: excerpt(step), meant }
        })
    }

    /// The values of the parameters that the origin did not have: their defaults.
    fn added(&self, origin: &Run, earlier: &Graph) -> Result<Arguments, ResumeError> {
        let run = origin.summary.id;
        let null = Digest::of_artifact(cbor::FORMAT, cbor::NULL);
        let mut added = Vec::new();
        for parameter in self.graph().parameters() {
            let name = parameter.name.clone();
            let value = origin.record.parameters.get(&parameter.artifact);
            // Of a JSON parameter the null is a value like any other.
            let needs_one = (parameter.required || parameter.default.is_some())
                && parameter.kind != ParameterType::Json;
            let same = |old: &&Parameter| old.artifact == parameter.artifact;
            match earlier.parameters().iter().find(same) {
                None => added.push(parameter.clone()),
                Some(old) if old.kind != parameter.kind => {
                    return Err(ResumeError::Type { name, run });
                }
                Some(_) if needs_one && value.is_some_and(|value| value.digest == null) => {
                    return Err(ResumeError::Unset { name, run });
                }
                Some(_) => {}
            }
        }
        bind::bind(&added, &[]).map_err(|error| ResumeError::Added { run, error })
    }

    /// The values of all parameters: those of the origin, and of those that were added.
    fn parameters_of(
        &self,
        origin: &Run,
        added: &Arguments,
        writer: &RunWriter,
    ) -> Result<Artifacts, StoreError> {
        let mut values = added.store(writer)?;
        for parameter in self.graph().parameters() {
            if let Some(value) = origin.record.parameters.get(&parameter.artifact) {
                values.insert(parameter.artifact.clone(), value.clone());
            }
        }
        Ok(values)
    }

    /// Tells the observer what was taken over.
    fn tell(&self, run: &RunInProgress, earlier: &Graph, before: &[Before], replay: &Replay) {
        let graph = self.graph();
        let steps: Vec<StepReuse<'_>> = graph
            .steps()
            .iter()
            .zip(before)
            .zip(&replay.counts)
            .map(|((step, before), count)| StepReuse {
                step: &step.name,
                tasks: count.all,
                trusted: count.trusted,
                change: match before {
                    Before::Same(_) => Change::None,
                    Before::Elsewhere => Change::Moved,
                    Before::Absent => Change::Added,
                },
            })
            .collect();
        let gone = earlier.steps().iter().map(|step| &step.name);
        let gone: Vec<&Name> = gone.filter(|name| graph.find(name).is_none()).collect();
        let event = Event::RunResumed { origin: replay.origin.run, steps: &steps, gone: &gone };
        run.context.observer.event(&event);
    }
}
