//! Files of many messages: kept whole, handed out in order, done once, seen by their sender.

use takmil_domain::date::Instant;
use takmil_domain::ids::UploadId;
use takmil_store::{Constraint, DonePart, NewUpload, Scope, StoreError, Uploaded};

use crate::bench::{Backend, both};
use crate::samples::{House, NOW, broken, house, id, insurer, provider};

both! {
    a_file_is_kept_whole_and_known_again
    parts_are_done_once_and_their_bodies_go
    a_file_is_its_senders
}

async fn kept(house: &House, key: &str, bodies: &[&str]) -> Uploaded {
    let parts: Vec<(u64, &[u8])> = (1..)
        .zip(bodies.iter().map(|body| body.as_bytes()))
        .collect();
    let digest = takmil_domain::digest::sha256(bodies.concat().as_bytes());
    let sender = id("clinic");
    let new = NewUpload {
        sender: &sender,
        key,
        digest,
        received_at: NOW,
        parts: &parts,
    };
    house.store.keep_upload(&new).await.unwrap()
}

async fn fresh(house: &House, key: &str, bodies: &[&str]) -> UploadId {
    match kept(house, key, bodies).await {
        Uploaded::Kept(id) => id,
        other => panic!("{other:?}"),
    }
}

fn done(upload: UploadId, number: u32, refused: u32) -> DonePart {
    DonePart {
        upload,
        number,
        taken: 2,
        refused,
        results: format!("[{number}]"),
    }
}

async fn a_file_is_kept_whole_and_known_again(on: Backend) {
    let house = house(on).await;
    let first = fresh(&house, "a", &["one", "", "three"]).await;
    assert_eq!(
        kept(&house, "a", &["one", "", "three"]).await,
        Uploaded::Repeated(first)
    );
    assert_eq!(
        kept(&house, "a", &["other"]).await,
        Uploaded::Changed(first)
    );
    let second = fresh(&house, "b", &["four"]).await;
    let parts = house.store.open_parts(2).await.unwrap();
    let mut shown: Vec<_> = parts
        .iter()
        .map(|part| (part.upload, part.number, part.body.as_slice()))
        .collect();
    shown.sort_unstable();
    let mut expected = [
        (first, 0, &b"one"[..]),
        (first, 1, b""),
        (second, 0, b"four"),
    ];
    expected.sort_unstable();
    assert_eq!(shown, expected, "so many of each file");
    assert!(parts.iter().all(|part| part.sender == id("clinic")));
}

async fn parts_are_done_once_and_their_bodies_go(on: Backend) {
    let house = house(on).await;
    let store = &house.store;
    let upload = fresh(&house, "a", &["one", "two", "three"]).await;
    let later = Instant(NOW.0 + 1);
    store
        .record_parts(&[done(upload, 0, 0), done(upload, 2, 1)], later)
        .await
        .unwrap();
    let shown = store.upload(&Scope::Hub, upload).await.unwrap();
    assert_eq!(
        (
            shown.parts,
            shown.done,
            shown.taken,
            shown.refused,
            shown.finished_at
        ),
        (3, 2, 4, 1, None)
    );
    let again = store
        .record_parts(&[done(upload, 1, 0), done(upload, 2, 0)], later)
        .await;
    assert!(
        matches!(
            again,
            Err(StoreError::Broken {
                constraint: Constraint::UploadPart
            })
        ),
        "{again:?}"
    );
    assert_eq!(
        store.upload(&Scope::Hub, upload).await.unwrap(),
        shown,
        "nothing of it is recorded"
    );
    let open = store.open_parts(9).await.unwrap();
    assert_eq!(open.iter().map(|part| part.number).collect::<Vec<_>>(), [1]);
    if on == Backend::Postgres {
        let bodies = "select count(*) from upload_part where body is not null";
        assert_eq!(house.bench.sql(bodies), "1");
    }

    let results = async |wanted, most| {
        let found = store
            .part_results(&Scope::Hub, upload, wanted, most)
            .await
            .unwrap();
        found
            .into_iter()
            .map(|part| (part.number, part.line, part.results))
            .collect::<Vec<_>>()
    };
    let (first, third) = ((0, 1, "[0]".to_owned()), (2, 3, "[2]".to_owned()));
    assert_eq!(
        results((None, false), 9).await,
        [first.clone(), third.clone()]
    );
    assert_eq!(
        results((Some(0), false), 9).await,
        std::slice::from_ref(&third)
    );
    assert_eq!(results((None, false), 1).await, [first]);
    assert_eq!(results((None, true), 9).await, [third]);

    store
        .record_parts(&[done(upload, 1, 0)], later)
        .await
        .unwrap();
    assert_eq!(
        store.upload(&Scope::Hub, upload).await.unwrap().finished_at,
        Some(later)
    );
    assert!(store.open_parts(9).await.unwrap().is_empty());
    let beyond = store.record_parts(&[done(upload, 3, 0)], later).await;
    assert_eq!(
        broken(beyond.unwrap_err()),
        Constraint::UploadPart,
        "there is no such part"
    );
}

async fn a_file_is_its_senders(on: Backend) {
    let house = house(on).await;
    let upload = fresh(&house, "a", &["one"]).await;
    house
        .store
        .record_parts(&[done(upload, 0, 0)], NOW)
        .await
        .unwrap();
    for (scope, sees) in [
        (Scope::Hub, true),
        (Scope::Regulator, true),
        (provider("clinic"), true),
        (provider("pharmacy"), false),
        (insurer("alpha"), false),
        (insurer("clinic"), false),
    ] {
        let found = house.store.upload(&scope, upload).await;
        assert_eq!(found.is_ok(), sees, "{scope:?} {found:?}");
        let results = house
            .store
            .part_results(&scope, upload, (None, false), 9)
            .await;
        assert_eq!(results.is_ok(), sees, "{scope:?}");
        let listed = house.store.uploads(&scope, None, 9).await.unwrap();
        assert_eq!(!listed.is_empty(), sees, "{scope:?}");
        assert!(
            house
                .store
                .uploads(&scope, Some(upload), 9)
                .await
                .unwrap()
                .is_empty()
        );
    }
}
