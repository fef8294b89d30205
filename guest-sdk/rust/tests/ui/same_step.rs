//! A step that is there twice.
use wflow_sdk::prelude::*;

#[flow]
struct Same;

#[steps]
impl Same {
    #[step(next = end)]
    fn start(&mut self) {}

    #[step]
    fn end(&mut self) {}

    #[step]
    fn end(&mut self) {}
}

fn main() {}
