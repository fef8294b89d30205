//! What all tasks of a run have in common.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use wflow_model::Digest;
use wflow_model::Name;
use wflow_model::cbor;
use wflow_model::graph::Graph;
use wflow_model::name::excerpt;
use wflow_model::record::Artifact;
use wflow_model::record::Artifacts;
use wflow_model::record::RunId;
use wflow_model::record::RunRecord;
use wflow_model::record::Timestamp;
use wflow_model::task::StepIndex;
use wflow_sandbox::Access;
use wflow_sandbox::Problem;
use wflow_sandbox::Value;
use wflow_store::Store;
use wflow_store::StoreError;

use crate::Flow;
use crate::event::Observer;
use crate::options::Policy;
use crate::output::Output;
use crate::trace;

/// A run that is going on.
pub(crate) struct RunContext {
    pub(crate) graph: Arc<Graph>,
    pub(crate) run: RunId,
    pub(crate) run_text: Arc<str>,
    pub(crate) flow: Arc<str>,
    /// The names of the steps, to be shared with the sandbox.
    pub(crate) steps: Vec<Arc<str>>,
    /// The formats that most artifacts have, to be shared by them.
    pub(crate) formats: [Arc<str>; 2],
    pub(crate) parameters: Artifacts,
    pub(crate) store: Store,
    pub(crate) output: Output,
    /// What its tasks may see or touch of the outside.
    pub(crate) access: Access,
    /// What of a task's key is the same for all of them.
    pub(crate) key: Digest,
    pub(crate) policy: Policy,
    pub(crate) observer: Arc<dyn Observer + Send + Sync>,
    /// Whether a guest was ever told that the store could not do something.
    pub(crate) store_failed: AtomicBool,
}

impl RunContext {
    /// The context of a run of a flow.
    #[expect(clippy::too_many_arguments, reason = "each is one field, made elsewhere")]
    pub(crate) fn new(
        flow: &Flow,
        store: &Store,
        run: RunId,
        record: &RunRecord,
        policy: Policy,
        access: Access,
        output: Output,
        observer: Arc<dyn Observer + Send + Sync>,
    ) -> Self {
        let graph = flow.shared_graph();
        Self {
            graph: Arc::clone(graph),
            run,
            run_text: run.to_string().into(),
            flow: record.flow.as_str().into(),
            steps: graph.steps().iter().map(|step| step.name.as_str().into()).collect(),
            formats: [cbor::FORMAT.into(), "text/plain".into()],
            parameters: record.parameters.clone(),
            store: store.clone(),
            output,
            access,
            key: trace::run_key(record),
            policy,
            observer,
            store_failed: AtomicBool::new(false),
        }
    }

    pub(crate) fn step_name(&self, step: StepIndex) -> &Name {
        &self.graph.step(step).name
    }

    /// What a guest is told of something that the store could not do. From here on, what tasks do
    /// may follow from that.
    #[expect(clippy::needless_pass_by_value, reason = "it is the error of a result")]
    pub(crate) fn refused(&self, error: StoreError) -> Problem {
        self.store_failed.store(true, Ordering::Relaxed);
        Problem::Refused(error.to_string())
    }

    /// A format, shared where it is a common one.
    pub(crate) fn format(&self, format: &str) -> Arc<str> {
        let known = self.formats.iter().find(|known| &***known == format);
        known.map_or_else(|| format.into(), Arc::clone)
    }

    /// An artifact with its bytes.
    pub(crate) fn value(&self, artifact: &Artifact) -> Result<Value, Problem> {
        let data = self.store.read(artifact).map_err(|error| self.refused(error))?;
        Ok(Value { format: Arc::clone(&artifact.format), data })
    }
}

/// The most bytes of an artifact that cross to a guest at once, so that it does not lie in the
/// host's memory as well. The contract names this number.
const CROSSING: u64 = 64 << 20;

/// Refuses an artifact, or an item of one, that is too large to cross at once.
pub(crate) fn check_crossing(name: &str, size: u64) -> Result<(), Problem> {
    if size <= CROSSING {
        return Ok(());
    }
    Err(Problem::Refused(format!(
        "artifact `{}` has {size} bytes, and at most {CROSSING} cross at once: open it and read it \
         in pieces",
        excerpt(name)
    )))
}

/// The present moment by the host's real clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
