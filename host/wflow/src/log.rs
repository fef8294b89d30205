//! What a task writes to its two streams.

use wflow_model::Name;
use wflow_model::TaskId;
use wflow_sandbox::Channel;

use crate::event::Event;
use crate::event::Observer;

/// The longest line that is told at once; a longer one is told in pieces.
const MAX_LINE: usize = 1 << 20;

/// One stream of a task: its bytes up to a limit, and each line as it is completed, whether it
/// is kept or not.
#[derive(Debug)]
pub(crate) struct LogCapture {
    channel: Channel,
    kept: Vec<u8>,
    limit: usize,
    dropped: u64,
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
    pub(crate) fn new(channel: Channel, limit: usize) -> Self {
        Self { channel, kept: Vec::new(), limit, dropped: 0, line: Vec::new() }
    }

    /// Takes text, and tells the observer of each line that it completes.
    pub(crate) fn push(&mut self, text: &[u8], speaker: &Speaker<'_>) {
        let room = self.limit - self.kept.len();
        let (kept, dropped) = text.split_at(room.min(text.len()));
        self.kept.extend_from_slice(kept);
        self.dropped += dropped.len() as u64;
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

    /// Tells the observer of a last line without an end, and gives all that was kept, with the
    /// number of bytes that went past the limit.
    pub(crate) fn finish(mut self, speaker: &Speaker<'_>) -> (Vec<u8>, u64) {
        if !self.line.is_empty() {
            self.tell(speaker);
        }
        (self.kept, self.dropped)
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

    fn capture(limit: usize, pieces: &[&[u8]]) -> (Vec<String>, Vec<u8>, u64) {
        let lines = Lines::default();
        let (step, task) = (Name::new("start").unwrap(), TaskId::ROOT);
        let speaker = Speaker { observer: &lines, step: &step, task: &task };
        let mut log = LogCapture::new(Channel::Stdout, limit);
        pieces.iter().for_each(|piece| log.push(piece, &speaker));
        let (bytes, dropped) = log.finish(&speaker);
        (lines.0.into_inner().unwrap(), bytes, dropped)
    }

    #[test]
    fn lines_are_told_once_complete() {
        let (lines, bytes, dropped) = capture(100, &[b"a", b"b\nc\r\n\nd", b"\xff"]);
        assert_eq!(lines, ["ab", "c", "", "d\u{fffd}"]);
        assert_eq!((bytes.as_slice(), dropped), (&b"ab\nc\r\n\nd\xff"[..], 0));
    }

    #[test]
    fn a_line_without_an_end_does_not_fill_the_memory() {
        let piece = vec![b'x'; MAX_LINE / 2 + 1];
        let (lines, ..) = capture(0, &[&piece, &piece, &piece]);
        assert_eq!(
            lines.iter().map(String::len).collect::<Vec<_>>(),
            [MAX_LINE + 2, MAX_LINE / 2 + 1]
        );
    }

    #[test]
    fn what_goes_past_the_limit_is_told_and_counted() {
        let (lines, bytes, dropped) = capture(4, &[b"ab\ncdef", b"gh\n"]);
        assert_eq!(lines, ["ab", "cdefgh"]);
        assert_eq!((bytes.as_slice(), dropped), (&b"ab\nc"[..], 6));
    }
}
