//! `#[steps]`: reads the steps of a flow and checks what can be checked here.
//!
//! The shape of the graph (joins, cycles, what is reachable) is left to the host, whose
//! diagnostics are for flows in every language.

use crate::transition::{Next, Transition};
use crate::{Errors, doc, emit, name};
use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parse;
use syn::{
    FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, LitInt, Pat, ReceiverKind, ReturnType, Type,
};

/// A step as it is written.
pub(crate) struct Step {
    /// Whether its signature is that of a step.
    pub(crate) callable: bool,
    pub(crate) ident: Ident,
    pub(crate) doc: String,
    pub(crate) arguments: Vec<Argument>,
    /// The type that it says that it returns.
    pub(crate) returned: Option<Type>,
    pub(crate) next: Option<Next>,
    pub(crate) foreach: Option<Ident>,
    pub(crate) switch: Option<Ident>,
    pub(crate) rounds: Option<LitInt>,
}

/// An argument of a step, known by its name.
pub(crate) enum Argument {
    Input(Type),
    Index(Type),
    Inputs(Type),
}

impl Step {
    pub(crate) fn is_join(&self) -> bool {
        self.arguments.iter().any(|argument| matches!(argument, Argument::Inputs(_)))
    }

    pub(crate) fn input(&self) -> Option<&Type> {
        self.arguments.iter().find_map(|argument| match argument {
            Argument::Input(ty) => Some(ty),
            _ => None,
        })
    }

    /// Every step that it names, in the order in which they are written.
    pub(crate) fn followers(&self) -> Vec<&Ident> {
        match &self.next {
            None => Vec::new(),
            Some(Next::Step(step)) => vec![step],
            Some(Next::Split(steps)) => steps.iter().collect(),
            Some(Next::Cases(cases)) => cases.iter().map(|case| &case.step).collect(),
        }
    }
}

pub(crate) fn expand(attribute: &TokenStream, item: &TokenStream) -> TokenStream {
    let mut item: ItemImpl = match syn::parse2(item.clone()) {
        Ok(item) => item,
        Err(error) => {
            // Without what follows the error would be that the whole flow is missing.
            let error = error.into_compile_error();
            return quote!(#error #item);
        }
    };
    let mut errors = Errors::default();
    if !attribute.is_empty() {
        errors.add(attribute, "`#[steps]` takes no arguments");
    }
    if let Some((path, _)) = &item.trait_ {
        errors.add(path, "`#[steps]` stands before the `impl` of the flow itself, of no trait");
    }
    if !item.generics.params.is_empty() {
        errors.add(&item.generics, "a flow has no generic parameters");
    }

    let mut steps: Vec<Step> = Vec::new();
    for member in &mut item.items {
        let ImplItem::Fn(function) = member else { continue };
        let Some(step) = read_step(function, &mut errors) else { continue };
        if steps.iter().any(|earlier| earlier.ident == step.ident) {
            errors.add(&step.ident, format!("step `{}` is there twice", name(&step.ident)));
        } else {
            steps.push(step);
        }
    }
    if steps.is_empty() {
        errors.add(&item.self_ty, "a flow has steps: methods that carry `#[step]`");
    }
    check_followers(&mut steps, &mut errors);

    let whole = !steps.is_empty() && item.trait_.is_none() && item.generics.params.is_empty();
    let flow = whole.then(|| emit::steps(&item.self_ty, &steps));
    let errors = errors.into_tokens();
    quote! { #errors #item #flow }
}

/// The step that a method is, if it carries `#[step]`; the attribute is taken off it.
fn read_step(function: &mut ImplItemFn, errors: &mut Errors) -> Option<Step> {
    let mut attributes: Vec<_> =
        function.attrs.extract_if(.., |attribute| attribute.path().is_ident("step")).collect();
    if attributes.is_empty() {
        return None;
    }
    for second in attributes.drain(1..) {
        errors.add(second, "`#[step]` is given twice");
    }
    let signature = &function.sig;
    let mut wrong_signature = Errors::default();
    let wrong = &mut wrong_signature;
    if let Some(token) = &signature.asyncness {
        wrong.add(token, "a step is not async");
    }
    if let syn::Safety::Unsafe(token) = &signature.safety {
        wrong.add(token, "a step is not unsafe");
    }
    if !signature.generics.params.is_empty() {
        wrong.add(&signature.generics, "a step has no generic parameters");
    }

    let mut arguments = Vec::new();
    let mut receiver = false;
    for argument in &signature.inputs {
        match argument {
            FnArg::Receiver(this) if matches!(this.kind, ReceiverKind::Reference(..)) => {
                receiver = true;
            }
            FnArg::Receiver(this) => {
                receiver = true;
                wrong.add(this, "a step takes `&mut self` (or `&self`)");
            }
            FnArg::Typed(typed) => {
                arguments.extend(read_argument(&typed.pat, &typed.ty, &arguments, wrong));
            }
        }
    }
    if !receiver {
        wrong.add(&signature.ident, "a step takes `&mut self` (or `&self`)");
    }

    let callable = wrong_signature.is_empty();
    errors.append(wrong_signature);

    let attribute = attributes.remove(0);
    let written = match &attribute.meta {
        syn::Meta::Path(_) => Transition::default(),
        _ => attribute.parse_args_with(Transition::parse).unwrap_or_else(|error| {
            errors.push(error);
            Transition { broken: true, ..Transition::default() }
        }),
    };
    let ident = signature.ident.clone();
    let returned = match &signature.output {
        ReturnType::Type(_, ty) if !matches!(**ty, Type::Never(_)) => Some((**ty).clone()),
        _ => None,
    };
    if !arguments.is_empty() {
        function.attrs.push(syn::parse_quote! {
            #[allow(clippy::needless_pass_by_value, reason = "a step owns its arguments")]
        });
    }
    written.check(&ident, &attribute, errors);
    Some(Step {
        callable,
        doc: doc(&function.attrs),
        ident,
        arguments,
        returned,
        next: written.next,
        foreach: written.foreach,
        switch: written.switch,
        rounds: written.rounds,
    })
}

fn read_argument(
    pattern: &Pat,
    ty: &Type,
    earlier: &[Argument],
    errors: &mut Errors,
) -> Option<Argument> {
    let known = match pattern {
        Pat::Ident(ident) => name(&ident.ident),
        _ => String::new(),
    };
    // `_input` is how Rust says that an argument is not used.
    let argument = match known.trim_start_matches('_') {
        "input" => Argument::Input(ty.clone()),
        "index" => Argument::Index(ty.clone()),
        "inputs" => Argument::Inputs(ty.clone()),
        _ => {
            let message = "the arguments of a step are known by their names: `input` (the item of a \
                           foreach), `index` (its position) and `inputs` (what a join reads)";
            errors.add(pattern, message);
            return None;
        }
    };
    let same =
        |other: &Argument| std::mem::discriminant(other) == std::mem::discriminant(&argument);
    // The compiler itself says that an argument is there twice.
    (!earlier.iter().any(same)).then_some(argument)
}

/// Takes out, and reports, the names of steps that are not there.
fn check_followers(steps: &mut [Step], errors: &mut Errors) {
    let known: Vec<Ident> = steps.iter().map(|step| step.ident.clone()).collect();
    for step in steps {
        let mut missing = false;
        for follower in step.followers() {
            if !known.contains(follower) {
                missing = true;
                let names: Vec<String> = known.iter().map(name).collect();
                errors.add(
                    follower,
                    format!(
                        "no step `{}` in this flow; its steps: {}",
                        name(follower),
                        names.join(", ")
                    ),
                );
            }
        }
        if missing {
            step.next = None;
        }
    }
}
