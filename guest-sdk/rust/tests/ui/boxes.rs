//! A box that `?` does not take in alone.
use wflow_sdk::prelude::*;

#[flow]
struct Boxes;

fn fails() -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Err("no".into())
}

#[steps]
impl Boxes {
    #[step(next = end)]
    fn start(&mut self) -> Result {
        fails().context("with context")?;
        fails()?;
        Ok(())
    }

    #[step]
    fn end(&mut self) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
        fails()?;
        Ok(())
    }
}

fn main() {}
