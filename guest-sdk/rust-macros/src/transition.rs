//! `#[step(...)]`: what follows a step.

use crate::{Errors, name};
use proc_macro2::Span;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, Lit, LitInt, Token};

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

/// What stands in `#[step(...)]`.
#[derive(Default)]
pub(crate) struct Transition {
    pub(crate) next: Option<Next>,
    pub(crate) foreach: Option<Ident>,
    pub(crate) switch: Option<Ident>,
    pub(crate) rounds: Option<LitInt>,
    /// Whether it could not be read, which has been reported.
    pub(crate) broken: bool,
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
    pub(crate) fn check(&self, step: &Ident, attribute: &syn::Attribute, errors: &mut Errors) {
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
        if let Some(rounds) = &self.rounds
            && rounds.base10_parse::<u32>().is_err()
        {
            errors.add(rounds, "`rounds` is a number of 32 bits");
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
