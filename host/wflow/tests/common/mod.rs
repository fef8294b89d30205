//! Flows by hand, and where they run.

use wflow::Flow;
use wflow::Host;
use wflow::HostOptions;
use wflow::Store;

/// A flow that describes itself so, and whose tasks do what `run` says: `$step` and `$length` are
/// where the name of their step is.
pub(crate) fn flow(host: &Host, document: &str, run: &str) -> Flow {
    let escaped = document.replace('"', "\\22").replace('\n', " ");
    let length = document.len();
    let module = format!(
        r#"(module
          (memory (export "memory") 1)
          (data (i32.const 1024) "{escaped}")
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8192))
          (func (export "describe") (result i32)
            (i32.store (i32.const 16) (i32.const 1024))
            (i32.store (i32.const 20) (i32.const {length}))
            (i32.const 16))
          (func (export "run") (param $step i32) (param $length i32) (result i32)
            {run} (i32.const 64)))"#
    );
    host.load_bytes("hand.wasm", &wat::parse_str(module).unwrap()).unwrap()
}

pub(crate) fn host() -> Host {
    Host::new(HostOptions { slots: 2, ..HostOptions::default() }).unwrap()
}

pub(crate) fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create_or_open(&folder.path().join("store")).unwrap();
    (folder, store)
}
