//! Artifacts by name and in pieces, for what does not fit in a field: values larger than is
//! comfortable in memory, names that are only known at run time, formats of one's own.
//!
//! A field of the same name does not notice what is written here once it has been read.
//!
//! ```no_run
//! # fn f() -> wflow_sdk::Result {
//! use std::io::{BufRead, BufReader, Write};
//! use wflow_sdk::artifacts;
//!
//! let mut shout = artifacts::create("shout", "text/plain")?;
//! for line in BufReader::new(artifacts::open("text")?).lines() {
//!     writeln!(shout, "{}", line?.to_uppercase())?;
//! }
//! shout.finish()?;
//! # Ok(())
//! # }
//! ```

use crate::error::{Error, Result};
use crate::host::{self, Problem};
use std::io::{self, Read, Seek, SeekFrom, Write};

/// How many bytes a writer collects before it hands them to the host, and a reader that is
/// asked for few fetches.
const PIECE: usize = 64 * 1024;
/// How many the host gives at once.
const LARGEST_READ: usize = 16 << 20;

/// The names of all artifacts of this task, parameters included, sorted.
pub fn names() -> Vec<String> {
    host::names()
}

/// An artifact as bytes, with its format.
///
/// # Errors
///
/// If there is none of that name.
#[track_caller]
pub fn get(name: &str) -> Result<(String, Vec<u8>)> {
    match host::load(name) {
        Ok(raw) => Ok((raw.format, raw.data)),
        Err(problem) => Err(Error::msg(problem.about(name))),
    }
}

/// Sets an artifact to bytes of some format, a media type.
///
/// # Errors
///
/// If the host refuses the name, the format or the size.
#[track_caller]
pub fn put(name: &str, format: &str, data: &[u8]) -> Result<()> {
    match host::put(name, format, data) {
        Ok(()) => Ok(()),
        Err(problem) => Err(Error::msg(problem.about(name))),
    }
}

/// Takes an artifact away.
///
/// # Errors
///
/// If there is none of that name, or it is a parameter.
#[track_caller]
pub fn remove(name: &str) -> Result<()> {
    match host::remove(name) {
        Ok(()) => Ok(()),
        Err(problem) => Err(Error::msg(problem.about(name))),
    }
}

/// Opens an artifact to read it in pieces.
///
/// # Errors
///
/// If there is none of that name.
#[track_caller]
pub fn open(name: &str) -> Result<Reader> {
    match host::open(name) {
        Ok(reader) => Ok(Reader::new(reader)),
        Err(problem) => Err(Error::msg(problem.about(name))),
    }
}

/// Opens an artifact of input number `index` of a join.
///
/// # Errors
///
/// If there is no such input, or it has none of that name.
#[track_caller]
pub fn open_input(index: usize, name: &str) -> Result<Reader> {
    match host::input_open(u32::try_from(index).unwrap_or(u32::MAX), name) {
        Ok(reader) => Ok(Reader::new(reader)),
        Err(problem) => Err(Error::msg(problem.about(name))),
    }
}

/// Starts an artifact that is written in pieces; `format` is its media type.
///
/// # Errors
///
/// If the host refuses the name or the format.
#[track_caller]
pub fn create(name: &str, format: &str) -> Result<Writer> {
    match host::create(name, format) {
        Ok(inner) => Ok(Writer { inner, buffer: Vec::new() }),
        Err(problem) => Err(Error::msg(problem.about(name))),
    }
}

/// Reads an artifact in pieces, from anywhere in it. Small reads are served from a buffer.
pub struct Reader {
    inner: host::Reader,
    size: u64,
    position: u64,
    /// The bytes from `start` on.
    buffer: Vec<u8>,
    start: u64,
}

impl Reader {
    fn new(inner: host::Reader) -> Self {
        let size = inner.size();
        Self { inner, size, position: 0, buffer: Vec::new(), start: 0 }
    }

    /// The media type.
    pub fn format(&self) -> String {
        self.inner.format()
    }

    /// The number of bytes in all.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.size || out.is_empty() {
            return Ok(0);
        }
        let buffered = self.start..self.start + self.buffer.len() as u64;
        if !buffered.contains(&self.position) {
            let count = out.len().clamp(PIECE, LARGEST_READ);
            self.buffer = self.inner.read(self.position, count as u32).map_err(io_error)?;
            self.start = self.position;
        }
        let rest = &self.buffer[(self.position - self.start) as usize..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// Writes an artifact in pieces. Dropped before [`finish`](Self::finish) it leaves nothing.
pub struct Writer {
    inner: host::Writer,
    buffer: Vec<u8>,
}

impl Writer {
    /// Makes the artifact visible.
    ///
    /// # Errors
    ///
    /// If the host refuses it.
    #[track_caller]
    pub fn finish(mut self) -> Result<()> {
        let done = self.flush().and_then(|()| self.inner.finish().map_err(io_error));
        match done {
            Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Write for Writer {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + data.len() > PIECE {
            self.flush()?;
        }
        if data.len() >= PIECE {
            let piece = &data[..data.len().min(LARGEST_READ)];
            self.inner.write(piece).map_err(io_error)?;
            return Ok(piece.len());
        }
        self.buffer.extend(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.inner.write(&self.buffer).map_err(io_error)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

fn io_error(problem: Problem) -> io::Error {
    match problem {
        Problem::Missing(why) => io::Error::new(io::ErrorKind::NotFound, why),
        Problem::Refused(why) => io::Error::other(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fake;

    #[test]
    fn what_is_written_in_pieces_is_read_in_pieces() {
        let mut writer = create("large", "text/plain").unwrap();
        for line in 0..10_000 {
            writeln!(writer, "{line:04}").unwrap();
        }
        let large = vec![b'x'; 3 * PIECE];
        writer.write_all(&large).unwrap();
        writer.finish().unwrap();
        let calls = fake::with(|fake| std::mem::take(&mut fake.calls));
        assert_eq!(calls, ["create large", "write 50000", "write 196608", "put large"]);

        let mut reader = open("large").unwrap();
        assert_eq!((reader.format().as_str(), reader.size()), ("text/plain", 246_608));
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), 246_608);
        assert!(all.starts_with(b"0000\n0001\n") && all.ends_with(&large));

        let mut line = [0; 4];
        reader.seek(SeekFrom::Start(5 * 1234)).unwrap();
        reader.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"1234");
        assert_eq!(reader.seek(SeekFrom::End(0)).unwrap(), 246_608);
        assert_eq!(reader.read(&mut line).unwrap(), 0);
        assert!(reader.seek(SeekFrom::Current(-300_000)).is_err());
    }

    #[test]
    fn small_reads_are_served_from_a_buffer() {
        put("small", "text/plain", b"one two").unwrap();
        let mut reader = open("small").unwrap();
        fake::with(|fake| fake.calls.clear());
        let mut bytes = Vec::new();
        let mut byte = [0];
        while reader.read(&mut byte).unwrap() == 1 {
            bytes.extend(byte);
        }
        assert_eq!(bytes, b"one two");
        assert_eq!(fake::with(|fake| fake.calls.len()), 1);
        assert_eq!(get("small").unwrap(), ("text/plain".to_owned(), bytes));
        remove("small").unwrap();
        assert!(!names().contains(&"small".to_owned()));
    }

    #[test]
    fn what_is_not_there_is_told() {
        let line = line!() + 1;
        let error = get("nothing").unwrap_err();
        assert_eq!(error.location().unwrap().line(), line);
        assert!(error.to_string().contains("`nothing`"));
        assert!(open("nothing").is_err() && open_input(0, "x").is_err());
    }
}
