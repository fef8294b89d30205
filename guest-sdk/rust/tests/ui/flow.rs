//! What a flow may be.
use wflow_sdk::prelude::*;

#[flow]
enum NotAStruct {}

#[flow]
struct Generic<T> {
    value: Artifact<T>,
}

#[flow(name = "x")]
struct Arguments;

#[flow]
struct Tuple(Artifact<i64>);

#[flow]
struct Empty;

#[steps]
impl Empty {}

fn main() {}
