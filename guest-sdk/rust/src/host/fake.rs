//! A task in memory.

use crate::host::{Failure, Frame, Identity, Problem, Raw};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// The artifacts of a task.
pub(crate) type Artifacts = BTreeMap<String, Raw>;

/// All that the host would know of a task, and what it has heard from it.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) artifacts: Artifacts,
    /// The tasks that are joined: their steps and what they have.
    pub(crate) inputs: Vec<(String, Artifacts)>,
    /// The loops around the task, and its item of each.
    pub(crate) frames: Vec<(Frame, Raw)>,
    /// What the task has set or removed.
    pub(crate) touched: BTreeSet<String>,
    pub(crate) output: Vec<u8>,
    pub(crate) failure: Option<Failure>,
    /// The calls so far, such as `get count` or `input_get count 0 16`.
    pub(crate) calls: Vec<String>,
    pub(crate) clock: u64,
    /// The most bytes that cross at once, if there is a limit.
    pub(crate) limit: Option<usize>,
}

impl Fake {
    fn crossing(&self, raw: &Raw) -> Result<(), Problem> {
        match self.limit {
            Some(limit) if raw.data.len() > limit => Err(Problem::Refused("too large".into())),
            _ => Ok(()),
        }
    }
}

thread_local! {
    static FAKE: RefCell<Fake> = RefCell::default();
}

/// Looks at, or changes, the task in memory.
pub(crate) fn with<T>(act: impl FnOnce(&mut Fake) -> T) -> T {
    FAKE.with_borrow_mut(act)
}

/// A call of the host, which is noted.
fn call<T>(what: impl Into<String>, act: impl FnOnce(&mut Fake) -> T) -> T {
    with(|fake| {
        fake.calls.push(what.into());
        act(fake)
    })
}

fn missing(name: &str) -> Problem {
    Problem::Missing(format!("no earlier step has set `{name}`"))
}

pub(crate) fn identify() -> Identity {
    call("identify", |fake| Identity {
        flow: "Fake".into(),
        step: "step".into(),
        task: "1".into(),
        attempt: 0,
        frames: fake.frames.iter().map(|(frame, _)| frame.clone()).collect(),
    })
}

pub(crate) fn run_id() -> String {
    call("run_id", |_| "1".into())
}

pub(crate) fn now() -> u64 {
    call("now", |fake| {
        fake.clock += 1000;
        fake.clock
    })
}

pub(crate) fn random(count: u32) -> Vec<u8> {
    call(format!("random {count}"), |_| vec![4; count as usize])
}

pub(crate) fn log(_: crate::task::Channel, text: &[u8]) {
    call("log", |fake| fake.output.extend(text));
}

pub(crate) fn fail(why: &Failure) {
    call("fail", |fake| fake.failure = Some(why.clone()));
}

pub(crate) fn get(name: &str) -> Result<Raw, Problem> {
    call(format!("get {name}"), |fake| {
        let raw = fake.artifacts.get(name).cloned().ok_or_else(|| missing(name))?;
        fake.crossing(&raw).map(|()| raw)
    })
}

pub(crate) fn put(name: &str, format: &str, data: &[u8]) -> Result<(), Problem> {
    call(format!("put {name}"), |fake| {
        fake.touched.insert(name.to_owned());
        fake.artifacts
            .insert(name.to_owned(), Raw { format: format.to_owned(), data: data.to_vec() });
        Ok(())
    })
}

pub(crate) fn remove(name: &str) -> Result<(), Problem> {
    call(format!("remove {name}"), |fake| {
        fake.touched.insert(name.to_owned());
        fake.artifacts.remove(name).map(drop).ok_or_else(|| missing(name))
    })
}

pub(crate) fn names() -> Vec<String> {
    call("names", |fake| fake.artifacts.keys().cloned().collect())
}

pub(crate) fn item(level: u32) -> Result<Raw, Problem> {
    call(format!("item {level}"), |fake| {
        let frame = fake.frames.get(level as usize);
        frame.map(|(_, item)| item.clone()).ok_or_else(|| Problem::Refused("no such frame".into()))
    })
}

pub(crate) fn input_count() -> u32 {
    call("input_count", |fake| fake.inputs.len() as u32)
}

pub(crate) fn input_step(index: u32) -> Result<String, Problem> {
    call(format!("input_step {index}"), |fake| {
        let input = fake.inputs.get(index as usize);
        input.map(|(step, _)| step.clone()).ok_or_else(|| Problem::Refused("no such input".into()))
    })
}

pub(crate) fn input_get(name: &str, first: u32, max: u32) -> Result<Vec<Option<Raw>>, Problem> {
    call(format!("input_get {name} {first} {max}"), |fake| {
        let inputs = fake.inputs.iter().skip(first as usize).take(max as usize);
        let mut answer = Vec::new();
        for raw in inputs.map(|(_, artifacts)| artifacts.get(name)) {
            match raw.map_or(Ok(()), |raw| fake.crossing(raw)) {
                Ok(()) => answer.push(raw.cloned()),
                Err(problem) if answer.is_empty() => return Err(problem),
                Err(_) => break,
            }
        }
        Ok(answer)
    })
}

pub(crate) fn merge(include: &[String], exclude: &[String]) -> Result<(), Problem> {
    call("merge", |fake| {
        let mut merged = Artifacts::new();
        for (name, raw) in fake.inputs.iter().flat_map(|(_, artifacts)| artifacts) {
            let wanted = include.is_empty() || include.contains(name);
            if fake.touched.contains(name) || exclude.contains(name) || !wanted {
                continue;
            }
            let same = |other: &Raw| other.format == raw.format && other.data == raw.data;
            if !merged.get(name).is_none_or(same) {
                return Err(Problem::Refused(format!("the inputs disagree about `{name}`")));
            }
            merged.insert(name.clone(), raw.clone());
        }
        fake.artifacts.extend(merged);
        Ok(())
    })
}

pub(crate) fn open(name: &str) -> Result<Reader, Problem> {
    call(format!("open {name}"), |fake| {
        fake.artifacts.get(name).cloned().map(Reader).ok_or_else(|| missing(name))
    })
}

pub(crate) fn input_open(index: u32, name: &str) -> Result<Reader, Problem> {
    call(format!("input_open {index} {name}"), |fake| {
        let input = fake.inputs.get(index as usize);
        let raw = input.and_then(|(_, artifacts)| artifacts.get(name));
        raw.cloned().map(Reader).ok_or_else(|| missing(name))
    })
}

pub(crate) fn create(name: &str, format: &str) -> Result<Writer, Problem> {
    call(format!("create {name}"), |_| {
        let raw = Raw { format: format.to_owned(), data: Vec::new() };
        Ok(Writer { name: name.to_owned(), raw: RefCell::new(raw) })
    })
}

/// An artifact that is read in pieces.
pub(crate) struct Reader(Raw);

impl Reader {
    pub(crate) fn format(&self) -> String {
        self.0.format.clone()
    }

    pub(crate) fn size(&self) -> u64 {
        self.0.data.len() as u64
    }

    pub(crate) fn read(&self, offset: u64, count: u32) -> Result<Vec<u8>, Problem> {
        call(format!("read {offset} {count}"), |_| {
            let rest = self.0.data.iter().skip(offset as usize);
            Ok(rest.take(count as usize).copied().collect())
        })
    }
}

/// An artifact that is written in pieces.
pub(crate) struct Writer {
    name: String,
    raw: RefCell<Raw>,
}

impl Writer {
    pub(crate) fn write(&self, data: &[u8]) -> Result<(), Problem> {
        call(format!("write {}", data.len()), |_| self.raw.borrow_mut().data.extend(data));
        Ok(())
    }

    pub(crate) fn finish(&self) -> Result<(), Problem> {
        let raw = self.raw.borrow();
        put(&self.name, &raw.format, &raw.data)
    }
}
