//! What `#[steps]` becomes.

use crate::name;
use crate::steps::{Argument, Step};
use crate::transition::{Case, Next};
use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Lit, Type};

/// The implementation of `Steps`, the checks that need types, and the component's exports.
pub(crate) fn steps(flow: &Type, steps: &[Step]) -> TokenStream {
    let table = steps.iter().map(describe);
    let calls = steps.iter().map(call);
    let checks = steps.iter().flat_map(|step| checks(step, steps));
    let idents: Vec<_> = steps.iter().map(|step| &step.ident).collect();
    let names: Vec<_> = steps.iter().map(|step| name(&step.ident)).collect();
    let flow_name = match flow {
        Type::Path(path) => path.path.segments.last().map(|segment| name(&segment.ident)),
        _ => None,
    };
    let flow_name = flow_name.unwrap_or_default();
    let branches = format_ident!("{flow_name}Branches");
    quote! {
        /// The inputs of a join by the steps that they come from.
        #[doc(hidden)]
        #[allow(dead_code, non_camel_case_types, unreachable_pub, reason = "a join names few of them")]
        pub struct #branches<F> {
            #(#[doc = #names] pub #idents: ::wflow_sdk::__private::Branch<F>),*
        }

        impl ::wflow_sdk::__private::Steps for #flow {
            type Branches = #branches<Self>;

            const STEPS: &'static [::wflow_sdk::__private::Step] = &[#(#table),*];

            fn branches(joined: &::wflow_sdk::__private::Joined) -> #branches<Self> {
                #branches {
                    #(#idents: ::wflow_sdk::__private::Branch::new(joined, #names)),*
                }
            }

            fn call(&mut self, step: &str) -> ::wflow_sdk::Result<()> {
                match step {
                    #(#calls)*
                    _ => ::wflow_sdk::__private::no_such_step(#flow_name, step),
                }
            }
        }

        // Only the types are of interest here.
        const _: () = {
            #[allow(dead_code, reason = "it is never called")]
            fn check(flow: &#flow) {
                let _ = flow;
                #(#checks)*
            }
        };

        ::wflow_sdk::__export!(#flow);
    }
}

/// A step as the table of steps has it.
fn describe(step: &Step) -> TokenStream {
    let (step_name, doc, join) = (name(&step.ident), &step.doc, step.is_join());
    let next = match &step.next {
        None => quote!(None),
        Some(Next::Step(to)) => {
            let to = name(to);
            match &step.foreach {
                None => quote!(Step { step: #to }),
                Some(list) => {
                    let list = name(list);
                    quote!(Foreach { foreach: #list, step: #to })
                }
            }
        }
        // One branch is no split.
        Some(Next::Split(to)) if to.len() == 1 => {
            let to = name(&to[0]);
            quote!(Step { step: #to })
        }
        Some(Next::Split(to)) => {
            let to = to.iter().map(name);
            quote!(Split { split: &[#(#to),*] })
        }
        Some(Next::Cases(cases)) => {
            let on = step.switch.as_ref().map_or_else(String::new, name);
            let cases = cases.iter().map(case);
            let rounds = match &step.rounds {
                Some(rounds) => quote!(::core::option::Option::Some(#rounds)),
                None => quote!(::core::option::Option::None),
            };
            quote!(Switch { switch: #on, cases: &[#(#cases),*], rounds: #rounds })
        }
    };
    // The span makes the compiler answer with the place of the method.
    let line = quote_spanned!(step.ident.span()=> ::core::line!());
    let file = quote_spanned!(step.ident.span()=> ::core::file!());
    quote! {
        ::wflow_sdk::__private::Step {
            name: #step_name,
            doc: #doc,
            join: #join,
            file: #file,
            line: #line,
            next: ::wflow_sdk::__private::Next::#next,
        }
    }
}

fn case(case: &Case) -> TokenStream {
    let to = name(&case.step);
    let value = match (&case.value, case.negative) {
        (Lit::Int(number), true) => quote!(Int(-#number)),
        (Lit::Int(number), false) => quote!(Int(#number)),
        (Lit::Bool(value), _) => quote!(Bool(#value)),
        (value, _) => quote!(Text(#value)),
    };
    quote! {
        ::wflow_sdk::__private::Case { value: ::wflow_sdk::__private::CaseValue::#value, step: #to }
    }
}

/// The arm that calls a step with what its arguments ask for.
fn call(step: &Step) -> TokenStream {
    let (ident, step_name) = (&step.ident, name(&step.ident));
    if !step.callable {
        // What is wrong with it has been said.
        return quote!(#step_name => ::core::unreachable!(),);
    }
    let in_foreach = step
        .arguments
        .iter()
        .any(|argument| matches!(argument, Argument::Input(_) | Argument::Index(_)));
    let frame = in_foreach.then(|| quote!(let frame = ::wflow_sdk::__private::innermost()?;));
    let arguments = step.arguments.iter().map(|argument| match argument {
        Argument::Input(ty) => quote_spanned!(ty.span()=> frame.item::<#ty>()?),
        Argument::Index(ty) => quote_spanned! {ty.span()=> {
            let index: #ty = frame.index;
            index
        }},
        Argument::Inputs(ty) => quote_spanned! {ty.span()=> {
            let inputs: #ty = ::wflow_sdk::Inputs::<Self>::open();
            inputs
        }},
    });
    // The type is written out, so that it is there that it is wrong.
    let returned = step.returned.iter();
    quote! {
        #step_name => {
            #frame
            ::wflow_sdk::__private::outcome #(::<#returned, _>)* (self.#ident(#(#arguments),*))
        }
    }
}

/// What the compiler shall find true: that the fields exist and that a foreach goes over a
/// list of what its step takes.
fn checks(step: &Step, steps: &[Step]) -> Vec<TokenStream> {
    let mut checks = Vec::new();
    if let Some(list) = &step.foreach {
        checks.push(quote_spanned! {list.span()=>
            ::wflow_sdk::__private::is_list(&flow.#list);
        });
        let target = step.followers().first().and_then(|to| steps.iter().find(|s| s.ident == **to));
        if let Some(ty) = target.and_then(Step::input) {
            checks.push(quote_spanned! {ty.span()=>
                ::wflow_sdk::__private::is_list_of::<_, #ty>(&flow.#list);
            });
        }
    }
    if let Some(on) = &step.switch {
        let cases = match &step.next {
            Some(Next::Cases(cases)) => cases.as_slice(),
            _ => &[],
        };
        let cases = cases.iter().map(|case| {
            let minus = case.negative.then(|| quote_spanned!(case.value.span()=> -));
            let value = &case.value;
            quote_spanned!(value.span()=> is_case(#minus #value);)
        });
        let is_switch = quote_spanned! {on.span()=>
            ::wflow_sdk::__private::is_switch(&flow.#on)
        };
        checks.push(quote! {{
            let is_case = #is_switch;
            #(#cases)*
        }});
    }
    checks
}
