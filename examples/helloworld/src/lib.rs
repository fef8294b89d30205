use wflow_sdk::prelude::*;

/// Three steps, one after the other.
#[flow]
struct HelloWorldFlow;

#[steps]
impl HelloWorldFlow {
    /// Starting point
    #[step(next = hello)]
    fn start(&mut self) {
        println!("This is start step");
    }

    /// Just saying hi
    #[step(next = end)]
    fn hello(&mut self) {
        println!("Hello World!");
    }

    /// Finish line
    #[step]
    fn end(&mut self) {
        println!("This is end step");
    }
}
