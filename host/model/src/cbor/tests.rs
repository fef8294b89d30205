use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn numbers_are_as_short_as_rfc_8949_says() {
    // Appendix A of the RFC.
    for (value, bytes) in [
        (0.0, &[0xf9, 0x00, 0x00][..]),
        (1.5, &[0xf9, 0x3e, 0x00]),
        (65504.0, &[0xf9, 0x7b, 0xff]),
        (100_000.0, &[0xfa, 0x47, 0xc3, 0x50, 0x00]),
        (1.1, &[0xfb, 0x3f, 0xf1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a]),
        (5.960_464_477_539_063e-8, &[0xf9, 0x00, 0x01]),
        (f64::INFINITY, &[0xf9, 0x7c, 0x00]),
        (f64::NAN, &[0xf9, 0x7e, 0x00]),
    ] {
        assert_eq!(encode_float(value), bytes, "{value}");
    }
    assert_eq!(encode_json(&json!(-1000)), [0x39, 0x03, 0xe7]);
}

#[test]
fn map_keys_are_sorted_by_their_encoding() {
    let one = encode_json(&json!({"b": 1, "aa": 2, "a": 3}));
    let two = encode_json(&json!({"aa": 2, "a": 3, "b": 1}));
    assert_eq!(one, two);
    assert_eq!(to_json(&one).unwrap().to_string(), r#"{"a":3,"b":1,"aa":2}"#);
}

#[test]
fn lists_are_split_where_their_items_are() {
    let bytes = encode_json(&json!(["bird", [1, 2], {"a": null}]));
    let found = items(FORMAT, &bytes).unwrap();
    let shown: Vec<_> = found.iter().map(|i| to_json(&bytes[i.clone()]).unwrap()).collect();
    assert_eq!(shown, [json!("bird"), json!([1, 2]), json!({"a": null})]);
    // [_ 1, 2], and the same behind the tag of a set.
    assert_eq!(items(FORMAT, &[0x9f, 1, 2, 0xff]).unwrap().len(), 2);
    assert_eq!(items(FORMAT, &[0xd9, 0x01, 0x02, 0x81, 1]).unwrap().len(), 1);
    let text = br#" [1, "a,]", {"b": [ ]} ] "#;
    let found = items(JSON_FORMAT, text).unwrap();
    assert_eq!(
        found.iter().map(|i| &text[i.clone()]).collect::<Vec<_>>(),
        [&b"1"[..], br#""a,]""#, br#"{"b": [ ]}"#]
    );
}

#[test]
fn more_items_than_are_wanted_are_counted_alone() {
    assert_eq!(items_up_to(FORMAT, &[0x83, 1, 2, 3], 2), Ok((Vec::new(), 3)));
    assert_eq!(items_up_to(JSON_FORMAT, b"[1,2,3]", 2), Ok((Vec::new(), 3)));
    assert_eq!(items_up_to(JSON_FORMAT, b"[1,2]", 2), Ok((vec![1..2, 3..4], 2)));
    assert!(items_up_to(JSON_FORMAT, b"[1,2] 3", 2).is_err());
}

#[test]
fn what_is_no_list_is_told_so() {
    assert_eq!(items(FORMAT, &[0x01]), Err(CborError::NotAList("int")));
    assert_eq!(items(FORMAT, NULL), Err(CborError::NotAList("null")));
    assert!(matches!(items(JSON_FORMAT, b"{}"), Err(CborError::NotAList(_))));
    assert!(matches!(items("text/plain", b"[]"), Err(CborError::Format(_))));
    // A list that claims 2^60 items and has none.
    assert!(matches!(
        items(FORMAT, &[0x9b, 0x10, 0, 0, 0, 0, 0, 0, 0]),
        Err(CborError::Damaged(_))
    ));
    assert_eq!(items(FORMAT, &[0x80, 0x80]), Err(CborError::Trailing(1)));
}

#[test]
fn a_break_is_no_item_and_ends_no_list_of_known_length() {
    // [break], [_ [1, 2 of 3 break], a map of known length with a break, [_ {_ key break} ].
    for bytes in [
        &[0x81, 0xff][..],
        &[0x81, 0x83, 0x9f, 0xff, 0x01, 0xff],
        &[0x81, 0xa1, 0x01, 0xff],
        &[0x9f, 0xbf, 0x01, 0xff, 0xff],
    ] {
        assert!(matches!(items(FORMAT, bytes), Err(CborError::Damaged(_))), "{bytes:02x?}");
    }
    // [_ [[_ ], 1, 2]]
    let items = items(FORMAT, &[0x9f, 0x83, 0x9f, 0xff, 1, 2, 0xff]);
    assert!(items.is_ok_and(|items| items.iter().eq([&(1..6)])));
}

#[test]
fn the_value_of_a_switch_is_all_of_the_bytes() {
    assert_eq!(case_value(FORMAT, &[0x20]), Some(CaseValue::Int(-1)));
    assert_eq!(case_value(FORMAT, &[0x20, 0x20]), None);
}

#[test]
fn keys_within_keys_do_not_swell() {
    // {{{"\"": 0}: 0}: 0} and so on: with every key the text of the quote doubled.
    let nested = |depth: usize| [vec![0xa1; depth], vec![0x61, b'"'], vec![0; depth]].concat();
    assert!(to_json(&nested(4)).is_ok_and(|json| json.to_string().len() < 100));
    assert_eq!(to_json(&nested(30)), Err(CborError::TooDeep));
}

#[test]
fn big_numbers_are_shown_as_numbers() {
    let two_to_64 = [0xc2, 0x49, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(to_json(&two_to_64), Ok(json!("18446744073709551616")));
    let negative = [0xc3, 0x49, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(to_json(&negative), Ok(json!("-18446744073709551617")));
    let huge: Vec<u8> = [vec![0xc2, 0x51], vec![0xff; 17]].concat();
    assert!(to_json(&huge).is_ok_and(|value| value["$tag"] == 2));
}

#[test]
fn deep_nesting_is_refused() {
    let mut bytes = vec![0x81; 100_000];
    bytes.push(0x01);
    assert_eq!(to_json(&bytes), Err(CborError::TooDeep));
    assert_eq!(items(FORMAT, &bytes).map(|items| items.len()), Ok(1));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        drop(to_json(&bytes));
        drop(items(FORMAT, &bytes));
        drop(items(JSON_FORMAT, &bytes));
        drop(case_value(FORMAT, &bytes));
    }

    #[test]
    fn floats_keep_their_value(value in any::<f64>().prop_filter("a number", |v| !v.is_nan())) {
        let bytes = encode_float(value);
        let mut decoder = Decoder::new(&bytes);
        let read = match decoder.datatype().unwrap() {
            Type::F16 => f64::from(decoder.f16().unwrap()),
            Type::F32 => f64::from(decoder.f32().unwrap()),
            _ => decoder.f64().unwrap(),
        };
        prop_assert_eq!(read.to_bits(), value.to_bits());
    }
}
