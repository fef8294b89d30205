//! What the tests of the store share: small runs and records.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests, of which each file uses a part"
)]

use std::env;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use wflow_model::Digest;
use wflow_model::Grants;
use wflow_model::Name;
use wflow_model::TaskId;
use wflow_model::record::Artifact;
use wflow_model::record::Artifacts;
use wflow_model::record::Log;
use wflow_model::record::Outcome;
use wflow_model::record::RunEnd;
use wflow_model::record::RunRecord;
use wflow_model::record::RunStatus;
use wflow_model::record::TaskRecord;
use wflow_model::record::Timestamp;
use wflow_model::task::StepIndex;
use wflow_model::task::TaskRef;
use wflow_store::Store;

pub const FORMAT: &str = "application/cbor";

/// The file of a blob, which may be compressed.
pub fn file_of(store: &Store, artifact: &Artifact) -> PathBuf {
    let name = artifact.digest.to_string();
    let plain = store.path().join("blobs").join(&name[..2]).join(name);
    if plain.exists() { plain } else { plain.with_added_extension("zst") }
}

/// Bytes that nothing makes smaller.
pub fn noise(seed: u8, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

/// A new store in a folder of its own, which lasts as long as the first value.
pub fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create_or_open(&folder.path().join(Store::FOLDER)).unwrap();
    (folder, store)
}

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn flow(text: &str) -> RunRecord {
    RunRecord {
        flow: name(text),
        graph: "{}".to_owned(),
        component: Digest::of(text.as_bytes()),
        parameters: Artifacts::new(),
        seed: 1,
        logical_time: 2,
        host_version: "0.1.0".to_owned(),
        resumes: None,
        grants: Grants::NONE,
        limits: std::collections::BTreeMap::new(),
        engine: String::new(),
        reuse: false,
        code: None,
    }
}

/// A task in a foreach.
pub fn at(step: u32, index: u32) -> TaskRef {
    TaskRef { step: StepIndex(step), task: TaskId::ROOT.child(index) }
}

pub fn done(id: TaskRef) -> TaskRecord {
    TaskRecord {
        id,
        attempt: 0,
        started: Timestamp(10),
        finished: Timestamp(20),
        outcome: Outcome::Done,
        inherits: None,
        artifacts: Artifacts::new(),
        removed: Vec::new(),
        inherited: Artifacts::new(),
        stdout: Log::default(),
        stderr: Log::default(),
        origin: None,
        trace: None,
    }
}

pub fn ended(status: RunStatus) -> RunEnd {
    RunEnd { status, finished: Timestamp(30), failed: None }
}

pub const STORE: &str = "WFLOW_TEST_STORE";

/// Starts this test program again, for one test of it.
pub fn start(test: &str, store: &Store, shell: Option<&str>) -> Child {
    let program = env::current_exe().unwrap();
    let mut command = match shell {
        None => Command::new(&program),
        Some(script) => {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("{script}; exec \"$0\" \"$@\"")]).arg(&program);
            command
        }
    };
    command.args([test, "--exact", "--nocapture"]).env(STORE, store.path());
    command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// The store that a test of this program works on for another one; none if it was not started by
/// that, and has nothing to do.
pub fn store_of_parent() -> Option<Store> {
    let path = PathBuf::from(env::var_os(STORE)?);
    Some(Store::open(&path).unwrap())
}
