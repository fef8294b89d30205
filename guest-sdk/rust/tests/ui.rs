//! What is wrong with a flow is said at the token that is wrong.
//!
//! After a change of the messages: `TRYBUILD=overwrite cargo test --test ui`.

#[test]
fn errors_are_at_their_tokens() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
