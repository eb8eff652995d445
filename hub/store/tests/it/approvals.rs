//! The two-person rule.

use std::sync::Arc;

use takmil_domain::participant::Role;
use takmil_store::{ApprovalId, ApprovalState, NewApproval, Scope, StaffId, StaffRole, StoreError};

use crate::bench::{Backend, both};
use crate::samples::{House, NOW, house, id, insurer, participant};

both! {
    a_second_person_approves
    another_participants_proposals_are_not_found
    of_two_who_race_one_wins_and_the_other_is_told
    what_is_ratified_goes_on_to_another_after_the_second_person
    what_another_party_decides_its_own_people_do_not
    people_of_a_participant_are_listed_with_their_roles
}

async fn staff(house: &House, of: &str, name: &str) -> StaffId {
    let roles = [StaffRole::PlanAuthor, StaffRole::Approver];
    house
        .store
        .add_staff(&id(of), name, &roles, NOW)
        .await
        .unwrap()
}

async fn proposed(house: &House, by: StaffId) -> ApprovalId {
    let new = NewApproval {
        kind: "plan".to_owned(),
        subject: "alpha-plan".to_owned(),
        document: "{\"version\":2}".to_owned(),
        by,
        approver: None,
    };
    house.store.propose(&new, NOW).await.unwrap()
}

async fn a_second_person_approves(on: Backend) {
    let house = house(on).await;
    let (author, colleague) = (
        staff(&house, "alpha", "A").await,
        staff(&house, "alpha", "B").await,
    );
    let id = proposed(&house, author).await;
    let (store, alpha) = (&house.store, insurer("alpha"));
    let open = store.open_approvals(&alpha).await.unwrap();
    assert_eq!(
        (open.len(), open[0].id, open[0].state),
        (1, id, ApprovalState::Open)
    );
    let refused = store.approve(&alpha, id, author, NOW, None).await;
    assert!(matches!(refused, Err(StoreError::OwnProposal(own)) if own == id));
    let approved = store
        .approve(&alpha, id, colleague, NOW.plus_ms(5), None)
        .await
        .unwrap();
    assert_eq!(approved.state, ApprovalState::Approved);
    assert_eq!(approved.decided, Some((colleague, NOW.plus_ms(5))));
    assert_eq!(approved.document, "{\"version\":2}");
    assert_eq!(store.approval(&Scope::Hub, id).await.unwrap(), approved);
    assert_eq!(store.open_approvals(&Scope::Hub).await.unwrap(), []);
    let again = store.refuse(&alpha, id, colleague, NOW).await;
    assert!(matches!(again, Err(StoreError::AlreadyDecided(_))));
}

async fn another_participants_proposals_are_not_found(on: Backend) {
    let house = house(on).await;
    let author = staff(&house, "alpha", "A").await;
    let stranger = staff(&house, "beta", "S").await;
    let id = proposed(&house, author).await;
    let store = &house.store;
    let tries = [
        store
            .approve(&insurer("beta"), id, stranger, NOW, None)
            .await,
        store.approve(&Scope::Hub, id, stranger, NOW, None).await,
        store.approval(&insurer("beta"), id).await,
    ];
    for refused in tries {
        assert!(matches!(refused, Err(StoreError::NotFound)));
    }
    assert_eq!(store.open_approvals(&insurer("beta")).await.unwrap(), []);
}

async fn of_two_who_race_one_wins_and_the_other_is_told(on: Backend) {
    let house = Arc::new(house(on).await);
    let author = staff(&house, "alpha", "A").await;
    let id = proposed(&house, author).await;
    let mut racers = Vec::new();
    for at in 0..8 {
        let person = staff(&house, "alpha", &format!("B{at}")).await;
        let house = Arc::clone(&house);
        racers.push(tokio::spawn(async move {
            let (store, scope) = (&house.store, Scope::Hub);
            if at % 2 == 0 {
                store.approve(&scope, id, person, NOW, None).await
            } else {
                store.refuse(&scope, id, person, NOW).await
            }
        }));
    }
    let (mut won, mut told) = (0, 0);
    for racer in racers {
        match racer.await.unwrap() {
            Ok(_) => won += 1,
            Err(StoreError::AlreadyDecided(_)) => told += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((won, told), (1, 7));
}

async fn what_is_ratified_goes_on_to_another_after_the_second_person(on: Backend) {
    let house = house(on).await;
    let author = staff(&house, "alpha", "A").await;
    let colleague = staff(&house, "alpha", "B").await;
    let ratifier = staff(&house, "beta", "R").await;
    let first = proposed(&house, author).await;
    let (store, alpha, beta) = (&house.store, insurer("alpha"), insurer("beta"));
    let approved = store
        .approve(&alpha, first, colleague, NOW, Some(&id("beta")))
        .await
        .unwrap();
    assert_eq!(approved.state, ApprovalState::Approved);
    let second = store.follower(first).await.unwrap().unwrap();
    assert_eq!(
        (second.follows, second.state),
        (Some(first), ApprovalState::Open)
    );
    assert_eq!(second.document, approved.document);
    for scope in [&alpha, &beta] {
        let open = store.open_approvals(scope).await.unwrap();
        assert_eq!(open, std::slice::from_ref(&second), "both see it");
    }
    let refused = store.approve(&alpha, second.id, colleague, NOW, None).await;
    assert!(matches!(refused, Err(StoreError::NotFound)), "{refused:?}");
    let ratified = store.approve(&beta, second.id, ratifier, NOW, None).await;
    assert_eq!(ratified.unwrap().state, ApprovalState::Approved);
    assert_eq!(store.follower(second.id).await.unwrap(), None);
    let again = store
        .approve(&alpha, first, colleague, NOW, Some(&id("beta")))
        .await;
    assert!(matches!(again, Err(StoreError::AlreadyDecided(_))));
}

async fn what_another_party_decides_its_own_people_do_not(on: Backend) {
    let house = house(on).await;
    let author = staff(&house, "alpha", "A").await;
    let colleague = staff(&house, "alpha", "B").await;
    let other = staff(&house, "beta", "O").await;
    let new = NewApproval {
        kind: "price_list".to_owned(),
        subject: "list/2".to_owned(),
        document: "{}".to_owned(),
        by: author,
        approver: Some(id("beta")),
    };
    let store = &house.store;
    let proposal = store.propose(&new, NOW).await.unwrap();
    let own = store
        .approve(&insurer("alpha"), proposal, colleague, NOW, None)
        .await;
    assert!(matches!(own, Err(StoreError::NotFound)));
    let decided = store
        .refuse(&insurer("beta"), proposal, other, NOW)
        .await
        .unwrap();
    assert_eq!(decided.decided, Some((other, NOW)));
}

async fn people_of_a_participant_are_listed_with_their_roles(on: Backend) {
    let house = house(on).await;
    let regulator = participant("regulator", Role::Regulator);
    house.store.upsert_participant(&regulator).await.unwrap();
    let auditor = house
        .store
        .add_staff(&regulator.id, "R", &[StaffRole::Auditor], NOW)
        .await
        .unwrap();
    let people = house.store.staff_of(&regulator.id).await.unwrap();
    assert_eq!(
        (people[0].id, &people[0].roles),
        (auditor, &vec![StaffRole::Auditor])
    );
    let roles = [StaffRole::Auditor, StaffRole::Operator];
    house.store.set_staff_roles(auditor, &roles).await.unwrap();
    assert_eq!(
        house.store.staff_of(&regulator.id).await.unwrap()[0].roles,
        roles
    );
    for role in StaffRole::ALL {
        assert_eq!(StaffRole::parse(role.as_str()), Some(*role));
    }
}
