//! What running and resuming a flow have in common: options, watching, interrupting, and the words
//! at the end.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::anyhow;
use clap::Args;
use serde_json::json;
use wflow::CancelToken;
use wflow::Flow;
use wflow::HostOptions;
use wflow::RunError;
use wflow::RunOptions;
use wflow::RunReport;
use wflow::Store;
use wflow::Ungranted;
use wflow::event::Event;
use wflow::event::Observer;
use wflow::event::StepReuse;
use wflow::model::Grant;
use wflow::model::Grants;
use wflow::model::Tag;
use wflow::model::grant::Wish;
use wflow::model::record::RunId;
use wflow::model::record::RunStatus;

use super::limits::LimitArgs;
use crate::args::Common;
use crate::config;
use crate::config::Config;
use crate::console::Console;
use crate::console::failure_text;
use crate::console::listed;
use crate::error::CliError;
use crate::error::FAILED;
use crate::error::INTERRUPTED;
use crate::error::Result;
use crate::flows;
use crate::format;
use crate::output::BAD;
use crate::output::Output;

/// How tasks are executed, in a new run and in one that is resumed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every run")]
pub(crate) struct ExecutionArgs {
    /// Run at most this many tasks at once [default: the number of cores]
    #[arg(long, value_name = "COUNT", env = "WFLOW_RUN_MAX_WORKERS", hide_env = true, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(crate) max_workers: Option<u16>,
    /// Allow a foreach to yield at most this many tasks
    #[arg(long, value_name = "COUNT", env = "WFLOW_RUN_MAX_NUM_SPLITS", hide_env = true, default_value_t = wflow::DEFAULT_MAX_NUM_SPLITS)]
    max_num_splits: u32,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Let tasks see or touch something outside: read=PATH[:GUEST], write=PATH[:GUEST],
    /// env=NAME[=VALUE], net=HOST:PORT, http=HOST, clock, random; may be given many times
    #[arg(long = "allow", value_name = "GRANT", value_parser = Grant::from_str)]
    allow: Vec<Grant>,
    /// Do not look at the file wflow.toml beside the flow
    #[arg(long)]
    no_config: bool,
    /// Mark the run with a tag, by which it can be found; may be given many times
    #[arg(long = "tag", value_name = "TAG", value_parser = Tag::new)]
    tags: Vec<Tag>,
    /// Write the id of the run to a file
    #[arg(long, value_name = "FILE", env = "WFLOW_RUN_RUN_ID_FILE", hide_env = true)]
    run_id_file: Option<PathBuf>,
    /// Print how the run ended as JSON; the log goes to standard error
    #[arg(long)]
    json: bool,
    /// Print no log
    #[arg(long, short)]
    quiet: bool,
}

/// Loads a flow for as many tasks as a machine of this size does at once, with the usual limits:
/// what is wanted may be known only once the flow is.
pub(crate) fn load(path: &Path) -> Result<Flow> {
    flows::load(path, &HostOptions::default())
}

/// Loads it again if it takes another host to do what is wanted.
pub(crate) fn with_room(flow: Flow, path: &Path, args: &ExecutionArgs) -> Result<Flow> {
    let usual = HostOptions::default();
    let workers = args.max_workers.map_or(0, usize::from);
    let wanted = HostOptions { slots: usual.slots.max(workers), ..HostOptions::default() }
        .fit(&args.limits.limits());
    let same = (wanted.slots, wanted.fuel, wanted.stack) == (usual.slots, usual.fuel, usual.stack);
    if same { Ok(flow) } else { flows::load(path, &wanted) }
}

impl ExecutionArgs {
    /// Takes from the file beside a flow what the command line does not say of limits, and gives
    /// what it grants.
    ///
    /// # Errors
    ///
    /// If the file cannot be used.
    pub(crate) fn configure(&mut self, path: &Path) -> Result<Grants> {
        if self.no_config {
            return Ok(Grants::NONE);
        }
        let config = Config::beside(path)?;
        self.limits.fill(&config.limits);
        Ok(config.grants)
    }

    /// What is granted: on the command line, and in the file beside the flow.
    ///
    /// # Errors
    ///
    /// If grants contradict each other, or the flow asks for more.
    pub(crate) fn grants(
        &self,
        flow: &Flow,
        in_file: Grants,
        output: &mut Output,
    ) -> Result<Grants> {
        let given = Grants::new(self.allow.iter().cloned()).map_err(CliError::usage)?;
        let grants = given.clone().over(in_file);
        let added: Vec<String> = grants
            .iter()
            .filter(|grant| !given.iter().any(|given| given == *grant))
            .map(ToString::to_string)
            .collect();
        if !added.is_empty() {
            output.talk(&format!("{} grants {}", config::FILE, added.join(", ")));
        }
        flow.check_grants(&grants).map_err(|error| ungranted(&error))?;
        Ok(grants)
    }
}

/// What to say of a flow that asks for more than it is granted.
fn ungranted(error: &Ungranted) -> CliError {
    let flag = |wish: &Wish| format!(" --allow {}", format::shell_word(&wish.grant.to_string()));
    let flags: String = error.wishes.iter().map(flag).collect();
    CliError::usage(anyhow!(
        "{error}\nNo task has run. If you trust the flow with that, add to the command\n   {flags}"
    ))
}

/// A flow on its way, as the command line told it.
pub(crate) struct Execution<'a> {
    pub(crate) flow: Flow,
    /// Its file, as it was given.
    pub(crate) path: &'a Path,
    pub(crate) store: Store,
    pub(crate) common: &'a Common,
    pub(crate) args: &'a ExecutionArgs,
    pub(crate) grants: Grants,
}

impl Execution<'_> {
    /// Does what `work` does with the flow, watched and interruptible, and tells how it ended.
    pub(crate) fn go(
        self,
        output: &mut Output,
        work: impl FnOnce(&Flow, &Store, RunOptions) -> std::result::Result<RunReport, RunError>
        + Send
        + 'static,
    ) -> Result<ExitCode> {
        if self.args.tags.len() > Tag::MAX_PER_RUN {
            let most = Tag::MAX_PER_RUN;
            return Err(CliError::usage(anyhow!("a run may have at most {most} tags")));
        }
        let cancel = CancelToken::new();
        let watch = Arc::new(Watch {
            console: Console::new(self.args.json, self.args.quiet),
            run_id_file: self.args.run_id_file.clone(),
            seen: Mutex::default(),
            cancel: cancel.clone(),
        });
        let options = self.options(&watch, &cancel);
        let (flow, store) = (self.flow.clone(), self.store.clone());
        let report = interruptible(&cancel, move || work(&flow, &store, options))?;
        watch.console.finish();
        let mut seen = watch.seen();
        if let Some(error) = seen.unwritten.take() {
            return Err(error.into());
        }
        match report {
            Ok(report) => {
                if self.args.json {
                    output.json(&as_json(&report))?;
                }
                self.conclude(&report, &seen, output)
            }
            Err(error) => Err(self.broken(error, &seen)),
        }
    }

    fn options(&self, watch: &Arc<Watch>, cancel: &CancelToken) -> RunOptions {
        let args = self.args;
        let mut options = RunOptions::new()
            .max_num_splits(args.max_num_splits)
            .limits(args.limits.limits())
            .grants(self.grants.clone())
            .observer(Arc::clone(watch) as Arc<_>)
            .cancel(cancel.clone());
        for tag in &args.tags {
            options = options.tag(tag.clone());
        }
        match args.max_workers {
            Some(workers) => options.max_workers(usize::from(workers)),
            None => options,
        }
    }

    /// What to say when the run could not go on for a reason of the host's own.
    fn broken(&self, error: RunError, seen: &Seen) -> CliError {
        match error {
            RunError::Ungranted(error) => ungranted(&error),
            RunError::Parameter(_) | RunError::Access(_) => CliError::usage(error),
            RunError::Resume(ref why) if why.is_usage() => CliError::usage(error),
            RunError::Cancelled => CliError::interrupted(error),
            RunError::Limits(_) => CliError::failed(error),
            RunError::Resume(_) | RunError::Thread(_) | RunError::Store(_) => match seen.run {
                None => CliError::failed(error),
                Some(run) => CliError::failed(anyhow::Error::from(error).context(format!(
                    "run {run} stopped. What it has committed is kept; to go on from there:\n\
                     \x20   {}\nThe cause",
                    self.resume_command(run)
                ))),
            },
        }
    }

    /// The command that goes on where a run stopped.
    fn resume_command(&self, run: RunId) -> String {
        let mut words = vec!["wflow".to_owned(), "resume".to_owned()];
        if let Some(store) = &self.common.store
            && std::env::var_os("WFLOW_STORE").is_none_or(|usual| usual != *store)
        {
            words.extend(["--store".to_owned(), format::shell_word(&store.to_string_lossy())]);
        }
        words.push(format::shell_word(&self.path.to_string_lossy()));
        words.extend(["--origin".to_owned(), run.to_string()]);
        for grant in &self.args.allow {
            words.extend(["--allow".to_owned(), format::shell_word(&grant.to_string())]);
        }
        words.join(" ")
    }

    /// Says how the run ended, where its results are, and what to do with them.
    fn conclude(&self, report: &RunReport, seen: &Seen, output: &mut Output) -> Result<ExitCode> {
        let (run, flow) = (report.run, &report.flow);
        let mut tasks = format::count(report.tasks, "task");
        if let Some(origin) = seen.origin {
            tasks = format!("{tasks} and {} reused from run {origin}", report.reused);
        } else if report.reused > 0 {
            tasks = format!("{tasks} and {} reused from earlier runs", report.reused);
        }
        let place = self.store.path().display();
        match (&report.status, &report.failed) {
            (RunStatus::Done, _) => {
                if !self.args.quiet && !self.args.json {
                    writeln!(
                        output.data(),
                        "Run {run} of {flow} is done: {tasks}, kept in {place}\n\
                         \x20   wflow list {run}        its steps\n\
                         \x20   wflow dump {run}/end    what its last step left\n\
                         \x20   wflow logs {run}/end    what its last step printed"
                    )?;
                }
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
                    "Run {run} of {flow} failed after {tasks}. What finished is kept in {place}\n\
                     \x20   wflow logs {task}    all that the task printed\n\
                     \x20   wflow list {run}    what finished before\n\
                     \x20   {}    goes on from there",
                    self.resume_command(run)
                ));
                Ok(ExitCode::from(FAILED))
            }
            _ => {
                output.talk(&format!(
                    "Run {run} of {flow} was cancelled after {tasks}. What finished is kept in \
                     {place}\n\
                     \x20   wflow list {run}    what finished before\n\
                     \x20   {}    goes on from there",
                    self.resume_command(run)
                ));
                Ok(ExitCode::from(INTERRUPTED))
            }
        }
    }
}

/// What watches a run: the console, and whoever waits for the file with the id of the run.
struct Watch {
    console: Console,
    run_id_file: Option<PathBuf>,
    seen: Mutex<Seen>,
    cancel: CancelToken,
}

/// What is to be known of a run when it has ended.
#[derive(Default)]
struct Seen {
    run: Option<RunId>,
    origin: Option<RunId>,
    /// Why the file with the id could not be written.
    unwritten: Option<anyhow::Error>,
}

impl Watch {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tasks are reused that another component has executed. Whoever wants no log has to know that
    /// as well.
    fn tell_of_trust(&self, steps: &[StepReuse<'_>]) {
        let trusted = steps.iter().filter(|step| step.trusted > 0);
        if let Some(names) = listed(trusted.map(|step| step.step.as_str())) {
            Output::new().talk(&format!(
                "{BAD}note{BAD:#}: the flow has changed since tasks of these steps were executed; \
                 they are reused on trust: {names}\n\
                 \x20   with --only-unchanged they are executed again"
            ));
        }
    }
}

impl Observer for Watch {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::RunStarted { run, .. } => {
                self.seen().run = Some(*run);
                let Some(path) = &self.run_id_file else {
                    return self.console.event(event);
                };
                // Now, so that the run can be looked at while it goes on, and however it ends.
                let written = fs::write(path, run.to_string())
                    .with_context(|| format!("cannot write '{}'", path.display()));
                if let Err(error) = written {
                    self.cancel.cancel();
                    self.seen().unwritten = Some(error);
                }
            }
            Event::RunResumed { origin, steps, .. } => {
                self.seen().origin = Some(*origin);
                self.tell_of_trust(steps);
            }
            _ => {}
        }
        self.console.event(event);
    }

    fn follows_tasks(&self) -> bool {
        self.console.follows_tasks()
    }
}

/// How long what is cancelled may take to end before to ask once more ends it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Does the work on a thread of its own, and cancels it when the person or the machine asks for
/// that.
pub(super) fn interruptible<T: Send + 'static>(
    cancel: &CancelToken,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    use tokio::signal::unix::SignalKind;
    use tokio::signal::unix::signal;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut work = tokio::task::spawn_blocking(work);
        let mut asked: Option<Instant> = None;
        loop {
            tokio::select! {
                result = &mut work => return Ok(result?),
                result = tokio::signal::ctrl_c() => result?,
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            match asked {
                // It was asked for before, and something does not come back. What is committed stays.
                Some(asked) if asked.elapsed() > PATIENCE => {
                    std::process::exit(INTERRUPTED.into());
                }
                Some(_) => {}
                None => asked = Some(Instant::now()),
            }
            cancel.cancel();
        }
    })
}

fn as_json(report: &RunReport) -> serde_json::Value {
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
        "status": format::state(report.status.into()).0,
        "tasks": report.tasks,
        "reused": report.reused,
        "failed": failed,
    })
}
