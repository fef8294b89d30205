//! `#[wants("grant", "why")]`: what a flow would like to be granted.

use crate::Errors;
use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{Attribute, LitStr, Token};

/// The wishes among the attributes of a flow, from which they are removed.
pub(crate) fn wishes(attributes: &mut Vec<Attribute>, errors: &mut Errors) -> Vec<TokenStream> {
    let wishes = attributes.extract_if(.., |attribute| attribute.path().is_ident("wants"));
    wishes.filter_map(|attribute| wish(&attribute, errors)).collect()
}

fn wish(attribute: &Attribute, errors: &mut Errors) -> Option<TokenStream> {
    let texts = Punctuated::<LitStr, Token![,]>::parse_terminated;
    let texts: Vec<LitStr> = match attribute.parse_args_with(texts) {
        Ok(texts) => texts.into_iter().collect(),
        Err(error) => {
            errors.push(error);
            return None;
        }
    };
    match texts.as_slice() {
        [grant, why] => Some(quote!(::wflow_sdk::__private::Wish { grant: #grant, why: #why })),
        _ => {
            errors.add(attribute, "a wish is written `#[wants(\"read=data\", \"why\")]`");
            None
        }
    }
}
