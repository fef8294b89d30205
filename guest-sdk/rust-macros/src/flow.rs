//! `#[flow]`: the fields of a flow.

use crate::{Errors, doc, name, param, wants};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use std::collections::HashSet;
use syn::{Attribute, Field, Fields, GenericArgument, ItemStruct, PathArguments, Type};

/// What the fields become.
#[derive(Default)]
struct Parts {
    errors: Errors,
    /// How each field is made.
    bind: Vec<TokenStream>,
    /// How each artifact is shown to a visitor.
    visit: Vec<TokenStream>,
    /// The table of parameters.
    parameters: Vec<TokenStream>,
    /// Their names.
    taken: HashSet<String>,
    /// What the flow would like to be granted.
    wishes: Vec<TokenStream>,
}

pub(crate) fn expand(attribute: &TokenStream, item: TokenStream) -> TokenStream {
    let Ok(mut item) = syn::parse2::<ItemStruct>(item) else {
        let message = "`#[flow]` stands before a struct: `struct MyFlow { count: Artifact<i64> }`";
        return syn::Error::new(Span::call_site(), message).into_compile_error();
    };
    let mut parts = Parts::default();
    if !attribute.is_empty() {
        parts.errors.add(attribute, "`#[flow]` takes no arguments");
    }
    if !item.generics.params.is_empty() {
        parts.errors.add(&item.generics, "a flow has no generic parameters");
    }
    parts.wishes = wants::wishes(&mut item.attrs, &mut parts.errors);
    match &mut item.fields {
        Fields::Named(fields) => fields.named.iter_mut().for_each(|field| parts.field(field)),
        Fields::Unit => {}
        Fields::Unnamed(fields) => parts.errors.add(fields, "the fields of a flow have names"),
    }
    if item.generics.params.is_empty() {
        parts.emit(&item)
    } else {
        let errors = parts.errors.into_tokens();
        quote!(#errors #item)
    }
}

impl Parts {
    /// Takes in a field, from which `#[param]` is removed.
    fn field(&mut self, field: &mut Field) {
        let Some(ident) = field.ident.clone() else { return };
        let attributes: Vec<Attribute> =
            field.attrs.extract_if(.., |attribute| attribute.path().is_ident("param")).collect();
        let artifact = name(&ident);
        if let Some(inner) = within(&field.ty, "Artifact") {
            if let Some(attribute) = attributes.first() {
                self.errors.add(attribute, "`#[param]` is for a field of type `Param<T>`");
            }
            self.visit.push(quote! {
                visit(#artifact, ::wflow_sdk::__private::slot::<#inner>(&mut self.#ident))?;
            });
        } else if let Some(inner) = within(&field.ty, "Param") {
            let (taken, errors) = (&mut self.taken, &mut self.errors);
            self.parameters.push(param::parameter(
                field,
                &ident,
                inner,
                &attributes,
                taken,
                errors,
            ));
        } else {
            self.errors.add(&field.ty, "a field of a flow is an `Artifact<T>` or a `Param<T>`");
        }
        self.bind.push(quote!(#ident: ::wflow_sdk::__private::Bind::bind(source, #artifact)));
    }

    /// The struct and its implementation of `Flow`.
    fn emit(self, item: &ItemStruct) -> TokenStream {
        let Self { errors, bind, mut visit, mut parameters, wishes, .. } = self;
        let source = if bind.is_empty() { quote!(_) } else { quote!(source) };
        let (source, body) = if !errors.is_empty() {
            // The rest is for what the compiler has to say about the steps.
            visit.clear();
            parameters.clear();
            (quote!(_), quote!(::core::unreachable!()))
        } else if matches!(item.fields, Fields::Unit) {
            (source, quote!(Self))
        } else {
            (source, quote!(Self { #(#bind),* }))
        };
        let errors = errors.into_tokens();
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

                fn wishes() -> ::std::vec::Vec<::wflow_sdk::__private::Wish> {
                    ::std::vec![#(#wishes),*]
                }
            }
        }
    }
}

/// The `T` of a type that ends in `outer<T>`.
pub(crate) fn within<'a>(ty: &'a Type, outer: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(inner) if segment.ident == outer => Some(inner),
        _ => None,
    }
}
