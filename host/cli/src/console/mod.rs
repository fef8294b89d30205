//! A run as it is watched: a line for everything that happens, and on a terminal the progress
//! of wide foreach loops.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::io::IsTerminal;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use anstream::AutoStream;
use anstyle::Style;
use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;
use jiff::ZonedDateTime;
use wflow::event::Channel;
use wflow::event::Event;
use wflow::event::Observer;
use wflow::model::Name;
use wflow::model::TaskId;
use wflow::model::record::Failure;
use wflow::model::record::RunId;

use crate::format;
use crate::output::BAD;
use crate::output::DIM;
use crate::output::GOOD;
use crate::output::NAME;

/// From this width on a foreach has a progress line of its own on a terminal, and the starts and
/// ends of its tasks are not told one by one.
const WIDE: u32 = 20;

/// Lines are written out after so long at the latest. In between they are collected: a system
/// call for each line would be a good part of the cost of a small task.
const LATENCY: Duration = Duration::from_millis(50);

/// So many bytes are collected at most.
const BUFFER: usize = 32 << 10;

/// Watches a run for the person in front of the terminal, or for a file.
pub(crate) struct Console {
    lines: Arc<Mutex<Lines>>,
    quiet: bool,
    /// Ends the thread that writes out what was collected.
    flusher: Mutex<Option<(mpsc::Sender<()>, JoinHandle<()>)>>,
}

struct Lines {
    buffer: String,
    clock: Clock,
    run: String,
    target: Target,
    progress: Option<Progress>,
    terminal: bool,
    colour: bool,
    /// The first error of writing: whoever read our output may have gone.
    error: Option<io::Error>,
}

enum Target {
    Stdout,
    Stderr,
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
        let (terminal, choice) = if to_stderr {
            (io::stderr().is_terminal(), AutoStream::choice(&io::stderr()))
        } else {
            (io::stdout().is_terminal(), AutoStream::choice(&io::stdout()))
        };
        let lines = Arc::new(Mutex::new(Lines {
            buffer: String::new(),
            clock: Clock::new(),
            run: String::new(),
            target: if to_stderr { Target::Stderr } else { Target::Stdout },
            progress: None,
            terminal,
            colour: choice != anstream::ColorChoice::Never,
            error: None,
        }));
        let flusher = (!quiet).then(|| start_flusher(Arc::clone(&lines)));
        Self { lines, quiet, flusher: Mutex::new(flusher) }
    }

    /// Writes out everything that was told. Nothing is told afterwards.
    pub(crate) fn finish(&self) {
        let flusher = self.flusher.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((stop, thread)) = flusher {
            drop(stop);
            drop(thread.join());
        }
        let mut lines = lock(&self.lines);
        if let Some(progress) = lines.progress.take() {
            progress.bar.finish_and_clear();
        }
        lines.flush();
    }
}

fn lock(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread that writes out what was collected when nothing else does.
fn start_flusher(lines: Arc<Mutex<Lines>>) -> (mpsc::Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        while stopped.recv_timeout(LATENCY) == Err(mpsc::RecvTimeoutError::Timeout) {
            lock(&lines).flush();
        }
    });
    (stop, thread)
}

impl Observer for Console {
    fn event(&self, event: &Event<'_>) {
        if !self.quiet {
            lock(&self.lines).tell(event);
        }
    }
}

impl Lines {
    fn tell(&mut self, event: &Event<'_>) {
        match *event {
            Event::RunStarted { flow, run } => self.begin(flow, run),
            Event::TaskStarted { step, task } => {
                self.system(step, task, format_args!("Task is starting."), DIM);
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
                self.system(step, task, format_args!("Task finished successfully."), DIM);
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

    /// What wflow itself has to say of a task. Not of each task of a wide foreach, if there is
    /// a progress line.
    fn system(&mut self, step: &Name, task: &TaskId, text: std::fmt::Arguments<'_>, style: Style) {
        let shown = self.progress.as_ref().is_none_or(|progress| progress.open.is_empty());
        if shown || task.indices.is_empty() {
            self.line(Some((step, task)), text, style);
        }
    }

    /// One line of the log.
    fn line(&mut self, of: Option<(&Name, &TaskId)>, text: std::fmt::Arguments<'_>, style: Style) {
        let now = self.clock.now();
        let buffer = &mut self.buffer;
        // Writing to a string cannot fail.
        let written = match (of, self.colour) {
            (Some((step, task)), false) => {
                writeln!(buffer, "{now} [{}/{step}/{task}] {text}", self.run)
            }
            (None, false) => writeln!(buffer, "{now} {text}"),
            (Some((step, task)), true) => writeln!(
                buffer,
                "{DIM}{now} [{}/{DIM:#}{NAME}{step}/{task}{NAME:#}{DIM}]{DIM:#} {style}{text}{style:#}",
                self.run
            ),
            (None, true) => writeln!(buffer, "{DIM}{now}{DIM:#} {style}{text}{style:#}"),
        };
        debug_assert!(written.is_ok());
        if self.buffer.len() >= BUFFER {
            self.flush();
        }
    }

    fn open(&mut self, body: &Name, width: u32) {
        if !self.terminal || width < WIDE {
            return;
        }
        let progress = self.progress.get_or_insert_with(Progress::new);
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
                progress.bar.finish_and_clear();
                self.progress = None;
            }
        } else {
            progress.draw(step.as_str());
        }
    }

    /// Writes out what was collected, above the progress line.
    fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let text = std::mem::take(&mut self.buffer);
        let target = &self.target;
        let write = || match target {
            Target::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(text.as_bytes())?;
                stdout.flush()
            }
            Target::Stderr => io::stderr().lock().write_all(text.as_bytes()),
        };
        let result = match &self.progress {
            Some(progress) => progress.bar.suspend(write),
            None => write(),
        };
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
        self.buffer = text;
        self.buffer.clear();
    }
}

impl Progress {
    fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}, {eta} left")
        {
            bar.set_style(style);
        }
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
            let now = ZonedDateTime::now();
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
