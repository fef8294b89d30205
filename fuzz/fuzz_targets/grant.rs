//! What a person grants, and a flow wishes for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wflow_model::grant::Grant;
use wflow_model::grant::Grants;

fuzz_target!(|text: &str| {
    match text.parse::<Grant>() {
        Ok(grant) => {
            let shown = grant.to_string();
            assert_eq!(shown.parse().as_ref(), Ok(&grant), "{text:?} is shown as {shown:?}");
            assert!(grant.satisfies(&grant), "{shown:?} is not what it is");
            let grants = Grants::new([grant.clone(), grant.clone()]);
            assert!(grants.is_ok_and(|grants| grants.satisfy(&grant)), "{shown:?}");
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.contains(char::is_control) && text.len() < 1000, "{text:?}");
        }
    }
});
