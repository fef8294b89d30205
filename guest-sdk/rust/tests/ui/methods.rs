//! What a step may be.
use wflow_sdk::prelude::*;

#[flow]
struct Methods;

#[steps]
impl Methods {
    #[step(next = by_value)]
    fn start() {}

    #[step(next = asynchronous)]
    fn by_value(self) {}

    #[step(next = generic)]
    async fn asynchronous(&mut self) {}

    #[step(next = arguments)]
    fn generic<T>(&mut self) {}

    #[step(next = doubled)]
    fn arguments(&mut self, _item: i64) {}

    #[step(next = end)]
    #[step(next = end)]
    fn doubled(&mut self) {}

    #[step]
    fn end(&mut self) {}
}

fn main() {}
