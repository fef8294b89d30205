//! The content of a blob's file, plain or compressed.

use std::fs::File;
use std::io;
use std::io::Write;
use std::time::Duration;

use crate::coded::CodedFile;
use crate::coded::Encoder;
use crate::files::TempFile;
use crate::files::read_at;

/// The file of a blob, open for reading.
#[derive(Debug)]
pub(crate) enum BlobFile {
    /// It holds the bytes of the blob.
    Plain(File),
    /// It holds them compressed.
    Coded(CodedFile),
}

impl BlobFile {
    /// The file of a blob, known to be compressed or not.
    ///
    /// # Errors
    ///
    /// `InvalidData` if it is not what it is said to be, besides what the operating system says.
    pub(crate) fn new(file: File, coded: bool) -> io::Result<Self> {
        Ok(if coded { Self::Coded(CodedFile::open(file)?) } else { Self::Plain(file) })
    }

    /// The number of plain bytes.
    pub(crate) fn size(&self) -> io::Result<u64> {
        match self {
            Self::Plain(file) => Ok(file.metadata()?.len()),
            Self::Coded(file) => Ok(file.size()),
        }
    }

    /// Reads plain bytes from a place on; returns how many, none at the end.
    ///
    /// # Errors
    ///
    /// `InvalidData` if what it holds is damaged, besides what the operating system says.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Plain(file) => read_at(file, buffer, offset),
            Self::Coded(file) => file.read_at(buffer, offset),
        }
    }
}

/// A blob's file while it is written.
pub(crate) struct NewFile {
    temp: TempFile,
    /// Settled by the first bytes.
    encoder: Option<Option<Encoder>>,
    size: u64,
}

/// A blob's file that is complete, and has not its name yet.
#[derive(Debug)]
pub(crate) struct CompleteFile {
    pub(crate) temp: TempFile,
    pub(crate) coded: bool,
    /// The number of plain bytes.
    pub(crate) size: u64,
}

impl NewFile {
    pub(crate) fn new(temp: TempFile) -> Self {
        Self { temp, encoder: None, size: 0 }
    }

    /// Takes the next bytes; `hashing` is how long all bytes so far took to be hashed.
    pub(crate) fn write(&mut self, bytes: &[u8], hashing: Duration) -> io::Result<()> {
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(Encoder::where_it_pays(bytes)?),
        };
        self.size += bytes.len() as u64;
        match encoder {
            Some(encoder) => encoder.write(&mut self.temp.file, bytes, hashing),
            None => self.temp.file.write_all(bytes),
        }
    }

    pub(crate) fn finish(mut self) -> io::Result<CompleteFile> {
        let encoder = self.encoder.flatten();
        let coded = encoder.is_some();
        if let Some(encoder) = encoder {
            encoder.finish(&mut self.temp.file)?;
        }
        Ok(CompleteFile { temp: self.temp, coded, size: self.size })
    }
}

impl CompleteFile {
    /// The file, open for reading once more.
    pub(crate) fn open(&self) -> io::Result<BlobFile> {
        BlobFile::new(self.temp.file.try_clone()?, self.coded)
    }
}
