use std::os::unix::fs::PermissionsExt;

use super::*;

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    directory
}

fn kind_of(result: Result<impl std::fmt::Debug, StoreError>) -> StoreErrorKind {
    result.unwrap_err().kind()
}

#[test]
fn what_is_saved_is_loaded_also_by_the_next_run() {
    let home = directory();
    let path = home.path().join("made/by/open");
    let mut store = FileStore::open(&path).unwrap();
    assert!(store.load().unwrap().is_none());
    store.save(b"one").unwrap();
    store.save(b"two").unwrap();
    drop(store);
    let mut store = FileStore::open(&path).unwrap();
    assert_eq!(store.load().unwrap().as_deref(), Some(&b"two"[..]));
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
    assert_eq!(
        fs::metadata(path.join(RECORD)).unwrap().mode() & 0o777,
        0o600
    );
    assert!(!path.join("twin.record.new").exists());
}

#[test]
fn an_empty_record_and_the_largest_come_back_and_a_larger_is_refused() {
    let home = directory();
    let mut store = FileStore::open(home.path()).unwrap();
    for record in [Vec::new(), vec![7; MAX_RECORD_BYTES]] {
        store.save(&record).unwrap();
        assert_eq!(store.load().unwrap(), Some(record));
    }
    let before = store.load().unwrap();
    assert_eq!(
        kind_of(store.save(&vec![7; MAX_RECORD_BYTES + 1])),
        StoreErrorKind::Full
    );
    assert_eq!(store.load().unwrap(), before);
}

#[test]
fn a_file_torn_at_any_byte_is_named_and_kept() {
    let home = directory();
    let mut store = FileStore::open(home.path()).unwrap();
    let whole = encode(b"{\"desired\":{\"a\":1}}").unwrap();
    let aside = home.path().join("twin.record.corrupt");
    for length in 0..whole.len() {
        fs::write(store.path(), &whole[..length]).unwrap();
        let error = store.load().unwrap_err();
        assert_eq!(
            error.kind(),
            StoreErrorKind::Torn,
            "cut at {length}: {error}"
        );
        assert_eq!(fs::read(&aside).unwrap(), whole[..length]);
        assert!(
            store.load().unwrap().is_none(),
            "the torn file is out of the way"
        );
    }
}

#[test]
fn one_flipped_bit_anywhere_is_noticed() {
    let home = directory();
    let mut store = FileStore::open(home.path()).unwrap();
    let whole = encode(b"some record").unwrap();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(store.path(), &bytes).unwrap();
        let kind = kind_of(store.load());
        let expected = match bit / 8 {
            0..8 => kind == StoreErrorKind::Foreign,
            8..12 => matches!(kind, StoreErrorKind::Version | StoreErrorKind::Torn),
            _ => kind == StoreErrorKind::Torn,
        };
        assert!(expected, "bit {bit}: {kind:?}");
    }
}

#[test]
fn foreign_and_newer_files_are_named_and_kept() {
    let home = directory();
    let mut store = FileStore::open(home.path()).unwrap();
    fs::write(store.path(), b"#!/bin/sh\nexit 0\n").unwrap();
    assert_eq!(kind_of(store.load()), StoreErrorKind::Foreign);
    assert!(home.path().join("twin.record.foreign").exists());

    let mut newer = encode(b"x").unwrap();
    newer[8] = 2;
    fs::write(store.path(), &newer).unwrap();
    let error = store.load().unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Version);
    assert!(error.to_string().contains("format 2"), "{error}");
    assert_eq!(
        fs::read(home.path().join("twin.record.newer")).unwrap(),
        newer
    );
    store.save(b"mine").unwrap();
    assert_eq!(store.load().unwrap().as_deref(), Some(&b"mine"[..]));
}

#[test]
fn a_directory_that_others_may_enter_is_refused() {
    let home = directory();
    for mode in [0o750, 0o705, 0o701] {
        fs::set_permissions(home.path(), fs::Permissions::from_mode(mode)).unwrap();
        let error = FileStore::open(home.path()).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Permissions);
        assert!(
            error.to_string().contains(&format!("{mode:04o}")),
            "{error}"
        );
    }
}

#[test]
fn a_file_in_place_of_the_directory_is_refused() {
    let home = directory();
    let path = home.path().join("file");
    fs::write(&path, b"").unwrap();
    let error = FileStore::open(&path).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
    let error = FileStore::open("").unwrap_err();
    assert!(error.to_string().contains("empty"), "{error}");
}

#[test]
fn two_clients_do_not_share_a_directory() {
    let home = directory();
    let first = FileStore::open(home.path()).unwrap();
    let error = FileStore::open(home.path()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Locked);
    assert!(
        error
            .to_string()
            .contains(&home.path().display().to_string()),
        "{error}"
    );
    drop(first);
    FileStore::open(home.path()).unwrap();
}

#[test]
fn a_save_that_fails_leaves_the_record_before() {
    let home = directory();
    let mut store = FileStore::open(home.path()).unwrap();
    store.save(b"one").unwrap();
    // A directory in the way of the temporary file makes opening it impossible, for root too.
    fs::create_dir(home.path().join("twin.record.new")).unwrap();
    assert_eq!(kind_of(store.save(b"two")), StoreErrorKind::Io);
    assert_eq!(store.load().unwrap().as_deref(), Some(&b"one"[..]));
}

#[test]
fn answers_of_the_system_have_their_own_kinds() {
    let path = Path::new("/data/module");
    for (errno, kind) in [
        (28, StoreErrorKind::Full),
        (122, StoreErrorKind::Full),
        (30, StoreErrorKind::ReadOnly),
        (13, StoreErrorKind::Permissions),
        (5, StoreErrorKind::Io),
    ] {
        let error = StoreError::system(path, "write", io::Error::from_raw_os_error(errno));
        assert_eq!(error.kind(), kind);
        assert!(
            error.to_string().starts_with("/data/module: write: "),
            "{error}"
        );
    }
}
