//! How long `wflow run` takes to come to its first step, when flow and machine are warm, against
//! a bare program that maps the same compiled component and calls it once.

use std::env;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::SystemTime;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use serde::Deserialize;
use serde::Serialize;
use wasmtime::component::Linker;
use wflow::Store;
use wflow::client;

use crate::cost::ratio;
use crate::floor;
use crate::flows::Flows;
use crate::job::Job;
use crate::report::Table;

/// Starts of each, by turns; the medians count.
const ROUNDS: usize = 31;

/// Measures both, from before the process is started until the call into the component returned.
pub(crate) fn measure(flows: &Flows) -> Result<Table<3>> {
    let folder = tempfile::tempdir_in(&flows.scratch)?;
    let store = folder.path().join("store");
    let bare = Job::Start(Start { code: flows.tiny_code.clone() });
    // Once unmeasured: code is compiled, the store is made, files are in memory.
    start_wflow(flows, &store)?;
    let (mut bares, mut wflows) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = SystemTime::now();
        bares.push(bare.ask::<SystemTime>()?.duration_since(start)?);
        wflows.push(start_wflow(flows, &store)?);
    }
    let (first, whole): (Vec<_>, Vec<_>) = wflows.into_iter().unzip();
    let (bare, first, whole) = (median(bares), median(first), median(whole));
    let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    let mut table = Table::new(["", "time", "÷ bare program"]);
    table.row(["bare program: map the code, call it".to_owned(), millis(bare), "1".to_owned()]);
    for (title, time) in [
        ("`wflow run`: until its first task has returned", first),
        ("`wflow run`: all of it, four tasks on disk", whole),
    ] {
        table.row([title.to_owned(), millis(time), format!("{:.2}", ratio(time, bare))]);
    }
    Ok(table)
}

/// Runs a small flow by the command: how long until its first task had returned, by that task's
/// record, and until the command had.
fn start_wflow(flows: &Flows, store: &Path) -> Result<(Duration, Duration)> {
    let mut command = wflow(flows)?;
    command.arg(&flows.tiny).args(["--width", "1", "--store"]).arg(store).stdout(Stdio::null());
    let start = SystemTime::now();
    let status = command.status()?;
    let whole = start.elapsed()?;
    ensure!(status.success(), "wflow run: {status}");
    let store = Store::open(store)?;
    let run = client::run_by_id(&store, store.latest(None)?.context("there is no run")?)?;
    let first = run.step("start")?.task("1")?.record.finished;
    let first = Duration::from_micros(first.0.try_into()?);
    Ok((first.saturating_sub(start.duration_since(SystemTime::UNIX_EPOCH)?), whole))
}

/// `wflow run`, with the compiled code of the benchmarks.
pub(crate) fn wflow(flows: &Flows) -> Result<Command> {
    let mut command = Command::new(env::current_exe()?.with_file_name("wflow"));
    command.env("WFLOW_CACHE", &flows.cache).arg("run");
    Ok(command)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The start of a program that has nothing but the engine and compiled code.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    code: PathBuf,
}

impl Start {
    /// Maps the code and calls it once; when the call had returned.
    pub(crate) fn work(&self) -> Result<SystemTime> {
        self.call().map_err(floor::engine_error)
    }

    fn call(&self) -> wasmtime::Result<SystemTime> {
        let (engine, component) = floor::load(&self.code)?;
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&component)?;
        let mut store = wasmtime::Store::new(&engine, ());
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = linker.instantiate(&mut store, &component)?;
        // The one export that needs no import.
        let describe = instance.get_typed_func::<(), (String,)>(&mut store, "describe")?;
        describe.call(&mut store, ())?;
        Ok(SystemTime::now())
    }
}
