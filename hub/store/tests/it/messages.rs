//! Messages: taken once, whole or not at all, found again as they were.

use takmil_domain::code::{Code, Equivalence};
use takmil_domain::ids::Identifier;
use takmil_domain::life::State;
use takmil_domain::limit::EntryKind;
use takmil_domain::local_map::{Judgement, Target};
use takmil_domain::message::Kind;
use takmil_domain::money::{Amount, Quantity};
use takmil_domain::participant::{InsurerDecision, InsurerVerdict};
use takmil_store::{
    Authorised, AuthorisedUse, Batch, Constraint, KeptAuthorisation, MessageFilter, NewDecision,
    NewMessage, NewUse, Place, Scope, StoreError, UnmappedCode,
};

use crate::bench::{Backend, both};
use crate::samples::{NOW, broken, day, house, id, leg, participant, provider, update};

both! {
    a_message_is_found_again_as_it_was
    a_repeat_finds_the_stored_answer
    a_key_that_is_taken_is_refused
    two_messages_of_one_batch_cannot_bear_one_key
    a_turn_that_is_dropped_leaves_nothing
    a_message_goes_on_only_from_where_it_is
    a_message_is_loaded_with_what_it_moved_and_what_was_said
    messages_are_found_by_their_senders_identifiers
    deadlines_pass_only_while_somebody_has_to_speak
    pages_follow_each_other_without_gap_or_overlap
    authorised_lines_are_found_by_member_and_number
    unmapped_codes_are_counted
    what_is_judged_of_a_code_is_a_version_and_takes_it_off_the_count
    what_was_committed_is_there_after_reopening
    a_message_of_a_sender_whom_nobody_knows_is_refused
    many_who_read_at_once_do_not_wait_for_each_other
}

async fn a_message_is_found_again_as_it_was(on: Backend) {
    let house = house(on).await;
    let claim = house.claim("clinic");
    let batch = Batch {
        messages: vec![claim.clone()],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let (store, scope) = (&house.store, provider("clinic"));
    assert_eq!(
        store.original(&scope, claim.id).await.unwrap(),
        b"{\"the\":\"original\"}"
    );
    assert_eq!(
        store.canonical(&scope, claim.id).await.unwrap(),
        b"{\"the\":\"canonical\"}"
    );
    assert_eq!(store.answer(&scope, claim.id).await.unwrap(), claim.answer);
    let way = store.way(&scope, claim.id).await.unwrap();
    assert_eq!(way.envelope.kind, Kind::Claim);
    assert_eq!(way.envelope.member, Some(house.member));
    assert_eq!(way.envelope.digest, [7; 32]);
    assert_eq!(way.turns.len(), 1);
    assert_eq!(way.turns[0].legs, claim.legs);
    assert_eq!(way.turns[0].answer, Some(claim.answer));
}

async fn a_repeat_finds_the_stored_answer(on: Backend) {
    let house = house(on).await;
    let mut claim = house.claim("clinic");
    claim.keys = vec!["key:1".to_owned(), "id:claim:urn:a|1".to_owned()];
    let (answer, message) = (claim.answer.clone(), claim.id);
    house
        .write(&Batch {
            messages: vec![claim],
            ..Batch::default()
        })
        .await
        .unwrap();
    let key = |sender: &str, key: &str| (id(sender), key.to_owned());
    let keys = [
        key("clinic", "key:2"),
        key("clinic", "id:claim:urn:a|1"),
        key("pharmacy", "key:1"),
        key("clinic", "key:1"),
    ];
    let mut turn = house.store.begin().await.unwrap();
    let found = turn.idempotency(&keys).await.unwrap();
    let known: Vec<_> = found.iter().map(Option::is_some).collect();
    assert_eq!(
        known,
        [false, true, false, true],
        "another sender's key is another key"
    );
    let stored = found[3].as_ref().unwrap();
    assert_eq!((stored.message, &stored.answer), (message, &answer));
    assert_eq!((stored.state, stored.digest), (State::Decided, [7; 32]));
    assert_eq!(found[1], found[3]);
}

async fn a_key_that_is_taken_is_refused(on: Backend) {
    let house = house(on).await;
    let first = house.claim("clinic");
    let taken = first.keys.clone();
    house
        .write(&Batch {
            messages: vec![first],
            ..Batch::default()
        })
        .await
        .unwrap();
    let (good, mut bad) = (house.claim("clinic"), house.claim("clinic"));
    bad.keys = taken;
    let (good_id, bad_id) = (good.id, bad.id);

    let mut turn = house.store.begin().await.unwrap();
    let both = Batch {
        messages: vec![good, bad],
        ..Batch::default()
    };
    let error = turn.write(&both).await.unwrap_err();
    assert_eq!(broken(error), Constraint::Idempotency);
    drop(turn);
    for message in [good_id, bad_id] {
        assert!(matches!(
            house.store.envelope(&Scope::Hub, message).await,
            Err(StoreError::NotFound)
        ));
    }
}

async fn two_messages_of_one_batch_cannot_bear_one_key(on: Backend) {
    let house = house(on).await;
    let (first, mut second) = (house.claim("clinic"), house.claim("clinic"));
    second.keys = first.keys.clone();
    let batch = Batch {
        messages: vec![first, second],
        ..Batch::default()
    };
    let error = house.write(&batch).await.unwrap_err();
    assert_eq!(broken(error), Constraint::Idempotency);
}

async fn a_turn_that_is_dropped_leaves_nothing(on: Backend) {
    let house = house(on).await;
    let claim = house.claim("clinic");
    let (message, key) = (claim.id, claim.keys[0].clone());
    let batch = Batch {
        limits: vec![house.limit("year", 100, message)],
        entries: vec![house.entry("year", message, EntryKind::Consume, 10)],
        messages: vec![claim],
        ..Batch::default()
    };
    let mut turn = house.store.begin().await.unwrap();
    turn.write(&batch).await.unwrap();
    drop(turn);

    let mut turn = house.store.begin().await.unwrap();
    assert_eq!(
        turn.idempotency(&[(id("clinic"), key)]).await.unwrap(),
        [None]
    );
    assert_eq!(turn.standings(&[house.key("year")]).await.unwrap(), [None]);
    assert_eq!(turn.load(&[message]).await.unwrap(), [None]);
    // What was dropped can be written again.
    turn.write(&batch).await.unwrap();
    turn.commit().await.unwrap();
    house.in_order().await;
}

async fn a_message_goes_on_only_from_where_it_is(on: Backend) {
    let house = house(on).await;
    let mut claim = house.claim("clinic");
    claim.state = State::Consulting;
    let message = claim.id;
    let go = |updates| Batch {
        updates,
        ..Batch::default()
    };
    house
        .write(&Batch {
            messages: vec![claim],
            ..Batch::default()
        })
        .await
        .unwrap();
    let refused = [
        (
            "not its state",
            update(message, State::Pended, State::Decided, 2),
        ),
        (
            "a turn left out",
            update(message, State::Consulting, State::Decided, 3),
        ),
        (
            "its own turn again",
            update(message, State::Consulting, State::Decided, 1),
        ),
        (
            "no such step",
            update(message, State::Consulting, State::Adjusted, 2),
        ),
        (
            "no such message",
            update(house.fresh(), State::Consulting, State::Decided, 2),
        ),
    ];
    for (why, update) in refused {
        let expected = Constraint::MessageState;
        let error = house.write(&go(vec![update])).await.unwrap_err();
        assert_eq!(broken(error), expected, "{why}");
    }
    // Several steps in one batch follow each other; an answer that stays is not repeated.
    let mut stays = update(message, State::Pended, State::Pended, 3);
    stays.answer = None;
    let steps = vec![
        update(message, State::Consulting, State::Pended, 2),
        stays,
        update(message, State::Pended, State::Decided, 4),
    ];
    house.write(&go(steps)).await.unwrap();
    let way = house.store.way(&Scope::Hub, message).await.unwrap();
    assert_eq!((way.envelope.state, way.envelope.turn), (State::Decided, 4));
    let numbers: Vec<_> = way.turns.iter().map(|turn| turn.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert_eq!(way.turns[2].answer, None);
    assert_eq!(
        house.store.answer(&Scope::Hub, message).await.unwrap(),
        "{\"turn\":4}"
    );
}

async fn a_message_is_loaded_with_what_it_moved_and_what_was_said(on: Backend) {
    let house = house(on).await;
    let mut claim = house.claim("clinic");
    claim.state = State::Consulting;
    claim.deadline = Some(NOW.plus_ms(2_000));
    let message = claim.id;
    let decision = |reference: &str| NewDecision {
        insurer: id("alpha"),
        decision: InsurerDecision {
            message,
            reference: reference.to_owned(),
            verdict: InsurerVerdict::Approve,
            lines: Vec::new(),
            valid_until: None,
            note: None,
            revision: 0,
        },
        at: NOW,
    };
    let batch = Batch {
        limits: vec![house.limit("year", 100, message)],
        entries: vec![house.entry("year", message, EntryKind::Consume, 10)],
        decisions: vec![decision("r-1")],
        messages: vec![claim],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();

    let mut turn = house.store.begin().await.unwrap();
    let loaded = turn.load(&[house.fresh(), message]).await.unwrap();
    assert_eq!(loaded[0], None);
    let loaded = loaded[1].as_ref().unwrap();
    assert_eq!((loaded.state, loaded.turn), (State::Consulting, 1));
    assert_eq!(loaded.deadline, Some(NOW.plus_ms(2_000)));
    assert_eq!(loaded.canonical, b"{\"the\":\"canonical\"}");
    let entry = &loaded.entries[0];
    assert_eq!(
        (&entry.key, entry.kind, entry.amount, entry.reservation),
        (&house.key("year"), EntryKind::Consume, 10, None)
    );
    let said: InsurerDecision = serde_json::from_str(&loaded.decisions[0].1).unwrap();
    assert_eq!(said, decision("r-1").decision);

    let again = Batch {
        decisions: vec![decision("r-2"), decision("r-1")],
        ..Batch::default()
    };
    let error = turn.write(&again).await.unwrap_err();
    assert_eq!(broken(error), Constraint::Decision);
}

async fn messages_are_found_by_their_senders_identifiers(on: Backend) {
    let house = house(on).await;
    let (mut first, mut second) = (house.claim("clinic"), house.claim("clinic"));
    first.identifiers = vec![
        Identifier::new("urn:a", "۱۲"),
        Identifier::new("urn:a", "12"),
    ];
    second.identifiers = vec![Identifier::new("urn:a", "12")];
    let ids = [first.id, second.id];
    house
        .write(&Batch {
            messages: vec![first, second],
            ..Batch::default()
        })
        .await
        .unwrap();
    let mut turn = house.store.begin().await.unwrap();
    let wanted = [
        (id("pharmacy"), Identifier::new("urn:a", "12")),
        (id("clinic"), Identifier::new("urn:a", "12")),
        (id("clinic"), Identifier::new("urn:b", "12")),
    ];
    let found = turn.find_messages(&wanted).await.unwrap();
    let found: Vec<Vec<_>> = found
        .iter()
        .map(|list| list.iter().map(|found| found.id).collect())
        .collect();
    assert_eq!(
        found,
        [vec![], vec![ids[1], ids[0]], vec![]],
        "the latest first"
    );
}

async fn deadlines_pass_only_while_somebody_has_to_speak(on: Backend) {
    let house = house(on).await;
    let mut messages = Vec::new();
    for (state, deadline) in [
        (State::Consulting, Some(NOW.plus_ms(2))),
        (State::Pended, Some(NOW.plus_ms(1))),
        (State::Pended, Some(NOW.plus_ms(9))),
        (State::Decided, Some(NOW.plus_ms(1))),
        (State::Pended, None),
    ] {
        let mut claim = house.claim("clinic");
        claim.state = state;
        claim.deadline = deadline;
        messages.push(claim);
    }
    let ids: Vec<_> = messages.iter().map(|claim| claim.id).collect();
    house
        .write(&Batch {
            messages,
            ..Batch::default()
        })
        .await
        .unwrap();
    let overdue = house.store.overdue(NOW.plus_ms(2), 10).await.unwrap();
    let overdue: Vec<_> = overdue.iter().map(|deadline| deadline.message).collect();
    assert_eq!(overdue, [ids[1], ids[0]]);
    assert_eq!(house.store.waiting(10).await.unwrap().len(), 3);
}

async fn pages_follow_each_other_without_gap_or_overlap(on: Backend) {
    let house = house(on).await;
    let mut messages = Vec::new();
    for at in 0..7 {
        let mut claim = house.claim(if at % 2 == 0 { "clinic" } else { "pharmacy" });
        claim.kind = if at == 4 {
            Kind::Admission
        } else {
            Kind::Claim
        };
        messages.push(claim);
    }
    let newest_first: Vec<_> = messages.iter().rev().map(|claim| claim.id).collect();
    house
        .write(&Batch {
            messages,
            ..Batch::default()
        })
        .await
        .unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = house
            .store
            .messages(&Scope::Hub, &MessageFilter::default(), after, 3)
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.iter().map(|envelope| envelope.id));
    }
    assert_eq!(seen, newest_first);
    let filter = MessageFilter {
        kind: Some(Kind::Claim),
        state: Some(State::Decided),
        member: Some(house.member),
    };
    let own = house
        .store
        .messages(&provider("clinic"), &filter, None, 10)
        .await
        .unwrap();
    let own: Vec<_> = own.iter().map(|envelope| envelope.id).collect();
    assert_eq!(own, [newest_first[0], newest_first[4], newest_first[6]]);
}

async fn authorised_lines_are_found_by_member_and_number(on: Backend) {
    let house = house(on).await;
    let claim = house.claim("clinic");
    let line = |seq, quantity, amount| Authorised {
        member: house.member,
        number: "A-1".to_owned(),
        insurer: id("alpha"),
        seq,
        code: Code::new("urn:services", "mri"),
        quantity,
        amount: Amount::new(amount),
        valid_until: day("2025-12-31"),
        message: claim.id,
    };
    let batch = Batch {
        authorisations: vec![
            line(1, Some(Quantity::whole(3)), 500),
            line(2, Quantity::parse("1.5"), 90),
            line(1, Some(Quantity::whole(2)), 400),
        ],
        messages: vec![claim.clone()],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let mut turn = house.store.begin().await.unwrap();
    let numbers = [
        (house.member, "A-2".to_owned()),
        (house.member, "A-1".to_owned()),
        (house.member, "A-1".to_owned()),
    ];
    let found = turn.authorisations(&numbers).await.unwrap();
    let kept = |line, cancelled, uses| KeptAuthorisation {
        line,
        cancelled,
        uses,
    };
    let left = [
        kept(line(1, Some(Quantity::whole(2)), 400), false, Vec::new()),
        kept(line(2, Quantity::parse("1.5"), 90), false, Vec::new()),
    ];
    assert_eq!(found, left, "as it was left, and once");
    drop(turn);

    let bills = [house.claim("clinic"), house.claim("clinic")];
    let new_use = |bill: &NewMessage, quantity| NewUse {
        member: house.member,
        number: "A-1".to_owned(),
        insurer: id("alpha"),
        seq: 1,
        message: bill.id,
        line: 7,
        quantity: Quantity::whole(quantity),
        amount: Amount::new(100).unwrap(),
    };
    let batch = Batch {
        uses: vec![new_use(&bills[0], 1), new_use(&bills[1], 2)],
        messages: bills.to_vec(),
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let reversed = update(bills[1].id, bills[1].state, State::Reversed, 2);
    let batch = Batch {
        updates: vec![reversed],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let mut turn = house.store.begin().await.unwrap();
    let found = turn.authorisations(&numbers).await.unwrap();
    let used = AuthorisedUse {
        message: bills[0].id,
        quantity: Quantity::ONE,
        amount: Amount::new(100).unwrap(),
    };
    assert_eq!(
        found[0].uses,
        [used],
        "what was taken back is no use any more"
    );
}

async fn unmapped_codes_are_counted(on: Backend) {
    let house = house(on).await;
    let claim = house.claim("clinic");
    let seen = |code: &str, display: Option<&str>| UnmappedCode {
        sender: id("clinic"),
        system: "urn:local".to_owned(),
        code: code.to_owned(),
        display: display.map(str::to_owned),
        message: claim.id,
        at: NOW,
    };
    let codes = |unmapped| Batch {
        unmapped,
        ..Batch::default()
    };
    house
        .write(&Batch {
            messages: vec![claim.clone()],
            ..codes(vec![
                seen("x", None),
                seen("y", None),
                seen("x", Some("Ex")),
            ])
        })
        .await
        .unwrap();
    house.write(&codes(vec![seen("x", None)])).await.unwrap();
    let counted = house.store.unmapped(&Scope::Hub, 10).await.unwrap();
    let counted: Vec<_> = counted
        .iter()
        .map(|count| (count.code.as_str(), count.times, count.display.as_deref()))
        .collect();
    assert_eq!(counted, [("x", 3, Some("Ex")), ("y", 1, None)]);
}

async fn what_is_judged_of_a_code_is_a_version_and_takes_it_off_the_count(on: Backend) {
    let house = house(on).await;
    let claim = house.claim("clinic");
    let seen = |sender: &str, code: &str| UnmappedCode {
        sender: id(sender),
        system: "urn:local".to_owned(),
        code: code.to_owned(),
        display: None,
        message: claim.id,
        at: NOW,
    };
    let batch = Batch {
        messages: vec![claim.clone()],
        unmapped: vec![
            seen("clinic", "x"),
            seen("pharmacy", "x"),
            seen("clinic", "y"),
        ],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let store = &house.store;
    let judgement = |sender: Option<&str>, code: &str, to: Option<&str>| Judgement {
        participant: sender.map(id),
        system: "urn:local".to_owned(),
        code: code.to_owned(),
        to: to.map(|to| Target {
            system: "urn:common".to_owned(),
            code: to.to_owned(),
            equivalence: Equivalence::Narrower,
        }),
        note: None,
    };
    let judge = async |judgement: &Judgement| {
        let (judged, is_new) = store.judge_code(judgement, None, NOW).await.unwrap();
        assert_eq!(judged.judgement, *judgement);
        (judged.version, is_new)
    };
    let counted = async || -> Vec<(String, String)> {
        let counted = store.unmapped(&Scope::Hub, 10).await.unwrap().into_iter();
        counted
            .map(|own| (own.sender.to_string(), own.code))
            .collect()
    };
    let before = store.revision().await.unwrap();
    let own = judgement(Some("clinic"), "x", Some("A"));
    assert_eq!(judge(&own).await, (1, true));
    assert_eq!(judge(&own).await, (1, false));
    let of = |sender: &str, code: &str| (sender.to_owned(), code.to_owned());
    assert_eq!(counted().await, [of("pharmacy", "x"), of("clinic", "y")]);
    // What has no place stays where it is; everybody's takes everybody's off.
    let nowhere = judgement(Some("clinic"), "y", None);
    assert_eq!(judge(&nowhere).await, (2, true));
    let all = judgement(None, "x", Some("B"));
    assert_eq!(judge(&all).await, (3, true));
    assert_eq!(counted().await, [of("clinic", "y")]);
    // The last word, said again after another, is a new one.
    assert_eq!(
        judge(&judgement(Some("clinic"), "x", None)).await,
        (4, true)
    );
    assert_eq!(judge(&own).await, (5, true));

    let held = store.catalogue(before).await.unwrap();
    let versions: Vec<u32> = held.judged.iter().map(|own| own.version).collect();
    assert_eq!(versions, [1, 2, 3, 4, 5]);
    let seen = async |scope: Scope, since: u32| -> Vec<u32> {
        let judged = store.judged_codes(&scope, since, 10).await.unwrap();
        judged.iter().map(|own| own.version).collect()
    };
    assert_eq!(seen(Scope::Hub, 3).await, [4, 5]);
    assert_eq!(seen(provider("clinic"), 0).await, [1, 2, 3, 4, 5]);
    assert_eq!(seen(provider("pharmacy"), 0).await, [3]);
    assert_eq!(
        seen(provider("clin"), 0).await,
        [3],
        "no name is taken for another"
    );
}

async fn what_was_committed_is_there_after_reopening(on: Backend) {
    let house = house(on).await;
    let message = house.consumed("year", 100, 40).await;
    house.store.close().await;

    let store = house.bench.open().await;
    let way = store.way(&Scope::Hub, message).await.unwrap();
    assert_eq!(
        way.turns[0].legs,
        [leg("received", None), leg("decided", None)]
    );
    assert_eq!(store.check_ledger().await.unwrap(), []);
    let mut turn = store.begin().await.unwrap();
    let standings = turn.standings(&[house.key("year")]).await.unwrap();
    assert_eq!(standings[0].unwrap().left(), 60);
    assert_eq!(store.participants().await.unwrap().len(), 4);
    drop(turn);
    store.close().await;
}

async fn a_message_of_a_sender_whom_nobody_knows_is_refused(on: Backend) {
    let house = house(on).await;
    let claim = house.claim("stranger");
    let batch = Batch {
        messages: vec![house.claim("clinic"), claim],
        ..Batch::default()
    };
    let error = house.write(&batch).await.unwrap_err();
    assert_eq!(broken(error), Constraint::Reference);
    let stranger = participant("stranger", takmil_domain::participant::Role::Provider);
    house.store.upsert_participant(&stranger).await.unwrap();
    house.write(&batch).await.unwrap();
}

#[tokio::test]
async fn a_temporary_store_goes_away() {
    let folder = tempfile::tempdir().unwrap();
    let config = crate::bench::config(Place::Temporary, folder.path());
    let store = takmil_store::Store::open(&config).await.unwrap();
    assert_eq!(store.participants().await.unwrap(), []);
    store.close().await;
}

async fn many_who_read_at_once_do_not_wait_for_each_other(on: Backend) {
    let house = house(on).await;
    let message = house.consumed("year", 1_000, 300).await;
    // Many more than there are connections that read.
    let reads = (0..64).map(|_| {
        let store = house.store.clone();
        tokio::spawn(async move {
            store.way(&Scope::Hub, message).await.unwrap();
            store.canonical(&Scope::Hub, message).await.unwrap()
        })
    });
    for read in reads.collect::<Vec<_>>() {
        assert_eq!(read.await.unwrap(), b"{\"the\":\"canonical\"}");
    }
}
