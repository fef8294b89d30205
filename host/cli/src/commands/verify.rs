//! `wflow verify`.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use serde_json::Value as Json;
use serde_json::json;
use wflow::CancelToken;
use wflow::Finding;
use wflow::Found;
use wflow::HostOptions;
use wflow::Verify;
use wflow::VerifyError;
use wflow::VerifyReport;
use wflow::client;
use wflow::model::Grants;
use wflow::model::record::Impurity;

use super::execution::interruptible;
use crate::args::Common;
use crate::args::VerifyArgs;
use crate::error::CliError;
use crate::error::FAILED;
use crate::error::Result;
use crate::flows;
use crate::format;
use crate::output::BAD;
use crate::output::DIM;
use crate::output::GOOD;
use crate::output::Output;
use crate::progress::ProgressLine;

/// So many findings are told one by one; JSON has more.
const SHOWN: usize = 20;

pub(crate) fn run(common: &Common, args: &VerifyArgs, output: &mut Output) -> Result<ExitCode> {
    let store = flows::open_store(common)?;
    let run = client::run(&store, &flows::pathspec(&args.run)?)?.id();
    let mut verify = Verify {
        share: args.sample.unwrap_or(1.0),
        grants: Grants::new(args.allow.iter().cloned()).map_err(CliError::usage)?,
        cancel: CancelToken::new(),
        ..Verify::default()
    };
    if let Some(workers) = args.max_workers {
        verify.max_workers = workers.into();
    }
    let slots = verify.max_workers.max(HostOptions::default().slots);
    let flow = flows::load_again(&store, run, args.flow.as_deref(), slots)?;
    let line = ProgressLine::new();
    let cancel = verify.cancel.clone();
    let verified = interruptible(&cancel, move || {
        flow.verify(&store, run, &verify, &|progress| line.tell(progress))
    })?;
    let report = verified.map_err(|error| match error {
        VerifyError::Cancelled => CliError::interrupted(error),
        VerifyError::OtherCode { .. } | VerifyError::NoCode(_) | VerifyError::Access(_) => {
            CliError::usage(error)
        }
        error => CliError::failed(error),
    })?;
    if args.json {
        output.json(&as_json(&report))?;
    } else {
        text(&report, output)?;
    }
    Ok(if report.is_reproduced() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn text(report: &VerifyReport, output: &mut Output) -> Result {
    for finding in report.findings.iter().take(SHOWN) {
        tell(finding, output)?;
    }
    let more = report.more_findings + report.findings.len().saturating_sub(SHOWN) as u64;
    if more > 0 {
        writeln!(output.data(), "and {} (--json has more)", format::count(more, "more task"))?;
    }
    let unreached = report.chosen - report.reached;
    if unreached > 0 {
        writeln!(
            output.data(),
            "{BAD}{} could not be reached{BAD:#}: what the store has of tasks before them is \
             incomplete (try `wflow fsck`)",
            format::count(unreached, "task")
        )?;
    }
    let (run, flow) = (report.run, &report.record.flow);
    let of = match report.chosen == report.tasks {
        true => format!("all {}", format::count(report.tasks, "task")),
        false => format!("{} of {}", report.chosen, format::count(report.tasks, "task")),
    };
    if report.is_reproduced() {
        let verb = if report.chosen == 1 { "leaves" } else { "leave" };
        writeln!(
            output.data(),
            "{GOOD}Run {run} of {flow} is reproduced{GOOD:#}: {of} {verb} the same"
        )?;
    } else {
        let imports = imports(report);
        writeln!(
            output.data(),
            "{BAD}Run {run} of {flow} is not reproduced{BAD:#}: of {of}, {} reproduced for certain{}",
            if report.same == 1 { "1 is".to_owned() } else { format!("{} are", report.same) },
            if imports.is_empty() {
                String::new()
            } else {
                format!("; the outside was let in through {}", imports.join(", "))
            }
        )?;
    }
    let letting_in: Vec<String> =
        report.record.grants.letting_in().map(ToString::to_string).collect();
    if !letting_in.is_empty() {
        writeln!(
            output.data(),
            "The run was granted {}, so it is not reproducible as a whole",
            letting_in.join(", ")
        )?;
    }
    Ok(())
}

/// The imports through which the outside came in, in any task that there is something to say of.
fn imports(report: &VerifyReport) -> Vec<String> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for impurity in report.findings.iter().flat_map(|finding| &finding.impure) {
        if let Impurity::Outside(import) = impurity {
            *counts.entry(import).or_default() += 1;
        }
    }
    let told = |(import, count)| format!("`{import}` ({})", format::count(count, "task"));
    counts.into_iter().map(told).collect()
}

fn tell(finding: &Finding, output: &mut Output) -> Result {
    let task = format!("{}/{}", finding.step, finding.task);
    let out = output.data();
    match &finding.found {
        Found::Differs(differences) => {
            writeln!(out, "{BAD}{task}{BAD:#} differs")?;
            for difference in differences {
                let digest = |digest: &Option<wflow::model::Digest>| match digest {
                    Some(digest) => digest.to_string()[..16].to_owned(),
                    None => "not there".to_owned(),
                };
                let what = format::harmless(&difference.what);
                match (&difference.recorded, &difference.now) {
                    (None, None) => writeln!(out, "    {what}")?,
                    (recorded, now) => writeln!(
                        out,
                        "    {what}: it was {}, and now is {}",
                        digest(recorded),
                        digest(now)
                    )?,
                }
            }
            if finding.impure.is_empty() {
                writeln!(
                    out,
                    "    {DIM}nothing was let in that could explain it: an input, the record or \
                     the engine is not what it was (try `wflow fsck`){DIM:#}"
                )?;
            }
        }
        Found::Outside => writeln!(out, "{BAD}{task}{BAD:#} left the same, by chance perhaps")?,
        Found::NeedsGrants(grants) => {
            let flags: Vec<String> = grants
                .iter()
                .map(|grant| format!("--allow {}", format::shell_word(&grant.to_string())))
                .collect();
            writeln!(
                out,
                "{BAD}{task}{BAD:#} was not executed: it may have used what is not granted again; to do so, \
                 add {}",
                flags.join(" ")
            )?;
        }
        Found::OtherRun(run) => writeln!(
            out,
            "{BAD}{task}{BAD:#} was not executed: it was taken over from run {run}, which had another \
             component, other grants or another engine; verify that one"
        )?,
        Found::Accident => writeln!(
            out,
            "{BAD}{task}{BAD:#} was not executed: it had run out of time, or the host had failed"
        )?,
    }
    for impurity in &finding.impure {
        writeln!(out, "    {impurity}")?;
    }
    Ok(())
}

fn as_json(report: &VerifyReport) -> Json {
    let finding = |finding: &Finding| {
        let (found, detail) = match &finding.found {
            Found::Differs(differences) => {
                let differences: Vec<Json> = differences
                    .iter()
                    .map(|d| {
                        json!({"what": d.what, "recorded": d.recorded.map(|d| d.to_string()),
                        "now": d.now.map(|d| d.to_string())})
                    })
                    .collect();
                ("differs", json!(differences))
            }
            Found::Outside => ("same by chance", Json::Null),
            Found::NeedsGrants(grants) => {
                let grants: Vec<String> = grants.iter().map(ToString::to_string).collect();
                ("needs grants", json!(grants))
            }
            Found::OtherRun(run) => ("other run", json!(run.to_string())),
            Found::Accident => ("accident", Json::Null),
        };
        let imports: Vec<&str> = finding.impure.iter().filter_map(import).collect();
        json!({
            "step": finding.step,
            "task": finding.task.to_string(),
            "found": found,
            "detail": detail,
            "imports": imports,
        })
    };
    let grants: Vec<String> = report.record.grants.letting_in().map(ToString::to_string).collect();
    json!({
        "flow": report.record.flow,
        "run": report.run.to_string(),
        "reproduced": report.is_reproduced(),
        "reproducible": report.record.is_reproducible(),
        "grants": grants,
        "tasks": report.tasks,
        "verified": report.chosen,
        "reached": report.reached,
        "same": report.same,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "more_findings": report.more_findings,
    })
}

fn import(impurity: &Impurity) -> Option<&str> {
    match impurity {
        Impurity::Outside(import) => Some(import),
        _ => None,
    }
}
