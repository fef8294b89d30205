//! What a task writes to its two streams.

use wflow_model::Name;
use wflow_model::TaskId;
use wflow_sandbox::Channel;

use crate::event::Event;
use crate::event::Observer;

/// One stream of a task: its bytes up to a limit, and each line as it is completed.
#[derive(Debug)]
pub(crate) struct LogCapture {
    channel: Channel,
    bytes: Vec<u8>,
    /// Where the line begins that is not complete.
    line: usize,
    limit: usize,
    dropped: u64,
}

/// The task that a line is of.
pub(crate) struct Speaker<'a> {
    pub(crate) observer: &'a dyn Observer,
    pub(crate) step: &'a Name,
    pub(crate) task: &'a TaskId,
}

impl LogCapture {
    pub(crate) fn new(channel: Channel, limit: usize) -> Self {
        Self { channel, bytes: Vec::new(), line: 0, limit, dropped: 0 }
    }

    /// Takes text, and tells the observer of each line that it completes.
    pub(crate) fn push(&mut self, text: &[u8], speaker: &Speaker<'_>) {
        let room = self.limit - self.bytes.len();
        let (kept, dropped) = text.split_at(room.min(text.len()));
        self.dropped += dropped.len() as u64;
        let mut from = self.bytes.len();
        self.bytes.extend_from_slice(kept);
        while let Some(end) = self.bytes[from..].iter().position(|&byte| byte == b'\n') {
            self.tell(from + end, speaker);
            self.line = from + end + 1;
            from = self.line;
        }
    }

    /// Tells the observer of a last line without an end, and gives all that was written, with
    /// the number of bytes that went past the limit.
    pub(crate) fn finish(self, speaker: &Speaker<'_>) -> (Vec<u8>, u64) {
        if self.line < self.bytes.len() {
            self.tell(self.bytes.len(), speaker);
        }
        (self.bytes, self.dropped)
    }

    fn tell(&self, end: usize, speaker: &Speaker<'_>) {
        let line = &self.bytes[self.line..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        speaker.observer.event(&Event::Line {
            step: speaker.step,
            task: speaker.task,
            channel: self.channel,
            text: &String::from_utf8_lossy(line),
        });
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
    fn what_goes_past_the_limit_is_counted() {
        let (lines, bytes, dropped) = capture(4, &[b"ab\ncdef", b"gh\n"]);
        assert_eq!(lines, ["ab", "c"]);
        assert_eq!((bytes.as_slice(), dropped), (&b"ab\nc"[..], 6));
    }
}
