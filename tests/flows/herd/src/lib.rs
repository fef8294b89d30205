use wflow_sdk::prelude::*;

/// One of many tasks fails; the others would go on for ever.
#[flow]
struct HerdFlow {
    herd: Artifact<Vec<i64>>,
}

#[steps]
impl HerdFlow {
    #[step(next = walk, foreach = herd)]
    fn start(&mut self) {
        self.herd = Vec::from_iter(0..64).into();
    }

    #[step(next = join)]
    fn walk(&mut self, input: i64) -> Result {
        ensure!(input != 3, "number {input} is lame");
        let mut steps = 1u64;
        while steps != 0 {
            steps = std::hint::black_box(steps | 1);
        }
        Ok(())
    }

    #[step(next = end)]
    fn join(&mut self, inputs: Inputs<Self>) {
        println!("{} came home", inputs.len());
    }

    #[step]
    fn end(&mut self) {}
}
