//! Versions of a flow, written down in short: see `tests/flows/script`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value as Json;

use crate::notation::document;
use crate::support::Outcome;
use crate::support::Place;
use crate::support::outcome;
use crate::support::own;

/// What stands in the component before the place of the script, and how much of that there is.
const TITLE: &[u8] = b"a script for the tests of wflow:";
const ROOM: usize = 8192 - TITLE.len();

/// A version of a flow.
#[derive(Clone)]
pub(crate) struct Version {
    document: Json,
    lines: String,
}

impl Version {
    /// A version with these steps, as [`document`] reads them. All that its tasks do is to say who
    /// they are, and to leave a trace of how they came about.
    pub(crate) fn of(steps: &str) -> Self {
        Self { document: document(steps), lines: String::new() }
    }

    /// The same, in which the tasks of a step do something more: `step word rest`.
    pub(crate) fn with(mut self, line: &str) -> Self {
        self.lines += &format!("{line}\n");
        self
    }

    /// The same without such a line.
    #[track_caller]
    pub(crate) fn without(mut self, line: &str) -> Self {
        let line = format!("{line}\n");
        assert!(self.lines.contains(&line), "{line}");
        self.lines = self.lines.replace(&line, "");
        self
    }

    /// The same by another name.
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.document["name"] = name.into();
        self
    }

    /// The same with these parameters.
    pub(crate) fn parameters(mut self, parameters: Json) -> Self {
        self.document["parameters"] = parameters;
        self
    }

    /// The same, in which the switch of one step may lead back so often.
    pub(crate) fn rounds(mut self, step: usize, rounds: u32) -> Self {
        self.document["steps"][step]["next"]["rounds"] = rounds.into();
        self
    }

    /// The component; it takes the place of every version before.
    pub(crate) fn file(&self, place: &Place) -> PathBuf {
        let mut bytes = fs::read(own("script")).unwrap();
        let script = format!("{}\n\n{}", self.document, self.lines);
        assert!(script.len() <= ROOM, "the script has {} bytes", script.len());
        let mut places = bytes.windows(TITLE.len()).enumerate().filter(|(_, at)| *at == TITLE);
        let (title, _) = places.next().unwrap();
        assert_eq!(places.next(), None);
        let room = &mut bytes[title + TITLE.len()..][..ROOM];
        room.fill(b' ');
        room[..script.len()].copy_from_slice(script.as_bytes());
        place.file("flow.wasm", bytes)
    }

    pub(crate) fn run(&self, place: &Place, words: &str) -> Outcome {
        self.file(place);
        place.wflow(&format!("run flow.wasm {words}"))
    }

    pub(crate) fn resume(&self, place: &Place, words: &str) -> Outcome {
        outcome(&mut self.resuming(place, words))
    }

    pub(crate) fn resuming(&self, place: &Place, words: &str) -> Command {
        self.file(place);
        place.command(format!("resume flow.wasm {words}").split_whitespace())
    }

    /// Resumes to the end, and checks that exactly these tasks are executed, that those say they
    /// are not reused and all others say where they are from, and that what is left is what a run
    /// of this version leaves that was never interrupted.
    #[track_caller]
    pub(crate) fn resumes(&self, place: &Place, words: &str, executed: &str) -> Outcome {
        let resumed = self.resume(place, words).done();
        assert_eq!(started(&resumed), sorted(executed), "{resumed}");
        assert_eq!(executed_of(place, "latest"), sorted(executed));
        let fresh = Place::new();
        // Whatever a resumed run has its parameters from.
        let (mut given, record) = (String::new(), self.parameters_of(place));
        for (name, value) in record {
            given += &format!(" --{name}={value}");
        }
        self.run(&fresh, &given).done();
        assert_eq!(left(place, "latest"), left(&fresh, "latest"));
        resumed
    }

    /// The values of the parameters of the latest run, as they are given.
    fn parameters_of(&self, place: &Place) -> Vec<(String, String)> {
        let Some(all) = self.document["parameters"].as_array() else { return Vec::new() };
        let value = |parameter: &Json| {
            let name = parameter["name"].as_str().unwrap();
            match place.value(&format!("latest/start/1/{name}")) {
                Json::Null => None,
                Json::String(text) => Some((name.to_owned(), text)),
                other => Some((name.to_owned(), other.to_string())),
            }
        };
        all.iter().filter_map(value).collect()
    }
}

/// Words, sorted.
pub(crate) fn sorted(words: &str) -> Vec<String> {
    let mut words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    words.sort();
    words
}

/// The tasks that were executed, as the log tells: `step/task`, sorted.
pub(crate) fn started(outcome: &Outcome) -> Vec<String> {
    told(outcome, "Task is starting.")
}

/// The tasks of which the log tells this: `step/task`, sorted.
pub(crate) fn told(outcome: &Outcome, what: &str) -> Vec<String> {
    let log = outcome.log();
    let tasks = log.iter().filter_map(|line| line.strip_suffix(what));
    sorted(&tasks.collect::<Vec<_>>().join(" "))
}

/// The tasks of a run that were executed in it, as the store tells: `step/task`, sorted.
fn executed_of(place: &Place, run: &str) -> Vec<String> {
    let mut executed = Vec::new();
    for (task, line) in tasks(place, run, "list --json") {
        match line["origin"].as_str() {
            None => executed.push(task),
            Some(origin) => assert!(origin.ends_with(&format!("/{task}")), "{origin}: {task}"),
        }
    }
    executed.sort();
    executed
}

/// Everything that a run left: for each task its artifacts with their digests, and its logs.
pub(crate) fn left(place: &Place, run: &str) -> BTreeMap<String, (Json, String)> {
    let log = |task: &str| {
        let logs = place.wflow(&format!("logs {run}/{task}")).done();
        logs.stdout
    };
    let dumped = tasks(place, run, "dump --json").into_iter();
    dumped.map(|(task, line)| (task.clone(), (line["artifacts"].clone(), log(&task)))).collect()
}

/// A line for each task of a run: `step/task`, and what the command says of it.
fn tasks(place: &Place, run: &str, command: &str) -> Vec<(String, Json)> {
    let mut tasks = Vec::new();
    for step in place.lines(&format!("list --json {run}")) {
        let step = step["step"].as_str().unwrap();
        for line in place.lines(&format!("{command} {run}/{step}")) {
            let task = line["task"].as_str().unwrap().splitn(3, '/').nth(2).unwrap().to_owned();
            tasks.push((task, line));
        }
    }
    tasks
}

/// The id of the latest run.
pub(crate) fn latest(place: &Place) -> String {
    let list = place.lines("list --json");
    let latest = list.iter().map(|flow| flow["latest"].as_str().unwrap()).max();
    latest.unwrap().to_owned()
}

/// Where a task was executed, if it was reused: the run alone.
pub(crate) fn origin(place: &Place, task: &str) -> Option<String> {
    let (step, _) = task.rsplit_once('/').unwrap();
    let lines = place.lines(&format!("list --json --limit 1000 {step}"));
    let line = lines.iter().find(|line| line["task"].as_str().unwrap().ends_with(&task[6..]));
    let origin = line.unwrap()["origin"].as_str()?;
    Some(origin.split('/').nth(1).unwrap().to_owned())
}
