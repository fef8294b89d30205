//! What tests share that break runs: going on after one, and comparing what is left in the end.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;

use crate::support::Place;
use crate::support::own;

/// The flow that is run: its artifacts are in all tiers of the store.
pub(crate) fn flow() -> PathBuf {
    own("sizes")
}

/// All that a run left: the digests of the artifacts of its tasks, and what each task printed.
#[derive(PartialEq)]
pub(crate) struct Left {
    /// By step and task.
    tasks: BTreeMap<String, Json>,
}

impl Left {
    /// What the latest run left.
    pub(crate) fn of(place: &Place) -> Self {
        Self::of_run(place, "latest")
    }

    pub(crate) fn of_run(place: &Place, run: &str) -> Self {
        let mut tasks = BTreeMap::new();
        for step in place.lines(&format!("list --json {run}")) {
            let step = format!("{run}/{}", step["step"].as_str().unwrap());
            let dumped = place.lines(&format!("dump --json {step}"));
            let logs = place.lines(&format!("logs --json {step}"));
            assert_eq!(dumped.len(), logs.len());
            for (task, log) in dumped.iter().zip(&logs) {
                let digest =
                    |(name, artifact): (&String, &Json)| (name.clone(), artifact["digest"].clone());
                let artifacts: Map<_, _> =
                    task["artifacts"].as_object().unwrap().iter().map(digest).collect();
                let left = json!([artifacts, log["stdout"], log["stderr"], log["failure"]]);
                // The flow and the run are in front.
                let id = task["task"].as_str().unwrap().splitn(3, '/').nth(2).unwrap();
                assert_eq!(task["task"], log["task"]);
                tasks.insert(id.to_owned(), left);
            }
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

/// The command that brings a run to its end that was broken off; from its start if it left
/// nothing to resume, `before` being the number of runs that there were before it.
pub(crate) fn go_on(place: &Place, before: usize, words: &str) -> Command {
    let verb = if runs(place).len() > before { "resume" } else { "run" };
    let mut command = place.command([verb]);
    command.arg(flow()).args(words.split_whitespace());
    command
}
