//! Tests of the feed: who sees what, who goes on where, who is dropped.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use takmil_domain::date::Instant;
use takmil_domain::ids::MessageId;
use takmil_domain::life::State as MessageState;
use takmil_domain::message::Kind;

fn id(text: &str) -> ParticipantId {
    ParticipantId::parse(text).unwrap()
}

fn step(number: i64, sender: &str, insurers: &[&str]) -> Step {
    Step {
        message: MessageId::new(Instant(number), [0; 10]),
        kind: Kind::Claim,
        state: MessageState::Decided,
        sender: id(sender),
        insurers: insurers.iter().map(|insurer| id(insurer)).collect(),
        at: Instant(number),
    }
}

fn events(told: impl IntoIterator<Item = Told>) -> Vec<Option<i64>> {
    let moment = |told| match told {
        Told::Event(event) => Some(event.step.at.0),
        Told::Gap => None,
    };
    told.into_iter().map(moment).collect()
}

/// A place at the feed for a participant of this scope.
fn open(feed: &Feed, scope: Scope, last: Option<&str>) -> Result<Reader, Failure> {
    feed.open(&Identity::sample("reader", scope), last)
}

#[test]
fn each_sees_its_own_and_an_insurer_no_other_insurer() {
    let event = Event {
        id: EventId::Own { hub: 1, number: 1 },
        step: step(1, "clinic", &["north", "south"]),
    };
    let all = serde_json::json!(["north", "south"]);
    let none = serde_json::Value::Null;
    for (scope, insurers) in [
        (Scope::Hub, &all),
        (Scope::Regulator, &all),
        (Scope::Provider(id("clinic")), &all),
        (Scope::Provider(id("north")), &none),
        (Scope::Insurer(id("north")), &serde_json::json!(["north"])),
        (Scope::Insurer(id("clinic")), &none),
    ] {
        let seen = event.is_seen_by(&scope);
        assert_eq!(seen, !insurers.is_null(), "{scope:?}");
        if seen {
            assert_eq!(event.shown(&scope)["insurers"], *insurers, "{scope:?}");
        }
    }
}

#[test]
fn who_comes_back_goes_on_where_it_was_and_is_told_where_nobody_knows() {
    let feed = Feed::new();
    for number in 1..=4 {
        let sender = if number == 3 { "other" } else { "clinic" };
        feed.tell_own(step(number, sender, &[]));
    }
    let shared = Place::parse("1700000000000-7").unwrap();
    feed.tell(EventId::Shared(shared), step(5, "clinic", &[]));
    let at = |place: usize| feed.lock().kept[place].id.to_string();
    let clinic = || Scope::Provider(id("clinic"));
    for (last, expected) in [
        (None, vec![]),
        (Some(at(0)), vec![Some(2), Some(4), Some(5)]),
        (Some(at(2)), vec![Some(4), Some(5)]),
        (Some(at(4)), vec![]),
        (Some("1700000000000-8".to_owned()), vec![None]),
        (Some("h0000000000000001-1".to_owned()), vec![None]),
        (Some("nonsense".to_owned()), vec![None]),
    ] {
        let reader = open(&feed, clinic(), last.as_deref()).unwrap();
        assert_eq!(events(reader.missed), expected, "{last:?}");
    }
}

#[test]
fn a_slow_reader_is_dropped_after_what_waits_and_the_others_go_on() {
    let feed = Feed::new();
    let mut slow = open(&feed, Scope::Hub, None).unwrap();
    let bound = i64::try_from(MOST_WAITING).unwrap();
    for number in 1..=bound {
        feed.tell_own(step(number, "clinic", &[]));
    }
    let mut quick = open(&feed, Scope::Hub, None).unwrap();
    feed.tell_own(step(bound + 1, "clinic", &[]));
    let mut had = Vec::new();
    while let Some(told) = slow.live.blocking_recv() {
        had.push(told);
    }
    assert_eq!(events(had), (1..=bound).map(Some).collect::<Vec<_>>());
    assert_eq!(events(quick.live.try_recv()), [Some(bound + 1)]);
}

#[test]
fn no_more_is_kept_than_the_bound() {
    let feed = Feed::new();
    for number in 0..=i64::try_from(KEPT).unwrap() {
        feed.tell_own(step(number, "clinic", &[]));
    }
    assert_eq!(feed.lock().kept.len(), KEPT);
    assert_eq!(feed.lock().kept[0].step.at, Instant(1));
}

#[test]
fn a_participant_has_so_many_readers_and_places_that_are_left_are_free_again() {
    let feed = Feed::new();
    let mut readers: Vec<Reader> = (0..MOST_READERS)
        .map(|_| open(&feed, Scope::Hub, None).unwrap())
        .collect();
    assert_eq!(open(&feed, Scope::Hub, None).unwrap_err().code, Code::Rate);
    readers.pop();
    assert!(open(&feed, Scope::Hub, None).is_ok());
}

#[test]
fn ids_read_back_as_they_were_written() {
    for text in ["1700000000000-7", "h00000000000000ff-12"] {
        assert_eq!(EventId::parse(text).unwrap().to_string(), text);
    }
    for text in ["", "-", "1", "h1", "hx-1", "1-x"] {
        assert_eq!(EventId::parse(text), None, "{text}");
    }
    assert!(Place::parse("2-0") > Place::parse("1-9"));
}
