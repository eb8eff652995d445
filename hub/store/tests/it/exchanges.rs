//! What a sender asks the hub about its own messages.

use takmil_domain::ids::{Identifier, MessageId};
use takmil_domain::life::State;
use takmil_domain::message::Kind;
use takmil_store::{Batch, Exchange, NewMessage};

use crate::bench::{Backend, both};
use crate::samples::{House, NOW, house, id, update};

both! {
    a_sender_finds_its_messages_by_its_identifiers_with_their_last_answers
    what_is_anothers_or_erased_is_left_out
    many_messages_come_in_the_order_asked
}

fn claim(house: &House, sender: &str, number: &str) -> NewMessage {
    NewMessage {
        identifiers: vec![
            Identifier::new("urn:a", number),
            Identifier::new("urn:b", number),
        ],
        ..house.claim(sender)
    }
}

async fn write(house: &House, messages: Vec<NewMessage>) {
    let batch = Batch {
        messages,
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
}

async fn found(house: &House, sender: &str, messages: &[MessageId]) -> Vec<Exchange> {
    let store = &house.store;
    let found = store.exchanges(&id(sender), Kind::Claim, messages).await;
    found.unwrap()
}

async fn a_sender_finds_its_messages_by_its_identifiers_with_their_last_answers(on: Backend) {
    let house = house(on).await;
    let (first, second) = (claim(&house, "clinic", "1"), claim(&house, "clinic", "2"));
    let ids = [first.id, second.id];
    write(&house, vec![first, second]).await;
    let mut later = update(ids[0], State::Decided, State::Reversed, 2);
    later.answer = Some("{\"the\":\"last\"}".to_owned());
    let batch = Batch {
        updates: vec![later],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let store = &house.store;
    let clinic = id("clinic");
    let number = |system: &str, value: &str| Identifier::new(system, value);
    let table = [
        (vec![number("urn:a", "1")], vec![ids[0]]),
        // Each once, the latest first, and spelt as the hub compares it.
        (
            vec![
                number("urn:a", "1"),
                number("urn:b", "1"),
                number("urn:a", "۲"),
            ],
            vec![ids[1], ids[0]],
        ),
        (vec![number("urn:c", "1")], vec![]),
        (vec![], vec![]),
    ];
    for (identifiers, expected) in table {
        let found = store.messages_named(&clinic, &identifiers).await.unwrap();
        assert_eq!(found, expected);
    }
    let [one, other] = &found(&house, "clinic", &ids).await[..] else {
        panic!()
    };
    assert_eq!((one.id, other.id), (ids[0], ids[1]));
    assert_eq!(one.member, Some(house.member));
    assert_eq!(one.canonical, b"{\"the\":\"canonical\"}");
    assert_eq!(one.answer, "{\"the\":\"last\"}");
    assert_ne!(other.answer, one.answer);
}

async fn what_is_anothers_or_erased_is_left_out(on: Backend) {
    let house = house(on).await;
    let (own, mut of_nobody) = (claim(&house, "clinic", "1"), claim(&house, "clinic", "2"));
    of_nobody.member = None;
    of_nobody.key = house.store.own_key().clone();
    let ids = [own.id, of_nobody.id, house.fresh()];
    write(&house, vec![own, of_nobody]).await;
    let number = [Identifier::new("urn:a", "1")];
    let store = &house.store;
    let stranger = id("pharmacy");
    let named = store.messages_named(&stranger, &number).await.unwrap();
    assert_eq!(named, []);
    assert_eq!(found(&house, "pharmacy", &ids).await, []);
    let of_kind = store.exchanges(&id("clinic"), Kind::Dispense, &ids).await;
    assert_eq!(of_kind.unwrap(), []);
    assert_eq!(found(&house, "clinic", &ids).await.len(), 2);
    assert!(store.erase_member(house.member, NOW).await.unwrap());
    let left: Vec<_> = found(&house, "clinic", &ids).await;
    let left: Vec<_> = left.iter().map(|left| left.id).collect();
    assert_eq!(left, [ids[1]]);
}

async fn many_messages_come_in_the_order_asked(on: Backend) {
    let house = house(on).await;
    let all: Vec<_> = (0..300).map(|_| house.claim("clinic")).collect();
    let mut ids: Vec<_> = all.iter().map(|claim| claim.id).collect();
    write(&house, all).await;
    ids.reverse();
    let told: Vec<_> = found(&house, "clinic", &ids).await;
    let told: Vec<_> = told.iter().map(|told| told.id).collect();
    assert_eq!(told, ids);
}
