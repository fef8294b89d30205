//! What fields may hold and steps may return.
use wflow_sdk::prelude::*;

struct Plain;

#[flow]
struct Types {
    plain: Artifact<Plain>,
    list: Artifact<Vec<Plain>>,
    count: Artifact<i64>,
    small: Artifact<u8>,
    name: Artifact<String>,
}

#[steps]
impl Types {
    #[step(next = number)]
    fn start(&mut self) -> u32 {
        1
    }

    #[step(next = text)]
    fn number(&mut self) -> Result<u32> {
        Ok(1)
    }

    #[step(next = { "a" => end, 1 => end, -1 => end }, switch = count)]
    fn text(&mut self) {}

    #[step(next = { 1 => end, true => end }, switch = name)]
    fn integer(&mut self) {}

    #[step(next = { 255 => end, 256 => end, }, switch = small)]
    fn large(&mut self) {}

    #[step]
    fn end(&mut self) {}
}

fn main() {}
