//! `wasi:random`: one generator for all of it, the task's.

use wasmtime_wasi::p2::bindings::random;

use crate::contract::Violation;
use crate::state::State;

const RANDOM: &str = "wasi:random/random";
const INSECURE: &str = "wasi:random/insecure";
const INSECURE_SEED: &str = "wasi:random/insecure-seed";

/// Random bytes that one call may draw.
const MAX_RANDOM: u64 = 16 << 20;

impl State {
    fn random_bytes(&mut self, import: &'static str, count: u64) -> wasmtime::Result<Vec<u8>> {
        if count > MAX_RANDOM {
            let text = format!("{count} random bytes were drawn at once; at most {MAX_RANDOM}");
            return Err(Violation(text).into());
        }
        Ok(self.random(import).bytes(count as usize)?)
    }
}

impl random::random::Host for State {
    fn get_random_bytes(&mut self, count: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(RANDOM, count)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random(RANDOM).number()?)
    }
}

impl random::insecure::Host for State {
    fn get_insecure_random_bytes(&mut self, count: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(INSECURE, count)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random(INSECURE).number()?)
    }
}

impl random::insecure_seed::Host for State {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        let random = self.random(INSECURE_SEED);
        Ok((random.number()?, random.number()?))
    }
}
