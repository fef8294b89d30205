use wflow_sdk::prelude::*;

/// A count that each step hands on to the next.
#[flow]
struct CounterFlow {
    count: Artifact<i64>,
}

#[steps]
impl CounterFlow {
    #[step(next = add)]
    fn start(&mut self) {
        self.count = 0.into();
    }

    #[step(next = end)]
    fn add(&mut self) {
        println!("The count is {} before incrementing", self.count);
        *self.count += 1;
    }

    #[step]
    fn end(&mut self) {
        *self.count += 1;
        println!("The final count is {}", self.count);
    }
}
