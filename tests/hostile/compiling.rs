//! Files that are no flows, and flows that a compiler would choke on.

use std::time::Duration;

use wflow::HostOptions;

use crate::arena::Case;
use crate::guest::Guest;

/// A number as WebAssembly writes it.
fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &number(content.len()), content].concat()
}

fn vector(items: impl ExactSizeIterator<Item = Vec<u8>>) -> Vec<u8> {
    let count = number(items.len());
    [count, items.flatten().collect()].concat()
}

/// A module of so many functions from a number to a number, with so many locals and this body.
fn module(functions: usize, locals: usize, body: &[u8]) -> Vec<u8> {
    let locals = [
        number(usize::from(locals > 0)),
        if locals > 0 { [number(locals), vec![0x7f]].concat() } else { Vec::new() },
    ]
    .concat();
    let body = [&locals[..], body, &[0x20, 0, 0x0b]].concat();
    let body = [&number(body.len())[..], &body].concat();
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &vector([vec![0x60, 1, 0x7f, 1, 0x7f]].into_iter())),
        section(3, &vector(vec![vec![0]; functions].into_iter())),
        section(5, &vector([vec![0, 1]].into_iter())),
        section(10, &vector(vec![body; functions].into_iter())),
    ]
    .concat()
}

/// A component that has this module and does nothing with it.
fn component(module: &[u8]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, module)].concat()
}

#[test]
fn bombs_for_the_compiler() {
    let nop = |size: usize| vec![0x01; size];
    let loops = |depth: usize| [[0x03, 0x40].repeat(depth), vec![0x0b; depth]].concat();
    // Branches around assignments: each local may have another value after each.
    let diamonds = |branches: usize| [0x20, 0, 0x04, 0x40, 0x20, 0, 0x21, 1, 0x0b].repeat(branches);
    // One branch to each of very many places.
    let table = |targets: usize| {
        [&[0x02, 0x40, 0x20, 0, 0x0e][..], &number(targets), &vec![0; targets + 1], &[0x0b]]
            .concat()
    };
    let cases = [
        (module(1, 0, &nop(2_000_000)), "bytes in one function, and at most 524288 are compiled"),
        (module(20, 0, &nop(100_000)), "bytes in functions of more than 64 KiB"),
        (module(600, 0, &nop(50_000)), "bytes of code, and at most 25165824 are compiled"),
        (module(300_000, 0, &[]), "it has 250001 functions, and at most 250000 are compiled"),
        (module(1, 0, &loops(2000)), "it has 101 loops within each other, and at most 100"),
        (module(1, 1000, &diamonds(5000)), "locals times branches in one function"),
        (module(1, 40_000, &diamonds(500)), "locals times branches in one function"),
        (module(1, 10, &table(450_000)), "locals times branches in one function"),
        (module(1, 0, &table(3_000_000)), "bytes in one function"),
        (component(&module(1, 60_000, &[])), "too many locals"),
    ];
    for (module, told) in cases {
        Case::bytes(module).refused(&["cannot be loaded", told]);
    }
    let blocks = [[0x02, 0x40].repeat(100_000), vec![0x0b; 100_000]].concat();
    // These are compiled, and are no flows.
    for module in [module(1, 0, &blocks), module(1, 49_000, &[]), module(1, 0, &loops(100))] {
        Case::bytes(component(&module)).refused(&["it does not export `describe"]);
    }
}

#[test]
fn a_compilation_that_takes_too_long_is_not_waited_for() {
    let copy = "(memory.copy (i32.const 1) (i32.const 2) (i32.const 3))";
    let guest = Guest::default().with(&format!("(func {})", copy.repeat(1000)));
    let options = HostOptions { compile_time: Duration::from_millis(1), ..HostOptions::default() };
    Case::of(guest.clone()).on(options).refused(&["it is not compiled after 0.001 s"]);
    Case::of(guest).passes();
}

#[test]
fn very_many_small_things() {
    let with = |what: &str, count: usize| Guest::default().with(&what.repeat(count));
    Case::of(with("(type (func (param i32 i64 f32)))", 250_000)).refused(&["types, and at most"]);
    Case::of(with("(global i32 (i32.const 0))", 50_000)).passes();
    Case::of(with("(data \"x\")", 50_000)).passes();
    Case::of(with("(data \"x\")", 110_000)).refused(&["cannot be loaded"]);
    Case::of(with("(memory 0)", 40)).refused(&["cannot be"]);
    Case::of(with("(table 1 funcref)", 40)).refused(&["cannot be"]);
    let imports = r#"(import "nobody" "has" (func))"#.repeat(20_000);
    Case::of(Guest::default().importing(&imports)).refused(&["import interface named `nobody`"]);
    let long = format!(r#"(import "{}" "x" (func))"#, "n".repeat(90_000));
    Case::of(Guest::default().importing(&long)).refused(&["import interface named `nnnn", "…"]);
    // Many instances of one module, each with a memory.
    let instances: String =
        (0..500).map(|n| format!("(core instance $i{n} (instantiate $m))")).collect();
    let text = format!("(component (core module $m (memory 1)) {instances})");
    Case::component(&text).refused(&["cannot be loaded"]);
    let nested = format!("{}{}", "(component ".repeat(90), ")".repeat(90));
    Case::component(&nested).refused(&["cannot be loaded"]);
}

#[test]
fn types_that_double_with_each_line() {
    let mut types = "(type $t0 (record (field \"a\" u8) (field \"b\" u8)))".to_owned();
    for depth in 1..18 {
        let below = depth - 1;
        types += &format!("(type $t{depth} (tuple $t{below} $t{below}))");
    }
    let text = format!(
        r#"(component {types}
          (import "wflow:flow/task@0.1.0" (instance
            (export "now" (func (param "x" u8) (result u64))))) )"#
    );
    Case::component(&text).refused(&["it imports `now`"]);
    let deeper: String =
        (18..40).map(|n| format!("(type $t{n} (tuple $t{0} $t{0}))", n - 1)).collect();
    Case::component(&format!("(component {types} {deeper})")).refused(&["cannot be loaded"]);
}

#[test]
fn imports_that_nobody_provides() {
    let component = |import: &str| format!("(component {import})");
    let cases = [
        (
            r#"(import "wflow:flow/task@9.9.9" (instance (export "now" (func (result u64)))))"#,
            "this host speaks 0.1.0",
        ),
        (
            r#"(import "wflow:flow/task@0.1.0" (instance (export "now" (func (result string)))))"#,
            "it imports `now`",
        ),
        (
            r#"(import "wflow:flow/task@0.1.0" (instance (export "shell" (func (param "x" string)))))"#,
            "it imports `shell`",
        ),
        (
            r#"(import "wasi:random/random@9.0.0" (instance (export "get" (func))))"#,
            "this host speaks 0.2",
        ),
        (
            r#"(import "host:kernel/ptrace@1.0.0" (instance (export "attach" (func))))"#,
            "which this host does not have",
        ),
        (
            r#"(import "system" (func (param "command" string)))"#,
            "it imports the function `system`",
        ),
    ];
    for (import, told) in cases {
        Case::component(&component(import)).refused(&[told]);
    }
}

#[test]
fn files_that_are_none() {
    for bytes in [&b""[..], b"\0asm", b"\0asm\x0d\0\x01\0", b"\x7fELF", &[0xff; 1000]] {
        Case::bytes(bytes.to_owned()).refused(&["hostile.wasm"]);
    }
    // Sections that are longer than the file, and names that are.
    let module = [&b"\0asm\x01\0\0\0"[..], &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
    Case::bytes(module).refused(&["cannot be loaded"]);
    let custom = section(0, &[&number(1 << 28)[..], b"name"].concat());
    Case::bytes([b"\0asm\x01\0\0\0".to_vec(), custom].concat()).refused(&["cannot be loaded"]);
    Case::bytes(vec![0; (128 << 20) + 1]).refused(&["it has more than 128 MiB"]);
}
