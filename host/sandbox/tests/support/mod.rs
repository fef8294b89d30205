//! What the tests share: flows written by hand, and a task's artifacts in a map.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part of this")]

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use wflow_sandbox::Access;
use wflow_sandbox::ArtifactRead;
use wflow_sandbox::ArtifactWrite;
use wflow_sandbox::CancelToken;
use wflow_sandbox::Channel;
use wflow_sandbox::Component;
use wflow_sandbox::Ended;
use wflow_sandbox::Frame;
use wflow_sandbox::Limits;
use wflow_sandbox::Problem;
use wflow_sandbox::Sandbox;
use wflow_sandbox::SandboxOptions;
use wflow_sandbox::TaskContext;
use wflow_sandbox::TaskError;
use wflow_sandbox::TaskIo;
use wflow_sandbox::Value;

pub fn sandbox() -> Sandbox {
    Sandbox::new(&SandboxOptions { slots: 4, ..SandboxOptions::default() }).unwrap()
}

/// A flow as a core module in text. `imports` and `functions` are module fields, `run` is the
/// body of the export: it gets the step as `$step` and `$length` and leaves the address of its
/// result, for which `$ok` stands ready.
///
/// Memory: 0 the description, 1024 its address and length, 2048 the result ok, 4096 to 65536
/// free for the test, from 65536 on `cabi_realloc`.
pub struct Guest {
    pub describe: String,
    pub imports: String,
    pub functions: String,
    pub run: String,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            describe: "(i32.const 1024)".to_owned(),
            imports: String::new(),
            functions: String::new(),
            run: "(global.get $ok)".to_owned(),
        }
    }
}

impl Guest {
    pub fn running(run: &str) -> Self {
        Self { run: run.to_owned(), ..Self::default() }
    }

    pub fn importing(imports: &str, run: &str) -> Self {
        Self { imports: imports.to_owned(), ..Self::running(run) }
    }

    pub fn wat(&self) -> String {
        let Self { describe, imports, functions, run } = self;
        format!(
            r#"(module
              {imports}
              (memory (export "memory") 2)
              (global $ok i32 (i32.const 2048))
              (global $heap (mut i32) (i32.const 65536))
              (data (i32.const 0) "{{\"name\":\"Test\"}}")
              (data (i32.const 1024) "\00\00\00\00\0f\00\00\00")
              (func $realloc (export "cabi_realloc")
                (param $old i32) (param $old_size i32) (param $align i32) (param $size i32)
                (result i32)
                (local $at i32)
                (local.set $at (i32.and
                  (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
                  (i32.sub (i32.const 0) (local.get $align))))
                (global.set $heap (i32.add (local.get $at) (local.get $size)))
                (block $enough (loop $more
                  (br_if $enough (i32.le_u (global.get $heap)
                    (i32.mul (memory.size) (i32.const 65536))))
                  (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))
                  unreachable))
                (local.get $at))
              {functions}
              (func (export "describe") (result i32) {describe})
              (func $run (export "run") (param $step i32) (param $length i32) (result i32) {run}))"#
        )
    }

    pub fn module(&self) -> Vec<u8> {
        wat::parse_str(self.wat()).unwrap()
    }

    pub fn load(&self, sandbox: &Sandbox) -> Component {
        sandbox.load(&self.module()).unwrap()
    }
}

/// The artifacts of a task, in a map.
#[derive(Default)]
pub struct Map {
    pub artifacts: BTreeMap<String, Value>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

pub fn value(format: &str, data: &[u8]) -> Value {
    Value { format: format.into(), data: data.into() }
}

struct Pieces {
    name: String,
    format: String,
    data: Vec<u8>,
}

impl ArtifactWrite for Pieces {
    fn write(&mut self, data: &[u8]) -> Result<(), Problem> {
        self.data.extend_from_slice(data);
        Ok(())
    }
}

struct Whole(Value);

impl ArtifactRead for Whole {
    fn format(&self) -> Arc<str> {
        self.0.format.clone()
    }

    fn size(&self) -> u64 {
        self.0.data.len() as u64
    }

    fn read(&mut self, offset: u64, count: u32) -> Result<Vec<u8>, Problem> {
        let rest = self.0.data.get(offset as usize..).unwrap_or_default();
        Ok(rest[..rest.len().min(count as usize)].to_vec())
    }
}

impl TaskIo for Map {
    fn get(&mut self, name: &str) -> Result<Value, Problem> {
        let missing = || Problem::Missing(format!("no artifact `{name}`"));
        self.artifacts.get(name).cloned().ok_or_else(missing)
    }

    fn put(&mut self, name: &str, format: &str, data: &[u8]) -> Result<(), Problem> {
        self.artifacts.insert(name.to_owned(), value(format, data));
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), Problem> {
        self.get(name)?;
        self.artifacts.remove(name);
        Ok(())
    }

    fn names(&mut self) -> Vec<Arc<str>> {
        self.artifacts.keys().map(|name| name.as_str().into()).collect()
    }

    fn open(&mut self, name: &str) -> Result<Box<dyn ArtifactRead>, Problem> {
        Ok(Box::new(Whole(self.get(name)?)))
    }

    fn create(&mut self, name: &str, format: &str) -> Result<Box<dyn ArtifactWrite>, Problem> {
        let (name, format) = (name.to_owned(), format.to_owned());
        Ok(Box::new(Pieces { name, format, data: Vec::new() }))
    }

    fn finish(&mut self, writer: Box<dyn ArtifactWrite>) -> Result<(), Problem> {
        let pieces = (writer as Box<dyn Any>).downcast::<Pieces>().unwrap();
        self.put(&pieces.name, &pieces.format, &pieces.data)
    }

    fn item(&mut self, level: u32) -> Result<Value, Problem> {
        Err(Problem::Missing(format!("no foreach at level {level}")))
    }

    fn input_count(&mut self) -> u32 {
        2
    }

    fn input_step(&mut self, index: u32) -> Result<Arc<str>, Problem> {
        Ok(format!("step{index}").into())
    }

    fn input_get(&mut self, _: &str, first: u32, max: u32) -> Result<Vec<Option<Value>>, Problem> {
        Ok((first..2).take(max as usize).map(|i| (i == 1).then(|| value("x/y", b"1"))).collect())
    }

    fn input_names(&mut self, _: u32) -> Result<Vec<Arc<str>>, Problem> {
        Ok(self.names())
    }

    fn input_open(&mut self, _: u32, name: &str) -> Result<Box<dyn ArtifactRead>, Problem> {
        self.open(name)
    }

    fn merge(&mut self, include: &[String], exclude: &[String]) -> Result<(), Problem> {
        Err(Problem::Refused(format!("{include:?} {exclude:?}")))
    }

    fn log(&mut self, channel: Channel, text: &[u8]) {
        match channel {
            Channel::Stdout => self.stdout.extend_from_slice(text),
            Channel::Stderr => self.stderr.extend_from_slice(text),
        }
    }
}

pub fn task() -> TaskContext {
    TaskContext {
        flow: "Test".into(),
        run_id: "1700000000000000".into(),
        step: "start".into(),
        task: "1".to_owned(),
        attempt: 0,
        frames: vec![Frame { step: "s".into(), artifact: "xs".into(), index: 3, width: 9 }],
        seed: 42,
        logical_time: 1_000_000_000_000_000_000,
        access: Access::none(),
    }
}

/// Runs a task with artifacts in a map, and gives them back.
pub fn run_with(
    component: &Component,
    task: TaskContext,
    limits: &Limits,
    io: Map,
) -> (Map, Result<(), TaskError>) {
    let ended = component.run(task, limits, &CancelToken::new(), Box::new(io));
    let Ended { io, outcome, .. } = ended;
    (*(io as Box<dyn Any>).downcast::<Map>().unwrap(), outcome)
}

pub fn run(component: &Component) -> (Map, Result<(), TaskError>) {
    run_with(component, task(), &Limits::default(), Map::default())
}

/// The failure of a guest that is expected to fail.
pub fn failure(guest: &Guest, limits: &Limits) -> TaskError {
    let component = guest.load(&sandbox());
    run_with(&component, task(), limits, Map::default()).1.unwrap_err()
}
