//! `wflow rm`.

use std::process::ExitCode;

use wflow::Selection;

use super::gc;
use crate::args::Common;
use crate::args::RmArgs;
use crate::error::FAILED;
use crate::error::Result;
use crate::flows;
use crate::output::Output;

/// All runs are looked for before the first is removed.
pub(crate) fn run(common: &Common, args: &RmArgs, output: &mut Output) -> Result<ExitCode> {
    let specs = args.runs.iter().map(|text| gc::spec(text)).collect::<Result<Vec<_>>>()?;
    let store = flows::open_store(common)?;
    let runs = specs.iter().map(|spec| gc::find(&store, spec)).collect::<Result<_>>()?;
    let selection = Selection { runs, ..Selection::default() };
    let collected = gc::collect(&store, &selection, args.dry_run)?;
    gc::tell(&collected, args.dry_run, args.json, output)?;
    // Those that were asked for and are still there.
    Ok(if collected.spared.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}
