//! A small run again and again, and each time another one of its writes fails: it says so, the
//! store stays sound, and nothing that was finished is lost.

mod ptrace;
pub(crate) mod tracer;

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;

use self::tracer::Exit;
use self::tracer::Verdict;
use self::tracer::trace;
use crate::recovery::How;
use crate::recovery::Left;
use crate::recovery::Told;
use crate::recovery::check_store;
use crate::recovery::interrupt;
use crate::recovery::runs;
use crate::support::Outcome;
use crate::support::Place;
use crate::support::outcome;

/// What goes wrong.
#[derive(Clone, Copy)]
enum Fault {
    /// One change fails, and those after it do not.
    Once(i32),
    /// From one change on there is no space: half of what was to be written still fits, and then
    /// nothing does.
    Full,
}

/// What is in the store before.
#[derive(Clone, Copy)]
enum Before {
    /// There is no store. The flow is run.
    Nothing,
    /// A run that is done: its blobs are there. The flow is run again.
    Done,
    /// A run that was interrupted. It is resumed.
    Interrupted,
}

impl Before {
    /// One worker, so that one run does much the same as another.
    fn how(self) -> How {
        let effort = match self {
            Self::Nothing | Self::Done => 0,
            // There has to be time for the interruption.
            Self::Interrupted => 10_000,
        };
        How {
            parameters: format!("--note {} --effort {effort}", "n".repeat(4000)),
            options: "--max-workers 1".to_owned(),
        }
    }

    /// A store like this.
    fn make(self) -> Place {
        let place = Place::new();
        match self {
            Self::Nothing => {}
            Self::Done => drop(outcome(&mut self.how().run(&place)).done()),
            Self::Interrupted => {
                let run = interrupt(self.how().run(&place), 1, 1);
                assert_eq!(run.code, Some(130), "{run}");
            }
        }
        place
    }

    /// How many runs there are, and how many of them are done.
    fn runs(self) -> (usize, usize) {
        match self {
            Self::Nothing => (0, 0),
            Self::Done => (1, 1),
            Self::Interrupted => (1, 0),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
        }
    }
}

/// A run with a fault, and what it met.
struct Faulty {
    outcome: Outcome,
    /// The first change that failed, if there were so many.
    met: Option<String>,
}

/// Runs the flow, or resumes its run, with a fault at the change of this number, the first
/// being 1.
fn run(place: &Place, before: Before, fault: Fault, at: u32) -> io::Result<Faulty> {
    let folder = place.path().canonicalize()?.join(".wflow");
    let (stdout, stderr) = (place.path().join("stdout"), place.path().join("stderr"));
    let mut command = before.how().go_on(place, before.runs().1);
    command.stdout(fs::File::create(&stdout)?).stderr(fs::File::create(&stderr)?);
    let (mut number, mut met) = (0, None);
    let exit = trace(command, &folder, |change| {
        if matches!(fault, Fault::Full) && !change.grows {
            return Verdict::Pass;
        }
        number += 1;
        if number == at {
            met = Some(format!("{} of {}", change.call, change.path.display()));
        }
        match fault {
            Fault::Once(error) if number == at => Verdict::Fail(error),
            Fault::Full if number == at && ["write", "pwrite64"].contains(&change.call) => {
                Verdict::Halve
            }
            Fault::Full if number >= at => Verdict::Fail(libc::ENOSPC),
            Fault::Once(_) | Fault::Full => Verdict::Pass,
        }
    })?;
    let (stdout, stderr) = (fs::read_to_string(stdout)?, fs::read_to_string(stderr)?);
    let code = match exit {
        Exit::Code(code) => Some(code),
        Exit::Signal(signal) => panic!("change {at}, {met:?}: {signal}\n{stdout}{stderr}"),
    };
    Ok(Faulty { outcome: Outcome { code, stdout, stderr }, met })
}

/// Runs the flow with a fault at its first change, at its second and so on, until there are no
/// more.
fn series(before: Before, fault: Fault) {
    let undisturbed = Place::new();
    outcome(&mut before.how().run(&undisturbed)).done();
    let expected = Left::of(&undisturbed);
    let original = before.make();
    for at in 1.. {
        let place = Place::new();
        copy(original.path(), place.path());
        let faulty = match run(&place, before, fault, at) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                // Past the harness, which shows nothing of a test that passes.
                drop(writeln!(io::stderr(), "SKIPPED, no process may be traced here: {error}"));
                return;
            }
            result => result.unwrap(),
        };
        let Some(met) = faulty.met else {
            faulty.outcome.done();
            assert!(at > 20, "there are only {at} changes");
            return;
        };
        let when = format!("change {at}, {met}");
        check(&place, before, fault, &faulty.outcome, &when);
        Left::of(&place).assert_same(&expected, &when);
    }
}

/// The run ended in a way that one can live with, and comes to its end if it did not.
fn check(place: &Place, before: Before, fault: Fault, run: &Outcome, when: &str) {
    let Outcome { code, stderr, .. } = run;
    assert!(!stderr.contains("panicked"), "{when}: {run}");
    check_store(place, when);
    if *code == Some(0) {
        // The change was one without which all is there.
        assert_eq!(runs(place)[0]["state"], "done", "{when}: {run}");
        assert_eq!(runs(place).len(), before.runs().0 + 1, "{when}: {run}");
    } else {
        assert_eq!(*code, Some(1), "{when}: {run}");
        let told = match fault {
            Fault::Full => "no space left for the store",
            // SQLite does not always say why something failed. A moment later there is space.
            Fault::Once(_) => "the store",
        };
        assert!(stderr.contains(told) && stderr.contains(".wflow"), "{when}: {run}");
        let last = outcome(&mut before.how().go_on(place, before.runs().1)).done();
        Told::by(&last).after(&mut Told::by(run).finished, when);
        check_store(place, when);
    }
}

#[test]
fn one_write_finds_no_space_in_a_new_store() {
    series(Before::Nothing, Fault::Once(libc::ENOSPC));
}

#[test]
fn one_write_finds_no_space_in_a_store_with_a_run() {
    series(Before::Done, Fault::Once(libc::ENOSPC));
}

#[test]
fn one_write_fails_in_a_new_store() {
    series(Before::Nothing, Fault::Once(libc::EIO));
}

#[test]
fn one_write_fails_in_a_store_with_a_run() {
    series(Before::Done, Fault::Once(libc::EIO));
}

#[test]
fn the_disk_is_full_in_a_new_store() {
    series(Before::Nothing, Fault::Full);
}

#[test]
fn the_disk_is_full_in_a_store_with_a_run() {
    series(Before::Done, Fault::Full);
}

#[test]
fn one_write_fails_in_a_run_that_resumes() {
    series(Before::Interrupted, Fault::Once(libc::EIO));
}

#[test]
fn the_disk_is_full_in_a_run_that_resumes() {
    series(Before::Interrupted, Fault::Full);
}
