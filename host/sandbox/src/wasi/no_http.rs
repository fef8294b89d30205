//! `wasi:http` where none is granted: whoever calls any of it ends. So nobody who was granted
//! nothing has the host keep requests, headers and bodies.

use wasmtime::component::Component;
use wasmtime::component::Linker;
use wasmtime::component::LinkerInstance;
use wasmtime::component::ResourceType;
use wasmtime::component::types::ComponentItem;
use wasmtime_wasi::p2::DynInputStream;
use wasmtime_wasi::p2::DynOutputStream;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::IoError;

use crate::state::State;

/// The guest uses HTTP, and was granted none.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("it uses wasi:http, and was granted no HTTP")]
pub(crate) struct NoHttp;

/// What stands for a request, an answer, a body: there is none.
struct Nothing;

/// Provides whatever of HTTP a component imports, in the version in which it does.
pub(crate) fn link_no_http(
    linker: &mut Linker<State>,
    component: &Component,
) -> wasmtime::Result<()> {
    let engine = component.engine();
    for (name, import) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(interface) = import.ty else { continue };
        if !name.starts_with("wasi:http/") {
            continue;
        }
        let mut instance = linker.instance(name)?;
        for (name, export) in interface.exports(engine) {
            match export.ty {
                ComponentItem::ComponentFunc(_) => {
                    instance.func_new(name, |_, _, _, _| Err(NoHttp.into()))?;
                }
                ComponentItem::Resource(_) => resource(&mut instance, name)?,
                _ => {}
            }
        }
    }
    Ok(())
}

/// A resource; those that other interfaces have as well are the same here.
fn resource(instance: &mut LinkerInstance<'_, State>, name: &str) -> wasmtime::Result<()> {
    let ty = match name {
        "input-stream" => ResourceType::host::<DynInputStream>(),
        "output-stream" => ResourceType::host::<DynOutputStream>(),
        "pollable" => ResourceType::host::<DynPollable>(),
        "io-error" | "error" => ResourceType::host::<IoError>(),
        _ => ResourceType::host::<Nothing>(),
    };
    instance.resource(name, ty, |_, _| Err(NoHttp.into()))
}
