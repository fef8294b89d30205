//! A run as it is watched: a line for everything that happens, and on a terminal the progress
//! of wide foreach loops.

mod printer;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use anstream::AutoStream;
use anstyle::Style;
use indicatif::ProgressBar;
use jiff::Timestamp;
use wflow::event::Change;
use wflow::event::Channel;
use wflow::event::Event;
use wflow::event::Observer;
use wflow::event::StepReuse;
use wflow::model::Name;
use wflow::model::TaskId;
use wflow::model::record::Failure;
use wflow::model::record::RunId;

use crate::format;
use crate::output::BAD;
use crate::output::DIM;
use crate::output::GOOD;
use crate::output::NAME;
use crate::progress;

use printer::Printer;
use printer::Target;

/// From this width on a foreach has a progress line of its own on a terminal, and the starts and
/// ends of its tasks are not told one by one.
const WIDE: u32 = 20;

/// Watches a run for the person in front of the terminal, or for a file.
pub(crate) struct Console {
    /// None if nothing is to be told.
    lines: Option<Mutex<Lines>>,
}

struct Lines {
    printer: Printer,
    clock: Clock,
    run: String,
    progress: Option<Progress>,
    terminal: bool,
    colour: bool,
}

/// The bars of the wide foreach loops that are open: one line, for the newest of them.
struct Progress {
    bar: ProgressBar,
    open: HashMap<String, Loop>,
}

struct Loop {
    done: u64,
    width: u64,
}

impl Console {
    /// A console for one run. With `to_stderr` standard output stays free for data.
    pub(crate) fn new(to_stderr: bool, quiet: bool) -> Self {
        if quiet {
            return Self { lines: None };
        }
        let (terminal, choice, target) = if to_stderr {
            let stderr = io::stderr();
            (stderr.is_terminal(), AutoStream::choice(&stderr), Target::Stderr)
        } else {
            let stdout = io::stdout();
            (stdout.is_terminal(), AutoStream::choice(&stdout), Target::Stdout)
        };
        let lines = Lines {
            printer: Printer::new(target),
            clock: Clock::new(),
            run: String::new(),
            progress: None,
            terminal,
            colour: choice != anstream::ColorChoice::Never,
        };
        Self { lines: Some(Mutex::new(lines)) }
    }

    /// Writes out everything that was told. Nothing is told afterwards.
    pub(crate) fn finish(&self) {
        let Some(lines) = &self.lines else { return };
        let mut lines = lock(lines);
        lines.set_progress(None);
        lines.printer.finish();
    }
}

fn lock(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Observer for Console {
    fn event(&self, event: &Event<'_>) {
        if let Some(lines) = &self.lines {
            lock(lines).tell(event);
        }
    }

    fn follows_tasks(&self) -> bool {
        self.lines.is_some()
    }
}

impl Lines {
    fn tell(&mut self, event: &Event<'_>) {
        match *event {
            Event::RunStarted { flow, run, commits } => {
                self.printer.set_commits(commits.clone());
                self.begin(flow, run);
            }
            Event::RunResumed { origin, steps, gone } => self.resumed(origin, steps, gone),
            Event::TaskStarted { step, task } => {
                if self.is_told(task) {
                    self.line(Some((step, task)), format_args!("Task is starting."), DIM);
                }
            }
            Event::TaskReused { step, task, origin } => {
                if self.is_told(task) {
                    let text = format_args!("Task is reused from run {origin}.");
                    self.write(Some((step, task)), text, DIM, true);
                }
                self.advance(step);
            }
            Event::Line { step, task, channel, text } => {
                let style = match channel {
                    Channel::Stdout => Style::new(),
                    Channel::Stderr => BAD,
                };
                let text = format::harmless(text);
                self.line(Some((step, task)), format_args!("{text}"), style);
            }
            Event::ForeachOpened { step, task, body, width } => {
                self.line(
                    Some((step, task)),
                    format_args!("Foreach yields {width} child tasks."),
                    DIM,
                );
                self.open(body, width);
            }
            Event::TaskFinished { step, task } => {
                if self.is_told(task) {
                    let text = format_args!("Task finished successfully.");
                    self.write(Some((step, task)), text, DIM, true);
                }
                self.advance(step);
            }
            Event::TaskFailed { step, task, failure } => {
                let first = format::harmless(failure.message.lines().next().unwrap_or_default());
                self.line(Some((step, task)), format_args!("Task failed: {first}"), BAD);
            }
            Event::TaskCancelled { step, task } => {
                self.line(Some((step, task)), format_args!("Task was cancelled."), BAD);
            }
            Event::RunFinished { status, .. } => {
                use wflow::model::record::RunStatus;
                let (text, style) = match status {
                    RunStatus::Done => ("Done!", GOOD),
                    RunStatus::Failed => ("Workflow failed.", BAD),
                    RunStatus::Running | RunStatus::Cancelled => ("Workflow cancelled.", BAD),
                };
                self.line(None, format_args!("{text}"), style);
            }
        }
    }

    fn begin(&mut self, flow: &Name, run: RunId) {
        self.run = run.to_string();
        self.line(None, format_args!("Workflow {flow} starting (run-id {run}):"), Style::new());
    }

    /// Whether the start and the end of a task are told. Not of each task of a wide foreach, if
    /// there is a progress line.
    fn is_told(&self, task: &TaskId) -> bool {
        let shown = self.progress.as_ref().is_none_or(|progress| progress.open.is_empty());
        shown || task.indices.is_empty()
    }

    /// One line of the log.
    fn line(&mut self, of: Option<(&Name, &TaskId)>, text: std::fmt::Arguments<'_>, style: Style) {
        self.write(of, text, style, false);
    }

    /// One line of the log, which may claim that something is finished.
    fn write(
        &mut self,
        of: Option<(&Name, &TaskId)>,
        text: std::fmt::Arguments<'_>,
        style: Style,
        claims: bool,
    ) {
        let now = self.clock.now();
        let run = &self.run;
        self.printer.print(claims, |buffer| {
            // Writing to a string cannot fail.
            let written = match (of, self.colour) {
                (Some((step, task)), false) => {
                    writeln!(buffer, "{now} [{run}/{step}/{task}] {text}")
                }
                (None, false) => writeln!(buffer, "{now} {text}"),
                (Some((step, task)), true) => writeln!(
                    buffer,
                    "{DIM}{now} [{run}/{DIM:#}{NAME}{step}/{task}{NAME:#}{DIM}]{DIM:#} \
                     {style}{text}{style:#}"
                ),
                (None, true) => writeln!(buffer, "{DIM}{now}{DIM:#} {style}{text}{style:#}"),
            };
            debug_assert!(written.is_ok());
        });
    }

    /// What a resumed run has taken over, and what it will execute although it was done.
    fn resumed(&mut self, origin: RunId, steps: &[StepReuse<'_>], gone: &[&Name]) {
        let some: Vec<_> = steps.iter().filter(|step| step.tasks > 0).collect();
        for step in some.iter().take(LISTED) {
            let tasks = format::count(step.tasks, "task");
            self.line(
                None,
                format_args!("Reused from run {origin}: {tasks} of step {}", step.step),
                DIM,
            );
        }
        let rest = &some[LISTED.min(some.len())..];
        if !rest.is_empty() {
            let tasks = format::count(rest.iter().map(|step| step.tasks).sum(), "task");
            let steps = rest.len();
            self.line(
                None,
                format_args!("Reused from run {origin}: {tasks} of {steps} more steps"),
                DIM,
            );
        }
        if some.is_empty() {
            self.line(None, format_args!("Nothing of run {origin} is reused."), DIM);
        }
        let changed = |wanted| steps.iter().filter(move |step| step.change == wanted);
        let added = listed(changed(Change::Added).map(|step| step.step.as_str()));
        let moved = listed(changed(Change::Moved).map(|step| step.step.as_str()));
        let gone = listed(gone.iter().map(|name| name.as_str()));
        for (names, what) in [
            (added, "are new in the flow, and executed"),
            (moved, "stand elsewhere in the flow now, and are executed again"),
            (gone, "are no longer in the flow"),
        ] {
            if let Some(names) = names {
                self.line(None, format_args!("Steps that {what}: {names}"), DIM);
            }
        }
    }

    fn open(&mut self, body: &Name, width: u32) {
        if !self.terminal || width < WIDE {
            return;
        }
        if self.progress.is_none() {
            self.set_progress(Some(Progress::new()));
        }
        let Some(progress) = &mut self.progress else { return };
        let open = progress.open.entry(body.to_string()).or_insert(Loop { done: 0, width: 0 });
        open.width += u64::from(width);
        progress.draw(body.as_str());
    }

    fn advance(&mut self, step: &Name) {
        let Some(progress) = &mut self.progress else { return };
        let Some(open) = progress.open.get_mut(step.as_str()) else { return };
        open.done += 1;
        if open.done == open.width {
            progress.open.remove(step.as_str());
            if progress.open.is_empty() {
                self.set_progress(None);
            }
        } else {
            progress.draw(step.as_str());
        }
    }

    fn set_progress(&mut self, progress: Option<Progress>) {
        if let Some(old) = self.progress.take() {
            self.printer.set_bar(None);
            old.bar.finish_and_clear();
        }
        self.printer.set_bar(progress.as_ref().map(|progress| progress.bar.clone()));
        self.progress = progress;
    }
}

/// So many steps are told by name.
const LISTED: usize = 20;

/// Names for a line of the log, shortened where there are many; none if there are none.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = names.collect();
    let shown = names.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => None,
        all if all > LISTED => Some(format!("{shown} and {} more", all - LISTED)),
        _ => Some(shown),
    }
}

impl Progress {
    fn new() -> Self {
        let bar = progress::bar();
        progress::set_style(&bar, progress::FRACTION);
        Self { bar, open: HashMap::new() }
    }

    fn draw(&mut self, step: &str) {
        let Some(open) = self.open.get(step) else { return };
        if self.bar.message() != step {
            self.bar.set_message(step.to_owned());
        }
        self.bar.set_length(open.width);
        self.bar.set_position(open.done);
    }
}

/// Local time to the millisecond. Finding out the date takes longer than writing the line, so
/// it is done once a second.
struct Clock {
    second: String,
    since: Option<(Instant, u32)>,
}

impl Clock {
    fn new() -> Self {
        Self { second: String::new(), since: None }
    }

    fn now(&mut self) -> String {
        let within = |(since, millis): &(Instant, u32)| {
            let millis = u128::from(*millis) + since.elapsed().as_millis();
            u32::try_from(millis).ok().filter(|&millis| millis < 1000)
        };
        let millis = self.since.as_ref().and_then(within).unwrap_or_else(|| {
            let now = Timestamp::now().to_zoned_datetime(format::zone());
            self.second = now.strftime("%Y-%m-%d %H:%M:%S").to_string();
            let millis = u32::try_from(now.millisecond()).unwrap_or_default();
            self.since = Some((Instant::now(), millis));
            millis
        });
        format!("{}.{millis:03}", self.second)
    }
}

/// Why a task failed, as the person reads it: what, where, how it came to that, and what to do.
pub(crate) fn failure_text(failure: &Failure) -> String {
    let mut text = String::new();
    if !failure.kind.is_empty() {
        text += &format!("{}: ", failure.kind);
    }
    text += failure.message.trim_end();
    if !failure.location.is_empty() {
        text += &format!("\n    at {}", failure.location);
    }
    for line in failure.trace.lines() {
        text += &format!("\n    {line}");
    }
    if !failure.hint.is_empty() {
        text += &format!("\n    help: {}", failure.hint);
    }
    format::harmless(&text).into_owned()
}
