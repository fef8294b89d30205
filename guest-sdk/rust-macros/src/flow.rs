//! `#[flow]`: the fields of a flow.

use crate::{Errors, doc, name};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use std::collections::HashSet;
use syn::spanned::Spanned;
use syn::{
    Attribute, Expr, Field, Fields, GenericArgument, ItemStruct, LitStr, PathArguments, Type,
};

/// What stands in `#[param(...)]`.
#[derive(Default)]
struct ParamAttribute {
    name: Option<LitStr>,
    help: Option<LitStr>,
    default: Option<Expr>,
    required: bool,
}

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let mut item: ItemStruct = match syn::parse2(item) {
        Ok(item) => item,
        Err(_) => {
            let message =
                "`#[flow]` stands before a struct: `struct MyFlow { count: Artifact<i64> }`";
            return syn::Error::new(proc_macro2::Span::call_site(), message).into_compile_error();
        }
    };
    let mut errors = Errors::default();
    if !attribute.is_empty() {
        errors.add(&attribute, "`#[flow]` takes no arguments");
    }
    if !item.generics.params.is_empty() {
        errors.add(&item.generics, "a flow has no generic parameters");
    }

    let mut bind = Vec::new();
    let mut visit = Vec::new();
    let mut parameters = Vec::new();
    let mut taken = HashSet::new();
    let mut unit = false;
    match &mut item.fields {
        Fields::Named(fields) => {
            for field in &mut fields.named {
                expand_field(
                    field,
                    &mut errors,
                    &mut bind,
                    &mut visit,
                    &mut parameters,
                    &mut taken,
                );
            }
        }
        Fields::Unit => unit = true,
        Fields::Unnamed(fields) => errors.add(fields, "the fields of a flow have names"),
    }
    if !errors.is_empty() {
        let errors = errors.into_tokens();
        // The rest is for what the compiler has to say about the steps.
        if !item.generics.params.is_empty() {
            return quote!(#errors #item);
        }
        return emit(&item, &quote!(_), &quote!(::core::unreachable!()), &errors, &[], &[]);
    }

    let source = if bind.is_empty() { quote!(_) } else { quote!(source) };
    let body = if unit { quote!(Self) } else { quote!(Self { #(#bind),* }) };
    emit(&item, &source, &body, &TokenStream::new(), &visit, &parameters)
}

/// The struct and its implementation of `Flow`.
fn emit(
    item: &ItemStruct,
    source: &TokenStream,
    body: &TokenStream,
    errors: &TokenStream,
    visit: &[TokenStream],
    parameters: &[TokenStream],
) -> TokenStream {
    let ident = &item.ident;
    let (flow_name, flow_doc) = (name(ident), doc(&item.attrs));
    quote! {
        #errors
        #item

        impl ::wflow_sdk::__private::Flow for #ident {
            const NAME: &'static str = #flow_name;
            const DOC: &'static str = #flow_doc;

            fn bind(#source: &::wflow_sdk::__private::Source) -> Self {
                #body
            }

            fn visit(
                &mut self,
                visit: &mut dyn FnMut(
                    &'static str,
                    &mut dyn ::wflow_sdk::__private::Slot,
                ) -> ::wflow_sdk::Result<()>,
            ) -> ::wflow_sdk::Result<()> {
                let _ = &visit;
                #(#visit)*
                Ok(())
            }

            fn parameters() -> ::std::vec::Vec<::wflow_sdk::__private::Parameter> {
                ::std::vec![#(#parameters),*]
            }
        }
    }
}

/// Adds to each of the three lists what the field contributes.
fn expand_field(
    field: &mut Field,
    errors: &mut Errors,
    bind: &mut Vec<TokenStream>,
    visit: &mut Vec<TokenStream>,
    parameters: &mut Vec<TokenStream>,
    taken: &mut HashSet<String>,
) {
    let Some(ident) = field.ident.clone() else { return };
    let attributes: Vec<Attribute> =
        field.attrs.extract_if(.., |attribute| attribute.path().is_ident("param")).collect();
    let artifact = name(&ident);
    let (outer, inner) = match wrapper(&field.ty) {
        Some(found) => found,
        None => {
            errors.add(&field.ty, "a field of a flow is an `Artifact<T>` or a `Param<T>`");
            return;
        }
    };
    bind.push(quote!(#ident: ::wflow_sdk::__private::Bind::bind(source, #artifact)));
    if outer == "Artifact" {
        if let Some(attribute) = attributes.first() {
            errors.add(attribute, "`#[param]` is for a field of type `Param<T>`");
        }
        visit.push(quote!(visit(#artifact, &mut self.#ident)?;));
        return;
    }

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
    let optional = wrapper_of(inner, &["Option"]).is_some();
    if !given.required && given.default.is_none() && !optional {
        errors.add(
            &field.ty,
            "a parameter that may be left out needs `#[param(default = ...)]`, \
             `#[param(required)]`, or the type `Param<Option<T>>`",
        );
    }

    let span = inner.span();
    let option_name = given.name.as_ref().map_or_else(|| artifact.clone(), LitStr::value);
    if !taken.insert(option_name.clone()) {
        let message = format!("another parameter is named `{option_name}`");
        match &given.name {
            Some(text) => errors.add(text, message),
            None => errors.add(&ident, message),
        }
    }
    let help = given.help.map_or_else(|| doc(&field.attrs), |help| help.value());
    let required = given.required;
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
    parameters.push(quote! {
        ::wflow_sdk::__private::Parameter {
            name: #option_name,
            artifact: #artifact,
            kind: #kind,
            help: #help,
            required: #required,
            default: #default,
        }
    });
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

/// `Artifact` or `Param`, and the type in it.
fn wrapper(ty: &Type) -> Option<(&'static str, &Type)> {
    wrapper_of(ty, &["Artifact", "Param"])
}

/// Which of the `names` the type is, as the last segment of its path, and the type in it.
fn wrapper_of<'a>(ty: &'a Type, names: &[&'static str]) -> Option<(&'static str, &'a Type)> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last()?;
    let name = names.iter().find(|name| segment.ident == *name)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(inner) => Some((name, inner)),
        _ => None,
    }
}
