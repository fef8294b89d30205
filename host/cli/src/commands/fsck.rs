//! `wflow fsck`.

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;
use wflow::client;
use wflow::client::Checked;
use wflow::client::Subject;

use crate::args::Common;
use crate::args::FsckArgs;
use crate::error::FAILED;
use crate::error::Result;
use crate::flows;
use crate::format;
use crate::output::BAD;
use crate::output::DIM;
use crate::output::GOOD;
use crate::output::Output;
use crate::progress::ProgressLine;

pub(crate) fn run(common: &Common, args: &FsckArgs, output: &mut Output) -> Result<ExitCode> {
    let path = flows::store_path(common)?;
    let line = ProgressLine::new();
    let checked = client::check(&path, &mut |progress| line.tell(progress))?;
    drop(line);
    if args.json {
        json(&checked, output)?;
    } else {
        text(&checked, output)?;
    }
    Ok(if checked.report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn json(checked: &Checked, output: &mut Output) -> Result {
    let report = &checked.report;
    let faults: Vec<_> = checked
        .faults
        .iter()
        .map(|fault| {
            json!({
                "subject": fault.subject,
                "why": fault.why,
                "referrers": fault.referrers,
                "referrers_in_all": fault.referrers_in_all,
            })
        })
        .collect();
    output.json(&json!({
        "clean": report.is_clean(),
        "faults": faults,
        "more_faults": report.more_faults,
        "runs": report.runs,
        "tasks": report.tasks,
        "inline_artifacts": report.inline,
        "blobs": report.blobs,
        "bytes": report.bytes,
        "remains": report.remains,
        "unreferenced": report.unreferenced,
        "leftovers": report.leftovers,
    }))?;
    Ok(())
}

fn text(checked: &Checked, output: &mut Output) -> Result {
    for fault in &checked.faults {
        writeln!(output.data(), "{BAD}{}{BAD:#} {}", fault.subject, fault.why)?;
        for referrer in &fault.referrers {
            writeln!(output.data(), "    {referrer}")?;
        }
        let more = fault.referrers_in_all - fault.referrers.len() as u64;
        if more > 0 {
            writeln!(output.data(), "    and {more} more")?;
        }
    }
    let report = &checked.report;
    if report.more_faults > 0 {
        writeln!(output.data(), "and {}", format::count(report.more_faults, "more fault"))?;
    }
    let looked_at = format!(
        "{}, {}, {} and {} of {}",
        format::count(report.runs, "run"),
        format::count(report.tasks, "task"),
        format::count(report.inline, "small artifact"),
        format::count(report.blobs, "blob"),
        format::bytes(report.bytes),
    );
    if report.is_clean() {
        output.talk(&format!("{GOOD}The store is in order{GOOD:#}: {looked_at}."));
    } else {
        let faults = format::count(report.faults.len() as u64 + report.more_faults, "fault");
        output.talk(&format!("{BAD}{faults}{BAD:#} in {looked_at}."));
        let catalog = report.faults.iter().any(|fault| fault.subject == Subject::Catalog);
        output.talk(if catalog {
            "Restore catalog.sqlite from a copy; the blobs beside it are not harmed by this."
        } else {
            "A blob is repaired by its file from a copy; what cannot be repaired goes with its \
             run, by `wflow rm`."
        });
    }
    let left = [
        (report.remains, "half removed run"),
        (report.unreferenced, "unused blob"),
        (report.leftovers, "stray file"),
    ];
    let left: Vec<String> = left
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, thing)| format::count(number, thing))
        .collect();
    if !left.is_empty() {
        output.talk(&format!("{DIM}`wflow gc` removes {}.{DIM:#}", left.join(", ")));
    }
    Ok(())
}
