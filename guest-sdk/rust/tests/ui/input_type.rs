//! An `input` that is not of the type of the items.
use wflow_sdk::prelude::*;

#[flow]
struct Types {
    items: Artifact<Vec<String>>,
}

#[steps]
impl Types {
    #[step(next = item, foreach = items)]
    fn start(&mut self) {}

    #[step(next = join)]
    fn item(&mut self, _input: i64) {}

    #[step(next = end)]
    fn join(&mut self, inputs: Inputs<Self>) {
        println!("{}", inputs.itme.items.len());
    }

    #[step]
    fn end(&mut self) {}
}

fn main() {}
