//! Standard output, which carries data, and standard error, which carries talk.

use std::io;
use std::io::BufWriter;
use std::io::IsTerminal;
use std::io::Write;

use anstream::AutoStream;
use anstyle::AnsiColor;
use anstyle::Style;

use crate::format;

/// What stands for an error.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What stands for something that went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What is there for those who look for it.
pub(crate) const DIM: Style = Style::new().dimmed();
/// A name.
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default();
/// A heading.
pub(crate) const HEAD: Style = Style::new().bold();

/// The two streams of the command. Styles are dropped where they are not wanted: in a pipe, and
/// with `NO_COLOR`.
pub(crate) struct Output {
    stdout: BufWriter<AutoStream<io::Stdout>>,
    terminal: bool,
    stderr: AutoStream<io::Stderr>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self {
            stdout: BufWriter::new(AutoStream::auto(io::stdout())),
            terminal: io::stdout().is_terminal(),
            stderr: AutoStream::auto(io::stderr()),
        }
    }

    /// Where data goes.
    pub(crate) fn data(&mut self) -> &mut impl Write {
        &mut self.stdout
    }

    /// Writes text of a guest as data: into a pipe as it is, on a terminal without what could
    /// take that over.
    pub(crate) fn guest(&mut self, text: &str) -> io::Result<()> {
        if self.terminal {
            return write!(self.stdout, "{}", format::harmless(text));
        }
        // Past the stream that takes styles out: what looks like one here is the guest's own.
        self.stdout.flush()?;
        io::stdout().lock().write_all(text.as_bytes())
    }

    /// Writes a JSON value on a line of its own.
    pub(crate) fn json(&mut self, value: &impl serde::Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value)?;
        writeln!(self.stdout, "{text}")
    }

    /// Says something to the person. If nobody listens, so be it.
    pub(crate) fn talk(&mut self, text: &str) {
        drop(self.flush());
        drop(writeln!(self.stderr, "{text}"));
    }

    /// Tells the person of an error.
    pub(crate) fn error(&mut self, text: &str) {
        self.talk(&format!("{BAD}error{BAD:#}: {text}"));
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }
}
