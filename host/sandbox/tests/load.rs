//! What is taken for a flow, and what is said about everything else.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;

use support::Guest;
use support::run;
use support::sandbox;
use wflow_sandbox::LoadError;
use wflow_sandbox::Sandbox;
use wflow_sandbox::SandboxOptions;

/// The message for a component or module in text.
fn refused(text: &str) -> String {
    sandbox().load(&wat::parse_str(text).unwrap()).err().expect("not a flow").to_string()
}

const FLOW: &str = r#"
    (core module $m
      (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
      (func (export "describe") (result i32) (i32.const 0))
      (func (export "run") (param i32 i32) (result i32) (i32.const 16)))
    (core instance $i (instantiate $m))
    (alias core export $i "memory" (core memory $memory))
    (type $failure' (record (field "kind" string) (field "message" string)
      (field "location" string) (field "trace" string)))
    (import "failure" (type $failure (eq $failure')))
    (func $describe (result string) (canon lift (core func $i "describe") (memory $memory)))
    (func $run (param "step" string) (result (result (error $failure)))
      (canon lift (core func $i "run") (memory $memory) (realloc (core func $i "realloc"))))
    (export "describe" (func $describe))"#;

#[test]
fn every_prefix_of_a_flow_is_refused_kindly() {
    let module = Guest::default().module();
    let sandbox = sandbox();
    for length in 1..module.len() {
        // A prefix that ends between two sections is a module without the rest of it: of the
        // names at its end, even a flow.
        let Err(error) = sandbox.load(&module[..length]) else { continue };
        let expected = matches!(
            error,
            LoadError::Truncated { .. } | LoadError::Module(_) | LoadError::Invalid(_)
        );
        assert!(expected, "{length}: {error}");
    }
    let error = sandbox.load(&module[..module.len() / 2]).err().unwrap();
    assert!(matches!(error, LoadError::Truncated { .. }), "{error}");
}

#[test]
fn damage_is_refused() {
    let module = Guest::default().module();
    let sandbox = sandbox();
    for position in 8..module.len() {
        let mut damaged = module.clone();
        damaged[position] ^= 0x55;
        // Some damage makes another valid module; none brings the host down.
        let _ = sandbox.load(&damaged).map(|component| component.digest());
    }
}

#[test]
fn what_is_no_wasm_is_named() {
    let sandbox = sandbox();
    let message = |bytes: &[u8]| sandbox.load(bytes).err().unwrap().to_string();
    assert_eq!(message(b""), "the file is empty: build the flow again");
    let program = fs::read(std::env::current_exe().unwrap()).unwrap();
    assert_eq!(
        message(&program),
        "this is a Linux program (ELF), not WebAssembly: build the flow for a wasm target, such \
         as wasm32-wasip2"
    );
    assert_eq!(
        message(b"from wflow import flow\n"),
        "this is not WebAssembly but looks like Python source: give the .wasm file that the \
         build made"
    );
    // The engine could read this; a flow in text is a mistake all the same.
    assert!(message(b"(component)").contains("WebAssembly text"));
}

#[test]
fn a_module_without_the_exports() {
    assert_eq!(
        refused(r#"(module (memory (export "memory") 1))"#),
        "the core module does not fit the world `wflow:flow/flow`: failed to find export of \
         function `describe`"
    );
}

#[test]
fn a_module_that_imports_what_nobody_has() {
    let guest = Guest::importing(r#"(import "env" "magic" (func))"#, "(global.get $ok)");
    let message = refused(&guest.wat());
    assert_eq!(
        message,
        "the core module does not fit the world `wflow:flow/flow`: module requires an import \
         interface named `env`"
    );
}

#[test]
fn a_component_in_its_own_right_is_taken() {
    let text = format!(r#"(component {FLOW} (export "run" (func $run)))"#);
    let component = sandbox().load(&wat::parse_str(text).unwrap()).unwrap();
    assert_eq!(component.describe().unwrap(), "");
}

#[test]
fn every_missing_import_is_named_with_what_the_host_speaks() {
    let text = format!(
        r#"(component
          (import "wflow:flow/task@0.3.0" (instance (export "now" (func (result u64)))))
          (import "wflow:flow/artifacts@0.1.7" (instance
            (export "names" (func (result (list u8))))
            (export "sorted" (func))))
          (import "wflow:flow/earlier@0.1.0" (instance (export "runs" (func))))
          (import "wasi:keyvalue/store@0.2.0" (instance (export "open" (func))))
          (import "wasi:random/random@0.3.0" (instance (export "get" (func))))
          (import "acme:db/query@1.0.0" (instance (export "sql" (func))))
          (import "magic" (func))
          {FLOW} (export "run" (func $run)))"#
    );
    assert_eq!(
        refused(&text),
        "the component is not a flow that this host can run:
- it imports wflow:flow/task@0.3.0, this host speaks 0.1.0: build the flow with the SDK of this wflow
- it imports `names` of wflow:flow/artifacts@0.1.7 as `func() -> list<u8>`, this host has `func() -> list<string>`
- it imports `sorted` of wflow:flow/artifacts@0.1.7, which this host does not have: it may be too old
- it imports wflow:flow/earlier@0.1.0, which this host does not have: it may be too old
- it imports wasi:keyvalue/store@0.2.0, which is not granted: a task has no world outside but its artifacts
- it imports wasi:random/random@0.3.0, this host speaks 0.2.12
- it imports acme:db/query@1.0.0, which this host does not have
- it imports the function `magic`, which this host does not have"
    );
}

#[test]
fn missing_exports_are_named_with_what_is_there() {
    let text = format!("(component {FLOW})");
    assert_eq!(
        refused(&text),
        "the component is not a flow that this host can run:
- it does not export `run: func(step: string) -> result<_, record { kind: string, message: string, location: string, trace: string }>`; it exports `describe`"
    );
    assert_eq!(
        refused("(component)"),
        "the component is not a flow that this host can run:
- it does not export `describe: func() -> string`; it exports nothing
- it does not export `run: func(step: string) -> result<_, record { kind: string, message: string, location: string, trace: string }>`; it exports nothing"
    );
}

#[test]
fn an_export_of_another_type_is_told() {
    let text = format!(r#"(component {FLOW} (export "run" (func $describe)))"#);
    assert_eq!(
        refused(&text),
        "the component is not a flow that this host can run:
- its export `run` is `func() -> string`, a flow's is `func(step: string) -> result<_, record { kind: string, message: string, location: string, trace: string }>`"
    );
}

#[test]
fn the_digest_is_that_of_the_file() {
    let module = Guest::default().module();
    let component = sandbox().load(&module).unwrap();
    assert_eq!(component.digest(), wflow_model::Digest::of(&module));
}

fn cached(folder: &std::path::Path) -> Sandbox {
    let cache_dir = Some(folder.to_owned());
    Sandbox::new(&SandboxOptions { slots: 1, cache_dir, ..SandboxOptions::default() }).unwrap()
}

#[test]
fn compiled_code_is_kept_and_damage_to_it_is_noticed() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("code");
    let module = Guest::default().module();
    assert_eq!(run(&cached(&folder).load(&module).unwrap()).1, Ok(()));

    let mut files: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let [code, digest] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!(code.extension().unwrap(), "cwasm");
    assert_eq!(digest.extension().unwrap(), "digest");

    // Found again: nothing is written.
    let written = fs::metadata(code).unwrap().modified().unwrap();
    assert_eq!(run(&cached(&folder).load(&module).unwrap()).1, Ok(()));
    assert_eq!(fs::metadata(code).unwrap().modified().unwrap(), written);

    // Damaged in any way: made anew.
    let whole = fs::read(code).unwrap();
    let mut bent = whole.clone();
    bent[whole.len() / 2] ^= 1;
    for damaged in [&b""[..], &whole[..whole.len() / 2], &bent, b"something else"] {
        fs::write(code, damaged).unwrap();
        assert_eq!(run(&cached(&folder).load(&module).unwrap()).1, Ok(()));
        assert!(fs::read(code).unwrap() == whole);
    }
    fs::write(digest, "damaged").unwrap();
    assert_eq!(run(&cached(&folder).load(&module).unwrap()).1, Ok(()));
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_can_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;

    let temporary = tempfile::tempdir().unwrap();
    let made = temporary.path().join("made");
    cached(&made);
    assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);

    let open = temporary.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(run(&cached(&open).load(&Guest::default().module()).unwrap()).1, Ok(()));
    assert_eq!(fs::read_dir(&open).unwrap().count(), 0);

    let file = temporary.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(run(&cached(&file).load(&Guest::default().module()).unwrap()).1, Ok(()));
}

#[test]
fn types_beyond_wit_are_refused_all_the_same() {
    let exporting_a_type = FLOW.replace(
        "(import \"failure\" (type $failure (eq $failure')))",
        "(export $failure \"failure\" (type $failure'))",
    );
    let text = format!(r#"(component {exporting_a_type} (export "run" (func $describe)))"#);
    assert_eq!(
        refused(&text),
        "the component is not a flow that this host can run:
- its exports `describe` and `run` are not those of a flow"
    );
    let text = format!(r#"(component (import "magic" (func)) {exporting_a_type})"#);
    assert!(refused(&text).contains("magic"));
}
