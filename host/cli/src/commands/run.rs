//! `wflow run`.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

use anyhow::Context;
use serde_json::json;
use wflow::CancelToken;
use wflow::Flow;
use wflow::Limits;
use wflow::RunError;
use wflow::RunOptions;
use wflow::RunReport;
use wflow::Store;
use wflow::event::Event;
use wflow::event::Observer;
use wflow::model::record::RunStatus;

use super::parameters;
use super::parameters::Told;
use crate::args::Common;
use crate::console::Console;
use crate::console::failure_text;
use crate::error::CliError;
use crate::error::FAILED;
use crate::error::INTERRUPTED;
use crate::error::Result;
use crate::flows;
use crate::format;
use crate::output::BAD;
use crate::output::Output;

pub(crate) fn run(common: &Common, words: &[OsString], output: &mut Output) -> Result<ExitCode> {
    let path = parameters::flow_path(words)?;
    // Room is set aside before it is known how many workers are wanted, since it takes time.
    let usual = thread::available_parallelism().map_or(1, usize::from).max(USUAL_WORKERS);
    let mut flow = flows::load(&path, usual)?;
    let mut told = parameters::parse(&flow, words)?;
    // How many workers are wanted is known only after the flow is; it is compiled by now.
    if let Some(workers) = told.run.max_workers.map(usize::from).filter(|&n| n > usual) {
        flow = flows::load(&path, workers)?;
    }
    if told.common.store.is_none() {
        told.common.store.clone_from(&common.store);
    }
    let arguments = flow.arguments(&told.parameters).map_err(CliError::usage)?;
    let store = flows::create_store(&told.common)?;
    let cancel = CancelToken::new();
    let console = Arc::new(Console::new(told.run.json, told.run.quiet));
    let watch = Arc::new(Watch {
        console: Arc::clone(&console),
        run_id_file: told.run.run_id_file.clone(),
        unwritten: Mutex::default(),
        cancel: cancel.clone(),
    });
    let options = options(&told, &watch, &cancel).arguments(arguments);
    let report = interruptible(flow, store.clone(), options, &cancel);
    console.finish();
    if let Some(error) = watch.unwritten.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(error.into());
    }
    let report = report?.map_err(|error| match error {
        RunError::Parameter(_) => CliError::usage(error),
        RunError::Store(_) => CliError::failed(error),
    })?;
    if told.run.json {
        output.json(&as_json(&report))?;
    }
    conclude(&report, &store, &told, output)
}

/// So many tasks at once there is room for, at least.
const USUAL_WORKERS: usize = 16;

/// What watches a run: the console, and whoever waits for the file with the id of the run.
struct Watch {
    console: Arc<Console>,
    run_id_file: Option<PathBuf>,
    /// Why the file could not be written.
    unwritten: Mutex<Option<anyhow::Error>>,
    cancel: CancelToken,
}

impl Observer for Watch {
    fn event(&self, event: &Event<'_>) {
        if let (Event::RunStarted { run, .. }, Some(path)) = (event, &self.run_id_file) {
            // Now, so that the run can be looked at while it goes on, and however it ends.
            let written = fs::write(path, run.to_string())
                .with_context(|| format!("cannot write '{}'", path.display()));
            if let Err(error) = written {
                self.cancel.cancel();
                *self.unwritten.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        }
        self.console.event(event);
    }
}

fn options(told: &Told, watch: &Arc<Watch>, cancel: &CancelToken) -> RunOptions {
    let args = &told.run;
    let mut limits = Limits { timeout: args.timeout, ..Limits::default() };
    if let Some(memory) = args.memory {
        limits.memory = memory;
    }
    let mut options = RunOptions::new()
        .max_num_splits(args.max_num_splits)
        .max_log_bytes(usize::from(args.max_log_size) << 20)
        .limits(limits)
        .seed(args.seed)
        .observer(Arc::clone(watch) as Arc<_>)
        .cancel(cancel.clone());
    if let Some(workers) = args.max_workers {
        options = options.max_workers(usize::from(workers));
    }
    if let Some(now) = args.now {
        options = options.logical_time(now);
    }
    options
}

/// Runs the flow, and cancels it when the person or the machine asks for that.
fn interruptible(
    flow: Flow,
    store: Store,
    options: RunOptions,
    cancel: &CancelToken,
) -> Result<std::result::Result<RunReport, RunError>> {
    use tokio::signal::unix::SignalKind;
    use tokio::signal::unix::signal;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut run = tokio::task::spawn_blocking(move || flow.run(&store, options));
        loop {
            tokio::select! {
                result = &mut run => return Ok(result?),
                result = tokio::signal::ctrl_c() => result?,
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            cancel.cancel();
        }
    })
}

fn as_json(report: &RunReport) -> serde_json::Value {
    let status = match report.status {
        RunStatus::Running => "running",
        RunStatus::Done => "done",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
    };
    let failed = report.failed.as_ref().map(|failed| {
        json!({
            "step": failed.step,
            "task": failed.task.to_string(),
            "failure": failed.failure,
        })
    });
    json!({
        "flow": report.flow,
        "run": report.run.to_string(),
        "status": status,
        "tasks": report.tasks,
        "failed": failed,
    })
}

/// Says how the run ended, where its results are, and how to look at them.
fn conclude(
    report: &RunReport,
    store: &Store,
    told: &Told,
    output: &mut Output,
) -> Result<ExitCode> {
    let run = report.run;
    let tasks = format::count(report.tasks, "task");
    let place = store.path().display();
    let talk = |output: &mut Output, text: &str| {
        if !told.run.quiet && !told.run.json {
            drop(writeln!(output.data(), "{text}"));
        }
    };
    match (&report.status, &report.failed) {
        (RunStatus::Done, _) => {
            talk(
                output,
                &format!(
                    "Run {run} of {} is done: {tasks}, kept in {place}\n\
                     \x20   wflow list {run}        its steps\n\
                     \x20   wflow dump {run}/end    what its last step left\n\
                     \x20   wflow logs {run}/end    what its last step printed",
                    report.flow
                ),
            );
            Ok(ExitCode::SUCCESS)
        }
        (_, Some(failed)) => {
            let task = format!("{run}/{}/{}", failed.step, failed.task);
            output.talk(&format!(
                "{BAD}Step {} (task {}) failed{BAD:#}\n{}",
                failed.step,
                failed.task,
                failure_text(&failed.failure)
            ));
            output.talk(&format!(
                "Run {run} of {} failed after {tasks}. What finished is kept in {place}\n\
                 \x20   wflow logs {task}    all that the task printed\n\
                 \x20   wflow list {run}    what finished before",
                report.flow
            ));
            Ok(ExitCode::from(FAILED))
        }
        _ => {
            output.talk(&format!(
                "Run {run} of {} was cancelled after {tasks}. What finished is kept in {place}\n\
                 \x20   wflow list {run}    what finished before",
                report.flow
            ));
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}
