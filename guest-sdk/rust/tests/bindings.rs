//! `src/bindings.rs` is what `wit-bindgen` makes of the contract.
//!
//! It is kept in the repository so that a flow does not compile a code generator. After a
//! change of the contract: `WFLOW_BLESS=1 cargo test --test bindings`.

use std::{fs, path::Path};
use wit_bindgen_core::{Files, WorldGenerator, wit_parser::Resolve};

#[test]
fn bindings_are_those_of_the_contract() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let contract = fs::read_to_string(here.join("../../wit/flow.wit")).unwrap();
    let mut resolve = Resolve::default();
    let package = resolve.push_str("flow.wit", &contract).unwrap();
    let world = resolve.select_world(&[package], Some("flow")).unwrap();
    let options = wit_bindgen_rust::Opts {
        format: true,
        pub_export_macro: true,
        export_macro_name: Some("export_flow".into()),
        default_bindings_module: Some("::wflow_sdk::__private::bindings".into()),
        ..Default::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files).unwrap();
    let (_, generated) = files.iter().next().unwrap();
    let generated = std::str::from_utf8(generated).unwrap();

    let path = here.join("src/bindings.rs");
    if std::env::var_os("WFLOW_BLESS").is_some() {
        fs::write(&path, generated).unwrap();
    }
    let current = fs::read_to_string(&path).unwrap();
    assert!(
        current == generated,
        "the contract has changed: WFLOW_BLESS=1 cargo test --test bindings"
    );
}
