//! Compressed blobs as a store may hold them after damage.
//!
//! The first byte says how the rest becomes a file: as it is, or as frames in front of a table
//! that fits them, since a table is rarely hit upon by chance.

#![no_main]

use std::fs::File;
use std::io::Seek;
use std::io::Write;
use std::os::fd::FromRawFd;

use libfuzzer_sys::fuzz_target;
use wflow_store::CodedFile;

/// The plain bytes of every frame but the last.
const FRAME: u32 = 256 << 10;

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, rest)) = bytes.split_first() else { return };
    let content = match kind % 4 {
        0 => rest.to_vec(),
        more => framed(rest, u32::from(more) - 1),
    };
    let Ok(blob) = CodedFile::open(file(&content)) else { return };
    let size = blob.size();
    assert!(size <= content.len() as u64 / 8 * u64::from(FRAME), "more than the table can say");
    let whole = read(&blob, 0, size);
    // In another order it is the same, and past the end there is nothing.
    for start in [size.saturating_sub(3), size / 2, 1, 0] {
        if let (Some(whole), Some(part)) = (&whole, read(&blob, start, size)) {
            assert_eq!(part, whole[(start.min(size)) as usize..], "from byte {start} on");
        }
    }
    assert_eq!(blob.read_at(&mut [0; 9], size).ok(), Some(0));
    assert_eq!(blob.read_at(&mut [0; 9], u64::MAX).ok(), Some(0));
});

/// Content and a table of `before` full frames and a last one. Where each ends and how much is in
/// the last one, the first bytes say.
fn framed(bytes: &[u8], before: u32) -> Vec<u8> {
    let Some((&[first, low, high], frames)) = bytes.split_first_chunk::<3>() else {
        return bytes.to_vec();
    };
    let all = frames.len() as u32;
    let first = if before == 0 { 0 } else { all.min(first.into()) };
    let mut table = Vec::new();
    for frame in 0..before {
        table.push((if frame == 0 { first } else { 0 }, FRAME));
    }
    table.push((all - first, u32::from(u16::from_le_bytes([low, high]))));
    let size = table.len() as u32 * 8 + 9;
    let mut content = frames.to_vec();
    let mut number = |number: u32| content.extend_from_slice(&number.to_le_bytes());
    number(0x184D_2A5E);
    number(size);
    for &(coded, plain) in &table {
        number(coded);
        number(plain);
    }
    number(table.len() as u32);
    content.push(0);
    content.extend_from_slice(&0x8F92_EAB1_u32.to_le_bytes());
    content
}

/// All bytes from a place on; none if some are damaged.
fn read(blob: &CodedFile, start: u64, size: u64) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 100_000];
    let mut found = Vec::new();
    loop {
        match blob.read_at(&mut buffer, start + found.len() as u64).ok()? {
            0 => break,
            count => found.extend_from_slice(&buffer[..count]),
        }
        assert!(start + found.len() as u64 <= size, "more is read than there is");
    }
    assert_eq!(found.len() as u64, size.saturating_sub(start));
    Some(found)
}

/// A file in memory.
fn file(content: &[u8]) -> File {
    // SAFETY: the name is a string of C.
    let descriptor = unsafe { libc::memfd_create(c"blob".as_ptr(), 0) };
    assert!(descriptor >= 0, "no file in memory can be had");
    // SAFETY: the descriptor was just opened, and nobody else knows it.
    let mut file = unsafe { File::from_raw_fd(descriptor) };
    file.write_all(content).expect("memory takes it");
    file.rewind().expect("a file in memory can be rewound");
    file
}
