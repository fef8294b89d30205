//! Compares a component with the world that flows are written for, to say how they differ.

use wasmtime::component::Component;
use wasmtime::component::ComponentExportIndex;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::types::Type;
use wit_parser::Function;
use wit_parser::Handle;
use wit_parser::InterfaceId;
use wit_parser::Resolve;
use wit_parser::Type as WitType;
use wit_parser::TypeDefKind;
use wit_parser::WorldId;
use wit_parser::WorldItem;
use wit_parser::decoding::DecodedWasm;

use crate::encode::contract;
use crate::encode::told;
use crate::wasi;

/// The two exports of a flow, if they are there and of the right type.
pub(crate) fn exports(
    component: &Component,
) -> Option<(ComponentExportIndex, ComponentExportIndex)> {
    let ty = component.component_type();
    let engine = component.engine();
    let function = |name: &str| match ty.get_export(engine, name)?.ty {
        ComponentItem::ComponentFunc(function) => Some(function),
        _ => None,
    };
    if !(is_describe(&function("describe")?) && is_run(&function("run")?)) {
        return None;
    }
    Some((component.get_export_index(None, "describe")?, component.get_export_index(None, "run")?))
}

fn is_describe(function: &ComponentFunc) -> bool {
    function.params().len() == 0 && function.results().eq([Type::String])
}

fn is_run(function: &ComponentFunc) -> bool {
    let fields = ["kind", "message", "location", "trace"];
    let takes_step = function.params().map(|(_, ty)| ty).eq([Type::String]);
    let mut results = function.results();
    let (Some(Type::Result(result)), None) = (results.next(), results.next()) else {
        return false;
    };
    let Some(Type::Record(failure)) = result.err() else {
        return false;
    };
    takes_step
        && result.ok().is_none()
        && failure.fields().map(|field| field.name).eq(fields)
        && failure.fields().all(|field| field.ty == Type::String)
}

/// Every way in which a component differs from what this host runs, each in a sentence. Empty
/// if its types are beyond what WIT can say.
pub(crate) fn differences(component: &[u8]) -> Vec<String> {
    let (theirs, their_world) = match wit_parser::decoding::decode(component) {
        Ok(DecodedWasm::Component(resolve, world)) => (resolve, world),
        Ok(DecodedWasm::WitPackage(..)) => {
            return vec!["it holds WIT definitions and no code".to_owned()];
        }
        Err(error) => {
            tracing::debug!("the types of the component cannot be read: {error:#}");
            return Vec::new();
        }
    };
    let (ours, our_world) = contract();
    let mut found = Vec::new();
    imports(&theirs, their_world, &ours, &mut found);
    missing_exports(&theirs, their_world, &ours, our_world, &mut found);
    found
}

/// So many differences are looked for.
const ENOUGH: usize = 100;

fn imports(theirs: &Resolve, world: WorldId, ours: &Resolve, found: &mut Vec<String>) {
    for (key, item) in &theirs.worlds[world].imports {
        // Nobody reads more, and each may take its time.
        if found.len() > ENOUGH {
            break;
        }
        match item {
            WorldItem::Interface { id, .. } => interface(theirs, *id, ours, found),
            WorldItem::Function(function) => {
                found.push(format!(
                    "it imports the function `{}`, which this host does not have",
                    function.name
                ));
            }
            WorldItem::Type { .. } => {
                let name = theirs.name_world_key(key);
                tracing::trace!("type `{name}` is imported");
            }
        }
    }
}

/// What is wrong with one imported interface.
fn interface(theirs: &Resolve, id: InterfaceId, ours: &Resolve, found: &mut Vec<String>) {
    let Some(full) = theirs.id_of(id) else {
        found.push("it imports an interface without a name".to_owned());
        return;
    };
    let (name, version) = full.split_once('@').unwrap_or((&full, ""));
    let our_interface = ours
        .interfaces
        .iter()
        .filter_map(|(id, _)| Some((id, ours.id_of(id)?)))
        .find(|(_, full)| full.split('@').next() == Some(name));

    if let Some((our_id, our_full)) = our_interface {
        let our_version = our_full.split_once('@').map_or("", |(_, version)| version);
        if compatible(version, our_version) {
            functions(theirs, id, ours, our_id, &full, found);
        } else {
            found.push(format!(
                "it imports {full}, this host speaks {our_version}: build the flow with the SDK \
                 of this wflow"
            ));
        }
    } else if wasi::INTERFACES.contains(&name) {
        if !compatible(version, wasi::VERSION) {
            found.push(format!("it imports {full}, this host speaks {}", wasi::VERSION));
        }
    } else if name.starts_with("wasi:") {
        found.push(format!(
            "it imports {full}, which is not granted: a task has no world outside but its \
             artifacts"
        ));
    } else if name.starts_with("wflow:flow/") {
        found.push(format!("it imports {full}, which this host does not have: it may be too old"));
    } else {
        found.push(format!("it imports {full}, which this host does not have"));
    }
}

/// Whether one version can stand for the other, as the engine resolves imports: the same
/// major version, or the same minor one below 1.0.
fn compatible(theirs: &str, ours: &str) -> bool {
    let significant = |version: &str| {
        let mut parts = version.split('.').map(str::to_owned);
        let major = parts.next().unwrap_or_default();
        let minor = parts.next().unwrap_or_default();
        if major == "0" { (major, minor) } else { (major, String::new()) }
    };
    // A pre-release is compatible with nothing but itself.
    theirs == ours || !theirs.contains('-') && significant(theirs) == significant(ours)
}

/// What is wrong with the functions of an interface that both know.
fn functions(
    theirs: &Resolve,
    their_id: InterfaceId,
    ours: &Resolve,
    our_id: InterfaceId,
    interface: &str,
    found: &mut Vec<String>,
) {
    let known = &ours.interfaces[our_id].functions;
    for (name, function) in &theirs.interfaces[their_id].functions {
        let Some(ours_function) = known.get(name) else {
            found.push(format!(
                "it imports `{name}` of {interface}, which this host does not have: it may be too \
                 old"
            ));
            continue;
        };
        let (got, expected) = (signature(theirs, function), signature(ours, ours_function));
        if got != expected {
            found.push(format!(
                "it imports `{name}` of {interface} as `{}`, this host has `{expected}`",
                told(&got)
            ));
        }
    }
}

fn missing_exports(
    theirs: &Resolve,
    their_world: WorldId,
    ours: &Resolve,
    our_world: WorldId,
    found: &mut Vec<String>,
) {
    let exports = &theirs.worlds[their_world].exports;
    let names: Vec<_> =
        exports.keys().take(20).map(|key| format!("`{}`", theirs.name_world_key(key))).collect();
    let instead = match names.as_slice() {
        [] => "it exports nothing".to_owned(),
        names => format!("it exports {}", names.join(", ")),
    };
    for (key, item) in &ours.worlds[our_world].exports {
        let (name, WorldItem::Function(expected)) = (ours.name_world_key(key), item) else {
            continue;
        };
        let expected = signature(ours, expected);
        let got = exports.iter().find(|(key, _)| theirs.name_world_key(key) == name);
        match got {
            Some((_, WorldItem::Function(got))) => {
                let got = signature(theirs, got);
                if got != expected {
                    let got = told(&got);
                    found.push(format!("its export `{name}` is `{got}`, a flow's is `{expected}`"));
                }
            }
            _ => found.push(format!("it does not export `{name}: {expected}`; {instead}")),
        }
    }
}

/// A function's type, spelled out so that equal texts are equal types.
fn signature(resolve: &Resolve, function: &Function) -> String {
    let params: Vec<_> = function
        .params
        .iter()
        .map(|param| format!("{}: {}", param.name, spell(resolve, &param.ty)))
        .collect();
    let result = match &function.result {
        Some(ty) => format!(" -> {}", spell(resolve, ty)),
        None => String::new(),
    };
    format!("func({}){result}", params.join(", "))
}

/// Types within types that are spelled out: more than the contract has. A type that is given twice
/// in another, and that twice in a third, would soon fill the memory.
const DEPTH: usize = 8;

fn spell(resolve: &Resolve, ty: &WitType) -> String {
    spell_to(resolve, ty, DEPTH)
}

fn spell_to(resolve: &Resolve, ty: &WitType, depth: usize) -> String {
    let WitType::Id(id) = ty else {
        return primitive(ty).to_owned();
    };
    if depth == 0 {
        return "...".to_owned();
    }
    let definition = &resolve.types[*id];
    let one = |ty: &WitType| spell_to(resolve, ty, depth - 1);
    let maybe = |ty: &Option<WitType>| ty.as_ref().map_or_else(|| "_".to_owned(), one);
    let named = |name: &str, ty: Option<&WitType>| match ty {
        Some(ty) => format!("{name}({})", one(ty)),
        None => name.to_owned(),
    };
    let list = |items: Vec<String>| items.join(", ");
    match &definition.kind {
        TypeDefKind::Type(ty) => one(ty),
        TypeDefKind::Record(record) => {
            let field = |f: &wit_parser::Field| format!("{}: {}", f.name, one(&f.ty));
            format!("record {{ {} }}", list(record.fields.iter().map(field).collect()))
        }
        TypeDefKind::Variant(variant) => {
            let case = |c: &wit_parser::Case| named(&c.name, c.ty.as_ref());
            format!("variant {{ {} }}", list(variant.cases.iter().map(case).collect()))
        }
        TypeDefKind::Enum(cases) => {
            format!("enum {{ {} }}", list(cases.cases.iter().map(|c| c.name.clone()).collect()))
        }
        TypeDefKind::Flags(flags) => {
            format!("flags {{ {} }}", list(flags.flags.iter().map(|f| f.name.clone()).collect()))
        }
        TypeDefKind::Tuple(tuple) => {
            format!("tuple<{}>", list(tuple.types.iter().map(one).collect()))
        }
        TypeDefKind::Option(ty) => format!("option<{}>", one(ty)),
        TypeDefKind::Result(result) => {
            format!("result<{}, {}>", maybe(&result.ok), maybe(&result.err))
        }
        TypeDefKind::List(ty) => format!("list<{}>", one(ty)),
        TypeDefKind::Map(key, value) => format!("map<{}, {}>", one(key), one(value)),
        TypeDefKind::FixedLengthList(ty, length) => format!("list<{}, {length}>", one(ty)),
        TypeDefKind::Future(ty) => format!("future<{}>", maybe(ty)),
        TypeDefKind::Stream(ty) => format!("stream<{}>", maybe(ty)),
        TypeDefKind::Handle(Handle::Own(id)) => one(&WitType::Id(*id)),
        TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", one(&WitType::Id(*id))),
        TypeDefKind::Resource | TypeDefKind::Unknown => {
            definition.name.clone().unwrap_or_else(|| "resource".to_owned())
        }
    }
}

fn primitive(ty: &WitType) -> &'static str {
    match ty {
        WitType::Bool => "bool",
        WitType::U8 => "u8",
        WitType::U16 => "u16",
        WitType::U32 => "u32",
        WitType::U64 => "u64",
        WitType::S8 => "s8",
        WitType::S16 => "s16",
        WitType::S32 => "s32",
        WitType::S64 => "s64",
        WitType::F32 => "f32",
        WitType::F64 => "f64",
        WitType::Char => "char",
        WitType::String => "string",
        WitType::ErrorContext => "error-context",
        WitType::Id(_) => "type",
    }
}
