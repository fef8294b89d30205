//! `#[steps]`: reads the steps of a flow and checks what can be checked here.
//!
//! The shape of the graph (joins, cycles, what is reachable) is left to the host, whose
//! diagnostics are for flows in every language.

use crate::{Errors, doc, emit, name};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, Lit, LitInt, Pat, Token, Type};

/// A step as it is written.
pub(crate) struct Step {
    /// Whether its signature is that of a step.
    pub(crate) callable: bool,
    pub(crate) ident: Ident,
    pub(crate) doc: String,
    pub(crate) arguments: Vec<Argument>,
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

/// What follows a step.
pub(crate) enum Next {
    Step(Ident),
    Split(Vec<Ident>),
    Cases(Vec<Case>),
}

/// One case of a switch.
pub(crate) struct Case {
    pub(crate) value: Lit,
    pub(crate) negative: bool,
    pub(crate) step: Ident,
}

impl Case {
    /// The same for equal values, however they are written.
    fn key(&self) -> String {
        match &self.value {
            Lit::Str(text) => format!("{:?}", text.value()),
            Lit::Int(number) if self.negative => format!("-{}", number.base10_digits()),
            Lit::Int(number) => number.base10_digits().to_owned(),
            other => other.to_token_stream().to_string(),
        }
    }
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

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> TokenStream {
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
        errors.add(&attribute, "`#[steps]` takes no arguments");
    }
    if let Some((_, path, _)) = &item.trait_ {
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
    for (token, what) in [
        (signature.asyncness.map(|token| token.span), "async"),
        (signature.unsafety.map(|token| token.span), "unsafe"),
    ] {
        if let Some(span) = token {
            wrong.push(syn::Error::new(span, format!("a step is not {what}")));
        }
    }
    if !signature.generics.params.is_empty() {
        wrong.add(&signature.generics, "a step has no generic parameters");
    }

    let mut arguments = Vec::new();
    let mut receiver = false;
    for argument in &signature.inputs {
        match argument {
            FnArg::Receiver(this) if this.reference.is_some() && this.colon_token.is_none() => {
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
    written.check(&ident, &attribute, errors);
    Some(Step {
        callable,
        doc: doc(&function.attrs),
        ident,
        arguments,
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

/// What stands in `#[step(...)]`.
#[derive(Default)]
struct Transition {
    next: Option<Next>,
    foreach: Option<Ident>,
    switch: Option<Ident>,
    rounds: Option<LitInt>,
    /// Whether it could not be read, which has been reported.
    broken: bool,
}

impl Parse for Transition {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let mut all = Self::default();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            let twice = match key.to_string().as_str() {
                "next" => all.next.replace(input.parse()?).is_some(),
                "foreach" => all.foreach.replace(input.parse()?).is_some(),
                "switch" => all.switch.replace(input.parse()?).is_some(),
                "rounds" => all.rounds.replace(input.parse()?).is_some(),
                other => {
                    let message =
                        format!("`{other}` is unknown here: next, foreach, switch or rounds");
                    return Err(syn::Error::new(key.span(), message));
                }
            };
            if twice {
                return Err(syn::Error::new(key.span(), format!("`{key}` is given twice")));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(all)
    }
}

impl Parse for Next {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let content;
        if input.peek(syn::token::Bracket) {
            let bracket = syn::bracketed!(content in input);
            let steps = Punctuated::<Ident, Token![,]>::parse_terminated(&content)?;
            if steps.is_empty() {
                return Err(syn::Error::new(bracket.span.join(), "no step follows here"));
            }
            Ok(Self::Split(steps.into_iter().collect()))
        } else if input.peek(syn::token::Brace) {
            let brace = syn::braced!(content in input);
            let cases = Punctuated::<Case, Token![,]>::parse_terminated(&content)?;
            if cases.is_empty() {
                return Err(syn::Error::new(brace.span.join(), "no step follows here"));
            }
            Ok(Self::Cases(cases.into_iter().collect()))
        } else {
            Ok(Self::Step(input.parse()?))
        }
    }
}

impl Parse for Case {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let negative = input.parse::<Option<Token![-]>>()?.is_some();
        let value: Lit = input.parse()?;
        let good = match &value {
            Lit::Int(number) => number.base10_parse::<i64>().is_ok(),
            Lit::Str(_) | Lit::Bool(_) => !negative,
            _ => false,
        };
        if !good {
            let message = "the value of a case is a string, an integer (64 bits) or a bool";
            return Err(syn::Error::new_spanned(value, message));
        }
        input.parse::<Token![=>]>()?;
        Ok(Self { value, negative, step: input.parse()? })
    }
}

impl Transition {
    /// Whether what is there goes together.
    fn check(&self, step: &Ident, attribute: &syn::Attribute, errors: &mut Errors) {
        let step_name = name(step);
        if self.broken {
            return;
        }
        let key = |what: &Option<Ident>| what.as_ref().map(Ident::span);
        let keys: [(Option<Span>, bool, &str); 3] = [
            (
                key(&self.foreach),
                matches!(self.next, Some(Next::Step(_))) && self.switch.is_none(),
                "`foreach` goes with one step to run: `next = a, foreach = items`",
            ),
            (
                key(&self.switch),
                matches!(self.next, Some(Next::Cases(_))),
                "`switch` goes with cases: `next = { \"x\" => a, \"y\" => b }, switch = kind`",
            ),
            (
                self.rounds.as_ref().map(LitInt::span),
                self.switch.is_some(),
                "`rounds` goes with a switch: it bounds how often one may lead back",
            ),
        ];
        for (span, good, message) in keys {
            if let Some(span) = span.filter(|_| !good) {
                errors.push(syn::Error::new(span, message));
            }
        }
        if let Some(rounds) = &self.rounds {
            if rounds.base10_parse::<u32>().is_err() {
                errors.add(rounds, "`rounds` is a number of 32 bits");
            }
        }
        match &self.next {
            Some(Next::Cases(cases)) => {
                if self.switch.is_none() {
                    let message =
                        "cases need `switch = artifact`: the artifact whose value they are";
                    errors.add(&cases[0].value, message);
                }
                for (at, case) in cases.iter().enumerate() {
                    let same = |other: &Case| other.key() == case.key();
                    if cases[..at].iter().any(same) {
                        errors.add(&case.value, "this case is there twice");
                    }
                }
            }
            Some(_) if step_name == "end" => {
                errors.add(attribute, "nothing follows `end`: it is the last step");
            }
            None if step_name != "end" => {
                let message = format!(
                    "what follows step `{step_name}`? `#[step(next = ...)]`; only `end` is followed by nothing"
                );
                errors.push(syn::Error::new(step.span(), message));
            }
            _ => {}
        }
        if step_name == "end" && matches!(self.next, Some(Next::Cases(_))) {
            errors.add(attribute, "nothing follows `end`: it is the last step");
        }
    }
}
