//! Steps of a struct that is no flow.
use wflow_sdk::prelude::*;

struct NoFlow;

#[steps]
impl NoFlow {
    #[step(next = end)]
    fn start(&mut self) {}

    #[step]
    fn end(&mut self) {}
}

fn main() {}
