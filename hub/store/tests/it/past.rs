//! What is kept of members' past, and prescriptions that others fill.

use takmil_domain::clinical::Past;
use takmil_domain::code::Code;
use takmil_domain::ids::{Identifier, MemberId};
use takmil_domain::money::Quantity;
use takmil_store::{Batch, NewMessage, NewPast};

use crate::bench::{Backend, both};
use crate::samples::{day, house};

both! {
    what_members_had_is_kept_sealed_until_no_rule_looks_at_it
    a_prescription_is_found_by_whoever_fills_it_for_the_same_member
}

async fn what_members_had_is_kept_sealed_until_no_rule_looks_at_it(on: Backend) {
    let house = house(on).await;
    let past = |code: &str| Past {
        day: day("2025-06-01"),
        code: Code::new("urn:drugs", code),
        ingredients: Vec::new(),
        quantity: Quantity::ONE,
        days_supply: Some(30),
    };
    let tells = |code: &str, until: &str| NewMessage {
        past: Some(NewPast {
            until: day(until),
            rows: vec![past(code)],
        }),
        ..house.claim("clinic")
    };
    let (short, long) = (tells("short", "2025-06-30"), tells("long", "2025-12-31"));
    let batch = Batch {
        messages: vec![short.clone(), long.clone()],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let key = house.claim("clinic").key;
    let codes = async |on: &str| -> Vec<String> {
        let mut turn = house.store.begin().await.unwrap();
        let asked = [(house.member, key.clone(), day(on))];
        let found = turn.past(&asked).await.unwrap().remove(0);
        let rows = found.iter().flat_map(|own| &own.rows);
        rows.map(|row| row.code.code.clone()).collect()
    };
    assert_eq!(codes("2025-06-30").await, ["short", "long"]);
    assert_eq!(codes("2025-07-01").await, ["long"]);
}

async fn a_prescription_is_found_by_whoever_fills_it_for_the_same_member(on: Backend) {
    let house = house(on).await;
    let number = Identifier::new("urn:prescriptions", "7");
    let prescription = NewMessage {
        prescription: vec![number.clone()],
        ..house.claim("clinic")
    };
    let batch = Batch {
        messages: vec![prescription.clone()],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let mut turn = house.store.begin().await.unwrap();
    let other = Identifier::new("urn:prescriptions", "8");
    let nobody = MemberId(uuid::Uuid::from_u128(1));
    let wanted = [
        (house.member, other),
        (nobody, number.clone()),
        (house.member, number),
    ];
    let found = turn.find_prescriptions(&wanted).await.unwrap();
    assert_eq!(found, [vec![], vec![], vec![prescription.id]]);
}
