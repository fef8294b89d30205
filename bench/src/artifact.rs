//! What a large artifact costs, against hashing and writing the same bytes once.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use serde::Deserialize;
use serde::Serialize;
use wflow::Host;
use wflow::HostOptions;
use wflow::RunOptions;
use wflow::Store;
use wflow::client;
use wflow::model::record::RunStatus;

use crate::cost;
use crate::cost::Cost;
use crate::cost::Moment;
use crate::cost::ratio;
use crate::flows::Flows;
use crate::job::Job;
use crate::report::Table;
use crate::stage::Stage;

#[path = "../flows/bulk/src/content.rs"]
mod content;

const FORMAT: &str = "application/octet-stream";
const PIECE: usize = 1 << 20;

/// Processes of each kind, by turns; the best of each counts, of CPU and of time by itself, since
/// the disk is not as quick at one time as at another.
const ROUNDS: u32 = 5;

/// Measures artifacts of several kinds.
pub(crate) fn measure(flows: &Flows, huge: bool) -> Result<Table<7>> {
    let mut table = Table::new([
        "artifact",
        "hash + write",
        "wflow ÷ that, time",
        "CPU",
        "reading, of the time",
        "on disk ÷ size",
        "memory beyond the guest's",
    ]);
    let mut kinds = vec![
        (1 << 10, "random", false, "1 GiB in pieces, incompressible"),
        (1 << 10, "integers", false, "1 GiB in pieces, small integers"),
        (512, "random", true, "512 MiB at once, incompressible"),
    ];
    if huge {
        kinds.push((5 << 10, "random", false, "5 GiB in pieces, incompressible"));
    }
    for (size, content, whole, title) in kinds {
        let (scratch, content) = (flows.scratch.clone(), content.to_owned());
        let written =
            Job::Written(Written { scratch: scratch.clone(), size, content: content.clone() });
        let (component, cache) = (flows.bulk.clone(), flows.cache.clone());
        let bulk = Job::Bulk(Bulk { component, cache, scratch, size, content, whole });
        let (mut floors, mut runs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (cost, digest) = written.ask::<(Cost, String)>()?;
            let measured = bulk.ask::<Measured>()?;
            ensure!(measured.digest == digest, "the two are not the same bytes");
            floors.push(cost);
            runs.push(measured);
        }
        let floor = floors.into_iter().reduce(Cost::least).context("no round")?;
        let best = runs.into_iter().reduce(Measured::least).context("no round")?;
        let beyond = best.peak.map(|peak| peak.saturating_sub(best.guest) >> 20);
        table.row([
            title.to_owned(),
            format!("{:.2} s", floor.wall.as_secs_f64()),
            format!("{:.2}", ratio(best.all.wall, floor.wall)),
            format!("{:.2}", ratio(best.all.cpu, floor.cpu)),
            format!("{:.0} %", 100.0 * ratio(best.read.wall, best.all.wall)),
            format!("{:.2}", best.disk as f64 / (u64::from(size) << 20) as f64),
            beyond.map_or_else(|| "?".to_owned(), |mebibytes| format!("{mebibytes} MiB")),
        ]);
    }
    Ok(table)
}

/// The bytes of an artifact, hashed by one thread and written to a file, which is synced.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Written {
    scratch: PathBuf,
    /// In MiB.
    size: u32,
    content: String,
}

impl Written {
    /// Hashes and writes; what it cost, and the digest that the store gives the artifact.
    pub(crate) fn work(&self) -> Result<(Cost, String)> {
        let period = content::period(&self.content).context("no such content")?;
        let mut file = tempfile::tempfile_in(&self.scratch)?;
        let start = Moment::now();
        let mut hasher = blake3::Hasher::new();
        hasher.update(FORMAT.as_bytes()).update(&[0]);
        for piece in period.chunks(PIECE).cycle().take(self.size as usize) {
            hasher.update(piece);
            file.write_all(piece)?;
        }
        File::sync_all(&file)?;
        let digest = hasher.finalize().to_hex().to_string();
        Ok((start.elapsed(), digest))
    }
}

/// An artifact that a task makes and the next one reads.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Bulk {
    component: PathBuf,
    cache: PathBuf,
    scratch: PathBuf,
    /// In MiB.
    size: u32,
    content: String,
    /// Handed over at once, not in pieces.
    whole: bool,
}

/// What the run cost.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// From its start until all of it is on disk.
    all: Cost,
    /// The task that reads.
    read: Cost,
    digest: String,
    /// The most memory of the process, in bytes, and that of the guest within it.
    peak: Option<u64>,
    guest: u64,
    /// Bytes of the store once it is closed.
    disk: u64,
}

impl Measured {
    /// The least of each; the greater memory.
    fn least(self, other: Self) -> Self {
        let (all, read) = (self.all.least(other.all), self.read.least(other.read));
        Self { all, read, peak: self.peak.max(other.peak), ..other }
    }
}

impl Bulk {
    /// Runs it, into a store of its own.
    pub(crate) fn work(&self) -> Result<Measured> {
        let host =
            Host::new(HostOptions { cache: Some(self.cache.clone()), ..Default::default() })?;
        let flow = host.load(&self.component)?;
        let folder = tempfile::tempdir_in(&self.scratch)?;
        let path = folder.path().join("store");
        let store = Store::create_or_open(&path)?;
        let read = Arc::new(Stage::of("end"));
        let options = RunOptions::new()
            .parameter("size", self.size.to_string())
            .parameter("content", &self.content)
            .parameter("whole", self.whole.to_string())
            .observer(Arc::clone(&read) as _);
        let start = Moment::now();
        let report = flow.run(&store, options).context("running the flow")?;
        let all = start.elapsed();
        ensure!(report.status == RunStatus::Done, "the run did not finish: {:?}", report.failed);
        let peak = cost::peak_memory();
        let run = client::run_by_id(&store, report.run)?;
        let (start, end) = (run.step("start")?.task("1")?, run.step("end")?.task("1")?);
        let guest = u64::max(start.get("memory")?, end.get("memory")?);
        let digest = start.artifact("data")?.digest.to_string();
        drop((start, end, run, store));
        let (begun, ended) = read.moments()?;
        let disk = cost::disk(&path)?;
        Ok(Measured { all, read: begun.until(ended), digest, peak, guest, disk })
    }
}
