//! What it costs to take over the tasks of an earlier run, against running them.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use serde::Deserialize;
use serde::Serialize;
use wflow::Host;
use wflow::HostOptions;
use wflow::Resume;
use wflow::RunError;
use wflow::RunOptions;
use wflow::RunReport;
use wflow::Store;
use wflow::model::record::RunStatus;

use crate::cost;
use crate::cost::Cost;
use crate::cost::Moment;
use crate::cost::ratio;
use crate::flows::Flows;
use crate::job::Job;
use crate::report::Table;
use crate::stage::Stage;
use crate::tasks;

/// How wide the foreach is.
const WIDTH: u32 = 100_000;

/// Processes, each with a run and its resume; the best of each counts.
const ROUNDS: u32 = 3;

/// Measures a run, and its resume from the join on, which reuses every task of the foreach.
pub(crate) fn measure(flows: &Flows) -> Result<Table<5>> {
    let (component, cache) = (flows.tiny.clone(), flows.cache.clone());
    let job = Job::Resume(Resumed { component, cache, scratch: flows.scratch.clone() });
    let mut best = job.ask::<Measured>()?;
    for _ in 1..ROUNDS {
        let Measured { run, resume } = job.ask()?;
        best = Measured { run: best.run.lower(run), resume: best.resume.lower(resume) };
    }
    let mut table = Table::new(["10⁵ tasks", "CPU, each", "÷ run", "time ÷ run", "on disk, each"]);
    for (title, part) in [("run", best.run), ("resume", best.resume)] {
        let cpu = part.cost.cpu / WIDTH;
        table.row([
            title.to_owned(),
            format!("{:.1} µs", cpu.as_secs_f64() * 1e6),
            share(part.cost.cpu, best.run.cost.cpu),
            share(part.cost.wall, best.run.cost.wall),
            format!("{} bytes", part.disk / u64::from(WIDTH)),
        ]);
    }
    Ok(table)
}

fn share(time: Duration, of: Duration) -> String {
    format!("{:.2}", ratio(time, of))
}

/// A run and its resume, in a store of their own.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Resumed {
    component: PathBuf,
    cache: PathBuf,
    scratch: PathBuf,
}

/// What both cost.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    run: Part,
    resume: Part,
}

/// What one of them cost.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Part {
    /// Until the join begins.
    cost: Cost,
    /// By how many bytes the closed store grew.
    disk: u64,
}

impl Part {
    /// The one that cost less.
    fn lower(self, other: Self) -> Self {
        if other.cost.cpu < self.cost.cpu { other } else { self }
    }
}

impl Resumed {
    /// Runs and resumes.
    pub(crate) fn work(&self) -> Result<Measured> {
        let host =
            Host::new(HostOptions { cache: Some(self.cache.clone()), ..Default::default() })?;
        let flow = host.load(&self.component)?;
        let folder = tempfile::tempdir_in(&self.scratch)?;
        let store = folder.path().join("store");
        let again = Resume { step: Some("join".to_owned()), ..Resume::default() };
        let run = part(&store, tasks::options(WIDTH), |store, options| flow.run(store, options))?;
        let resume = part(&store, RunOptions::new().max_num_splits(WIDTH), |store, options| {
            flow.resume(store, &again, options)
        })?;
        Ok(Measured { run, resume: Part { disk: resume.disk - run.disk, ..resume } })
    }
}

/// Runs, or resumes, and measures it.
fn part(
    path: &Path,
    options: RunOptions,
    go: impl FnOnce(&Store, RunOptions) -> Result<RunReport, RunError>,
) -> Result<Part> {
    let store = Store::create_or_open(path)?;
    let join = Arc::new(Stage::of("join"));
    let start = Moment::now();
    let report =
        go(&store, options.observer(Arc::clone(&join) as _)).context("running the flow")?;
    ensure!(report.status == RunStatus::Done, "the run did not finish");
    drop(store);
    let (begun, _) = join.moments()?;
    Ok(Part { cost: start.until(begun), disk: cost::disk(path)? })
}
