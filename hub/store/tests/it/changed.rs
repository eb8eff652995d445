//! The order in which messages changed: whoever reads on from a cursor misses none, whoever commits when.

use takmil_domain::ids::MessageId;
use takmil_domain::life::State;
use takmil_store::{Batch, ChangeCursor, ChangedPage, Scope};

use crate::audit::{grow, leaf};
use crate::bench::{Backend, both};
use crate::samples::{House, NOW, house, id, update};

both! {
    messages_come_in_the_order_of_their_last_change_and_each_once
    what_is_committed_late_comes_late_and_is_not_missed
    each_scope_has_its_own_and_short_pages_go_on
    a_cursor_of_another_history_is_known
    of_an_erased_member_nothing_is_told_but_that_there_was_something
}

async fn of_an_erased_member_nothing_is_told_but_that_there_was_something(on: Backend) {
    let house = house(on).await;
    let message = take(&house, "clinic").await;
    grow(&house.store, 10, NOW).await.unwrap();
    let erased = house.store.erase_member(house.member, NOW).await;
    assert!(erased.unwrap());
    let page = page(&house, &Scope::Hub, ChangeCursor::START, 10).await;
    assert_eq!(ids(&page), [message]);
    assert_eq!(page.messages[0].content, None);
}

async fn page(house: &House, scope: &Scope, after: ChangeCursor, most: u32) -> ChangedPage {
    let page = house.store.changed(scope, after, most).await.unwrap();
    page.expect("the cursor is of this history")
}

fn ids(page: &ChangedPage) -> Vec<MessageId> {
    page.messages.iter().map(|own| own.envelope.id).collect()
}

/// Takes a claim, with its leaf.
async fn take(house: &House, sender: &str) -> MessageId {
    let claim = house.claim(sender);
    let message = claim.id;
    let batch = Batch {
        leaves: vec![leaf(message.0, 1, 7)],
        messages: vec![claim],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    message
}

async fn adjust(house: &House, message: MessageId) {
    let batch = Batch {
        leaves: vec![leaf(message.0, 2, 7)],
        updates: vec![update(message, State::Decided, State::Adjusted, 2)],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
}

async fn messages_come_in_the_order_of_their_last_change_and_each_once(on: Backend) {
    let house = house(on).await;
    let (hub, start) = (Scope::Hub, ChangeCursor::START);
    let none = page(&house, &hub, start, 10).await;
    assert!(none.caught_up && none.messages.is_empty() && none.next == start);

    let first = take(&house, "clinic").await;
    let second = take(&house, "clinic").await;
    let unnumbered = page(&house, &hub, start, 10).await;
    assert!(unnumbered.messages.is_empty(), "a leaf has no place yet");
    grow(&house.store, 10, NOW).await.unwrap();
    let both = page(&house, &hub, start, 10).await;
    assert_eq!(ids(&both), [first, second]);
    let (canonical, answer) = both.messages[0].content.clone().unwrap();
    assert_eq!(canonical, b"{\"the\":\"canonical\"}");
    assert!(answer.contains(&first.to_string()), "{answer}");

    adjust(&house, first).await;
    // It has changed, and its change has no place yet: it is not told of at an old one.
    assert_eq!(ids(&page(&house, &hub, start, 10).await), [second]);
    grow(&house.store, 10, NOW).await.unwrap();
    let anew = page(&house, &hub, start, 10).await;
    assert_eq!(ids(&anew), [second, first]);
    let (_, answer) = anew.messages[1].content.clone().unwrap();
    assert_eq!(answer, "{\"turn\":2}");
    let since = page(&house, &hub, both.next, 10).await;
    assert_eq!(ids(&since), [first]);
    assert_eq!(since.messages[0].envelope.state, State::Adjusted);
    assert!(page(&house, &hub, since.next, 10).await.messages.is_empty());
}

async fn what_is_committed_late_comes_late_and_is_not_missed(on: Backend) {
    let house = house(on).await;
    // On SQLite there is one writer, and nobody commits out of order.
    let slow = house.claim("clinic");
    let late = slow.id;
    let batch = Batch {
        leaves: vec![leaf(late.0, 1, 7)],
        messages: vec![slow],
        ..Batch::default()
    };
    let (quick, seen) = match on {
        Backend::Sqlite => {
            let quick = take(&house, "clinic").await;
            grow(&house.store, 10, NOW).await.unwrap();
            let seen = page(&house, &Scope::Hub, ChangeCursor::START, 10).await;
            house.write(&batch).await.unwrap();
            (quick, seen)
        }
        Backend::Postgres => {
            let mut turn = house.store.begin().await.unwrap();
            turn.write(&batch).await.unwrap();
            let quick = take(&house, "clinic").await;
            grow(&house.store, 10, NOW).await.unwrap();
            let seen = page(&house, &Scope::Hub, ChangeCursor::START, 10).await;
            turn.commit().await.unwrap();
            (quick, seen)
        }
    };
    assert_eq!(ids(&seen), [quick]);
    grow(&house.store, 10, NOW).await.unwrap();
    let more = page(&house, &Scope::Hub, seen.next, 10).await;
    assert_eq!(ids(&more), [late], "though its id is older");
}

async fn each_scope_has_its_own_and_short_pages_go_on(on: Backend) {
    let house = house(on).await;
    let mut of_clinic = Vec::new();
    for _ in 0..3 {
        of_clinic.push(take(&house, "clinic").await);
        take(&house, "pharmacy").await;
    }
    grow(&house.store, 10, NOW).await.unwrap();
    let clinic = Scope::Provider(id("clinic"));
    let (mut after, mut read) = (ChangeCursor::START, Vec::new());
    for _ in 0..3 {
        let page = page(&house, &clinic, after, 1).await;
        assert_eq!(page.messages.len(), 1);
        let given = ChangeCursor::parse(&page.next.to_string()).unwrap();
        assert_eq!(given, page.messages[0].cursor);
        read.extend(ids(&page));
        after = given;
    }
    assert_eq!(read, of_clinic);
    let last = page(&house, &clinic, after, 1).await;
    assert!(last.caught_up && last.messages.is_empty() && last.next != after);
    let start = ChangeCursor::START;
    let alpha = page(&house, &Scope::Insurer(id("alpha")), start, 10).await;
    assert_eq!(alpha.messages.len(), 6);
    let beta = page(&house, &Scope::Insurer(id("beta")), start, 10).await;
    assert!(beta.messages.is_empty() && beta.caught_up);
}

async fn a_cursor_of_another_history_is_known(on: Backend) {
    let (one, other) = (house(on).await, house(on).await);
    for house in [&one, &other] {
        take(house, "clinic").await;
        take(house, "pharmacy").await;
        grow(&house.store, 10, NOW).await.unwrap();
    }
    adjust(
        &one,
        page(&one, &Scope::Hub, ChangeCursor::START, 1)
            .await
            .messages[0]
            .envelope
            .id,
    )
    .await;
    grow(&one.store, 10, NOW).await.unwrap();
    let cursor = page(&one, &Scope::Hub, ChangeCursor::START, 10).await.next;
    let beyond = other.store.changed(&Scope::Hub, cursor, 10).await.unwrap();
    assert_eq!(beyond, None, "there is no such place");
    let text = ChangeCursor::START.to_string().replacen("0-0", "1-0", 1);
    let forged = ChangeCursor::parse(&text).unwrap();
    let forged = one.store.changed(&Scope::Hub, forged, 10).await.unwrap();
    assert_eq!(forged, None, "another entry stands there");
}
