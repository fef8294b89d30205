//! From the bytes of a flow to a component that is ready to run.

use std::sync::Arc;

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
        let component = encode::component(bytes)?;
        let compiled = self.compile(&component)?;
        let resolved = self.shared.linker.instantiate_pre(&compiled);
        let (pre, exports) = match (resolved, world::exports(&compiled)) {
            (Ok(pre), Some(exports)) => (pre, exports),
            (resolved, _) => {
                let mut differences = world::differences(&component);
                if differences.is_empty() {
                    differences.push(match resolved {
                        Ok(_) => {
                            "its exports `describe` and `run` are not those of a flow".to_owned()
                        }
                        Err(error) => format!("{error:#}"),
                    });
                }
                return Err(LoadError::World(differences));
            }
        };
        let digest = Digest::of(bytes);
        let (describe, run) = exports;
        Ok(Component { inner: Arc::new(Inner { digest, pre, describe, run }) })
    }

    /// Compiled code for a component, from the cache if it is there. The cache goes by what is
    /// compiled, which for a core module is the component made of it: that changes with this
    /// program, the module does not.
    fn compile(&self, component: &[u8]) -> Result<wasmtime::component::Component, LoadError> {
        let engine = &self.shared.engine;
        let Some(cache) = &self.shared.cache else {
            return compile(engine, component);
        };
        let digest = Digest::of(component);
        if let Some(compiled) = cache.load(engine, &digest) {
            return Ok(compiled);
        }
        let compiled = compile(engine, component)?;
        cache.store(&digest, &compiled);
        Ok(compiled)
    }
}

fn compile(
    engine: &wasmtime::Engine,
    component: &[u8],
) -> Result<wasmtime::component::Component, LoadError> {
    wasmtime::component::Component::from_binary(engine, component)
        .map_err(|error| LoadError::Invalid(format!("{error:#}")))
}
