//! Folders that are granted: what is in them is seen, and nothing else, whichever way a task goes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::outside::Outside;
use crate::outside::answering;
use crate::support::outcome;
use crate::support::own;

/// A folder `data` to be granted, and secrets beside it to which everything in it leads.
fn data(outside: &Outside) {
    let here = outside.place.path();
    fs::create_dir_all(here.join("data/sub")).unwrap();
    fs::create_dir(here.join("other")).unwrap();
    for (path, text) in [
        ("data/a", "alpha"),
        ("data/sub/b", "beta"),
        ("secret", "secret"),
        ("other/secret", "secret"),
    ] {
        fs::write(here.join(path), text).unwrap();
    }
    for (target, path) in [
        (Path::new("sub/b"), "inside"),
        (Path::new("../secret"), "relative"),
        (&here.join("secret"), "absolute"),
        (Path::new("relative"), "chain"),
        (Path::new("../other"), "away"),
        (Path::new("sub/../../other"), "detour"),
        (Path::new("/"), "root"),
        (Path::new("loop"), "loop"),
    ] {
        symlink(target, here.join("data").join(path)).unwrap();
    }
    symlink("../..", here.join("data/sub/up")).unwrap();
}

#[test]
fn a_folder_is_read_and_nothing_beside_it() {
    let outside = Outside::new().allow("read=data");
    data(&outside);
    let absolute = format!("read data {}/secret", outside.place.path().display());
    outside.sees(&[
        ("folders", "data"),
        ("read data a", "alpha"),
        ("read data ./sub//b", "beta"),
        ("read data sub/../a", "alpha"),
        ("read data inside", "beta"),
        ("list data .", "a absolute away chain detour inside loop relative root sub"),
        ("stat data a", "DescriptorType::RegularFile of 5 bytes"),
        ("std-read data/sub/b", "beta"),
        ("std-list data/sub", r#"[Ok("b"), Ok("up")]"#),
        // Out of it there is no way.
        ("read data ../secret", "error: not-permitted"),
        ("read data sub/../../secret", "error: not-permitted"),
        (&absolute, "error: not-permitted"),
        ("read data relative", "error: not-permitted"),
        ("read data absolute", "error: not-permitted"),
        ("read data chain", "error: not-permitted"),
        ("read data away/secret", "error: not-permitted"),
        ("read data detour/secret", "error: not-permitted"),
        ("read data sub/up/secret", "error: not-permitted"),
        ("read data sub/up/data/a", "error: not-permitted"),
        ("read data root/etc/hostname", "error: not-permitted"),
        ("read data loop", "error: loop"),
        ("open data ..", "error: not-permitted"),
        ("open data ../", "error: not-permitted"),
        ("open data sub/up", "error: not-permitted"),
        ("open data away/", "error: not-permitted"),
        ("read-through data sub ../../secret", "error: not-permitted"),
        ("read-through data sub up/secret", "error: not-permitted"),
        ("list data ..", "error: not-permitted"),
        ("list data away", "error: not-permitted"),
        ("stat data ../secret", "error: not-permitted"),
        ("stat data absolute", "error: not-permitted"),
        // A file is no folder.
        ("read data a/", "error: not-directory"),
        ("read data a/.", "error: not-directory"),
        ("open data sub/", "done"),
    ]);
}

#[test]
fn a_folder_that_is_read_is_not_changed() {
    let outside = Outside::new().allow("read=data");
    data(&outside);
    let denied = "error: not-permitted";
    outside.sees(&[
        ("write data new text", denied),
        ("write data a text", denied),
        ("truncate data a", denied),
        ("resize data a", denied),
        ("mkdir data new", denied),
        ("remove data a", denied),
        ("rmdir data sub", denied),
        ("times data a", denied),
        ("link data a new", denied),
        ("link data ../secret new", denied),
        ("symlink data a new", denied),
        ("symlink data /etc/hostname new", denied),
        ("rename data a new", denied),
        ("rename data ../secret new", denied),
        ("read data a", "alpha"),
    ]);
    assert_eq!(fs::read_dir(outside.place.path().join("data")).unwrap().count(), 10);
    assert_eq!(outside.imports()["act"], ["wasi:filesystem/preopens", "wasi:filesystem/types"]);
}

#[test]
fn a_folder_that_is_written_is_changed_and_nothing_beside_it() {
    let outside = Outside::new().allow("write=data:/out");
    data(&outside);
    outside.sees(&[
        ("folders", "/out"),
        ("write /out new text", "done"),
        ("write /out inside changed", "done"),
        ("truncate /out a", "done"),
        ("mkdir /out made", "done"),
        ("link /out new linked", "done"),
        ("symlink /out new soft", "done"),
        ("rename /out linked made/moved", "done"),
        ("times /out new", "done"),
        ("read /out made/moved", "text"),
        ("read /out soft", "text"),
        ("read /out sub/b", "changed"),
        ("remove /out soft", "done"),
        ("remove /out relative", "done"),
        // Out of it there is no way.
        ("write /out ../new text", "error: not-permitted"),
        ("write /out absolute text", "error: not-permitted"),
        ("write /out away/secret text", "error: not-permitted"),
        ("write /out sub/up/secret text", "error: not-permitted"),
        ("truncate /out absolute", "error: not-permitted"),
        ("mkdir /out ../made", "error: not-permitted"),
        ("mkdir /out away/made", "error: not-permitted"),
        ("remove /out ../secret", "error: not-permitted"),
        ("remove /out away/secret", "error: not-permitted"),
        ("rmdir /out ../other", "error: not-permitted"),
        ("link /out ../secret linked", "error: not-permitted"),
        ("link /out away/secret linked", "error: not-permitted"),
        ("link /out a ../linked", "error: not-permitted"),
        ("rename /out ../secret stolen", "error: not-permitted"),
        ("rename /out away/secret stolen", "error: not-permitted"),
        ("rename /out a ../a", "error: not-permitted"),
        ("symlink /out a ../soft", "error: not-permitted"),
        ("symlink /out /etc/hostname soft", "error: not-permitted"),
        ("times /out ../secret", "error: not-permitted"),
    ]);
    // A link that leads out can be made, if its text does not say so at once; it leads nowhere.
    outside.sees(&[
        ("symlink /out ../secret soft", "done"),
        ("read /out soft", "error: not-permitted"),
        ("write /out soft text", "error: not-permitted"),
    ]);
    let here = outside.place.path();
    assert_eq!(fs::read_to_string(here.join("data/new")).unwrap(), "text");
    assert_eq!(fs::read_to_string(here.join("data/a")).unwrap(), "");
    assert_eq!(fs::read_to_string(here.join("secret")).unwrap(), "secret");
    assert_eq!(fs::read_to_string(here.join("other/secret")).unwrap(), "secret");
    assert!(!here.join("made").exists() && !here.join("new").exists());
}

#[test]
fn a_folder_is_seen_by_the_path_that_it_is_given() {
    for (grant, seen) in [
        ("read=data", "data"),
        ("read=./data/", "data"),
        ("read=data:/in/put", "/in/put"),
        ("read=data:.", "."),
        ("read=HERE/data", "HERE/data"),
        ("read=HERE/data:data", "data"),
    ] {
        let outside = Outside::new();
        data(&outside);
        let here = outside.place.path().display().to_string();
        let seen = seen.replace("HERE", &here);
        let outside = outside.allow(grant.replace("HERE", &here));
        outside.sees(&[
            ("folders", &seen),
            (&format!("read {seen} a"), "alpha"),
            (&format!("std-read {seen}/sub/b"), "beta"),
        ]);
    }
}

#[test]
fn two_folders_are_two_worlds() {
    let outside = Outside::new().allow("read=data").allow("write=other:scratch");
    data(&outside);
    outside.sees(&[
        ("folders", "data scratch"),
        ("write scratch new text", "done"),
        ("read scratch new", "text"),
        ("write data new text", "error: not-permitted"),
        ("read data ../other/secret", "error: not-permitted"),
        ("read data ../scratch/new", "error: not-permitted"),
    ]);
}

#[test]
fn a_folder_that_is_swapped_stays_what_was_granted() {
    let here = Outside::new();
    let (data, sub) = (here.place.path().join("data"), here.place.path().join("data/sub"));
    let secret = here.place.path().join("other");
    let swap = move |what: &str| {
        // The first time it is a folder in the one that is granted, then the granted one itself.
        let swapped = if what == "sub" { &sub } else { &data };
        fs::rename(swapped, swapped.with_extension("old")).unwrap();
        symlink(&secret, swapped).unwrap();
        "swapped".to_owned()
    };
    let port = answering(swap);
    let outside = here.allow("read=data").allow(format!("net=127.0.0.1:{port}"));
    self::data(&outside);
    let (sub, all) =
        (format!("connect 127.0.0.1:{port} sub"), format!("connect 127.0.0.1:{port} all"));
    outside.sees(&[
        ("read data sub/b", "beta"),
        (&sub, "swapped"),
        ("read data sub/secret", "error: not-permitted"),
        ("read data sub.old/b", "beta"),
        (&all, "swapped"),
        ("read data a", "alpha"),
        ("read data secret", "error: no-entry"),
    ]);
}

#[test]
fn what_is_no_folder_is_told_before_anything_runs() {
    let outside = Outside::new();
    data(&outside);
    let pipe = outside.place.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (grant, why) in [
        ("read=nowhere", "the folder 'nowhere' cannot be opened: No such file or directory"),
        ("write=nowhere", "the folder 'nowhere' cannot be opened: No such file or directory"),
        ("read=secret", "'secret' is no folder. Grant the folder that it is in"),
        ("read=secret/", "the folder 'secret/' cannot be opened: Not a directory"),
        ("read=pipe", "'pipe' is no folder"),
        ("read=/dev/null", "'/dev/null' is no folder"),
    ] {
        let mut command = outside.place.command(["run", "--allow", grant]);
        let failed = outcome(command.arg(own("outside"))).fails(2);
        assert!(failed.stderr.contains(&format!("cannot grant `{grant}`: {why}")), "{failed}");
        assert_eq!(failed.stdout, "");
    }
    assert!(outside.place.wflow("list --json").stdout.is_empty(), "there is no run");
}

#[test]
fn a_pipe_in_a_folder_holds_nobody_up() {
    let outside = Outside::new().allow("write=data");
    data(&outside);
    let pipe = outside.place.path().join("data/pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    symlink("pipe", outside.place.path().join("data/to-pipe")).unwrap();
    outside.sees(&[
        ("read data pipe", "error: not-permitted"),
        ("read data to-pipe", "error: not-permitted"),
        ("write data pipe text", "error: not-permitted"),
        ("truncate data pipe", "error: not-permitted"),
        ("stat data pipe", "DescriptorType::Unknown of 0 bytes"),
    ]);
}
