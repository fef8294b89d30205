//! Resuming runs, as a program does it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::sync::Mutex;

use common::host;
use common::store;
use wflow::CancelToken;
use wflow::Flow;
use wflow::Host;
use wflow::Resume;
use wflow::ResumeError;
use wflow::RunError;
use wflow::RunOptions;
use wflow::Store;
use wflow::StoreError;
use wflow::client;
use wflow::event::Change;
use wflow::event::Event;
use wflow::event::Observer;
use wflow::model::record::RunId;
use wflow::model::record::RunStatus;

/// A flow whose steps follow one another: they begin with `start` and end with `end`. A task of
/// the step that is broken, if there is one, gives up.
fn flow(host: &Host, steps: &[&str], broken: Option<&str>) -> Flow {
    let step =
        |pair: &[&str]| format!(r#"{{"name": "{}", "next": {{"step": "{}"}}}}"#, pair[0], pair[1]);
    let steps: Vec<String> = steps.windows(2).map(step).collect();
    let document = format!(
        r#"{{"contract": "0.1", "name": "LineFlow", "steps": [{}, {{"name": "end"}}]}}"#,
        steps.join(", ")
    );
    // The first letter of the step tells which it is.
    let letter = broken.map_or(0, |step| step.as_bytes()[0]);
    let run = format!(
        "(if (i32.eq (i32.load8_u (local.get $step)) (i32.const {letter})) (then unreachable))"
    );
    common::flow(host, &document, &run)
}

const LINE: &[&str] = &["start", "load", "fit", "end"];

/// A run in which `fit` failed.
fn failed(host: &Host, store: &Store) -> RunId {
    let report = flow(host, LINE, Some("fit")).run(store, RunOptions::new()).unwrap();
    assert_eq!((report.status, report.tasks), (RunStatus::Failed, 3));
    report.run
}

/// Keeps what it is told when a run begins, and tries to remove the origin.
struct Watch {
    store: Store,
    told: Mutex<Vec<String>>,
}

impl Observer for Watch {
    fn event(&self, event: &Event<'_>) {
        let mut told = self.told.lock().unwrap();
        match event {
            Event::RunResumed { origin, steps, gone } => {
                for step in *steps {
                    let (name, tasks, trusted) = (step.step, step.tasks, step.trusted);
                    told.push(format!("{name} {tasks} {trusted} {:?}", step.change));
                }
                gone.iter().for_each(|name| told.push(format!("{name} is gone")));
                let removed = self.store.remove(*origin);
                told.push(format!("{}", matches!(removed, Err(StoreError::Held(_)))));
            }
            Event::TaskStarted { step, task } => told.push(format!("{step}/{task}")),
            _ => {}
        }
    }
}

#[test]
fn what_is_reused_is_told_and_the_origin_stays_until_the_end() {
    let (host, (_folder, store)) = (host(), store());
    let origin = failed(&host, &store);
    let new = flow(&host, &["start", "clean", "load", "end"], None);
    let watch = Arc::new(Watch { store: store.clone(), told: Mutex::default() });
    let options = RunOptions::new().max_workers(1).observer(Arc::clone(&watch) as Arc<_>);
    let report = new.resume(&store, &Resume::default(), options).unwrap();
    assert_eq!((report.status, report.tasks, report.reused), (RunStatus::Done, 3, 1));
    assert_eq!(
        *watch.told.lock().unwrap(),
        [
            format!("start 1 1 {:?}", Change::None),
            format!("clean 0 0 {:?}", Change::Added),
            format!("load 0 0 {:?}", Change::Moved),
            format!("end 0 0 {:?}", Change::Moved),
            "fit is gone".to_owned(),
            "true".to_owned(),
            "clean/1".to_owned(),
            "load/1".to_owned(),
            "end/1".to_owned(),
        ]
    );
    // Nobody needs it any more: what was reused is kept with the new run.
    store.remove(origin).unwrap();
    let run = client::run_by_id(&store, report.run).unwrap();
    let start = run.step("start").unwrap().task("1").unwrap();
    assert_eq!(start.origin(), Some(format!("LineFlow/{origin}/start/1")));
    assert_eq!(run.step("end").unwrap().task("1").unwrap().origin(), None);
}

#[test]
fn what_is_done_is_reused_without_a_task() {
    let (host, (_folder, store)) = (host(), store());
    let flow = flow(&host, LINE, None);
    flow.run(&store, RunOptions::new()).unwrap();
    let resume = Resume { only_unchanged: true, ..Resume::default() };
    let report = flow.resume(&store, &resume, RunOptions::new()).unwrap();
    assert_eq!((report.status, report.tasks, report.reused), (RunStatus::Done, 0, 4));
}

#[test]
fn what_cannot_be_resumed_begins_no_run() {
    let (host, (_folder, store)) = (host(), store());
    let line = flow(&host, LINE, None);
    let refused = |resume: Resume, options: RunOptions| {
        let latest = store.latest(None).unwrap();
        let error = line.resume(&store, &resume, options).unwrap_err();
        assert_eq!(store.latest(None).unwrap(), latest);
        error
    };
    let error = refused(Resume::default(), RunOptions::new());
    assert!(matches!(error, RunError::Resume(ResumeError::NoRuns(_))), "{error}");

    failed(&host, &store);
    let error = refused(Resume::default(), RunOptions::new().parameter("alpha", "1"));
    assert!(matches!(&error, RunError::Resume(why @ ResumeError::Given(_)) if why.is_usage()));
    let step = Resume { step: Some("fits".to_owned()), ..Resume::default() };
    let error = refused(step, RunOptions::new());
    assert!(matches!(&error, RunError::Resume(why @ ResumeError::Step { .. }) if why.is_usage()));
    let origin = Resume { origin: Some(RunId(7)), ..Resume::default() };
    let error = refused(origin, RunOptions::new());
    assert!(matches!(error, RunError::Store(StoreError::NoRun(RunId(7)))), "{error}");
    let cancel = CancelToken::new();
    cancel.cancel();
    let error = refused(Resume::default(), RunOptions::new().cancel(cancel));
    assert!(matches!(error, RunError::Cancelled), "{error}");

    // After all of that it still can be.
    let report = line.resume(&store, &Resume::default(), RunOptions::new()).unwrap();
    assert_eq!((report.status, report.tasks, report.reused), (RunStatus::Done, 2, 2));
}

#[test]
fn the_origin_is_not_changed() {
    let (host, (_folder, store)) = (host(), store());
    let origin = failed(&host, &store);
    let tasks = || {
        let run = client::run_by_id(&store, origin).unwrap();
        let of = |step| run.step_at(step).tasks().map(|task| task.unwrap().record);
        run.graph.indexed_steps().flat_map(|(step, _)| of(step)).collect::<Vec<_>>()
    };
    let before = tasks();
    assert_eq!(before.len(), 3);
    flow(&host, LINE, None).resume(&store, &Resume::default(), RunOptions::new()).unwrap();
    assert_eq!(tasks(), before);
}
