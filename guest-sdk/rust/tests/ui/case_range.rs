//! Cases that are beyond the type of the artifact.
use wflow_sdk::prelude::*;

#[flow]
struct Range {
    small: Artifact<u8>,
    signed: Artifact<i8>,
    yes: Artifact<bool>,
}

#[steps]
impl Range {
    #[step(next = { 255 => end, 256 => end }, switch = small)]
    fn start(&mut self) {}

    #[step(next = { -128 => end, -129 => end }, switch = signed)]
    fn signed(&mut self) {}

    #[step(next = { true => end, false => end }, switch = yes)]
    fn yes(&mut self) {}

    #[step]
    fn end(&mut self) {}
}

fn main() {}
