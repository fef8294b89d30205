//! Loading flows and opening stores, as the command line says.

use std::env;
use std::iter::Take;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::anyhow;
use wflow::Flow;
use wflow::FlowError;
use wflow::Host;
use wflow::HostOptions;
use wflow::Store;
use wflow::client;
use wflow::client::Tasks;
use wflow::model::name::excerpt;
use wflow::model::name::nearest;
use wflow::model::pathspec::InvalidPathspec;
use wflow::model::pathspec::Pathspec;
use wflow::model::record::RunId;

use crate::args::Common;
use crate::args::PageArgs;
use crate::error::CliError;
use crate::error::Result;

/// Loads a flow for a host that is set up so, and uses the cache of compiled flows.
pub(crate) fn load(path: &Path, options: &HostOptions) -> Result<Flow> {
    let host = Host::new(HostOptions { cache: cache(), ..options.clone() })?;
    host.load(path).map_err(|error| unloaded(path, error))
}

/// What to say of a flow that cannot be loaded.
pub(crate) fn unloaded(path: &Path, error: FlowError) -> CliError {
    match error {
        FlowError::Read { .. } if path.is_dir() => CliError::usage(anyhow!(
            "'{0}' is a folder: make a flow of it with `wflow build {0}`",
            path.display()
        )),
        FlowError::Read { .. } => CliError::usage(error),
        _ => CliError::failed(error),
    }
}

/// Where compiled flows are kept: `WFLOW_CACHE`, or the user's folder for such things.
pub(crate) fn cache() -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    env::var_os("WFLOW_CACHE").map(PathBuf::from).or_else(|| {
        let folder = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(absolute);
        Some(folder.or_else(|| Some(env::home_dir()?.join(".cache")))?.join("wflow"))
    })
}

/// Loads the flow of a run, from a file or from what the store keeps.
pub(crate) fn load_again(
    store: &Store,
    run: RunId,
    file: Option<&Path>,
    workers: usize,
) -> Result<Flow> {
    let limits = client::run_by_id(store, run)?.limits();
    let options = HostOptions { slots: workers, cache: cache(), ..HostOptions::default() };
    let options = options.fit(&limits);
    match file {
        Some(file) => load(file, &options),
        None => {
            let host = Host::new(options)?;
            Ok(host.load_from_run(store, run)?)
        }
    }
}

/// Opens the store to read from it.
pub(crate) fn open_store(common: &Common) -> Result<Store> {
    Ok(Store::open(&store_path(common)?)?)
}

/// The folder of the store to read from.
pub(crate) fn store_path(common: &Common) -> Result<PathBuf> {
    let path = match &common.store {
        Some(path) => path.clone(),
        None => {
            let here = env::current_dir().context("there is no current folder")?;
            Store::discover(&here).ok_or_else(|| {
                CliError::failed(anyhow!(
                    "there is no store (.wflow) in '{}' or above: run a flow first, or name one \
                     with --store",
                    here.display()
                ))
            })?
        }
    };
    Ok(path)
}

/// Opens the store to run a flow, and makes one if there is none.
pub(crate) fn create_store(common: &Common) -> Result<Store> {
    let path = match &common.store {
        Some(path) => path.clone(),
        None => {
            let here = env::current_dir().context("there is no current folder")?;
            Store::discover(&here).unwrap_or_else(|| here.join(Store::FOLDER))
        }
    };
    Ok(Store::create_or_open(&path)?)
}

/// The tasks that a pathspec names, as many as are wanted.
pub(crate) fn tasks(store: &Store, spec: &Pathspec, page: &PageArgs) -> Result<Take<Tasks>> {
    let tasks = match &page.after {
        None => client::tasks(store, spec)?,
        Some(after) => {
            let step = client::step(store, spec)?;
            let after = step.task_id(after)?;
            step.tasks_after(Some(after))
        }
    };
    Ok(tasks.take(page.limit.unwrap_or(usize::MAX)))
}

/// Reads a pathspec. Like one that names nothing, a wrong one is no matter of options.
pub(crate) fn pathspec(text: &str) -> Result<Pathspec> {
    text.parse().map_err(|error: InvalidPathspec| {
        let first = text.split('/').next().unwrap_or_default();
        let hint = match nearest(first, ["latest"]) {
            Some(_) => "; did you mean `latest`?",
            None => "",
        };
        CliError::failed(anyhow!("'{}' is no pathspec: {error}{hint}", excerpt(text)))
    })
}
