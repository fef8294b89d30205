//! Time and random numbers: those of the run, or the real ones where they are granted.

use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use crate::outside::Outside;
use crate::support::PATIENCE;
use crate::support::finished;

/// Everything that differs from one moment and one draw to the next.
const LOOKS: [&str; 10] = [
    "now",
    "contract-now",
    "monotonic",
    "sleep 3600000",
    "now",
    "random",
    "insecure",
    "seed",
    "contract-random",
    "envs",
];

/// The first second of 2021.
const AFTER_2020: u64 = 1_609_459_200;

fn real() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn without_grants_two_runs_see_the_same() {
    let begun = Instant::now();
    let first = Outside::new();
    let seen = first.act(&LOOKS);
    let seconds: u64 = seen[0].parse().unwrap();
    assert!(seconds < AFTER_2020, "{seen:?}");
    let slept: u64 = seen[4].parse().unwrap();
    assert_eq!(slept, seconds + 3600, "an hour is over at once");
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(seen[9], "[]");

    let second = Outside::new();
    assert_eq!(second.act(&LOOKS), seen);
    let dump = |outside: &Outside| {
        outside.place.wflow("dump --json latest/act").done().json()["artifacts"].clone()
    };
    assert_eq!(dump(&first), dump(&second), "the digests, too");
    assert!(first.imports().is_empty());
}

#[test]
fn the_clock_is_real_where_it_is_granted() {
    let outside = Outside::new().allow("clock");
    let before = real();
    let begun = Instant::now();
    let seen = outside.act(&["now", "contract-now", "sleep 300", "now", "random"]);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let after = real();
    let now: u64 = seen[0].parse().unwrap();
    assert!((before..=after).contains(&now), "{seen:?}");
    let contract: u64 = seen[1].parse().unwrap();
    assert!((before..=after).contains(&(contract / 1_000_000_000)), "{seen:?}");
    let slept: u64 = seen[2].strip_suffix(" ms").unwrap().parse().unwrap();
    assert!((300..60_000).contains(&slept), "{seen:?}");
    // The one is no grant for the other.
    assert_eq!(seen[4], Outside::new().act(&["random"])[0]);
    assert_eq!(
        outside.imports()["act"],
        ["wasi:clocks/monotonic-clock", "wasi:clocks/wall-clock", "wflow:flow/task.now"]
    );
}

#[test]
fn who_sleeps_in_real_time_can_be_stopped() {
    let outside = Outside::new().allow("clock");
    let begun = Instant::now();
    let failed = outside.run(&["sleep 3600000"], &["--timeout", "500ms"]).fails(1);
    assert!(failed.stderr.contains("its limit of 0.5 s"), "{failed}");

    let marker = outside.place.path().join("run-id");
    let mut command = outside.command(&["sleep 3600000"], &["--run-id-file"]);
    let command = command.arg(&marker).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    while !marker.exists() {
        std::thread::sleep(Duration::from_millis(5));
        assert!(begun.elapsed() < PATIENCE);
    }
    let process = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &process]).status().unwrap().success());
    finished(child.wait_with_output().unwrap()).fails(130);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn random_numbers_are_real_where_they_are_granted() {
    let looks = ["random", "insecure", "seed", "contract-random"];
    let outside = Outside::new().allow("random");
    let (first, second) = (outside.act(&looks), outside.act(&looks));
    assert!(first.iter().zip(&second).all(|(one, other)| one != other), "{first:?} {second:?}");
    assert_eq!(
        outside.imports()["act"],
        [
            "wasi:random/insecure",
            "wasi:random/insecure-seed",
            "wasi:random/random",
            "wflow:flow/task.random"
        ]
    );
    // The one is no grant for the other.
    assert_eq!(outside.act(&["now"]), Outside::new().act(&["now"]));
}

#[test]
fn what_was_granted_and_not_used_leaves_no_trace() {
    let outside = Outside::new().allow("random").allow("clock").allow("env=WFLOW=1");
    outside.act(&["std-read nothing", "envs"]);
    assert!(outside.imports().is_empty(), "{:?}", outside.imports());
}
