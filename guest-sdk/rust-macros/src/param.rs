//! `#[param(...)]`: a field that is a parameter.

use crate::{Errors, doc, name};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use std::collections::HashSet;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Field, Ident, LitStr, Type};

/// What stands in the attribute.
#[derive(Default)]
struct ParamAttribute {
    name: Option<LitStr>,
    help: Option<LitStr>,
    default: Option<Expr>,
    required: bool,
}

/// A parameter, `ident: Param<inner>`, as the table of parameters has it. Its name is added to
/// those that are `taken`.
pub(crate) fn parameter(
    field: &Field,
    ident: &Ident,
    inner: &Type,
    attributes: &[Attribute],
    taken: &mut HashSet<String>,
    errors: &mut Errors,
) -> TokenStream {
    if let Some(second) = attributes.get(1) {
        errors.add(second, "`#[param]` is given twice");
    }
    let mut given = ParamAttribute::default();
    if let Some(attribute) = attributes.first() {
        given.parse(attribute, errors);
    }
    if given.required && given.default.is_some() {
        errors.add(&attributes[0], "a parameter with a default cannot be `required`");
    }
    let optional = crate::flow::within(inner, "Option").is_some();
    if !given.required && given.default.is_none() && !optional {
        errors.add(
            &field.ty,
            "a parameter that may be left out needs `#[param(default = ...)]`, \
             `#[param(required)]`, or the type `Param<Option<T>>`",
        );
    }

    let artifact = name(ident);
    let option_name = given.name.as_ref().map_or_else(|| artifact.clone(), LitStr::value);
    if !taken.insert(option_name.clone()) {
        let message = format!("another parameter is named `{option_name}`");
        match &given.name {
            Some(text) => errors.add(text, message),
            None => errors.add(ident, message),
        }
    }
    let help = given.help.map_or_else(|| doc(&field.attrs), |help| help.value());
    let required = given.required;
    let span = inner.span();
    let default = match &given.default {
        Some(value) => {
            let value = default_value(value);
            quote_spanned! {span=> {
                let value: <#inner as ::wflow_sdk::__private::ParamType>::Default = #value;
                ::core::option::Option::Some(::wflow_sdk::__private::to_json(&value))
            }}
        }
        None => quote!(::core::option::Option::None),
    };
    let kind = quote_spanned!(span=> <#inner as ::wflow_sdk::__private::ParamType>::KIND);
    quote! {
        ::wflow_sdk::__private::Parameter {
            name: #option_name,
            artifact: #artifact,
            kind: #kind,
            help: #help,
            required: #required,
            default: #default,
        }
    }
}

impl ParamAttribute {
    fn parse(&mut self, attribute: &Attribute, errors: &mut Errors) {
        if matches!(attribute.meta, syn::Meta::Path(_)) {
            return;
        }
        let result = attribute.parse_nested_meta(|meta| {
            let key = meta.path.to_token_stream().to_string();
            let twice = match key.as_str() {
                "name" => self.name.replace(meta.value()?.parse()?).is_some(),
                "help" => self.help.replace(meta.value()?.parse()?).is_some(),
                "default" => self.default.replace(meta.value()?.parse()?).is_some(),
                "required" => std::mem::replace(&mut self.required, true),
                _ => {
                    return Err(meta.error(format!(
                        "`{key}` is unknown here: name = \"...\", help = \"...\", default = ... or required"
                    )));
                }
            };
            if twice { Err(meta.error(format!("`{key}` is given twice"))) } else { Ok(()) }
        });
        if let Err(error) = result {
            errors.push(error);
        }
        if let Some(name) = &self.name {
            let text = name.value();
            let good = text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            if !good {
                errors.add(
                    name,
                    "the name of a parameter is a letter, then letters, digits, `_` and `-`",
                );
            }
        }
    }
}

/// A default as an expression of the parameter's own type: a number, or its negative, takes
/// that type by itself, all else is converted, so that `"x"` will do for a `String`.
fn default_value(value: &Expr) -> TokenStream {
    let number = match value {
        Expr::Unary(unary) => matches!(*unary.expr, Expr::Lit(_)),
        Expr::Lit(literal) => !matches!(literal.lit, syn::Lit::Str(_)),
        _ => false,
    };
    if number {
        quote!(#value)
    } else {
        quote_spanned!(value.span()=> ::core::convert::Into::into(#value))
    }
}
