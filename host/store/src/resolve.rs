//! Following what tasks inherit.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use wflow_model::Name;
use wflow_model::lookup::Answer;
use wflow_model::record::Artifact;
use wflow_model::record::Artifacts;
use wflow_model::record::RunId;
use wflow_model::record::TaskRecord;
use wflow_model::task::StepIndex;
use wflow_model::task::TaskRef;

use crate::error::Result;
use crate::error::StoreError;
use crate::store::Store;

/// Notices when a walk from task to task comes back to where it was, by Brent's method: it
/// remembers one task, and a later one after twice as many steps.
#[derive(Clone)]
pub(crate) struct Walk {
    mark: Option<TaskRef>,
    steps: u32,
    limit: u32,
}

impl Walk {
    pub(crate) fn new() -> Self {
        Self { mark: None, steps: 0, limit: 1 }
    }

    pub(crate) fn step(&mut self, run: RunId, next: &TaskRef) -> Result<()> {
        if self.mark.as_ref() == Some(next) {
            return Err(broken(run, next, "it inherits from itself"));
        }
        self.steps += 1;
        if self.steps == self.limit {
            self.mark = Some(next.clone());
            self.steps = 0;
            self.limit = self.limit.saturating_mul(2);
        }
        Ok(())
    }
}

fn broken(run: RunId, task: &TaskRef, why: &'static str) -> StoreError {
    StoreError::BrokenChain { run, task: Box::new(task.clone()), why }
}

/// Tasks that are asked for a name on behalf of others: which of the questions they answer.
type Questions = BTreeMap<TaskRef, (Vec<usize>, Walk)>;

/// One of them, with what it says.
type Asked = (TaskRef, Answer, Vec<usize>, Walk);

impl Store {
    /// An artifact as a task sees it: what it set itself, what it inherited, or a parameter of
    /// the run. None if there is no such artifact.
    ///
    /// The record need not be committed; those from which it inherits must be.
    ///
    /// # Errors
    ///
    /// If a record is damaged, if a task from which it inherits is missing or inherits from
    /// itself, or if the catalog cannot be read.
    pub fn resolve(&self, run: RunId, record: &TaskRecord, name: &str) -> Result<Option<Artifact>> {
        let mut walk = Walk::new();
        let mut answered = record.answer(name);
        loop {
            match answered {
                Answer::Found(artifact) => return Ok(Some(artifact)),
                Answer::Removed | Answer::Unknown => return self.parameter(run, name),
                Answer::Ask(next) => {
                    walk.step(run, &next)?;
                    let next = self.parent(run, &next)?;
                    answered = next.answer(name);
                }
            }
        }
    }

    /// [`Self::resolve`] for many committed tasks of one step at once, in the order asked for.
    ///
    /// Meant for the inputs of a join. A task from which many inherit is read once.
    ///
    /// # Errors
    ///
    /// As [`Self::resolve`]; also if one of the tasks themselves is missing.
    pub fn resolve_many(
        &self,
        run: RunId,
        tasks: &[TaskRef],
        name: &str,
    ) -> Result<Vec<Option<Artifact>>> {
        let mut answers = vec![None; tasks.len()];
        let mut unknown = Vec::new();
        let mut questions = Questions::new();
        for (place, task) in tasks.iter().enumerate() {
            questions
                .entry(task.clone())
                .or_insert_with(|| (Vec::new(), Walk::new()))
                .0
                .push(place);
        }
        while !questions.is_empty() {
            let mut next = Questions::new();
            for (task, answer, places, mut walk) in self.ask(run, name, questions)? {
                match answer {
                    Answer::Found(artifact) => {
                        for place in places {
                            answers[place] = Some(artifact.clone());
                        }
                    }
                    Answer::Removed | Answer::Unknown => unknown.extend(places),
                    Answer::Ask(parent) => {
                        walk.step(run, &parent)
                            .map_err(|_| broken(run, &task, "it inherits from itself"))?;
                        next.entry(parent).or_insert_with(|| (Vec::new(), walk)).0.extend(places);
                    }
                }
            }
            questions = next;
        }
        if !unknown.is_empty() {
            let parameter = self.parameter(run, name)?;
            for place in unknown {
                answers[place].clone_from(&parameter);
            }
        }
        Ok(answers)
    }

    /// Everything that a task sees, by name: what it set, what it inherited and did not remove,
    /// and the parameters of the run.
    ///
    /// # Errors
    ///
    /// As [`Self::resolve`].
    pub fn visible(&self, run: RunId, record: &TaskRecord) -> Result<Artifacts> {
        let mut walk = Walk::new();
        let mut visible = Artifacts::new();
        let mut removed = BTreeSet::<Name>::new();
        let mut parent = None;
        let mut record = record;
        loop {
            add(&mut visible, &removed, &record.artifacts);
            removed.extend(record.removed.iter().cloned());
            add(&mut visible, &removed, &record.inherited);
            let Some(next) = &record.inherits else { break };
            walk.step(run, next)?;
            let next = self.parent(run, next)?;
            record = parent.insert(next);
        }
        let parameters = &self.run_record(run)?.parameters;
        add(&mut visible, &BTreeSet::new(), parameters);
        Ok(visible)
    }

    /// Reads the tasks that are asked, a step at a time.
    fn ask(&self, run: RunId, name: &str, questions: Questions) -> Result<Vec<Asked>> {
        let mut steps = BTreeMap::<StepIndex, Vec<_>>::new();
        for (task, (places, walk)) in questions {
            steps.entry(task.step).or_default().push((task, places, walk));
        }
        let mut asked = Vec::new();
        for (step, questions) in steps {
            let ids: Vec<_> = questions.iter().map(|(task, ..)| task.task.clone()).collect();
            let answers = self.answers_by_id(run, step, &ids, name)?;
            for (answer, (task, places, walk)) in answers.into_iter().zip(questions) {
                let answer = answer.ok_or_else(|| broken(run, &task, MISSING))?;
                asked.push((task, answer, places, walk));
            }
        }
        Ok(asked)
    }

    fn parent(&self, run: RunId, task: &TaskRef) -> Result<TaskRecord> {
        self.task(run, task)?.ok_or_else(|| broken(run, task, MISSING))
    }

    fn parameter(&self, run: RunId, name: &str) -> Result<Option<Artifact>> {
        Ok(self.run_record(run)?.parameters.get(name).cloned())
    }
}

const MISSING: &str = "the store holds no such task";

/// Adds what is neither there nor removed.
fn add(visible: &mut Artifacts, removed: &BTreeSet<Name>, more: &Artifacts) {
    for (name, artifact) in more {
        if !removed.contains(name) && !visible.contains_key(name) {
            visible.insert(name.clone(), artifact.clone());
        }
    }
}
