//! A parameter never changes.
use wflow_sdk::prelude::*;

#[flow]
struct Constant {
    #[param(default = 1)]
    number: Param<i64>,
}

#[steps]
impl Constant {
    #[step(next = end)]
    fn start(&mut self) {
        *self.number += 1;
    }

    #[step]
    fn end(&mut self) {}
}

fn main() {}
