//! `make bench`: what a task of wflow costs, as a ratio to the bare floor measured in the same
//! run. Times of this machine say little elsewhere; ratios do.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

mod floor;

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use cpu_time::ProcessTime;
use wflow::Flow;
use wflow::Host;
use wflow::HostOptions;
use wflow::RunOptions;
use wflow::Store;
use wflow::model::record::RunStatus;
use wflow_build::Toolchain;

use crate::floor::Bare;
use crate::floor::Cost;

/// How many tasks a run has, and the floor calls.
const WIDTHS: [u32; 3] = [100, 1_000, 10_000];

/// Rounds of both, one after the other, so that a change of the machine's load hits both; the
/// best of each is taken.
const ROUNDS: u32 = 5;

fn main() -> Result<()> {
    let cache = Path::new("target/bench");
    let toolchain = Toolchain::find(cache)?;
    let built = wflow_build::build(Path::new("bench/tiny"), &toolchain)?;
    let bare = Bare::new(&built.component).map_err(engine)?;
    let host = Host::new(HostOptions::default())?;
    let flow = host.load_bytes("tiny.wasm", &built.component)?;

    println!("| tasks | floor, CPU us | task, CPU us | CPU ratio | cores busy |");
    println!("|------:|--------------:|-------------:|----------:|-----------:|");
    for width in WIDTHS {
        let (mut floor, mut task) = (Cost::MAX, Cost::MAX);
        for _ in 0..ROUNDS {
            floor = floor.lower(bare.measure(width).map_err(engine)?);
            task = task.lower(run(&flow, width)?);
        }
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        println!(
            "| {width} | {:.1} | {:.1} | {:.2} | {:.2} |",
            micros(floor.cpu),
            micros(task.cpu),
            task.cpu.as_secs_f64() / floor.cpu.as_secs_f64(),
            task.cpu.as_secs_f64() / task.wall.as_secs_f64(),
        );
    }
    println!(
        "\nA task reads two artifacts, sets two and is committed; the floor is the same component\n\
         under the same engine settings, instantiated and called in a loop on one thread, with a\n\
         host that keeps nothing. CPU is of all threads, the start and the end of the run included."
    );
    Ok(())
}

/// The engine has an error type of its own.
#[expect(clippy::needless_pass_by_value, reason = "it is the error of a result")]
fn engine(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

/// A run of so many tasks into a store of its own: what each cost.
fn run(flow: &Flow, width: u32) -> Result<Cost> {
    let folder = tempfile::tempdir_in("target")?;
    let store = Store::create_or_open(&folder.path().join("store"))?;
    let options = RunOptions::new().max_num_splits(width).parameter("width", width.to_string());
    let (wall, cpu) = (Instant::now(), ProcessTime::now());
    let report = flow.run(&store, options).context("running the flow")?;
    let cost = Cost { cpu: cpu.elapsed() / width, wall: wall.elapsed() / width };
    ensure!(report.status == RunStatus::Done, "the run did not finish");
    Ok(cost)
}
