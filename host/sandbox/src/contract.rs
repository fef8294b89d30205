//! The host's side of the contract in `wit/flow.wit`.
//!
//! Written by hand rather than generated, for one reason: a byte that a guest puts is handed
//! on where it lies in the guest's memory, and a byte that it gets is copied into it straight
//! from where the store has it. Generated bindings copy each to a `Vec` first. Types are
//! checked against those of the component when it is loaded.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::ComponentType;
use wasmtime::component::Lift;
use wasmtime::component::Linker;
use wasmtime::component::LinkerInstance;
use wasmtime::component::Lower;
use wasmtime::component::Resource;
use wasmtime::component::ResourceType;
use wasmtime::component::WasmList;
use wasmtime::component::WasmStr;

use crate::ArtifactRead;
use crate::ArtifactWrite;
use crate::Channel;
use crate::Frame;
use crate::MAX_READ;
use crate::Problem;
use crate::TaskIo;
use crate::Value;
use crate::state::State;

/// The text of the contract.
pub(crate) const WIT: &str = include_str!("../../../wit/flow.wit");

/// The most random bytes that one `task.random` may draw.
const MAX_RANDOM: u32 = 65_536;

/// The import by which a task learns what is different in every run, though nothing is granted.
pub const RUN_ID: &str = "wflow:flow/task.run-id";

/// Why a guest says that its task failed.
#[derive(Debug, Clone, PartialEq, Eq, Default, ComponentType, Lift)]
#[component(record)]
pub struct GuestFailure {
    /// What kind of failure: `panic`, the class of an exception; or empty.
    pub kind: String,
    /// What happened, in the guest's own words.
    pub message: String,
    /// `file:line:column` or `file:line` in the flow's source; or empty.
    pub location: String,
    /// A traceback or a chain of causes; or empty.
    pub trace: String,
}

impl GuestFailure {
    /// The most bytes of each text that are kept. A person reads this.
    const KEPT: usize = 64 << 10;

    /// Cuts texts that nobody would read to the end, and that would be kept for ever.
    pub(crate) fn clipped(self) -> Self {
        let Self { kind, message, location, trace } = self;
        let [kind, message, location, trace] = [kind, message, location, trace]
            .map(|text| if text.len() > Self::KEPT { clip(&text, Self::KEPT) } else { text });
        Self { kind, message, location, trace }
    }
}

/// The beginning of a text, with a sign where it was cut.
fn clip(text: &str, most: usize) -> String {
    match &text[..text.floor_char_boundary(most)] {
        whole if whole.len() == text.len() => text.to_owned(),
        beginning => format!("{beginning}…"),
    }
}

/// The guest broke a rule in a call that has no result to say so in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Violation(pub(crate) String);

/// An import was called that only a task may call.
fn outside_a_task(import: &str) -> Violation {
    Violation(format!(
        "`{import}` was called while the flow was being described, which is before any task \
         runs: build the graph without it"
    ))
}

/// A [`GuestFailure`] that lies in the guest's memory, where it may be as long as that.
#[derive(ComponentType, Lift)]
#[component(record)]
struct SaidFailure {
    kind: WasmStr,
    message: WasmStr,
    location: WasmStr,
    trace: WasmStr,
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct Identity {
    flow: Arc<str>,
    step: Arc<str>,
    task: String,
    attempt: u32,
    frames: Vec<Frame>,
}

/// A reader in the hands of the guest.
struct Reader(Box<dyn ArtifactRead>);

/// A writer in the hands of the guest; none once it is finished.
struct Writer(Option<Box<dyn ArtifactWrite>>);

type Context<'a> = StoreContextMut<'a, State>;
/// What a host call returns: a tuple, as the results of a function are a list.
type Return<T> = wasmtime::Result<(T,)>;
/// The same for a function whose result is a `result`.
type Answer<T> = Return<Result<T, Problem>>;

/// Provides the contract to guests.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_task(&mut linker.instance("wflow:flow/task@0.1.0")?)?;
    link_artifacts(&mut linker.instance("wflow:flow/artifacts@0.1.0")?)?;
    link_inputs(&mut linker.instance("wflow:flow/inputs@0.1.0")?)
}

fn link_task(task: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    task.func_wrap("identify", |cx: Context<'_>, (): ()| -> Return<Identity> {
        let task = cx.data().task.as_ref().ok_or_else(|| outside_a_task("task.identify"))?;
        Ok((Identity {
            flow: task.flow.clone(),
            step: task.step.clone(),
            task: task.task.clone(),
            attempt: task.attempt,
            frames: task.frames.clone(),
        },))
    })?;
    task.func_wrap("run-id", |mut cx: Context<'_>, (): ()| -> Return<Arc<str>> {
        let task = cx.data().task.as_ref().ok_or_else(|| outside_a_task("task.run-id"))?;
        let run_id = task.run_id.clone();
        cx.data_mut().let_in(RUN_ID);
        Ok((run_id,))
    })?;
    task.func_wrap("now", |mut cx: Context<'_>, (): ()| -> Return<u64> {
        Ok((cx.data_mut().clock("wflow:flow/task.now").wall(),))
    })?;
    task.func_wrap("random", |mut cx: Context<'_>, (count,): (u32,)| -> Return<Vec<u8>> {
        if count > MAX_RANDOM {
            let text = format!("`task.random` was asked for {count} bytes; at most {MAX_RANDOM}");
            return Err(Violation(text).into());
        }
        Ok((cx.data_mut().random("wflow:flow/task.random").bytes(count as usize)?,))
    })?;
    task.func_wrap(
        "log",
        |mut cx: Context<'_>, (channel, text): (Channel, WasmList<u8>)| -> wasmtime::Result<()> {
            // One byte more than there is room for is too many.
            let most = cx.data().log_room(channel).saturating_add(1);
            let text = text.as_le_slice(&cx);
            let text = text[..text.len().min(most)].to_vec();
            Ok(cx.data_mut().log(channel, &text)?)
        },
    )?;
    task.func_wrap("fail", |mut cx: Context<'_>, (said,): (SaidFailure,)| -> wasmtime::Result<()> {
        let clipped = |text: &WasmStr| -> wasmtime::Result<String> {
            Ok(clip(&text.to_str(&cx)?, GuestFailure::KEPT))
        };
        let failure = GuestFailure {
            kind: clipped(&said.kind)?,
            message: clipped(&said.message)?,
            location: clipped(&said.location)?,
            trace: clipped(&said.trace)?,
        };
        cx.data_mut().failure = Some(failure);
        Ok(())
    })
}

fn link_artifacts(artifacts: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    artifacts.func_wrap("get", |mut cx: Context<'_>, (name,): (WasmStr,)| -> Answer<Value> {
        let name = short(&cx, &name)?;
        Ok((io(&mut cx, "artifacts.get")?.get(&name),))
    })?;
    artifacts.func_wrap(
        "put",
        |mut cx: Context<'_>, args: (WasmStr, WasmStr, WasmList<u8>)| -> Answer<()> {
            let (name, format, data) = args;
            let (name, format) = (short(&cx, &name)?, short(&cx, &format)?);
            // The data is borrowed from the memory of the store that holds `io`, so `io`
            // steps out of it for the call.
            let mut io = cx.data_mut().io.take().ok_or_else(|| outside_a_task("artifacts.put"))?;
            let answer = io.put(&name, &format, data.as_le_slice(&cx));
            cx.data_mut().io = Some(io);
            Ok((answer,))
        },
    )?;
    artifacts.func_wrap("remove", |mut cx: Context<'_>, (name,): (WasmStr,)| -> Answer<()> {
        let name = short(&cx, &name)?;
        Ok((io(&mut cx, "artifacts.remove")?.remove(&name),))
    })?;
    artifacts.func_wrap("names", |mut cx: Context<'_>, (): ()| -> Return<Vec<Arc<str>>> {
        Ok((io(&mut cx, "artifacts.names")?.names(),))
    })?;
    artifacts.func_wrap("item", |mut cx: Context<'_>, (level,): (u32,)| -> Answer<Value> {
        Ok((io(&mut cx, "artifacts.item")?.item(level),))
    })?;
    artifacts.func_wrap(
        "open",
        |mut cx: Context<'_>, (name,): (WasmStr,)| -> Answer<Resource<Reader>> {
            let name = short(&cx, &name)?;
            let opened = io(&mut cx, "artifacts.open")?.open(&name);
            handle(&mut cx, opened.map(Reader))
        },
    )?;
    artifacts.func_wrap(
        "create",
        |mut cx: Context<'_>, (name, format): (WasmStr, WasmStr)| -> Answer<Resource<Writer>> {
            let (name, format) = (short(&cx, &name)?, short(&cx, &format)?);
            let created = io(&mut cx, "artifacts.create")?.create(&name, &format);
            handle(&mut cx, created.map(|writer| Writer(Some(writer))))
        },
    )?;
    link_reader(artifacts)?;
    link_writer(artifacts)
}

fn link_reader(artifacts: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    artifacts.resource("reader", ResourceType::host::<Reader>(), |mut cx, handle| {
        cx.data_mut().table.delete(Resource::<Reader>::new_own(handle))?;
        Ok(())
    })?;
    artifacts.func_wrap(
        "[method]reader.format",
        |cx: Context<'_>, (reader,): (Resource<Reader>,)| -> Return<Arc<str>> {
            Ok((cx.data().table.get(&reader)?.0.format(),))
        },
    )?;
    artifacts.func_wrap(
        "[method]reader.size",
        |cx: Context<'_>, (reader,): (Resource<Reader>,)| -> Return<u64> {
            Ok((cx.data().table.get(&reader)?.0.size(),))
        },
    )?;
    artifacts.func_wrap(
        "[method]reader.read",
        |mut cx: Context<'_>, args: (Resource<Reader>, u64, u32)| -> Answer<Vec<u8>> {
            let (reader, offset, count) = args;
            let reader = cx.data_mut().table.get_mut(&reader)?;
            if count > MAX_READ {
                let text = format!("{count} bytes were asked for at once; at most {MAX_READ}");
                return Ok((Err(Problem::Refused(text)),));
            }
            Ok((reader.0.read(offset, count),))
        },
    )
}

fn link_writer(artifacts: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    fn finished() -> Problem {
        Problem::Refused("the writer is finished: nothing can be added".to_owned())
    }
    artifacts.resource("writer", ResourceType::host::<Writer>(), |mut cx, handle| {
        cx.data_mut().table.delete(Resource::<Writer>::new_own(handle))?;
        Ok(())
    })?;
    artifacts.func_wrap(
        "[method]writer.write",
        |mut cx: Context<'_>, args: (Resource<Writer>, WasmList<u8>)| -> Answer<()> {
            let (handle, data) = args;
            // Like `put`, the writer steps out of the store that the data is borrowed from.
            let Some(mut writer) = cx.data_mut().table.get_mut(&handle)?.0.take() else {
                return Ok((Err(finished()),));
            };
            let answer = writer.write(data.as_le_slice(&cx));
            cx.data_mut().table.get_mut(&handle)?.0 = Some(writer);
            Ok((answer,))
        },
    )?;
    artifacts.func_wrap(
        "[method]writer.finish",
        |mut cx: Context<'_>, (handle,): (Resource<Writer>,)| -> Answer<()> {
            let Some(writer) = cx.data_mut().table.get_mut(&handle)?.0.take() else {
                return Ok((Err(finished()),));
            };
            Ok((io(&mut cx, "writer.finish")?.finish(writer),))
        },
    )
}

fn link_inputs(inputs: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    inputs.func_wrap("count", |mut cx: Context<'_>, (): ()| -> Return<u32> {
        Ok((io(&mut cx, "inputs.count")?.input_count(),))
    })?;
    inputs.func_wrap("step", |mut cx: Context<'_>, (index,): (u32,)| -> Answer<Arc<str>> {
        Ok((io(&mut cx, "inputs.step")?.input_step(index),))
    })?;
    inputs.func_wrap(
        "get",
        |mut cx: Context<'_>, args: (WasmStr, u32, u32)| -> Answer<Vec<Option<Value>>> {
            let (name, first, max) = args;
            let name = short(&cx, &name)?;
            Ok((io(&mut cx, "inputs.get")?.input_get(&name, first, max),))
        },
    )?;
    inputs.func_wrap(
        "names",
        |mut cx: Context<'_>, (index,): (u32,)| -> Answer<Vec<Arc<str>>> {
            Ok((io(&mut cx, "inputs.names")?.input_names(index),))
        },
    )?;
    inputs.func_wrap(
        "open",
        |mut cx: Context<'_>, (index, name): (u32, WasmStr)| -> Answer<Resource<Reader>> {
            let name = short(&cx, &name)?;
            let opened = io(&mut cx, "inputs.open")?.input_open(index, &name);
            handle(&mut cx, opened.map(Reader))
        },
    )?;
    inputs.func_wrap(
        "merge",
        |mut cx: Context<'_>, args: (WasmList<WasmStr>, WasmList<WasmStr>)| -> Answer<()> {
            let (include, exclude) = args;
            let given = include.len() + exclude.len();
            if given > MAX_MERGED {
                let text = format!("merge_artifacts was given {given} names; at most {MAX_MERGED}");
                return Ok((Err(Problem::Refused(text)),));
            }
            let (include, exclude) = (names(&mut cx, &include)?, names(&mut cx, &exclude)?);
            Ok((io(&mut cx, "inputs.merge")?.merge(&include, &exclude),))
        },
    )
}

/// The most names that a merge may be given. No limit of the task's, since it gets to see it.
const MAX_MERGED: usize = 100_000;

/// The most bytes of a name or a format that are looked at. Longer ones are none, and quoted no
/// further than this.
const SHORT: usize = 512;

/// A name or a format, which a guest may give as long as its memory.
fn short(cx: &Context<'_>, text: &WasmStr) -> wasmtime::Result<String> {
    let text = text.to_str(cx)?;
    Ok(text[..text.floor_char_boundary(SHORT)].to_owned())
}

fn names(cx: &mut Context<'_>, list: &WasmList<WasmStr>) -> wasmtime::Result<Vec<String>> {
    let texts = list.iter(&mut *cx)?.collect::<wasmtime::Result<Vec<_>>>()?;
    texts.iter().map(|text| short(cx, text)).collect()
}

/// What the task reads and writes, for a call of `import`.
fn io<'a>(cx: &'a mut Context<'_>, import: &str) -> Result<&'a mut dyn TaskIo, Violation> {
    match &mut cx.data_mut().io {
        Some(io) => Ok(&mut **io),
        None => Err(outside_a_task(import)),
    }
}

/// Hands a reader or writer to the guest.
fn handle<T: Send + 'static>(
    cx: &mut Context<'_>,
    made: Result<T, Problem>,
) -> Answer<Resource<T>> {
    let made = match made {
        Ok(made) => made,
        Err(problem) => return Ok((Err(problem),)),
    };
    Ok((Ok(cx.data_mut().table.push(made)?),))
}
