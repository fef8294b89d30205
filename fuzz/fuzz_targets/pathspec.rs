//! Names as people type them: pathspecs, ids of tasks and runs, tags, digests, moments of a sort.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wflow_model::Digest;
use wflow_model::Name;
use wflow_model::Tag;
use wflow_model::TaskId;
use wflow_model::name::excerpt;
use wflow_model::name::nearest;
use wflow_model::pathspec::Pathspec;

fuzz_target!(|text: &str| {
    match text.parse::<Pathspec>() {
        Ok(spec) => {
            let shown = spec.to_string();
            assert_eq!(shown.parse().as_ref(), Ok(&spec), "{text:?} is shown as {shown:?}");
            for depth in 0..4 {
                drop(spec.task.as_deref().map(|task| TaskId::parse(task, depth)));
            }
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
    }
    for depth in 0..4 {
        match TaskId::parse(text, depth) {
            Ok(id) => {
                assert_eq!(id.indices.len(), depth);
                assert!(id.round > 0);
                let key = id.sort_key();
                assert!(id.has_sort_key(&key));
                assert_eq!(TaskId::from_sort_key(&key), Some(id.clone()));
                assert_eq!(id.to_string(), text, "an id has two spellings");
            }
            Err(error) => assert!(error.to_string().len() < 200),
        }
    }
    if let Some(id) = TaskId::from_sort_key(text.as_bytes()) {
        assert_eq!(id.sort_key(), text.as_bytes());
    }
    if let Ok(name) = Name::new(text) {
        assert_eq!(name.as_str(), text);
    }
    if let Ok(tag) = Tag::new(text) {
        assert_eq!(tag.as_str(), text);
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text.to_ascii_lowercase());
    }
    let short = excerpt(text);
    assert!(short.chars().all(|c| !c.is_control()) && short.len() <= 65 * 10);
    let names = ["start", "add_one", "end"];
    assert!(nearest(text, names).is_none_or(|name| names.contains(&name)));
});
