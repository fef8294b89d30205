//! `wflow build`.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::anyhow;
use wflow::FlowError;
use wflow::Host;
use wflow::HostOptions;
use wflow_build::BuildError;
use wflow_build::Toolchain;

use crate::args::BuildArgs;
use crate::error::CliError;
use crate::error::Result;
use crate::flows;
use crate::output::BAD;
use crate::output::Output;

pub(crate) fn run(args: &BuildArgs, output: &mut Output) -> Result {
    let cache = flows::cache().ok_or_else(|| {
        CliError::usage(anyhow!("there is no folder for caches: set WFLOW_CACHE or HOME"))
    })?;
    let toolchain = Toolchain::find(&cache)?;
    output.talk(&format!("Building with {toolchain}"));
    let built = wflow_build::build(&args.dir, &toolchain).map_err(|error| match error {
        BuildError::NoCrate(_) => CliError::usage(error),
        _ => CliError::failed(error),
    })?;
    let host = Host::new(HostOptions { slots: 1, cache: Some(cache), ..HostOptions::default() })?;
    // What cannot be loaded is no flow; one that breaks rules can be looked at with `check`.
    let problems = match host.load_bytes(&args.dir, &built.component) {
        Ok(_) => None,
        Err(error @ FlowError::Invalid { .. }) => Some(error),
        Err(error) => return Err(CliError::failed(error)),
    };
    let path = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{}.wasm", built.name)));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder '{}'", folder.display()))?;
    }
    fs::write(&path, &built.component)
        .with_context(|| format!("cannot write '{}'", path.display()))?;
    output.talk(&format!("Wrote {} ({} KiB)", path.display(), built.component.len() >> 10));
    if let Some(problems) = problems {
        output.talk(&format!("{BAD}It cannot be run{BAD:#}: {problems}"));
    }
    Ok(())
}
