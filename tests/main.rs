//! Flows from their source to what they leave behind, through the `wflow` command alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod broken_files;
mod building;
mod failures;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod faults;
mod grants;
mod grants_config;
mod grants_files;
mod grants_http;
mod grants_network;
mod grants_time;
mod graphs;
mod guest;
mod kills;
mod large;
mod limits;
mod listings;
mod nested;
mod notation;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod opens;
mod outside;
mod parameters;
mod reading;
mod recovery;
mod reproducible;
mod resume;
mod resume_changed;
mod resume_refused;
mod reuse;
mod reused;
mod scale;
mod script;
mod store;
mod support;
mod values;
mod verify;
mod wine;
