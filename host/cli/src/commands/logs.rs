//! `wflow logs`.

use std::io::Write;

use serde_json::json;

use crate::args::Common;
use crate::args::LogsArgs;
use crate::error::Result;
use crate::flows;
use crate::output::DIM;
use crate::output::Output;

pub(crate) fn run(common: &Common, args: &LogsArgs, output: &mut Output) -> Result {
    let spec = flows::pathspec(&args.pathspec)?;
    let store = flows::open_store(common)?;
    for task in flows::tasks(&store, &spec, &args.page)? {
        let task = task?;
        let (stdout, stderr) = (task.log(&task.record.stdout)?, task.log(&task.record.stderr)?);
        let failure = task.record.failure();
        if args.json {
            output.json(&json!({
                "task": task.pathspec(),
                "stdout": stdout,
                "stderr": stderr,
                "dropped": task.record.stdout.dropped + task.record.stderr.dropped,
                "failure": failure.map(|failure| json!(failure)),
            }))?;
            continue;
        }
        let silent = stdout.is_empty() && stderr.is_empty() && failure.is_none();
        if spec.task.is_some() || !silent {
            output.talk(&format!("{DIM}Logs of {}{DIM:#}", task.pathspec()));
        }
        for (text, log, wanted) in [
            (&stdout, &task.record.stdout, !args.stderr),
            (&stderr, &task.record.stderr, !args.stdout),
        ] {
            if !wanted {
                continue;
            }
            output.guest(text)?;
            if !text.is_empty() && !text.ends_with('\n') {
                writeln!(output.data())?;
            }
            if log.dropped > 0 {
                output.talk(&format!(
                    "{DIM}and {} more bytes, past the limit of --max-log-size{DIM:#}",
                    log.dropped
                ));
            }
        }
        if let Some(failure) = failure.filter(|_| !args.stdout) {
            writeln!(output.data(), "{}", crate::console::failure_text(failure))?;
        }
    }
    Ok(())
}
