//! What of a flow is compiled: a compiler takes far more time and memory than what it compiles has
//! bytes, and for some code more than proportionally so. What is within these bounds took less than
//! 2 GiB in the worst case found; an interpreter for Python is far within.

use wasmparser::FunctionBody;
use wasmparser::Operator;

use crate::error::LoadError;

/// Bytes of code, all functions together. An interpreter for Python has 7 MiB.
const CODE: u64 = 24 << 20;

/// Bytes of one function. Of each, the compiler makes up to 1.5 KiB of its own. The largest of
/// Python has 0.4 MiB.
const FUNCTION: u64 = 512 << 10;

/// Functions larger than this are large.
const LARGE: u64 = 64 << 10;

/// Bytes of all large functions together, since as many as there are cores are compiled at once.
const ALL_LARGE: u64 = 5 << 18;

/// The number of functions.
const FUNCTIONS: u64 = 250_000;

/// In one function the number of its locals times that of its branches: at worst each local has
/// another value after each branch. In Python there are functions with half a million.
const LOCALS_BY_BRANCHES: u64 = 4_000_000;

/// Loops within loops. The compiler's time grows with the third power of their number.
const LOOPS: u64 = 100;

/// Types of core modules and components together.
const TYPES: u64 = 200_000;

/// Core modules in a component. Python with its libraries has some twenty.
const MODULES: u64 = 200;

/// Counts what the compiler will have to do.
#[derive(Default)]
pub(crate) struct Bounds {
    code: u64,
    large: u64,
    functions: u64,
    types: u64,
    modules: u64,
}

impl Bounds {
    /// Counts a module.
    pub(crate) fn module(&mut self) -> Result<(), LoadError> {
        add(&mut self.modules, 1, MODULES, "core modules")
    }

    /// Counts types.
    pub(crate) fn types(&mut self, count: u32) -> Result<(), LoadError> {
        add(&mut self.types, count.into(), TYPES, "types")
    }

    /// Counts a function.
    pub(crate) fn function(&mut self, body: &FunctionBody<'_>) -> Result<(), LoadError> {
        let size = body.as_bytes().len() as u64;
        add(&mut self.functions, 1, FUNCTIONS, "functions")?;
        add(&mut self.code, size, CODE, "bytes of code")?;
        add(&mut 0, size, FUNCTION, "bytes in one function")?;
        if size > LARGE {
            add(&mut self.large, size, ALL_LARGE, "bytes in functions of more than 64 KiB")?;
        }
        // Damage is found by whoever validates the component.
        let _ = branches(body)?;
        Ok(())
    }
}

/// Bounds the control flow of a function; none if it cannot be read.
fn branches(body: &FunctionBody<'_>) -> Result<Option<()>, LoadError> {
    let Ok(locals) = body.get_locals_reader() else { return Ok(None) };
    let mut number_of_locals = 0_u64;
    for group in locals {
        let Ok((count, _)) = group else { return Ok(None) };
        number_of_locals += u64::from(count);
    }
    let Ok(operators) = body.get_operators_reader() else { return Ok(None) };
    let (mut branches, mut loops, mut blocks) = (0_u64, 0_u64, Vec::new());
    for operator in operators {
        let Ok(operator) = operator else { return Ok(None) };
        match operator {
            Operator::Loop { .. } => {
                add(&mut loops, 1, LOOPS, "loops within each other")?;
                blocks.push(true);
            }
            Operator::Block { .. } | Operator::If { .. } => blocks.push(false),
            Operator::End => {
                loops -= u64::from(blocks.pop() == Some(true));
                branches += 1;
            }
            Operator::Else | Operator::BrIf { .. } => branches += 1,
            Operator::BrTable { ref targets } => branches += u64::from(targets.len()),
            _ => {}
        }
    }
    let all = number_of_locals.saturating_mul(branches);
    add(&mut 0, all, LOCALS_BY_BRANCHES, "locals times branches in one function")?;
    Ok(Some(()))
}

fn add(count: &mut u64, more: u64, limit: u64, what: &'static str) -> Result<(), LoadError> {
    *count = count.saturating_add(more);
    if *count > limit {
        return Err(LoadError::TooLarge { what, count: *count, limit });
    }
    Ok(())
}
