//! Runs that are killed at any moment, interrupted, or not alone in their store: nothing that was
//! finished is lost, and all of them come to the same end.
//!
//! The full count takes half an hour, so it is run only when it is asked for:
//!
//! ```sh
//! cargo test --release --locked --workspace --test end_to_end -- --ignored two_hundred_kills
//! ```
//!
//! A failure names its seed; with `WFLOW_TEST_SEED` the same moments are chosen again.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use crate::recovery::Left;
use crate::recovery::check_store;
use crate::recovery::flow;
use crate::recovery::go_on;
use crate::recovery::runs;
use crate::support::Outcome;
use crate::support::Place;
use crate::support::finished;
use crate::support::outcome;
use crate::support::own;

/// Draws numbers, by the method that is known as SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A time shorter than this one.
    fn within(&mut self, span: Duration) -> Duration {
        span.mul_f64(self.next() as f64 / u64::MAX as f64)
    }

    /// A moment of a run that takes so long: one of its first, one of its last or any.
    fn moment(&mut self, span: Duration) -> Duration {
        let edge = Duration::from_millis(30).min(span);
        match self.next() % 4 {
            0 => self.within(edge),
            1 => span - self.within(edge),
            _ => self.within(span),
        }
    }
}

/// What the log of a run tells, up to its last whole line.
struct Told {
    started: BTreeSet<String>,
    finished: BTreeSet<String>,
}

impl Told {
    fn by(outcome: &Outcome) -> Self {
        let of = |end: &str| {
            let log = outcome.log();
            log.iter().filter_map(|line| line.strip_suffix(end)).map(str::to_owned).collect()
        };
        Self { started: of(" Task is starting."), finished: of(" Task finished successfully.") }
    }

    /// Takes these tasks for those of a run that goes on after others, which finished `before`.
    #[track_caller]
    fn after(self, before: &mut BTreeSet<String>, when: &str) {
        let again: Vec<_> = self.started.intersection(before).take(10).collect();
        assert!(again.is_empty(), "{when}: told to be finished, and executed again: {again:?} ...");
        before.extend(self.finished);
    }
}

/// Runs a command and kills it after some time. Says what it told, and whether it was still there.
fn kill(place: &Place, mut command: Command, after: Duration) -> (Outcome, bool) {
    let (stdout, stderr) = (place.path().join("stdout"), place.path().join("stderr"));
    command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
    let mut child = command.spawn().unwrap();
    thread::sleep(after);
    child.kill().unwrap();
    let code = child.wait().unwrap().code();
    let mut stdout = fs::read_to_string(stdout).unwrap();
    stdout.truncate(stdout.rfind('\n').map_or(0, |end| end + 1));
    let outcome = Outcome { code, stdout, stderr: fs::read_to_string(stderr).unwrap() };
    assert!(matches!(code, None | Some(0)), "{outcome}");
    (outcome, code.is_none())
}

/// Kills runs, and what resumes them, so many times, and lets each come to its end.
fn kill_again_and_again(kills: u32, width: u32) {
    let seed = env::var("WFLOW_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    let seed = seed.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        now.as_micros() as u64
    });
    println!("WFLOW_TEST_SEED={seed}");
    let mut random = Random(seed);
    let words = format!("--width {width} --max-num-splits {width} --rows 10 --files 100");

    let place = Place::new();
    let begun = Instant::now();
    place.run(&flow(), &words).done();
    let whole = begun.elapsed();
    let expected = Left::of(&place);

    let (mut killed, mut alive) = (0, 0);
    while killed < kills {
        let place = Place::new();
        let mut reported = BTreeSet::new();
        for _ in 0..=random.next() % 3 {
            // A run that finds tasks done is the shorter.
            let share = 1.0 - reported.len() as f64 / expected.tasks() as f64;
            let moment = random.moment(whole.mul_f64(share));
            killed += 1;
            let (run, was_alive) = kill(&place, go_on(&place, 0, &words), moment);
            let when = format!("kill {killed}, after {moment:?} of {whole:?}, seed {seed}");
            alive += u32::from(was_alive);
            Told::by(&run).after(&mut reported, &when);
            check_store(&place, &when);
        }
        let when = format!("after kill {killed}, seed {seed}");
        let last = outcome(&mut go_on(&place, 0, &words)).done();
        Told::by(&last).after(&mut reported, &when);
        check_store(&place, &when);
        Left::of(&place).assert_same(&expected, &when);
    }
    assert!(2 * alive > killed, "only {alive} of {killed} were killed before their end");
}

#[test]
fn killed_runs_come_to_the_same_end() {
    kill_again_and_again(12, 2000);
}

#[test]
#[ignore = "takes long: two hundred runs of twenty thousand tasks"]
fn two_hundred_kills() {
    kill_again_and_again(200, 20_000);
}

/// Starts a command whose output is read.
fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn eight_processes_and_one_store() {
    let place = Place::new();
    let words = "--width 1000 --max-num-splits 1000 --rows 10 --files 100";
    let sizes = |words: &str| {
        let mut command = place.command(["run", "--json"]);
        command.arg(flow()).args(words.split_whitespace());
        command
    };
    let undisturbed = Place::new();
    undisturbed.run(&flow(), words).done();
    let expected = Left::of(&undisturbed);

    // Two runs that others resume: one was killed, one failed.
    let mut first = start(sizes(words));
    place.until("list --json latest", |list| list.code == Some(0) && list.lines()[4]["done"] != 0);
    first.kill().unwrap();
    first.wait().unwrap();
    let killed = runs(&place)[0]["run"].as_str().unwrap().to_owned();
    let failing = ["--how", "panic", "--json"];
    let failed = outcome(place.command(["run"]).arg(own("failures")).args(failing)).fails(1).json();
    let failed = failed["run"].as_str().unwrap();

    let resume = |flow, origin: &str, words: &str| {
        let mut command = place.command(["resume", "--json"]);
        command.arg(flow).args(["--origin", origin]).args(words.split_whitespace());
        command
    };
    let wide = ["--width", "500", "--max-num-splits", "500", "--json"];
    let mut others = place.command(["run"]);
    others.arg(own("wide")).args(wide);
    let mut fails = place.command(["run"]);
    fails.arg(own("failures")).args(failing);
    let commands = [
        (0, true, sizes(words)),
        (0, true, sizes(words)),
        (0, true, resume(flow(), &killed, "--max-num-splits 1000")),
        (0, true, resume(flow(), &killed, "--max-num-splits 1000")),
        (0, false, sizes("--width 300 --max-num-splits 300")),
        (0, false, others),
        (1, false, fails),
        (1, false, resume(own("failures"), failed, "")),
    ];
    let children = commands.map(|(code, same, command)| (code, same, start(command)));
    let mut ids = BTreeSet::new();
    for (code, same, child) in children {
        let run = finished(child.wait_with_output().unwrap());
        assert_eq!(run.code, Some(code), "{run}");
        let told = run.json();
        assert_eq!(told["status"], if code == 0 { "done" } else { "failed" }, "{run}");
        let id = told["run"].as_str().unwrap();
        if same {
            Left::of_run(&place, id).assert_same(&expected, id);
        }
        ids.insert(id.to_owned());
    }
    assert_eq!(ids.len(), 8);
    check_store(&place, "after eight processes");
}

/// Sends a signal to a process.
fn signal(name: &str, child: &Child) {
    let kill = format!("kill -{name} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

/// Runs a command, interrupts it when so many tasks of the loop are told to be finished, and waits
/// for its end.
fn interrupt(command: Command, tasks: usize, times: u32) -> Outcome {
    let mut child = start(command);
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut stdout = String::new();
    let mut met = 0;
    while met < tasks {
        let begin = stdout.len();
        assert_ne!(lines.read_line(&mut stdout).unwrap(), 0, "{stdout}");
        let line = &stdout[begin..];
        met += usize::from(line.contains("/work/") && line.contains("finished successfully"));
    }
    for _ in 0..times {
        signal("INT", &child);
    }
    lines.read_to_string(&mut stdout).unwrap();
    let mut outcome = finished(child.wait_with_output().unwrap());
    outcome.stdout = stdout;
    outcome
}

/// Each task takes some hundredths of a second, so that some are always in flight.
const LONG: &str = "--width 40 --effort 20000 --max-workers 2";

#[test]
fn an_interrupted_run_says_how_to_resume_it() {
    let place = Place::new();
    let mut command = place.command(["run"]);
    command.arg(flow()).args(LONG.split_whitespace());
    let run = interrupt(command, 5, 1);
    assert_eq!(run.code, Some(130), "{run}");
    check_store(&place, "after the interrupt");
    assert_eq!(runs(&place)[0]["state"], "cancelled");
    let log = run.log();
    let cancelled = log.iter().filter(|line| line.ends_with(" Task was cancelled.")).count();
    assert!((1..=2).contains(&cancelled), "{run}");

    // What was told to be finished is there.
    let mut reported = BTreeSet::new();
    Told::by(&run).after(&mut reported, "the first run");
    let left = Left::of(&place);
    assert!(reported.len() < 45 && left.tasks() == reported.len(), "{run}");

    // The line that is told is one that can be typed.
    let line = run.stderr.lines().find(|line| line.trim().starts_with("wflow resume "));
    let line = line.unwrap_or_else(|| panic!("{run}"));
    let words = line.split("  ").find(|part| !part.is_empty()).unwrap();
    let words: Vec<_> = words.split_whitespace().skip(1).collect();
    let resumed = outcome(&mut place.command(words)).done();
    let told = Told::by(&resumed);
    assert_eq!(told.started.len() + reported.len(), 47, "{resumed}");
    told.after(&mut reported, "the resumed run");
    check_store(&place, "after the resumed run");

    let undisturbed = Place::new();
    undisturbed.run(&flow(), LONG).done();
    Left::of(&place).assert_same(&Left::of(&undisturbed), "after the resumed run");
}

#[test]
fn to_interrupt_twice_is_no_worse() {
    let place = Place::new();
    let mut command = place.command(["run"]);
    command.arg(flow()).args(LONG.split_whitespace());
    let run = interrupt(command, 5, 2);
    assert_eq!(run.code, Some(130), "{run}");
    check_store(&place, "after the interrupts");
    assert_eq!(runs(&place)[0]["state"], "cancelled");
    let mut reported = BTreeSet::new();
    Told::by(&run).after(&mut reported, "the first run");

    // Nor is it to interrupt the run that resumes.
    let resumed = interrupt(go_on(&place, 0, LONG), 5, 2);
    assert_eq!(resumed.code, Some(130), "{resumed}");
    check_store(&place, "after the next interrupts");
    Told::by(&resumed).after(&mut reported, "the resumed run");
    let last = outcome(&mut go_on(&place, 0, LONG)).done();
    Told::by(&last).after(&mut reported, "the last run");
    assert_eq!(reported.len(), 47);
}
