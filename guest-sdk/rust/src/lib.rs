//! Write a workflow in Rust, as a struct whose methods are its steps.

extern crate self as wflow_sdk;

mod artifact;
pub mod artifacts;
#[rustfmt::skip]
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, dead_code, clippy::all, reason = "generated")]
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
    pub use crate::artifact::{Bind, Slot};
    pub use crate::bindings;
    pub use crate::describe::{Case, CaseValue, Next, Parameter, Step, describe, to_json};
    pub use crate::flow::{Flow, Outcome, Steps, innermost, no_such_step, run};
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
