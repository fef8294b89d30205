//! Values of parameters: as a person types them, and as the default in a description.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value as Json;
use serde_json::json;
use wflow_model::cbor;
use wflow_model::graph::Graph;
use wflow_model::parameter::ParameterType;
use wflow_model::parameter::ParameterValue;

const TYPES: [ParameterType; 7] = [
    ParameterType::String,
    ParameterType::Int,
    ParameterType::Float,
    ParameterType::Bool,
    ParameterType::Json,
    ParameterType::Text,
    ParameterType::Bytes,
];

fuzz_target!(|text: &str| {
    for kind in TYPES {
        match kind.parse(text) {
            Ok(value) => check(kind, &value),
            Err(error) => assert!(!error.to_string().contains(char::is_control)),
        }
    }
    if let Ok(default) = serde_json::from_str(text) {
        as_default(&default);
    }
});

/// A value is the same when its text is read again, and its artifact says what it is.
fn check(kind: ParameterType, value: &ParameterValue) {
    let shown = kind.parse(&value.to_string()).expect("what is shown can be typed");
    if !matches!(value, ParameterValue::Float(number) if number.is_nan()) {
        assert_eq!(shown, *value, "what is shown means something else");
    }
    assert_eq!(value.to_cbor().is_none(), kind.is_file());
    let Some(bytes) = value.to_cbor() else { return };
    assert_eq!(shown.to_cbor().as_ref(), Some(&bytes), "equal values have equal bytes");
    let read = cbor::to_json(&bytes).expect("the artifact of a parameter is CBOR");
    let expected = match value {
        ParameterValue::String(text) => json!(text),
        ParameterValue::Int(number) => json!(number),
        ParameterValue::Float(number) if number.is_finite() => json!(number),
        ParameterValue::Bool(value) => json!(value),
        ParameterValue::Json(value) => value.clone(),
        _ => return,
    };
    assert_eq!(read, expected, "the artifact says something else");
    assert_eq!(cbor::encode_json(&read), bytes, "the encoding is not the deterministic one");
}

/// The default of a parameter is a value that could have been typed.
fn as_default(default: &Json) {
    for kind in ["string", "int", "float", "bool", "json", "text", "bytes"] {
        let parameter = json!({"name": "p", "type": kind, "default": default});
        let steps = json!([{"name": "start"}]);
        let document =
            json!({"contract": "0.1", "name": "F", "parameters": [parameter], "steps": steps});
        match Graph::parse(&document.to_string()) {
            Ok(graph) => {
                let parameter = &graph.parameters()[0];
                if let Some(value) = &parameter.default {
                    check(parameter.kind, value);
                }
                assert_eq!(parameter.default.is_none(), default.is_null());
            }
            Err(error) => {
                assert!(!error.to_string().contains(|c: char| c.is_control() && c != '\n'));
            }
        }
    }
}
