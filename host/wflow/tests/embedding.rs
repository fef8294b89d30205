//! The library as a program uses it: load, run, watch, cancel, read back.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::sync::Mutex;

use common::host;
use common::store;
use wflow::CancelToken;
use wflow::Flow;
use wflow::Host;
use wflow::RunError;
use wflow::RunOptions;
use wflow::client;
use wflow::event::Event;
use wflow::event::Observer;
use wflow::model::record::RunStatus;

/// A flow of two steps, by hand, whose tasks do what `run` says.
fn flow(host: &Host, run: &str) -> Flow {
    let document = r#"{"contract": "0.1", "name": "HandFlow",
        "parameters": [{"name": "count", "type": "int", "default": 7}],
        "steps": [{"name": "start", "next": {"step": "end"}}, {"name": "end"}]}"#;
    common::flow(host, document, run)
}

/// Keeps what it is told, and cancels when the first task starts if it is to.
#[derive(Default)]
struct Watch {
    told: Mutex<Vec<String>>,
    cancel: Option<CancelToken>,
}

impl Observer for Watch {
    fn event(&self, event: &Event<'_>) {
        let text = match event {
            Event::RunStarted { flow, .. } => format!("{flow} started"),
            Event::TaskStarted { step, task } => {
                self.cancel.iter().for_each(CancelToken::cancel);
                format!("{step}/{task} started")
            }
            Event::TaskFinished { step, task } => format!("{step}/{task} finished"),
            Event::TaskCancelled { step, task } => format!("{step}/{task} cancelled"),
            Event::RunFinished { status, .. } => format!("{status:?}"),
            other => format!("{other:?}"),
        };
        self.told.lock().unwrap().push(text);
    }
}

#[test]
fn a_run_is_watched_and_read_back() {
    let (_folder, store) = store();
    let watch = Arc::new(Watch::default());
    let options = RunOptions::new().max_workers(1).observer(Arc::clone(&watch) as Arc<_>);
    let report = flow(&host(), "").run(&store, options.parameter("count", "3")).unwrap();
    assert_eq!((report.status, report.tasks), (RunStatus::Done, 2));
    assert_eq!(
        *watch.told.lock().unwrap(),
        [
            "HandFlow started",
            "start/1 started",
            "start/1 finished",
            "end/1 started",
            "end/1 finished",
            "Done"
        ]
    );
    let run = client::run_by_id(&store, report.run).unwrap();
    let end = run.step("end").unwrap().task("1").unwrap();
    assert_eq!(end.get::<i64>("count").unwrap(), 3);
    assert!(end.get::<String>("count").is_err() && end.get::<i64>("nosuch").is_err());
}

#[test]
fn a_wrong_parameter_begins_no_run() {
    let (_folder, store) = store();
    let options = RunOptions::new().parameter("count", "three");
    let error = flow(&host(), "").run(&store, options).unwrap_err();
    assert!(matches!(error, RunError::Parameter(_)));
    assert_eq!(store.latest(None).unwrap(), None);
}

#[test]
fn a_task_that_never_ends_is_cancelled() {
    let (_folder, store) = store();
    let cancel = CancelToken::new();
    let watch = Arc::new(Watch { cancel: Some(cancel.clone()), ..Watch::default() });
    let options = RunOptions::new().cancel(cancel).observer(watch as Arc<_>);
    let report = flow(&host(), "(loop (br 0))").run(&store, options).unwrap();
    assert_eq!((report.status, report.tasks), (RunStatus::Cancelled, 0));
}

#[test]
fn more_runs_than_there_is_room_for_wait_for_each_other() {
    let (_folder, store) = store();
    let flow = flow(&host(), "");
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| flow.run(&store, RunOptions::new().max_workers(4)).unwrap()))
            .collect();
        for run in runs {
            assert_eq!(run.join().unwrap().status, RunStatus::Done);
        }
    });
    assert_eq!(store.runs(None, None, 100).unwrap().len(), 8);
}
