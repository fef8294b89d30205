//! What the tests share that break runs: how they go on after that, and whether all is there in
//! the end.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value as Json;

use crate::support::Outcome;
use crate::support::Place;
use crate::support::finished;
use crate::support::own;

/// The flow that is run: its artifacts are in all tiers of the store.
pub(crate) fn flow() -> PathBuf {
    own("sizes")
}

/// What a run left.
#[derive(PartialEq)]
pub(crate) struct Left {
    /// By step and task, the digests of its artifacts, and what it printed if it is a task of the
    /// loop.
    tasks: BTreeMap<String, (Json, Json)>,
}

impl Left {
    /// What the latest run left.
    pub(crate) fn of(place: &Place) -> Self {
        Self::of_run(place, "latest")
    }

    /// What a run left, by its id.
    pub(crate) fn of_run(place: &Place, run: &str) -> Self {
        // The flow and the run are in front.
        let id =
            |task: &Json| task["task"].as_str().unwrap().splitn(3, '/').nth(2).unwrap().to_owned();
        let mut tasks = BTreeMap::new();
        for step in place.lines(&format!("list --json {run}")) {
            let step = step["step"].as_str().unwrap();
            for task in place.lines(&format!("dump --json {run}/{step}")) {
                let artifacts = task["artifacts"].as_object().unwrap().iter();
                let digests =
                    artifacts.map(|(name, value)| (name.clone(), value["digest"].clone()));
                tasks.insert(id(&task), (Json::Object(digests.collect()), Json::Null));
            }
        }
        for mut log in place.lines(&format!("logs --json {run}/work")) {
            tasks.get_mut(&id(&log)).unwrap().1 = log["stdout"].take();
        }
        Self { tasks }
    }

    /// How many tasks there are.
    pub(crate) fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Fails, and names what differs, if this is not what an uninterrupted run left.
    #[track_caller]
    pub(crate) fn assert_same(&self, expected: &Self, when: &str) {
        let (here, there) = (&self.tasks, &expected.tasks);
        let ids: BTreeSet<_> = here.keys().chain(there.keys()).collect();
        let differ: Vec<_> = ids.into_iter().filter(|id| here.get(*id) != there.get(*id)).collect();
        if let Some(first) = differ.first() {
            let (is, should) = (here.get(*first), there.get(*first));
            panic!(
                "{when}: {} tasks are not as they should be: {:?} ...\n{is:?}\n{should:?}",
                differ.len(),
                &differ[..differ.len().min(10)]
            );
        }
    }
}

/// What the log of a run tells, up to its last whole line.
pub(crate) struct Told {
    pub(crate) started: BTreeSet<String>,
    pub(crate) finished: BTreeSet<String>,
}

impl Told {
    pub(crate) fn by(outcome: &Outcome) -> Self {
        let of = |end: &str| {
            let log = outcome.log();
            log.iter().filter_map(|line| line.strip_suffix(end)).map(str::to_owned).collect()
        };
        Self { started: of(" Task is starting."), finished: of(" Task finished successfully.") }
    }

    /// Takes these tasks for those of a run that goes on after others, which finished `before`.
    #[track_caller]
    pub(crate) fn after(self, before: &mut BTreeSet<String>, when: &str) {
        let again: Vec<_> = self.started.intersection(before).take(10).collect();
        assert!(again.is_empty(), "{when}: told to be finished, and executed again: {again:?} ...");
        before.extend(self.finished);
    }
}

/// The store, if there is one, is as it should be.
#[track_caller]
pub(crate) fn check_store(place: &Place, when: &str) {
    // A command that was stopped while it made the store leaves one without a catalog; the next
    // run makes it, and until then there is nothing to check.
    if place.path().join(".wflow/catalog.sqlite").exists() {
        let fsck = place.wflow("fsck");
        assert_eq!(fsck.code, Some(0), "{when}: {fsck}");
    }
}

/// The runs of the flow, the latest first.
pub(crate) fn runs(place: &Place) -> Vec<Json> {
    let list = place.wflow("list --json SizesFlow");
    if list.code == Some(0) { list.lines() } else { Vec::new() }
}

/// How the flow is run.
pub(crate) struct How {
    /// The parameters, which are given to a run alone: the one that resumes it has the same.
    pub(crate) parameters: String,
    /// The options, which are given to both.
    pub(crate) options: String,
}

impl How {
    /// The command that runs the flow.
    pub(crate) fn run(&self, place: &Place) -> Command {
        let mut command = self.command(place, "run");
        command.args(self.parameters.split_whitespace());
        command
    }

    /// The command that brings a run to its end that was broken off; from its start if it left
    /// nothing to resume, `before` being the number of runs that there were before it.
    pub(crate) fn go_on(&self, place: &Place, before: usize) -> Command {
        if runs(place).len() > before { self.command(place, "resume") } else { self.run(place) }
    }

    fn command(&self, place: &Place, verb: &str) -> Command {
        let mut command = place.command([verb]);
        command.arg(flow()).args(self.options.split_whitespace());
        command
    }
}

/// Sends a signal to a process.
fn signal(name: &str, child: &Child) {
    let kill = format!("kill -{name} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

/// Runs a command, interrupts it when so many tasks of the loop are told to be finished, and waits
/// for its end.
pub(crate) fn interrupt(mut command: Command, tasks: usize, times: u32) -> Outcome {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut stdout = String::new();
    let mut met = 0;
    while met < tasks {
        let begin = stdout.len();
        assert_ne!(lines.read_line(&mut stdout).unwrap(), 0, "{stdout}");
        let line = &stdout[begin..];
        met += usize::from(
            line.split('/').nth(1) == Some("work") && line.contains("finished successfully"),
        );
    }
    for _ in 0..times {
        signal("INT", &child);
    }
    lines.read_to_string(&mut stdout).unwrap();
    let mut outcome = finished(child.wait_with_output().unwrap());
    outcome.stdout = stdout;
    outcome
}
