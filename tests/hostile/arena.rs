//! Where hostile flows run: one host and one store for all of them, one at a time, so that what each
//! takes can be measured.

use std::fs;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use tempfile::TempDir;
use wflow::Flow;
use wflow::Host;
use wflow::HostOptions;
use wflow::Limits;
use wflow::RunOptions;
use wflow::RunReport;
use wflow::Store;
use wflow::client;
use wflow::model::record::RunStatus;

use crate::guest::Guest;

/// Memory of a task, unless a case says otherwise.
pub(crate) const MEMORY: u64 = 64 << 20;

/// What the process may take beside the memory of two tasks, while a flow is compiled and runs: a
/// copy of what one call moves for each, their logs, the store.
const BESIDE: u64 = 128 << 20;

/// Memory of a flow that is asked what it is, with a tenth of it.
const DESCRIBING: u64 = (256 << 20) / 10 * 11;

/// What may be left afterwards: what pool and store keep for the next flow, and the compiler, which
/// has a work space for each core that is as large as the largest function so far took.
const LEFT: u64 = 192 << 20;

/// Time for one case. Generous: the machine may be busy.
const TIME: Duration = Duration::from_secs(60);

pub(crate) struct Arena {
    host: Host,
    store: Store,
    good: Flow,
    _folder: TempDir,
}

/// A hostile flow, and how it is run.
pub(crate) struct Case {
    guest: Vec<u8>,
    options: RunOptions,
    limits: Limits,
    beside: u64,
    host: Option<HostOptions>,
}

impl Case {
    pub(crate) fn of(guest: Guest) -> Self {
        Self::bytes(guest.module())
    }

    pub(crate) fn component(text: &str) -> Self {
        Self::bytes(wat::parse_str(text).unwrap())
    }

    pub(crate) fn bytes(guest: Vec<u8>) -> Self {
        let options = RunOptions::new().max_workers(2);
        Self { guest, options, limits: limits(), beside: BESIDE, host: None }
    }

    pub(crate) fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    pub(crate) fn options(mut self, options: impl FnOnce(RunOptions) -> RunOptions) -> Self {
        self.options = options(self.options);
        self
    }

    /// On a host of its own, for limits that need one.
    pub(crate) fn on(mut self, options: HostOptions) -> Self {
        self.host = Some(HostOptions { slots: 2, ..options });
        self
    }

    /// Takes no more beside the memory than this.
    pub(crate) fn beside(mut self, bytes: u64) -> Self {
        self.beside = bytes;
        self
    }

    /// The flow loads, and its run fails with a message and a hint that hold all of this.
    #[track_caller]
    pub(crate) fn fails(self, told: &[&str]) {
        let text = self.text();
        for told in told {
            assert!(text.contains(told), "`{told}` is not in: {text}");
        }
    }

    /// The message and the hint of the failure of the run.
    #[track_caller]
    pub(crate) fn text(self) -> String {
        let report = self.run();
        assert_eq!(report.status, RunStatus::Failed, "the run did not fail");
        let failure = report.failed.unwrap().failure;
        assert!(failure.message.len() < 1 << 20, "nobody reads that much");
        format!("{}\n{}", failure.message, failure.hint)
    }

    /// The flow loads and runs, and does no harm.
    #[track_caller]
    pub(crate) fn passes(self) -> RunReport {
        let report = self.run();
        let why = report.failed.as_ref().map(|failed| failed.failure.message.clone());
        assert_eq!(report.status, RunStatus::Done, "{why:?}");
        report
    }

    /// Whether the run succeeds.
    #[track_caller]
    pub(crate) fn succeeds(self) -> bool {
        self.run().status == RunStatus::Done
    }

    /// The flow is not even loaded, for a reason that holds all of this.
    #[track_caller]
    pub(crate) fn refused(self, told: &[&str]) {
        let Self { guest, host, beside, .. } = self;
        let error = arena(DESCRIBING + beside, |arena| {
            let own = host.map(|options| Host::new(options).unwrap());
            own.as_ref().unwrap_or(&arena.host).load_bytes("hostile.wasm", &guest).err()
        });
        let error = error.expect("the flow was loaded").to_string();
        assert!(error.len() < 100_000, "nobody reads that much");
        for told in told {
            assert!(error.contains(told), "`{told}` is not in: {error}");
        }
    }

    #[track_caller]
    fn run(self) -> RunReport {
        let Self { guest, options, limits, beside, host } = self;
        // Two tasks at once, each with a tenth more than its limit.
        let most = 2 * (limits.memory + limits.memory / 10) + beside;
        let options = options.limits(limits);
        arena(most, |arena| {
            let own = host.map(|options| Host::new(options).unwrap());
            let host = own.as_ref().unwrap_or(&arena.host);
            let flow = host.load_bytes("hostile.wasm", &guest).unwrap_or_else(|e| panic!("{e}"));
            flow.run(&arena.store, options).unwrap()
        })
    }
}

/// What the tasks of most cases may use.
pub(crate) fn limits() -> Limits {
    Limits { memory: MEMORY, timeout: Some(Duration::from_secs(20)), ..Limits::default() }
}

/// Does something in the arena, alone, and measures what it takes; then a good flow has to run.
#[track_caller]
pub(crate) fn arena<T>(most: u64, work: impl FnOnce(&Arena) -> T) -> T {
    alone(|arena| {
        arena.good_flow_runs();
        let (before, start) = (Memory::begin(), Instant::now());
        let result = work(arena);
        let took = start.elapsed();
        give_back();
        let after = Memory::now();
        assert!(took < TIME, "it took {took:?}");
        if let (Some(before), Some(after)) = (before, after) {
            let peak = after.peak.saturating_sub(before.resident);
            assert!(peak <= most, "it took {} MiB, more than {}", peak >> 20, most >> 20);
            let left = after.resident.saturating_sub(before.resident);
            assert!(left <= LEFT, "it left {} MiB behind", left >> 20);
        }
        arena.good_flow_runs();
        result
    })
}

/// Does something in the arena, alone.
pub(crate) fn alone<T>(work: impl FnOnce(&Arena) -> T) -> T {
    static ARENA: OnceLock<Arena> = OnceLock::new();
    static ALONE: Mutex<()> = Mutex::new(());

    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let arena = ARENA.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create_or_open(&folder.path().join("store")).unwrap();
        let host = Host::new(HostOptions { slots: 4, ..HostOptions::default() }).unwrap();
        let good = host.load_bytes("good.wasm", &good().module()).unwrap();
        Arena { host, store, good, _folder: folder }
    });
    work(arena)
}

impl Arena {
    /// What a flow gets done here that means no harm.
    pub(crate) fn good_flow_runs(&self) {
        let report = self.good.run(&self.store, RunOptions::new().max_workers(2)).unwrap();
        assert_eq!((report.status, report.tasks), (RunStatus::Done, 2));
        let run = client::run_by_id(&self.store, report.run).unwrap();
        let end = run.step("end").unwrap().task("1").unwrap();
        assert_eq!(end.get::<i64>("fine").unwrap(), 7);
    }

    /// Loads and runs a flow as it comes; whether it fails is its own matter.
    pub(crate) fn try_out(&self, guest: &[u8], limits: &Limits) -> Option<RunStatus> {
        let flow = self.host.load_bytes("hostile.wasm", guest).ok()?;
        let options = RunOptions::new().max_workers(2).limits(limits.clone());
        Some(flow.run(&self.store, options).unwrap().status)
    }

    /// The bytes of an artifact of a task of a run.
    pub(crate) fn bytes(&self, report: &RunReport, step: &str, name: &str) -> Vec<u8> {
        let run = client::run_by_id(&self.store, report.run).unwrap();
        let task = run.step(step).unwrap().task("1").unwrap();
        task.bytes(&task.artifact(name).unwrap()).unwrap().to_vec()
    }
}

fn good() -> Guest {
    let mut guest = Guest::default();
    guest.run = guest.put("fine", "application/cbor", &[7]);
    guest
}

/// Has the allocator give back to the system what nobody uses: after a compilation it keeps
/// hundreds of MiB, which say nothing of what the host holds.
fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the function may be called at any time, and frees nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// What the process takes of memory, where the system tells.
pub(crate) struct Memory {
    pub(crate) resident: u64,
    pub(crate) peak: u64,
}

impl Memory {
    /// From here on the peak counts.
    fn begin() -> Option<Self> {
        fs::write("/proc/self/clear_refs", "5").ok()?;
        Self::now()
    }

    pub(crate) fn now() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
            Some(kilobytes << 10)
        };
        Some(Self { resident: field("VmRSS:")?, peak: field("VmHWM:")? })
    }
}
