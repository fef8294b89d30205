//! Listing 3.9 of the book, a thousand tasks and their sum: wflow against Metaflow.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Result;
use anyhow::ensure;

use crate::cost::ratio;
use crate::flows::Flows;
use crate::report::Table;
use crate::warm::wflow;

/// Names the Python that has Metaflow, if `python3` has not.
const PYTHON: &str = "METAFLOW_PYTHON";

/// Runs of wflow before Metaflow's, and as many after it; their mean counts, as Metaflow's one run of
/// some minutes is a mean as well.
const ROUNDS: u32 = 10;

/// Runs both, from the start of the command to its end.
pub(crate) fn measure(flows: &Flows) -> Result<Table<3>> {
    let cores = thread::available_parallelism().map_or(1, usize::from).to_string();
    let folder = tempfile::tempdir_in(&flows.scratch)?;
    let store = folder.path().join("store");
    let run = || {
        let mut command = wflow(flows)?;
        command.arg(&flows.wide_foreach).arg("--store").arg(&store);
        time(command.args(["--max-num-splits", "1000", "--max-workers", &cores]))
    };
    // Once unmeasured: the flow is compiled.
    run()?;
    let several = || (0..ROUNDS).map(|_| run()).sum::<Result<Duration>>();
    let before = several()?;
    let theirs = match installed() {
        Some((python, version)) => {
            let flow = fs::canonicalize("bench/flows/wide_foreach.py")?;
            let mut command = Command::new(python);
            command.arg(flow).args(["run", "--max-num-splits", "1000", "--max-workers", &cores]);
            Some((version, time(at_home(&mut command, folder.path()))?))
        }
        None => None,
    };
    let ours = (before + several()?) / (2 * ROUNDS);
    let mut table = Table::new(["listing 3.9", "time", "÷ wflow"]);
    let seconds = |time: Duration| format!("{:.3} s", time.as_secs_f64());
    table.row(["wflow".to_owned(), seconds(ours), "1".to_owned()]);
    match theirs {
        Some((version, theirs)) => {
            let times = format!("{:.0}", ratio(theirs, ours));
            table.row([format!("Metaflow {version}"), seconds(theirs), times]);
        }
        None => table.row(["Metaflow: not installed", "", ""].map(str::to_owned)),
    }
    Ok(table)
}

/// A Python that has Metaflow, and the version of that.
fn installed() -> Option<(OsString, String)> {
    let python = env::var_os(PYTHON).unwrap_or_else(|| "python3".into());
    let script = "import metaflow; print(metaflow.__version__)";
    let output = Command::new(&python).args(["-c", script]).stderr(Stdio::null()).output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    output.status.success().then_some((python, version))
}

/// Metaflow keeps everything in this folder, and asks nobody who the user is.
fn at_home<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    command
        .current_dir(folder)
        .env("HOME", folder)
        .env("METAFLOW_HOME", folder)
        .env("METAFLOW_DATASTORE_SYSROOT_LOCAL", folder)
        .env("USERNAME", "bench")
}

/// How long a command takes that succeeds.
fn time(command: &mut Command) -> Result<Duration> {
    let start = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let time = start.elapsed();
    ensure!(status.success(), "{command:?}: {status}");
    Ok(time)
}
