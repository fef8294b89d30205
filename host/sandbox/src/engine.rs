//! The engine that compiles and runs all components of a process, and how it is set up.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use wasmtime::Config;
use wasmtime::Enabled;
use wasmtime::Engine;
use wasmtime::EngineWeak;
use wasmtime::InstanceAllocationStrategy;
use wasmtime::PoolingAllocationConfig;
use wasmtime::WasmBacktraceDetails;
use wasmtime::component::Linker;

use crate::cache::Cache;
use crate::error::SandboxError;
use crate::limits::Limits;
use crate::state::State;

/// How often running guests look whether they have to stop: the epoch's tick. Finer costs
/// wake-ups; coarser makes a cancelled run linger.
const TICK: Duration = Duration::from_millis(10);

/// Instances that may live besides the tasks': descriptions of flows.
const SPARE_SLOTS: u32 = 2;

/// Core instances in one component. A module that came through the preview 1 adapter is four;
/// an interpreter with its shared libraries some twenty.
pub(crate) const CORE_INSTANCES_PER_COMPONENT: u32 = 64;

/// Memories of one component. One is the rule, a composition of components has more. Each
/// reserves 4 GiB of address space in every slot.
pub(crate) const MEMORIES_PER_COMPONENT: u32 = 4;

/// Tables of one component.
pub(crate) const TABLES_PER_COMPONENT: u32 = 16;

/// Elements of one table: interpreters have tens of thousands of functions.
const ELEMENTS_PER_TABLE: usize = 1_000_000;

/// Bytes of the bookkeeping of one instance, which grows with its functions.
const INSTANCE_SIZE: usize = 16 << 20;

/// Frames of a backtrace.
pub(crate) const BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// The engine, with the version of what guests can observe of it: how random numbers follow from the
/// seed, how clocks move, what is answered where nothing is granted. It is part of what outcomes of
/// tasks follow from, so the last number is raised when any of that changes.
pub const ENGINE: &str = "wasmtime 48.0.8, wflow guest 1";

/// How a [`Sandbox`] is made.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// How many tasks run at once, at most. More calls of `run` than that at one moment fail.
    pub slots: u32,
    /// Where compiled code is kept from one process to the next; none keeps nothing. The
    /// folder is made if it is not there, and must be writable by nobody else.
    pub cache_dir: Option<PathBuf>,
    /// Whether [`Limits::fuel`] can be asked for. To count costs time, a few parts in a hundred.
    pub fuel: bool,
    /// The [`Limits::stack`] of every task. The threads that call [`crate::Component::run`] need
    /// this much, and a MiB for the host's own calls.
    pub stack: u64,
    /// How long to wait for the compilation of a component.
    pub compile_time: Duration,
}

impl SandboxOptions {
    /// How long to wait for the compilation of a component unless it is said otherwise: Python
    /// takes a quarter of a minute on two cores.
    pub const COMPILE_TIME: Duration = Duration::from_secs(120);
}

impl Default for SandboxOptions {
    /// For the default limits.
    fn default() -> Self {
        let (stack, compile_time) = (Limits::default().stack, Self::COMPILE_TIME);
        Self { slots: 16, cache_dir: None, fuel: false, stack, compile_time }
    }
}

/// The engine that compiles and runs components. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<State>,
    /// The same without HTTP.
    pub(crate) plain: Linker<State>,
    pub(crate) cache: Option<Cache>,
    pub(crate) fuel: bool,
    pub(crate) stack: u64,
    pub(crate) compile_time: Duration,
    /// Its clones are the compilations that are going on.
    pub(crate) compiling: Arc<()>,
}

impl Sandbox {
    /// Sets up an engine, and a thread that interrupts guests which run too long.
    ///
    /// # Errors
    ///
    /// If the engine cannot be set up on this machine.
    pub fn new(options: &SandboxOptions) -> Result<Self, SandboxError> {
        let (fuel, compile_time) = (options.fuel, options.compile_time);
        // Less is too little for the guest's own first frames.
        let stack = options.stack.clamp(64 << 10, Limits::MAX_STACK);
        let tuned = |mut config: Config| {
            let stack = usize::try_from(stack).unwrap_or(usize::MAX);
            // Nothing runs on a stack of the engine's own, but it insists.
            config.consume_fuel(fuel).max_wasm_stack(stack).async_stack_size(stack + (1 << 20));
            config
        };
        let engine = match Engine::new(&tuned(engine_config(options.slots))) {
            Ok(engine) => engine,
            Err(error) => {
                // Reserving the slots takes address space, which `ulimit -v` or a small
                // virtual machine may refuse. Instances are then allocated one by one.
                tracing::warn!("running without pooled instances, tasks cost more: {error:#}");
                Engine::new(&tuned(base_config())).map_err(SandboxError::engine)?
            }
        };
        start_ticker(engine.weak())?;
        let plain = linker(&engine).map_err(SandboxError::engine)?;
        let mut linker = plain.clone();
        crate::wasi::link_http(&mut linker).map_err(SandboxError::engine)?;
        let cache = options.cache_dir.as_deref().and_then(|folder| Cache::open(folder, &engine));
        Ok(Self {
            shared: Arc::new(Shared {
                engine,
                linker,
                plain,
                cache,
                fuel,
                stack,
                compile_time,
                compiling: Arc::default(),
            }),
        })
    }
}

/// Moves the epoch until the engine is gone.
fn start_ticker(engine: EngineWeak) -> Result<(), SandboxError> {
    thread::Builder::new()
        .name("wflow-epoch".to_owned())
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                // Only the weak handle may live through the sleep.
                drop(engine);
                thread::sleep(TICK);
            }
        })
        .map(drop)
        .map_err(SandboxError::Thread)
}

/// Everything that a guest may import but HTTP.
fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    crate::contract::link(&mut linker)?;
    crate::wasi::link(&mut linker)?;
    Ok(linker)
}

/// The configuration of the engine with pooled instances. Public so that a benchmark can
/// measure the bare engine in the same set-up.
#[doc(hidden)]
pub fn engine_config(slots: u32) -> Config {
    let slots = slots.max(1).saturating_add(SPARE_SLOTS);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .total_memories(slots.saturating_mul(MEMORIES_PER_COMPONENT))
        .total_tables(slots.saturating_mul(TABLES_PER_COMPONENT))
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_memories_per_module(MEMORIES_PER_COMPONENT)
        .max_tables_per_module(TABLES_PER_COMPONENT)
        .max_component_instance_size(INSTANCE_SIZE)
        .max_core_instance_size(INSTANCE_SIZE)
        .table_elements(ELEMENTS_PER_TABLE)
        // Guests run on the stacks of the threads that call them. By default a thousand are set
        // aside, which takes two milliseconds.
        .total_stacks(1)
        .pagemap_scan(Enabled::Auto);
    // First-touch page faults, not instantiation, are what a small task costs. Memory that
    // stays resident between tasks avoids them, but has to be cleaned: cheap if the kernel
    // can say which pages were written, a blind memset of all of it otherwise.
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.linear_memory_keep_resident(2 << 20).table_keep_resident(1 << 20);
    } else {
        pool.linear_memory_keep_resident(64 << 10).table_keep_resident(16 << 10);
    }

    let mut config = base_config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// What matters with and without pooled instances: how code behaves.
fn base_config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // Host calls cost half as much without the machinery of async components.
        .concurrency_support(false)
        .memory_init_cow(true)
        // How guests are stopped.
        .epoch_interruption(true)
        // The same bits on every machine: one NaN, one meaning of relaxed instructions, no
        // threads that race (those are not compiled in).
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .shared_memory(false)
        // A failed task names file and line, whatever the environment of the host says.
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES));
    config
}
