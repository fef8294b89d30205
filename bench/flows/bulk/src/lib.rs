mod content;

use std::io::Read;
use std::io::Write;
use wflow_sdk::artifacts;
use wflow_sdk::prelude::*;

const PIECE: usize = 1 << 20;

/// One large artifact, made in the first step and read in the second.
#[flow]
struct BulkFlow {
    #[param(default = 1024, help = "the size of the artifact in MiB")]
    size: Param<i64>,
    #[param(default = "random", help = "random or integers")]
    content: Param<String>,
    #[param(default = false, help = "hand it over at once, and not in pieces")]
    whole: Param<bool>,
    /// Bytes of its own memory that a step had at its end.
    memory: Artifact<i64>,
}

#[steps]
impl BulkFlow {
    #[step(next = end)]
    fn start(&mut self) -> Result {
        let Some(period) = content::period(&self.content) else {
            return Err(Error::msg("there is no such content"));
        };
        let size = usize::try_from(*self.size)?;
        let pieces = period.chunks(PIECE).cycle().take(size);
        if *self.whole {
            let mut data = Vec::with_capacity(size * PIECE);
            pieces.for_each(|piece| data.extend_from_slice(piece));
            artifacts::put("data", "application/octet-stream", &data)?;
        } else {
            let mut writer = artifacts::create("data", "application/octet-stream")?;
            for piece in pieces {
                writer.write_all(piece)?;
            }
            writer.finish()?;
        }
        self.memory = memory().into();
        Ok(())
    }

    #[step]
    fn end(&mut self) -> Result {
        let read = if *self.whole {
            artifacts::get("data")?.1.len() as u64
        } else {
            let mut reader = artifacts::open("data")?;
            let mut piece = vec![0; PIECE];
            let mut read = 0_u64;
            loop {
                match reader.read(&mut piece)? {
                    0 => break read,
                    count => read += count as u64,
                }
            }
        };
        assert_eq!(read, u64::try_from(*self.size)? * PIECE as u64);
        self.memory = memory().into();
        Ok(())
    }
}

/// Linear memory grows in pages of 64 KiB, and never shrinks.
fn memory() -> i64 {
    (core::arch::wasm32::memory_size(0) << 16) as i64
}
