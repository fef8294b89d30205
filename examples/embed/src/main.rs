//! Runs a flow from a program of one's own: `embed FLOW`. Prints what the step `end` left.
#![expect(clippy::print_stdout, reason = "this is the program's output; wflow prints nothing")]

use wflow::{Host, HostOptions, RunOptions, Store, client};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: embed FLOW")?;
    let flow = Host::new(HostOptions::default())?.load(path)?;
    let store = Store::create_or_open(Store::FOLDER.as_ref())?;
    let report = flow.run(&store, RunOptions::new().max_num_splits(10_000))?;
    if let Some(failed) = report.failed {
        return Err(failed.to_string().into());
    }
    for task in client::run_by_id(&store, report.run)?.step("end")?.tasks() {
        let task = task?;
        for (name, artifact) in task.artifacts()? {
            let value = client::to_json(&artifact.format, &task.bytes(&artifact)?);
            println!("{name} = {}", value.unwrap_or_default());
        }
    }
    Ok(())
}
