//! Which files `wflow run` opens for a flow that is granted nothing.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;

use crate::faults::tracer;
use crate::faults::tracer::Exit;
use crate::outside::skipped;
use crate::support::Place;
use crate::support::own;

/// What any program on this system opens for itself: libraries, its own memory, how many cores it
/// may use, the time zone, random numbers.
const OF_ANY_PROGRAM: &[&str] = &[
    "/lib",
    "/usr/lib",
    "/etc/ld.so",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/proc/self",
    "/proc/sys/vm/overcommit_memory",
    "/memfd:",
    "/sys/fs/cgroup",
    "/sys/devices/system/cpu",
    "/dev/urandom",
    "/dev/null",
];

#[test]
fn nothing_is_opened_but_the_store_the_cache_and_the_component() {
    let place = Place::new();
    let folder = place.path().canonicalize().unwrap();
    std::fs::copy(own("conformance"), folder.join("stranger.wasm")).unwrap();
    let cache = folder.join("cache");
    // The first one compiles, the second one finds what was compiled.
    for _ in 0..2 {
        let mut command = place.command(["run", "stranger.wasm", "--json"]);
        command.env("WFLOW_CACHE", &cache).env("HOME", folder.join("home"));
        command.env("SECRET", "of nobody's business").stdout(Stdio::null()).stderr(Stdio::null());
        let mut opened: BTreeSet<PathBuf> = BTreeSet::new();
        let tell = |path: &Path| {
            opened.insert(path.to_owned());
        };
        match tracer::watch(command, tell) {
            Ok(Exit::Code(code)) => assert_eq!(code, 0),
            Ok(Exit::Signal(signal)) => panic!("ended by signal {signal}"),
            Err(error) => {
                return skipped(&format!("this machine lets no process trace another: {error}"));
            }
        }
        assert!(opened.contains(&folder.join("stranger.wasm")), "{opened:?}");
        let own_process = |path: &Path| {
            path.strip_prefix("/proc").is_ok_and(|rest| {
                let first = rest.iter().next().unwrap_or_default();
                first.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit())
            })
        };
        let foreign: Vec<&PathBuf> = opened
            .iter()
            .filter(|path| {
                let text = path.to_string_lossy();
                !(path.starts_with(folder.join(".wflow"))
                    || path.starts_with(&cache)
                    || **path == folder.join("stranger.wasm")
                    // To make a folder in it, the folder itself is opened.
                    || **path == folder
                    || **path == folder.join(".")
                    || own_process(path)
                    || text.starts_with("pipe:")
                    || OF_ANY_PROGRAM.iter().any(|start| text.starts_with(start)))
            })
            .collect();
        assert!(foreign.is_empty(), "{foreign:?}");
    }
}
