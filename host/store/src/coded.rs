//! Compressed files of blobs.
//!
//! A file is a sequence of zstd frames of [`FRAME`] plain bytes each, the last one shorter, and
//! behind them a table of their sizes: the seekable format of zstd (contrib/seekable_format in its
//! repository), so that any place can be read without what is before it, and `zstd -d` reads all.
//!
//! What was measured, on one core, in GB/s: BLAKE3 2 to 5, hashing and writing and syncing 1.4,
//! zstd at level 1 0.4 to 0.8 on text and numbers (which shrink to 15 to 80 %) and 3.5 on noise,
//! at level 3 half of that for a few percent more. So compression never pays in time where the
//! disk is as fast as here; it pays in space.

use std::fs::File;
use std::io;
use std::io::Write;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use zstd::bulk::Compressor;
use zstd::bulk::Decompressor;

use crate::files::read_at;

/// The plain bytes of a frame.
pub(crate) const FRAME: usize = 256 << 10;

/// Measured on text, numbers and noise: from the first level on zstd finds most of what there is,
/// and higher ones take several times as long.
const LEVEL: i32 = 1;

/// Takes content as it is, at the speed of copying it.
const NO_LEVEL: i32 = -100_000;

/// Compression pays if the first bytes shrink to less than three fifths.
const WORTH_IT: (usize, usize) = (3, 5);

/// So many first bytes tell.
const SAMPLE: usize = 64 << 10;

/// So many bytes are compressed however long it takes, which is some milliseconds.
const UNGOVERNED: u64 = 16 << 20;

/// The end of the table: the number of frames, a byte of flags, and this.
const SEEKABLE: u32 = 0x8F92_EAB1;
/// The beginning of a frame that a decompressor skips, and of the table.
const SKIPPABLE: u32 = 0x184D_2A5E;
const HEADER: usize = 8;
const FOOTER: usize = 9;

/// Compresses a blob that lives in a row, if it pays.
pub(crate) fn shrink(bytes: &[u8], compressor: &mut Compressor<'_>) -> Option<Vec<u8>> {
    let (part, whole) = WORTH_IT;
    let coded = compressor.compress(bytes).ok()?;
    (coded.len() * whole < bytes.len() * part).then_some(coded)
}

/// What [`shrink`] takes.
pub(crate) fn compressor() -> io::Result<Compressor<'static>> {
    Compressor::new(LEVEL)
}

/// The plain bytes of a row that holds at most so many.
pub(crate) fn expand(coded: &[u8], most: usize) -> io::Result<Vec<u8>> {
    zstd::bulk::decompress(coded, most)
}

/// Writes a compressed file.
pub(crate) struct Encoder {
    compressor: Compressor<'static>,
    /// Plain bytes that do not fill a frame yet.
    rest: Vec<u8>,
    coded: Vec<u8>,
    /// The coded and the plain size of each frame.
    table: Vec<(u32, u32)>,
    written: u64,
    /// How long compression took.
    spent: Duration,
    full_level: bool,
}

impl Encoder {
    /// An encoder for content that begins so; none if it does not get smaller by enough.
    pub(crate) fn where_it_pays(begin: &[u8]) -> io::Result<Option<Self>> {
        let mut compressor = compressor()?;
        let sample = &begin[..begin.len().min(SAMPLE)];
        let pays = shrink(sample, &mut compressor).is_some();
        Ok(pays.then(|| Self::new(compressor)))
    }

    fn new(compressor: Compressor<'static>) -> Self {
        Self {
            compressor,
            rest: Vec::new(),
            coded: Vec::new(),
            table: Vec::new(),
            written: 0,
            spent: Duration::ZERO,
            full_level: true,
        }
    }

    /// Takes the next bytes; `hashing` is how long all bytes so far took to be hashed.
    ///
    /// Large content is compressed as far as that takes no longer than hashing it, so that all in
    /// all it costs half as much again: then frames are taken as they are, until there is time.
    pub(crate) fn write(
        &mut self,
        file: &mut File,
        mut bytes: &[u8],
        hashing: Duration,
    ) -> io::Result<()> {
        if !self.rest.is_empty() {
            let (first, more) = bytes.split_at(bytes.len().min(FRAME - self.rest.len()));
            self.rest.extend_from_slice(first);
            bytes = more;
            if self.rest.len() < FRAME {
                return Ok(());
            }
            let rest = std::mem::take(&mut self.rest);
            self.frame(file, &rest, hashing)?;
            self.rest = rest;
            self.rest.clear();
        }
        let frames = bytes.chunks_exact(FRAME);
        self.rest.extend_from_slice(frames.remainder());
        for frame in frames {
            self.frame(file, frame, hashing)?;
        }
        Ok(())
    }

    /// Writes what is left and the table.
    pub(crate) fn finish(mut self, file: &mut File) -> io::Result<()> {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            self.frame(file, &rest, Duration::MAX)?;
        }
        let count = u32::try_from(self.table.len()).map_err(|_| too_large())?;
        let size = u32::try_from(self.table.len() * HEADER + FOOTER).map_err(|_| too_large())?;
        let mut end = Vec::with_capacity(HEADER + size as usize);
        let mut number = |number: u32| end.extend_from_slice(&number.to_le_bytes());
        number(SKIPPABLE);
        number(size);
        for (coded, plain) in self.table {
            number(coded);
            number(plain);
        }
        number(count);
        end.push(0);
        end.extend_from_slice(&SEEKABLE.to_le_bytes());
        file.write_all(&end)
    }

    fn frame(&mut self, file: &mut File, plain: &[u8], hashing: Duration) -> io::Result<()> {
        let in_time = self.written < UNGOVERNED || self.spent < hashing;
        if self.full_level != in_time {
            let level = if in_time { LEVEL } else { NO_LEVEL };
            self.compressor.set_compression_level(level)?;
            self.full_level = in_time;
        }
        let begin = Instant::now();
        self.coded.clear();
        self.coded.reserve(zstd::zstd_safe::compress_bound(plain.len()));
        self.compressor.compress_to_buffer(plain, &mut self.coded)?;
        self.spent += begin.elapsed();
        self.written += plain.len() as u64;
        let sizes = (self.coded.len(), plain.len());
        let (Ok(coded), Ok(plain)) = (u32::try_from(sizes.0), u32::try_from(sizes.1)) else {
            return Err(too_large());
        };
        self.table.push((coded, plain));
        file.write_all(&self.coded)
    }
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "it has more frames than can be counted")
}

/// A compressed file, to be read at any place. Public so that damaged ones can be made up for it.
#[derive(Debug)]
pub struct CodedFile {
    file: File,
    /// Where each frame begins, and where the last one ends.
    places: Vec<u64>,
    size: u64,
    /// The frame that was read last.
    last: Mutex<(usize, Vec<u8>)>,
}

impl CodedFile {
    /// Opens a file that [`Encoder`] wrote.
    ///
    /// # Errors
    ///
    /// `InvalidData` if its table is damaged, besides what the operating system says.
    pub fn open(file: File) -> io::Result<Self> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "its table is damaged");
        let length = file.metadata()?.len();
        let footer: [u8; FOOTER] =
            exactly(&file, length.checked_sub(FOOTER as u64).ok_or_else(damaged)?)?;
        let (count, rest) = footer.split_first_chunk().ok_or_else(damaged)?;
        if rest != [[0].as_slice(), &SEEKABLE.to_le_bytes()].concat() {
            return Err(damaged());
        }
        let count = u64::from(u32::from_le_bytes(*count));
        let table_size = count * HEADER as u64;
        let frames_end =
            length.checked_sub(HEADER as u64 + table_size + FOOTER as u64).ok_or_else(damaged)?;
        // The file is at least as large as the table, so this takes no more memory than the file.
        let mut table = vec![0; usize::try_from(table_size).map_err(|_| damaged())?];
        fill(&file, &mut table, frames_end + HEADER as u64)?;
        let (mut places, mut size) = (vec![0], 0);
        let (entries, _) = table.as_chunks::<4>();
        for (number, entry) in entries.chunks_exact(2).enumerate() {
            let (coded, plain) = (u32::from_le_bytes(entry[0]), u32::from_le_bytes(entry[1]));
            let last = number as u64 + 1 == count;
            if plain as usize > FRAME || (!last && plain as usize != FRAME) {
                return Err(damaged());
            }
            places.push(places[number] + u64::from(coded));
            size += u64::from(plain);
        }
        if places.last() != Some(&frames_end) {
            return Err(damaged());
        }
        Ok(Self { file, places, size, last: Mutex::new((usize::MAX, Vec::new())) })
    }

    /// The number of plain bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads plain bytes from a place on; returns how many, none at the end.
    ///
    /// # Errors
    ///
    /// `InvalidData` if a frame is damaged, besides what the operating system says.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a frame of it is damaged");
        let number = usize::try_from(offset / FRAME as u64).map_err(|_| damaged())?;
        let within = usize::try_from(offset % FRAME as u64).map_err(|_| damaged())?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != number {
            let size = self.places[number + 1] - self.places[number];
            let bound = zstd::zstd_safe::compress_bound(FRAME);
            let size = usize::try_from(size).ok().filter(|&size| size <= bound);
            let mut coded = vec![0; size.ok_or_else(damaged)?];
            fill(&self.file, &mut coded, self.places[number])?;
            last.0 = usize::MAX;
            last.1.clear();
            last.1.reserve(FRAME);
            Decompressor::new()?
                .decompress_to_buffer(&coded, &mut last.1)
                .map_err(|_| damaged())?;
            let expected = (self.size - number as u64 * FRAME as u64).min(FRAME as u64);
            if last.1.len() as u64 != expected {
                return Err(damaged());
            }
            last.0 = number;
        }
        let found = &last.1[within..];
        let count = found.len().min(buffer.len());
        buffer[..count].copy_from_slice(&found[..count]);
        Ok(count)
    }
}

fn exactly<const N: usize>(file: &File, offset: u64) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(file, &mut bytes, offset)?;
    Ok(bytes)
}

fn fill(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match read_at(file, buffer, offset) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::InvalidData, "it was cut short")),
            Ok(count) => {
                buffer = &mut buffer[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(pieces: &[&[u8]]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        let mut encoder = Encoder::new(compressor().unwrap());
        for piece in pieces {
            encoder.write(&mut file, piece, Duration::ZERO).unwrap();
        }
        encoder.finish(&mut file).unwrap();
        file
    }

    fn read(file: &CodedFile, mut offset: u64, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut piece = vec![0; 100_000];
        while bytes.len() < count {
            let wanted = piece.len().min(count - bytes.len());
            match file.read_at(&mut piece[..wanted], offset).unwrap() {
                0 => break,
                read => {
                    bytes.extend_from_slice(&piece[..read]);
                    offset += read as u64;
                }
            }
        }
        bytes
    }

    /// Numbers, which shrink.
    fn content(size: usize) -> Vec<u8> {
        (0u32..).flat_map(|i| (i / 3).to_le_bytes()).take(size).collect()
    }

    #[test]
    fn every_place_can_be_read() {
        for size in [0, 1, FRAME - 1, FRAME, FRAME + 1, 5 * FRAME + 17] {
            let plain = content(size);
            let (a, b) = plain.split_at(size / 3);
            let file = CodedFile::open(encode(&[a, b])).unwrap();
            assert_eq!(file.size(), size as u64);
            assert!(read(&file, 0, usize::MAX) == plain, "{size}");
            for offset in [0, 1, size / 2, size.saturating_sub(1), size, size + 1] {
                let rest = plain.get(offset..).unwrap_or_default();
                assert_eq!(read(&file, offset as u64, 9), &rest[..rest.len().min(9)]);
            }
        }
    }

    #[test]
    fn what_takes_too_long_is_taken_as_it_is() {
        let plain = content(UNGOVERNED as usize + 8 * FRAME);
        let file = encode(&[&plain]);
        let file = CodedFile::open(file).unwrap();
        let sizes: Vec<u64> = file.places.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(sizes[..64].iter().all(|&size| size < FRAME as u64 / 2));
        assert!(sizes[64..].iter().all(|&size| size >= FRAME as u64), "{:?}", &sizes[64..]);
        assert!(read(&file, 0, usize::MAX) == plain);
    }

    #[test]
    fn a_sample_tells_whether_it_pays() {
        let pays = |begin: &[u8]| Encoder::where_it_pays(begin).unwrap().is_some();
        assert!(pays(&content(SAMPLE)));
        let mut noise = vec![0; SAMPLE];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        assert!(!pays(&noise) && !pays(&[]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// A flipped bit is an error or does no harm: never a panic, never too much memory.
        #[test]
        fn damage_is_noticed(place in any::<prop::sample::Index>(), bit in 0u8..8) {
            use std::os::unix::fs::FileExt;

            let plain = content(FRAME + 1000);
            let file = encode(&[&plain]);
            let place = place.index(file.metadata().unwrap().len() as usize) as u64;
            let mut byte = [0];
            file.read_exact_at(&mut byte, place).unwrap();
            file.write_all_at(&[byte[0] ^ (1 << bit)], place).unwrap();
            if let Ok(file) = CodedFile::open(file) {
                let mut buffer = vec![0; FRAME];
                drop(file.read_at(&mut buffer, 0));
                drop(file.read_at(&mut buffer, FRAME as u64));
            }
        }
    }
}
