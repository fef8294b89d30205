//! Runs that are killed at any moment, interrupted, or not alone in their store: nothing that was
//! finished is lost, and all of them come to the same end.
//!
//! The full count takes ten minutes, so it is run only when it is asked for:
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
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use crate::recovery::How;
use crate::recovery::Left;
use crate::recovery::Told;
use crate::recovery::check_store;
use crate::recovery::flow;
use crate::recovery::interrupt;
use crate::recovery::runs;
use crate::support::Outcome;
use crate::support::Place;
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

/// Many small tasks, some of which leave larger artifacts.
fn many(width: u32) -> How {
    How {
        parameters: format!("--width {width} --rows 10 --files 100"),
        options: format!("--max-num-splits {width}"),
    }
}

/// Kills runs, and what resumes them, so many times, and lets each come to its end.
#[allow(clippy::print_stdout, reason = "it is shown if the test fails")]
fn kill_again_and_again(kills: u32, width: u32) {
    let seed = env::var("WFLOW_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    let seed = seed.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        now.as_micros() as u64
    });
    println!("WFLOW_TEST_SEED={seed}");
    let mut random = Random(seed);
    let how = many(width);

    let place = Place::new();
    let begun = Instant::now();
    outcome(&mut how.run(&place)).done();
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
            let (run, was_alive) = kill(&place, how.go_on(&place, 0), moment);
            let when = format!("kill {killed}, after {moment:?} of {whole:?}, seed {seed}");
            alive += u32::from(was_alive);
            Told::by(&run).after(&mut reported, &when);
            check_store(&place, &when);
        }
        let when = format!("after kill {killed}, seed {seed}");
        let last = outcome(&mut how.go_on(&place, 0)).done();
        Told::by(&last).after(&mut reported, &when);
        check_store(&place, &when);
        Left::of(&place).assert_same(&expected, &when);
    }
    assert!(2 * alive > killed, "only {alive} of {killed} were killed before their end");
}

#[test]
fn killed_runs_come_to_the_same_end() {
    kill_again_and_again(30, 2000);
}

#[test]
#[ignore = "takes long: two hundred runs of twenty thousand tasks"]
fn two_hundred_kills() {
    kill_again_and_again(200, 20_000);
}

#[test]
fn eight_processes_and_one_store() {
    let place = Place::new();
    let json = |mut command: Command| {
        command.arg("--json");
        command
    };
    let sizes = |width| json(many(width).run(&place));
    let undisturbed = Place::new();
    outcome(&mut many(1000).run(&undisturbed)).done();
    let expected = Left::of(&undisturbed);

    // Two runs that others resume: one was killed, one failed.
    let mut first = sizes(1000).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    place.until("list --json latest", |list| list.code == Some(0) && list.lines()[5]["done"] != 0);
    first.kill().unwrap();
    first.wait().unwrap();
    let killed = runs(&place)[0]["run"].as_str().unwrap().to_owned();
    let run = |name, words: &str| {
        let mut command = place.command(["run"]);
        command.arg(own(name)).args(words.split_whitespace());
        json(command)
    };
    let failed = outcome(&mut run("failures", "--how panic")).fails(1).json();
    let failed = failed["run"].as_str().unwrap();
    let resume = |flow, origin: &str| {
        let mut command = place.command(["resume", "--max-num-splits", "1000"]);
        command.arg(flow).args(["--origin", origin]);
        json(command)
    };
    let commands = [
        (0, true, sizes(1000)),
        (0, true, sizes(1000)),
        (0, true, resume(flow(), &killed)),
        (0, true, resume(flow(), &killed)),
        (0, false, sizes(300)),
        (0, false, run("wide", "--width 500 --max-num-splits 500")),
        (1, false, run("failures", "--how panic")),
        (1, false, resume(own("failures"), failed)),
    ];
    // Each has a reader for what it tells, so that none waits for the others.
    let ended = thread::scope(|scope| {
        let start = |(code, same, mut command): (i32, bool, Command)| {
            scope.spawn(move || (code, same, outcome(&mut command)))
        };
        commands.map(start).map(|thread| thread.join().unwrap())
    });
    let mut ids = BTreeSet::new();
    for (code, same, run) in ended {
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

/// How many tasks there are besides those of the loop.
const OTHERS: usize = 7;

/// Each task takes some hundredths of a second, so that some are always in flight.
fn long() -> How {
    How {
        parameters: "--width 40 --effort 20000".to_owned(),
        options: "--max-workers 2".to_owned(),
    }
}

#[test]
fn an_interrupted_run_says_how_to_resume_it() {
    let place = Place::new();
    let run = interrupt(long().run(&place), 5, 1);
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
    assert!(reported.len() < 40 && left.tasks() == reported.len(), "{run}");

    // The line that is told is one that can be typed.
    let line = run.stderr.lines().find(|line| line.trim().starts_with("wflow resume "));
    let line = line.unwrap_or_else(|| panic!("{run}"));
    let words = line.split("  ").find(|part| !part.is_empty()).unwrap();
    let words: Vec<_> = words.split_whitespace().skip(1).collect();
    let resumed = outcome(&mut place.command(words)).done();
    let told = Told::by(&resumed);
    assert_eq!(told.started.len() + reported.len(), OTHERS + 40, "{resumed}");
    told.after(&mut reported, "the resumed run");
    check_store(&place, "after the resumed run");

    let undisturbed = Place::new();
    outcome(&mut long().run(&undisturbed)).done();
    Left::of(&place).assert_same(&Left::of(&undisturbed), "after the resumed run");
}

#[test]
fn to_interrupt_twice_is_no_worse() {
    let place = Place::new();
    let run = interrupt(long().run(&place), 5, 2);
    assert_eq!(run.code, Some(130), "{run}");
    check_store(&place, "after the interrupts");
    assert_eq!(runs(&place)[0]["state"], "cancelled");
    let mut reported = BTreeSet::new();
    Told::by(&run).after(&mut reported, "the first run");

    // Nor is it to interrupt the run that resumes.
    let resumed = interrupt(long().go_on(&place, 0), 5, 2);
    assert_eq!(resumed.code, Some(130), "{resumed}");
    check_store(&place, "after the next interrupts");
    Told::by(&resumed).after(&mut reported, "the resumed run");
    let last = outcome(&mut long().go_on(&place, 0)).done();
    Told::by(&last).after(&mut reported, "the last run");
    assert_eq!(reported.len(), OTHERS + 40);
}
