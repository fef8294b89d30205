//! Files that somebody calls a flow: loaded and described.
//!
//! Text of WebAssembly is made binary first, so that seeds can be read and a mutation often stays
//! a module; all else is taken as it is.

#![no_main]

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use wflow_sandbox::Sandbox;
use wflow_sandbox::SandboxOptions;

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| {
    Sandbox::new(&SandboxOptions { slots: 1, ..SandboxOptions::default() }).expect("an engine")
});

/// `describe` is called twice, and each may take a second; the rest is compilation.
const MOST: Duration = Duration::from_secs(8);

fuzz_target!(|bytes: &[u8]| {
    let binary = if bytes.starts_with(b"(") {
        match wat::parse_bytes(bytes) {
            Ok(binary) => binary,
            Err(_) => return,
        }
    } else {
        Cow::Borrowed(bytes)
    };
    let begin = Instant::now();
    match SANDBOX.load(&binary) {
        Ok(component) => {
            let first = component.describe().map_err(|error| error.to_string());
            assert!(begin.elapsed() < MOST, "it takes {:?}", begin.elapsed());
            if let Ok(first) = first {
                assert_eq!(component.describe().ok(), Some(first), "it says something else");
            }
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty() && text.len() < 100_000, "{} bytes are said", text.len());
        }
    }
});
