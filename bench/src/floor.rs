//! The bare floor: the same component and engine settings, instantiated and called in a loop with
//! wasmtime alone. Its host gives fixed answers and keeps nothing.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use serde::Deserialize;
use serde::Serialize;
use wasmtime::Engine;
use wasmtime::Store;
use wasmtime::component::Component;
use wasmtime::component::HasSelf;
use wasmtime::component::Linker;
use wasmtime::component::Resource;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::WasiCtxView;
use wasmtime_wasi::WasiView;

mod contract {
    wasmtime::component::bindgen!({ path: "../wit", world: "flow" });
}

use crate::cost::Cost;
use crate::cost::Moment;

use contract::Flow;
use contract::FlowPre;
use contract::wflow::flow::artifacts;
use contract::wflow::flow::artifacts::Artifact;
use contract::wflow::flow::artifacts::Problem;
use contract::wflow::flow::artifacts::Reader;
use contract::wflow::flow::artifacts::Writer;
use contract::wflow::flow::inputs;
use contract::wflow::flow::task;

struct Host {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// CBOR of 3 and of "product": what the step reads.
const FACTOR: &[u8] = &[0x03];
const LABEL: &[u8] = b"\x67product";

fn none<T>() -> std::result::Result<T, Problem> {
    Err(Problem::Missing("none".to_owned()))
}

fn value(data: &[u8]) -> std::result::Result<Artifact, Problem> {
    Ok(Artifact { format: "application/cbor".to_owned(), data: data.to_vec() })
}

impl task::Host for Host {
    fn identify(&mut self) -> task::Identity {
        let frame = task::Frame {
            step: "start".to_owned(),
            artifact: "items".to_owned(),
            index: 17,
            width: 1000,
        };
        task::Identity {
            flow: "TinyFlow".to_owned(),
            step: "work".to_owned(),
            task: "17".to_owned(),
            attempt: 0,
            frames: vec![frame],
        }
    }
    fn run_id(&mut self) -> String {
        "1".to_owned()
    }
    fn now(&mut self) -> u64 {
        0
    }
    fn random(&mut self, count: u32) -> Vec<u8> {
        vec![7; count as usize]
    }
    fn log(&mut self, _: task::Channel, _: Vec<u8>) {}
    fn fail(&mut self, _: task::Failure) {}
}

impl artifacts::Host for Host {
    fn get(&mut self, name: String) -> std::result::Result<Artifact, Problem> {
        value(if name == "factor" { FACTOR } else { LABEL })
    }
    fn put(&mut self, _: String, _: String, _: Vec<u8>) -> std::result::Result<(), Problem> {
        Ok(())
    }
    fn remove(&mut self, _: String) -> std::result::Result<(), Problem> {
        Ok(())
    }
    fn names(&mut self) -> Vec<String> {
        Vec::new()
    }
    fn open(&mut self, _: String) -> std::result::Result<Resource<Reader>, Problem> {
        none()
    }
    fn create(&mut self, _: String, _: String) -> std::result::Result<Resource<Writer>, Problem> {
        none()
    }
    fn item(&mut self, _: u32) -> std::result::Result<Artifact, Problem> {
        value(FACTOR)
    }
}

impl artifacts::HostReader for Host {
    fn format(&mut self, _: Resource<Reader>) -> String {
        String::new()
    }
    fn size(&mut self, _: Resource<Reader>) -> u64 {
        0
    }
    fn read(
        &mut self,
        _: Resource<Reader>,
        _: u64,
        _: u32,
    ) -> std::result::Result<Vec<u8>, Problem> {
        none()
    }
    fn drop(&mut self, _: Resource<Reader>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl artifacts::HostWriter for Host {
    fn write(&mut self, _: Resource<Writer>, _: Vec<u8>) -> std::result::Result<(), Problem> {
        none()
    }
    fn finish(&mut self, _: Resource<Writer>) -> std::result::Result<(), Problem> {
        none()
    }
    fn drop(&mut self, _: Resource<Writer>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl inputs::Host for Host {
    fn count(&mut self) -> u32 {
        0
    }
    fn step(&mut self, _: u32) -> std::result::Result<String, Problem> {
        none()
    }
    fn get(
        &mut self,
        _: String,
        _: u32,
        _: u32,
    ) -> std::result::Result<Vec<Option<Artifact>>, Problem> {
        none()
    }
    fn names(&mut self, _: u32) -> std::result::Result<Vec<String>, Problem> {
        none()
    }
    fn open(&mut self, _: u32, _: String) -> std::result::Result<Resource<Reader>, Problem> {
        none()
    }
    fn merge(&mut self, _: Vec<String>, _: Vec<String>) -> std::result::Result<(), Problem> {
        none()
    }
}

/// As many slots as a host of wflow has.
const SLOTS: u32 = 16;

/// Compiles a component into a file, which [`load`] maps.
pub(crate) fn compile(component: &Path, code: &Path) -> Result<()> {
    let engine = Engine::new(&wflow_sandbox::engine_config(SLOTS)).map_err(engine_error)?;
    let compiled = engine.precompile_component(&fs::read(component)?).map_err(engine_error)?;
    fs::write(code, compiled).context("writing compiled code")
}

/// Maps what [`compile`] wrote, with an engine that is set up as wflow's.
pub(crate) fn load(code: &Path) -> wasmtime::Result<(Engine, Component)> {
    let engine = Engine::new(&wflow_sandbox::engine_config(SLOTS))?;
    // SAFETY: the file was written by `compile` of this same program a moment ago, in its own
    // folder, and nothing changes it while the benchmark runs.
    let component = unsafe { Component::deserialize_file(&engine, code) }?;
    Ok((engine, component))
}

/// The engine has an error type of its own.
#[expect(clippy::needless_pass_by_value, reason = "it is the error of a result")]
pub(crate) fn engine_error(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

/// So many calls of a step, each in a fresh instance, one after the other.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Calls {
    pub(crate) code: PathBuf,
    pub(crate) calls: u32,
    /// How often they are measured; the best counts.
    pub(crate) rounds: u32,
}

impl Calls {
    /// What one call cost.
    pub(crate) fn work(&self) -> Result<Cost> {
        let bare = Bare::new(&self.code).map_err(engine_error)?;
        let mut best = bare.measure(self.calls).map_err(engine_error)?;
        for _ in 1..self.rounds {
            best = best.lower(bare.measure(self.calls).map_err(engine_error)?);
        }
        Ok(best)
    }
}

/// A component that is ready to be instantiated.
struct Bare {
    engine: Engine,
    pre: FlowPre<Host>,
}

impl Bare {
    fn new(code: &Path) -> wasmtime::Result<Self> {
        let (engine, component) = load(code)?;
        let mut linker = Linker::<Host>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        Flow::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host)?;
        let pre = FlowPre::new(linker.instantiate_pre(&component)?)?;
        Ok(Self { engine, pre })
    }

    /// Runs the step so many times, one after the other.
    fn measure(&self, times: u32) -> wasmtime::Result<Cost> {
        let start = Moment::now();
        for _ in 0..times {
            let host = Host { wasi: WasiCtx::builder().build(), table: ResourceTable::new() };
            let mut store = Store::new(&self.engine, host);
            store.set_epoch_deadline(u64::MAX / 2);
            let flow = self.pre.instantiate(&mut store)?;
            let result = flow.call_run(&mut store, "work")?;
            if let Err(failure) = result {
                return Err(wasmtime::Error::msg(failure.message));
            }
        }
        Ok(start.elapsed().each(times))
    }
}
