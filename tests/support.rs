//! What the tests share: flows that are built once, and a folder for each test in which the
//! command is run.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value as Json;
use tempfile::TempDir;

const WFLOW: &str = env!("CARGO_BIN_EXE_wflow");

/// The variables that the command is run with; all others are taken away.
const KEPT: [&str; 8] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "WFLOW_CACHE",
    "LLVM_PROFILE_FILE",
];

/// So long is waited for what has to come, before it is given up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The folder of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The folder `target/flows`.
fn built() -> PathBuf {
    let target = Path::new(WFLOW).ancestors().nth(2).unwrap();
    let folder = target.join("flows");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The command, with nothing of the environment that could change what it does.
fn command() -> Command {
    let mut command = Command::new(WFLOW);
    command.env_clear().env("TZ", "UTC").stdin(Stdio::null());
    for name in KEPT {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// The component of the flow in a folder of the repository, built by `wflow build` when it is
/// first wanted.
pub(crate) fn flow(folder: &str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    // If one build panics, all tests tell of it.
    let mut flows = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    flows.entry(folder.to_owned()).or_insert_with(|| build(folder)).clone()
}

/// A flow of `examples/`.
pub(crate) fn example(name: &str) -> PathBuf {
    flow(&format!("examples/{name}"))
}

/// A flow of `tests/flows/`.
pub(crate) fn own(name: &str) -> PathBuf {
    flow(&format!("tests/flows/{name}"))
}

fn build(folder: &str) -> PathBuf {
    let built = built();
    // Other processes may run these tests, too.
    let lock = fs::File::create(built.join("tests.lock")).unwrap();
    lock.lock().unwrap();
    let name = folder.replace('/', "-");
    let (made, path) = (built.join(format!("{name}.new")), built.join(format!("{name}.wasm")));
    // One folder for all, so that what the flows depend on is built once.
    let output = command()
        .current_dir(root())
        .env("CARGO_TARGET_DIR", root().join("examples/target"))
        .args(["build", folder, "-o"])
        .arg(&made)
        .output()
        .unwrap();
    assert!(output.status.success(), "{folder}: {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    fs::rename(&made, &path).unwrap();
    path
}

/// Where what the command compiled is kept.
fn cache() -> PathBuf {
    static CACHE: LazyLock<PathBuf> = LazyLock::new(|| built().join("compiled"));
    CACHE.clone()
}

/// A folder with a store of its own.
pub(crate) struct Place {
    folder: TempDir,
}

/// What a command did.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::with_prefix("wflow-test-").unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, and gives its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// The command, to be run in this folder.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = command();
        command.current_dir(self.path()).args(args);
        if env::var_os("WFLOW_CACHE").is_none() {
            command.env("WFLOW_CACHE", cache());
        }
        command
    }

    /// Runs the command. The words are separated by spaces.
    pub(crate) fn wflow(&self, words: &str) -> Outcome {
        outcome(&mut self.command(words.split_whitespace()))
    }

    /// `wflow run` with a flow and words.
    pub(crate) fn run(&self, flow: &Path, words: &str) -> Outcome {
        outcome(self.command(["run"]).arg(flow).args(words.split_whitespace()))
    }

    /// `wflow run` with an environment.
    pub(crate) fn run_with(&self, flow: &Path, env: &[(&str, &str)], words: &str) -> Outcome {
        let mut command = self.command(["run"]);
        outcome(command.arg(flow).args(words.split_whitespace()).envs(env.iter().copied()))
    }

    /// The value of an artifact, of the task that the pathspec names.
    pub(crate) fn value(&self, pathspec: &str) -> Json {
        let (_, name) = pathspec.rsplit_once('/').unwrap();
        let dumped =
            self.wflow(&format!("dump --json --max-value-size 100000000 {pathspec}")).done().json();
        dumped["artifacts"][name]["value"].clone()
    }

    /// The lines that a command prints as JSON.
    pub(crate) fn lines(&self, words: &str) -> Vec<Json> {
        self.wflow(words).done().lines()
    }

    /// Asks again and again until an answer holds, for there is no way to be told.
    pub(crate) fn until(&self, words: &str, holds: impl Fn(&Outcome) -> bool) -> Outcome {
        let begun = Instant::now();
        loop {
            let outcome = self.wflow(words);
            if holds(&outcome) {
                return outcome;
            }
            assert!(begun.elapsed() < PATIENCE, "`wflow {words}` says {outcome}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Runs a command to its end.
pub(crate) fn outcome(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    finished(output)
}

/// The outcome of a command that was started before.
pub(crate) fn finished(output: std::process::Output) -> Outcome {
    let outcome = Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    // Guests may panic, and their SDK tells of it in other words; the host never does.
    assert!(!outcome.stderr.contains("panicked at"), "{outcome}");
    outcome
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, stdout, stderr } = self;
        let code = code.map_or_else(|| "signal".to_owned(), |code| code.to_string());
        write!(f, "exit: {code}\n--- stdout\n{stdout}--- stderr\n{stderr}")
    }
}

impl Outcome {
    /// The outcome, which is that all went well.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// The outcome, which is a failure with this exit code and something to read.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        assert!(!self.stderr.is_empty(), "{self}");
        self
    }

    /// The outcome, which is a failure that is told on standard output alone.
    #[track_caller]
    pub(crate) fn fails_quietly(self, code: i32) -> Self {
        assert_eq!((self.code, &*self.stderr), (Some(code), ""), "{self}");
        self
    }

    /// Its standard output, as one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// Its standard output, as a JSON value a line.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Json> {
        let line = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {self}"));
        self.stdout.lines().map(line).collect()
    }

    /// What it says on standard error, without the stack of the guest: which functions are in
    /// line there is up to the compiler.
    pub(crate) fn told(&self) -> String {
        let frame = |line: &&str| {
            let function = line.strip_prefix("    at ");
            !function.is_some_and(|name| name.ends_with(')') || !name.contains(':'))
        };
        self.stderr.lines().filter(frame).map(|line| format!("{line}\n")).collect()
    }

    /// What the log of a run tells, by task: `step/task text`; what is about no task by itself.
    pub(crate) fn log(&self) -> Vec<String> {
        log(&self.stdout)
    }

    /// What tasks of a step printed, without what wflow itself has to say of them.
    pub(crate) fn printed(&self, step: &str) -> Vec<String> {
        let system = |text: &str| {
            let foreach = text.starts_with("Foreach yields ");
            foreach || text == "Task is starting." || text == "Task finished successfully."
        };
        let of_step = |line: String| {
            let (task, text) = line.split_once(' ')?;
            let mine = task.split('/').next() == Some(step) && !system(text);
            mine.then(|| text.to_owned())
        };
        self.log().into_iter().filter_map(of_step).collect()
    }
}

fn log(text: &str) -> Vec<String> {
    let line = |line: &str| {
        // 2026-11-23 22:49:37.078 [1795474177058711/start/1] text
        let bytes = line.as_bytes();
        let stamped =
            bytes.len() > 24 && bytes[4] == b'-' && bytes[19] == b'.' && bytes[23] == b' ';
        let rest = stamped.then(|| &line[24..])?;
        let Some((task, text)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        else {
            return Some(rest.to_owned());
        };
        let (_run, task) = task.split_once('/')?;
        Some(format!("{task}{text}"))
    };
    text.lines().filter_map(line).collect()
}

/// Runs a block with what differs from run to run replaced in snapshots.
pub(crate) fn settled(place: &Place, block: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    let folder = place.path().canonicalize().unwrap();
    settings.add_filter(&folder.display().to_string(), "[folder]");
    settings.add_filter(&place.path().display().to_string(), "[folder]");
    settings.add_filter(&root().display().to_string(), "[root]");
    settings.add_filter(r"\b1[78]\d{14}\b", "[run]");
    settings.add_filter(r"\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", "[time]");
    settings.add_filter(r"\b\d+(\.\d+)? (us|ms|s|min)\b", "[span]");
    settings.add_filter(r"\b[0-9a-f]{64}\b", "[digest]");
    settings.add_filter(r"\b[0-9a-f]{16}\b", "[short]");
    settings.set_prepend_module_to_snapshot(true);
    settings.set_omit_expression(true);
    settings.bind(block);
}
