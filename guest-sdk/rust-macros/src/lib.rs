//! The attributes `#[flow]`, `#[steps]` and `#[value]` of `wflow-sdk`, which documents them.
//!
//! The first two read a flow as it is written and emit two trait implementations (`Flow` by `#[flow]`,
//! `Steps` by `#[steps]`) and the exports of the component. What is wrong is reported at the
//! token that is wrong, all of it at once, and the rest is emitted all the same, so that one
//! slip does not bring a page of errors that follow from it.

mod emit;
mod flow;
mod param;
mod steps;
mod transition;
mod wants;

use proc_macro::TokenStream;

/// Makes a struct a flow. Its fields are of type `Artifact<T>` or `Param<T>`; the latter may
/// carry `#[param(name = "...", help = "...", default = ..., required)]`.
///
/// A flow has no access to anything outside unless it is granted. What it would like to have it says
/// with `#[wants("read=data", "why")]` on the struct; `wflow run` then names the flags that grant
/// it.
///
/// There is one flow in a crate.
#[proc_macro_attribute]
pub fn flow(attribute: TokenStream, item: TokenStream) -> TokenStream {
    flow::expand(&attribute.into(), item.into()).into()
}

/// Makes the methods of an `impl` block that carry `#[step(...)]` the steps of a flow: `next = a`,
/// `next = [a, b]`, `next = a, foreach = items`, or `next = { "x" => a }, switch = kind`.
///
/// Other methods in it are what they are. See the documentation of `wflow_sdk`.
#[proc_macro_attribute]
pub fn steps(attribute: TokenStream, item: TokenStream) -> TokenStream {
    steps::expand(&attribute.into(), &item.into()).into()
}

/// Makes a struct or an enum one that artifacts and `Json` parameters may hold: it derives
/// `Serialize` and `Deserialize`. Attributes of `serde` may be used in it.
#[proc_macro_attribute]
pub fn value(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    if !attribute.is_empty() {
        let attribute = proc_macro2::TokenStream::from(attribute);
        errors.add(attribute, "`#[value]` takes no arguments");
    }
    let (errors, item) = (errors.into_tokens(), proc_macro2::TokenStream::from(item));
    quote::quote! {
        #errors
        #[derive(::wflow_sdk::serde::Serialize, ::wflow_sdk::serde::Deserialize)]
        #[serde(crate = "::wflow_sdk::serde")]
        #item
    }
    .into()
}

/// The errors found so far. They do not stop the expansion.
#[derive(Default)]
struct Errors(Option<syn::Error>);

impl Errors {
    /// Adds what is wrong with `tokens`.
    fn add(&mut self, tokens: impl quote::ToTokens, message: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Adds an error of `syn`.
    fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Adds all of them.
    fn append(&mut self, other: Self) {
        if let Some(error) = other.0 {
            self.push(error);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The tokens that make the compiler report them.
    fn into_tokens(self) -> proc_macro2::TokenStream {
        self.0.map(|errors| errors.into_compile_error()).unwrap_or_default()
    }
}

/// The text of the doc comment among `attributes`, without the space that starts each line.
fn doc(attributes: &[syn::Attribute]) -> String {
    let lines: Vec<String> = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
        .filter_map(|attribute| match &attribute.meta {
            syn::Meta::NameValue(pair) => match &pair.value {
                syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
                _ => None,
            },
            _ => None,
        })
        .map(|line| line.strip_prefix(' ').unwrap_or(&line).to_owned())
        .collect();
    lines.join("\n").trim().to_owned()
}

/// An identifier as text, without the `r#` that lets it be a keyword.
fn name(ident: &syn::Ident) -> String {
    use syn::ext::IdentExt;
    ident.unraw().to_string()
}
