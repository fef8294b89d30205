//! What a task costs, in runs of one task to a million, against the bare floor.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use serde::Deserialize;
use serde::Serialize;
use wflow::Flow;
use wflow::Host;
use wflow::HostOptions;
use wflow::RunOptions;
use wflow::Store;
use wflow::model::record::RunStatus;

use crate::cost;
use crate::cost::Cost;
use crate::cost::Moment;
use crate::cost::ratio;
use crate::floor::Calls;
use crate::flows::Flows;
use crate::job::Job;
use crate::report::Table;
use crate::stage::Stage;

/// How wide a foreach is, how often it runs in one process, and in how many processes.
const SIZES: [(u32, u32, u32); 5] =
    [(1, 200, 3), (1_000, 20, 3), (10_000, 5, 3), (100_000, 2, 2), (1_000_000, 1, 2)];

/// The size that others are compared to.
const MIDDLE: u32 = 10_000;

/// Measures all sizes: processes of the floor and of wflow by turns, so that a change of the
/// machine's load hits both; the best of each counts.
pub(crate) fn measure(flows: &Flows) -> Result<Table<9>> {
    let mut measured = Vec::new();
    for (width, rounds, processes) in SIZES {
        let floor = Job::Floor(Calls { code: flows.tiny_code.clone(), calls: width, rounds });
        let wide = Job::Tasks(Wide {
            component: flows.tiny.clone(),
            cache: flows.cache.clone(),
            scratch: flows.scratch.clone(),
            width,
            rounds,
        });
        let (mut floors, mut runs) = (Vec::new(), Vec::new());
        for _ in 0..processes {
            floors.push(floor.ask::<Cost>()?);
            runs.push(wide.ask::<Measured>()?);
        }
        let floor = floors.into_iter().reduce(Cost::lower).context("no round")?;
        let run = runs.into_iter().reduce(Measured::lower).context("no round")?;
        measured.push((width, floor, run));
    }
    let middle = measured.iter().find(|(width, ..)| *width == MIDDLE);
    let (_, _, middle) = middle.context("there is nothing to compare to")?;
    let mut table = Table::new([
        "tasks",
        "floor, CPU",
        "task ÷ floor",
        "task ÷ task at 10⁴",
        "cores busy: foreach",
        "join",
        "join, of the time",
        "peak memory",
        "on disk, each",
    ]);
    for (width, floor, run) in &measured {
        table.row([
            power(*width),
            format!("{:.1} µs", floor.cpu.as_secs_f64() * 1e6),
            format!("{:.2}", ratio(run.task.cpu, floor.cpu)),
            format!("{:.2}", ratio(run.task.cpu, middle.task.cpu)),
            format!("{:.2}", run.foreach.cores()),
            format!("{:.2}", run.join.cores()),
            format!("{:.0} %", 100.0 * ratio(run.join.wall, run.task.wall * *width)),
            run.peak.map_or_else(|| "?".to_owned(), |bytes| format!("{} MiB", bytes >> 20)),
            format!("{} bytes", run.disk / u64::from(*width)),
        ]);
    }
    Ok(table)
}

fn power(width: u32) -> String {
    const EXPONENTS: [&str; 7] = ["1", "10", "10²", "10³", "10⁴", "10⁵", "10⁶"];
    let exponent =
        EXPONENTS.get(width.ilog10() as usize).filter(|_| width == 10u32.pow(width.ilog10()));
    exponent.map_or_else(|| width.to_string(), |&text| text.to_owned())
}

/// Runs of a foreach of so many tasks and its join, each into a store of its own.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Wide {
    component: PathBuf,
    cache: PathBuf,
    scratch: PathBuf,
    width: u32,
    /// How many runs; the best counts.
    rounds: u32,
}

/// What a run cost.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// All of it, for each task of the foreach.
    task: Cost,
    /// Until the join begins.
    foreach: Cost,
    /// The join, from its start to its end, with what it waits for.
    join: Cost,
    /// The most memory of the process, in bytes.
    peak: Option<u64>,
    /// Bytes of the store once it is closed.
    disk: u64,
}

impl Measured {
    /// The one whose tasks cost less; the greater memory of both.
    fn lower(self, other: Self) -> Self {
        let peak = self.peak.max(other.peak);
        let best = if other.task.cpu < self.task.cpu { other } else { self };
        Self { peak, ..best }
    }
}

impl Wide {
    /// Runs them.
    pub(crate) fn work(&self) -> Result<Measured> {
        let host =
            Host::new(HostOptions { cache: Some(self.cache.clone()), ..Default::default() })?;
        let flow = host.load(&self.component)?;
        let runs = (0..self.rounds).map(|_| self.run(&flow)).collect::<Result<Vec<_>>>()?;
        runs.into_iter().reduce(Measured::lower).context("no round")
    }

    fn run(&self, flow: &Flow) -> Result<Measured> {
        let folder = tempfile::tempdir_in(&self.scratch)?;
        let path = folder.path().join("store");
        let store = Store::create_or_open(&path)?;
        let join = Arc::new(Stage::of("join"));
        let options = options(self.width).observer(Arc::clone(&join) as _);
        let start = Moment::now();
        let report = flow.run(&store, options).context("running the flow")?;
        let all = start.elapsed();
        ensure!(report.status == RunStatus::Done, "the run did not finish");
        drop(store);
        let (begun, ended) = join.moments()?;
        Ok(Measured {
            task: all.each(self.width),
            foreach: start.until(begun),
            join: begun.until(ended),
            peak: cost::peak_memory(),
            disk: cost::disk(&path)?,
        })
    }
}

/// How a foreach of so many tasks is run.
pub(crate) fn options(width: u32) -> RunOptions {
    RunOptions::new().max_num_splits(width).parameter("width", width.to_string())
}
