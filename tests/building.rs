//! `wflow build`: from the source of a flow to a component.

use std::fs;
use std::path::Path;

use crate::support::Outcome;
use crate::support::Place;
use crate::support::outcome;
use crate::support::root;

/// Writes a crate of that name.
fn krate(place: &Place, name: &str, manifest: &str, source: &str) {
    let folder = place.path().join(name);
    fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{manifest}"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("src/lib.rs"), source).unwrap();
}

fn build(place: &Place, words: &str, target: &Path) -> Outcome {
    let mut command = place.command(["build"]);
    // The toolchain for WebAssembly may have been made in the user's cache.
    command.env_remove("WFLOW_CACHE");
    if let Some(cache) = std::env::var_os("WFLOW_CACHE") {
        command.env("WFLOW_CACHE", cache);
    }
    outcome(command.env("CARGO_TARGET_DIR", target).args(words.split_whitespace()))
}

#[test]
fn the_first_flow_of_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("```rust\n").unwrap();
    let (source, _) = rest.split_once("```").unwrap();
    assert!(source.lines().count() <= 22, "a first flow is short");

    let place = Place::new();
    let sdk = root().join("guest-sdk/rust");
    let manifest = format!(
        "[lib]\ncrate-type = [\"cdylib\"]\n[dependencies]\nwflow-sdk = {{ path = \"{}\" }}\n",
        sdk.display()
    );
    krate(&place, "first", &manifest, source);
    // The crates that the SDK depends on are those that are there already.
    fs::copy(root().join("examples/Cargo.lock"), place.path().join("first/Cargo.lock")).unwrap();
    let built = build(&place, "first -o first.wasm", &root().join("examples/target")).done();
    assert_eq!(built.stdout, "");
    assert!(built.stderr.contains("Wrote first.wasm ("), "{built}");
    let run = place.run("first.wasm".as_ref(), "").done();
    assert_eq!(run.printed("end"), ["12 letters"]);
    let dumped = place.wflow("dump latest/measure --include length").done();
    let lengths = [4, 5, 3].map(|n| format!("length [size: 1 type: int] = {n}\n")).concat();
    assert_eq!(dumped.stdout, lengths);
}

#[test]
fn what_cannot_be_built() {
    let place = Place::new();
    let target = place.path().join("target");
    let told = build(&place, "nosuch", &target).fails(2);
    assert!(told.stderr.contains("'nosuch' holds no Cargo.toml"), "{told}");

    krate(&place, "plain", "", "pub fn nothing() {}\n");
    let told = build(&place, "plain", &target).fails(1);
    assert!(told.stderr.contains("crate-type = [\"cdylib\"]"), "{told}");

    let cdylib = "[lib]\ncrate-type = [\"cdylib\"]\n";
    krate(&place, "wrong", cdylib, "pub fn wrong() -> i32 {\n    \"text\"\n}\n");
    let told = build(&place, "wrong -o wrong.wasm", &target).fails(1);
    assert!(told.stderr.contains("lib.rs:2:5"), "the compiler's own words: {told}");
    assert!(told.stderr.contains("error: the flow in 'wrong' does not compile"), "{told}");
    assert!(!place.path().join("wrong.wasm").exists());

    krate(&place, "other", cdylib, "pub fn nothing() {}\n");
    let told = build(&place, "other -o other.wasm", &target).fails(1);
    let reasons = ["does not export `describe", "cannot be made a component"];
    assert!(reasons.iter().any(|reason| told.stderr.contains(reason)), "{told}");
    assert!(!place.path().join("other.wasm").exists());
}
