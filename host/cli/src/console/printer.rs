//! Writing out what was collected, on a thread of its own.

use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use indicatif::ProgressBar;
use wflow::event::Commits;

/// After text was written out, more is collected for so long: a system call for each line would
/// be a good part of the cost of a small task.
const LATENCY: Duration = Duration::from_millis(50);

/// Not more than so many bytes are collected meanwhile.
const ENOUGH: usize = 256 << 10;

/// Who has more to print than this waits.
const MOST: usize = 4 << 20;

/// Where text goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    Stdout,
    Stderr,
}

/// Collects text, and writes it out soon.
pub(super) struct Printer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    target: Target,
    state: Mutex<State>,
    /// Wakes the thread that writes.
    work: Condvar,
    /// Wakes who waits for room.
    room: Condvar,
}

#[derive(Default)]
struct State {
    text: String,
    /// The text says of something that it is finished.
    claims: bool,
    commits: Option<Commits>,
    /// The progress line that the text goes above.
    bar: Option<ProgressBar>,
    stopped: bool,
    waits: Waits,
    /// Who waits for room.
    crowd: usize,
}

/// What the thread that writes waits for.
#[derive(Default, PartialEq, Eq)]
enum Waits {
    #[default]
    Not,
    ForText,
    ForEnough,
}

impl Printer {
    pub(super) fn new(target: Target) -> Self {
        let (state, work, room) = (Mutex::default(), Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { target, state, work, room });
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.work())
        };
        Self { shared, thread: Mutex::new(Some(thread)) }
    }

    /// Adds to the text. `claims` says that something is finished: it is written out once that
    /// is true for good.
    pub(super) fn print(&self, claims: bool, write: impl FnOnce(&mut String)) {
        let mut state = self.shared.lock();
        while state.text.len() >= MOST && !state.stopped {
            state.crowd += 1;
            state = self.shared.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.crowd -= 1;
        }
        write(&mut state.text);
        state.claims |= claims;
        let wanted = match state.waits {
            Waits::Not => false,
            Waits::ForText => true,
            Waits::ForEnough => state.text.len() >= ENOUGH,
        };
        if wanted {
            state.waits = Waits::Not;
            drop(state);
            self.shared.work.notify_one();
        }
    }

    /// What tells that something is true for good.
    pub(super) fn set_commits(&self, commits: Commits) {
        self.shared.lock().commits = Some(commits);
    }

    /// The progress line that text goes above from now on.
    pub(super) fn set_bar(&self, bar: Option<ProgressBar>) {
        self.shared.lock().bar = bar;
    }

    /// Writes out everything. Nothing is printed afterwards.
    pub(super) fn finish(&self) {
        self.shared.lock().stopped = true;
        self.shared.work.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(thread.map(JoinHandle::join));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut text = String::new();
        let mut last: Option<Instant> = None;
        let mut state = self.lock();
        loop {
            let due = last.map_or(Duration::ZERO, |last| LATENCY.saturating_sub(last.elapsed()));
            state = self.wait(state, due);
            if state.text.is_empty() {
                return;
            }
            std::mem::swap(&mut state.text, &mut text);
            let commits = std::mem::take(&mut state.claims).then(|| state.commits.clone());
            let bar = state.bar.clone();
            if state.crowd > 0 {
                self.room.notify_all();
            }
            drop(state);
            // What could not be committed has not happened, and is not told.
            if commits.flatten().is_none_or(|commits| commits.wait().is_ok()) {
                self.write(&text, bar);
            }
            text.clear();
            last = Some(Instant::now());
            state = self.lock();
        }
    }

    /// Waits for text, and after `due` more of it; not at all once the printer is stopped.
    fn wait<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        due: Duration,
    ) -> MutexGuard<'a, State> {
        while state.text.is_empty() && !state.stopped {
            state.waits = Waits::ForText;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let until = Instant::now() + due;
        while !state.stopped && state.text.len() < ENOUGH {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state.waits = Waits::ForEnough;
            let woken = self.work.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.waits = Waits::Not;
        state
    }

    fn write(&self, text: &str, bar: Option<ProgressBar>) {
        let write = || match self.target {
            Target::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(text.as_bytes())?;
                stdout.flush()
            }
            Target::Stderr => io::stderr().lock().write_all(text.as_bytes()),
        };
        // An error is no reason to stop the run: whoever read its log has gone.
        drop(match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        });
    }
}
