//! `make bench`: what wflow costs, as ratios within one run of this program, written into
//! `BENCHMARKS.md`. Times of one machine say little elsewhere; ratios do.

mod artifact;
mod cost;
mod floor;
mod flows;
mod job;
mod machine;
mod metaflow;
mod report;
mod resume;
mod stage;
mod tasks;
mod warm;

use std::path::Path;

use anyhow::Result;
use clap::Parser;
use clap::ValueEnum;

use crate::flows::Flows;
use crate::report::Report;

/// Measures what wflow costs, and writes it into the tables of BENCHMARKS.md.
#[derive(Parser)]
struct Cli {
    /// What to measure; all of it if left out
    #[arg(value_enum, value_name = "MEASUREMENT")]
    only: Vec<Measurement>,
    /// Also measure an artifact of 5 GiB
    #[arg(long)]
    huge: bool,
    /// What this process measures for the one that started it
    #[arg(long, hide = true, value_name = "JSON")]
    job: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measurement {
    Tasks,
    Artifact,
    Warm,
    Resume,
    Metaflow,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if let Some(job) = &cli.job {
        return job::work(job);
    }
    let mut report = Report::open(Path::new("BENCHMARKS.md"))?;
    report.put("machine", &machine::describe())?;
    let flows = Flows::build(Path::new("target/bench"))?;
    let wanted = |measurement: &&Measurement| cli.only.is_empty() || cli.only.contains(measurement);
    for measurement in Measurement::value_variants().iter().filter(wanted) {
        match measurement {
            Measurement::Tasks => report.put("tasks", &tasks::measure(&flows)?),
            Measurement::Artifact => report.put("artifact", &artifact::measure(&flows, cli.huge)?),
            Measurement::Warm => report.put("warm", &warm::measure(&flows)?),
            Measurement::Resume => report.put("resume", &resume::measure(&flows)?),
            Measurement::Metaflow => report.put("metaflow", &metaflow::measure(&flows)?),
        }?;
    }
    Ok(())
}
