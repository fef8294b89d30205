//! Which folders are stores, and which are refused.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::fs;

use common::*;
use rusqlite::Connection;
use wflow_model::record::RunStatus;
use wflow_store::Store;
use wflow_store::StoreError;

fn catalog(store: &Store) -> Connection {
    Connection::open(store.path().join("catalog.sqlite")).unwrap()
}

#[test]
fn a_folder_without_a_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &std::path::Path| {
        let error = Store::open(path).unwrap_err();
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    };
    refused(&folder.path().join("absent"));
    refused(folder.path());
    fs::write(folder.path().join("catalog.sqlite"), "").unwrap();
    refused(folder.path());
    // An empty file holds nothing that could be lost.
    Store::create_or_open(folder.path()).unwrap();
    Store::open(folder.path()).unwrap();
}

#[test]
fn a_store_without_its_catalog_is_refused() {
    let (_folder, store) = store();
    let path = store.path().to_path_buf();
    store.begin(&flow("Lost")).unwrap().finish(&ended(RunStatus::Done)).unwrap();
    drop(store);
    fs::remove_file(path.join("catalog.sqlite")).unwrap();
    assert!(path.join("catalog.sqlite-wal").exists(), "the log of a small run stays");
    let error = Store::create_or_open(&path).unwrap_err();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
}

#[test]
fn a_folder_of_other_things_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "x").unwrap();
    let error = Store::create_or_open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_catalog_of_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let error = Store::create_or_open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    fs::write(&path, "this is no database at all, but it is long enough to look like one").unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::DamagedCatalog { .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_newer_store_is_refused() {
    let (_folder, store) = store();
    catalog(&store).pragma_update(None, "user_version", 7).unwrap();
    let error = Store::open(store.path()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 7, supported: 3, .. }), "{error}");
    assert!(error.to_string().contains("newer wflow"), "{error}");
}

#[test]
fn the_nearest_store_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b/c");
    fs::create_dir_all(&deep).unwrap();
    let outer = Store::create_or_open(&folder.path().join(Store::FOLDER)).unwrap();
    assert_eq!(Store::discover(&deep).as_deref(), Some(outer.path()));
    let inner = Store::create_or_open(&folder.path().join("a").join(Store::FOLDER)).unwrap();
    assert_eq!(Store::discover(&deep).as_deref(), Some(inner.path()));
    assert_eq!(Store::discover(&folder.path().join("absent")), None);
}

#[test]
fn many_create_a_store_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x").join(Store::FOLDER);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let store = Store::create_or_open(&path).unwrap();
                store.begin(&flow("Race")).unwrap().finish(&ended(RunStatus::Done)).unwrap();
            });
        }
    });
    assert_eq!(Store::open(&path).unwrap().runs(None, None, 99).unwrap().len(), 8);
}

#[test]
fn lost_folders_come_back() {
    let (_folder, store) = store();
    for name in ["blobs", "tmp", "live"] {
        fs::remove_dir_all(store.path().join(name)).unwrap();
    }
    let store = Store::open(store.path()).unwrap();
    let writer = store.begin(&flow("Lost")).unwrap();
    writer.put(FORMAT, &noise(1, 100_000)).unwrap();
    writer.finish(&ended(RunStatus::Done)).unwrap();
}

#[test]
fn a_store_that_cannot_be_written_says_so() {
    let (_folder, store) = store();
    let path = store.path().to_path_buf();
    drop(store);
    for file in ["catalog.sqlite", "."] {
        let mut permissions = fs::metadata(path.join(file)).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(path.join(file), permissions).unwrap();
    }
    // Whoever may do everything is not held up by permissions: nothing to see then.
    if fs::write(path.join("probe"), "").is_err() {
        let error = match Store::open(&path) {
            Err(error) => error,
            Ok(store) => store.begin(&flow("ReadOnly")).unwrap_err(),
        };
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}
