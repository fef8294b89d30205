//! From the bytes of a flow to a component that is ready to run.

use std::sync::Arc;

use wasmtime::component::Component as Compiled;
use wasmtime::component::ComponentExportIndex;
use wasmtime::component::InstancePre;
use wflow_model::Digest;

use crate::Sandbox;
use crate::encode;
use crate::error::LoadError;
use crate::state::State;
use crate::world;

/// A flow that is ready to run: checked, compiled, its imports resolved. Cheap to clone, and
/// used from many threads at once.
#[derive(Clone)]
pub struct Component {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    digest: Digest,
    pub(crate) pre: InstancePre<State>,
    pub(crate) describe: ComponentExportIndex,
    pub(crate) run: ComponentExportIndex,
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
        let (describe, run) = exports;
        Ok(Component { inner: Arc::new(Inner { digest, pre, describe, run }) })
    }

    /// Compiled code for a file, from the cache if it is there.
    fn compile(&self, bytes: &[u8], digest: Digest) -> Result<Compiled, LoadError> {
        let engine = &self.shared.engine;
        let compile = || {
            Compiled::from_binary(engine, &encode::component(bytes)?)
                .map_err(|error| LoadError::Invalid(format!("{error:#}")))
        };
        let key = encode::key(bytes, digest)?;
        let Some(cache) = &self.shared.cache else {
            return compile();
        };
        if let Some(compiled) = cache.load(engine, &key) {
            return Ok(compiled);
        }
        let compiled = compile()?;
        cache.store(&key, &compiled);
        Ok(compiled)
    }
}

/// Says how a component differs from a flow; `refused` is what the linker said, if it did.
fn unfit(bytes: &[u8], refused: Option<wasmtime::Error>) -> LoadError {
    let mut differences = match encode::component(bytes) {
        Ok(component) => world::differences(&component),
        Err(error) => return error,
    };
    if differences.is_empty() {
        differences.push(match refused {
            Some(error) => format!("{error:#}"),
            None => "its exports `describe` and `run` are not those of a flow".to_owned(),
        });
    }
    LoadError::World(differences)
}
