//! How far long work on the store has come, for whoever waits for it at a terminal.

use std::io;
use std::io::IsTerminal;

use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;
use wflow::Progress;

/// What is done, how much of it is behind, and how long the rest may take.
pub(crate) const FRACTION: &str = "{msg} {wide_bar} {pos}/{len}, {eta} left";

/// A progress line on standard error.
pub(crate) fn bar() -> ProgressBar {
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10))
}

/// Gives a progress line the form of a template.
pub(crate) fn set_style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

/// A line on standard error, if that is a terminal. It is gone when this is dropped.
pub(crate) struct ProgressLine(Option<ProgressBar>);

impl ProgressLine {
    pub(crate) fn new() -> Self {
        Self(io::stderr().is_terminal().then(bar))
    }

    pub(crate) fn tell(&self, progress: Progress) {
        let Some(bar) = &self.0 else { return };
        if bar.message() != progress.doing {
            set_style(bar, if progress.of > 0 { FRACTION } else { "{msg} {pos}" });
            bar.reset();
            bar.set_message(progress.doing);
        }
        bar.set_length(progress.of);
        bar.set_position(progress.done);
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
