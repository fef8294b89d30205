//! Guests by hand: core modules that import the whole contract.

use std::fmt::Write;

/// A flow of two steps, or as its document says, as a core module in text.
///
/// Its memory: 1024 the results of calls, 2048 the failure and 3072 the success that `run` may
/// return, 4096 what the host hands over unless `realloc` says otherwise, from [`TEXTS`] on the texts.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) document: String,
    /// Imports besides those of the contract.
    pub(crate) imports: String,
    /// Functions, tables, more memories.
    pub(crate) fields: String,
    /// The body of `describe`, which leaves an address.
    pub(crate) describe: String,
    /// The body of `run`: `$step` and `$length` are where the name of the step is. Behind it stands
    /// the success.
    pub(crate) run: String,
    /// The body of `cabi_realloc`: `$old`, `$old_size`, `$align`, `$size`.
    pub(crate) realloc: String,
    /// Pages of memory.
    pub(crate) pages: u32,
    /// Texts in memory, see [`Guest::text`].
    pub(crate) texts: String,
    pub(crate) end: usize,
}

/// Where texts begin.
const TEXTS: usize = 64 << 10;

/// The graph of most: it is the tasks that do harm.
pub(crate) const TWO_STEPS: &str = r#"{"contract": "0.1", "name": "HostileFlow",
    "steps": [{"name": "start", "next": {"step": "end"}}, {"name": "end"}]}"#;

const CONTRACT: &str = r#"
    (import "wflow:flow/task@0.1.0" "identify" (func $identify (param i32)))
    (import "wflow:flow/task@0.1.0" "run-id" (func $run_id (param i32)))
    (import "wflow:flow/task@0.1.0" "now" (func $now (result i64)))
    (import "wflow:flow/task@0.1.0" "random" (func $random (param i32 i32)))
    (import "wflow:flow/task@0.1.0" "log" (func $log (param i32 i32 i32)))
    (import "wflow:flow/task@0.1.0" "fail" (func $fail (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "get" (func $get (param i32 i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "put" (func $put (param i32 i32 i32 i32 i32 i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "remove" (func $remove (param i32 i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "names" (func $names (param i32)))
    (import "wflow:flow/artifacts@0.1.0" "open" (func $open (param i32 i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "create" (func $create (param i32 i32 i32 i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "item" (func $item (param i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "[method]reader.size" (func $size (param i32) (result i64)))
    (import "wflow:flow/artifacts@0.1.0" "[method]reader.read" (func $read (param i32 i64 i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "[resource-drop]reader" (func $close (param i32)))
    (import "wflow:flow/artifacts@0.1.0" "[method]writer.write" (func $write (param i32 i32 i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "[method]writer.finish" (func $finish (param i32 i32)))
    (import "wflow:flow/artifacts@0.1.0" "[resource-drop]writer" (func $discard (param i32)))
    (import "wflow:flow/inputs@0.1.0" "count" (func $count (result i32)))
    (import "wflow:flow/inputs@0.1.0" "step" (func $step_of (param i32 i32)))
    (import "wflow:flow/inputs@0.1.0" "get" (func $get_all (param i32 i32 i32 i32 i32)))
    (import "wflow:flow/inputs@0.1.0" "names" (func $names_of (param i32 i32)))
    (import "wflow:flow/inputs@0.1.0" "open" (func $open_of (param i32 i32 i32 i32)))
    (import "wflow:flow/inputs@0.1.0" "merge" (func $merge (param i32 i32 i32 i32 i32)))"#;

/// What guests say again and again.
const HELPERS: &str = r#"
    ;; The failure whose message is this text.
    (func $failed (param $at i32) (param $length i32) (result i32)
      (i32.store8 (i32.const 2048) (i32.const 1))
      (i32.store (i32.const 2060) (local.get $at))
      (i32.store (i32.const 2064) (local.get $length))
      (i32.const 2048))
    ;; The failure that the problem in the result at 1024 is.
    (func $problem (result i32)
      (call $failed (i32.load (i32.const 1032)) (i32.load (i32.const 1036))))
    ;; Whether there is a problem in the result at 1024.
    (func $refused (result i32) (i32.load8_u (i32.const 1024)))"#;

/// A `cabi_realloc` as it should be: from [`HEAP`] on.
const ALLOCATE: &str = r#"
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (loop
      (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))) (then
        (br_if 1 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))
        unreachable)))
    (local.get $at)"#;

/// Behind whatever the texts of those are that allocate.
const HEAP: usize = 4 << 20;

impl Default for Guest {
    fn default() -> Self {
        Self {
            document: TWO_STEPS.to_owned(),
            imports: String::new(),
            fields: String::new(),
            describe: "(i32.const 16)".to_owned(),
            run: String::new(),
            realloc: "(i32.const 4096)".to_owned(),
            pages: 4,
            texts: String::new(),
            end: TEXTS,
        }
    }
}

impl Guest {
    /// A guest whose tasks do this.
    pub(crate) fn running(run: impl Into<String>) -> Self {
        Self { run: run.into(), ..Self::default() }
    }

    /// A guest that describes itself so.
    pub(crate) fn saying(document: impl Into<String>) -> Self {
        Self { document: document.into(), ..Self::default() }
    }

    /// The same with more functions, tables or memories.
    pub(crate) fn with(mut self, fields: &str) -> Self {
        self.fields.push_str(fields);
        self
    }

    /// The same with more imports.
    pub(crate) fn importing(mut self, imports: &str) -> Self {
        self.imports.push_str(imports);
        if imports.contains("wasi_snapshot_preview1") {
            // What adapts it to components has its own state there.
            self.realloc = ALLOCATE.to_owned();
        }
        self
    }

    /// A text in the memory of the guest, as the two arguments that it is in a call.
    pub(crate) fn text(&mut self, text: impl AsRef<[u8]>) -> String {
        let (at, text) = (self.end, text.as_ref());
        self.end += text.len().next_multiple_of(16);
        write!(self.texts, "(data (i32.const {at}) \"").unwrap();
        for &byte in text {
            match byte {
                b'"' | b'\\' | 0..0x20 | 0x7f.. => write!(self.texts, "\\{byte:02x}").unwrap(),
                _ => self.texts.push(byte.into()),
            }
        }
        self.texts.push_str("\")\n");
        format!("(i32.const {at}) (i32.const {})", text.len())
    }

    /// A call that puts an artifact, whose result is at 1024.
    pub(crate) fn put(&mut self, name: &str, format: &str, data: &[u8]) -> String {
        let (name, format, data) = (self.text(name), self.text(format), self.text(data));
        format!("(call $put {name} {format} {data} (i32.const 1024))\n")
    }

    pub(crate) fn wat(mut self) -> String {
        let document = std::mem::take(&mut self.document);
        let (at, length) = (self.end, document.len());
        self.text(&document);
        let Self { imports, fields, describe, run, realloc, texts, .. } = &self;
        let pages = self.pages.max(u32::try_from(self.end / 65_536 + 1).unwrap());
        format!(
            r#"(module
              {CONTRACT} {imports}
              (memory $memory (export "memory") {pages})
              {texts}
              {HELPERS} {fields}
              (func (export "cabi_realloc")
                (param $old i32) (param $old_size i32) (param $align i32) (param $size i32)
                (result i32) (local $at i32) {realloc})
              (global $heap (mut i32) (i32.const {HEAP}))
              (func (export "describe") (result i32)
                (i32.store (i32.const 16) (i32.const {at}))
                (i32.store (i32.const 20) (i32.const {length}))
                {describe})
              (func $run (export "run") (param $step i32) (param $length i32) (result i32)
                (local $i i32) (local $j i32) (local $l i64)
                {run}
                (i32.const 3072)))"#
        )
    }

    pub(crate) fn module(self) -> Vec<u8> {
        wat::parse_str(self.wat()).unwrap()
    }
}
