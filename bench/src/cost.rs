//! What something cost: time of the processor and time on the wall, memory, disk.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use cpu_time::ProcessTime;
use serde::Deserialize;
use serde::Serialize;

/// What something cost.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// Time of the processor, of all threads, in the system as well.
    pub(crate) cpu: Duration,
    /// Time on the wall.
    pub(crate) wall: Duration,
}

impl Cost {
    /// The lower of two, by CPU.
    pub(crate) fn lower(self, other: Self) -> Self {
        if other.cpu < self.cpu { other } else { self }
    }

    /// The least of both, of CPU and of time by itself.
    pub(crate) fn least(self, other: Self) -> Self {
        Self { cpu: self.cpu.min(other.cpu), wall: self.wall.min(other.wall) }
    }

    /// What one of so many cost.
    pub(crate) fn each(self, count: u32) -> Self {
        Self { cpu: self.cpu / count, wall: self.wall / count }
    }

    /// How many cores were busy on average.
    pub(crate) fn cores(self) -> f64 {
        ratio(self.cpu, self.wall)
    }
}

/// One time in terms of another.
pub(crate) fn ratio(time: Duration, of: Duration) -> f64 {
    time.as_secs_f64() / of.as_secs_f64()
}

/// A moment, to measure from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    cpu: ProcessTime,
    wall: Instant,
}

impl Moment {
    /// Now, in the life of this process.
    pub(crate) fn now() -> Self {
        Self { cpu: ProcessTime::now(), wall: Instant::now() }
    }

    /// What the time from this moment until another cost.
    pub(crate) fn until(self, end: Self) -> Cost {
        Cost { cpu: end.cpu.duration_since(self.cpu), wall: end.wall.duration_since(self.wall) }
    }

    /// What the time from this moment until now cost.
    pub(crate) fn elapsed(self) -> Cost {
        self.until(Self::now())
    }
}

/// The most memory that this process had at one moment, in bytes; none where the system does not
/// say. Unlike `ru_maxrss` it starts anew with a new program.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// The bytes of all files in a folder and the folders in it.
pub(crate) fn disk(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() { disk(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}
