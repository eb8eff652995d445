//! Participants and the keys by which they are recognised.

use takmil_domain::ids::Identifier;
use takmil_domain::participant::{Participant, Role};
use takmil_store::{
    Constraint, Credential, CredentialKind, NewCredential, Revision, Scope, StaffRole, StoreError,
    Upserted,
};

use crate::bench::{Backend, both};
use crate::samples::{NOW, house, id, participant, provider};

both! {
    a_participant_is_found_by_its_identifiers
    an_identifier_names_one_participant
    a_key_opens_until_it_is_revoked_or_rotated
    a_key_that_opens_already_or_for_a_stranger_is_refused
    a_secret_is_exchanged_with_an_overlap_and_outlives_changes_of_the_entry
}

async fn a_secret_is_exchanged_with_an_overlap_and_outlives_changes_of_the_entry(on: Backend) {
    let house = house(on).await;
    let store = &house.store;
    let listening = |url: &str, secret: Option<&str>| -> Participant {
        let mut endpoint = serde_json::json!({"transport": "rest", "url": url});
        if let Some(secret) = secret {
            endpoint["secret"] = secret.into();
        }
        let contract = serde_json::json!({"mode": "delegated", "endpoint": endpoint});
        let entry = serde_json::json!({"id": "alpha", "title": "alpha", "role": "insurer", "contract": contract});
        serde_json::from_value(entry).unwrap()
    };
    let alpha = id("alpha");
    let nowhere = store.rotate_secret(&alpha, "new", NOW).await;
    assert!(
        matches!(nowhere, Err(StoreError::NotFound)),
        "it takes none"
    );
    store
        .upsert_participant(&listening("http://a", Some("old")))
        .await
        .unwrap();
    let until = NOW.plus_ms(1_000);
    store.rotate_secret(&alpha, "new", until).await.unwrap();
    let secrets = async |at| {
        let kept = store.participant(&alpha).await.unwrap();
        let endpoint = kept.listens().unwrap();
        endpoint.secrets(at).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(secrets(NOW).await, ["new", "old"]);
    assert_eq!(secrets(until).await, ["new"]);
    // An entry that says nothing of secrets changes none.
    let moved = listening("http://b", None);
    assert!(matches!(
        store.upsert_participant(&moved).await.unwrap(),
        Upserted::New(_)
    ));
    assert_eq!(secrets(NOW).await, ["new", "old"]);
    assert_eq!(
        store.upsert_participant(&moved).await.unwrap(),
        Upserted::Same
    );
    store.rotate_secret(&alpha, "newest", until).await.unwrap();
    assert_eq!(secrets(NOW).await, ["newest", "new"]);
}

async fn a_participant_is_found_by_its_identifiers(on: Backend) {
    let house = house(on).await;
    let store = &house.store;
    let mut clinic = participant("clinic", Role::Provider);
    assert_eq!(
        store.upsert_participant(&clinic).await.unwrap(),
        Upserted::Same
    );
    let before = store.revision().await.unwrap();
    clinic.identifiers = vec![
        Identifier::new("urn:licence", "۱۲"),
        Identifier::new("urn:licence", "12"),
    ];
    let changed = store.upsert_participant(&clinic).await.unwrap();
    assert_eq!(changed, Upserted::New(Revision(before.0 + 1)));
    let named = |value| async move {
        let identifier = Identifier::new("urn:licence", value);
        store.participant_named(&identifier).await.unwrap()
    };
    assert_eq!(named("12").await, Some(clinic.clone()));
    assert_eq!(named("clinic").await, None, "taken away, it names nobody");
    assert_eq!(store.participant(&clinic.id).await.unwrap(), clinic);
    assert!(matches!(
        store.participant(&id("nobody")).await,
        Err(StoreError::NotFound)
    ));
}

async fn an_identifier_names_one_participant(on: Backend) {
    let house = house(on).await;
    let mut thief = participant("thief", Role::Provider);
    thief.identifiers = vec![Identifier::new("urn:licence", "clinic")];
    let before = house.store.revision().await.unwrap();
    let refused = house.store.upsert_participant(&thief).await.unwrap_err();
    assert!(matches!(
        refused,
        StoreError::Broken {
            constraint: Constraint::ParticipantIdentifier,
            ..
        }
    ));
    assert!(house.store.participant(&thief.id).await.is_err());
    assert_eq!(house.store.revision().await.unwrap(), before);
}

async fn a_key_opens_until_it_is_revoked_or_rotated(on: Backend) {
    let house = house(on).await;
    let store = &house.store;
    let clinic = id("clinic");
    let desk = store
        .add_staff(&clinic, "Desk", &[StaffRole::Desk], NOW)
        .await
        .unwrap();
    let key = |hash: u8, staff| NewCredential {
        participant: clinic.clone(),
        staff,
        kind: CredentialKind::Key,
        hash: [hash; 32],
        label: format!("key {hash}"),
    };
    store.add_credential(&key(1, None), NOW).await.unwrap();
    store
        .add_credential(&key(2, Some(desk)), NOW.plus_ms(1))
        .await
        .unwrap();
    let opens = |hash: u8| async move { store.participant_by_key(&[hash; 32]).await.unwrap() };
    let caller = opens(1).await.unwrap();
    assert_eq!(
        (caller.participant.id, caller.staff),
        (clinic.clone(), None)
    );
    let person = opens(2).await.unwrap().staff.unwrap();
    assert_eq!((person.id, person.roles), (desk, vec![StaffRole::Desk]));
    assert_eq!(opens(3).await, None);

    store
        .rotate_credential(&[2; 32], [3; 32], NOW)
        .await
        .unwrap();
    assert_eq!(opens(2).await, None);
    assert_eq!(opens(3).await.unwrap().staff.unwrap().id, desk);
    store.revoke_credential(&[1; 32], NOW).await.unwrap();
    assert_eq!(opens(1).await, None);
    let again = store.revoke_credential(&[1; 32], NOW).await;
    assert!(matches!(again, Err(StoreError::NotFound)));
    let rotated = store.rotate_credential(&[1; 32], [4; 32], NOW).await;
    assert!(matches!(rotated, Err(StoreError::NotFound)));
    assert_eq!(opens(4).await, None);

    let certificate = NewCredential {
        kind: CredentialKind::Certificate,
        ..key(5, None)
    };
    store
        .add_credential(&certificate, NOW.plus_ms(1))
        .await
        .unwrap();
    let open = store
        .credentials(&provider("clinic"), &clinic)
        .await
        .unwrap();
    let credential = |kind, hash: u8, staff, label: &str, created_at| Credential {
        kind,
        hash: [hash; 32],
        staff,
        label: label.to_owned(),
        created_at,
    };
    assert_eq!(
        open,
        [
            credential(CredentialKind::Key, 3, Some(desk), "key 2", NOW),
            credential(
                CredentialKind::Certificate,
                5,
                None,
                "key 5",
                NOW.plus_ms(1)
            ),
        ]
    );
    let foreign = store.credentials(&provider("pharmacy"), &clinic).await;
    assert!(matches!(foreign, Err(StoreError::NotFound)));
    assert!(store.credentials(&Scope::Hub, &clinic).await.is_ok());
}

async fn a_key_that_opens_already_or_for_a_stranger_is_refused(on: Backend) {
    let house = house(on).await;
    let store = &house.store;
    let desk = store
        .add_staff(&id("clinic"), "Desk", &[], NOW)
        .await
        .unwrap();
    let key = |participant: &str, staff, hash| NewCredential {
        participant: id(participant),
        staff,
        kind: CredentialKind::Key,
        hash: [hash; 32],
        label: String::new(),
    };
    store
        .add_credential(&key("clinic", None, 1), NOW)
        .await
        .unwrap();
    let table = [
        (key("pharmacy", None, 1), "Credential"),
        (key("nobody", None, 2), "Reference"),
        (key("pharmacy", Some(desk), 3), "not found"),
    ];
    for (new, expected) in table {
        let refused = store.add_credential(&new, NOW).await.unwrap_err();
        assert!(refused.to_string().starts_with(expected), "{refused}");
    }
}
