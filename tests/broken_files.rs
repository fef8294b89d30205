//! What is no flow: one clear error each, which names what is missing or does not fit.

use std::fs;
use std::path::Path;

use crate::support::Outcome;
use crate::support::Place;
use crate::support::example;

/// What is said of a file. All commands that load flows say the same.
fn refused(place: &Place, file: &Path) -> Outcome {
    let run = place.run(file, "").fails(1);
    for command in ["check", "show"] {
        let other = place.command([command]).arg(file).output().unwrap();
        assert_eq!(other.status.code(), Some(1));
        assert_eq!(String::from_utf8(other.stderr).unwrap(), run.stderr);
    }
    assert_eq!(run.stdout, "");
    let first = format!("error: '{}' cannot be loaded: ", file.display());
    assert!(run.stderr.starts_with(&first), "{run}");
    assert!(!place.path().join(".wflow").exists(), "no store is made for what is no flow");
    run
}

#[test]
fn an_empty_file() {
    let place = Place::new();
    let told = refused(&place, &place.file("empty.wasm", ""));
    assert!(told.stderr.ends_with(": the file is empty: build the flow again\n"), "{told}");
}

#[test]
fn a_truncated_file() {
    let place = Place::new();
    let whole = fs::read(example("counter")).unwrap();
    for length in [4, 12, 100, whole.len() / 2, whole.len() - 1] {
        let told = refused(&place, &place.file("cut.wasm", &whole[..length]));
        assert_eq!(told.stderr.lines().count(), 1, "one clear error: {told}");
    }
    let told = refused(&place, &place.file("cut.wasm", &whole[..whole.len() / 2]));
    assert!(told.stderr.contains("cut off") || told.stderr.contains("truncated"), "{told}");
}

#[test]
fn a_native_binary() {
    let place = Place::new();
    let told = refused(&place, Path::new(env!("CARGO_BIN_EXE_wflow")));
    assert!(told.stderr.contains("a Linux program (ELF), not WebAssembly"), "{told}");
}

#[test]
fn sources() {
    let place = Place::new();
    let python = refused(&place, &place.file("flow.py", "from wflow import flow\n"));
    assert!(python.stderr.contains("looks like Python source"), "{python}");
    let text = refused(&place, &place.file("flow.wat", "(module)"));
    assert!(text.stderr.contains("WebAssembly text"), "{text}");
    let noise = refused(&place, &place.file("noise", [7; 5000]));
    assert!(noise.stderr.contains("not WebAssembly"), "{noise}");
}

#[test]
fn a_file_that_is_not_there() {
    let place = Place::new();
    for command in ["run nosuch.wasm", "check nosuch.wasm", "show nosuch.wasm"] {
        let told = place.wflow(command).fails(2);
        assert!(told.stderr.starts_with("error: cannot read the flow '"), "{told}");
        assert_eq!(told.stderr.lines().count(), 1, "{told}");
    }
    for command in ["run .", "check .", "check . --json", "show ."] {
        let told = place.wflow(command).fails(2);
        assert!(told.stderr.contains("make a flow of it with `wflow build .`"), "{told}");
    }
}

fn refused_text(text: &str) -> String {
    let place = Place::new();
    let file = place.file("other.wasm", wat::parse_str(text).unwrap());
    refused(&place, &file).stderr
}

#[test]
fn a_component_for_the_command_world() {
    let told = refused_text(
        r#"(component
          (core module $m
            (memory (export "memory") 1)
            (func (export "run") (result i32) (i32.const 0)))
          (core instance $i (instantiate $m))
          (import "wasi:cli/environment@0.2.3" (instance
            (export "get-arguments" (func (result (list string))))))
          (func $run (result (result)) (canon lift (core func $i "run")))
          (instance $command (export "run" (func $run)))
          (export "wasi:cli/run@0.2.3" (instance $command)))"#,
    );
    assert!(told.contains("it does not export `describe: func() -> string`"), "{told}");
    assert!(told.contains("it does not export `run: "), "{told}");
    assert!(told.contains("wasi:cli/run@0.2.3"), "it names what is there: {told}");
}

#[test]
fn a_program_for_the_command_line_as_a_module() {
    let told = refused_text(
        r#"(module
          (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
          (memory (export "memory") 1)
          (func (export "_start")))"#,
    );
    assert!(told.contains("does not fit the world `wflow:flow/flow`"), "{told}");
    assert!(told.contains("`describe`"), "{told}");
}

#[test]
fn a_component_that_wants_what_is_not_there() {
    let told = refused_text(
        r#"(component
          (import "wflow:flow/task@9.9.9" (instance (export "now" (func (result u64)))))
          (import "wflow:flow/inputs@0.1.0" (instance (export "count" (func (result u64)))))
          (import "wasi:keyvalue/store@0.2.3" (instance (export "handle" (func))))
          (import "acme:db/query@1.0.0" (instance (export "sql" (func))))
          (import "magic" (func)))"#,
    );
    for part in [
        "wflow:flow/task@9.9.9, this host speaks 0.1.0: build the flow with the SDK of this wflow",
        "`count` of wflow:flow/inputs@0.1.0 as `func() -> u64`, this host has `func() -> u32`",
        "wasi:keyvalue/store@0.2.3, which is not granted",
        "acme:db/query@1.0.0, which this host does not have",
        "the function `magic`, which this host does not have",
        "it does not export `describe: func() -> string`",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
}

#[test]
fn a_module_that_imports_what_nobody_has() {
    let told = refused_text(
        r#"(module
          (import "env" "magic" (func))
          (memory (export "memory") 1)
          (func (export "describe") (result i32) unreachable)
          (func (export "run") (param i32 i32) (result i32) unreachable))"#,
    );
    assert!(told.contains("module requires an import interface named `env`"), "{told}");
}

#[test]
fn a_flow_that_cannot_describe_itself() {
    let place = Place::new();
    for (describe, part) in [
        ("unreachable", "it gave up"),
        ("(loop $l (br $l)) unreachable", "longer than"),
        ("(i32.const 65532)", "describe"),
    ] {
        let text = format!(
            r#"(module
              (memory (export "memory") 1)
              (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
              (func (export "describe") (result i32) {describe})
              (func (export "run") (param i32 i32) (result i32) unreachable))"#
        );
        let file = place.file("guest.wasm", wat::parse_str(text).unwrap());
        let told = place.run(&file, "").fails(1);
        assert!(told.stderr.contains(part), "{part} is not in {told}");
    }
}
