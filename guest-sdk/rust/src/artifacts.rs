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
    match host::get(name) {
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
