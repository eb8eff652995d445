//! What PostgreSQL does beneath: partitions by month, rows that a scope does not see, settings that it must have.

use takmil_domain::date::Instant;
use takmil_domain::ids::MessageId;
use takmil_store::{Batch, MessageFilter, Scope, Store, StoreError};

use crate::bench::{Backend, Bench};
use crate::samples::{NOW, delivery, house, id, insurer, provider};

/// 15 October 2025 and 15 January 2026, at noon.
const OCTOBER: Instant = Instant(1_760_529_600_000_000);
const JANUARY: Instant = Instant(1_768_478_400_000_000);

#[tokio::test]
async fn a_month_has_its_partition_and_a_message_is_looked_for_in_it_alone() {
    let house = house(Backend::Postgres).await;
    let (store, bench) = (&house.store, &house.bench);
    // Six tables, four months.
    assert_eq!(store.make_partitions(OCTOBER).await.unwrap(), 24);
    assert_eq!(store.make_partitions(OCTOBER).await.unwrap(), 0);
    assert_eq!(store.make_partitions(JANUARY).await.unwrap(), 18);
    let message = house.consumed("year", 100, 10).await;
    for table in ["message", "turn", "payer"] {
        let counts = format!(
            "select (select count(*) from {table}_2025_10), (select count(*) from {table}_rest)"
        );
        assert_eq!(bench.sql(&counts), "1|0", "{table}");
        let key = if table == "message" { "id" } else { "message" };
        let plan = bench.sql(&format!(
            "set enable_seqscan = off; set plan_cache_mode = force_generic_plan;
             prepare one(uuid) as select * from {table} where {key} = $1;
             explain (costs off) execute one('{message}')"
        ));
        assert!(plan.contains(&format!("{table}_2025_10")), "{plan}");
        assert!(!plan.contains(&format!("{table}_2025_11")), "{plan}");
        assert!(!plan.contains(&format!("{table}_rest")), "{plan}");
    }
    // What has no month of its own is kept all the same, and its month made no more.
    let mut late = house.claim("clinic");
    late.id = MessageId::new(Instant(NOW.0 * 2), [1; 10]);
    let batch = Batch {
        messages: vec![late.clone()],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    assert_eq!(bench.sql("select count(*) from message_rest"), "1");
    let made = store.make_partitions(Instant(NOW.0 * 2)).await.unwrap();
    assert_eq!(made, 24 - 3, "message, turn and payer have rows there");
    let envelope = store.envelope(&provider("clinic"), late.id).await.unwrap();
    assert_eq!(envelope.id, late.id);
    let page = store
        .messages(&provider("clinic"), &MessageFilter::default(), None, 10)
        .await
        .unwrap();
    let page: Vec<_> = page.iter().map(|envelope| envelope.id).collect();
    assert_eq!(page, [late.id, message], "pages go over all partitions");
}

#[tokio::test]
async fn a_question_that_forgot_its_scope_sees_nothing_foreign() {
    let house = house(Backend::Postgres).await;
    // One message of the clinic with alpha, one of the pharmacy with nobody.
    let message = house.consumed("year", 100, 10).await;
    let owed = Batch {
        messages: vec![{
            let mut other = house.claim("pharmacy");
            other.insurers = Vec::new();
            other
        }],
        outbox: vec![delivery(1, "alpha", message, message)],
        ..Batch::default()
    };
    house.write(&owed).await.unwrap();
    let (hub, own) = (["all", "", ""], |sender, insurer| ["own", sender, insurer]);
    // message, turn, payer, delivery, standing, cover, member, plan.
    let table = [
        (hub, "2|2|1|1|1|1|1|2"),
        (own("clinic", ""), "1|1|0|1|0|0|0|0"),
        (own("pharmacy", ""), "1|1|0|0|0|0|0|0"),
        (own("", "alpha"), "1|1|1|1|1|1|1|1"),
        (own("", "beta"), "0|0|0|0|0|0|0|1"),
        (own("", ""), "0|0|0|0|0|0|0|0"),
    ];
    for ([scope, sender, insurer], expected) in table {
        let seen = house.bench.sql(&format!(
            "set role takmil_scoped; set takmil.scope = '{scope}';
             set takmil.sender = '{sender}'; set takmil.insurer = '{insurer}';
             select (select count(*) from message), (select count(*) from turn), (select count(*) from payer),
                 (select count(*) from delivery), (select count(*) from standing),
                 (select count(*) from cover), (select count(*) from member),
                 (select count(*) from plan)"
        ));
        assert_eq!(seen, expected, "{scope} {sender} {insurer}");
    }
    let unset = "set role takmil_scoped; select count(*) from message";
    assert_eq!(
        house.bench.sql(unset),
        "0",
        "nobody's question sees nothing"
    );
}

#[tokio::test]
async fn questions_on_somebodys_behalf_are_asked_in_the_scoped_role() {
    let house = house(Backend::Postgres).await;
    let message = house.consumed("year", 100, 10).await;
    let tables =
        "message, turn, payer, delivery, standing, cover, member, plan, approval, credential";
    house
        .bench
        .sql(&format!("revoke select on {tables} from takmil_scoped"));
    let (store, alpha) = (&house.store, insurer("alpha"));
    let refused = [
        store.way(&alpha, message).await.err(),
        store.envelope(&alpha, message).await.err(),
        store.answer(&alpha, message).await.err(),
        store
            .messages(&alpha, &MessageFilter::default(), None, 1)
            .await
            .err(),
        store.standings_of_member(&alpha, house.member).await.err(),
        store.covers(&alpha, house.member).await.err(),
        store.person(&alpha, house.member).await.err(),
        store.plans(&alpha).await.err(),
        store.backlogs(&alpha).await.err(),
        store.open_approvals(&alpha).await.err(),
        store.credentials(&alpha, &id("alpha")).await.err(),
    ];
    for (at, refused) in refused.into_iter().enumerate() {
        let refused = refused.unwrap_or_else(|| panic!("question {at} was answered"));
        assert!(
            matches!(refused, StoreError::Database(_)),
            "{at}: {refused}"
        );
    }
    // The hub's own work goes on.
    house.in_order().await;
    let mut turn = store.begin().await.unwrap();
    assert!(turn.load(&[message]).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn a_server_that_may_forget_is_not_opened() {
    for (setting, good) in [
        ("off", false),
        ("local", false),
        ("remote_write", false),
        ("on", true),
    ] {
        let bench = Bench::new(Backend::Postgres).await;
        let name = bench.database.as_deref().unwrap();
        bench.sql(&format!(
            "alter database {name} set synchronous_commit = {setting}"
        ));
        match Store::open(&bench.config()).await {
            Ok(_) => assert!(good, "{setting}"),
            Err(StoreError::NotDurable {
                setting: which,
                found,
            }) => {
                assert_eq!(
                    (which, found.as_str(), good),
                    ("synchronous_commit", setting, false)
                );
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_text_with_a_nul_is_kept_without_it() {
    let house = house(Backend::Postgres).await;
    let mut claim = house.claim("clinic");
    claim.keys = vec!["key:\0".to_owned()];
    let message = claim.id;
    let batch = Batch {
        messages: vec![claim],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let mut turn = house.store.begin().await.unwrap();
    let asked = [(id("clinic"), "key:\0".to_owned())];
    let found = turn.idempotency(&asked).await.unwrap();
    assert_eq!(found[0].as_ref().unwrap().message, message);
    drop(turn);
    let way = house.store.way(&Scope::Hub, message).await;
    assert!(way.is_ok());
}
