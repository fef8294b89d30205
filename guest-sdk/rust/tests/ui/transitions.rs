//! What follows a step.
use wflow_sdk::prelude::*;

#[flow]
struct Transitions {
    items: Artifact<Vec<i64>>,
    kind: Artifact<String>,
}

#[steps]
impl Transitions {
    #[step(next = mid)]
    fn start(&mut self) {}

    #[step]
    fn middle(&mut self) {}

    #[step(next = [start, nowhere])]
    fn split(&mut self) {}

    #[step(next = [start, middle], foreach = items)]
    fn foreach(&mut self) {}

    #[step(next = { "a" => start, "b" => middle, "a" => split })]
    fn cases(&mut self) {}

    #[step(next = start, switch = kind)]
    fn switch(&mut self) {}

    #[step(next = start, rounds = 3)]
    fn rounds(&mut self) {}

    #[step(next = start, next = middle)]
    fn twice(&mut self) {}

    #[step(follow = start)]
    fn unknown(&mut self) {}

    #[step(next = { 1.5 => start }, switch = kind)]
    fn float(&mut self) {}

    #[step(next = [])]
    fn nothing(&mut self) {}

    #[step(next = start)]
    fn end(&mut self) {}
}

fn main() {}
