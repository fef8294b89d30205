use super::*;
use crate::{Bytes, Json, Text};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// The bytes of a value in CBOR.
fn cbor(value: &impl Serialize) -> Vec<u8> {
    let raw = encode(value).unwrap();
    assert_eq!(raw.format, CBOR);
    raw.data
}

fn hex(value: &impl Serialize) -> String {
    cbor(value).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn back<T: serde::de::DeserializeOwned>(data: &[u8]) -> T {
    decode(CBOR, data.into()).unwrap()
}

fn from_hex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f64),
    Line(i8, i8),
    Box { width: u16, height: u16 },
}

#[test]
fn examples_of_rfc_8949() {
    // Appendix A.
    assert_eq!(hex(&0), "00");
    assert_eq!(hex(&23), "17");
    assert_eq!(hex(&24), "1818");
    assert_eq!(hex(&1000), "1903e8");
    assert_eq!(hex(&1_000_000), "1a000f4240");
    assert_eq!(hex(&u64::MAX), "1bffffffffffffffff");
    assert_eq!(hex(&18_446_744_073_709_551_616u128), "c249010000000000000000");
    assert_eq!(hex(&-18_446_744_073_709_551_617i128), "c349010000000000000000");
    assert_eq!(hex(&-18_446_744_073_709_551_616i128), "3bffffffffffffffff");
    assert_eq!(hex(&-1), "20");
    assert_eq!(hex(&-1000), "3903e7");
    assert_eq!(hex(&0.0), "f90000");
    assert_eq!(hex(&-0.0), "f98000");
    assert_eq!(hex(&1.1), "fb3ff199999999999a");
    assert_eq!(hex(&1.5), "f93e00");
    assert_eq!(hex(&65504.0), "f97bff");
    assert_eq!(hex(&100_000.0), "fa47c35000");
    assert_eq!(hex(&3.402_823_466_385_288_6e38), "fa7f7fffff");
    assert_eq!(hex(&5.960_464_477_539_063e-8), "f90001");
    assert_eq!(hex(&6.103_515_625e-5), "f90400");
    assert_eq!(hex(&f64::INFINITY), "f97c00");
    assert_eq!(hex(&f64::NAN), "f97e00");
    assert_eq!(hex(&-f32::NAN), "f97e00");
    assert_eq!(hex(&true), "f5");
    assert_eq!(hex(&None::<i64>), "f6");
    assert_eq!(hex(&"\u{fc}"), "62c3bc");
    assert_eq!(hex(&vec![1, 2, 3]), "83010203");
    assert_eq!(hex(&serde_json::json!({"a": 1, "b": [2, 3]})), "a26161016162820203");
}

#[test]
fn keys_are_sorted_by_their_bytes() {
    #[derive(Serialize)]
    struct Fields {
        zz: u8,
        b: u8,
        a: u8,
    }
    // Shorter keys come first, as their heads are smaller.
    assert_eq!(hex(&Fields { zz: 1, b: 2, a: 3 }), "a361610361620262 7a7a01".replace(' ', ""));
    let mixed = BTreeMap::from([(-1, 0), (10, 0), (100, 0)]);
    assert_eq!(hex(&mixed), "a30a0018640020 00".replace(' ', ""));
}

#[test]
fn variants_are_text_or_maps_of_one() {
    for shape in
        [Shape::Point, Shape::Circle(0.5), Shape::Line(1, -1), Shape::Box { width: 3, height: 4 }]
    {
        assert_eq!(back::<Shape>(&cbor(&shape)), shape);
    }
    assert_eq!(hex(&Shape::Point), "65506f696e74");
    assert_eq!(hex(&Shape::Circle(0.5)), "a166436972636c65f93800");
    assert_eq!(hex(&Shape::Line(1, -1)), "a1644c696e65820120");
}

#[test]
fn what_other_encoders_write_is_read() {
    assert_eq!(back::<Vec<i64>>(&from_hex("9f0102ff")), [1, 2]);
    assert_eq!(back::<String>(&from_hex("7f6161626262ff")), "abb");
    assert_eq!(back::<Bytes>(&from_hex("5f41014102ff")).0, [1, 2]);
    assert_eq!(back::<BTreeMap<String, f64>>(&from_hex("bf616101ff"))["a"], 1.0);
    assert_eq!(back::<f64>(&from_hex("01")), 1.0, "an integer where a float is wanted");
    assert_eq!(back::<u8>(&from_hex("1b0000000000000001")), 1, "a long form");
    assert_eq!(back::<Option<u8>>(&from_hex("f7")), None, "undefined");
    assert_eq!(back::<String>(&from_hex("c06161")), "a", "a tag that says more about it");
    assert_eq!(back::<u128>(&from_hex("c2420100")), 256, "a bignum that needs not be one");
    assert_eq!(back::<(u8, Shape)>(&from_hex("8201bf66436972636c6501ff")).1, Shape::Circle(1.0));
    assert_eq!(decode::<Vec<f64>>(JSON, b"[1, 2.5]"[..].into()).unwrap(), [1.0, 2.5]);
}

#[test]
fn what_is_wrong_is_refused() {
    for (bad, why) in [
        ("", "nothing"),
        ("0101", "more than one value"),
        ("82", "cut off"),
        ("9b00ffffffffffffff", "a length that cannot be"),
        ("f93c", "cut off within a float"),
        ("ff", "a break"),
        ("8461616161", "too few items"),
    ] {
        assert!(decode::<serde_json::Value>(CBOR, from_hex(bad).into()).is_err(), "{why}");
    }
    assert!(decode::<u8>(CBOR, from_hex("190100").into()).is_err(), "out of range");
    assert!(decode::<i64>(CBOR, from_hex("f93c00").into()).is_err(), "a float for an integer");
    assert!(decode::<(u8, u8)>(CBOR, from_hex("83010203").into()).is_err(), "an item too many");
    assert!(
        decode::<u128>(CBOR, from_hex("c2510100000000000000000000000000000000").into()).is_err()
    );
    assert!(decode::<String>(TEXT, vec![0xff].into()).is_err(), "not UTF-8");
    let error = decode::<i64>("application/x-pickle", vec![].into()).unwrap_err();
    assert!(error.to_string().contains("application/x-pickle"));
}

#[test]
fn nesting_is_bounded_both_ways() {
    #[derive(Serialize, Deserialize)]
    struct List(Option<Box<(Self,)>>);
    let list =
        |depth: usize| (0..depth).fold(List(None), |inner, _| List(Some(Box::new((inner,)))));
    let fine = cbor(&list(MAX_DEPTH));
    assert!(decode::<List>(CBOR, fine.into()).is_ok());
    assert!(encode(&list(MAX_DEPTH + 1)).is_err());
    let deep = [vec![0x81; 1_000_000], vec![0xf6]].concat();
    assert!(decode::<serde_json::Value>(CBOR, deep.clone().into()).is_err());
    let tags = [vec![0xc0; 1_000_000], vec![0xf6]].concat();
    assert!(decode::<serde_json::Value>(CBOR, tags.into()).is_err());
    // What nobody looks at needs no stack.
    #[derive(Deserialize)]
    struct Nothing {}
    let ignored = [&[0xa1, 0x61, 0x61][..], &deep].concat();
    assert!(decode::<Nothing>(CBOR, ignored.into()).is_ok());
}

#[test]
fn a_key_twice_is_refused() {
    struct Twice;
    impl Serialize for Twice {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([("a", 1), ("b", 2), ("a", 3)])
        }
    }
    assert!(encode(&Twice).is_err());
}

#[test]
fn text_and_bytes_have_formats_of_their_own() {
    let text = encode(&Some(Text("a\n".into()))).unwrap();
    assert_eq!((text.format.as_str(), &text.data[..]), (TEXT, &b"a\n"[..]));
    assert_eq!(decode::<Option<Text>>(TEXT, text.data.into()).unwrap(), Some(Text("a\n".into())));
    let bytes = encode(&Bytes(vec![0, 255])).unwrap();
    assert_eq!((bytes.format.as_str(), &bytes.data[..]), (BYTES, &[0, 255][..]));
    assert_eq!(decode::<Bytes>(BYTES, bytes.data.into()).unwrap().0, [0, 255]);
    assert_eq!(back::<Option<Text>>(&[0xf6]), None);
    assert_eq!(hex(&(Text("a".into()), Bytes(vec![1]))), "8261614101");
    assert_eq!(back::<(Text, Bytes)>(&from_hex("8261614101")), (Text("a".into()), Bytes(vec![1])));
    assert_eq!(hex(&Json(vec![1])), "8101");
}

/// Any JSON value, small.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Into::into),
            btree_map(".*", inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn values_come_back_and_their_bytes_are_stable(value in json()) {
        let data = cbor(&value);
        let again: serde_json::Value = back(&data);
        prop_assert_eq!(&again, &value);
        prop_assert_eq!(cbor(&again), data);
    }

    #[test]
    fn the_order_of_insertion_does_not_matter(map in btree_map(".*", any::<i32>(), 0..40)) {
        let forward: HashMap<_, _> = map.clone().into_iter().collect();
        let backward: HashMap<_, _> = map.clone().into_iter().rev().collect();
        prop_assert_eq!(cbor(&forward), cbor(&map));
        prop_assert_eq!(cbor(&backward), cbor(&map));
    }

    #[test]
    fn floats_are_exact_and_short(bits in any::<u64>(), half in any::<u16>(), single in any::<u32>()) {
        for (value, most) in [(f64::from_bits(bits), 9), (f32::from_bits(single).into(), 5)] {
            let data = cbor(&value);
            prop_assert!(data.len() <= most);
            let again: f64 = back(&data);
            prop_assert!(again.to_bits() == value.to_bits() || again.is_nan() && value.is_nan());
        }
        // Any half is read, and written back as it was.
        let data = [&[0xf9][..], &half.to_be_bytes()].concat();
        let value: f64 = back(&data);
        prop_assert!(cbor(&value) == data || value.is_nan());
    }

    #[test]
    fn integers_come_back(small in any::<i64>(), large in any::<i128>(), unsigned in any::<u128>()) {
        prop_assert_eq!(back::<i64>(&cbor(&small)), small);
        prop_assert_eq!(back::<i128>(&cbor(&large)), large);
        prop_assert_eq!(back::<u128>(&cbor(&unsigned)), unsigned);
        prop_assert_eq!(cbor(&small), cbor(&i128::from(small)));
    }

    #[test]
    fn no_bytes_do_harm(data in vec(any::<u8>(), 0..64)) {
        let _ = decode::<serde_json::Value>(CBOR, data.clone().into());
        let _ = decode::<Vec<Shape>>(CBOR, data.into());
    }
}
