//! What is logged: leaves and entries in their one spelling, commitments, numbers.

use takmil_domain::audit::{
    Commitment, ENTRY_BYTES, EVENTS, Entry, EntryFault, Event, LEAF_BYTES, Leaf, Numbering,
    Pseudonym, Salt,
};
use takmil_domain::date::Instant;
use uuid::Uuid;

use super::files::{START, leaf};
use crate::tape::Tape;

fn example() -> Entry {
    Entry {
        number: 0x0102,
        leaf: Leaf {
            event: Event::InsurerDecided,
            turn: 3,
            at: Instant(0x0506),
            subject: Uuid::from_u128(0x11),
            participant: Pseudonym(Uuid::from_u128(0x22)),
            commitment: Commitment([0x33; 32]),
        },
    }
}

#[test]
fn an_entry_is_spelled_field_by_field_as_documented() {
    let bytes = example().to_bytes();
    assert_eq!(bytes.len(), ENTRY_BYTES);
    let fields: [(usize, &[u8]); 8] = [
        (0, &[0x81]),
        (1, &[0, 0, 0, 0, 0, 0, 1, 2]),
        (9, &[0x01, 4]),
        (11, &[0, 0, 0, 3]),
        (15, &[0, 0, 0, 0, 0, 0, 5, 6]),
        (38, &[0x11]),
        (54, &[0x22]),
        (55, &[0x33; 32]),
    ];
    for (at, expected) in fields {
        assert_eq!(&bytes[at..at + expected.len()], expected, "at {at}");
    }
    assert_eq!(bytes[9..], example().leaf.to_bytes());
    assert_eq!(bytes.len() - 9, LEAF_BYTES);
}

#[test]
fn every_leaf_and_entry_is_read_back_and_nothing_else_is_one() {
    let mut tape = Tape::random(5);
    for number in 1..500 {
        let leaf = leaf(&mut tape, START);
        assert_eq!(Leaf::parse(&leaf.to_bytes()), Ok(leaf));
        let json = serde_json::to_string(&leaf).unwrap();
        assert_eq!(serde_json::from_str::<Leaf>(&json).unwrap(), leaf);
        let entry = Entry { number, leaf };
        assert_eq!(Entry::parse(&entry.to_bytes()), Ok(entry));
    }
    let bytes = example().to_bytes();
    for length in 0..bytes.len() {
        assert_eq!(Entry::parse(&bytes[..length]), Err(EntryFault::Length));
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(Entry::parse(&longer), Err(EntryFault::Length));
    assert_eq!(Entry::parse(&bytes[9..]), Err(EntryFault::Format(0x01)));
    assert_eq!(Leaf::parse(&bytes), Err(EntryFault::Format(0x81)));
    for code in 0..=255 {
        let mut changed = bytes;
        changed[10] = code;
        let known = EVENTS.iter().any(|(known, _)| *known == code);
        assert_eq!(Entry::parse(&changed).is_ok(), known, "event {code}");
    }
    for (code, event) in EVENTS {
        assert_eq!(event.code(), *code);
    }
}

#[test]
fn a_commitment_opens_to_its_payload_and_to_nothing_else() {
    let salt = Salt([7; 32]);
    let commitment = Commitment::new(&salt, &[b"ask", b"answer"]);
    let check = |salt: Salt, parts: &[&[u8]], opens: bool| {
        assert_eq!(commitment.opens(&salt, parts), opens, "{parts:?}");
    };
    check(salt, &[b"ask", b"answer"], true);
    check(Salt([8; 32]), &[b"ask", b"answer"], false);
    check(salt, &[b"aska", b"nswer"], false);
    check(salt, &[b"askanswer"], false);
    check(salt, &[b"ask", b"answer", b""], false);
    check(salt, &[b"answer", b"ask"], false);
    assert!(!format!("{salt:?}").contains('7'), "a salt is not shown");
}

#[test]
fn each_participant_is_numbered_for_itself_without_gaps() {
    let mut tape = Tape::random(9);
    let mut numbering = Numbering::default();
    let mut follower = Numbering::default();
    let mut entries = Vec::new();
    for _ in 0..300 {
        let entry = numbering.number(leaf(&mut tape, START));
        follower.follow(&entry).unwrap();
        entries.push(entry);
    }
    assert_eq!(numbering, follower);
    let counted = |participant| {
        let own = |entry: &&Entry| entry.leaf.participant == participant;
        entries.iter().filter(own).count() as u64
    };
    for (participant, last) in numbering.last() {
        assert_eq!(last, counted(participant));
    }
    let mut resumed = Numbering::after(numbering.last());
    let next = resumed.number(entries[0].leaf);
    assert_eq!(next.number, counted(next.leaf.participant) + 1);
    for (number, expected) in [(5, 1), (5, 6), (7, 6), (8, 8)] {
        let entry = Entry {
            number,
            ..example()
        };
        let followed = follower.follow(&entry);
        let found = followed.map_or_else(|fault| fault.expected, |()| number);
        assert_eq!(found, expected, "number {number}");
    }
}
