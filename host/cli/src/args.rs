//! The command line, except the parameters of a flow, which are known once it is loaded.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use clap::Parser;
use clap::Subcommand;
use wflow::model::Grant;
use wflow::model::Name;
use wflow::model::Tag;

use crate::quantity;

/// Runs data workflows that are WebAssembly components: sandboxed, reproducible, and every
/// result kept.
#[derive(Debug, Parser)]
#[command(name = "wflow", version, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// The folder that keeps the runs [default: .wflow here or in the nearest folder above]
    #[arg(long, global = true, env = "WFLOW_STORE", value_name = "DIR", hide_env_values = true)]
    pub(crate) store: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a flow without running it, and tell everything that is wrong with it
    Check(FlowArgs),
    /// Show the steps of a flow and how they follow each other
    Show(ShowArgs),
    /// Run a flow
    #[command(
        disable_help_flag = true,
        override_usage = "wflow run [OPTIONS] FLOW [PARAMETERS AND OPTIONS]"
    )]
    Run {
        /// All words behind `run`; see `wflow run --help` and `wflow run FLOW --help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
        words: Vec<OsString>,
    },
    /// Go on where a run has stopped, and reuse what has finished
    #[command(disable_help_flag = true, override_usage = "wflow resume [OPTIONS] FLOW [STEP]")]
    Resume {
        /// All words behind `resume`; see `wflow resume --help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
        words: Vec<OsString>,
    },
    /// Print what tasks wrote to standard output and standard error
    Logs(LogsArgs),
    /// Print the artifacts of tasks
    Dump(DumpArgs),
    /// List flows, runs, steps, tasks or artifacts
    List(ListArgs),
    /// Execute the tasks of a run again, and tell whether they leave the same
    Verify(VerifyArgs),
    /// Tell what the outcome of a task follows from, and why it was reused or was not
    Explain(ExplainArgs),
    /// Print how a run came about, as one JSON statement in the form of in-toto
    Attest(AttestArgs),
    /// Check every record and every blob in the store, and tell what refers to what is damaged
    Fsck(FsckArgs),
    /// Remove runs that are not needed any more, and whatever no run refers to
    Gc(GcArgs),
    /// Remove runs, and whatever only they refer to
    Rm(RmArgs),
    /// Build the flow in a folder into a component
    Build(BuildArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FlowArgs {
    /// The flow, a WebAssembly component
    #[arg(value_name = "FLOW")]
    pub(crate) flow: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) flow: FlowArgs,
    /// Print the graph for Graphviz
    #[arg(long, conflicts_with_all = ["json", "mermaid"])]
    pub(crate) dot: bool,
    /// Print the graph for Mermaid
    #[arg(long, conflicts_with = "json")]
    pub(crate) mermaid: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The tasks: [FLOW/]RUN/STEP[/TASK], where RUN may be `latest`
    #[arg(value_name = "PATHSPEC")]
    pub(crate) pathspec: String,
    /// Print standard output alone
    #[arg(long, conflicts_with = "stderr")]
    pub(crate) stdout: bool,
    /// Print standard error alone
    #[arg(long)]
    pub(crate) stderr: bool,
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// Print JSON, one line for each task
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DumpArgs {
    /// The tasks: [FLOW/]RUN/STEP[/TASK[/ARTIFACT]], where RUN may be `latest`
    #[arg(value_name = "PATHSPEC")]
    pub(crate) pathspec: String,
    /// Print these artifacts alone
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) include: Vec<String>,
    /// Print values of at most this many bytes
    #[arg(long, default_value_t = 1000, value_name = "BYTES")]
    pub(crate) max_value_size: u64,
    /// Write the bytes of the one artifact that is named to a file, as they are
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["json", "include"])]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// Print JSON, one line for each task
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// What to list the contents of: [FLOW/]RUN[/STEP[/TASK]] or FLOW; all flows if left out
    #[arg(value_name = "PATHSPEC")]
    pub(crate) pathspec: Option<String>,
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// Print JSON, one line for each entry
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The run: [FLOW/]RUN, where RUN may be `latest`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// The component that it ran [default: the one that the store keeps with the run]
    #[arg(value_name = "FLOW")]
    pub(crate) flow: Option<PathBuf>,
    /// Verify so many of its tasks, chosen by chance: 5%
    #[arg(long, value_name = "PERCENT", value_parser = quantity::percent)]
    pub(crate) sample: Option<f64>,
    /// Execute at most this many tasks at once [default: the number of cores]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(crate) max_workers: Option<u16>,
    /// Grant again what the run was granted: as behind `--allow` of `wflow run`. The clock, random
    /// numbers and variables with a value on record are granted by themselves
    #[arg(long = "allow", value_name = "GRANT", value_parser = Grant::from_str)]
    pub(crate) allow: Vec<Grant>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The task: [FLOW/]RUN/STEP/TASK, where RUN may be `latest`
    #[arg(value_name = "TASK")]
    pub(crate) task: String,
    /// The task to compare it with [default: the same one in the latest run before]
    #[arg(value_name = "OTHER")]
    pub(crate) other: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AttestArgs {
    /// The run: [FLOW/]RUN, where RUN may be `latest`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
}

#[derive(Debug, Args)]
pub(crate) struct FsckArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Without any of the criteria no run is removed, only what is left over from earlier ones. With
/// several of them, runs that meet all.
#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// Remove runs that began longer ago than this: 30d, 12h
    #[arg(long, value_name = "TIME", value_parser = quantity::time)]
    pub(crate) older_than: Option<Duration>,
    /// Remove runs other than so many newest ones of each flow
    #[arg(long, value_name = "COUNT")]
    pub(crate) keep: Option<u64>,
    /// Remove runs with this tag; given many times, with any of them
    #[arg(long = "tag", value_name = "TAG", value_parser = Tag::new)]
    pub(crate) tags: Vec<Tag>,
    /// Remove this run: [FLOW/]RUN; may be given many times
    #[arg(long = "run", value_name = "RUN")]
    pub(crate) runs: Vec<String>,
    /// Remove runs of this flow
    #[arg(long, value_name = "FLOW", value_parser = Name::new)]
    pub(crate) flow: Option<Name>,
    /// Remove nothing, and tell what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// The runs: [FLOW/]RUN
    #[arg(value_name = "RUN", required = true)]
    pub(crate) runs: Vec<String>,
    /// Remove nothing, and tell what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which part of a long answer is wanted.
#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// Stop after this many [default: 1000 of a list, else all]
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<usize>,
    /// Begin behind this one: the id of a task, or in a list of runs that of a run
    #[arg(long, value_name = "ID")]
    pub(crate) after: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// The folder of the flow: a Rust crate
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The component to write [default: the name of the crate in the current folder]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}
