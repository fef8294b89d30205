//! What one task reads and leaves behind, while it runs.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use wflow_model::Name;
use wflow_model::name::excerpt;
use wflow_model::name::nearest;
use wflow_model::record::Artifact;
use wflow_model::record::Artifacts;
use wflow_model::record::Failure;
use wflow_model::record::Read;
use wflow_model::task::StepIndex;
use wflow_model::task::TaskRef;
use wflow_sandbox::ArtifactRead;
use wflow_sandbox::ArtifactWrite;
use wflow_sandbox::Channel;
use wflow_sandbox::Problem;
use wflow_sandbox::TaskIo;
use wflow_sandbox::Value;

use crate::context::RunContext;
use crate::context::check_crossing;
use crate::environment::Environment;
use crate::environment::Lookup;
use crate::execute::Task;
use crate::items::Items;
use crate::join::JoinInputs;
use crate::log::LogCapture;
use crate::log::Speaker;
use crate::pieces::PieceReader;
use crate::pieces::PieceWriter;
use crate::quota::Quota;
use crate::schedule::Frame;
use crate::trace::Reads;

/// The longest format of an artifact, in bytes.
const MAX_FORMAT: usize = 128;

/// The host's side of one task.
pub(crate) struct Session {
    pub(crate) run: Arc<RunContext>,
    pub(crate) id: TaskRef,
    pub(crate) inherits: Option<Environment>,
    pub(crate) frames: Vec<Frame<Arc<Items>>>,
    pub(crate) inputs: Option<JoinInputs>,
    pub(crate) artifacts: Artifacts,
    pub(crate) removed: BTreeSet<Name>,
    pub(crate) reads: Reads,
    pub(crate) quota: Arc<Quota>,
    pub(crate) stdout: LogCapture,
    pub(crate) stderr: LogCapture,
}

impl Session {
    pub(crate) fn new(run: &Arc<RunContext>, task: &Task) -> Self {
        Self {
            run: Arc::clone(run),
            id: task.id.clone(),
            inherits: task.inherits.clone(),
            frames: task.frames.clone(),
            inputs: task.inputs.clone().map(JoinInputs::new),
            artifacts: Artifacts::new(),
            removed: BTreeSet::new(),
            reads: Reads::default(),
            quota: Arc::new(Quota::new(&run.policy.limits)),
            stdout: LogCapture::new(Channel::Stdout),
            stderr: LogCapture::new(Channel::Stderr),
        }
    }

    /// What a name means to this task.
    pub(crate) fn artifact(&self, name: &str) -> Result<Artifact, Problem> {
        if let Some(artifact) = self.artifacts.get(name) {
            return Ok(artifact.clone());
        }
        if self.removed.contains(name) {
            return Err(Problem::Missing(format!("artifact `{name}` was removed by this task")));
        }
        match self.inherits.as_ref().map_or(Lookup::Unknown, |inherits| inherits.lookup(name)) {
            Lookup::Found(artifact) => Ok(artifact.clone()),
            Lookup::Removed(task) => {
                let step = self.run.step_name(task.step);
                Err(Problem::Missing(format!("artifact `{name}` was removed in step `{step}`")))
            }
            Lookup::Unknown => match self.run.parameters.get(name) {
                Some(artifact) => Ok(artifact.clone()),
                None => Err(Problem::Missing(self.explain(name))),
            },
        }
    }

    /// Why there is no artifact of that name: most often because a join did not carry it over.
    fn explain(&self, name: &str) -> String {
        let name = excerpt(name);
        let here = self.run.step_name(self.id.step);
        if let Some(inputs) = &self.inputs
            && inputs.any_has(&self.run, &name)
        {
            return format!(
                "artifact `{name}` is not set in the join `{here}`: read it from its inputs, or \
                 carry it over with merge_artifacts"
            );
        }
        if let Some(join) = self.inherits.as_ref().and_then(Environment::join)
            && JoinInputs::new(Arc::clone(&join.inputs)).any_has(&self.run, &name)
        {
            let join = self.run.step_name(join.task.step);
            return format!(
                "artifact `{name}` was lost in the join `{join}`: a join carries nothing over by \
                 itself. Assign it there, or call merge_artifacts there"
            );
        }
        let joined = self.inputs.is_some()
            || self.inherits.as_ref().is_some_and(|inherits| inherits.join().is_some());
        if joined && let Some(setter) = self.setter(&name) {
            return format!(
                "artifact `{name}` is set in step `{setter}`, and was lost in a join after that: a \
                 join carries nothing over by itself. Assign it there, or call merge_artifacts there"
            );
        }
        let visible = self.visible();
        match nearest(&name, visible.iter().map(Name::as_str)) {
            Some(meant) => format!("there is no artifact `{name}`; did you mean `{meant}`?"),
            None => format!("no step before `{here}` sets an artifact `{name}`"),
        }
    }

    /// A step some of whose first tasks have set an artifact of that name. Only steps all of whose
    /// tasks have finished are asked: the guest gets to see the answer, which is not to depend on
    /// how fast others are.
    fn setter(&self, name: &str) -> Option<&Name> {
        const ASKED: usize = 8;
        let run = &self.run;
        run.output.flush().ok()?;
        let here = run.graph.step(self.id.step).foreachs.first();
        let has_finished = |step: StepIndex| {
            let first = run.graph.step(step).foreachs.first();
            (here.is_none() || first != here) && run.graph.leads(step, self.id.step)
        };
        let sets = |step: StepIndex| {
            let tasks = run.store.tasks(run.run, step, None, ASKED);
            tasks.is_ok_and(|tasks| tasks.iter().any(|task| task.artifacts.contains_key(name)))
        };
        let mut steps = run.graph.indexed_steps().map(|(step, _)| step);
        Some(run.step_name(steps.find(|&step| has_finished(step) && sets(step))?))
    }

    fn visible(&self) -> BTreeSet<Name> {
        let inherited = self.visible_before().into_iter();
        let inherited = inherited.filter(|name| !self.removed.contains(name));
        self.artifacts.keys().cloned().chain(inherited).collect()
    }

    /// What was visible before the task changed anything.
    pub(crate) fn visible_before(&self) -> BTreeSet<Name> {
        let inherited = self.inherits.as_ref().map(Environment::visible).unwrap_or_default();
        inherited.into_keys().chain(self.run.parameters.keys().cloned()).collect()
    }

    /// Looks an artifact up for the task itself, and notes that it was read.
    fn look_up(&mut self, name: &str) -> Result<Artifact, Problem> {
        let found = self.artifact(name);
        if self.artifacts.contains_key(name) || self.removed.contains(name) {
            return found;
        }
        if let Ok(name) = Name::new(name) {
            self.reads.note(Read::Artifact(name));
        }
        if found.is_err() {
            // It is told which names there are, and perhaps what a join has lost.
            self.reads.note(Read::Names);
            self.note_input(name);
            let joined = self.inherits.as_ref().is_some_and(|all| all.join().is_some());
            let input_has_it =
                self.inputs.as_ref().is_some_and(|inputs| inputs.any_has(&self.run, name));
            let removed = self.inherits.as_ref().map(|all| all.lookup(name));
            let removed = matches!(removed, Some(Lookup::Removed(_)));
            if joined || removed || self.inputs.is_some() && !input_has_it {
                // Of what came before that there is no telling, nor of who removed it.
                self.reads.note_untold();
            }
        }
        found
    }

    /// Whether a name and a format may be set.
    fn check_put(&self, name: &str, format: &str) -> Result<Name, Problem> {
        let refuse = |why: String| Err(Problem::Refused(why));
        let name = Name::new(name).map_err(|error| Problem::Refused(error.to_string()))?;
        if self.run.parameters.contains_key(&name) {
            return refuse(format!(
                "`{name}` is a parameter, which cannot be assigned: use another artifact"
            ));
        }
        if format.is_empty() || format.len() > MAX_FORMAT || format.bytes().any(|b| b < b' ') {
            return refuse(format!(
                "`{}` is no format for artifact `{name}`: a media type, at most {MAX_FORMAT} bytes",
                excerpt(format)
            ));
        }
        self.check_count(&name)?;
        Ok(name)
    }

    /// Whether there is room for an artifact of that name.
    fn check_count(&self, name: &Name) -> Result<(), Problem> {
        if self.artifacts.contains_key(name) {
            return Ok(());
        }
        self.quota.count(self.artifacts.len() + 1)
    }

    fn set(&mut self, name: Name, artifact: Artifact) {
        self.removed.remove(&name);
        self.artifacts.insert(name, artifact);
    }

    /// Whether the task has kept within what it may leave behind.
    ///
    /// # Errors
    ///
    /// With the limit that it went past.
    pub(crate) fn check_quota(&self) -> Result<(), Box<Failure>> {
        let inherited = self.inherits.as_ref().map_or(0, Environment::at_most);
        if self.artifacts.len() + inherited > self.quota.artifacts() {
            // That may have counted names twice.
            let held = self.held();
            let _ = self.quota.count(held);
        }
        self.quota.exceeded().map_or(Ok(()), |limit| Err(Box::new(limit.failure())))
    }

    /// How many artifacts this task hands on.
    fn held(&self) -> usize {
        let inherited = self.inherits.as_ref().map(Environment::visible).unwrap_or_default();
        let inherited = inherited
            .keys()
            .filter(|name| !self.removed.contains(*name) && !self.artifacts.contains_key(*name));
        self.artifacts.len() + inherited.count()
    }

    fn join(&mut self) -> Result<&mut JoinInputs, Problem> {
        let step = self.run.step_name(self.id.step);
        let problem = || Problem::Refused(format!("step `{step}` is no join and has no inputs"));
        self.inputs.as_mut().ok_or_else(problem)
    }

    fn note_inputs(&mut self) {
        if self.inputs.is_some() {
            self.reads.note(Read::InputSteps);
        }
    }

    fn note_input(&mut self, name: &str) {
        self.note_inputs();
        if let (Some(_), Ok(name)) = (&self.inputs, Name::new(name)) {
            self.reads.note(Read::Input(name));
        }
    }

    /// Completes the two logs.
    pub(crate) fn finish_logs(&mut self) -> [Vec<u8>; 2] {
        let (run, id) = (Arc::clone(&self.run), self.id.clone());
        let speaker = speaker(&run, &id);
        [(&mut self.stdout, Channel::Stdout), (&mut self.stderr, Channel::Stderr)]
            .map(|(log, channel)| std::mem::replace(log, LogCapture::new(channel)).finish(&speaker))
    }
}

fn speaker<'a>(run: &'a RunContext, id: &'a TaskRef) -> Speaker<'a> {
    Speaker { observer: &*run.observer, step: run.step_name(id.step), task: &id.task }
}

impl TaskIo for Session {
    fn get(&mut self, name: &str) -> Result<Value, Problem> {
        let artifact = self.look_up(name)?;
        check_crossing(name, artifact.size)?;
        self.run.value(&artifact)
    }

    fn put(&mut self, name: &str, format: &str, data: &[u8]) -> Result<(), Problem> {
        let name = self.check_put(name, format)?;
        self.quota.put(data.len())?;
        let artifact = self
            .run
            .output
            .put(self.run.format(format), data)
            .map_err(|error| self.run.refused(error))?;
        self.set(name, artifact);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), Problem> {
        self.look_up(name)?;
        let name = Name::new(name).map_err(|error| Problem::Refused(error.to_string()))?;
        if self.run.parameters.contains_key(&name) {
            return Err(Problem::Refused(format!(
                "`{name}` is a parameter, which cannot be removed"
            )));
        }
        self.artifacts.remove(&name);
        // What those who come after see depends on what was there before.
        self.reads.note(Read::Artifact(name.clone()));
        // Only what is inherited has to be hidden from those who come after.
        let inherited = self.inherits.as_ref().map(|inherits| inherits.lookup(&name));
        if matches!(inherited, Some(Lookup::Found(_))) {
            self.removed.insert(name);
        }
        Ok(())
    }

    fn names(&mut self) -> Vec<Arc<str>> {
        self.reads.note(Read::Names);
        self.visible().into_iter().map(|name| name.as_str().into()).collect()
    }

    fn open(&mut self, name: &str) -> Result<Box<dyn ArtifactRead>, Problem> {
        let (artifact, open) = (self.look_up(name)?, self.quota.open()?);
        PieceReader::open(&self.run, &artifact, open)
    }

    fn create(&mut self, name: &str, format: &str) -> Result<Box<dyn ArtifactWrite>, Problem> {
        let name = self.check_put(name, format)?;
        let (open, quota) = (self.quota.open()?, Arc::clone(&self.quota));
        let pieces = self.run.output.stream(format);
        let run = Arc::clone(&self.run);
        Ok(Box::new(PieceWriter { name, pieces, refused: None, run, quota, _open: open }))
    }

    fn finish(&mut self, writer: Box<dyn ArtifactWrite>) -> Result<(), Problem> {
        let writer: Box<dyn Any> = writer;
        let Ok(writer) = writer.downcast::<PieceWriter>() else {
            return Err(Problem::Refused("the writer is of another task".to_owned()));
        };
        if let Some(problem) = writer.refused {
            return Err(problem);
        }
        self.check_count(&writer.name)?;
        let artifact = writer.pieces.finish().map_err(|error| self.run.refused(error))?;
        self.set(writer.name, artifact);
        Ok(())
    }

    fn item(&mut self, level: u32) -> Result<Value, Problem> {
        if (level as usize) < self.frames.len() {
            self.reads.note(Read::Item(level));
        }
        let frame = self.frames.get(level as usize).ok_or_else(|| {
            Problem::Missing(format!("this task is inside {} foreach", self.frames.len()))
        })?;
        let missing = || Problem::Missing(format!("the list has no item {}", frame.index));
        let item = frame.items.place(frame.index).ok_or_else(missing)?;
        check_crossing(&frame.items.name(), item.len() as u64)?;
        frame.items.get(frame.index).ok_or_else(missing)
    }

    fn input_count(&mut self) -> u32 {
        self.note_inputs();
        self.inputs.as_ref().map_or(0, JoinInputs::count)
    }

    fn input_step(&mut self, index: u32) -> Result<Arc<str>, Problem> {
        self.note_inputs();
        let task = self.join()?.task(index)?;
        Ok(Arc::clone(&self.run.steps[task.step.get()]))
    }

    fn input_get(
        &mut self,
        name: &str,
        first: u32,
        max: u32,
    ) -> Result<Vec<Option<Value>>, Problem> {
        self.note_input(name);
        let run = Arc::clone(&self.run);
        self.join()?.get(&run, name, first, max)
    }

    fn input_names(&mut self, index: u32) -> Result<Vec<Arc<str>>, Problem> {
        self.reads.note(Read::Inputs);
        let run = Arc::clone(&self.run);
        self.join()?.names(&run, index)
    }

    fn input_open(&mut self, index: u32, name: &str) -> Result<Box<dyn ArtifactRead>, Problem> {
        self.note_input(name);
        let run = Arc::clone(&self.run);
        let artifact = self.join()?.artifact(&run, index, name)?;
        PieceReader::open(&run, &artifact, self.quota.open()?)
    }

    fn merge(&mut self, include: &[String], exclude: &[String]) -> Result<(), Problem> {
        self.reads.note(Read::Inputs);
        let (run, own) = (Arc::clone(&self.run), std::mem::take(&mut self.artifacts));
        let quota = Arc::clone(&self.quota);
        let merged = self.join().and_then(|join| join.merge(&run, &own, include, exclude, &quota));
        self.artifacts = own;
        self.artifacts.extend(merged?);
        Ok(())
    }

    fn log(&mut self, channel: Channel, text: &[u8]) {
        let speaker = speaker(&self.run, &self.id);
        match channel {
            Channel::Stdout => self.stdout.push(text, &speaker),
            Channel::Stderr => self.stderr.push(text, &speaker),
        }
    }
}
