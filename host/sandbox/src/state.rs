//! What the host keeps for one instance while it lives.

use std::time::Instant;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::filesystem::WasiFilesystemCtx;
use wasmtime_wasi::runtime::in_tokio;
use wasmtime_wasi::sockets::WasiSocketsCtx;

use crate::Access;
use crate::CancelToken;
use crate::Channel;
use crate::Limits;
use crate::TaskContext;
use crate::TaskIo;
use crate::access::Denied;
use crate::clock::Clock;
use crate::clock::VirtualClock;
use crate::contract::GuestFailure;
use crate::exceeded::Exceeded;
use crate::limits::Limiter;
use crate::limits::Stop;
use crate::limits::Watch;
use crate::random::Random;
use crate::random::Source;
use crate::wasi::Http;

/// The state of one instance. Everything in it is cheap to make, or made when it is first
/// needed: a task that asks for nothing pays for nothing.
pub(crate) struct State {
    /// Who the task is; none while a flow is described.
    pub(crate) task: Option<TaskContext>,
    /// What the task reads and writes; none while a flow is described, and for the moment in
    /// which a call works with it.
    pub(crate) io: Option<Box<dyn TaskIo>>,
    /// What of the outside the task may see or touch.
    pub(crate) access: Access,
    /// What it reached for in vain.
    pub(crate) denied: Denied,
    /// The imports through which something came in.
    outside: Vec<&'static str>,
    pub(crate) clock: Clock,
    random: Option<Source>,
    /// Readers, writers and timers; files, streams and sockets where they are granted.
    pub(crate) table: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) watch: Watch,
    /// Whether the instance was made, so that what happens now happens in the guest.
    pub(crate) started: bool,
    /// The last that the guest said with `task.fail`.
    pub(crate) failure: Option<GuestFailure>,
    /// How many bytes the guest may write to each stream, and how many it has written.
    log_limit: u64,
    logged: [u64; 2],
    /// The end of standard error, for the report of a trap.
    pub(crate) stderr: Tail,
    /// The folders that are granted.
    pub(crate) files: WasiFilesystemCtx,
    /// The sockets that are granted. Made when somebody asks.
    pub(crate) sockets: Option<WasiSocketsCtx>,
    /// What HTTP needs. Made when somebody asks.
    pub(crate) http: Option<Box<Http>>,
}

impl State {
    /// For one task.
    pub(crate) fn of_task(
        task: TaskContext,
        io: Box<dyn TaskIo>,
        limits: &Limits,
        cancel: &CancelToken,
    ) -> Self {
        let access = task.access.clone();
        let clock = match access.clock() {
            true => Clock::Real(Instant::now()),
            false => Clock::Virtual(VirtualClock::new(task.logical_time)),
        };
        let files = access.files();
        let bare = Self::bare(clock, limits, cancel);
        Self { task: Some(task), io: Some(io), access, files, ..bare }
    }

    /// For the description of a flow: nobody, with nothing, in 1970.
    pub(crate) fn of_describe(limits: &Limits) -> Self {
        Self::bare(Clock::Virtual(VirtualClock::new(0)), limits, &CancelToken::new())
    }

    fn bare(clock: Clock, limits: &Limits, cancel: &CancelToken) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles as usize);
        Self {
            task: None,
            io: None,
            access: Access::none(),
            denied: Denied::default(),
            outside: Vec::new(),
            clock,
            random: None,
            table,
            limiter: Limiter::new(limits),
            watch: Watch::start(limits.timeout, cancel),
            started: false,
            failure: None,
            log_limit: limits.log_bytes,
            logged: [0; 2],
            stderr: Tail::default(),
            files: WasiFilesystemCtx::default(),
            sockets: None,
            http: None,
        }
    }

    /// Where this task has its random numbers from, as it is asked through `import`.
    pub(crate) fn random(&mut self, import: &'static str) -> &mut Source {
        let real = self.access.random();
        if real {
            self.let_in(import);
        }
        self.random.get_or_insert_with(|| match &self.task {
            _ if real => Source::Host,
            Some(task) => Source::Seeded(Random::of(task)),
            None => Source::Seeded(Random::of_describe()),
        })
    }

    /// The clock of this task, as it is looked at through `import`.
    pub(crate) fn clock(&mut self, import: &'static str) -> &mut Clock {
        if self.access.clock() {
            self.let_in(import);
        }
        &mut self.clock
    }

    /// Notes that something came in from outside.
    pub(crate) fn let_in(&mut self, import: &'static str) {
        if let Err(place) = self.outside.binary_search(&import) {
            self.outside.insert(place, import);
        }
    }

    /// The imports through which something came in from outside, in order.
    pub(crate) fn outside(&self) -> &[&'static str] {
        &self.outside
    }

    /// Waits for something outside, and for no longer than the task may run.
    pub(crate) fn wait<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut ResourceTable) -> T,
    ) -> Result<T, Stop> {
        let Self { watch, table, .. } = self;
        in_tokio(async {
            tokio::select! {
                biased;
                done = work(table) => Ok(done),
                stop = watch.stopped() => Err(stop),
            }
        })
    }

    /// How many more bytes a stream takes.
    pub(crate) fn log_room(&self, channel: Channel) -> usize {
        let left = self.log_limit.saturating_sub(self.logged[channel as usize]);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// Takes text that the guest wrote, by whichever way, as much of it as there is room for. A
    /// flow that is being described has nobody who would read it.
    ///
    /// # Errors
    ///
    /// If it was more than that.
    pub(crate) fn log(&mut self, channel: Channel, text: &[u8]) -> Result<(), Exceeded> {
        let (kept, rest) = text.split_at(text.len().min(self.log_room(channel)));
        self.logged[channel as usize] += kept.len() as u64;
        if channel == Channel::Stderr {
            self.stderr.push(kept);
        }
        if let Some(io) = &mut self.io {
            io.log(channel, kept);
        }
        match rest {
            [] => Ok(()),
            _ => Err(Exceeded::Log { channel, limit: self.log_limit }),
        }
    }
}

/// The last bytes of a stream.
#[derive(Debug, Default)]
pub(crate) struct Tail(Vec<u8>);

impl Tail {
    /// How many bytes are of interest.
    const KEPT: usize = 4096;

    fn push(&mut self, text: &[u8]) {
        let text = &text[text.len().saturating_sub(Self::KEPT)..];
        self.0.extend_from_slice(text);
        // Cut in larger steps than a line, so that a byte is moved once at most.
        if self.0.len() > 4 * Self::KEPT {
            self.0.drain(..self.0.len() - Self::KEPT);
        }
    }

    /// The text, without white space at its ends, what is not UTF-8 replaced.
    pub(crate) fn text(&self) -> String {
        let start = self.0.len().saturating_sub(Self::KEPT);
        String::from_utf8_lossy(&self.0[start..]).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_keeps_the_end() {
        let mut tail = Tail::default();
        for number in 0..10_000 {
            tail.push(format!("line {number}\n").as_bytes());
        }
        let text = tail.text();
        assert!(text.ends_with("line 9999"));
        assert!(text.len() <= Tail::KEPT);
        assert!(tail.0.len() <= 4 * Tail::KEPT);

        tail.push(&vec![b'x'; 100_000]);
        assert_eq!(tail.text(), "x".repeat(Tail::KEPT));
    }
}
