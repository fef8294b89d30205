//! Parameters are of few types, and never change.
use wflow_sdk::prelude::*;

#[flow]
struct Constants {
    #[param(default = 1)]
    number: Param<i64>,
    #[param(default = "one")]
    wrong: Param<i64>,
    #[param(required)]
    list: Param<Vec<i64>>,
}

#[steps]
impl Constants {
    #[step(next = end)]
    fn start(&mut self) {
        self.number = 2.into();
    }

    #[step]
    fn end(&mut self) {}
}

fn main() {}
