//! Write a workflow in Rust, as a struct whose methods are its steps.
//!
//! ```no_run
//! use wflow_sdk::prelude::*;
//!
//! /// The longest name wins.
//! #[flow]
//! struct Contest {
//!     /// Who takes part, separated by commas
//!     #[param(default = "bird,mouse,dog")]
//!     names: Param<String>,
//!     creatures: Artifact<Vec<String>>,
//!     creature: Artifact<String>,
//!     score: Artifact<usize>,
//!     best: Artifact<String>,
//! }
//!
//! #[steps]
//! impl Contest {
//!     #[step(next = measure, foreach = creatures)]
//!     fn start(&mut self) {
//!         self.creatures = self.names.split(',').map(str::to_owned).collect::<Vec<_>>().into();
//!     }
//!
//!     /// One task for each creature
//!     #[step(next = join)]
//!     fn measure(&mut self, input: String) {
//!         self.score = input.len().into();
//!         self.creature = input.into();
//!     }
//!
//!     #[step(next = end)]
//!     fn join(&mut self, inputs: Inputs<Self>) -> Result {
//!         let best = inputs.iter().max_by_key(|input| *input.score);
//!         self.best = best.context("nobody takes part")?.creature;
//!         Ok(())
//!     }
//!
//!     #[step]
//!     fn end(&mut self) {
//!         println!("{} won!", self.best);
//!     }
//! }
//! ```
//!
//! A flow is a crate of its own whose `Cargo.toml` says `crate-type = ["cdylib"]` under `[lib]`;
//! `wflow build` makes a component of it. Other crates can be used as far as they are Rust.
//!
//! # Fields
//!
//! The fields of the struct that carries [`#[flow]`](macro@flow) are [`Artifact`]s, which cross
//! from step to step, and [`Param`]s, which are set when a run starts. Doc comments are what
//! `wflow show` and `--help` tell.
//!
//! `#[param(...)]` says more of a parameter: `name = "..."` of its option, if that is not the
//! field's; `help = "..."`, if that is not its doc comment; `default = ...`; or `required`. One
//! that has none of the last two is of type `Param<Option<T>>`.
//!
//! An artifact holds any type of `serde`; a type of the flow's own becomes one with
//! [`#[value]`](macro@value). Values are stored as deterministic CBOR, so that every language
//! reads them and equal values are stored once; [`Bytes`], [`Text`] and [`Tensor`] have formats
//! of their own, for data in bulk. A `HashMap` is sorted by that, a `HashSet` is not: a
//! `BTreeSet` is the same in every run.
//!
//! # Steps
//!
//! The methods with `#[step]`, in an `impl` block with [`#[steps]`](macro@steps), are the steps.
//! They run as tasks, each in a new instance of the component. They start with `start` and end
//! with `end`, and all but `end` say what follows:
//!
//! - `#[step(next = a)]`: step `a`.
//! - `#[step(next = [a, b])]`: both, side by side, up to their join.
//! - `#[step(next = a, foreach = items)]`: a task of `a` for each item of the list `items`.
//! - `#[step(next = { "x" => a, "y" => b }, switch = kind)]`: the step whose value, a string, an
//!   integer or a bool, `kind` has. One may lead back; `rounds = 10` bounds how often.
//!
//! A step takes `&mut self`, and what else it names: `input`, the item of the nearest foreach;
//! `index: usize`, its position; `inputs: Inputs<Self>`, with which it is a join: see [`Inputs`].
//! What else it may want to know is in [`Task`].
//!
//! It returns nothing, or a [`Result`]. An error, or a panic, fails the task; the report
//! names the line of the `?` or of the panic. What it has set is kept only if it succeeds.
//!
//! # Without the fields
//!
//! The module [`artifacts`] reads and writes artifacts by name, and in pieces where they are too
//! large for memory. Time and random numbers are those of the run, the same each time: from
//! `std`, from crates, or from the module [`task`]. There are no threads in a flow.
//!
//! # What is outside
//!
//! There are no files, no environment and no network, unless whoever runs the flow grants them
//! (`wflow run --allow ...`); then `std` has them. What a flow cannot do without it says, and why,
//! with `#[wants]` on the struct. Nothing of it runs until that is granted.
//!
//! ```no_run
//! use wflow_sdk::prelude::*;
//!
//! #[flow]
//! #[wants("read=data", "the tables to be counted")]
//! #[wants("env=API_KEY", "to be let in")]
//! struct Tables {
//!     count: Artifact<usize>,
//! }
//!
//! #[steps]
//! impl Tables {
//!     #[step(next = end)]
//!     fn start(&mut self) -> Result {
//!         self.count = std::fs::read_dir("data")?.count().into();
//!         Ok(())
//!     }
//!
//!     #[step]
//!     fn end(&mut self) {}
//! }
//! ```
//!
//! Each thing is named as the flow sees it: `read=PATH`, `write=PATH`, `env=NAME`, `net=HOST:PORT`,
//! `http=HOST` (for `wasi:http`, of the crate `wasip2`), `clock`, `random`. Where the folder is, who
//! runs the flow decides: `--allow read=/srv/tables:data`.

extern crate self as wflow_sdk;

mod artifact;
pub mod artifacts;
#[rustfmt::skip]
#[doc(hidden)]
#[allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::allow_attributes_without_reason,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "generated"
)]
pub mod bindings;
mod codec;
mod describe;
mod error;
mod flow;
mod foreach;
mod host;
mod inputs;
mod param;
mod source;
pub mod task;
mod tensor;
mod this;
mod values;

pub use artifact::Artifact;
pub use error::{Context, Error, Result};
pub use inputs::{Inputs, InputsIter, Merge};
pub use param::Param;
pub use serde;
pub use serde_json::json;
pub use tensor::{Element, Tensor};
pub use this::Task;
pub use values::{Bytes, Json, Text};
pub use wflow_sdk_macros::{flow, steps, value};

/// All that a flow usually needs.
pub mod prelude {
    pub use crate::{
        Artifact, Bytes, Context, Error, Inputs, Json, Param, Result, Task, Tensor, Text, bail,
        ensure, flow, json, steps, value,
    };
    pub use serde_json::Value;
}

/// For the code that the macros generate.
#[doc(hidden)]
pub mod __private {
    pub use crate::artifact::{Bind, Slot, slot};
    pub use crate::bindings;
    pub use crate::describe::{Case, CaseValue, Next, Parameter, Step, Wish, describe, to_json};
    pub use crate::flow::{Flow, Outcome, Steps, innermost, no_such_step, outcome, run};
    pub use crate::foreach::{is_list, is_list_of, is_switch};
    pub use crate::inputs::Branch;
    pub use crate::param::ParamType;
    pub use crate::source::{Joined, Source};
}

/// Exports the flow from the component.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($flow:ty) => {
        // All of these are at the root of the crate, so a second flow is an error.
        #[cfg(not(test))]
        #[doc(hidden)]
        #[macro_export]
        #[allow(non_local_definitions, reason = "it is never called")]
        macro_rules! a_crate_holds_one_flow_only {
            () => {};
        }

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;

            impl $crate::__private::bindings::Guest for Component {
                fn describe() -> ::std::string::String {
                    $crate::__private::describe::<$flow>()
                }

                fn run(
                    step: ::std::string::String,
                ) -> ::core::result::Result<(), $crate::__private::bindings::Failure> {
                    $crate::__private::run::<$flow>(&step)
                }
            }

            $crate::__private::bindings::export_flow!(
                Component with_types_in $crate::__private::bindings
            );
        };
    };
}
