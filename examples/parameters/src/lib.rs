use wflow_sdk::prelude::*;

/// Three parameters: one that must be given, one with a default, and one that may be left out.
#[flow]
struct ParameterFlow {
    #[param(name = "creature", help = "Specify an animal", required)]
    animal: Param<String>,
    #[param(help = "Number of animals", default = 1)]
    count: Param<i64>,
    #[param(help = "Ratio between 0.0 and 1.0")]
    ratio: Param<Option<f64>>,
}

#[steps]
impl ParameterFlow {
    #[step(next = end)]
    fn start(&mut self) {
        println!("{} is a string of {} characters", self.animal, self.animal.chars().count());
        println!("Count is an integer: {}+1={}", self.count, *self.count + 1);
        match *self.ratio {
            Some(ratio) => println!("Ratio is a float whose value is {ratio}"),
            None => println!("Ratio is None"),
        }
    }

    #[step]
    fn end(&mut self) {
        println!("done!");
    }
}
