//! What a task writes to its two streams.

use wflow_model::Name;
use wflow_model::TaskId;
use wflow_sandbox::Channel;

use crate::event::Event;
use crate::event::Observer;

/// The longest line that is told at once; a longer one is told in pieces.
const MAX_LINE: usize = 1 << 20;

/// One stream of a task: its bytes, which the sandbox bounds, and each line as it is completed.
#[derive(Debug)]
pub(crate) struct LogCapture {
    channel: Channel,
    kept: Vec<u8>,
    /// The line that is not complete.
    line: Vec<u8>,
}

/// The task that a line is of.
pub(crate) struct Speaker<'a> {
    pub(crate) observer: &'a dyn Observer,
    pub(crate) step: &'a Name,
    pub(crate) task: &'a TaskId,
}

impl LogCapture {
    pub(crate) fn new(channel: Channel) -> Self {
        Self { channel, kept: Vec::new(), line: Vec::new() }
    }

    /// Takes text, and tells the observer of each line that it completes.
    pub(crate) fn push(&mut self, text: &[u8], speaker: &Speaker<'_>) {
        self.kept.extend_from_slice(text);
        let mut pieces = text.split(|&byte| byte == b'\n');
        // What follows the last end of a line begins the next one.
        let rest = pieces.next_back().unwrap_or_default();
        for piece in pieces {
            self.line.extend_from_slice(piece);
            self.tell(speaker);
        }
        self.line.extend_from_slice(rest);
        if self.line.len() > MAX_LINE {
            self.tell(speaker);
        }
    }

    /// Tells the observer of a last line without an end, and gives all that was kept.
    pub(crate) fn finish(mut self, speaker: &Speaker<'_>) -> Vec<u8> {
        if !self.line.is_empty() {
            self.tell(speaker);
        }
        self.kept
    }

    fn tell(&mut self, speaker: &Speaker<'_>) {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        speaker.observer.event(&Event::Line {
            step: speaker.step,
            task: speaker.task,
            channel: self.channel,
            text: &String::from_utf8_lossy(line),
        });
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl Observer for Lines {
        fn event(&self, event: &Event<'_>) {
            if let Event::Line { text, .. } = event {
                self.0.lock().unwrap().push((*text).to_owned());
            }
        }
    }

    fn capture(pieces: &[&[u8]]) -> (Vec<String>, Vec<u8>) {
        let lines = Lines::default();
        let (step, task) = (Name::new("start").unwrap(), TaskId::ROOT);
        let speaker = Speaker { observer: &lines, step: &step, task: &task };
        let mut log = LogCapture::new(Channel::Stdout);
        pieces.iter().for_each(|piece| log.push(piece, &speaker));
        let bytes = log.finish(&speaker);
        (lines.0.into_inner().unwrap(), bytes)
    }

    #[test]
    fn lines_are_told_once_complete() {
        let (lines, bytes) = capture(&[b"a", b"b\nc\r\n\nd", b"\xff"]);
        assert_eq!(lines, ["ab", "c", "", "d\u{fffd}"]);
        assert_eq!(bytes, b"ab\nc\r\n\nd\xff");
    }

    #[test]
    fn a_line_without_an_end_is_told_in_pieces() {
        let piece = vec![b'x'; MAX_LINE / 2 + 1];
        let (lines, _) = capture(&[&piece, &piece, &piece]);
        assert_eq!(
            lines.iter().map(String::len).collect::<Vec<_>>(),
            [MAX_LINE + 2, MAX_LINE / 2 + 1]
        );
    }
}
