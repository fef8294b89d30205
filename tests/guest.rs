//! Flows written by hand, as core modules: what no SDK would let pass.

use std::fmt::Write;
use std::path::PathBuf;

use crate::notation::document;
use crate::support::Place;

/// A flow that says it has this graph, and whose every task puts the same artifacts.
pub(crate) struct Guest {
    document: String,
    puts: Vec<(String, String, Vec<u8>)>,
}

/// Where strings stand in the memory of the guest; from `HEAP` on is what the host hands over.
const TEXTS: usize = 4096;
const HEAP: usize = 8 << 20;

impl Guest {
    /// A guest that describes itself so, whether that makes sense or not.
    pub(crate) fn saying(document: &impl ToString) -> Self {
        Self { document: document.to_string(), puts: Vec::new() }
    }

    /// A guest with these steps, as [`steps`] reads them.
    pub(crate) fn of(text: &str) -> Self {
        Self::saying(&document(text))
    }

    /// Each of its tasks puts this artifact, too.
    pub(crate) fn putting(mut self, name: &str, format: &str, data: &[u8]) -> Self {
        self.puts.push((name.to_owned(), format.to_owned(), data.to_owned()));
        self
    }

    /// The module. If the host refuses an artifact, the task fails with what the host said.
    pub(crate) fn module(&self) -> Vec<u8> {
        let mut texts = Texts::default();
        let (at, length) = texts.add(self.document.as_bytes());
        let mut run = String::new();
        for (name, format, data) in &self.puts {
            run.push_str("(call $put");
            for text in [name.as_bytes(), format.as_bytes(), data.as_slice()] {
                let (at, length) = texts.add(text);
                write!(run, " (i32.const {at}) (i32.const {length})").unwrap();
            }
            // A result in the host's way: 0 the case, 4 the problem's, 8 and 12 its text.
            run.push_str(
                " (i32.const 1024))
                (if (i32.load8_u (i32.const 1024)) (then
                  (i32.store8 (i32.const 2048) (i32.const 1))
                  (i32.store (i32.const 2060) (i32.load (i32.const 1032)))
                  (i32.store (i32.const 2064) (i32.load (i32.const 1036)))
                  (return (i32.const 2048))))\n",
            );
        }
        let Texts { data, end } = texts;
        assert!(end < HEAP, "the texts are too long");
        let pages = HEAP / 65_536;
        let text = format!(
            r#"(module
              (import "wflow:flow/artifacts@0.1.0" "put"
                (func $put (param i32 i32 i32 i32 i32 i32 i32)))
              (memory (export "memory") {pages})
              (global $heap (mut i32) (i32.const {HEAP}))
              {data}
              (func (export "cabi_realloc") (param $old i32) (param $old_size i32)
                (param $align i32) (param $size i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15))
                  (i32.const -16)))
                (global.set $heap (i32.add (local.get $at) (local.get $size)))
                (block $enough (loop $more
                  (br_if $enough (i32.le_u (global.get $heap)
                    (i32.mul (memory.size) (i32.const 65536))))
                  (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))
                  unreachable))
                (local.get $at))
              (func (export "describe") (result i32)
                (i32.store (i32.const 1024) (i32.const {at}))
                (i32.store (i32.const 1028) (i32.const {length}))
                (i32.const 1024))
              (func (export "run") (param $step i32) (param $length i32) (result i32)
                {run}
                (i32.const 3072)))"#
        );
        wat::parse_str(text).unwrap()
    }

    /// The module, in a file.
    pub(crate) fn file(&self, place: &Place) -> PathBuf {
        place.file("guest.wasm", self.module())
    }
}

/// The data segments of a module.
struct Texts {
    data: String,
    end: usize,
}

impl Default for Texts {
    fn default() -> Self {
        Self { data: String::new(), end: TEXTS }
    }
}

impl Texts {
    fn add(&mut self, text: &[u8]) -> (usize, usize) {
        let at = self.end;
        self.end += text.len();
        write!(self.data, "(data (i32.const {at}) \"").unwrap();
        for byte in text {
            write!(self.data, "\\{byte:02x}").unwrap();
        }
        self.data.push_str("\")\n");
        (at, text.len())
    }
}
