//! What a join reads of the tasks that it joins.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::thread::JoinHandle;

use wflow_model::Digest;
use wflow_model::Name;
use wflow_model::name::excerpt;
use wflow_model::record::Artifact;
use wflow_model::record::Artifacts;
use wflow_model::record::TaskRecord;
use wflow_model::task::TaskRef;
use wflow_sandbox::Problem;
use wflow_sandbox::Value;

use crate::context::RunContext;
use crate::context::check_crossing;
use crate::quota::Quota;
use crate::schedule::Inputs;
use crate::trace::Hasher;

/// How many inputs are looked up at once.
const BATCH: usize = 1024;

/// About how many bytes one answer to the guest holds.
const ANSWER: usize = 1 << 20;

/// So many answers are read at once before they are asked for: to read one takes some times as
/// long as what the guest does with it.
const READERS: usize = 2;

/// Who asks for so many inputs at once will ask for the next ones.
const WORTH_IT: usize = 256;

/// So many inputs are asked whether they have an artifact that was lost.
const ASKED: usize = 64;

/// The inputs of a join. They are committed, and read from the store.
pub(crate) struct JoinInputs {
    inputs: Arc<Inputs>,
    ahead: VecDeque<Ahead>,
    /// What was found of each artifact so far, for the digest of what was read.
    found: HashMap<String, Found>,
}

/// What was found of one artifact, from the first input on.
struct Found {
    /// How many inputs are in the digest.
    inputs: usize,
    hasher: Hasher,
}

/// One artifact of some inputs, with its digests.
type Values = Result<Vec<Option<(Digest, Value)>>, Problem>;

/// What the guest will probably ask next, read while it works on the answer before.
struct Ahead {
    name: String,
    first: u32,
    max: u32,
    /// There until somebody waits for it.
    reader: Option<JoinHandle<Values>>,
}

impl Ahead {
    /// Waits for the answer; none if there is none.
    fn wait(mut self) -> Option<Values> {
        self.reader.take()?.join().ok()
    }
}

impl Drop for Ahead {
    /// Whoever asks for something else waits for what was begun: else threads pile up, each with an
    /// answer in memory.
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl JoinInputs {
    pub(crate) fn new(inputs: Arc<Inputs>) -> Self {
        Self { inputs, ahead: VecDeque::new(), found: HashMap::new() }
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.inputs.len()).unwrap_or(u32::MAX)
    }

    /// The task at a position.
    pub(crate) fn task(&self, index: u32) -> Result<TaskRef, Problem> {
        self.inputs.get(index as usize).ok_or_else(|| {
            Problem::Missing(format!(
                "there is no input {index}: the join has {}",
                self.inputs.len()
            ))
        })
    }

    /// One artifact of many inputs, from one on: `max` of them, or fewer if they are large.
    pub(crate) fn get(
        &mut self,
        run: &Arc<RunContext>,
        name: &str,
        first: u32,
        max: u32,
    ) -> Result<Vec<Option<Value>>, Problem> {
        let ahead = self.ahead.pop_front().filter(|ahead| {
            (ahead.first, ahead.name.as_str()) == (first, name) && ahead.max <= max
        });
        let values = match ahead.and_then(Ahead::wait) {
            Some(values) => values,
            None => read(run, &self.inputs, name, first, max),
        }?;
        let mut next = first.saturating_add(u32::try_from(values.len()).unwrap_or(u32::MAX));
        // What follows was begun for an answer of another size, or another question.
        if self.ahead.front().is_some_and(|ahead| (ahead.first, &*ahead.name) != (next, name)) {
            self.ahead.clear();
        }
        if let Some(last) = self.ahead.back() {
            next = last.first.saturating_add(last.max);
        }
        // A few are asked for by those who want to see no more than these.
        while max as usize >= WORTH_IT
            && (next as usize) < self.inputs.len()
            && self.ahead.len() < READERS
        {
            let Some(ahead) = self.read_ahead(run, name, next, max) else { break };
            self.ahead.push_back(ahead);
            next = next.saturating_add(max);
        }
        self.note(name, first, &values);
        Ok(values.into_iter().map(|value| value.map(|(_, value)| value)).collect())
    }

    /// Takes what was found into the digest of that artifact, if it is what comes next.
    fn note(&mut self, name: &str, first: u32, values: &[Option<(Digest, Value)>]) {
        if first == 0 && !self.found.contains_key(name) {
            let found = Found { inputs: 0, hasher: Hasher::new() };
            self.found.insert(name.to_owned(), found);
        }
        if let Some(found) = self.found.get_mut(name)
            && found.inputs == first as usize
        {
            for value in values {
                found.hasher.digest(value.as_ref().map(|(digest, _)| digest));
            }
            found.inputs += values.len();
        }
    }

    /// The digest of one artifact of all inputs.
    pub(crate) fn digest(&mut self, run: &RunContext, name: &str) -> Result<Digest, Problem> {
        if let Some(found) = self.found.get(name)
            && found.inputs == self.inputs.len()
        {
            return Ok(found.hasher.finish());
        }
        // Not all were read, or not in order.
        let mut hasher = Hasher::new();
        let mut position = 0;
        while position < self.inputs.len() {
            let tasks = tasks(&self.inputs, position, BATCH);
            position += tasks.len();
            for artifact in
                run.store.resolve_many(run.run, &tasks, name).map_err(|error| run.refused(error))?
            {
                hasher.digest(artifact.map(|artifact| artifact.digest).as_ref());
            }
        }
        Ok(hasher.finish())
    }

    /// The digest of all artifacts of all inputs.
    pub(crate) fn digest_of_all(&self, run: &RunContext) -> Result<Digest, Problem> {
        let mut hasher = Hasher::new();
        self.each_visible(run, |artifacts| {
            // Some of them come from elsewhere than others: put into one order.
            // Parameters are the same for all, and no part of what is merged.
            let artifacts: BTreeMap<&Name, &Artifact> =
                artifacts.filter(|(name, _)| !run.parameters.contains_key(*name)).collect();
            hasher.number(artifacts.len() as u64);
            for (name, artifact) in artifacts {
                hasher.text(name).digest(Some(&artifact.digest));
            }
            Ok(())
        })?;
        Ok(hasher.finish())
    }

    /// Begins to read what comes next; none if there is no thread for it.
    fn read_ahead(&self, run: &Arc<RunContext>, name: &str, first: u32, max: u32) -> Option<Ahead> {
        let (run, inputs, name) = (Arc::clone(run), Arc::clone(&self.inputs), name.to_owned());
        let asked = name.clone();
        let read = move || read(&run, &inputs, &asked, first, max);
        let reader = thread::Builder::new().name("wflow-ahead".to_owned()).spawn(read).ok()?;
        Some(Ahead { name, first, max, reader: Some(reader) })
    }

    /// One artifact of one input.
    pub(crate) fn artifact(
        &self,
        run: &RunContext,
        index: u32,
        name: &str,
    ) -> Result<Artifact, Problem> {
        let task = self.task(index)?;
        let found =
            run.store.resolve_many(run.run, &[task], name).map_err(|error| run.refused(error))?;
        found.into_iter().flatten().next().ok_or_else(|| {
            Problem::Missing(format!("input {index} has no artifact `{}`", excerpt(name)))
        })
    }

    /// The names of all artifacts of one input.
    pub(crate) fn names(&self, run: &RunContext, index: u32) -> Result<Vec<Arc<str>>, Problem> {
        let task = self.task(index)?;
        let record = self.records(run, std::slice::from_ref(&task))?.remove(0);
        let visible = run.store.visible(run.run, &record).map_err(|error| run.refused(error))?;
        Ok(visible.into_keys().map(|name| name.as_str().into()).collect())
    }

    /// Whether one of the first inputs has an artifact of that name.
    pub(crate) fn any_has(&self, run: &RunContext, name: &str) -> bool {
        let tasks =
            (0..ASKED.min(self.inputs.len())).filter_map(|position| self.inputs.get(position));
        tasks.into_iter().any(|task| {
            run.store
                .resolve_many(run.run, &[task], name)
                .is_ok_and(|found| found.iter().any(Option::is_some))
        })
    }

    /// What a join takes over from its inputs: every artifact that it has not set itself and on
    /// which they agree. Compares digests alone.
    pub(crate) fn merge(
        &self,
        run: &RunContext,
        own: &Artifacts,
        include: &[String],
        exclude: &[String],
        quota: &Quota,
    ) -> Result<Artifacts, Problem> {
        if !include.is_empty() && !exclude.is_empty() {
            let why = "merge_artifacts takes names to include or names to exclude, not both";
            return Err(Problem::Refused(why.to_owned()));
        }
        // Looked up once for every artifact of every input.
        let [included, excluded] = [include, exclude]
            .map(|names| names.iter().map(String::as_str).collect::<HashSet<_>>());
        let wanted = |name: &Name| {
            !own.contains_key(name)
                && !run.parameters.contains_key(name)
                && !excluded.contains(name.as_str())
                && (included.is_empty() || included.contains(name.as_str()))
        };
        let mut merged: BTreeMap<Name, (Artifact, bool)> = BTreeMap::new();
        self.each_visible(run, |artifacts| {
            quota.count(own.len() + merged.len())?;
            for (name, artifact) in artifacts.filter(|(name, _)| wanted(name)) {
                match merged.get_mut(name) {
                    Some((first, agreed)) => *agreed &= first.digest == artifact.digest,
                    None => {
                        merged.insert(name.clone(), (artifact.clone(), true));
                    }
                }
            }
            Ok(())
        })?;
        quota.count(own.len() + merged.len())?;
        let absent = |name: &&String| {
            !merged.contains_key(name.as_str())
                && !own.contains_key(name.as_str())
                // Parameters are there without being merged.
                && !run.parameters.contains_key(name.as_str())
        };
        let absent: Vec<String> = include.iter().filter(absent).map(|name| excerpt(name)).collect();
        if !absent.is_empty() {
            return Err(Problem::Missing(format!(
                "no input of the join has {}, which merge_artifacts is to include",
                listed(&absent)
            )));
        }
        let torn: Vec<String> = merged
            .iter()
            .filter(|(_, (_, agreed))| !agreed)
            .map(|(name, _)| name.to_string())
            .collect();
        if !torn.is_empty() {
            return Err(Problem::Refused(format!(
                "merge_artifacts cannot choose between different values of {}: assign what the \
                 join is to keep before it is called, or exclude what it is to drop",
                listed(&torn)
            )));
        }
        Ok(merged.into_iter().map(|(name, (artifact, _))| (name, artifact)).collect())
    }

    /// Visits everything that each input sees. Inputs of a foreach mostly inherit from the same
    /// task, which is looked up once.
    fn each_visible(
        &self,
        run: &RunContext,
        mut visit: impl FnMut(&mut dyn Iterator<Item = (&Name, &Artifact)>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let mut inherited: Option<(TaskRef, Artifacts)> = None;
        let mut position = 0;
        while position < self.inputs.len() {
            let tasks = tasks(&self.inputs, position, BATCH);
            position += tasks.len();
            for record in self.records(run, &tasks)? {
                if let Some(parent) = &record.inherits
                    && inherited.as_ref().is_none_or(|(task, _)| task != parent)
                {
                    let found = self.records(run, std::slice::from_ref(parent))?.remove(0);
                    let visible =
                        run.store.visible(run.run, &found).map_err(|error| run.refused(error))?;
                    inherited = Some((parent.clone(), visible));
                }
                let below = match &inherited {
                    Some((task, visible)) if record.inherits.as_ref() == Some(task) => visible,
                    _ => &record.inherited,
                };
                let hidden = |name: &Name| {
                    record.artifacts.contains_key(name) || record.removed.contains(name)
                };
                let below = below.iter().filter(|(name, _)| !hidden(name));
                visit(&mut record.artifacts.iter().chain(below))?;
            }
        }
        Ok(())
    }

    /// The records of tasks of one step.
    fn records(&self, run: &RunContext, tasks: &[TaskRef]) -> Result<Vec<TaskRecord>, Problem> {
        let Some(first) = tasks.first() else { return Ok(Vec::new()) };
        let ids: Vec<_> = tasks.iter().map(|task| task.task.clone()).collect();
        let records =
            run.store.tasks_by_id(run.run, first.step, &ids).map_err(|error| run.refused(error))?;
        let missing = || Problem::Refused("the store has lost an input of the join".to_owned());
        records.into_iter().map(|record| record.ok_or_else(missing)).collect()
    }
}

/// One artifact of many inputs.
fn read(run: &RunContext, inputs: &Inputs, name: &str, first: u32, max: u32) -> Values {
    let mut answer = Vec::new();
    let mut bytes = 0;
    let end = inputs.len().min((first as usize).saturating_add(max as usize));
    while bytes < ANSWER && first as usize + answer.len() < end {
        let next = first as usize + answer.len();
        let tasks = tasks(inputs, next, BATCH.min(end - next));
        for artifact in
            run.store.resolve_many(run.run, &tasks, name).map_err(|error| run.refused(error))?
        {
            if let Some(artifact) = &artifact
                && let Err(problem) = check_crossing(name, artifact.size)
            {
                // Those before it are told first.
                return if answer.is_empty() { Err(problem) } else { Ok(answer) };
            }
            let value = |artifact: Artifact| Ok((artifact.digest, run.value(&artifact)?));
            let value = artifact.map(value).transpose()?;
            bytes += value.as_ref().map_or(0, |(_, value)| value.data.len());
            answer.push(value);
            if bytes >= ANSWER {
                break;
            }
        }
    }
    Ok(answer)
}

/// The tasks from a position on: as many as are of one step, at most `max`.
fn tasks(inputs: &Inputs, first: usize, max: usize) -> Vec<TaskRef> {
    let mut tasks = (first..inputs.len()).map_while(|position| inputs.get(position));
    let Some(one) = tasks.next() else { return Vec::new() };
    let step = one.step;
    let rest = tasks.take_while(|task| task.step == step);
    std::iter::once(one).chain(rest).take(max).collect()
}

/// Names for a sentence, shortened where there are many.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
