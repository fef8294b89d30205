//! Loading flows.

use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wflow_model::Digest;
use wflow_model::Grants;
use wflow_model::graph::Graph;
use wflow_model::record::RunId;
use wflow_sandbox::Access;
use wflow_sandbox::Component;
use wflow_sandbox::Limits;
use wflow_sandbox::Sandbox;
use wflow_sandbox::SandboxOptions;
use wflow_store::Store;
use wflow_store::StoreError;

use crate::bind;
use crate::bind::Arguments;
use crate::bind::ParameterError;
use crate::error::FlowError;
use crate::error::HostError;
use crate::error::RunError;
use crate::granting;
use crate::granting::Ungranted;
use crate::options::ParameterInput;
use crate::options::cores;
use crate::slots::Slots;
use crate::verify::VerifyError;

/// The most bytes that a flow may have. An interpreter with its library has some 20 MiB.
const MAX_FLOW: u64 = 128 << 20;

/// What loads flows and runs their tasks. One for a program is enough; cheap to clone.
#[derive(Clone)]
pub struct Host {
    sandbox: Sandbox,
    slots: Arc<Slots>,
}

/// How a [`Host`] is set up.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// How many tasks of all runs together may be going on at once. Each has address space set
    /// aside. By default the number of the machine's cores, at least 16.
    pub slots: usize,
    /// A folder for compiled flows, so that a flow is compiled once and not at each start; by
    /// default none. It has to be one that nobody else can write to: what is in it is run.
    pub cache: Option<PathBuf>,
    /// Whether tasks can have a limit of fuel. To count it makes them a little slower.
    pub fuel: bool,
    /// Bytes of the stack of every task, [`Limits::stack`].
    pub stack: u64,
    /// How long to wait for a flow to be compiled; by default two minutes.
    pub compile_time: Duration,
}

impl Default for HostOptions {
    fn default() -> Self {
        let stack = Limits::default().stack;
        let compile_time = SandboxOptions::COMPILE_TIME;
        Self { slots: cores().max(16), cache: None, fuel: false, stack, compile_time }
    }
}

impl HostOptions {
    /// What a host needs whose tasks are to have these limits.
    #[must_use]
    pub fn fit(self, limits: &Limits) -> Self {
        Self { fuel: limits.fuel.is_some(), stack: limits.stack, ..self }
    }
}

impl Host {
    /// Sets up a host.
    ///
    /// # Errors
    ///
    /// If the engine cannot be set up on this machine.
    pub fn new(options: HostOptions) -> Result<Self, HostError> {
        let slots = options.slots.clamp(1, 4096);
        let sandbox = Sandbox::new(&SandboxOptions {
            slots: u32::try_from(slots).unwrap_or(u32::MAX),
            cache_dir: options.cache,
            fuel: options.fuel,
            stack: options.stack,
            compile_time: options.compile_time,
        })?;
        Ok(Self { sandbox, slots: Arc::new(Slots::new(slots)) })
    }

    /// Loads a flow from a file: a component, or a core module.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is no flow, or breaks a rule.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Flow, FlowError> {
        let path = path.as_ref();
        self.load_bytes(path, &read_flow(path)?)
    }

    /// Loads a flow from memory; `name` stands for its file in messages.
    ///
    /// # Errors
    ///
    /// If it is no flow, or breaks a rule.
    pub fn load_bytes(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<Flow, FlowError> {
        let path = || name.as_ref().to_owned();
        if bytes.len() as u64 > MAX_FLOW {
            return Err(FlowError::Read { path: path(), error: too_large() });
        }
        let component =
            self.sandbox.load(bytes).map_err(|error| FlowError::Load { path: path(), error })?;
        let document =
            component.describe().map_err(|error| FlowError::Describe { path: path(), error })?;
        let graph =
            Graph::parse(&document).map_err(|error| FlowError::Invalid { path: path(), error })?;
        let (graph, slots) = (Arc::new(graph), Arc::clone(&self.slots));
        Ok(Flow { component, code: bytes.into(), document, graph, slots })
    }

    /// Loads the flow that a run ran, from what the store keeps of it.
    ///
    /// # Errors
    ///
    /// If there is no such run, the store does not have its component or has it damaged, or it is
    /// no flow for this host.
    pub fn load_from_run(&self, store: &Store, run: RunId) -> Result<Flow, VerifyError> {
        let record = store.run(run)?.ok_or(StoreError::NoRun(run))?.record;
        let code = record.code.as_ref().ok_or(VerifyError::NoCode(run))?;
        let bytes = store.read(code)?;
        // The digest in the record covers the file alone, whatever the blob's says.
        if Digest::of(&bytes) != record.component {
            return Err(VerifyError::OtherCode { run, expected: record.component });
        }
        let name = format!("{} of run {run}", record.flow);
        Ok(self.load_bytes(name, &bytes)?)
    }
}

/// Reads the file of a flow.
fn read_flow(path: &Path) -> Result<Vec<u8>, FlowError> {
    let read = || {
        let file = std::fs::File::open(path)?;
        // One byte more, to come to the end without asking for room once again.
        let size = file.metadata()?.len().min(MAX_FLOW) + 1;
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        file.take(MAX_FLOW + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FLOW {
            return Err(too_large());
        }
        Ok(bytes)
    };
    read().map_err(|error| FlowError::Read { path: path.to_owned(), error })
}

fn too_large() -> io::Error {
    let why = format!("it has more than {} MiB", MAX_FLOW >> 20);
    io::Error::new(io::ErrorKind::FileTooLarge, why)
}

/// A flow that can be run: loaded, and its graph checked. Cheap to clone.
#[derive(Clone)]
pub struct Flow {
    component: Component,
    /// What it was loaded from.
    code: Arc<[u8]>,
    document: String,
    graph: Arc<Graph>,
    slots: Arc<Slots>,
}

impl Flow {
    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The description of the flow as its component gave it: JSON, as `wit/flow.wit` explains.
    pub fn document(&self) -> &str {
        &self.document
    }

    /// The digest of the component.
    pub fn digest(&self) -> Digest {
        self.component.digest()
    }

    /// Gives the parameters their values, and reads the files among them. [`Flow::run`] does
    /// this by itself; by hand it can be done before anything else is.
    ///
    /// # Errors
    ///
    /// If one is missing, unknown, not of its parameter's type, or no file that can be read.
    pub fn arguments(&self, inputs: &[ParameterInput]) -> Result<Arguments, ParameterError> {
        bind::bind(self.graph.parameters(), inputs)
    }

    /// Looks whether the flow has all that it wishes for. [`Flow::run`] does this by itself.
    ///
    /// # Errors
    ///
    /// With every wish that is not granted.
    pub fn check_grants(&self, grants: &Grants) -> Result<(), Ungranted> {
        granting::check(&self.graph, grants)
    }

    /// Opens what is granted to the flow.
    pub(crate) fn open(&self, grants: &Grants) -> Result<Access, RunError> {
        self.check_grants(grants)?;
        Ok(Access::open(grants)?)
    }

    pub(crate) fn shared_graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// What the flow was loaded from: kept with each of its runs.
    pub(crate) fn code(&self) -> &[u8] {
        &self.code
    }

    pub(crate) fn component(&self) -> &Component {
        &self.component
    }

    pub(crate) fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }
}
