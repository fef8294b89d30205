//! From the bytes of a flow to a component that is ready to run.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use wasmtime::component::Component as Compiled;
use wasmtime::component::ComponentExportIndex;
use wasmtime::component::InstancePre;
use wflow_model::Digest;

use crate::Sandbox;
use crate::encode;
use crate::error::LoadError;
use crate::state::State;
use crate::wasi;
use crate::world;

/// A flow that is ready to run: checked, compiled, its imports resolved. Cheap to clone, and
/// used from many threads at once.
#[derive(Clone)]
pub struct Component {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    digest: Digest,
    /// With HTTP, for those that are granted some.
    pub(crate) pre: InstancePre<State>,
    /// Without; the same if it imports none.
    pub(crate) without_http: InstancePre<State>,
    pub(crate) describe: ComponentExportIndex,
    pub(crate) run: ComponentExportIndex,
    /// What its engine can do; see [`crate::SandboxOptions`].
    pub(crate) fuel: bool,
    pub(crate) stack: u64,
}

impl Component {
    /// The digest of the bytes that it was loaded from.
    pub fn digest(&self) -> Digest {
        self.inner.digest
    }
}

impl Sandbox {
    /// Makes a flow ready to run: a component for the world `wflow:flow/flow`, or a core
    /// module that imports and exports what that world does. Nothing of it runs.
    ///
    /// # Errors
    ///
    /// If the bytes are not that; the message says what they are instead and what to do.
    pub fn load(&self, bytes: &[u8]) -> Result<Component, LoadError> {
        let digest = Digest::of(bytes);
        let compiled = self.compile(bytes, digest)?;
        let resolved = self.shared.linker.instantiate_pre(&compiled);
        let (pre, exports) = match (resolved, world::exports(&compiled)) {
            (Ok(pre), Some(exports)) => (pre, exports),
            (resolved, _) => return Err(unfit(bytes, resolved.err())),
        };
        let without_http = self.without_http(&compiled).unwrap_or_else(|error| {
            tracing::debug!("HTTP cannot be left out: {error:#}");
            pre.clone()
        });
        let (describe, run) = exports;
        let (fuel, stack) = (self.shared.fuel, self.shared.stack);
        Ok(Component {
            inner: Arc::new(Inner { digest, pre, without_http, describe, run, fuel, stack }),
        })
    }

    /// What to make instances of that are granted no HTTP: of its interfaces nothing is there but
    /// calls that end the task. So nobody who was granted nothing has the host keep requests.
    fn without_http(&self, compiled: &Compiled) -> wasmtime::Result<InstancePre<State>> {
        let mut linker = self.shared.plain.clone();
        wasi::link_no_http(&mut linker, compiled)?;
        linker.instantiate_pre(compiled)
    }

    /// Compiled code for a file, from the cache if it is there.
    fn compile(&self, bytes: &[u8], digest: Digest) -> Result<Compiled, LoadError> {
        let engine = &self.shared.engine;
        let key = encode::key(bytes, digest)?;
        let cache = self.shared.cache.as_ref();
        if let Some(compiled) = cache.and_then(|cache| cache.load(engine, &key)) {
            return Ok(compiled);
        }
        let compiled = self.compile_in_time(encode::component(bytes)?.into_owned())?;
        if let Some(cache) = cache {
            cache.store(&key, &compiled);
        }
        Ok(compiled)
    }

    /// Compiles on a thread of its own, which nobody waits for when it takes too long: a compiler
    /// cannot be interrupted.
    fn compile_in_time(&self, component: Vec<u8>) -> Result<Compiled, LoadError> {
        let (engine, compiling) = (self.shared.engine.clone(), Arc::clone(&self.shared.compiling));
        if Arc::strong_count(&compiling) > MAX_COMPILING + 2 {
            let why = "others that took too long are still at work: try again later";
            return Err(LoadError::Compiler(why.to_owned()));
        }
        let (done, result) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name("wflow-compile".to_owned())
            .stack_size(COMPILER_STACK)
            .spawn(move || {
                // Nobody listens any more if it took too long.
                let _ = done.send(Compiled::from_binary(&engine, &component));
                drop(compiling);
            })
            .map_err(|error| LoadError::Compiler(error.to_string()))?;
        let time = self.shared.compile_time;
        match result.recv_timeout(time) {
            Ok(Ok(compiled)) => Ok(compiled),
            Ok(Err(error)) => Err(LoadError::Invalid(encode::told(&format!("{error:#}")))),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(LoadError::TooSlow(time)),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(LoadError::Compiler("it panicked".to_owned()))
            }
        }
    }
}

/// How many compilations go on at once, those included that nobody waits for.
const MAX_COMPILING: usize = 16;

/// Bytes of the stack of a thread that compiles.
const COMPILER_STACK: usize = 16 << 20;

/// So many differences are told.
const SHOWN: usize = 50;

/// Says how a component differs from a flow; `refused` is what the linker said, if it did.
fn unfit(bytes: &[u8], refused: Option<wasmtime::Error>) -> LoadError {
    let mut differences = match encode::component(bytes) {
        Ok(component) => world::differences(&component),
        Err(error) => return error,
    };
    if differences.is_empty() {
        differences.push(match refused {
            Some(error) => encode::told(&format!("{error:#}")),
            None => "its exports `describe` and `run` are not those of a flow".to_owned(),
        });
    }
    let more = differences.len().saturating_sub(SHOWN);
    if more > 0 {
        differences.truncate(SHOWN);
        differences.push(format!("and {more} more differences"));
    }
    LoadError::World(differences.iter().map(|difference| encode::told(difference)).collect())
}
