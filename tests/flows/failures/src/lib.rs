use wflow_sdk::prelude::*;

/// Fails in the way that it is told to, beside a branch that does not.
#[flow]
struct FailingFlow {
    #[param(help = "In which way to fail", default = "not at all")]
    how: Param<String>,
    count: Artifact<i64>,
    note: Artifact<String>,
}

#[steps]
impl FailingFlow {
    #[step(next = [good, bad])]
    fn start(&mut self) {
        self.count = 1.into();
    }

    #[step(next = join)]
    fn good(&mut self) {
        *self.count += 1;
        println!("the good branch is done");
    }

    #[step(next = join)]
    fn bad(&mut self) -> Result {
        self.note = "set before the failure".into();
        println!("about to fail: {}", self.how);
        eprintln!("this goes to standard error");
        match self.how.as_str() {
            "panic" => panic!("the wine is corked"),
            "index" => println!("{}", [1, 2, 3][self.how.len()]),
            "error" => {
                let _: i64 = "ten".parse().context("the number of wines")?;
            }
            "message" => bail!("there are {} wines too few", self.count),
            "missing" => println!("{}", self.nowhere()?),
            "trap" => trap(),
            "loop" => endless(),
            "exit" => std::process::exit(0),
            "stack" => println!("{}", deep(u64::MAX)),
            "memory" => hog(),
            "log" => {
                for line in 0..40_000 {
                    println!("line {line:06} {:49}", "");
                }
            }
            "escape" => panic!("\u{1b}[2Jcleared\u{7}"),
            _ => {}
        }
        Ok(())
    }

    #[step(next = end)]
    fn join(&mut self, inputs: Inputs<Self>) {
        self.count = inputs.good.count.clone();
    }

    #[step]
    fn end(&mut self) {
        println!("nothing failed, the count is {}", self.count);
    }
}

impl FailingFlow {
    fn nowhere(&self) -> Result<String> {
        let (_, bytes) = wflow_sdk::artifacts::get("nowhere")?;
        Ok(String::from_utf8(bytes)?)
    }
}

#[inline(never)]
fn trap() {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
}

#[inline(never)]
fn endless() {
    let mut number = 1u64;
    while number != 0 {
        number = std::hint::black_box(number | 1);
    }
}

#[inline(never)]
fn deep(level: u64) -> u64 {
    match std::hint::black_box(level) {
        0 => 0,
        level => deep(level - 1) + std::hint::black_box(1),
    }
}

#[inline(never)]
fn hog() {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        all.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}
