//! The bare floor: the same component and engine settings, instantiated and called in a loop with
//! wasmtime alone. Its host gives fixed answers and keeps nothing.

use std::time::Duration;
use std::time::Instant;

use cpu_time::ProcessTime;
use wasmtime::Engine;
use wasmtime::Result;
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

/// What one task, or one call of the floor, cost.
pub(crate) struct Cost {
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

impl Cost {
    /// More than anything costs.
    pub(crate) const MAX: Self = Self { cpu: Duration::MAX, wall: Duration::MAX };

    /// The lower of two, by CPU.
    pub(crate) fn lower(self, other: Self) -> Self {
        if other.cpu < self.cpu { other } else { self }
    }
}

/// A component that is ready to be instantiated.
pub(crate) struct Bare {
    engine: Engine,
    pre: FlowPre<Host>,
}

impl Bare {
    pub(crate) fn new(component: &[u8]) -> Result<Self> {
        let engine = Engine::new(&wflow_sandbox::engine_config(16))?;
        let component = Component::from_binary(&engine, component)?;
        let mut linker = Linker::<Host>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        Flow::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host)?;
        let pre = FlowPre::new(linker.instantiate_pre(&component)?)?;
        Ok(Self { engine, pre })
    }

    /// Runs the step so many times, one after the other.
    pub(crate) fn measure(&self, times: u32) -> Result<Cost> {
        let (wall, cpu) = (Instant::now(), ProcessTime::now());
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
        Ok(Cost { cpu: cpu.elapsed() / times, wall: wall.elapsed() / times })
    }
}
